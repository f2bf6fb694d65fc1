//! Queries of the order pages.
use std::collections::HashMap;

use diesel::dsl::{count_star, exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::{Cursor, Delivery, Evidence, Filter, Row, TimelineEntry};
use crate::clock;
use crate::db::Tx;
use crate::db::schema::{
    order_event, outbox, pay_order, payment, payment_key, platform_merchant, raw_message, sub_merchant,
};
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::orders::store::{OrderRow, STATES};
use crate::orders::{Event, Order, RawRef};
use crate::people::Scope;

/// Narrows a query over `pay_order` and `sub_merchant` to what `scope` may see.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(pay_order::institution_id.eq(*id)),
            Scope::Merchant(id) => $query.filter(pay_order::sub_merchant_id.eq(*id)),
        }
    };
}

/// Narrows a query over orders, sub-merchants and payments to what `scope` may see and `filter` asks for.
macro_rules! narrowed {
    ($tx:expr, $query:expr, $scope:expr, $filter:expr) => {{
        let (tx, filter) = (&mut *$tx, $filter);
        let mut query = scoped!($query, $scope);
        if let Some(from) = filter.from {
            query = query.filter(pay_order::created_at.ge(clock::micros(from.start())));
        }
        if let Some(to) = filter.to {
            query = query.filter(pay_order::created_at.lt(clock::micros(to.next().start())));
        }
        if let Some(merchant) = &filter.merchant {
            query = query.filter(sub_merchant::merchant.eq(merchant));
        }
        if let Some(number) = &filter.number {
            query = query.filter(pay_order::id.eq_any(ids_of(tx, number)?));
        }
        match filter.state {
            None => {}
            Some(OrderState::Paid) => query = query.filter(payment_key::order_id.is_not_null()),
            Some(state) => {
                let later = diesel::alias!(order_event as later);
                let went_on = later
                    .filter(later.field(order_event::order_id).eq(order_event::order_id))
                    .filter(later.field(order_event::id).gt(order_event::id))
                    .filter(later.field(order_event::kind).eq_any(STATES));
                let stands = order_event::table
                    .filter(order_event::order_id.eq(pay_order::id))
                    .filter(order_event::kind.eq(state.as_str()))
                    .filter(not(exists(went_on)));
                query = query.filter(payment_key::order_id.is_null()).filter(exists(stands));
            }
        }
        query
    }};
}

type Joined = (OrderRow, String, String, Option<String>, Option<i64>, Option<i64>);

pub(super) fn page(
    tx: &mut Tx<'_>,
    scope: &Scope,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let mut query = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .left_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .left_join(payment::table.on(
            payment::business_date.eq(payment_key::business_date).and(payment::order_id.eq(pay_order::id)),
        ))
        .select((
            OrderRow::as_select(),
            sub_merchant::merchant,
            sub_merchant::name,
            payment_key::inst_order_no.nullable(),
            payment::paid.nullable(),
            payment::paid_at.nullable(),
        ))
        .order((pay_order::created_at.desc(), pay_order::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(at) = after {
        let earlier = pay_order::created_at.lt(at.created_at);
        query =
            query.filter(earlier.or(pay_order::created_at.eq(at.created_at).and(pay_order::id.lt(at.id))));
    }
    query = narrowed!(tx, query, scope, filter);
    let found: Vec<Joined> = query.load(tx.conn())?;
    rows(tx, found)
}

/// What was paid, or else asked for, of at most `limit` orders.
pub(super) fn amounts(
    tx: &mut Tx<'_>,
    scope: &Scope,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<i64>, Error> {
    let mut query = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .left_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .left_join(payment::table.on(
            payment::business_date.eq(payment_key::business_date).and(payment::order_id.eq(pay_order::id)),
        ))
        .select((payment::paid.nullable(), pay_order::amount))
        .limit(limit)
        .into_boxed();
    query = narrowed!(tx, query, scope, filter);
    let found: Vec<(Option<i64>, i64)> = query.load(tx.conn())?;
    Ok(found.into_iter().map(|(paid, asked)| paid.unwrap_or(asked)).collect())
}

/// How many payments of a business day there are, and their sum in fen.
pub(super) fn paid_on(tx: &mut Tx<'_>, scope: &Scope, day: i32) -> Result<(i64, i64), Error> {
    let query = payment::table
        .filter(payment::business_date.eq(day))
        .select((count_star(), sql::<BigInt>("COALESCE(CAST(SUM(paid) AS BIGINT), 0)")))
        .into_boxed();
    let query = match scope {
        Scope::Platform => query,
        Scope::Institution(id) => query.filter(payment::institution_id.eq(*id)),
        Scope::Merchant(id) => query.filter(payment::sub_merchant_id.eq(*id)),
    };
    Ok(query.first(tx.conn())?)
}

/// Orders of which this is one of the three numbers: each is looked up by its own key.
fn ids_of(tx: &mut Tx<'_>, number: &str) -> Result<Vec<i64>, Error> {
    let ours = pay_order::table.filter(pay_order::order_no.eq(number)).select(pay_order::id);
    let mut ids: Vec<i64> = ours.load(tx.conn())?;
    let institutions = payment_key::table.find(number).select(payment_key::order_id);
    ids.extend(institutions.load::<i64>(tx.conn())?);
    let tenants = platform_merchant::table.select(platform_merchant::id);
    let merchants = pay_order::table
        .filter(pay_order::platform_merchant_id.eq_any(tenants))
        .filter(pay_order::out_trade_no.eq(number))
        .select(pay_order::id);
    ids.extend(merchants.load::<i64>(tx.conn())?);
    Ok(ids)
}

fn rows(tx: &mut Tx<'_>, found: Vec<Joined>) -> Result<Vec<Row>, Error> {
    let ids: Vec<i64> = found.iter().map(|(order, ..)| order.id).collect();
    let events: Vec<(i64, String)> = order_event::table
        .filter(order_event::order_id.eq_any(ids))
        .filter(order_event::kind.eq_any(STATES))
        .order(order_event::id)
        .select((order_event::order_id, order_event::kind))
        .load(tx.conn())?;
    let last: HashMap<i64, String> = events.into_iter().collect();
    found
        .into_iter()
        .map(|(order, merchant, merchant_name, inst_order_no, paid, paid_at)| {
            let state = match (&inst_order_no, last.get(&order.id)) {
                (Some(_), _) => OrderState::Paid,
                (None, Some(kind)) => parse_state(kind)?,
                (None, None) => return Err(Error::Internal("an order without events".to_owned())),
            };
            let paid = paid.map(Fen::new);
            Ok(Row {
                order: Order::from(order),
                merchant,
                merchant_name,
                state,
                inst_order_no,
                paid,
                paid_at,
            })
        })
        .collect()
}

fn parse_state(kind: &str) -> Result<OrderState, Error> {
    OrderState::parse(kind).ok_or_else(|| Error::Internal(format!("order state {kind}")))
}

pub(super) fn scoped(
    tx: &mut Tx<'_>,
    scope: &Scope,
    order_no: &str,
) -> Result<Option<(Order, String, String)>, Error> {
    let query = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .filter(pay_order::order_no.eq(order_no))
        .select((OrderRow::as_select(), sub_merchant::merchant, sub_merchant::name))
        .into_boxed();
    let found: Option<(OrderRow, String, String)> = scoped!(query, scope).first(tx.conn()).optional()?;
    Ok(found.map(|(order, merchant, name)| (Order::from(order), merchant, name)))
}

type EventRow = (i64, String, String, Option<i32>, Option<String>);

pub(super) fn timeline(tx: &mut Tx<'_>, order: i64) -> Result<Vec<TimelineEntry>, Error> {
    let rows: Vec<EventRow> = order_event::table
        .filter(order_event::order_id.eq(order))
        .order(order_event::id)
        .select((
            order_event::at,
            order_event::kind,
            order_event::detail,
            order_event::raw_business_date,
            order_event::raw_sha256,
        ))
        .load(tx.conn())?;
    let mut timeline = Vec::with_capacity(rows.len());
    for (at, kind, detail, business_date, sha256) in rows {
        let raw = business_date.zip(sha256).map(|(business_date, sha256)| RawRef { business_date, sha256 });
        let evidence = match raw {
            Some(raw) => evidence(tx, &raw)?,
            None => None,
        };
        timeline.push(TimelineEntry { at, event: Event::read(&kind, detail)?, evidence });
    }
    Ok(timeline)
}

pub(super) fn evidence(tx: &mut Tx<'_>, raw: &RawRef) -> Result<Option<Evidence>, Error> {
    let row: Option<(String, String, i64)> = raw_message::table
        .find((raw.business_date, raw.sha256.as_str()))
        .select((raw_message::kind, raw_message::sha256, raw_message::received_at))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(kind, sha256, received_at)| Evidence { kind, sha256, received_at }))
}

type DeliveryRow = (String, i32, Option<i64>, Option<i64>, Option<String>);

pub(super) fn delivery(tx: &mut Tx<'_>, order: i64) -> Result<Option<Delivery>, Error> {
    let row: Option<DeliveryRow> = outbox::table
        .filter(outbox::order_id.eq(order))
        .order(outbox::id)
        .select((
            outbox::event_id,
            outbox::attempts,
            outbox::done_at,
            outbox::given_up_at,
            outbox::last_error,
        ))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(event_id, attempts, done_at, given_up_at, last_error)| Delivery {
        event_id,
        attempts,
        done_at,
        given_up_at,
        last_error,
    }))
}
