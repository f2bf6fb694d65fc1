//! Custody days: open, cut, closed; and balances.
use super::day_store;
use super::rollup::link;
use super::store::{self, Sums};
use super::{Account, total};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::state::CustodyState;

/// Balances by account and party, in fen; debits above zero.
pub type Balances = Sums;

/// Where a custody day stands.
pub fn state(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<CustodyState, Error> {
    let mut reached = CustodyState::Open;
    for state in day_store::states(tx, institution, day)? {
        reached = reached.max(state);
    }
    Ok(reached)
}

/// The day's bill is posted and its proposals are made; again: nothing.
pub fn cut(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    evidence: &str,
    at: i64,
) -> Result<(), Error> {
    if state(tx, institution, day)? != CustodyState::Open {
        return Ok(());
    }
    day_store::reach(tx, institution, day, CustodyState::Cut, (evidence, at))
}

/// Closes every cut day up to this one, in their order, with a snapshot of all balances: what comes later is posted to the
/// next day. A day that took postings and was not cut keeps the later ones open.
pub fn close(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    upto: BusinessDay,
    evidence: &str,
    at: i64,
) -> Result<(), Error> {
    store::alone(tx)?;
    let newest = store::newest(tx)?;
    while link(tx, newest)? > 0 {}
    let closed = day_store::last_closed(tx, institution)?;
    let mut balances = match closed {
        Some(closed) => day_store::snapshot(tx, institution, closed)?,
        None => Sums::new(),
    };
    for day in day_store::open_days(tx, institution, closed, upto)? {
        if state(tx, institution, day)? != CustodyState::Cut {
            break;
        }
        add(&mut balances, store::day(tx, institution, day)?)?;
        day_store::add_snapshot(tx, institution, day, &balances)?;
        day_store::reach(tx, institution, day, CustodyState::Closed, (evidence, at))?;
    }
    Ok(())
}

/// What every account holds: the last closed snapshot and what was posted since.
pub fn balances(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Balances, Error> {
    let closed = day_store::last_closed(tx, institution)?;
    let mut balances = match closed {
        Some(closed) => day_store::snapshot(tx, institution, closed)?,
        None => Sums::new(),
    };
    let since = store::days_after(tx, institution, closed)?;
    add(&mut balances, since)?;
    add(&mut balances, store::unlinked(tx, institution)?)?;
    balances.retain(|_, amount| *amount != Fen::ZERO);
    Ok(balances)
}

pub(super) fn add(sums: &mut Sums, more: Sums) -> Result<(), Error> {
    for ((account, party), amount) in more {
        let sum = sums.entry((account, party)).or_insert(Fen::ZERO);
        *sum = total([*sum, amount])?;
    }
    Ok(())
}

/// Σ of one account over all parties.
pub(super) fn of_account(sums: &Sums, account: Account) -> Result<Fen, Error> {
    total(sums.iter().filter(|((one, _), _)| *one == account).map(|(_, amount)| *amount))
}
