//! Queries of where files stand: what is open is found by indexes of what is open, however long the past is.
use std::collections::BTreeMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::store::Standing;
use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, file_result, file_standing, result_line};
use crate::error::Error;
use crate::exchange::{AnswerStage, DocumentKind, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::state::FileState;
use crate::people::Scope;

/// What stands of these files, of those that are ours.
pub fn standings(tx: &mut Tx<'_>, files: &[FileId]) -> Result<BTreeMap<FileId, Standing>, Error> {
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Standing> = file_standing::table
        .filter(file_standing::file_id.eq_any(files))
        .select(Standing::as_select())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|one| (one.file_id, one)).collect())
}

/// Split files up to a day that no settlement takes in and none was made over, in order of publication.
pub fn unsettled(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    Ok(file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::settled_by.is_null())
        .filter(exchanged_file::business_date.le(As(day)))
        .order(file_standing::file_id.asc())
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .load(tx.conn())?)
}

/// The files of a kind and day with where they stand, by seq.
pub fn standing_of_day(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
    day: BusinessDay,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    Ok(exchanged_file::table
        .inner_join(file_standing::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .filter(exchanged_file::business_date.eq(As(day)))
        .order(exchanged_file::seq.asc())
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .load(tx.conn())?)
}

/// What was exchanged for these days that decides whether one of them is done: split files, settlements, and the
/// institution's own bills, which have no standing. Two queries, whatever lies before them.
pub fn of_days(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    from: BusinessDay,
    to: BusinessDay,
) -> Result<Vec<(ExchangedFile, Option<Standing>)>, Error> {
    let kinds = [DocumentKind::Spl, DocumentKind::Stl, DocumentKind::Bil];
    let files: Vec<ExchangedFile> = exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::business_date.between(As(from), As(to)))
        .filter(exchanged_file::kind.eq_any(kinds.map(As)))
        .select(ExchangedFile::as_select())
        .load(tx.conn())?;
    let ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    let mut standings = super::standings(tx, &ids)?;
    let beside = |file: ExchangedFile| {
        let standing = standings.remove(&file.id);
        (file, standing)
    };
    Ok(files.into_iter().map(beside).collect())
}

/// The files of a kind that are not void, in order of publication.
pub fn valid(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
) -> Result<Vec<ExchangedFile>, Error> {
    Ok(file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::kind.eq(As(kind)))
        .filter(file_standing::state.ne(As(FileState::Rejected)))
        .order(file_standing::file_id.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// The last file of a kind that is not void.
pub fn last_valid(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
) -> Result<Option<(ExchangedFile, Standing)>, Error> {
    // Void ones are few, and looked at one by one: a plan that does not know how few would read all.
    let mut before = FileId::new(i64::MAX);
    loop {
        let newest: Option<(ExchangedFile, Standing)> = file_standing::table
            .inner_join(exchanged_file::table)
            .filter(file_standing::institution_id.eq(institution))
            .filter(file_standing::kind.eq(As(kind)))
            .filter(file_standing::file_id.lt(before))
            .order(file_standing::file_id.desc())
            .select((ExchangedFile::as_select(), Standing::as_select()))
            .first(tx.conn())
            .optional()?;
        match newest {
            Some((_, standing)) if standing.state == FileState::Rejected => before = standing.file_id,
            found => return Ok(found),
        }
    }
}

/// Narrows a query over `file_standing` to what `scope` may see: a merchant sees no files.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(file_standing::institution_id.eq(*id)),
            Scope::Merchant(_) => $query.filter(file_standing::file_id.lt(0)),
        }
    };
}

/// More than these are not listed as waiting; an institution that far behind has another problem.
const MOST_WAITING: i64 = 100;

/// Published files that the institution has still to answer, newest first: none of a run that is not recorded to its end.
pub fn waiting(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    let query = file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::answered_at.is_null())
        .filter(file_standing::run_complete.eq(As(true)))
        .order(file_standing::file_id.desc())
        .limit(MOST_WAITING)
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .into_boxed();
    Ok(scoped!(query, scope).load(tx.conn())?)
}

/// How many files [`waiting`] gives.
pub fn waiting_count(tx: &mut Tx<'_>, scope: &Scope) -> Result<i64, Error> {
    let query = file_standing::table
        .filter(file_standing::answered_at.is_null())
        .filter(file_standing::run_complete.eq(As(true)))
        .order(file_standing::file_id.desc())
        .limit(MOST_WAITING)
        .select(file_standing::file_id)
        .into_boxed();
    let some: Vec<FileId> = scoped!(query, scope).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(MOST_WAITING))
}

/// Published files that the institution has answered to their end, newest first.
pub fn answered(
    tx: &mut Tx<'_>,
    scope: &Scope,
    before: Option<FileId>,
    limit: i64,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    let query = file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::file_id.lt(before.unwrap_or(FileId::new(i64::MAX))))
        .filter(file_standing::answered_at.is_not_null())
        .order(file_standing::file_id.desc())
        .limit(limit)
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .into_boxed();
    Ok(scoped!(query, scope).load(tx.conn())?)
}

/// The first lines of a file whose newest FINAL says this of them.
pub fn lines_standing(
    tx: &mut Tx<'_>,
    file: FileId,
    status: RetStatus,
    limit: i64,
) -> Result<Vec<i32>, Error> {
    let (later_line, later) = diesel::alias!(result_line as later_line, file_result as later);
    let newer = later_line
        .inner_join(later.on(later.field(file_result::id).eq(later_line.field(result_line::file_result_id))))
        .filter(later.field(file_result::file_id).eq(file_result::file_id))
        .filter(later.field(file_result::stage).eq(As(AnswerStage::Final)))
        .filter(later.field(file_result::seq).gt(file_result::seq))
        .filter(later_line.field(result_line::n).eq(result_line::n));
    Ok(result_line::table
        .inner_join(file_result::table)
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .filter(result_line::status.eq(As(status)))
        .filter(not(exists(newer)))
        .order(result_line::n.asc())
        .limit(limit)
        .select(result_line::n)
        .load(tx.conn())?)
}
