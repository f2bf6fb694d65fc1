//! Queries of the splits room.
use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::row_store::SplitRow;
use crate::db::Tx;
use crate::db::columns::{As, BillId, FileId, InstitutionId, ResultId};
use crate::db::schema::{bill_order, day_cut, file_standing, result_line, rule_version, split_order};
use crate::error::Error;
use crate::exchange::ExchangedFile;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::file::spl::{SplLine, shares};
use crate::kernel::money::Fen;
use crate::kernel::state::FileState;
use crate::reconciliation::{self, BilledOrder, KeptBill};

/// Orders that are looked at in one query.
const PAGE: i64 = 2000;

/// What a repeated cut must use again.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = day_cut)]
pub struct DayCut {
    /// Whose day.
    pub institution_id: InstitutionId,
    /// The day.
    pub business_date: BusinessDay,
    /// The SPL's seq.
    pub seq: i32,
    /// The bill it was made from.
    pub bill_id: BillId,
    /// The bundle it was made under.
    pub approvals_sha256: Digest,
    /// The header's time, unix microseconds.
    pub created_at: i64,
    /// Whether its run had more orders to tell, in files after it.
    pub more: bool,
}

/// The rule version that split an order.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = rule_version)]
pub struct PickedRule {
    /// Its name.
    pub rule: String,
    /// Its version.
    pub version: i32,
    /// Its digest; another one than the preview's is worth a look.
    pub digest: Digest,
}

/// An order of an SPL with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// O or X.
    pub order: SplitRow,
    /// As its bill has it.
    pub billed: BilledOrder,
    /// Of an O.
    pub rule: Option<PickedRule>,
}

impl Entry {
    /// In the order in which the split made them; none of an X.
    pub fn lines(&self) -> Result<Vec<SplLine<'_>>, Error> {
        lines_of(self.order.n, &self.order.lines)
    }
}

fn lines_of(n: i32, text: &str) -> Result<Vec<SplLine<'_>>, Error> {
    let n = u32::try_from(n).map_err(Error::internal)?;
    shares(n, text).ok_or_else(|| Error::Internal(format!("the stored lines of order {n}")))
}

/// What one receiver gets from an SPL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverTotal {
    /// Receiver key.
    pub receiver: String,
    /// What it is in all.
    pub total: Fen,
    /// Orders with a line for the receiver.
    pub orders: i64,
}

/// The bill's row of an order that a file tells.
macro_rules! billed {
    () => {
        bill_order::table.on(bill_order::business_date
            .eq(split_order::business_date)
            .and(bill_order::institution_id.eq(split_order::institution_id))
            .and(bill_order::bill_id.eq(split_order::bill_id))
            .and(bill_order::paid_at.eq(split_order::paid_at))
            .and(bill_order::inst_order_no.eq(split_order::inst_order_no)))
    };
}

/// What files tell of orders by their numbers: `numbered!(institution, day, numbers)`. A number is found in its bill,
/// and by its time in the files.
macro_rules! numbered {
    ($tx:expr, $institution:expr, $day:expr, $numbers:expr) => {{
        let bills: Vec<BillId> =
            reconciliation::bills($tx, $institution, $day)?.iter().map(|bill| bill.id).collect();
        split_order::table
            .inner_join(billed!())
            .filter(bill_order::business_date.eq(As($day)))
            .filter(bill_order::institution_id.eq($institution))
            .filter(bill_order::bill_id.eq_any(bills))
            .filter(bill_order::inst_order_no.eq_any($numbers))
            .filter(split_order::business_date.eq(As($day)))
            .filter(split_order::institution_id.eq($institution))
    }};
}

/// The orders of a file: `of!(split_order, file)`.
macro_rules! of {
    ($table:ident, $file:expr) => {
        $table::table
            .filter($table::business_date.eq(As($file.business_date)))
            .filter($table::institution_id.eq($file.institution_id))
            .filter($table::file_id.eq($file.id))
    };
}

/// The cuts of a day, by seq.
pub fn cuts(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Vec<DayCut>, Error> {
    Ok(day_cut::table
        .filter(day_cut::institution_id.eq(institution))
        .filter(day_cut::business_date.eq(As(day)))
        .order(day_cut::seq.asc())
        .select(DayCut::as_select())
        .load(tx.conn())?)
}

pub(super) fn add_cut(tx: &mut Tx<'_>, cut: &DayCut) -> Result<(), Error> {
    diesel::insert_into(day_cut::table)
        .values((
            day_cut::institution_id.eq(cut.institution_id),
            day_cut::business_date.eq(As(cut.business_date)),
            day_cut::seq.eq(cut.seq),
            day_cut::bill_id.eq(cut.bill_id),
            day_cut::approvals_sha256.eq(As(cut.approvals_sha256)),
            day_cut::created_at.eq(cut.created_at),
            day_cut::more.eq(As(cut.more)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Whether the last run of a day stopped before its last file: none of its files may be published yet.
pub fn is_unfinished(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<bool, Error> {
    Ok(cuts(tx, institution, day)?.last().is_some_and(|last| last.more))
}

/// Which of these numbers files of the bill's day tell, and whether one of them tells the order as O.
pub(super) fn told(
    tx: &mut Tx<'_>,
    bill: &KeptBill,
    files: &[FileId],
    numbers: &[&str],
) -> Result<HashMap<String, bool>, Error> {
    let rows: Vec<(String, bool)> = numbered!(tx, bill.institution_id, bill.business_date, numbers)
        .filter(split_order::file_id.eq_any(files))
        .select((split_order::inst_order_no, split_order::reason.is_null()))
        .load(tx.conn())?;
    let mut told = HashMap::with_capacity(rows.len());
    for (number, split) in rows {
        *told.entry(number).or_insert(false) |= split;
    }
    Ok(told)
}

/// Whether these files tell every order of a file of their day.
pub(super) fn lists_all(tx: &mut Tx<'_>, files: &[FileId], of: &ExchangedFile) -> Result<bool, Error> {
    let mut after = 0;
    loop {
        let page: Vec<(i32, String)> = of!(split_order, of)
            .filter(split_order::n.gt(after))
            .order(split_order::n.asc())
            .limit(PAGE)
            .select((split_order::n, split_order::inst_order_no))
            .load(tx.conn())?;
        let Some((last, _)) = page.last() else { return Ok(true) };
        after = *last;
        let numbers: Vec<&str> = page.iter().map(|(_, number)| number.as_str()).collect();
        let told: HashSet<String> = numbered!(tx, of.institution_id, of.business_date, numbers)
            .filter(split_order::file_id.eq_any(files))
            .select(split_order::inst_order_no)
            .load(tx.conn())?
            .into_iter()
            .collect();
        if told.len() < page.len() {
            return Ok(false);
        }
    }
}

/// The files of a day that tell an order of an institution, with its place there: numbers are the institution's own.
pub fn places(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    inst_order_no: &str,
) -> Result<Vec<(FileId, i32)>, Error> {
    let bills: Vec<BillId> =
        reconciliation::bills(tx, institution, day)?.iter().map(|bill| bill.id).collect();
    let mut times: Vec<i64> = bill_order::table
        .filter(bill_order::business_date.eq(As(day)))
        .filter(bill_order::institution_id.eq(institution))
        .filter(bill_order::bill_id.eq_any(bills))
        .filter(bill_order::inst_order_no.eq(inst_order_no))
        .select(bill_order::paid_at)
        .load(tx.conn())?;
    times.sort_unstable();
    times.dedup();
    // Step by step, for a plan that knows nothing of the day would read it through.
    Ok(split_order::table
        .filter(split_order::business_date.eq(As(day)))
        .filter(split_order::institution_id.eq(institution))
        .filter(split_order::paid_at.eq_any(times))
        .filter(split_order::inst_order_no.eq(inst_order_no))
        .order(split_order::file_id.asc())
        .select((split_order::file_id, split_order::n))
        .load(tx.conn())?)
}

/// Which of these orders of an institution a file of this day tells that is not void.
pub(super) fn told_on(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    numbers: &[String],
) -> Result<Option<String>, Error> {
    let void = file_standing::table
        .filter(file_standing::file_id.eq(split_order::file_id))
        .filter(file_standing::state.eq(As(FileState::Rejected)));
    Ok(numbered!(tx, institution, day, numbers)
        .filter(not(exists(void)))
        .select(split_order::inst_order_no)
        .first(tx.conn())
        .optional()?)
}

/// The `limit` orders of a file after place `after`, or as many as there are.
pub fn entries(tx: &mut Tx<'_>, file: &ExchangedFile, after: i32, limit: i32) -> Result<Vec<Entry>, Error> {
    // Places and numbers are looked up by key, table by table: a plan for a join would read the whole day for a page.
    let rows: Vec<(SplitRow, Option<PickedRule>)> = split_order::table
        .left_join(rule_version::table.on(rule_version::id.nullable().eq(split_order::rule_id)))
        .filter(split_order::business_date.eq(As(file.business_date)))
        .filter(split_order::institution_id.eq(file.institution_id))
        .filter(split_order::file_id.eq(file.id))
        .filter(split_order::n.gt(after))
        .filter(split_order::n.le(after.saturating_add(limit)))
        .order(split_order::n.asc())
        .select((SplitRow::as_select(), Option::<PickedRule>::as_select()))
        .load(tx.conn())?;
    // A file is made from one bill.
    let Some(bill) = rows.first().map(|(order, _)| order.bill_id) else { return Ok(Vec::new()) };
    let numbers: Vec<&str> = rows.iter().map(|(order, _)| order.inst_order_no.as_str()).collect();
    let billed: Vec<BilledOrder> = bill_order::table
        .filter(bill_order::business_date.eq(As(file.business_date)))
        .filter(bill_order::institution_id.eq(file.institution_id))
        .filter(bill_order::bill_id.eq(bill))
        .filter(bill_order::inst_order_no.eq_any(numbers))
        .select(BilledOrder::as_select())
        .load(tx.conn())?;
    let mut billed: HashMap<String, BilledOrder> =
        billed.into_iter().map(|order| (order.inst_order_no.clone(), order)).collect();
    let entry = |(order, rule): (SplitRow, Option<PickedRule>)| {
        Some(Entry { billed: billed.remove(&order.inst_order_no)?, order, rule })
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

/// One order of a file.
pub fn entry(tx: &mut Tx<'_>, file: &ExchangedFile, n: i32) -> Result<Option<Entry>, Error> {
    Ok(entries(tx, file, n.saturating_sub(1), 1)?.into_iter().find(|entry| entry.order.n == n))
}

/// What the lines of each split order of a file add up to.
pub fn order_amounts(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<BTreeMap<i32, Fen>, Error> {
    let mut amounts = BTreeMap::new();
    each_split(tx, file, None, |n, lines| {
        let sum = Fen::sum(lines.iter().map(|line| line.amount)).ok_or_else(too_much)?;
        amounts.insert(n, sum);
        Ok(())
    })?;
    Ok(amounts)
}

/// What each receiver gets from a file, by receiver.
pub fn receiver_totals(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<Vec<ReceiverTotal>, Error> {
    totals(tx, file, None)
}

/// What each receiver gets of those orders of a file that a result answered with this status.
pub fn answered_totals(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    result: ResultId,
    status: RetStatus,
) -> Result<Vec<ReceiverTotal>, Error> {
    totals(tx, file, Some((result, status)))
}

fn totals(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    answered: Option<(ResultId, RetStatus)>,
) -> Result<Vec<ReceiverTotal>, Error> {
    /// What it is, its orders, and the last order that was counted.
    type Sum = (Fen, i64, i32);
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    each_split(tx, file, answered, |n, lines| {
        for line in lines {
            let sum = match sums.get_mut(line.receiver) {
                Some(sum) => sum,
                None => sums.entry(line.receiver.to_owned()).or_default(),
            };
            sum.0 = sum.0.checked_add(line.amount).ok_or_else(too_much)?;
            if std::mem::replace(&mut sum.2, n) != n {
                sum.1 = sum.1.saturating_add(1);
            }
        }
        Ok(())
    })?;
    let totals =
        sums.into_iter().map(|(receiver, (total, orders, _))| ReceiverTotal { receiver, total, orders });
    Ok(totals.collect())
}

fn too_much() -> Error {
    Error::Internal("the lines of a file are beyond 64 bits".into())
}

/// Gives the lines of every split order of a file, or of those that a result answered with a status, by place.
fn each_split(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    answered: Option<(ResultId, RetStatus)>,
    mut take: impl FnMut(i32, &[SplLine<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let mut page = of!(split_order, file)
            .filter(split_order::reason.is_null())
            .filter(split_order::n.gt(after))
            .order(split_order::n.asc())
            .limit(PAGE)
            .select((split_order::n, split_order::lines))
            .into_boxed();
        if let Some((result, status)) = answered {
            let said = result_line::table
                .filter(result_line::file_result_id.eq(result))
                .filter(result_line::status.eq(As(status)))
                .select(result_line::n);
            page = page.filter(split_order::n.eq_any(said));
        }
        let page: Vec<(i32, String)> = page.load(tx.conn())?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (n, lines) in &page {
            take(*n, &lines_of(*n, lines)?)?;
        }
    }
}
