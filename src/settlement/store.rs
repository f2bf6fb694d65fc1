//! Queries of the settlement room.
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::{exchanged_file, file_result, result_line, settlement_input, settlement_line};
use crate::error::Error;
use crate::insert_rows;

/// `I`: a file that an STL is made from.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = settlement_input, treat_none_as_default_value = false)]
pub struct Input {
    /// The STL.
    pub file_id: i64,
    /// The listed file.
    pub name: String,
    /// Its digest.
    pub sha256: String,
    /// Its total, or what a result requeues; fen.
    pub total: i64,
}

/// S or C: what one receiver is paid or carries on.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = settlement_line, treat_none_as_default_value = false)]
pub struct SettlementLine {
    /// The STL.
    pub file_id: i64,
    /// From 1 within kind.
    pub n: i32,
    /// `S` or `C`.
    pub kind: String,
    /// Of an S.
    pub settlement_id: Option<String>,
    /// Receiver key.
    pub receiver: String,
    /// The institution's number of the receiver, of an S.
    pub inst_receiver_no: Option<String>,
    /// Role, of an S.
    pub role: Option<String>,
    /// Fen.
    pub splits: i64,
    /// Fen.
    pub returns: i64,
    /// Fen, of any sign.
    pub debts: i64,
    /// Fen, of any sign.
    pub carried_in: i64,
    /// Fen.
    pub requeued: i64,
    /// Paid (S) or carried out (C), in fen.
    pub amount: i64,
    /// Orders with a line for the receiver.
    pub order_count: i64,
    /// yyyymmdd, of an S.
    pub settle_date: Option<i32>,
    /// Why nothing is paid now, of a C.
    pub reason: Option<String>,
}

/// What a result said of a settlement line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The S line.
    pub n: i32,
    /// `S`, `F`, `P` or `B`.
    pub status: String,
}

/// A final result of an STL with lines that requeue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// The RET.
    pub file_id: i64,
    /// Name of the RET.
    pub name: String,
    /// Its digest.
    pub sha256: String,
    /// The STL that it answers.
    pub stl_id: i64,
    /// The S line.
    pub n: i32,
}

pub(super) fn add_inputs(tx: &mut Tx<'_>, inputs: &[Input]) -> Result<(), Error> {
    insert_rows!(tx, settlement_input, inputs)?;
    Ok(())
}

pub(super) fn add_lines(tx: &mut Tx<'_>, lines: &[SettlementLine]) -> Result<(), Error> {
    for batch in lines.chunks(400) {
        insert_rows!(tx, settlement_line, batch)?;
    }
    Ok(())
}

/// The I lines of an STL as they stand in it.
pub fn inputs(tx: &mut Tx<'_>, stl: i64, institution: i64) -> Result<Vec<Input>, Error> {
    let rows: Vec<(String, i64, Input)> = settlement_input::table
        .inner_join(exchanged_file::table.on(exchanged_file::name.eq(settlement_input::name)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_input::file_id.eq(stl))
        .select((exchanged_file::kind, exchanged_file::id, Input::as_select()))
        .load(tx.conn())?;
    Ok(in_order(rows))
}

/// I lines of files of these kinds and keys in the order of an STL: kind by kind, each as it was recorded. It does not
/// depend on whether a result came before a split file, so a settlement that is written again has the same bytes.
pub(super) fn in_order(mut listed: Vec<(String, i64, Input)>) -> Vec<Input> {
    let rank = |kind: &str| ["SPL", "RTN", "RET"].iter().position(|known| *known == kind);
    listed.sort_by_key(|(kind, id, _)| (rank(kind), *id));
    listed.into_iter().map(|(_, _, input)| input).collect()
}

/// Names that any of these STLs lists.
pub(super) fn listed(tx: &mut Tx<'_>, stls: &[i64]) -> Result<Vec<String>, Error> {
    Ok(settlement_input::table
        .filter(settlement_input::file_id.eq_any(stls))
        .select(settlement_input::name)
        .load(tx.conn())?)
}

/// The S and C lines of an STL, by receiver.
pub fn lines(tx: &mut Tx<'_>, stl: i64) -> Result<Vec<SettlementLine>, Error> {
    Ok(settlement_line::table
        .filter(settlement_line::file_id.eq(stl))
        .order((settlement_line::kind.desc(), settlement_line::n.asc()))
        .select(SettlementLine::as_select())
        .load(tx.conn())?)
}

/// One S line of an STL.
pub(super) fn line(tx: &mut Tx<'_>, stl: i64, n: i32) -> Result<SettlementLine, Error> {
    Ok(settlement_line::table.find((stl, "S", n)).select(SettlementLine::as_select()).first(tx.conn())?)
}

/// The lines of a receiver, newest STL first; at most `limit` before the STL `before`.
pub fn lines_of(
    tx: &mut Tx<'_>,
    institution: i64,
    receiver: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<SettlementLine>, Error> {
    Ok(settlement_line::table
        .inner_join(exchanged_file::table)
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::file_id.lt(before))
        .order(settlement_line::file_id.desc())
        .limit(limit)
        .select(SettlementLine::as_select())
        .load(tx.conn())?)
}

/// What the final results of a file said of each line, oldest first.
pub(super) fn said(tx: &mut Tx<'_>, file: i64) -> Result<Vec<Said>, Error> {
    let rows: Vec<(i32, String)> = result_line::table
        .inner_join(file_result::table)
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq("FINAL"))
        .order((result_line::n.asc(), file_result::seq.asc()))
        .select((result_line::n, result_line::status))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(n, status)| Said { n, status }).collect())
}

/// Every line of an STL that a final result answered F or B, in order of import.
pub(super) fn requeues(tx: &mut Tx<'_>, institution: i64) -> Result<Vec<Requeue>, Error> {
    let (ret, answered) = diesel::alias!(exchanged_file as ret, exchanged_file as answered);
    let rows: Vec<(i64, String, String, i64, i32)> = result_line::table
        .inner_join(file_result::table)
        .inner_join(ret.on(ret.field(exchanged_file::id).eq(file_result::ret_file_id)))
        .inner_join(answered.on(answered.field(exchanged_file::id).eq(file_result::file_id)))
        .filter(ret.field(exchanged_file::institution_id).eq(institution))
        .filter(answered.field(exchanged_file::kind).eq("STL"))
        .filter(file_result::stage.eq("FINAL"))
        .filter(result_line::status.eq("F").or(result_line::status.eq("B")))
        .order((file_result::id.asc(), result_line::n.asc()))
        .select((
            ret.field(exchanged_file::id),
            ret.field(exchanged_file::name),
            ret.field(exchanged_file::sha256),
            file_result::file_id,
            result_line::n,
        ))
        .load(tx.conn())?;
    let requeues = rows.into_iter();
    let requeues =
        requeues.map(|(file_id, name, sha256, stl_id, n)| Requeue { file_id, name, sha256, stl_id, n });
    Ok(requeues.collect())
}
