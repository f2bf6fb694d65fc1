//! Orders, payments and deliveries in the sandbox's file.
use std::collections::HashMap;

use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::Serialize;

use crate::kernel::channel::{ChannelName, Product};
use crate::protocol::wechat::trade_type_of;
use crate::sandbox::SandboxError;
use crate::sandbox::store::{Tx, bill, coupon, delivery, payment, trade};

/// An order that the platform placed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = trade)]
pub(in crate::sandbox) struct Trade {
    pub out_trade_no: String,
    /// The random part of the code_url.
    pub code: String,
    /// The request as it was understood, JSON: what a repetition must equal.
    pub body: String,
    /// The platform's number of the sub-merchant.
    pub merchant: String,
    pub tags: String,
    pub parties: String,
    /// Whose wallet pays.
    pub channel: String,
    /// How it is to be paid.
    pub product: String,
    /// Alipay's number of it, from when a payer is at it.
    pub trade_no: Option<String>,
    /// Fen.
    pub total: i64,
    /// Unix seconds.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub closed_at: Option<i64>,
}

impl Trade {
    /// Whose wallet pays.
    pub fn wallet(&self) -> Result<ChannelName, SandboxError> {
        let unknown = || SandboxError::Internal(format!("order {} is of no channel", self.out_trade_no));
        ChannelName::parse(&self.channel).ok_or_else(unknown)
    }

    /// Its product as WeChat names it.
    pub fn trade_type(&self) -> Option<String> {
        Product::parse(&self.product).map(|product| trade_type_of(&product))
    }
}

/// A payment that happened.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment)]
pub(in crate::sandbox) struct Payment {
    pub out_trade_no: String,
    pub transaction_id: String,
    pub paid_at: i64,
    pub paid: i64,
    pub fee: i64,
    pub rate_ppm: i32,
    /// The BIL that told it.
    pub bill_seq: Option<i32>,
}

/// A payment to write down.
#[derive(Debug, Insertable)]
#[diesel(table_name = payment)]
pub(super) struct NewPayment<'a> {
    pub out_trade_no: &'a str,
    pub transaction_id: &'a str,
    pub paid_at: i64,
    pub day: i32,
    pub paid: i64,
    pub fee: i64,
    pub rate_ppm: i32,
}

/// What of a payment the payer did not pay, and another currency that is stated.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = coupon)]
pub(super) struct Coupon {
    pub out_trade_no: String,
    /// Fen that a funder pays to the merchant.
    pub cash: i64,
    /// Fen that nobody pays.
    pub nocash: i64,
    pub currency: String,
}

pub(super) fn insert_coupon(tx: &mut Tx<'_>, new: &Coupon) -> Result<(), SandboxError> {
    diesel::insert_into(coupon::table).values(new).execute(tx.0)?;
    Ok(())
}

pub(super) fn coupon(tx: &mut Tx<'_>, out_trade_no: &str) -> Result<Option<Coupon>, SandboxError> {
    Ok(coupon::table.find(out_trade_no).select(Coupon::as_select()).first(tx.0).optional()?)
}

/// Fen that nobody pays, of the few orders where that is so.
pub(super) fn paid_by_nobody(tx: &mut Tx<'_>) -> Result<HashMap<String, i64>, SandboxError> {
    let some = coupon::table.filter(coupon::nocash.gt(0)).select((coupon::out_trade_no, coupon::nocash));
    let rows: Vec<(String, i64)> = some.load(tx.0)?;
    Ok(rows.into_iter().collect())
}

/// A notification on its way.
#[derive(Debug, Clone, Queryable, Selectable, Serialize)]
#[diesel(table_name = delivery)]
pub(in crate::sandbox) struct Delivery {
    pub id: i64,
    pub event_id: String,
    pub out_trade_no: String,
    pub created_at: i64,
    pub attempts: i32,
    pub next_at: i64,
    pub done_at: Option<i64>,
    pub given_up_at: Option<i64>,
    pub last_error: Option<String>,
}

/// What became of one attempt.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = delivery, treat_none_as_null = true)]
pub(super) struct Attempt {
    pub attempts: i32,
    pub next_at: i64,
    pub done_at: Option<i64>,
    pub given_up_at: Option<i64>,
    pub last_error: Option<String>,
}

pub(super) fn insert_trade(tx: &mut Tx<'_>, new: &Trade) -> Result<(), SandboxError> {
    diesel::insert_into(trade::table).values(new).execute(tx.0)?;
    Ok(())
}

pub(in crate::sandbox) fn trade(
    tx: &mut Tx<'_>,
    out_trade_no: &str,
) -> Result<Option<(Trade, Option<Payment>)>, SandboxError> {
    Ok(trade::table
        .left_join(payment::table)
        .filter(trade::out_trade_no.eq(out_trade_no))
        .select((Trade::as_select(), Option::<Payment>::as_select()))
        .first(tx.0)
        .optional()?)
}

pub(super) fn number_of_code(tx: &mut Tx<'_>, code: &str) -> Result<Option<String>, SandboxError> {
    Ok(trade::table.filter(trade::code.eq(code)).select(trade::out_trade_no).first(tx.0).optional()?)
}

/// The order that has this number at Alipay.
pub(super) fn number_of_trade_no(tx: &mut Tx<'_>, trade_no: &str) -> Result<Option<String>, SandboxError> {
    let of = trade::table.filter(trade::trade_no.eq(trade_no));
    Ok(of.select(trade::out_trade_no).first(tx.0).optional()?)
}

/// Gives an order its number at Alipay.
pub(super) fn number(tx: &mut Tx<'_>, out_trade_no: &str, trade_no: &str) -> Result<(), SandboxError> {
    diesel::update(trade::table.find(out_trade_no)).set(trade::trade_no.eq(trade_no)).execute(tx.0)?;
    Ok(())
}

pub(super) fn number_of_payment(
    tx: &mut Tx<'_>,
    transaction_id: &str,
) -> Result<Option<String>, SandboxError> {
    Ok(payment::table
        .filter(payment::transaction_id.eq(transaction_id))
        .select(payment::out_trade_no)
        .first(tx.0)
        .optional()?)
}

pub(in crate::sandbox) fn trades(tx: &mut Tx<'_>) -> Result<Vec<(Trade, Option<Payment>)>, SandboxError> {
    Ok(trade::table
        .left_join(payment::table)
        .order((trade::created_at, trade::out_trade_no))
        .select((Trade::as_select(), Option::<Payment>::as_select()))
        .load(tx.0)?)
}

/// Orders that can be paid at `now` (unix seconds), newest first.
pub(in crate::sandbox) fn open(tx: &mut Tx<'_>, now: i64, limit: i64) -> Result<Vec<Trade>, SandboxError> {
    Ok(trade::table
        .left_join(payment::table)
        .filter(payment::out_trade_no.nullable().is_null())
        .filter(trade::closed_at.is_null())
        .filter(trade::expires_at.is_null().or(trade::expires_at.gt(now)))
        .order((trade::created_at.desc(), trade::out_trade_no.desc()))
        .limit(limit)
        .select(Trade::as_select())
        .load(tx.0)?)
}

pub(super) fn close(tx: &mut Tx<'_>, out_trade_no: &str, at: i64) -> Result<(), SandboxError> {
    diesel::update(trade::table.find(out_trade_no)).set(trade::closed_at.eq(at)).execute(tx.0)?;
    Ok(())
}

/// The number of the payment to come: the last one's and one.
pub(super) fn next_payment(tx: &mut Tx<'_>) -> Result<i64, SandboxError> {
    let last: Option<i64> = payment::table.select(max(payment::id)).first(tx.0)?;
    Ok(last.unwrap_or(0).saturating_add(1))
}

pub(super) fn insert_payment(tx: &mut Tx<'_>, new: &NewPayment<'_>) -> Result<(), SandboxError> {
    diesel::insert_into(payment::table).values(new).execute(tx.0)?;
    Ok(())
}

/// A day's payments in the order of a bill: by (`paid_at`, number), byte order.
pub(in crate::sandbox) fn payments_of(
    tx: &mut Tx<'_>,
    day: i32,
) -> Result<Vec<(Trade, Payment)>, SandboxError> {
    Ok(trade::table
        .inner_join(payment::table)
        .filter(payment::day.eq(day))
        .order((payment::paid_at, payment::transaction_id))
        .select((Trade::as_select(), Payment::as_select()))
        .load(tx.0)?)
}

/// Puts at most `most` of a day's payments that no bill has told yet into bill `seq`; gives how many.
pub(super) fn assign_bill(tx: &mut Tx<'_>, day: i32, seq: i32, most: i64) -> Result<usize, SandboxError> {
    let next: Vec<i64> = payment::table
        .filter(payment::day.eq(day))
        .filter(payment::bill_seq.is_null())
        .order((payment::paid_at, payment::transaction_id))
        .limit(most)
        .select(payment::id)
        .load(tx.0)?;
    for ids in next.chunks(500) {
        diesel::update(payment::table.filter(payment::id.eq_any(ids)))
            .set(payment::bill_seq.eq(seq))
            .execute(tx.0)?;
    }
    Ok(next.len())
}

/// A bill that went out.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = bill)]
pub(in crate::sandbox) struct Bill {
    pub day: i32,
    pub seq: i32,
    pub name: String,
    /// Unix seconds.
    pub created_at: i64,
}

/// Every bill, oldest first.
pub(in crate::sandbox) fn bills(tx: &mut Tx<'_>) -> Result<Vec<Bill>, SandboxError> {
    Ok(bill::table.order((bill::day, bill::seq)).select(Bill::as_select()).load(tx.0)?)
}

pub(in crate::sandbox) fn bills_of(tx: &mut Tx<'_>, day: i32) -> Result<Vec<Bill>, SandboxError> {
    Ok(bill::table.filter(bill::day.eq(day)).order(bill::seq).select(Bill::as_select()).load(tx.0)?)
}

pub(super) fn insert_bill(tx: &mut Tx<'_>, new: &Bill) -> Result<(), SandboxError> {
    diesel::insert_into(bill::table).values(new).execute(tx.0)?;
    Ok(())
}

pub(super) fn insert_delivery(
    tx: &mut Tx<'_>,
    event_id: &str,
    out_trade_no: &str,
    now: i64,
) -> Result<(), SandboxError> {
    diesel::insert_into(delivery::table)
        .values((
            delivery::event_id.eq(event_id),
            delivery::out_trade_no.eq(out_trade_no),
            delivery::created_at.eq(now),
            delivery::attempts.eq(0),
            delivery::next_at.eq(now),
        ))
        .execute(tx.0)?;
    Ok(())
}

/// Deliveries due at `now`, oldest first, each with its order.
pub(super) fn due(tx: &mut Tx<'_>, now: i64) -> Result<Vec<(Delivery, Trade)>, SandboxError> {
    Ok(delivery::table
        .inner_join(trade::table)
        .filter(sql::<Bool>("done_at IS NULL AND given_up_at IS NULL"))
        .filter(delivery::next_at.le(now))
        .order(delivery::id)
        .limit(1000)
        .select((Delivery::as_select(), Trade::as_select()))
        .load(tx.0)?)
}

pub(in crate::sandbox) fn deliveries(tx: &mut Tx<'_>) -> Result<Vec<Delivery>, SandboxError> {
    Ok(delivery::table.order(delivery::id).select(Delivery::as_select()).load(tx.0)?)
}

pub(super) fn attempted(tx: &mut Tx<'_>, id: i64, attempt: &Attempt) -> Result<(), SandboxError> {
    diesel::update(delivery::table.find(id)).set(attempt).execute(tx.0)?;
    Ok(())
}
