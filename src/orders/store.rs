//! Queries of the orders room.
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::apart::ApartEnd;
use super::event::{Cause, Event, EventKind, EventReason};
use super::pays::Apart;
use crate::db::columns::words;
use crate::db::columns::{As, CredentialId, InstitutionId, MerchantId, OrderId, TenantId};
use crate::db::schema::{order_event, pay_order, payment, payment_key};
use crate::db::{Conn, MultiBackend, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::protocol::language::Language;

words!(EventKind, EventReason, Apart, ApartEnd);

/// The kinds of events that are states.
pub(super) const STATES: [As<EventKind>; 4] =
    [As(EventKind::Created), As(EventKind::Paying), As(EventKind::Unknown), As(EventKind::Closed)];

/// An order as it was placed; nothing of it ever changes.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = pay_order, check_for_backend(MultiBackend))]
pub struct Order {
    /// Internal key.
    pub id: OrderId,
    /// Our number, which the institution knows as its `out_trade_no`.
    pub order_no: String,
    /// The platform merchant (tenant) whose credential placed it.
    pub platform_merchant_id: TenantId,
    /// The merchant's own number, unique within its tenant.
    pub out_trade_no: String,
    /// Digest of the request's content: the same number with other content is refused.
    pub content_sha256: Digest,
    /// Who is paid.
    pub sub_merchant_id: MerchantId,
    /// Whose channel carries it.
    pub institution_id: InstitutionId,
    /// The credential that placed it, to whose holder notifications are sealed.
    pub credential_id: CredentialId,
    /// Whose wallet pays.
    pub channel: ChannelName,
    /// How.
    pub product: Product,
    /// In which language it was asked for.
    pub language: Language,
    /// Declared with it.
    pub tags: Tags,
    /// Declared with it.
    pub parties: Parties,
    /// What was asked for, in fen.
    pub amount: Fen,
    /// What the payer reads.
    pub description: String,
    /// The caller's own attach; it stays with us.
    pub attach: String,
    /// What goes to the channel as it came.
    pub carried: Option<String>,
    /// Where the merchant wants to be told; empty where nowhere.
    pub notify_url: String,
    /// Until when it may be paid, unix microseconds.
    pub time_expire: Option<i64>,
    /// Unix microseconds.
    pub created_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = pay_order, treat_none_as_default_value = false)]
pub(super) struct NewOrder<'a> {
    pub order_no: &'a str,
    pub platform_merchant_id: TenantId,
    pub out_trade_no: &'a str,
    #[diesel(serialize_as = As<Digest>)]
    pub content_sha256: Digest,
    pub sub_merchant_id: MerchantId,
    pub institution_id: InstitutionId,
    pub credential_id: CredentialId,
    #[diesel(serialize_as = As<ChannelName>)]
    pub channel: ChannelName,
    pub product: &'a str,
    pub language: &'static str,
    pub tags: &'a str,
    pub parties: &'a str,
    #[diesel(serialize_as = As<Fen>)]
    pub amount: Fen,
    pub description: &'a str,
    pub attach: &'a str,
    pub carried: Option<&'a str>,
    pub notify_url: &'a str,
    pub time_expire: Option<i64>,
    pub created_at: i64,
}

/// Stores an order; `None` when one of its numbers stands already, whose storing has been waited for.
pub(super) fn insert(tx: &mut Tx<'_>, new: NewOrder<'_>) -> Result<Option<OrderId>, Error> {
    let insert = diesel::insert_into(pay_order::table).values(new).on_conflict_do_nothing();
    let insert = insert.returning(pay_order::id);
    let stored = match tx.conn() {
        Conn::Sqlite(conn) => insert.get_result(conn),
        Conn::Pg(conn) => insert.get_result(conn),
    };
    Ok(stored.optional()?.map(OrderId::new))
}

/// The order of this key.
pub fn by_id(tx: &mut Tx<'_>, id: OrderId) -> Result<Order, Error> {
    Ok(pay_order::table.find(id).select(Order::as_select()).first(tx.conn())?)
}

/// The order that was placed last, of all.
pub fn newest(tx: &mut Tx<'_>) -> Result<Option<Order>, Error> {
    Ok(pay_order::table.order(pay_order::id.desc()).select(Order::as_select()).first(tx.conn()).optional()?)
}

/// The order of a tenant by its own number.
pub fn by_out_trade_no(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    out_trade_no: &str,
) -> Result<Option<Order>, Error> {
    Ok(pay_order::table
        .filter(pay_order::platform_merchant_id.eq(tenant))
        .filter(pay_order::out_trade_no.eq(out_trade_no))
        .select(Order::as_select())
        .first(tx.conn())
        .optional()?)
}

/// The order by our own number.
pub fn by_order_no(tx: &mut Tx<'_>, order_no: &str) -> Result<Option<Order>, Error> {
    Ok(pay_order::table
        .filter(pay_order::order_no.eq(order_no))
        .select(Order::as_select())
        .first(tx.conn())
        .optional()?)
}

/// A sub-merchant's paid order by the institution's number; the newest, should two channels have given it the same.
pub fn by_inst_order_no(
    tx: &mut Tx<'_>,
    merchant: MerchantId,
    inst_order_no: &str,
) -> Result<Option<Order>, Error> {
    Ok(pay_order::table
        .inner_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .filter(payment_key::inst_order_no.eq(inst_order_no))
        .filter(pay_order::sub_merchant_id.eq(merchant))
        .order(pay_order::id.desc())
        .select(Order::as_select())
        .first(tx.conn())
        .optional()?)
}

/// [`by_inst_order_no`] among all merchants of a tenant.
pub fn of_tenant_by_inst_order_no(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    inst_order_no: &str,
) -> Result<Option<Order>, Error> {
    Ok(pay_order::table
        .inner_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .filter(payment_key::inst_order_no.eq(inst_order_no))
        .filter(pay_order::platform_merchant_id.eq(tenant))
        .order(pay_order::id.desc())
        .select(Order::as_select())
        .first(tx.conn())
        .optional()?)
}

diesel::define_sql_function! {
    // It answers nothing; the type stands for that.
    fn pg_advisory_xact_lock(key: BigInt) -> Text;
}

/// Holds back everyone else who would tell the next state of this order until the transaction ends.
pub(super) fn lock(tx: &mut Tx<'_>, order: OrderId) -> Result<(), Error> {
    match tx.conn() {
        // One writer at a time anyway.
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(conn) => {
            diesel::select(pg_advisory_xact_lock(order.get())).execute(conn)?;
            Ok(())
        }
    }
}

/// Adds one event.
pub(super) fn add_event(tx: &mut Tx<'_>, order: OrderId, at: i64, event: &Event) -> Result<(), Error> {
    let cause = event.cause();
    diesel::insert_into(order_event::table)
        .values((
            order_event::order_id.eq(order),
            order_event::at.eq(at),
            order_event::kind.eq(As(event.kind())),
            order_event::reason.eq(cause.map(|cause| As(cause.reason))),
            order_event::code.eq(cause.and_then(|cause| cause.code.as_deref())),
            order_event::words.eq(cause.and_then(|cause| cause.words.as_deref())),
            order_event::amount.eq(cause.and_then(|cause| cause.amount).map(As)),
            order_event::prepay.eq(event.prepay()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// What an event is read from.
#[derive(Queryable, Selectable)]
#[diesel(table_name = order_event, check_for_backend(MultiBackend))]
pub(super) struct EventColumns {
    kind: EventKind,
    reason: Option<EventReason>,
    code: Option<String>,
    words: Option<String>,
    amount: Option<Fen>,
    prepay: Option<String>,
}

impl EventColumns {
    pub(super) fn event(self) -> Result<Event, Error> {
        let Self { kind, reason, code, words, amount, prepay } = self;
        Event::read(kind, reason.map(|reason| Cause { reason, code, words, amount }), prepay)
    }
}

/// Where an order stands by its events, and the day of its payment, if it has one.
pub(super) struct Last {
    pub state: OrderState,
    pub event: Event,
    pub paid_on: Option<BusinessDay>,
}

/// The last event that is a state, and whether the order is paid.
pub(super) fn last(tx: &mut Tx<'_>, order: OrderId) -> Result<Last, Error> {
    // Spelt out: a statement with a list is prepared anew each time.
    let [created, paying, unknown, closed] = STATES;
    let open = order_event::kind.eq(created).or(order_event::kind.eq(paying));
    let is_state = open.or(order_event::kind.eq(unknown)).or(order_event::kind.eq(closed));
    let (columns, paid_on): (EventColumns, Option<BusinessDay>) = order_event::table
        .left_join(payment_key::table.on(payment_key::order_id.eq(order_event::order_id)))
        .filter(order_event::order_id.eq(order))
        .filter(is_state)
        .order(order_event::id.desc())
        .select((EventColumns::as_select(), payment_key::business_date.nullable()))
        .first(tx.conn())?;
    let event = columns.event()?;
    let state = event.state().ok_or_else(|| Error::Internal("an event that is no state".to_owned()))?;
    Ok(Last { state, event, paid_on })
}

/// The raw message that an event or a payment rests on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment, check_for_backend(MultiBackend))]
pub struct RawRef {
    /// Of the payment.
    #[diesel(column_name = raw_business_date)]
    pub business_date: BusinessDay,
    /// Over its bytes.
    #[diesel(column_name = raw_sha256)]
    pub sha256: Digest,
}

/// What the institution said was paid.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment, check_for_backend(MultiBackend))]
pub struct Payment {
    /// Of `paid_at` in Asia/Shanghai.
    pub business_date: BusinessDay,
    /// The institution's number, unique for ever.
    pub inst_order_no: String,
    /// How it was paid.
    pub product: Product,
    /// What the merchant is owed of it, in fen, as the institution says.
    pub paid: Fen,
    /// What was ordered, as the institution says; none of a payment that an older version took.
    pub total: Option<Fen>,
    /// What the payer paid, as the institution says, where it does.
    pub payer_total: Option<Fen>,
    /// What it says of payer and promotions, in the channel's own form; none of a payment that an older version took.
    pub particulars: Option<String>,
    /// Unix microseconds, as the institution says.
    pub paid_at: i64,
    /// When we learned of it, unix microseconds.
    pub received_at: i64,
    /// Name of the rule version that would apply, shown until the cut decides.
    pub preview_rule: Option<String>,
    /// Digest of that rule version.
    pub preview_digest: Option<Digest>,
    /// The signed message.
    #[diesel(embed)]
    pub raw: RawRef,
}

/// The payment of an order that was paid on a day.
pub(super) fn payment_of(tx: &mut Tx<'_>, order: OrderId, day: BusinessDay) -> Result<Payment, Error> {
    Ok(payment::table
        .filter(payment::business_date.eq(As(day)).and(payment::order_id.eq(order)))
        .select(Payment::as_select())
        .first(tx.conn())?)
}

/// Whether an order has its payment.
pub(super) fn is_paid(tx: &mut Tx<'_>, order: OrderId) -> Result<bool, Error> {
    let paid = payment_key::table.filter(payment_key::order_id.eq(order)).select(payment_key::order_id);
    Ok(paid.first::<OrderId>(tx.conn()).optional()?.is_some())
}

/// What the institution let the payer pay by last, if it ever did.
pub(super) fn last_prepay(tx: &mut Tx<'_>, order: OrderId) -> Result<Option<String>, Error> {
    let last: Option<Option<String>> = order_event::table
        .filter(order_event::order_id.eq(order))
        .filter(order_event::kind.eq(As(EventKind::Paying)))
        .order(order_event::id.desc())
        .select(order_event::prepay)
        .first(tx.conn())
        .optional()?;
    Ok(last.flatten())
}

/// Events of a kind that few orders have. The kind stands in the statement: bound as a value, PostgreSQL would plan for
/// a kind that every order has, and walk through all of them.
pub(super) fn of_rare_kind(state: OrderState) -> SqlLiteral<Bool> {
    let kind = match state {
        OrderState::Created => EventKind::Created,
        OrderState::Paying => EventKind::Paying,
        OrderState::Unknown => EventKind::Unknown,
        OrderState::Paid => return sql("1 = 0"),
        OrderState::Closed => EventKind::Closed,
    };
    sql(&format!("order_event.kind = '{kind}'"))
}
