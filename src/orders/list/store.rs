//! Queries of the order pages.
use std::collections::HashMap;

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::{Cursor, Evidence, Filter, OrderRow, TimelineEntry};
use crate::channels::RawKind;
use crate::clock;
use crate::db::Tx;
use crate::db::columns::words;
use crate::db::columns::{As, InstitutionId, MerchantId, OrderId};
use crate::db::schema::{
    order_event, pay_order, payment, payment_key, platform_merchant, raw_message, sub_merchant,
};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::orders::event::EventKind;
use crate::orders::store::{EventColumns, STATES, of_rare_kind};
use crate::orders::{Order, RawRef};
use crate::people::Scope;

words!(RawKind);

/// Narrows a query over `pay_order` to what `scope` may see.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(pay_order::institution_id.eq(*id)),
            Scope::Merchant(id) => $query.filter(pay_order::sub_merchant_id.eq(*id)),
        }
    };
}

/// A filter as columns know it: the merchant by its key, the number as the orders that have it.
pub(super) struct Narrow {
    scope: Scope,
    from: Option<i64>,
    before: Option<i64>,
    sub_merchant: Option<MerchantId>,
    ids: Option<Vec<OrderId>>,
}

/// `None` when the filter names what there is not.
pub(super) fn narrow(tx: &mut Tx<'_>, scope: &Scope, filter: &Filter) -> Result<Option<Narrow>, Error> {
    let sub_merchant = match &filter.merchant {
        None => None,
        Some(merchant) => {
            let known = sub_merchant::table.filter(sub_merchant::merchant.eq(merchant));
            let known: Option<MerchantId> = known.select(sub_merchant::id).first(tx.conn()).optional()?;
            if known.is_none() {
                return Ok(None);
            }
            known
        }
    };
    let ids = filter.number.as_deref().map(|number| ids_of(tx, number)).transpose()?;
    if ids.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    Ok(Some(Narrow {
        scope: *scope,
        from: filter.from.map(|day| clock::micros(day.start())),
        before: filter.to.map(|day| clock::micros(day.next().start())),
        sub_merchant,
        ids,
    }))
}

/// Narrows a query over `pay_order`.
macro_rules! narrowed {
    ($query:expr, $narrow:expr) => {{
        let narrow: &Narrow = $narrow;
        let mut query = scoped!($query, &narrow.scope);
        if let Some(from) = narrow.from {
            query = query.filter(pay_order::created_at.ge(from));
        }
        if let Some(before) = narrow.before {
            query = query.filter(pay_order::created_at.lt(before));
        }
        if let Some(merchant) = narrow.sub_merchant {
            query = query.filter(pay_order::sub_merchant_id.eq(merchant));
        }
        if let Some(ids) = &narrow.ids {
            query = query.filter(pay_order::id.eq_any(ids.clone()));
        }
        query
    }};
}

fn cursor((created_at, id): (i64, OrderId)) -> Cursor {
    Cursor { created_at, id }
}

/// At most `limit` orders in order of the list.
pub(super) fn keys(
    tx: &mut Tx<'_>,
    narrow: &Narrow,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Cursor>, Error> {
    let query = pay_order::table
        .select((pay_order::created_at, pay_order::id))
        .order((pay_order::created_at.desc(), pay_order::id.desc()))
        .limit(limit)
        .into_boxed();
    let mut query = narrowed!(query, narrow);
    if let Some(at) = after {
        // The first condition alone tells an index where to begin.
        query = query
            .filter(pay_order::created_at.le(at.created_at))
            .filter(pay_order::created_at.lt(at.created_at).or(pay_order::id.lt(at.id)));
    }
    let keys: Vec<(i64, OrderId)> = query.load(tx.conn())?;
    Ok(keys.into_iter().map(cursor).collect())
}

/// How many orders there are, counted up to `most`.
pub(super) fn count(tx: &mut Tx<'_>, narrow: &Narrow, most: i64) -> Result<i64, Error> {
    let last = pay_order::table
        .select(pay_order::id)
        .order((pay_order::created_at.desc(), pay_order::id.desc()))
        .offset(most.saturating_sub(1))
        .limit(1)
        .into_boxed();
    if narrowed!(last, narrow).first::<OrderId>(tx.conn()).optional()?.is_some() {
        return Ok(most);
    }
    let all = pay_order::table.select(count_star()).into_boxed();
    Ok(narrowed!(all, narrow).first(tx.conn())?)
}

/// Keys are given in the order of time, but for transactions under way: by less than this, in microseconds.
const UNDER_WAY: i64 = 3_600_000_000;

/// Orders of which an event tells a state, in order of the list, among the `reach` newest such events after `after`;
/// and where that reach ends.
pub(super) fn keys_told(
    tx: &mut Tx<'_>,
    narrow: &Narrow,
    state: OrderState,
    after: Option<Cursor>,
    reach: i64,
) -> Result<(Vec<Cursor>, Option<Cursor>), Error> {
    let mut told = order_event::table
        .filter(of_rare_kind(state))
        .order(order_event::order_id.desc())
        .limit(reach)
        .select(order_event::order_id)
        .into_boxed();
    if let Some(after) = after {
        told = told.filter(order_event::order_id.lt(after.id));
    }
    let times = pay_order::table.select(pay_order::id);
    if let Some(before) = narrow.before {
        let last = times.filter(pay_order::created_at.lt(before.saturating_add(UNDER_WAY)));
        let last = last.order((pay_order::created_at.desc(), pay_order::id.desc()));
        let last: Option<OrderId> = last.first(tx.conn()).optional()?;
        told = told.filter(order_event::order_id.le(last.unwrap_or(OrderId::new(0))));
    }
    if let Some(from) = narrow.from {
        let first = times.filter(pay_order::created_at.ge(from.saturating_sub(UNDER_WAY)));
        let first: Option<OrderId> =
            first.order((pay_order::created_at, pay_order::id)).first(tx.conn()).optional()?;
        told = told.filter(order_event::order_id.ge(first.unwrap_or(OrderId::new(i64::MAX))));
    }
    let told: Vec<OrderId> = told.load(tx.conn())?;
    let full = i64::try_from(told.len()).is_ok_and(|n| n == reach);
    let end = match told.last().filter(|_| full) {
        Some(id) => {
            let key = pay_order::table.find(*id).select((pay_order::created_at, pay_order::id));
            Some(cursor(key.first(tx.conn())?))
        }
        None => None,
    };
    if told.is_empty() {
        return Ok((Vec::new(), None));
    }
    // Found by key alone and narrowed here: a planner that does not know how few the keys are may read all the
    // merchant's orders instead.
    let query = pay_order::table.filter(pay_order::id.eq_any(told));
    let found: Vec<(i64, OrderId, MerchantId, InstitutionId)> = query
        .select((pay_order::created_at, pay_order::id, pay_order::sub_merchant_id, pay_order::institution_id))
        .load(tx.conn())?;
    let kept = found.into_iter().filter(|(at, _, merchant, institution)| {
        narrow.from.is_none_or(|from| *at >= from)
            && narrow.before.is_none_or(|before| *at < before)
            && narrow.sub_merchant.is_none_or(|wanted| *merchant == wanted)
            && match narrow.scope {
                Scope::Platform => true,
                Scope::Institution(id) => *institution == id,
                Scope::Merchant(id) => *merchant == id,
            }
    });
    let mut keys: Vec<Cursor> = kept.map(|(at, id, ..)| cursor((at, id))).collect();
    keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.id));
    Ok((keys, end))
}

/// The states of these orders.
pub(super) fn states(tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<HashMap<OrderId, OrderState>, Error> {
    let paid = payment_key::table.filter(payment_key::order_id.eq_any(ids)).select(payment_key::order_id);
    let paid: Vec<OrderId> = paid.load(tx.conn())?;
    let mut states: HashMap<OrderId, OrderState> =
        paid.into_iter().map(|id| (id, OrderState::Paid)).collect();
    let unpaid: Vec<OrderId> = ids.iter().copied().filter(|id| !states.contains_key(id)).collect();
    if unpaid.is_empty() {
        return Ok(states);
    }
    // An order may have any number of events: only the last one that is a state is read.
    let last: Vec<i64> = order_event::table
        .filter(order_event::order_id.eq_any(unpaid))
        .filter(order_event::kind.eq_any(STATES))
        .group_by(order_event::order_id)
        .select(sql::<BigInt>("MAX(id)"))
        .load(tx.conn())?;
    let last = order_event::table
        .filter(order_event::id.eq_any(last))
        .select((order_event::order_id, order_event::kind));
    for (id, kind) in last.load::<(OrderId, EventKind)>(tx.conn())? {
        let state = match kind {
            EventKind::Created => OrderState::Created,
            EventKind::Paying => OrderState::Paying,
            EventKind::Unknown => OrderState::Unknown,
            EventKind::Closed => OrderState::Closed,
            EventKind::Queried | EventKind::AmountDiffers | EventKind::LatePayment => continue,
        };
        states.insert(id, state);
    }
    Ok(states)
}

/// A payment by its order: the institution's number, the amount, unix microseconds.
type Paid = HashMap<OrderId, (String, Fen, i64)>;

fn payments(tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<Paid, Error> {
    let rows: Vec<(OrderId, String, Fen, i64)> = payment_key::table
        .inner_join(
            payment::table.on(payment::business_date
                .eq(payment_key::business_date)
                .and(payment::order_id.eq(payment_key::order_id))),
        )
        .filter(payment_key::order_id.eq_any(ids))
        .select((payment_key::order_id, payment_key::inst_order_no, payment::paid, payment::paid_at))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(id, no, paid, at)| (id, (no, paid, at))).collect())
}

/// What was paid, or else asked for, of each of these orders.
pub(super) fn amounts(tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<Vec<Fen>, Error> {
    let paid = payments(tx, ids)?;
    let asked = pay_order::table.filter(pay_order::id.eq_any(ids)).select((pay_order::id, pay_order::amount));
    let asked: Vec<(OrderId, Fen)> = asked.load(tx.conn())?;
    Ok(asked.into_iter().map(|(id, asked)| paid.get(&id).map_or(asked, |(_, paid, _)| *paid)).collect())
}

/// What the payments of a business day paid, of at most `limit` payments.
pub(super) fn paid_on(
    tx: &mut Tx<'_>,
    scope: &Scope,
    day: BusinessDay,
    limit: i64,
) -> Result<Vec<Fen>, Error> {
    let query = payment::table
        .filter(payment::business_date.eq(As(day)))
        .select(payment::paid)
        .limit(limit)
        .into_boxed();
    let query = match scope {
        Scope::Platform => query,
        Scope::Institution(id) => query.filter(payment::institution_id.eq(*id)),
        Scope::Merchant(id) => query.filter(payment::sub_merchant_id.eq(*id)),
    };
    Ok(query.load(tx.conn())?)
}

/// Orders of which this is one of the three numbers: each is looked up by its own key.
fn ids_of(tx: &mut Tx<'_>, number: &str) -> Result<Vec<OrderId>, Error> {
    let ours = pay_order::table.filter(pay_order::order_no.eq(number)).select(pay_order::id);
    let mut ids: Vec<OrderId> = ours.load(tx.conn())?;
    let institutions =
        payment_key::table.filter(payment_key::inst_order_no.eq(number)).select(payment_key::order_id);
    ids.extend(institutions.load::<OrderId>(tx.conn())?);
    let tenants = platform_merchant::table.select(platform_merchant::id);
    let merchants = pay_order::table
        .filter(pay_order::platform_merchant_id.eq_any(tenants))
        .filter(pay_order::out_trade_no.eq(number))
        .select(pay_order::id);
    ids.extend(merchants.load::<OrderId>(tx.conn())?);
    Ok(ids)
}

/// The lines of a page, in the order of its keys.
pub(super) fn rows(tx: &mut Tx<'_>, keys: &[Cursor]) -> Result<Vec<OrderRow>, Error> {
    let ids: Vec<OrderId> = keys.iter().map(|key| key.id).collect();
    let found: Vec<(Order, String, String)> = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .filter(pay_order::id.eq_any(&ids))
        .select((Order::as_select(), sub_merchant::merchant, sub_merchant::name))
        .load(tx.conn())?;
    let mut found: HashMap<OrderId, _> = found.into_iter().map(|row| (row.0.id, row)).collect();
    let (mut payments, states) = (payments(tx, &ids)?, states(tx, &ids)?);
    let rows = ids.iter().filter_map(|id| found.remove(id));
    rows.map(|(order, merchant, merchant_name)| {
        let state = states.get(&order.id).copied();
        let state = state.ok_or_else(|| Error::Internal("an order without events".to_owned()))?;
        let payment = payments.remove(&order.id);
        let (paid, paid_at) = (payment.as_ref().map(|p| p.1), payment.as_ref().map(|p| p.2));
        let inst_order_no = payment.map(|p| p.0);
        Ok(OrderRow { order, merchant, merchant_name, state, inst_order_no, paid, paid_at })
    })
    .collect()
}

pub(super) fn scoped(
    tx: &mut Tx<'_>,
    scope: &Scope,
    order_no: &str,
) -> Result<Option<(Order, String, String)>, Error> {
    let query = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .filter(pay_order::order_no.eq(order_no))
        .select((Order::as_select(), sub_merchant::merchant, sub_merchant::name))
        .into_boxed();
    Ok(scoped!(query, scope).first(tx.conn()).optional()?)
}

type EventRow = (i64, EventColumns, Option<BusinessDay>, Option<Digest>);

/// The newest events of an order, at most `limit`, oldest first.
pub(super) fn timeline(tx: &mut Tx<'_>, order: OrderId, limit: i64) -> Result<Vec<TimelineEntry>, Error> {
    let rows: Vec<EventRow> = order_event::table
        .filter(order_event::order_id.eq(order))
        .order(order_event::id.desc())
        .limit(limit)
        .select((
            order_event::at,
            EventColumns::as_select(),
            order_event::raw_business_date,
            order_event::raw_sha256,
        ))
        .load(tx.conn())?;
    let mut timeline = Vec::with_capacity(rows.len());
    for (at, told, business_date, sha256) in rows.into_iter().rev() {
        let raw = business_date.zip(sha256).map(|(business_date, sha256)| RawRef { business_date, sha256 });
        let evidence = match raw {
            Some(raw) => evidence(tx, &raw)?,
            None => None,
        };
        timeline.push(TimelineEntry { at, event: told.event()?, evidence });
    }
    Ok(timeline)
}

pub(super) fn evidence(tx: &mut Tx<'_>, raw: &RawRef) -> Result<Option<Evidence>, Error> {
    let row: Option<(RawKind, Digest, i64)> = raw_message::table
        .filter(raw_message::business_date.eq(As(raw.business_date)))
        .filter(raw_message::sha256.eq(As(raw.sha256)))
        .select((raw_message::kind, raw_message::sha256, raw_message::received_at))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(kind, sha256, received_at)| Evidence { kind, sha256, received_at }))
}
