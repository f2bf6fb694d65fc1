//! Queries of custody days: their states, and the balances at their close.
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::Account;
use super::store::{Sums, sums};
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId};
use crate::db::schema::{custody_day, ledger_balance, ledger_day, payment};
use crate::error::Error;
use crate::insert_rows;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::state::CustodyState;

/// Rows of one statement.
const BATCH: usize = 400;

/// The last closed day.
pub(super) fn last_closed(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Option<BusinessDay>, Error> {
    Ok(custody_day::table
        .filter(custody_day::institution_id.eq(institution))
        .filter(custody_day::state.eq(As(CustodyState::Closed)))
        .select(max(custody_day::business_date))
        .first(tx.conn())?)
}

/// The closed days, oldest first, yyyymmdd.
pub(super) fn closed_days(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<BusinessDay>, Error> {
    Ok(custody_day::table
        .filter(custody_day::institution_id.eq(institution))
        .filter(custody_day::state.eq(As(CustodyState::Closed)))
        .order(custody_day::business_date.asc())
        .select(custody_day::business_date)
        .load(tx.conn())?)
}

/// Days after a closed one and up to another that have postings or were cut, by day.
pub(super) fn open_days(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    after: Option<BusinessDay>,
    upto: BusinessDay,
) -> Result<Vec<BusinessDay>, Error> {
    // Every day comes after none.
    let after = after.map_or(0, BusinessDay::to_i32);
    let mut days: Vec<BusinessDay> = ledger_day::table
        .filter(ledger_day::institution_id.eq(institution))
        .filter(ledger_day::business_date.gt(after))
        .filter(ledger_day::business_date.le(As(upto)))
        .select(ledger_day::business_date)
        .distinct()
        .load(tx.conn())?;
    let cut: Vec<BusinessDay> = custody_day::table
        .filter(custody_day::institution_id.eq(institution))
        .filter(custody_day::business_date.gt(after))
        .filter(custody_day::business_date.le(As(upto)))
        .select(custody_day::business_date)
        .load(tx.conn())?;
    days.extend(cut);
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// The states that a day has reached.
pub(super) fn states(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Vec<CustodyState>, Error> {
    Ok(custody_day::table
        .filter(custody_day::institution_id.eq(institution))
        .filter(custody_day::business_date.eq(As(day)))
        .select(custody_day::state)
        .load(tx.conn())?)
}

pub(super) fn reach(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    state: CustodyState,
    (evidence, at): (&str, i64),
) -> Result<(), Error> {
    diesel::insert_into(custody_day::table)
        .values((
            custody_day::institution_id.eq(institution),
            custody_day::business_date.eq(As(day)),
            custody_day::state.eq(As(state)),
            custody_day::evidence.eq(evidence),
            custody_day::at.eq(at),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Σ paid of a day's payments that were posted.
pub(super) fn paid_of(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Fen, Error> {
    Ok(payment::table
        .filter(payment::business_date.eq(As(day)))
        .filter(payment::institution_id.eq(institution))
        .filter(payment::entry_id.is_not_null())
        .select(sql::<BigInt>("COALESCE(CAST(SUM(paid) AS BIGINT), 0)"))
        .first(tx.conn())?)
}

/// The balances at the close of a day.
pub(super) fn snapshot(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Sums, Error> {
    let rows: Vec<(Account, String, Fen)> = ledger_balance::table
        .filter(ledger_balance::institution_id.eq(institution))
        .filter(ledger_balance::business_date.eq(As(day)))
        .select((ledger_balance::account, ledger_balance::party, ledger_balance::amount))
        .load(tx.conn())?;
    sums(rows)
}

pub(super) fn add_snapshot(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    sums: &Sums,
) -> Result<(), Error> {
    let rows: Vec<_> = sums
        .iter()
        .filter(|(_, amount)| **amount != Fen::ZERO)
        .map(|((account, party), amount)| {
            (
                ledger_balance::institution_id.eq(institution),
                ledger_balance::business_date.eq(As(day)),
                ledger_balance::account.eq(As(*account)),
                ledger_balance::party.eq(party.as_str()),
                ledger_balance::amount.eq(As(*amount)),
            )
        })
        .collect();
    for batch in rows.chunks(BATCH) {
        insert_rows!(tx, ledger_balance, batch.to_vec())?;
    }
    Ok(())
}
