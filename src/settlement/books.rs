//! What settlements and the institution's results post to the memo ledger.
use std::collections::BTreeMap;

use super::KIND;
use super::net::Gathered;
use super::store::{self, LineKind, SettlementLine};
use crate::db::Tx;
use crate::db::columns::FileId;
use crate::error::Error;
use crate::exchange::{AnswerStage, ExchangedFile, ImportedResult, ResultLine};
use crate::kernel::file::ret::RetStatus;
use crate::kernel::money::Fen;
use crate::ledger::{self, ByParty, EntryBasis};
use crate::splits;

/// A settlement was made: the days that it takes in are cleared, what it pays is frozen, and its custody day is closed.
pub(super) fn made(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    gathered: &Gathered,
    lines: &[SettlementLine],
    at: i64,
) -> Result<(), Error> {
    let mut basis = basis(file, &file.name, at);
    let settled_day = basis.of;
    for day in gathered.days() {
        basis.of = day;
        ledger::cleared(tx, basis)?;
    }
    basis.of = settled_day;
    let pays: ByParty = lines
        .iter()
        .filter(|line| line.kind == LineKind::Settled)
        .map(|line| (line.receiver.clone(), line.amount))
        .collect();
    basis.items = i64::try_from(pays.len()).unwrap_or(i64::MAX);
    ledger::frozen(tx, basis, &gathered.splits(), &pays)?;
    ledger::close(tx, file.institution_id, settled_day, &file.name, at)
}

/// A result was taken in: what it says happened to the money.
pub fn answered(tx: &mut Tx<'_>, imported: &ImportedResult, name: &str, at: i64) -> Result<(), Error> {
    let ImportedResult { answered, result, lines } = imported;
    let mut basis = basis(answered, name, at);
    basis.items = result.lines;
    match (result.stage, answered.kind == KIND) {
        (AnswerStage::Final, true) => settled(tx, basis, answered.id, lines),
        (AnswerStage::Final, false) => {
            for (status, sign) in [(RetStatus::Success, 1), (RetStatus::Bounced, -1)] {
                let totals = splits::answered_totals(tx, answered, result.id, status)?.into_iter();
                let parties: ByParty = totals
                    .map(|sum| (sum.receiver, Fen::new(sum.total.get().saturating_mul(sign))))
                    .collect();
                ledger::split(tx, basis, &parties)?;
            }
            Ok(())
        }
        (AnswerStage::First, true) if result.code.makes_void() => {
            ledger::undone(tx, EntryBasis { evidence: &answered.name, ..basis })
        }
        (AnswerStage::First, true | false) => Ok(()),
    }
}

/// The amounts of the lines of a settlement that a FINAL answers.
pub fn settled_amounts(tx: &mut Tx<'_>, stl: FileId) -> Result<BTreeMap<i32, Fen>, Error> {
    let lines = store::lines(tx, stl)?.into_iter().filter(|line| line.kind == LineKind::Settled);
    Ok(lines.map(|line| (line.n, line.amount)).collect())
}

fn settled(tx: &mut Tx<'_>, basis: EntryBasis<'_>, stl: FileId, lines: &[ResultLine]) -> Result<(), Error> {
    let known = store::lines(tx, stl)?;
    let known: BTreeMap<i32, &SettlementLine> =
        known.iter().filter(|line| line.kind == LineKind::Settled).map(|line| (line.n, line)).collect();
    let with = |status: RetStatus| -> ByParty {
        let lines = lines.iter().filter(|line| line.status == status);
        let lines = lines.filter_map(|line| known.get(&line.n));
        lines.map(|line| (line.receiver.clone(), line.amount)).collect()
    };
    ledger::settled(tx, basis, &with(RetStatus::Success), &with(RetStatus::Bounced))?;
    ledger::failed(tx, basis, &with(RetStatus::Failed))
}

fn basis<'a>(file: &ExchangedFile, evidence: &'a str, at: i64) -> EntryBasis<'a> {
    EntryBasis { institution: file.institution_id, of: file.business_date, evidence, items: file.orders, at }
}
