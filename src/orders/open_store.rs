//! Queries for orders that are open: whose answer never came, and of whose payment nobody told.
use std::collections::BTreeMap;
use std::ops::Range;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::event::EventKind;
use super::store::{STATES, of_rare_kind};
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId, MerchantId, OrderId};
use crate::db::schema::{order_event, pay_order, payment_key};
use crate::error::Error;
use crate::kernel::state::OrderState;

/// Keys that one statement looks up.
const KEYS: usize = 500;

/// Which orders hang: bounds, instants in unix microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Stuck {
    /// Whose.
    pub institution: InstitutionId,
    /// `UNKNOWN` since then or later.
    pub unknown_since: i64,
    /// `CREATED` since then or later…
    pub created_since: i64,
    /// … and before then, so that it was left behind by a crash.
    pub created_before: i64,
}

/// Orders whose last state is `UNKNOWN`, or a `CREATED` that was left behind, and that are not paid: their keys alone, by
/// merchant. All in one walk: what a page of them costs is what lies between, and with many pages or merchants that
/// would be walked over as often.
pub fn unresolved(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<BTreeMap<MerchantId, Vec<OrderId>>, Error> {
    let mut ids = unknown(tx, stuck)?;
    ids.extend(left_behind(tx, stuck)?);
    ids.sort_unstable();
    ids.dedup();
    let mut of: BTreeMap<MerchantId, Vec<OrderId>> = BTreeMap::new();
    for some in ids.chunks(KEYS) {
        // By their keys: asked of all in one statement, PostgreSQL may walk through every payment instead.
        let paid = payment_key::table.filter(payment_key::order_id.eq_any(some));
        let paid: Vec<OrderId> = paid.select(payment_key::order_id).load(tx.conn())?;
        let theirs: Vec<(MerchantId, OrderId)> = pay_order::table
            .filter(pay_order::id.eq_any(some))
            .order(pay_order::id)
            .select((pay_order::sub_merchant_id, pay_order::id))
            .load(tx.conn())?;
        for (merchant, order) in theirs.into_iter().filter(|(_, order)| !paid.contains(order)) {
            of.entry(merchant).or_default().push(order);
        }
    }
    Ok(of)
}

/// Which orders are to be asked about: when they were placed, unix microseconds, and how many at most.
#[derive(Debug, Clone)]
pub struct Open {
    /// Placed in this time.
    pub placed: Range<i64>,
    /// At this institution.
    pub institution: InstitutionId,
    /// Of this merchant.
    pub merchant: MerchantId,
    /// Begin after this key.
    pub after: OrderId,
    /// The most orders.
    pub limit: i64,
}

/// Narrows a query over `pay_order` to those that could be paid and are neither paid nor closed.
macro_rules! awaiting {
    ($query:expr) => {
        $query
            .filter(told(EventKind::Paying))
            .filter(not(told(EventKind::Closed)))
            .filter(not(exists(payment_key::table.filter(payment_key::order_id.eq(pay_order::id)))))
    };
}

#[diesel::dsl::auto_type(no_type_alias)]
fn told(kind: EventKind) -> _ {
    let kind: As<EventKind> = As(kind);
    let of = order_event::table.filter(order_event::order_id.eq(pay_order::id));
    exists(of.filter(order_event::kind.eq(kind)))
}

/// A merchant's orders that could be paid and are neither paid nor closed, by key.
pub fn awaiting(tx: &mut Tx<'_>, open: &Open) -> Result<Vec<OrderId>, Error> {
    let theirs = pay_order::table
        .filter(pay_order::institution_id.eq(open.institution))
        .filter(pay_order::sub_merchant_id.eq(open.merchant))
        .filter(pay_order::created_at.ge(open.placed.start))
        .filter(pay_order::created_at.lt(open.placed.end))
        .filter(pay_order::id.gt(open.after));
    let open = awaiting!(theirs).order(pay_order::id).limit(open.limit);
    Ok(open.select(pay_order::id).load(tx.conn())?)
}

/// Merchants of an institution who placed such orders in this time, unix microseconds.
pub fn merchants_awaiting(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    placed: &Range<i64>,
) -> Result<Vec<MerchantId>, Error> {
    let theirs = pay_order::table
        .filter(pay_order::institution_id.eq(institution))
        .filter(pay_order::created_at.ge(placed.start))
        .filter(pay_order::created_at.lt(placed.end));
    Ok(awaiting!(theirs).select(pay_order::sub_merchant_id).distinct().load(tx.conn())?)
}

fn unknown(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<Vec<OrderId>, Error> {
    let later = diesel::alias!(order_event as later);
    let went_on = later
        .filter(later.field(order_event::order_id).eq(order_event::order_id))
        .filter(later.field(order_event::id).gt(order_event::id))
        .filter(later.field(order_event::kind).eq_any(STATES));
    let theirs = pay_order::table
        .filter(pay_order::id.eq(order_event::order_id))
        .filter(pay_order::institution_id.eq(stuck.institution));
    Ok(order_event::table
        .filter(of_rare_kind(OrderState::Unknown))
        .filter(exists(theirs))
        .filter(order_event::at.ge(stuck.unknown_since))
        .filter(not(exists(went_on)))
        .select(order_event::order_id)
        .load(tx.conn())?)
}

/// By the time of the order, which is that of its first event; so few are left behind that they need no order.
fn left_behind(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<Vec<OrderId>, Error> {
    let went_on = order_event::table
        .filter(order_event::order_id.eq(pay_order::id))
        .filter(order_event::kind.eq_any(STATES))
        .filter(order_event::kind.ne(As(EventKind::Created)));
    Ok(pay_order::table
        .filter(pay_order::institution_id.eq(stuck.institution))
        .filter(pay_order::created_at.ge(stuck.created_since))
        .filter(pay_order::created_at.lt(stuck.created_before))
        .filter(not(exists(went_on)))
        .select(pay_order::id)
        .load(tx.conn())?)
}
