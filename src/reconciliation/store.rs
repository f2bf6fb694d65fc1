//! Queries of the reconciliation room.
use std::collections::{HashMap, HashSet};

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::bill_store::KeptBill;
use super::{Difference, DifferenceKind, Named, Ordered, Ours};
use crate::db::columns::{As, InstitutionId, MerchantId, OrderId, words};
use crate::db::schema::{
    bill_order, difference, enrolment, orphan_end, pay_order, payment, payment_key, sub_merchant,
};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::people::Scope;

words!(DifferenceKind);

/// An order's number, whose channel carries it, its merchant, channel, product, amount.
type OrderedTuple = (String, InstitutionId, String, ChannelName, Product, Fen);
type OursTuple = (OrderedTuple, String, Tags, Parties, Fen, i64, Option<Digest>, MerchantId, OrderId);

impl From<OrderedTuple> for Ordered {
    fn from((order_no, institution_id, merchant, channel, product, amount): OrderedTuple) -> Self {
        Self { order_no, institution_id, merchant, channel, product, amount }
    }
}

impl From<OursTuple> for Ours {
    fn from(row: OursTuple) -> Self {
        let (order, inst_order_no, tags, parties, paid, paid_at, preview_digest, sub_merchant_id, order_id) =
            row;
        Self {
            order: order.into(),
            inst_order_no,
            tags,
            parties,
            paid,
            paid_at,
            preview_digest,
            sub_merchant_id,
            order_id,
        }
    }
}

/// The columns of [`OrderedTuple`].
macro_rules! ordered {
    () => {
        (
            pay_order::order_no,
            pay_order::institution_id,
            sub_merchant::merchant,
            pay_order::channel,
            pay_order::product,
            pay_order::amount,
        )
    };
}

/// The columns of [`OursTuple`].
macro_rules! ours {
    () => {
        (
            ordered!(),
            payment::inst_order_no,
            pay_order::tags,
            pay_order::parties,
            payment::paid,
            payment::paid_at,
            payment::preview_digest,
            payment::sub_merchant_id,
            payment::order_id,
        )
    };
}

/// The orders of these numbers of ours.
pub(super) fn named(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    numbers: &[&str],
) -> Result<HashMap<String, Named>, Error> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(OrderedTuple, Option<OrderId>)> = pay_order::table
        .left_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .filter(pay_order::order_no.eq_any(numbers))
        .filter(pay_order::institution_id.eq(institution))
        .select((ordered!(), payment_key::order_id.nullable()))
        .load(tx.conn())?;
    let named = |(order, payment): (OrderedTuple, Option<OrderId>)| {
        (order.0.clone(), Named { order: order.into(), is_paid: payment.is_some() })
    };
    Ok(rows.into_iter().map(named).collect())
}

/// Our payments under these numbers of the institution, whatever day we have them on.
pub(super) fn ours(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    numbers: &[&str],
) -> Result<Vec<Ours>, Error> {
    let rows: Vec<OursTuple> = payment_key::table
        .inner_join(
            payment::table.on(payment::business_date
                .eq(payment_key::business_date)
                .and(payment::order_id.eq(payment_key::order_id))),
        )
        .inner_join(pay_order::table.on(pay_order::id.eq(payment_key::order_id)))
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(payment::sub_merchant_id)))
        .filter(payment::institution_id.eq(institution))
        .filter(payment_key::inst_order_no.eq_any(numbers))
        .select(ours!())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Ours::from).collect())
}

/// How many payments of a channel and day we have.
pub(super) fn payments_of(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    channel: &str,
) -> Result<i64, Error> {
    Ok(payment::table
        .filter(payment::institution_id.eq(institution))
        .filter(payment::business_date.eq(As(day)))
        .filter(payment::channel.eq(channel))
        .count()
        .get_result(tx.conn())?)
}

/// Our payments of a bill's day that the bill lacks, after an order's key, at most `limit`.
pub(super) fn missing(
    tx: &mut Tx<'_>,
    of: &KeptBill,
    after: OrderId,
    limit: i64,
) -> Result<Vec<Ours>, Error> {
    let theirs = bill_order::table
        .filter(bill_order::business_date.eq(As(of.business_date)))
        .filter(bill_order::institution_id.eq(of.institution_id))
        .filter(bill_order::bill_id.eq(of.id))
        .filter(bill_order::inst_order_no.eq(payment::inst_order_no))
        .filter(bill_order::channel.eq(payment::channel));
    let rows: Vec<OursTuple> = payment::table
        .inner_join(pay_order::table.on(pay_order::id.eq(payment::order_id)))
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(payment::sub_merchant_id)))
        .filter(payment::institution_id.eq(of.institution_id))
        .filter(payment::business_date.eq(As(of.business_date)))
        .filter(payment::order_id.gt(after))
        .filter(not(exists(theirs)))
        .order(payment::order_id.asc())
        .limit(limit)
        .select(ours!())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Ours::from).collect())
}

/// Records differences; those that are known already stay as they are.
pub(super) fn add_differences(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    found_at: i64,
    found: &[Difference],
) -> Result<(), Error> {
    for batch in found.chunks(200) {
        let rows: Vec<_> = batch
            .iter()
            .map(|one| {
                (
                    difference::institution_id.eq(institution),
                    difference::business_date.eq(As(day)),
                    difference::kind.eq(As(one.kind)),
                    difference::inst_order_no.eq(&one.inst_order_no),
                    difference::order_no.eq(&one.order_no),
                    difference::ours.eq(one.ours.as_deref()),
                    difference::theirs.eq(one.theirs.as_deref()),
                    difference::found_at.eq(found_at),
                )
            })
            .collect();
        match tx.conn() {
            Conn::Sqlite(conn) => {
                diesel::insert_or_ignore_into(difference::table).values(rows).execute(conn)?
            }
            Conn::Pg(conn) => {
                diesel::insert_into(difference::table).values(rows).on_conflict_do_nothing().execute(conn)?
            }
        };
    }
    Ok(())
}

/// Kind, the institution's number, ours, our value, theirs.
type DifferenceRow = (DifferenceKind, String, String, Option<String>, Option<String>);

/// The differences of a day, in order of the institution's numbers.
pub fn differences(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Vec<Difference>, Error> {
    let rows: Vec<DifferenceRow> = difference::table
        .filter(difference::institution_id.eq(institution))
        .filter(difference::business_date.eq(As(day)))
        .order((difference::inst_order_no.asc(), difference::kind.asc()))
        .select((
            difference::kind,
            difference::inst_order_no,
            difference::order_no,
            difference::ours,
            difference::theirs,
        ))
        .load(tx.conn())?;
    let difference = |(kind, inst_order_no, order_no, ours, theirs)| Difference {
        kind,
        inst_order_no,
        order_no,
        ours,
        theirs,
    };
    Ok(rows.into_iter().map(difference).collect())
}

/// How many differences were found for a day.
pub fn day_difference_count(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<i64, Error> {
    Ok(difference::table
        .filter(difference::institution_id.eq(institution))
        .filter(difference::business_date.eq(As(day)))
        .count()
        .get_result(tx.conn())?)
}

/// The days whose bill differs from our record of an order.
pub fn days_of(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    order_no: &str,
) -> Result<Vec<BusinessDay>, Error> {
    Ok(difference::table
        .filter(difference::order_no.eq(order_no))
        .filter(difference::institution_id.eq(institution))
        .select(difference::business_date)
        .load(tx.conn())?)
}

/// Orders of a bill that may stand in another day's bill too, by that day: either bill differs from our record of the
/// order then, because a payment of ours has one day.
pub fn elsewhere(tx: &mut Tx<'_>, of: &KeptBill) -> Result<HashMap<BusinessDay, Vec<String>>, Error> {
    let theirs = bill_order::table
        .filter(bill_order::business_date.eq(As(of.business_date)))
        .filter(bill_order::institution_id.eq(of.institution_id))
        .filter(bill_order::bill_id.eq(of.id))
        .filter(bill_order::inst_order_no.eq(difference::inst_order_no));
    let mut pairs: Vec<(BusinessDay, String)> = difference::table
        .filter(difference::institution_id.eq(of.institution_id))
        .filter(difference::business_date.ne(As(of.business_date)))
        .filter(exists(theirs))
        .select((difference::business_date, difference::inst_order_no))
        .load(tx.conn())?;
    let ours: Vec<(BusinessDay, String)> = difference::table
        .inner_join(
            payment_key::table.on(payment_key::inst_order_no
                .eq(difference::inst_order_no)
                .and(payment_key::institution_id.eq(difference::institution_id))),
        )
        .filter(difference::institution_id.eq(of.institution_id))
        .filter(difference::business_date.eq(As(of.business_date)))
        .filter(payment_key::business_date.ne(As(of.business_date)))
        .select((payment_key::business_date, difference::inst_order_no))
        .load(tx.conn())?;
    pairs.extend(ours);
    let mut by_day: HashMap<BusinessDay, Vec<String>> = HashMap::new();
    for (day, number) in pairs {
        by_day.entry(day).or_default().push(number);
    }
    Ok(by_day)
}

/// Internal keys of an institution's sub-merchants.
pub(super) fn sub_merchants(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
) -> Result<HashMap<String, MerchantId>, Error> {
    let rows: Vec<(String, MerchantId)> = sub_merchant::table
        .inner_join(enrolment::table)
        .filter(enrolment::institution_id.eq(institution))
        .select((sub_merchant::merchant, sub_merchant::id))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// A difference and the business day it was found for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The day.
    pub business_date: BusinessDay,
    /// What differs.
    pub difference: Difference,
    /// Whether the platform's number is that of an order of ours.
    pub is_known: bool,
    /// Whether a payment of ours pays that order: what the bill has without us is a second one.
    pub is_paid: bool,
}

/// Narrows a query over `difference` to what `scope` may see: a merchant sees none.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(difference::institution_id.eq(*id)),
            Scope::Merchant(_) => $query.filter(difference::id.lt(0)),
        }
    };
}

/// Narrows a query over `difference` to those that still are: one of a payment that we lacked closes by itself once we have
/// the payment, or once a person noted how it came to its end.
macro_rules! still {
    ($query:expr) => {
        $query.filter(
            // A value and not EXISTS: for that PostgreSQL would read every payment there is into a hash table.
            difference::kind.ne(As(DifferenceKind::Long)).or(payment_key::table
                .filter(payment_key::inst_order_no.eq(difference::inst_order_no))
                .filter(payment_key::institution_id.eq(difference::institution_id))
                .select(payment_key::order_id)
                .limit(1)
                .single_value()
                .is_null()
                .and(
                    orphan_end::table
                        .filter(orphan_end::inst_order_no.eq(difference::inst_order_no))
                        .filter(orphan_end::institution_id.eq(difference::institution_id))
                        .select(orphan_end::at)
                        .limit(1)
                        .single_value()
                        .is_null(),
                )),
        )
    };
}

/// How many differences there still are, counted up to `most`.
pub fn difference_count(tx: &mut Tx<'_>, scope: &Scope, most: i64) -> Result<i64, Error> {
    let some = difference::table.select(difference::id).order(difference::id.desc()).limit(most);
    let some = still!(some).into_boxed();
    let some: Vec<i64> = scoped!(some, scope).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// The newest differences that still are, at most `limit`.
pub fn newest_differences(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<Found>, Error> {
    type Row = (BusinessDay, DifferenceKind, String, String, Option<String>, Option<String>, Option<OrderId>);
    let orders = pay_order::table.on(pay_order::order_no.eq(difference::order_no));
    let query = difference::table.left_join(orders).order(difference::id.desc()).limit(limit).select((
        difference::business_date,
        difference::kind,
        difference::inst_order_no,
        difference::order_no,
        difference::ours,
        difference::theirs,
        pay_order::id.nullable(),
    ));
    let query = still!(query).into_boxed();
    let rows: Vec<Row> = scoped!(query, scope).load(tx.conn())?;
    let orders: Vec<OrderId> = rows.iter().filter_map(|row| row.6).collect();
    let paid = paid_of(tx, orders)?;
    let found = |(business_date, kind, inst_order_no, order_no, ours, theirs, order): Row| Found {
        business_date,
        difference: Difference { kind, inst_order_no, order_no, ours, theirs },
        is_known: order.is_some(),
        is_paid: order.is_some_and(|id| paid.contains(&id)),
    };
    Ok(rows.into_iter().map(found).collect())
}

/// Those of the orders that are paid. Of none nothing is asked: SQLite would walk through all payments.
fn paid_of(tx: &mut Tx<'_>, orders: Vec<OrderId>) -> Result<HashSet<OrderId>, Error> {
    if orders.is_empty() {
        return Ok(HashSet::new());
    }
    let paid = payment_key::table.filter(payment_key::order_id.eq_any(orders));
    Ok(paid.select(payment_key::order_id).load(tx.conn())?.into_iter().collect())
}
