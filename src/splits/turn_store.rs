//! Queries of the order of days.
use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, file_result, file_standing};
use crate::error::Error;
use crate::exchange::{self, AnswerStage, DocumentKind, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::RetCode;
use crate::kernel::state::FileState;

const KIND: DocumentKind = DocumentKind::Spl;

/// The day of the first split file that the institution accepted: there its chain began.
pub(super) fn first_accepted(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
) -> Result<Option<BusinessDay>, Error> {
    // In order and a few at a time: told what to look for, PostgreSQL may read and sort every file there is.
    let mut after = FileId::new(0);
    loop {
        let some: Vec<(FileId, FileState)> = file_standing::table
            .filter(file_standing::institution_id.eq(institution))
            .filter(file_standing::kind.eq(As(KIND)))
            .filter(file_standing::file_id.gt(after))
            .order(file_standing::file_id.asc())
            .limit(50)
            .select((file_standing::file_id, file_standing::state))
            .load(tx.conn())?;
        let Some((last, _)) = some.last() else { return Ok(None) };
        after = *last;
        let is_accepted = |state: &FileState| !matches!(state, FileState::Published | FileState::Rejected);
        if let Some((id, _)) = some.iter().find(|(_, state)| is_accepted(state)) {
            return Ok(Some(exchange::by_id(tx, *id)?.business_date));
        }
    }
}

/// The days from this one on that have a split file of a complete run, void or not.
pub(super) fn cut_since(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    from: BusinessDay,
) -> Result<BTreeSet<BusinessDay>, Error> {
    let days: Vec<BusinessDay> = exchanged_file::table
        .inner_join(file_standing::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(KIND)))
        .filter(exchanged_file::business_date.ge(As(from)))
        .filter(file_standing::run_complete.eq(As(true)))
        .select(exchanged_file::business_date)
        .distinct()
        .load(tx.conn())?;
    Ok(days.into_iter().collect())
}

/// Void split files from this day on that no settlement was made over, oldest day first.
pub(super) fn void_since(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    from: BusinessDay,
) -> Result<Vec<ExchangedFile>, Error> {
    Ok(file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::settled_by.is_null())
        .filter(file_standing::kind.eq(As(KIND)))
        .filter(file_standing::state.eq(As(FileState::Rejected)))
        .filter(exchanged_file::business_date.ge(As(from)))
        .order((exchanged_file::business_date.asc(), exchanged_file::seq.asc()))
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// The code that made a split file void; none of one that is not.
pub fn void_code(tx: &mut Tx<'_>, file: FileId) -> Result<Option<RetCode>, Error> {
    let codes: Vec<RetCode> = file_result::table
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq(As(AnswerStage::First)))
        .order(file_result::id.asc())
        .select(file_result::code)
        .load(tx.conn())?;
    Ok(codes.into_iter().find(|code| code.makes_void()))
}

/// Whether the institution accepted a split file of an earlier day after it had answered this one.
pub(super) fn accepted_since(tx: &mut Tx<'_>, void: &ExchangedFile) -> Result<bool, Error> {
    let answered: Option<i64> = file_result::table
        .filter(file_result::file_id.eq(void.id))
        .select(diesel::dsl::max(file_result::imported_at))
        .first(tx.conn())?;
    let since: Option<FileId> = file_result::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::file_id)))
        .filter(exchanged_file::institution_id.eq(void.institution_id))
        .filter(exchanged_file::kind.eq(As(KIND)))
        .filter(exchanged_file::business_date.lt(As(void.business_date)))
        .filter(file_result::stage.eq(As(AnswerStage::First)))
        .filter(file_result::code.eq(As(RetCode::Accepted)))
        .filter(file_result::imported_at.ge(answered.unwrap_or(i64::MAX)))
        .select(exchanged_file::id)
        .first(tx.conn())
        .optional()?;
    Ok(since.is_some())
}
