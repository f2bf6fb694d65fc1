//! Queries of the file exchange.
use diesel::prelude::*;

use super::{AnswerStage, Direction, DocumentKind};
use crate::db::columns::As;
use crate::db::schema::{exchanged_file, file_result, institution, result_line};
use crate::db::{Conn, Tx};
use crate::error::{Code, Error};
use crate::insert_rows;
use crate::kernel::file::ret::{RetCode, RetStatus};

/// Names of one statement.
const NAMES: usize = 500;

/// A file that was published or imported; nothing of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = exchanged_file, check_for_backend(crate::db::MultiBackend))]
pub struct ExchangedFile {
    /// Internal key.
    pub id: i64,
    /// Whose exchange directory.
    pub institution_id: i64,
    /// Whose it is.
    pub direction: Direction,
    /// What it is.
    pub kind: DocumentKind,
    /// File name, extension included.
    pub name: String,
    /// yyyymmdd.
    pub business_date: i32,
    /// 1 ..= 9999 within kind and day.
    pub seq: i32,
    /// Lower-case hex over the whole file.
    pub sha256: String,
    /// Bytes.
    pub size: i64,
    /// Orders, or S lines of an STL.
    pub orders: i64,
    /// Lines, or C lines of an STL.
    pub lines: i64,
    /// In fen.
    pub total: i64,
    /// The previous file of its chain.
    pub previous_sha256: Option<String>,
    /// The bundle it was made under.
    pub approvals_sha256: Option<String>,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// When we took note, unix microseconds.
    pub recorded_at: i64,
}

/// What is recorded of a new file.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = exchanged_file, treat_none_as_default_value = false)]
pub struct NewFile {
    /// Whose exchange directory.
    pub institution_id: i64,
    /// Whose it is.
    #[diesel(serialize_as = As<Direction>)]
    pub direction: Direction,
    /// What it is.
    #[diesel(serialize_as = As<DocumentKind>)]
    pub kind: DocumentKind,
    /// File name, extension included.
    pub name: String,
    /// yyyymmdd.
    pub business_date: i32,
    /// 1 ..= 9999 within kind and day.
    pub seq: i32,
    /// Lower-case hex over the whole file.
    pub sha256: String,
    /// Bytes.
    pub size: i64,
    /// Orders, or S lines of an STL.
    pub orders: i64,
    /// Lines, or C lines of an STL.
    pub lines: i64,
    /// In fen.
    pub total: i64,
    /// The previous file of its chain.
    pub previous_sha256: Option<String>,
    /// The bundle it was made under.
    pub approvals_sha256: Option<String>,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// When we took note, unix microseconds.
    pub recorded_at: i64,
}

/// The institution's answer to one of our files.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = file_result, check_for_backend(crate::db::MultiBackend))]
pub struct FileResult {
    /// Internal key.
    pub id: i64,
    /// The answered file.
    pub file_id: i64,
    /// The RET itself.
    pub ret_file_id: i64,
    /// What it answers.
    pub stage: AnswerStage,
    /// The number of a FINAL; of a FIRST how often the same bytes were asked for before.
    pub seq: i32,
    /// The institution's word.
    pub code: RetCode,
    /// R lines.
    pub lines: i64,
    /// Sum of the lines that succeeded, in fen.
    pub success_total: i64,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// Unix microseconds.
    pub imported_at: i64,
}

/// What is recorded of a new result.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = file_result)]
pub(super) struct NewResult {
    pub file_id: i64,
    pub ret_file_id: i64,
    pub stage: As<AnswerStage>,
    pub seq: i32,
    pub code: As<RetCode>,
    pub lines: i64,
    pub success_total: i64,
    pub created_at: i64,
    pub imported_at: i64,
}

/// One R line.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = result_line, check_for_backend(crate::db::MultiBackend))]
pub struct ResultLine {
    /// The result it belongs to.
    pub file_result_id: i64,
    /// The answered line's number.
    pub n: i32,
    /// What happened.
    pub status: RetStatus,
    /// Amount done, in fen.
    pub amount: i64,
    /// The institution's own number.
    pub inst_serial: String,
    /// How it paid, its own word.
    pub path: String,
    /// Its time as written.
    pub done_at: String,
    /// Its error code.
    pub err_code: String,
    /// Its words.
    pub err_msg: String,
}

/// One of ours is never dated before the one that it follows: after the clock was set back it would rest on an older
/// bundle, too.
fn follows(tx: &mut Tx<'_>, file: &NewFile) -> Result<(), Error> {
    match last(tx, file.institution_id, file.kind)? {
        Some(before) if file.direction == Direction::Out && before.created_at > file.created_at => {
            Err(Error::refused(Code::ClockBehind, before.name))
        }
        Some(_) | None => Ok(()),
    }
}

/// Records a file.
pub fn record(tx: &mut Tx<'_>, file: &NewFile) -> Result<ExchangedFile, Error> {
    follows(tx, file)?;
    diesel::insert_into(exchanged_file::table).values(file.clone()).execute(tx.conn())?;
    by_name(tx, file.institution_id, &file.name)?.ok_or(Error::NotFound)
}

/// Records a file under a key that was reserved for it (`db::reserve_id`).
pub(super) fn record_as(tx: &mut Tx<'_>, id: i64, file: &NewFile) -> Result<ExchangedFile, Error> {
    follows(tx, file)?;
    diesel::insert_into(exchanged_file::table)
        .values((exchanged_file::id.eq(id), file.clone()))
        .execute(tx.conn())?;
    by_id(tx, id)
}

/// The file of this name.
pub fn by_name(tx: &mut Tx<'_>, institution: i64, name: &str) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::name.eq(name))
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The file of this key.
pub fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<ExchangedFile, Error> {
    Ok(exchanged_file::table.find(id).select(ExchangedFile::as_select()).first(tx.conn())?)
}

/// Until the transaction ends no other writer reads the end of this institution's chains: on PostgreSQL two could
/// follow the same file. SQLite has one writer anyway. Rows that only name the institution are not kept waiting.
pub fn lock_chain(tx: &mut Tx<'_>, id: i64) -> Result<(), Error> {
    match tx.conn() {
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(conn) => {
            let _: i64 =
                institution::table.find(id).select(institution::id).for_no_key_update().first(conn)?;
            Ok(())
        }
    }
}

/// The last file of a kind in order of publication, void ones too: the next one's `prev`.
pub fn last(tx: &mut Tx<'_>, institution: i64, kind: DocumentKind) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.desc())
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The files of a kind and day, by seq.
pub fn of_day(
    tx: &mut Tx<'_>,
    institution: i64,
    kind: DocumentKind,
    day: i32,
) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .filter(exchanged_file::business_date.eq(day))
        .order(exchanged_file::seq.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// All files of a kind in order of publication.
pub fn chain(tx: &mut Tx<'_>, institution: i64, kind: DocumentKind) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// Every file of an institution, in order of record.
pub fn all(tx: &mut Tx<'_>, institution: i64) -> Result<Vec<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .load(tx.conn())?)
}

/// Which of these names are recorded: what need not be read again. In bites: a statement takes only so many names.
pub fn known(tx: &mut Tx<'_>, institution: i64, names: &[String]) -> Result<Vec<String>, Error> {
    let mut known = Vec::with_capacity(names.len());
    for names in names.chunks(NAMES) {
        let found: Vec<String> = exchanged_file::table
            .filter(exchanged_file::institution_id.eq(institution))
            .filter(exchanged_file::name.eq_any(names))
            .select(exchanged_file::name)
            .load(tx.conn())?;
        known.extend(found);
    }
    Ok(known)
}

/// The answers to a file, first then final ones.
pub fn results_of(tx: &mut Tx<'_>, file: i64) -> Result<Vec<FileResult>, Error> {
    Ok(file_result::table
        .filter(file_result::file_id.eq(file))
        .order(file_result::id.asc())
        .select(FileResult::as_select())
        .load(tx.conn())?)
}

/// The lines of one result, by n.
pub fn result_lines(tx: &mut Tx<'_>, result: i64) -> Result<Vec<ResultLine>, Error> {
    Ok(result_line::table
        .filter(result_line::file_result_id.eq(result))
        .order(result_line::n.asc())
        .select(ResultLine::as_select())
        .load(tx.conn())?)
}

/// What one result says of the line `n`.
pub fn result_line(tx: &mut Tx<'_>, result: i64, n: i32) -> Result<Option<ResultLine>, Error> {
    Ok(result_line::table
        .filter(result_line::file_result_id.eq(result))
        .filter(result_line::n.eq(n))
        .select(ResultLine::as_select())
        .first(tx.conn())
        .optional()?)
}

pub(super) fn add_result(
    tx: &mut Tx<'_>,
    new: &NewResult,
    lines: &mut [ResultLine],
) -> Result<FileResult, Error> {
    diesel::insert_into(file_result::table).values(new).execute(tx.conn())?;
    let result: FileResult = file_result::table
        .filter(file_result::ret_file_id.eq(new.ret_file_id))
        .select(FileResult::as_select())
        .first(tx.conn())?;
    for line in lines.iter_mut() {
        line.file_result_id = result.id;
    }
    for batch in lines.chunks(500) {
        let rows: Vec<_> = batch
            .iter()
            .map(|line| {
                (
                    result_line::file_result_id.eq(line.file_result_id),
                    result_line::n.eq(line.n),
                    result_line::status.eq(As(line.status)),
                    result_line::amount.eq(line.amount),
                    result_line::inst_serial.eq(&line.inst_serial),
                    result_line::path.eq(&line.path),
                    result_line::done_at.eq(&line.done_at),
                    result_line::err_code.eq(&line.err_code),
                    result_line::err_msg.eq(&line.err_msg),
                )
            })
            .collect();
        insert_rows!(tx, result_line, rows)?;
    }
    Ok(result)
}

/// The first file of a kind, in order of record.
pub fn first(tx: &mut Tx<'_>, institution: i64, kind: DocumentKind) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .order(exchanged_file::id.asc())
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The answers to these files with the names of the RETs, by file and in order of import.
pub fn results_of_all(tx: &mut Tx<'_>, files: &[i64]) -> Result<Vec<(FileResult, String)>, Error> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    Ok(file_result::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(file_result::ret_file_id)))
        .filter(file_result::file_id.eq_any(files))
        .order((file_result::file_id.asc(), file_result::id.asc()))
        .select((FileResult::as_select(), exchanged_file::name))
        .load(tx.conn())?)
}
