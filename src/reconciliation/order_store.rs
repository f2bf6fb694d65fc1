//! Queries of a bill's orders.
use std::collections::BTreeMap;

use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::KeptBill;
use crate::clock;
use crate::db::columns::{As, BillId, FileId, InstitutionId, MerchantId};
use crate::db::schema::{bill_order, bill_source};
use crate::db::{BinaryRows, Bulk, Conn, Tx};
use crate::error::Error;
use crate::insert_chunks;
use crate::kernel::bill::BillOrder;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::file::field;
use crate::kernel::money::Fen;
use crate::kernel::split::OrderFacts;
use crate::kernel::text::NO_ORDER_NO;
use crate::ledger::Billed;

/// An order of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = bill_order)]
pub struct BilledOrder {
    /// The bill's day.
    pub business_date: BusinessDay,
    /// Whose bill.
    pub institution_id: InstitutionId,
    /// Which bill.
    pub bill_id: BillId,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The institution's number.
    pub inst_order_no: String,
    /// As kept: see [`BilledOrder::order_no`].
    order_no: String,
    /// The sub-merchant; empty where the institution's number of it is unknown.
    pub merchant: String,
    /// Channel.
    pub channel: String,
    /// Product.
    pub product: String,
    /// Tags.
    pub tags: Tags,
    /// Parties.
    pub parties: Parties,
    /// What was paid.
    pub paid: Fen,
    /// The channel's fee.
    pub fee: Fen,
    /// The subsidy.
    pub subsidy: Fen,
    /// Our sub-merchant, where we know it.
    pub sub_merchant_id: Option<MerchantId>,
    /// The rule version that was shown at payment.
    pub preview_digest: Option<Digest>,
}

/// What the kept number of a payment begins with that did not come through the platform; its own number follows, since no
/// two rows of a bill have one number. No number of ours has this character.
const STRANGER: &str = "?";

/// Our number of an order as it is kept.
pub(super) fn kept_no(order: &BillOrder) -> String {
    if order.is_declared() {
        order.order_no.clone()
    } else {
        format!("{STRANGER}{}", order.facts.inst_order_no)
    }
}

/// [`kept_no`] undone.
pub(super) fn told_no(kept: &str) -> &str {
    if kept.starts_with(STRANGER) { NO_ORDER_NO } else { kept }
}

impl BilledOrder {
    /// Our number, as files tell it; [`NO_ORDER_NO`] of a payment that did not come through the platform.
    pub fn order_no(&self) -> &str {
        told_no(&self.order_no)
    }
}

/// An order of a bill to be stored, by the million: what is text in the database is the text that was read.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = bill_order, treat_none_as_default_value = false)]
pub struct NewBilled {
    /// The bill's day.
    pub business_date: As<BusinessDay>,
    /// Whose bill.
    pub institution_id: InstitutionId,
    /// Which bill.
    pub bill_id: BillId,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The institution's number.
    pub inst_order_no: String,
    /// Our number.
    pub order_no: String,
    /// The sub-merchant; empty where the institution's number of it is unknown.
    pub merchant: String,
    /// Channel.
    pub channel: String,
    /// Product.
    pub product: String,
    /// [`Tags`] as written.
    pub tags: String,
    /// [`Parties`] as written.
    pub parties: String,
    /// What was paid.
    pub paid: As<Fen>,
    /// The channel's fee.
    pub fee: As<Fen>,
    /// The subsidy.
    pub subsidy: As<Fen>,
    /// Our sub-merchant, where we know it.
    pub sub_merchant_id: Option<MerchantId>,
    /// The rule version that was shown at payment.
    pub preview_digest: Option<As<Digest>>,
}

const COLUMNS: &[&str] = &[
    "business_date",
    "institution_id",
    "bill_id",
    "paid_at",
    "inst_order_no",
    "order_no",
    "merchant",
    "channel",
    "product",
    "tags",
    "parties",
    "paid",
    "fee",
    "subsidy",
    "sub_merchant_id",
    "preview_digest",
];

/// Where orders of one day and institution go.
pub struct Sink {
    bulk: Option<Bulk>,
    rows: BinaryRows,
}

impl Sink {
    /// Ready to take orders.
    pub fn open(tx: &mut Tx<'_>, day: BusinessDay, institution: InstitutionId) -> Result<Self, Error> {
        let bulk = match tx.conn() {
            Conn::Sqlite(_) => None,
            Conn::Pg(conn) => Some(Bulk::open(conn, "bill_order", day.to_i32(), institution.get())?),
        };
        Ok(Self { bulk, rows: BinaryRows::default() })
    }

    /// Takes orders.
    pub fn add(&mut self, tx: &mut Tx<'_>, orders: &[NewBilled]) -> Result<(), Error> {
        match (tx.conn(), &self.bulk) {
            (Conn::Sqlite(conn), _) => insert_chunks!(conn, bill_order, orders),
            (Conn::Pg(conn), Some(bulk)) => {
                self.rows.clear();
                for order in orders {
                    push(&mut self.rows, order);
                }
                bulk.copy(conn, COLUMNS, &self.rows)?;
            }
            (Conn::Pg(_), None) => return Err(Error::Internal("another connection".into())),
        }
        Ok(())
    }

    /// Makes a new day part of the table. A number that stands twice shows here at the latest.
    pub fn close(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if let (Conn::Pg(conn), Some(bulk)) = (tx.conn(), self.bulk) {
            bulk.close(conn)?;
        }
        Ok(())
    }
}

fn push(rows: &mut BinaryRows, order: &NewBilled) {
    rows.row(16);
    rows.int(order.business_date.0.to_i32());
    for number in [order.institution_id.get(), order.bill_id.get(), order.paid_at] {
        rows.big(number);
    }
    for text in [&order.inst_order_no, &order.order_no, &order.merchant, &order.channel, &order.product] {
        rows.text(text);
    }
    rows.text(&order.tags);
    rows.text(&order.parties);
    for As(fen) in [order.paid, order.fee, order.subsidy] {
        rows.big(fen.get());
    }
    rows.maybe_big(order.sub_merchant_id.map(MerchantId::get));
    let preview = order.preview_digest.map(|As(digest)| digest.to_string());
    rows.maybe_text(preview.as_deref());
}

/// Read by the million: tags and parties are parsed once, into what the kernel takes.
type FactsTuple = (i64, String, String, String, String, String, String, String, Fen, Fen, Fen);

/// At most `limit` orders of a bill after (`paid_at` in microseconds, `inst_order_no`), in that order, as the kernel
/// takes them; what is no tag or party there is a broken row.
pub fn orders(
    tx: &mut Tx<'_>,
    bill: &KeptBill,
    after: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<BillOrder>, Error> {
    let (at, number) = after.unwrap_or((i64::MIN, ""));
    let rows: Vec<FactsTuple> = bill_order::table
        .filter(bill_order::business_date.eq(As(bill.business_date)))
        .filter(bill_order::institution_id.eq(bill.institution_id))
        .filter(bill_order::bill_id.eq(bill.id))
        // The first condition alone is what an index can begin at.
        .filter(bill_order::paid_at.ge(at))
        .filter(bill_order::paid_at.gt(at).or(bill_order::inst_order_no.gt(number)))
        .order((bill_order::paid_at.asc(), bill_order::inst_order_no.asc()))
        .limit(limit)
        .select((
            bill_order::paid_at,
            bill_order::inst_order_no,
            bill_order::order_no,
            bill_order::merchant,
            bill_order::channel,
            bill_order::product,
            bill_order::tags,
            bill_order::parties,
            bill_order::paid,
            bill_order::fee,
            bill_order::subsidy,
        ))
        .load(tx.conn())?;
    rows.into_iter().map(order).collect()
}

fn order(row: FactsTuple) -> Result<BillOrder, Error> {
    let (at, inst_order_no, order_no, merchant, channel, product, tags, parties, paid, fee, subsidy) = row;
    let Some((tags, parties)) = field::tags(&tags).zip(field::parties(&parties)) else {
        return Err(Error::Internal(format!("the bill's row of {inst_order_no} is broken")));
    };
    let facts = OrderFacts {
        inst_order_no,
        merchant,
        channel,
        product,
        tags,
        parties,
        paid_at: clock::instant(at),
        paid,
        fee,
        subsidy,
    };
    let order_no = if order_no.starts_with(STRANGER) { NO_ORDER_NO.to_owned() } else { order_no };
    Ok(BillOrder { facts, order_no })
}

/// How many orders a bill has, those of the institution's own bills included.
pub fn order_count(tx: &mut Tx<'_>, bill: &KeptBill) -> Result<i64, Error> {
    Ok(bill_order::table
        .filter(bill_order::business_date.eq(As(bill.business_date)))
        .filter(bill_order::institution_id.eq(bill.institution_id))
        .filter(bill_order::bill_id.eq(bill.id))
        .count()
        .get_result(tx.conn())?)
}

/// What a bill says altogether, by channel.
pub fn billed(tx: &mut Tx<'_>, bill: &KeptBill) -> Result<BTreeMap<String, Billed>, Error> {
    let rows: Vec<(String, i64, Fen, Fen, Fen)> = bill_order::table
        .filter(bill_order::business_date.eq(As(bill.business_date)))
        .filter(bill_order::institution_id.eq(bill.institution_id))
        .filter(bill_order::bill_id.eq(bill.id))
        .group_by(bill_order::channel)
        .select((
            bill_order::channel,
            count_star(),
            sql::<BigInt>("CAST(SUM(paid) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(fee) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(subsidy) AS BIGINT)"),
        ))
        .load(tx.conn())?;
    let billed = rows
        .into_iter()
        .map(|(channel, orders, paid, fee, subsidy)| (channel, Billed { orders, paid, fee, subsidy }));
    Ok(billed.collect())
}

pub(super) fn has_orders(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    bill_id: BillId,
) -> Result<bool, Error> {
    let of_bill = bill_order::table
        .filter(bill_order::business_date.eq(As(day)))
        .filter(bill_order::institution_id.eq(institution))
        .filter(bill_order::bill_id.eq(bill_id));
    Ok(diesel::select(exists(of_bill)).get_result(tx.conn())?)
}

/// Which of these numbers the bill has.
pub(super) fn known(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    bill_id: BillId,
    numbers: &[&str],
) -> Result<Vec<String>, Error> {
    Ok(bill_order::table
        .filter(bill_order::business_date.eq(As(day)))
        .filter(bill_order::institution_id.eq(institution))
        .filter(bill_order::bill_id.eq(bill_id))
        .filter(bill_order::inst_order_no.eq_any(numbers))
        .select(bill_order::inst_order_no)
        .load(tx.conn())?)
}

pub(super) fn has_source(tx: &mut Tx<'_>, bill_id: BillId, file_id: FileId) -> Result<bool, Error> {
    let source = bill_source::table.find((bill_id, file_id));
    Ok(diesel::select(exists(source)).get_result(tx.conn())?)
}

pub(super) fn add_source(tx: &mut Tx<'_>, bill_id: BillId, file_id: FileId) -> Result<(), Error> {
    diesel::insert_into(bill_source::table)
        .values((bill_source::bill_id.eq(bill_id), bill_source::file_id.eq(file_id)))
        .execute(tx.conn())?;
    Ok(())
}
