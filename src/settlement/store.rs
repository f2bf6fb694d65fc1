//! Queries of the settlement room.
use std::collections::{BTreeSet, HashMap};

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use mingfen_kernel::text_enum;

use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId, words};
use crate::db::schema::{
    exchanged_file, file_result, file_standing, result_line, settlement_input, settlement_line,
};
use crate::error::Error;
use crate::exchange::{AnswerStage, DocumentKind, ResultLine};
use crate::insert_rows;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::stl::CarryReason;
use crate::kernel::money::Fen;
use crate::kernel::state::FileState;

text_enum! {
    /// What a line of an STL tells.
    pub enum LineKind {
        /// Paid out.
        Settled = "S",
        /// Carried on to the next settlement.
        Carried = "C",
    }
}
words!(LineKind);

/// `I`: a file that an STL is made from.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = settlement_input, treat_none_as_default_value = false)]
#[diesel(check_for_backend(crate::db::MultiBackend))]
pub struct Input {
    /// The STL.
    pub file_id: FileId,
    /// The listed file.
    pub name: String,
    /// Its digest.
    #[diesel(serialize_as = As<Digest>)]
    pub sha256: Digest,
    /// Its total, or what a result requeues.
    #[diesel(serialize_as = As<Fen>)]
    pub total: Fen,
}

/// S or C: what one receiver is paid or carries on.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = settlement_line, check_for_backend(crate::db::MultiBackend))]
pub struct SettlementLine {
    /// The STL.
    pub file_id: FileId,
    /// From 1 within kind.
    pub n: i32,
    /// Paid out or carried on.
    pub kind: LineKind,
    /// Of an S.
    pub settlement_id: Option<String>,
    /// Receiver key.
    pub receiver: String,
    /// The institution's number of the receiver, of an S.
    pub inst_receiver_no: Option<String>,
    /// Role, of an S.
    pub role: Option<String>,
    /// Its lines of the listed split files.
    pub splits: Fen,
    /// Given back for refunds.
    pub returns: Fen,
    /// Of any sign.
    pub debts: Fen,
    /// Of any sign.
    pub carried_in: Fen,
    /// Of lines that failed or bounced.
    pub requeued: Fen,
    /// Paid (S) or carried out (C).
    pub amount: Fen,
    /// Orders with a line for the receiver.
    pub order_count: i64,
    /// Of an S.
    pub settle_date: Option<BusinessDay>,
    /// Why nothing is paid now, of a C.
    pub reason: Option<CarryReason>,
}

pub(super) fn add_inputs(tx: &mut Tx<'_>, inputs: &[Input]) -> Result<(), Error> {
    insert_rows!(tx, settlement_input, inputs.to_vec())?;
    Ok(())
}

pub(super) fn add_lines(tx: &mut Tx<'_>, lines: &[SettlementLine]) -> Result<(), Error> {
    for batch in lines.chunks(400) {
        let rows: Vec<_> = batch
            .iter()
            .map(|line| {
                (
                    settlement_line::file_id.eq(line.file_id),
                    settlement_line::n.eq(line.n),
                    settlement_line::kind.eq(As(line.kind)),
                    settlement_line::settlement_id.eq(&line.settlement_id),
                    settlement_line::receiver.eq(&line.receiver),
                    settlement_line::inst_receiver_no.eq(&line.inst_receiver_no),
                    settlement_line::role.eq(&line.role),
                    settlement_line::splits.eq(As(line.splits)),
                    settlement_line::returns.eq(As(line.returns)),
                    settlement_line::debts.eq(As(line.debts)),
                    settlement_line::carried_in.eq(As(line.carried_in)),
                    settlement_line::requeued.eq(As(line.requeued)),
                    settlement_line::amount.eq(As(line.amount)),
                    settlement_line::order_count.eq(line.order_count),
                    settlement_line::settle_date.eq(line.settle_date.map(As)),
                    settlement_line::reason.eq(line.reason.map(As)),
                )
            })
            .collect();
        insert_rows!(tx, settlement_line, rows)?;
    }
    Ok(())
}

/// The I lines of an STL as they stand in it.
pub fn inputs(tx: &mut Tx<'_>, stl: FileId, institution: InstitutionId) -> Result<Vec<Input>, Error> {
    let rows: Vec<(DocumentKind, FileId, Input)> = settlement_input::table
        .inner_join(exchanged_file::table.on(exchanged_file::name.eq(settlement_input::name)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_input::file_id.eq(stl))
        .select((exchanged_file::kind, exchanged_file::id, Input::as_select()))
        .load(tx.conn())?;
    Ok(in_order(rows))
}

/// I lines of files of these kinds and keys in the order of an STL: kind by kind, each as it was recorded. It does not
/// depend on whether a result came before a split file, so a settlement that is written again has the same bytes.
pub(super) fn in_order(mut listed: Vec<(DocumentKind, FileId, Input)>) -> Vec<Input> {
    let rank = |kind: DocumentKind| {
        [DocumentKind::Spl, DocumentKind::Rtn, DocumentKind::Ret].iter().position(|known| *known == kind)
    };
    listed.sort_by_key(|(kind, id, _)| (rank(*kind), *id));
    listed.into_iter().map(|(_, _, input)| input).collect()
}

/// The S and C lines of an STL, by receiver.
pub fn lines(tx: &mut Tx<'_>, stl: FileId) -> Result<Vec<SettlementLine>, Error> {
    Ok(settlement_line::table
        .filter(settlement_line::file_id.eq(stl))
        .order((settlement_line::kind.desc(), settlement_line::n.asc()))
        .select(SettlementLine::as_select())
        .load(tx.conn())?)
}

/// One S line of an STL.
pub(super) fn line(tx: &mut Tx<'_>, stl: FileId, n: i32) -> Result<SettlementLine, Error> {
    Ok(settlement_line::table
        .find((stl, As(LineKind::Settled), n))
        .select(SettlementLine::as_select())
        .first(tx.conn())?)
}

/// The lines of a receiver with the business day and the state of the file of each, newest STL first; at most `limit`
/// before the STL `before`.
pub fn lines_of(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    receiver: &str,
    before: FileId,
    limit: i64,
) -> Result<Vec<(SettlementLine, BusinessDay, FileState)>, Error> {
    Ok(settlement_line::table
        .inner_join(exchanged_file::table)
        .inner_join(file_standing::table.on(file_standing::file_id.eq(settlement_line::file_id)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(settlement_line::receiver.eq(receiver))
        .filter(settlement_line::file_id.lt(before))
        .order(settlement_line::file_id.desc())
        .limit(limit)
        .select((SettlementLine::as_select(), exchanged_file::business_date, file_standing::state))
        .load(tx.conn())?)
}

/// What the newest FINAL that speaks of it said of a receiver's S line, by STL.
pub fn answers_to(
    tx: &mut Tx<'_>,
    receiver: &str,
    stls: &[FileId],
) -> Result<HashMap<FileId, ResultLine>, Error> {
    if stls.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(FileId, ResultLine)> =
        settlement_line::table
            .inner_join(file_result::table.on(file_result::file_id.eq(settlement_line::file_id)))
            .inner_join(result_line::table.on(
                result_line::file_result_id.eq(file_result::id).and(result_line::n.eq(settlement_line::n)),
            ))
            .filter(settlement_line::receiver.eq(receiver))
            .filter(settlement_line::file_id.eq_any(stls))
            .filter(settlement_line::kind.eq(As(LineKind::Settled)))
            .filter(file_result::stage.eq(As(AnswerStage::Final)))
            .order(file_result::seq.asc())
            .select((settlement_line::file_id, ResultLine::as_select()))
            .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// The first S lines of an STL of which no FINAL speaks.
pub(super) fn unanswered(tx: &mut Tx<'_>, stl: FileId, limit: i64) -> Result<Vec<i32>, Error> {
    let said = result_line::table
        .inner_join(file_result::table)
        .filter(file_result::file_id.eq(stl))
        .filter(file_result::stage.eq(As(AnswerStage::Final)))
        .filter(result_line::n.eq(settlement_line::n));
    Ok(settlement_line::table
        .filter(settlement_line::file_id.eq(stl))
        .filter(settlement_line::kind.eq(As(LineKind::Settled)))
        .filter(not(exists(said)))
        .order(settlement_line::n.asc())
        .limit(limit)
        .select(settlement_line::n)
        .load(tx.conn())?)
}

/// S lines of STLs by their keys.
pub(super) fn settled_lines(
    tx: &mut Tx<'_>,
    keys: &[(FileId, i32)],
) -> Result<HashMap<(FileId, i32), SettlementLine>, Error> {
    let stls: BTreeSet<FileId> = keys.iter().map(|(stl, _)| *stl).collect();
    let mut found = HashMap::with_capacity(keys.len());
    for stl in stls {
        let numbers: Vec<i32> = keys.iter().filter(|(of, _)| *of == stl).map(|(_, n)| *n).collect();
        for numbers in numbers.chunks(400) {
            let lines: Vec<SettlementLine> = settlement_line::table
                .filter(settlement_line::file_id.eq(stl))
                .filter(settlement_line::kind.eq(As(LineKind::Settled)))
                .filter(settlement_line::n.eq_any(numbers))
                .select(SettlementLine::as_select())
                .load(tx.conn())?;
            found.extend(lines.into_iter().map(|line| ((stl, line.n), line)));
        }
    }
    Ok(found)
}

/// What an STL carries on, C lines by receiver.
pub(super) fn carried(tx: &mut Tx<'_>, stl: FileId) -> Result<Vec<SettlementLine>, Error> {
    Ok(settlement_line::table
        .filter(settlement_line::file_id.eq(stl))
        .filter(settlement_line::kind.eq(As(LineKind::Carried)))
        .order(settlement_line::n.asc())
        .select(SettlementLine::as_select())
        .load(tx.conn())?)
}
