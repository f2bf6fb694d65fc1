//! The rows of `file_standing`: written with the evidence, locked before it is read.
use std::collections::BTreeMap;

use diesel::prelude::*;

use super::Counts;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, file_result, file_standing, settlement_input};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::exchange::{DocumentKind, ExchangedFile};
use crate::insert_rows;
use crate::kernel::state::FileState;

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
    /// Its run is recorded to its end.
    pub run_complete: bool,
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
    run_complete: As<bool>,
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
            run_complete: As(run_complete),
            answered_at,
            settled_by,
            requeues,
        }
    }
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
        .filter(exchanged_file::business_date.eq(As(last.business_date)))
        .filter(exchanged_file::kind.eq(As(last.kind)))
        .select(exchanged_file::id);
    diesel::update(file_standing::table.filter(file_standing::file_id.eq_any(of_day)))
        .filter(file_standing::run_complete.eq(As(false)))
        .set(file_standing::run_complete.eq(As(true)))
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
