//! Queries of `file_standing`: what is open is found by indexes of what is open, however long the past is.
use std::collections::BTreeMap;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;

use super::{AnswerStage, Counts, Direction, DocumentKind, ExchangedFile};
use crate::db::columns::{As, FileId, InstitutionId, ResultId};
use crate::db::schema::{
    day_cut, exchanged_file, file_result, file_standing, result_line, settlement_input, split_order,
};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::insert_rows;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::state::FileState;
use crate::people::Scope;

/// Rows of one statement.
const BATCH: usize = 400;

/// Where one of our files stands, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = file_standing, check_for_backend(crate::db::MultiBackend))]
pub struct Standing {
    /// The file.
    pub file_id: FileId,
    /// Whose exchange directory.
    pub institution_id: InstitutionId,
    /// What it is.
    pub kind: DocumentKind,
    /// What the results make of it.
    pub state: FileState,
    /// Lines that a FINAL answers.
    pub expected: i64,
    /// Lines that succeeded.
    pub succeeded: i64,
    /// Lines that failed.
    pub failed: i64,
    /// Lines that the institution has in hand.
    pub pending: i64,
    /// Lines that came back after success.
    pub bounced: i64,
    /// 1 = its run is recorded to its end.
    pub run_complete: i32,
    /// When its newest answer was taken in, unix microseconds; none while it is open.
    pub answered_at: Option<i64>,
    /// The settlement that takes it in or that was made over it; a settlement's own key.
    pub settled_by: Option<FileId>,
    /// Of a settlement: its results that requeue and that no settlement lists; never 0.
    pub requeues: Option<i64>,
}

impl Standing {
    /// How its lines stand.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        let Self { expected, succeeded, failed, pending, bounced, .. } = *self;
        Counts { expected, succeeded, failed, pending, bounced }
    }
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = file_standing, treat_none_as_default_value = false, treat_none_as_null = true)]
struct Row {
    file_id: FileId,
    institution_id: InstitutionId,
    kind: As<DocumentKind>,
    state: As<FileState>,
    expected: i64,
    succeeded: i64,
    failed: i64,
    pending: i64,
    bounced: i64,
    run_complete: i32,
    answered_at: Option<i64>,
    settled_by: Option<FileId>,
    requeues: Option<i64>,
}

impl From<&Standing> for Row {
    fn from(one: &Standing) -> Self {
        let Standing { file_id, institution_id, expected, succeeded, failed, pending, bounced, .. } = *one;
        let Standing { run_complete, answered_at, settled_by, requeues, .. } = *one;
        Self {
            file_id,
            institution_id,
            kind: As(one.kind),
            state: As(one.state),
            expected,
            succeeded,
            failed,
            pending,
            bounced,
            run_complete,
            answered_at,
            settled_by,
            requeues,
        }
    }
}

/// What there is to judge a file by.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub file_id: FileId,
    pub institution_id: InstitutionId,
    pub kind: DocumentKind,
    pub name: String,
    pub business_date: i32,
    pub expected: i64,
    pub run_complete: i32,
    /// The codes of its FIRST results with their files, in order of import.
    pub firsts: Vec<(RetCode, FileId)>,
    /// How many FINAL results came.
    pub finals: usize,
    /// When the newest result was taken in.
    pub last_at: Option<i64>,
}

pub(super) fn insert(tx: &mut Tx<'_>, one: &Standing) -> Result<(), Error> {
    diesel::insert_into(file_standing::table).values(Row::from(one)).execute(tx.conn())?;
    Ok(())
}

pub(super) fn update(tx: &mut Tx<'_>, one: &Standing) -> Result<(), Error> {
    diesel::update(file_standing::table.find(one.file_id)).set(Row::from(one)).execute(tx.conn())?;
    Ok(())
}

/// A run is recorded to its end: what was recorded of its day before is, too.
pub(super) fn complete_run(tx: &mut Tx<'_>, last: &ExchangedFile) -> Result<(), Error> {
    let of_day = exchanged_file::table
        .filter(exchanged_file::institution_id.eq(last.institution_id))
        .filter(exchanged_file::business_date.eq(last.business_date))
        .filter(exchanged_file::kind.eq(As(last.kind)))
        .select(exchanged_file::id);
    diesel::update(file_standing::table.filter(file_standing::file_id.eq_any(of_day)))
        .filter(file_standing::run_complete.eq(0))
        .set(file_standing::run_complete.eq(1))
        .execute(tx.conn())?;
    Ok(())
}

/// What is kept of a file.
pub(super) fn kept(tx: &mut Tx<'_>, file: FileId) -> Result<Standing, Error> {
    Ok(file_standing::table.find(file).select(Standing::as_select()).first(tx.conn())?)
}

/// [`kept`], and until the transaction ends nobody else changes it. SQLite has one writer.
pub(super) fn lock(tx: &mut Tx<'_>, file: FileId) -> Result<Standing, Error> {
    if let Conn::Pg(conn) = tx.conn() {
        let row = file_standing::table.find(file).select(file_standing::file_id);
        let _: i64 = row.for_no_key_update().first(conn)?;
    }
    kept(tx, file)
}

/// [`lock`] of all files.
pub(super) fn lock_all(tx: &mut Tx<'_>) -> Result<BTreeMap<FileId, Standing>, Error> {
    if let Conn::Pg(conn) = tx.conn() {
        diesel::sql_query("LOCK TABLE file_standing IN SHARE ROW EXCLUSIVE MODE").execute(conn)?;
    }
    all(tx)
}

/// All that is kept.
pub(super) fn all(tx: &mut Tx<'_>) -> Result<BTreeMap<FileId, Standing>, Error> {
    let rows: Vec<Standing> = file_standing::table.select(Standing::as_select()).load(tx.conn())?;
    Ok(rows.into_iter().map(|one| (one.file_id, one)).collect())
}

pub(super) fn replace_all(tx: &mut Tx<'_>, due: &[Standing]) -> Result<(), Error> {
    diesel::delete(file_standing::table).execute(tx.conn())?;
    for batch in due.chunks(BATCH) {
        let rows: Vec<Row> = batch.iter().map(Row::from).collect();
        insert_rows!(tx, file_standing, rows)?;
    }
    Ok(())
}

/// What the FINAL results of a file said of each line, oldest first.
pub(super) fn said(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<(i32, RetStatus)>, Error> {
    Ok(result_line::table
        .inner_join(file_result::table)
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .order((result_line::n.asc(), file_result::seq.asc()))
        .select((result_line::n, result_line::status))
        .load(tx.conn())?)
}

type Answered = (FileId, AnswerStage, RetCode, FileId, i64);

fn take_results(evidence: &mut Evidence, results: impl IntoIterator<Item = Answered>) {
    for (_, stage, code, ret, at) in results {
        match stage {
            AnswerStage::First => evidence.firsts.push((code, ret)),
            AnswerStage::Final => evidence.finals = evidence.finals.saturating_add(1),
        }
        evidence.last_at = evidence.last_at.max(Some(at));
    }
}

type FileFacts = (FileId, InstitutionId, DocumentKind, String, i32, i64);

fn bare(
    (file_id, institution_id, kind, name, business_date, orders): FileFacts,
    run_complete: i32,
) -> Evidence {
    let (firsts, finals, last_at) = (Vec::new(), 0, None);
    Evidence {
        file_id,
        institution_id,
        kind,
        name,
        business_date,
        expected: orders,
        run_complete,
        firsts,
        finals,
        last_at,
    }
}

macro_rules! facts {
    () => {
        exchanged_file::table.select((
            exchanged_file::id,
            exchanged_file::institution_id,
            exchanged_file::kind,
            exchanged_file::name,
            exchanged_file::business_date,
            exchanged_file::orders,
        ))
    };
}

macro_rules! results {
    () => {
        file_result::table.order(file_result::id.asc()).select((
            file_result::file_id,
            file_result::stage,
            file_result::code,
            file_result::ret_file_id,
            file_result::imported_at,
        ))
    };
}

/// The evidence of one file; how many lines it has to be answered is known.
pub(super) fn evidence(
    tx: &mut Tx<'_>,
    file: FileId,
    expected: i64,
    run_complete: i32,
) -> Result<Evidence, Error> {
    let facts: FileFacts = facts!().filter(exchanged_file::id.eq(file)).first(tx.conn())?;
    let mut evidence = Evidence { expected, ..bare(facts, run_complete) };
    let results: Vec<Answered> = results!().filter(file_result::file_id.eq(file)).load(tx.conn())?;
    take_results(&mut evidence, results);
    Ok(evidence)
}

/// The evidence of every file of ours, by file.
pub(super) fn all_evidence(tx: &mut Tx<'_>) -> Result<Vec<Evidence>, Error> {
    let facts: Vec<FileFacts> = facts!()
        .filter(exchanged_file::direction.eq(As(Direction::Out)))
        .order(exchanged_file::id.asc())
        .load(tx.conn())?;
    let mut all: BTreeMap<FileId, Evidence> =
        facts.into_iter().map(|facts| (facts.0, bare(facts, 1))).collect();
    let split: Vec<(FileId, i64)> = split_order::table
        .filter(split_order::reason.is_null())
        .group_by(split_order::file_id)
        .select((split_order::file_id, count_star()))
        .load(tx.conn())?;
    let split: BTreeMap<FileId, i64> = split.into_iter().collect();
    for evidence in all.values_mut().filter(|one| one.kind != DocumentKind::Stl) {
        evidence.expected = split.get(&evidence.file_id).copied().unwrap_or(0);
    }
    for file in unfinished(tx)? {
        if let Some(evidence) = all.get_mut(&file) {
            evidence.run_complete = 0;
        }
    }
    let results: Vec<Answered> = results!().load(tx.conn())?;
    for result in results {
        if let Some(evidence) = all.get_mut(&result.0) {
            take_results(evidence, [result]);
        }
    }
    Ok(all.into_values().collect())
}

/// Split files that no cut of their day with or after them ended.
fn unfinished(tx: &mut Tx<'_>) -> Result<Vec<FileId>, Error> {
    let ended = day_cut::table
        .filter(day_cut::institution_id.eq(exchanged_file::institution_id))
        .filter(day_cut::business_date.eq(exchanged_file::business_date))
        .filter(day_cut::seq.ge(exchanged_file::seq))
        .filter(day_cut::more.eq(0));
    Ok(exchanged_file::table
        .filter(exchanged_file::kind.eq(As(DocumentKind::Spl)))
        .filter(not(exists(ended)))
        .select(exchanged_file::id)
        .load(tx.conn())?)
}

/// Everything that settlements list: the settlement, whose it is, and the listed name.
pub(super) fn all_inputs(tx: &mut Tx<'_>) -> Result<Vec<(FileId, InstitutionId, String)>, Error> {
    Ok(settlement_input::table
        .inner_join(exchanged_file::table)
        .select((settlement_input::file_id, exchanged_file::institution_id, settlement_input::name))
        .load(tx.conn())?)
}

/// A result with a line that failed or bounced.
macro_rules! requeueing {
    () => {
        exists(
            result_line::table
                .filter(result_line::file_result_id.eq(file_result::id))
                .filter(result_line::status.eq_any([As(RetStatus::Failed), As(RetStatus::Bounced)])),
        )
    };
}

/// Every result that requeues: the settlement that it answers, whose it is, and its name.
pub(super) fn all_requeueing(tx: &mut Tx<'_>) -> Result<Vec<(FileId, InstitutionId, String)>, Error> {
    Ok(file_result::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::ret_file_id)))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .filter(requeueing!())
        .select((file_result::file_id, exchanged_file::institution_id, exchanged_file::name))
        .load(tx.conn())?)
}

/// A settlement that counts lists the file of this name: `listed!(institution)`, inside a query over `exchanged_file`.
macro_rules! listed {
    ($institution:expr) => {
        exists(
            settlement_input::table
                .inner_join(file_standing::table.on(file_standing::file_id.eq(settlement_input::file_id)))
                .filter(settlement_input::name.eq(exchanged_file::name))
                .filter(file_standing::institution_id.eq($institution))
                .filter(file_standing::state.ne(As(FileState::Rejected))),
        )
    };
}

/// The results of a settlement that requeue and that none lists, with their keys, in order of import.
macro_rules! requeues {
    ($stl:expr) => {
        file_result::table
            .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::ret_file_id)))
            .filter(file_result::file_id.eq($stl.file_id))
            .filter(file_result::stage.eq(As(AnswerStage::Final)))
            .filter(requeueing!())
            .filter(not(listed!($stl.institution_id)))
    };
}

/// How many results of a settlement requeue and are listed by none; none of another file.
pub(super) fn requeues(tx: &mut Tx<'_>, of: &Standing) -> Result<Option<i64>, Error> {
    if of.kind != DocumentKind::Stl {
        return Ok(None);
    }
    let count: i64 = requeues!(of).count().get_result(tx.conn())?;
    Ok(Some(count).filter(|count| *count > 0))
}

/// A settlement takes in these files.
pub(super) fn settle(tx: &mut Tx<'_>, stl: FileId, files: &[FileId]) -> Result<(), Error> {
    for batch in files.chunks(BATCH) {
        diesel::update(file_standing::table.filter(file_standing::file_id.eq_any(batch)))
            .set(file_standing::settled_by.eq(stl))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// A void settlement gives back what it took in; the settlements whose results it listed are to be counted anew.
pub(super) fn give_back(tx: &mut Tx<'_>, stl: &Standing) -> Result<Vec<FileId>, Error> {
    diesel::update(file_standing::table.filter(file_standing::settled_by.eq(stl.file_id)))
        .filter(file_standing::file_id.ne(stl.file_id))
        .set(file_standing::settled_by.eq(None::<FileId>))
        .execute(tx.conn())?;
    Ok(settlement_input::table
        .inner_join(exchanged_file::table.on(exchanged_file::name.eq(settlement_input::name)))
        .inner_join(file_result::table.on(file_result::ret_file_id.eq(exchanged_file::id)))
        .filter(settlement_input::file_id.eq(stl.file_id))
        .filter(exchanged_file::institution_id.eq(stl.institution_id))
        .select(file_result::file_id)
        .distinct()
        .order(file_result::file_id.asc())
        .load(tx.conn())?)
}

/// What stands of these files, of those that are ours.
pub fn standings(tx: &mut Tx<'_>, files: &[i64]) -> Result<BTreeMap<i64, Standing>, Error> {
    let rows: Vec<Standing> = file_standing::table
        .filter(file_standing::file_id.eq_any(files))
        .select(Standing::as_select())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|one| (one.file_id.get(), one)).collect())
}

/// Split files up to a day that no settlement takes in and none was made over, in order of publication.
pub fn unsettled(
    tx: &mut Tx<'_>,
    institution: i64,
    day: BusinessDay,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    Ok(file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::settled_by.is_null())
        .filter(exchanged_file::business_date.le(day.to_i32()))
        .order(file_standing::file_id.asc())
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .load(tx.conn())?)
}

/// The files of a kind and day with where they stand, by seq.
pub fn standing_of_day(
    tx: &mut Tx<'_>,
    institution: i64,
    kind: DocumentKind,
    day: i32,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    Ok(exchanged_file::table
        .inner_join(file_standing::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .filter(exchanged_file::business_date.eq(day))
        .order(exchanged_file::seq.asc())
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .load(tx.conn())?)
}

/// The files of a kind that are not void, in order of publication.
pub fn valid(tx: &mut Tx<'_>, institution: i64, kind: DocumentKind) -> Result<Vec<ExchangedFile>, Error> {
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
    institution: i64,
    kind: DocumentKind,
) -> Result<Option<(ExchangedFile, Standing)>, Error> {
    Ok(file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::kind.eq(As(kind)))
        .filter(file_standing::state.ne(As(FileState::Rejected)))
        .order(file_standing::file_id.desc())
        .select((ExchangedFile::as_select(), Standing::as_select()))
        .first(tx.conn())
        .optional()?)
}

/// A line that a result requeues and that no settlement lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeued {
    /// The RET.
    pub ret: FileId,
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: String,
    /// The settlement that it answers.
    pub stl: FileId,
    /// The line that failed or bounced.
    pub n: i32,
}

/// Every line that a result requeues and that no settlement lists, in order of import.
pub fn requeued(tx: &mut Tx<'_>, institution: i64) -> Result<Vec<Requeued>, Error> {
    let open: Vec<Standing> = file_standing::table
        .filter(file_standing::institution_id.eq(institution))
        .filter(file_standing::requeues.is_not_null())
        .select(Standing::as_select())
        .load(tx.conn())?;
    type Found = (ResultId, FileId, String, String, FileId);
    let mut results: Vec<Found> = Vec::new();
    for stl in &open {
        let columns = (
            file_result::id,
            exchanged_file::id,
            exchanged_file::name,
            exchanged_file::sha256,
            file_result::file_id,
        );
        results.extend(requeues!(stl).select(columns).load::<Found>(tx.conn())?);
    }
    results.sort_by_key(|(result, ..)| *result);
    let mut lines = Vec::new();
    for (result, ret, name, sha256, stl) in results {
        let numbers: Vec<i32> = result_line::table
            .filter(result_line::file_result_id.eq(result))
            .filter(result_line::status.eq_any([As(RetStatus::Failed), As(RetStatus::Bounced)]))
            .order(result_line::n.asc())
            .select(result_line::n)
            .load(tx.conn())?;
        let line = |n| Requeued { ret, name: name.clone(), sha256: sha256.clone(), stl, n };
        lines.extend(numbers.into_iter().map(line));
    }
    Ok(lines)
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
        .filter(file_standing::run_complete.eq(1))
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
        .filter(file_standing::run_complete.eq(1))
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
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<(ExchangedFile, Standing)>, Error> {
    let query = file_standing::table
        .inner_join(exchanged_file::table)
        .filter(file_standing::file_id.lt(before.unwrap_or(i64::MAX)))
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
