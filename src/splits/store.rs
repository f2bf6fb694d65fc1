//! Queries of the splits room.
use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::db::Tx;
use crate::db::schema::{
    day_cut, exchanged_file, file_result, pay_order, split_key, split_line, split_order, sub_merchant,
};
use crate::error::Error;
use crate::insert_rows;
use crate::people::Scope;

/// Rows that go into one statement.
const BATCH: usize = 400;

/// What a repeated cut must use again.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = day_cut)]
pub struct DayCut {
    /// Whose day.
    pub institution_id: i64,
    /// yyyymmdd.
    pub business_date: i32,
    /// The SPL's seq.
    pub seq: i32,
    /// The bill it was made from.
    pub bill_id: i64,
    /// The bundle it was made under.
    pub approvals_sha256: String,
    /// The header's time, unix microseconds.
    pub created_at: i64,
}

/// An order as an SPL tells it: O with its lines, or X with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = split_order, treat_none_as_default_value = false)]
pub struct SplitOrder {
    /// yyyymmdd.
    pub business_date: i32,
    /// The SPL.
    pub file_id: i64,
    /// Its place in the SPL, from 1.
    pub n: i32,
    /// `O` or `X`.
    pub kind: String,
    /// Why it could not be split, of an X.
    pub reason: Option<String>,
    /// Our number.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// Whose day.
    pub institution_id: i64,
    /// Our sub-merchant, where we know it.
    pub sub_merchant_id: Option<i64>,
    /// The sub-merchant of the bill.
    pub merchant: String,
    /// Channel.
    pub channel: String,
    /// Product.
    pub product: String,
    /// Tags in the files' text form.
    pub tags: String,
    /// Parties in the files' text form.
    pub parties: String,
    /// Unix microseconds.
    pub paid_at: i64,
    /// Fen.
    pub paid: i64,
    /// Fen.
    pub fee: i64,
    /// Fen.
    pub subsidy: i64,
    /// Name of the rule that split it, of an O.
    pub rule: Option<String>,
    /// Its version.
    pub version: Option<i32>,
    /// Its digest.
    pub rule_digest: Option<String>,
    /// The version that was shown at payment; another one than `rule_digest` is worth a look.
    pub preview_digest: Option<String>,
    /// Lines that follow.
    pub lines: i32,
}

/// One receiver's part of an order.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = split_line, treat_none_as_default_value = false)]
pub struct SplitLine {
    /// yyyymmdd.
    pub business_date: i32,
    /// The SPL.
    pub file_id: i64,
    /// Its order's place in the SPL.
    pub n: i32,
    /// Its place among the order's lines, from 0.
    pub idx: i32,
    /// Place of the share in its rule.
    pub path: String,
    /// Role.
    pub role: String,
    /// Receiver key.
    pub receiver: String,
    /// Fen, above 0.
    pub amount: i64,
}

/// An order of an SPL with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// O or X.
    pub order: SplitOrder,
    /// In the order in which the split made them; none of an X.
    pub lines: Vec<SplitLine>,
}

/// What one receiver gets from an SPL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverTotal {
    /// Receiver key.
    pub receiver: String,
    /// Fen.
    pub total: i64,
    /// Orders with a line for the receiver.
    pub orders: i64,
}

/// The cuts of a day, by seq.
pub fn cuts(tx: &mut Tx<'_>, institution: i64, day: i32) -> Result<Vec<DayCut>, Error> {
    Ok(day_cut::table
        .filter(day_cut::institution_id.eq(institution))
        .filter(day_cut::business_date.eq(day))
        .order(day_cut::seq.asc())
        .select(DayCut::as_select())
        .load(tx.conn())?)
}

pub(super) fn add_cut(tx: &mut Tx<'_>, cut: &DayCut) -> Result<(), Error> {
    diesel::insert_into(day_cut::table).values(cut).execute(tx.conn())?;
    Ok(())
}

/// Stores the orders of a file that is recorded.
pub(super) fn add_entries(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), Error> {
    for batch in entries.chunks(BATCH) {
        let orders: Vec<&SplitOrder> = batch.iter().map(|entry| &entry.order).collect();
        let keys: Vec<_> = orders
            .iter()
            .map(|order| {
                (
                    split_key::inst_order_no.eq(&order.inst_order_no),
                    split_key::file_id.eq(order.file_id),
                    split_key::business_date.eq(order.business_date),
                    split_key::n.eq(order.n),
                )
            })
            .collect();
        insert_rows!(tx, split_order, orders.clone())?;
        insert_rows!(tx, split_key, keys)?;
        let lines: Vec<&SplitLine> = batch.iter().flat_map(|entry| &entry.lines).collect();
        for lines in lines.chunks(BATCH) {
            insert_rows!(tx, split_line, lines.to_vec())?;
        }
    }
    Ok(())
}

/// The institution's numbers of all orders that these files list.
pub fn listed(tx: &mut Tx<'_>, day: i32, files: &[i64]) -> Result<HashSet<String>, Error> {
    let numbers: Vec<String> = split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq_any(files))
        .select(split_order::inst_order_no)
        .load(tx.conn())?;
    Ok(numbers.into_iter().collect())
}

/// The institution's numbers of the orders that these files tell as X and never as O.
pub(super) fn listed_unsplit(tx: &mut Tx<'_>, day: i32, files: &[i64]) -> Result<HashSet<String>, Error> {
    let rows: Vec<(String, bool)> = split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq_any(files))
        .select((split_order::inst_order_no, split_order::reason.is_null()))
        .load(tx.conn())?;
    let split: HashSet<&String> = rows.iter().filter(|(_, split)| *split).map(|(no, _)| no).collect();
    Ok(rows.iter().map(|(no, _)| no).filter(|no| !split.contains(no)).cloned().collect())
}

/// The files that list an order of an institution, with its place there: numbers are the institution's own.
pub fn places(tx: &mut Tx<'_>, institution: i64, inst_order_no: &str) -> Result<Vec<(i64, i32, i32)>, Error> {
    Ok(split_key::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(split_key::file_id)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(split_key::inst_order_no.eq(inst_order_no))
        .order(split_key::file_id.asc())
        .select((split_key::file_id, split_key::business_date, split_key::n))
        .load(tx.conn())?)
}

/// Which of these orders of an institution a file of another day lists that is not void.
pub(super) fn listed_elsewhere(
    tx: &mut Tx<'_>,
    institution: i64,
    day: i32,
    numbers: &[&str],
) -> Result<Vec<String>, Error> {
    let void = file_result::table
        .filter(file_result::file_id.eq(split_key::file_id))
        .filter(file_result::stage.eq("FIRST"))
        .filter(file_result::code.ne_all(["ACCEPTED", "E_SIGN", "E_DIGEST"]));
    Ok(split_key::table
        .inner_join(exchanged_file::table.on(exchanged_file::id.eq(split_key::file_id)))
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(not(exists(void)))
        .filter(split_key::inst_order_no.eq_any(numbers))
        .filter(split_key::business_date.ne(day))
        .select(split_key::inst_order_no)
        .load(tx.conn())?)
}

/// At most `limit` orders of a file after place `after`, with their lines.
pub fn entries(tx: &mut Tx<'_>, day: i32, file: i64, after: i32, limit: i64) -> Result<Vec<Entry>, Error> {
    let orders: Vec<SplitOrder> = split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq(file))
        .filter(split_order::n.gt(after))
        .order(split_order::n.asc())
        .limit(limit)
        .select(SplitOrder::as_select())
        .load(tx.conn())?;
    let Some(last) = orders.last().map(|order| order.n) else { return Ok(Vec::new()) };
    let lines: Vec<SplitLine> = split_line::table
        .filter(split_line::business_date.eq(day))
        .filter(split_line::file_id.eq(file))
        .filter(split_line::n.gt(after))
        .filter(split_line::n.le(last))
        .order((split_line::n.asc(), split_line::idx.asc()))
        .select(SplitLine::as_select())
        .load(tx.conn())?;
    let mut lines = lines.into_iter().peekable();
    Ok(orders
        .into_iter()
        .map(|order| {
            let lines = std::iter::from_fn(|| lines.next_if(|line| line.n <= order.n)).collect();
            Entry { order, lines }
        })
        .collect())
}

/// One order of a file.
pub fn entry(tx: &mut Tx<'_>, day: i32, file: i64, n: i32) -> Result<Option<Entry>, Error> {
    Ok(entries(tx, day, file, n.saturating_sub(1), 1)?.into_iter().find(|entry| entry.order.n == n))
}

/// The orders of a file that could not be split.
pub fn unsplit(tx: &mut Tx<'_>, day: i32, file: i64) -> Result<Vec<SplitOrder>, Error> {
    Ok(split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq(file))
        .filter(split_order::kind.eq("X"))
        .order(split_order::n.asc())
        .select(SplitOrder::as_select())
        .load(tx.conn())?)
}

/// How many orders of a file were split.
pub fn split_count(tx: &mut Tx<'_>, day: i32, file: i64) -> Result<i64, Error> {
    Ok(split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq(file))
        .filter(split_order::kind.eq("O"))
        .count()
        .get_result(tx.conn())?)
}

/// What the lines of each split order of a file add up to, in fen.
pub fn order_amounts(tx: &mut Tx<'_>, day: i32, file: i64) -> Result<BTreeMap<i32, i64>, Error> {
    let rows: Vec<(i32, i64)> = split_order::table
        .filter(split_order::business_date.eq(day))
        .filter(split_order::file_id.eq(file))
        .filter(split_order::kind.eq("O"))
        .select((split_order::n, sql::<BigInt>("paid + subsidy - fee")))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// What each receiver gets from a file, by receiver.
pub fn receiver_totals(tx: &mut Tx<'_>, day: i32, file: i64) -> Result<Vec<ReceiverTotal>, Error> {
    let rows: Vec<(String, i64, i64)> = split_line::table
        .filter(split_line::business_date.eq(day))
        .filter(split_line::file_id.eq(file))
        .group_by(split_line::receiver)
        .order(split_line::receiver.asc())
        .select((
            split_line::receiver,
            sql::<BigInt>("CAST(SUM(amount) AS BIGINT)"),
            sql::<BigInt>("COUNT(DISTINCT n)"),
        ))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(receiver, total, orders)| ReceiverTotal { receiver, total, orders }).collect())
}

/// Internal keys of an institution's sub-merchants.
pub(super) fn sub_merchants(tx: &mut Tx<'_>, institution: i64) -> Result<HashMap<String, i64>, Error> {
    let rows: Vec<(String, i64)> = sub_merchant::table
        .filter(sub_merchant::institution_id.eq(institution))
        .select((sub_merchant::merchant, sub_merchant::id))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// An order that no file of its day could split, with the file that tells it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsplit {
    /// Our number, as the bill has it.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// Whether the order is one of ours.
    pub known: bool,
    /// Unix microseconds.
    pub paid_at: i64,
    /// Fen.
    pub paid: i64,
    /// The reason in the file.
    pub reason: String,
    /// The file.
    pub file: String,
}

/// X lines that still stand, within a scope: their file is not void, and no other file tells the order as O.
macro_rules! standing_unsplit {
    ($scope:expr) => {{
        let (released, void) = diesel::alias!(split_order as released, file_result as void);
        let released = split_key::table
            .inner_join(
                released.on(released
                    .field(split_order::file_id)
                    .eq(split_key::file_id)
                    .and(released.field(split_order::business_date).eq(split_key::business_date))
                    .and(released.field(split_order::n).eq(split_key::n))),
            )
            .filter(split_key::inst_order_no.eq(split_order::inst_order_no))
            .filter(released.field(split_order::institution_id).eq(split_order::institution_id))
            .filter(released.field(split_order::kind).eq("O"));
        let void = void
            .filter(void.field(file_result::file_id).eq(split_order::file_id))
            .filter(void.field(file_result::stage).eq("FIRST"))
            .filter(void.field(file_result::code).ne_all(["ACCEPTED", "E_SIGN", "E_DIGEST"]))
            // The offset keeps PostgreSQL from making a join of it that reads all results for each order.
            .offset(0);
        let query = split_order::table
            .inner_join(exchanged_file::table.on(exchanged_file::id.eq(split_order::file_id)))
            .left_join(pay_order::table.on(pay_order::order_no.eq(split_order::order_no)))
            // Not by kind: a bound value would keep the index of unsplit orders from being used.
            .filter(split_order::reason.is_not_null())
            .filter(not(exists(released)))
            .filter(not(exists(void)))
            .into_boxed();
        match $scope {
            Scope::Platform => query,
            Scope::Institution(id) => query.filter(split_order::institution_id.eq(*id)),
            Scope::Merchant(id) => query.filter(split_order::sub_merchant_id.eq(*id)),
        }
    }};
}

/// How many orders stand unsplit, counted up to `most`.
pub fn unsplit_count(tx: &mut Tx<'_>, scope: &Scope, most: i64) -> Result<i64, Error> {
    let some: Vec<i32> = standing_unsplit!(scope).select(split_order::n).limit(most).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// The orders that stand unsplit, newest first, at most `limit`.
pub fn unsplit_newest(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<Unsplit>, Error> {
    type Row = (String, String, Option<i64>, i64, i64, Option<String>, String);
    let rows: Vec<Row> = standing_unsplit!(scope)
        .order((split_order::business_date.desc(), split_order::file_id.desc(), split_order::n.desc()))
        .limit(limit)
        .select((
            split_order::order_no,
            split_order::inst_order_no,
            pay_order::id.nullable(),
            split_order::paid_at,
            split_order::paid,
            split_order::reason,
            exchanged_file::name,
        ))
        .load(tx.conn())?;
    let found = rows.into_iter().map(|(order_no, inst_order_no, known, paid_at, paid, reason, file)| {
        let (known, reason) = (known.is_some(), reason.unwrap_or_default());
        Unsplit { order_no, inst_order_no, known, paid_at, paid, reason, file }
    });
    Ok(found.collect())
}
