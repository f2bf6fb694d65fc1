//! Queries of the orders room.
use diesel::dsl::{exists, not, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::{Event, Order, Payment, RawRef};
use crate::db::schema::{order_event, pay_order, payment, payment_key};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;

/// The kinds of events that are states.
pub(super) const STATES: [&str; 4] = ["CREATED", "PAYING", "UNKNOWN", "CLOSED"];

#[derive(Queryable, Selectable)]
#[diesel(table_name = pay_order)]
pub(super) struct OrderRow {
    pub(super) id: i64,
    order_no: String,
    platform_merchant_id: i64,
    out_trade_no: String,
    content_sha256: String,
    sub_merchant_id: i64,
    institution_id: i64,
    credential_id: i64,
    channel: String,
    product: String,
    tags: String,
    parties: String,
    amount: i64,
    description: String,
    attach: String,
    notify_url: String,
    time_expire: Option<i64>,
    created_at: i64,
}

impl From<OrderRow> for Order {
    fn from(row: OrderRow) -> Self {
        Self {
            id: row.id,
            order_no: row.order_no,
            platform_merchant_id: row.platform_merchant_id,
            out_trade_no: row.out_trade_no,
            content_sha256: row.content_sha256,
            sub_merchant_id: row.sub_merchant_id,
            institution_id: row.institution_id,
            credential_id: row.credential_id,
            channel: row.channel,
            product: row.product,
            tags: row.tags,
            parties: row.parties,
            amount: Fen::new(row.amount),
            description: row.description,
            attach: row.attach,
            notify_url: row.notify_url,
            time_expire: row.time_expire,
            created_at: row.created_at,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = pay_order)]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct NewOrder<'a> {
    pub order_no: &'a str,
    pub platform_merchant_id: i64,
    pub out_trade_no: &'a str,
    pub content_sha256: &'a str,
    pub sub_merchant_id: i64,
    pub institution_id: i64,
    pub credential_id: i64,
    pub channel: &'a str,
    pub product: &'a str,
    pub tags: &'a str,
    pub parties: &'a str,
    pub amount: i64,
    pub description: &'a str,
    pub attach: &'a str,
    pub notify_url: &'a str,
    pub time_expire: Option<i64>,
    pub created_at: i64,
}

/// Stores an order; the caller has looked that its numbers are free.
pub(super) fn insert(tx: &mut Tx<'_>, new: &NewOrder<'_>) -> Result<Order, Error> {
    diesel::insert_into(pay_order::table).values(new).execute(tx.conn())?;
    by_order_no(tx, new.order_no)?.ok_or(Error::NotFound)
}

/// The order of a tenant by its own number.
pub fn by_out_trade_no(
    tx: &mut Tx<'_>,
    platform_merchant: i64,
    out_trade_no: &str,
) -> Result<Option<Order>, Error> {
    let row = pay_order::table
        .filter(pay_order::platform_merchant_id.eq(platform_merchant))
        .filter(pay_order::out_trade_no.eq(out_trade_no))
        .select(OrderRow::as_select())
        .first(tx.conn())
        .optional()?;
    Ok(row.map(Order::from))
}

/// The order by our own number.
pub fn by_order_no(tx: &mut Tx<'_>, order_no: &str) -> Result<Option<Order>, Error> {
    let row = pay_order::table
        .filter(pay_order::order_no.eq(order_no))
        .select(OrderRow::as_select())
        .first(tx.conn())
        .optional()?;
    Ok(row.map(Order::from))
}

/// A sub-merchant's paid order by the institution's number; the newest, should two channels have given it the same.
pub fn by_inst_order_no(
    tx: &mut Tx<'_>,
    sub_merchant: i64,
    inst_order_no: &str,
) -> Result<Option<Order>, Error> {
    let row = pay_order::table
        .inner_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .filter(payment_key::inst_order_no.eq(inst_order_no))
        .filter(pay_order::sub_merchant_id.eq(sub_merchant))
        .order(pay_order::id.desc())
        .select(OrderRow::as_select())
        .first(tx.conn())
        .optional()?;
    Ok(row.map(Order::from))
}

/// Holds back everyone else who would tell the next state of this order until the transaction ends.
pub(super) fn lock(tx: &mut Tx<'_>, order: i64) -> Result<(), Error> {
    match tx.conn() {
        // One writer at a time anyway.
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(conn) => {
            let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(order);
            lock.execute(conn)?;
            Ok(())
        }
    }
}

/// Adds one event.
pub(super) fn add_event(
    tx: &mut Tx<'_>,
    order: i64,
    at: i64,
    event: &Event,
    raw: Option<&RawRef>,
) -> Result<(), Error> {
    diesel::insert_into(order_event::table)
        .values((
            order_event::order_id.eq(order),
            order_event::at.eq(at),
            order_event::kind.eq(event.kind()),
            order_event::detail.eq(event.detail()),
            order_event::raw_business_date.eq(raw.map(|raw| raw.business_date)),
            order_event::raw_sha256.eq(raw.map(|raw| raw.sha256.as_str())),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The last event that is a state, with its detail.
pub(super) fn last_state(tx: &mut Tx<'_>, order: i64) -> Result<(OrderState, String), Error> {
    let (kind, detail): (String, String) = order_event::table
        .filter(order_event::order_id.eq(order))
        .filter(order_event::kind.eq_any(STATES))
        .order(order_event::id.desc())
        .select((order_event::kind, order_event::detail))
        .first(tx.conn())?;
    let state = OrderState::parse(&kind).ok_or_else(|| Error::Internal(format!("order state {kind}")))?;
    Ok((state, detail))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = payment)]
struct PaymentRow {
    business_date: i32,
    inst_order_no: String,
    paid: i64,
    paid_at: i64,
    received_at: i64,
    preview_rule: Option<String>,
    preview_digest: Option<String>,
    raw_business_date: i32,
    raw_sha256: String,
}

/// The payment of an order, if it has one.
pub(super) fn payment_of(tx: &mut Tx<'_>, order: i64) -> Result<Option<Payment>, Error> {
    let row: Option<PaymentRow> = payment_key::table
        .inner_join(
            payment::table.on(payment::business_date
                .eq(payment_key::business_date)
                .and(payment::order_id.eq(payment_key::order_id))),
        )
        .filter(payment_key::order_id.eq(order))
        .select(PaymentRow::as_select())
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|row| Payment {
        business_date: row.business_date,
        inst_order_no: row.inst_order_no,
        paid: Fen::new(row.paid),
        paid_at: row.paid_at,
        received_at: row.received_at,
        preview_rule: row.preview_rule,
        preview_digest: row.preview_digest,
        raw: RawRef { business_date: row.raw_business_date, sha256: row.raw_sha256 },
    }))
}

/// The code_url that the institution gave last, if it ever gave one.
pub(super) fn last_code_url(tx: &mut Tx<'_>, order: i64) -> Result<Option<String>, Error> {
    Ok(order_event::table
        .filter(order_event::order_id.eq(order))
        .filter(order_event::kind.eq("PAYING"))
        .order(order_event::id.desc())
        .select(order_event::detail)
        .first(tx.conn())
        .optional()?)
}

/// Which orders hang: page and bounds, instants in unix microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Stuck {
    /// Begin after this key.
    pub after: i64,
    /// `UNKNOWN` since then or later.
    pub unknown_since: i64,
    /// `CREATED` since then or later…
    pub created_since: i64,
    /// … and before then, so that it was left behind by a crash.
    pub created_before: i64,
    /// The most orders.
    pub limit: i64,
}

/// Orders whose last state is `UNKNOWN`, or a `CREATED` that was left behind, by key.
pub fn unresolved(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<Vec<Order>, Error> {
    let mut ids = unknown(tx, stuck)?;
    ids.extend(left_behind(tx, stuck)?);
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(usize::try_from(stuck.limit).unwrap_or(usize::MAX));
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<OrderRow> = pay_order::table
        .filter(pay_order::id.eq_any(ids))
        .order(pay_order::id)
        .select(OrderRow::as_select())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Order::from).collect())
}

/// Events of a kind that few orders have. The kind stands in the statement: bound as a value, PostgreSQL would plan for
/// a kind that every order has, and walk through all of them.
pub(super) fn of_rare_kind(state: OrderState) -> SqlLiteral<Bool> {
    sql(match state {
        OrderState::Created => "order_event.kind = 'CREATED'",
        OrderState::Paying => "order_event.kind = 'PAYING'",
        OrderState::Unknown => "order_event.kind = 'UNKNOWN'",
        OrderState::Paid => "1 = 0",
        OrderState::Closed => "order_event.kind = 'CLOSED'",
    })
}

fn unknown(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<Vec<i64>, Error> {
    let later = diesel::alias!(order_event as later);
    let went_on = later
        .filter(later.field(order_event::order_id).eq(order_event::order_id))
        .filter(later.field(order_event::id).gt(order_event::id))
        .filter(later.field(order_event::kind).eq_any(STATES));
    let paid = payment_key::table.filter(payment_key::order_id.eq(order_event::order_id));
    Ok(order_event::table
        .filter(of_rare_kind(OrderState::Unknown))
        .filter(order_event::order_id.gt(stuck.after))
        .filter(order_event::at.ge(stuck.unknown_since))
        .filter(not(exists(went_on)))
        .filter(not(exists(paid)))
        .order(order_event::order_id)
        .limit(stuck.limit)
        .select(order_event::order_id)
        .load(tx.conn())?)
}

/// By the time of the order, which is that of its first event; so few are left behind that they need no order.
fn left_behind(tx: &mut Tx<'_>, stuck: &Stuck) -> Result<Vec<i64>, Error> {
    let went_on = order_event::table
        .filter(order_event::order_id.eq(pay_order::id))
        .filter(order_event::kind.eq_any(STATES))
        .filter(order_event::kind.ne("CREATED"));
    let paid = payment_key::table.filter(payment_key::order_id.eq(pay_order::id));
    Ok(pay_order::table
        .filter(pay_order::created_at.ge(stuck.created_since))
        .filter(pay_order::created_at.lt(stuck.created_before))
        .filter(pay_order::id.gt(stuck.after))
        .filter(not(exists(went_on)))
        .filter(not(exists(paid)))
        .select(pay_order::id)
        .load(tx.conn())?)
}
