//! The channel's bill of a day: fetched, read whole or not at all, and kept with its digest.
use std::collections::HashSet;
use std::fs;
use std::io::Write;

use super::store::{self, BillRow};
use crate::channels::wechat::{Answer, Client};
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::institutions::exchange::{self, Desk, NewFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::bill::{self, BillOrder};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::ReadError;
use crate::kernel::file::bil::BilReader;
use crate::kernel::money::Fen;
use crate::protocol::wechat::bill::{BillFault, Reader};

/// The kind under which a channel's own bill is recorded.
pub const KIND: &str = "WXBILL";

/// A bill that was read to its end and found usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its orders by (`paid_at`, `inst_order_no`).
    pub orders: Vec<BillOrder>,
    /// What was paid, in fen.
    pub total_paid: Fen,
}

/// Fetches the bill of a day from the institution's channel; never inside a transaction.
pub async fn fetch(client: &Client, day: BusinessDay) -> Result<Vec<u8>, Error> {
    let why = match client.trade_bill(day).await {
        Answer::Ok(bytes) => return Ok(bytes),
        Answer::Refused { code, message, .. } => format!("{code} {message}"),
        Answer::Busy => "too many requests".to_owned(),
        Answer::Unknown(why) => why.to_string(),
    };
    Err(Error::refused(Code::BillUnavailable, format!("bill of {day}: {why}")))
}

/// Reads a bill; merchants are named by the bundle. A bill with a fault, with an order of another day, or with an
/// order twice is unusable as a whole.
pub fn read(bytes: &[u8], bundle: &Bundle, day: BusinessDay) -> Result<Bill, Error> {
    let broken = |fault: BillFault| unusable(day, &fault.to_string());
    let merchant = |number: &str| bundle.merchant_by_inst_no(number).map(str::to_owned);
    let mut orders = Vec::new();
    for row in Reader::new(bytes, &merchant).map_err(broken)? {
        match row.map_err(broken)? {
            bill::BillRow::Order(order) => orders.push(order),
            bill::BillRow::Refund(_) => {}
        }
    }
    whole(orders, day)
}

/// Adds what only the institution's own signed bills tell: the channel's bill of a day never changes, late rows come
/// in a BIL.
pub fn with_signed(tx: &mut Tx<'_>, desk: &Desk, bill: Bill, day: BusinessDay) -> Result<Bill, Error> {
    let mut orders = bill.orders;
    let mut known: HashSet<String> = orders.iter().map(|order| order.facts.inst_order_no.clone()).collect();
    for file in exchange::of_day(tx, desk.institution.id, "BIL", day.to_i32())? {
        let bytes = kept_bytes(desk, &file.name, &file.sha256)?;
        let broken = |fault: ReadError| unusable(day, &format!("{}: {fault}", file.name));
        let mut reader = BilReader::new(bytes.as_slice()).map_err(broken)?;
        while let Some(row) = reader.next_row().map_err(broken)? {
            if let bill::BillRow::Order(order) = row
                && known.insert(order.facts.inst_order_no.clone())
            {
                orders.push(order);
            }
        }
    }
    whole(orders, day)
}

/// Orders of one day, each once, by (`paid_at`, `inst_order_no`).
fn whole(mut orders: Vec<BillOrder>, day: BusinessDay) -> Result<Bill, Error> {
    orders.sort_unstable_by(|a: &BillOrder, b: &BillOrder| {
        (a.facts.paid_at, &a.facts.inst_order_no).cmp(&(b.facts.paid_at, &b.facts.inst_order_no))
    });
    let (mut numbers, mut order_numbers) = (HashSet::new(), HashSet::new());
    for order in &orders {
        let number = order.facts.inst_order_no.as_str();
        if order.facts.paid_at.business_day() != day {
            return Err(unusable(day, &format!("{number} was paid on another day")));
        }
        if !numbers.insert(number) || !order_numbers.insert(order.order_no.as_str()) {
            return Err(unusable(day, &format!("{number} or its order {} stands twice", order.order_no)));
        }
    }
    let total_paid = Fen::sum(orders.iter().map(|order| order.facts.paid))
        .ok_or_else(|| unusable(day, "its total is beyond 64 bits"))?;
    Ok(Bill { orders, total_paid })
}

fn unusable(day: BusinessDay, why: &str) -> Error {
    Error::refused(Code::BillUnusable, format!("bill of {day}: {why}"))
}

/// Keeps a bill as evidence: its bytes beside the institution's files, its digest in the database. The same bill
/// again is the row that is there.
pub fn keep(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    bytes: &[u8],
    bill: &Bill,
    now: i64,
) -> Result<BillRow, Error> {
    let sha256 = Digest::of(bytes).to_string();
    let known = store::bills(tx, desk.institution.id, day.to_i32())?;
    if let Some(same) = known.iter().find(|row| row.sha256 == sha256) {
        return Ok(same.clone());
    }
    let seq = known.len().saturating_add(1);
    let institution = &desk.institution;
    let name = format!("{KIND}_{}_{}_{day}_{seq:04}.csv", institution.code, institution.platform_code);
    store_bytes(desk, &name, bytes)?;
    let new = NewFile {
        institution_id: institution.id,
        direction: "IN",
        kind: KIND,
        name,
        business_date: day.to_i32(),
        seq: i32::try_from(seq).map_err(|_| Error::Internal("too many bills of a day".into()))?,
        sha256,
        size: count(bytes.len()),
        orders: count(bill.orders.len()),
        lines: 0,
        total: bill.total_paid.get(),
        previous_sha256: None,
        approvals_sha256: None,
        created_at: now,
        recorded_at: now,
    };
    let file = exchange::record(tx, &new)?;
    store::add_bill(tx, &file)
}

/// The orders that a kept bill and the signed bills of its day tell; the bytes must be those that were kept.
pub fn reload(tx: &mut Tx<'_>, desk: &Desk, row: &BillRow, bundle: &Bundle) -> Result<Bill, Error> {
    let file = exchange::by_id(tx, row.file_id)?;
    let bytes = kept_bytes(desk, &file.name, &row.sha256)?;
    let day = BusinessDay::from_i32(row.business_date)
        .ok_or_else(|| Error::Internal("a bill's stored day".into()))?;
    with_signed(tx, desk, read(&bytes, bundle, day)?, day)
}

fn kept_bytes(desk: &Desk, name: &str, sha256: &str) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(desk.folder.inbox().join(name))?;
    if Digest::of(&bytes).to_string() == sha256 {
        return Ok(bytes);
    }
    Err(Error::Internal(format!("{name} on disk is not the bill that was kept; run `mingfen check`")))
}

/// A name that was never recorded is free: whatever a crash left under it is written over.
fn store_bytes(desk: &Desk, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let dir = desk.folder.inbox();
    let mut file = exchange::stage(&dir, name)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(exchange::staged(&dir, name), dir.join(name))?;
    Ok(fs::File::open(&dir)?.sync_all()?)
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
