//! Queries of the results: the institution's answers to our files, line by line.
use diesel::prelude::*;

use super::AnswerStage;
use crate::db::Tx;
use crate::db::columns::{As, FileId, ResultId};
use crate::db::schema::{exchanged_file, file_result, result_line};
use crate::error::Error;
use crate::insert_rows;
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::money::Fen;

/// The institution's answer to one of our files.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = file_result, check_for_backend(crate::db::MultiBackend))]
pub struct FileResult {
    /// Internal key.
    pub id: ResultId,
    /// The answered file.
    pub file_id: FileId,
    /// The RET itself.
    pub ret_file_id: FileId,
    /// What it answers.
    pub stage: AnswerStage,
    /// The number of a FINAL; of a FIRST how often the same bytes were asked for before.
    pub seq: i32,
    /// The institution's word.
    pub code: RetCode,
    /// R lines.
    pub lines: i64,
    /// Sum of the lines that succeeded.
    pub success_total: Fen,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// Unix microseconds.
    pub imported_at: i64,
}

/// What is recorded of a new result.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = file_result)]
pub(super) struct NewResult {
    pub file_id: FileId,
    pub ret_file_id: FileId,
    pub stage: As<AnswerStage>,
    pub seq: i32,
    pub code: As<RetCode>,
    pub lines: i64,
    pub success_total: As<Fen>,
    pub created_at: i64,
    pub imported_at: i64,
}

/// One R line.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = result_line, check_for_backend(crate::db::MultiBackend))]
pub struct ResultLine {
    /// The result it belongs to.
    pub file_result_id: ResultId,
    /// The answered line's number.
    pub n: i32,
    /// What happened.
    pub status: RetStatus,
    /// Amount done.
    pub amount: Fen,
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

/// The answers to a file, first then final ones.
pub fn results_of(tx: &mut Tx<'_>, file: FileId) -> Result<Vec<FileResult>, Error> {
    Ok(file_result::table
        .filter(file_result::file_id.eq(file))
        .order(file_result::id.asc())
        .select(FileResult::as_select())
        .load(tx.conn())?)
}

/// The lines of one result, by n.
pub fn result_lines(tx: &mut Tx<'_>, result: ResultId) -> Result<Vec<ResultLine>, Error> {
    Ok(result_line::table
        .filter(result_line::file_result_id.eq(result))
        .order(result_line::n.asc())
        .select(ResultLine::as_select())
        .load(tx.conn())?)
}

/// What one result says of the line `n`.
pub fn result_line(tx: &mut Tx<'_>, result: ResultId, n: i32) -> Result<Option<ResultLine>, Error> {
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
                    result_line::amount.eq(As(line.amount)),
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

/// The answers to these files with the names of the RETs, by file and in order of import.
pub fn results_of_all(tx: &mut Tx<'_>, files: &[FileId]) -> Result<Vec<(FileResult, String)>, Error> {
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
