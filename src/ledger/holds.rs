//! What must always hold (`domain.md` 7.2, invariants).
use std::collections::BTreeMap;

use super::day::of_account;
use super::day_store;
use super::rollup::{digest, sums_of};
use super::store::{self, Sums};
use super::{Account, Kind, balances};
use crate::db::Tx;
use crate::db::columns::{As, EntryId, InstitutionId};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;

/// Entries that are looked at together.
const BATCH: i64 = 1_000;

/// Where a day's payments and their entries disagree; looked at before the day is cut.
pub fn day_breaks(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Vec<String>, Error> {
    let posted = store::of_day(tx, institution, day, &[Kind::Paid])?;
    let posted = of_account(&posted, Account::ChannelReceivable)?;
    let paid = day_store::paid_of(tx, institution, day)?;
    Ok(if posted == paid {
        Vec::new()
    } else {
        vec![format!("{day}: payments add up to {}, their entries to {}", paid.yuan(), posted.yuan())]
    })
}

/// Every break of an institution's balances.
pub fn breaks(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<String>, Error> {
    let balances = balances(tx, institution)?;
    let mut breaks = Vec::new();
    if Fen::sum(balances.values().copied()) != Some(Fen::ZERO) {
        breaks.push("ledger: assets are not liabilities".to_owned());
    }
    for ((account, party), amount) in &balances {
        let owed = match account {
            Account::PartyPending | Account::PartySettleable | Account::PartyInSettlement => {
                *amount > Fen::ZERO
            }
            Account::CustodyCash => *amount < Fen::ZERO,
            Account::ChannelReceivable
            | Account::OrderPendingSplit
            | Account::ChannelFeePayable
            | Account::MarketingPool => false,
        };
        if owed {
            let overdrawn = amount.yuan();
            breaks.push(format!("ledger: {account} {party} is overdrawn: {overdrawn}"));
        }
    }
    let cash = of_account(&balances, Account::CustodyCash)?;
    let frozen = of_account(&balances, Account::PartyInSettlement)?;
    if cash.get() < frozen.get().saturating_neg() {
        breaks.push("ledger: more is released than has come into custody".to_owned());
    }
    Ok(breaks)
}

/// Closed days whose snapshot is not the one before and the day's own sums.
pub fn snapshot_breaks(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let mut balances = Sums::new();
    for day in day_store::closed_days(tx, institution)? {
        super::day::add(&mut balances, store::day(tx, institution, day)?)?;
        balances.retain(|_, amount| *amount != Fen::ZERO);
        let kept = day_store::snapshot(tx, institution, day)?;
        if kept != balances {
            breaks.push(format!("ledger: the balances at the close of {day} are not those of its entries"));
        }
        balances = kept;
    }
    Ok(breaks)
}

/// Every break of the chains: an entry that does not balance, a link that does not fit, a day whose sums are not those of
/// its entries.
pub fn chain_breaks(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let mut ends: BTreeMap<(InstitutionId, BusinessDay), (i64, Digest)> = BTreeMap::new();
    let mut days: BTreeMap<(InstitutionId, BusinessDay), Sums> = BTreeMap::new();
    let mut after = EntryId::new(0);
    loop {
        let links = store::links(tx, after, BATCH)?;
        let Some(last) = links.last() else { break };
        let entries = store::entries(tx, (after, last.entry_id), i64::MAX)?;
        after = last.entry_id;
        if entries.len() != links.len() {
            breaks.push(format!("ledger: entries up to {after} are not all in a chain"));
        }
        for ((entry, postings), link) in entries.iter().zip(&links) {
            let key = (entry.institution_id, entry.business_date);
            let (seq, before) = ends.remove(&key).unwrap_or((0, Digest::ZERO));
            let seq = seq.saturating_add(1);
            let due = digest(&before, seq, entry, postings);
            if link.entry_id != entry.id || link.seq != seq || link.sha256 != As(due) {
                breaks.push(format!("ledger: entry {} is not the one of its chain", entry.id));
            }
            if Fen::sum(postings.iter().map(|one| one.amount)) != Some(Fen::ZERO) {
                breaks.push(format!("ledger: entry {} does not balance", entry.id));
            }
            ends.insert(key, (seq, link.sha256.0));
            super::day::add(days.entry(key).or_default(), sums_of(postings)?)?;
        }
    }
    for ((institution, day), mut sums) in days {
        let mut kept = store::day(tx, institution, day)?;
        for side in [&mut sums, &mut kept] {
            side.retain(|_, amount| *amount != Fen::ZERO);
        }
        if sums != kept {
            breaks.push(format!("ledger: the sums of {day} are not those of its entries"));
        }
    }
    Ok(breaks)
}

/// Makes the sums of days anew from the chained entries; how many were wrong. Nobody posts meanwhile.
pub fn repair_days(tx: &mut Tx<'_>) -> Result<usize, Error> {
    store::alone(tx)?;
    store::repair_days(tx)
}
