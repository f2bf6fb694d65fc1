//! The institution's evidence of the day: its bills as streams of orders, sorted like the day's files.
use std::io::BufRead;

use super::bundles::Bundles;
use super::front::{Front, Key, Stream};
use super::report::{Part, Step};
use super::sort::{Rows, Sorter};
use super::{Bill, Bounds, ChannelBill, Given, Run, Scratch, Signer, Unusable, unreadable};
use crate::bill::{BillOrder, BillRow};
use crate::calendar::Instant;
use crate::digest::Digest;
use crate::file::bil::{BilReader, BilRow};
use crate::file::{Check, Fault, FileName};

/// What is known of the bills as a whole.
#[derive(Default)]
pub(super) struct Bills {
    /// Their names, in the order in which they were given.
    pub names: Vec<String>,
    /// Whether one could not be used, or not to its end: then nothing can be said of an order that is in none.
    pub broken: bool,
    /// F lines and their like.
    pub refunds: u64,
}

/// An order of a bill, and where it stands.
pub(super) struct Row {
    pub order: BillOrder,
    /// Which bill.
    pub bill: u32,
    /// Its line.
    pub line: u64,
    /// Only a later seq of the bill tells it.
    pub late: bool,
}

impl Row {
    pub fn blank(bill: u32, late: bool) -> Self {
        Self { order: BillOrder::blank(), bill, line: 0, late }
    }
}

/// The orders of one bill, or of several put in order.
pub(super) enum BillStream<'a> {
    Bil(Box<Bil<'a>>),
    Sorted(Box<Rows>),
}

impl Stream for BillStream<'_> {
    fn key(&self) -> Option<Key<'_>> {
        self.row().map(|row| (row.order.facts.paid_at, row.order.facts.inst_order_no.as_str()))
    }
}

impl<'a> BillStream<'a> {
    /// The order at which it stands.
    pub fn row(&self) -> Option<&Row> {
        match self {
            Self::Bil(bil) => bil.reader.is_some().then_some(&bil.row),
            Self::Sorted(rows) => rows.row(),
        }
    }

    /// Goes to the next order.
    pub fn advance(&mut self, run: &mut Run<'_>) -> Result<(), Unusable> {
        match self {
            Self::Bil(bil) => bil.advance(run),
            Self::Sorted(rows) => rows.advance().map_err(Unusable::Scratch),
        }
    }
}

/// Opens all bills; those that are not sorted are put in order first.
pub(super) fn open<'a>(
    run: &mut Run<'_>,
    bundles: &Bundles,
    bills: Vec<Bill<'a>>,
    (scratch, bounds): (&dyn Scratch, Bounds),
) -> Result<Front<BillStream<'a>>, Unusable> {
    let mut streams = Vec::new();
    let mut sorter = Sorter::new(scratch, bounds);
    for (index, bill) in (0_u32..).zip(bills) {
        let name = match &bill {
            Bill::Bil(given) => given.name.clone(),
            Bill::Channel { name, .. } => name.clone(),
        };
        run.bills.names.push(name.clone());
        run.report.at((Step::Bills, index, Part::Head));
        match bill {
            Bill::Bil(given) => {
                let stream = Bil::open(run, bundles, index, given)?;
                streams.extend(stream.map(|bil| BillStream::Bil(Box::new(bil))));
            }
            Bill::Channel { bill, signature, .. } => {
                let digest = channel(run, bundles, (index, &name), bill, &mut sorter)?;
                signed(run, &name, &digest, signature.as_deref());
            }
        }
    }
    let sorted = sorter.finish().map_err(Unusable::Scratch)?;
    streams.extend(sorted.into_iter().map(|rows| BillStream::Sorted(Box::new(rows))));
    Ok(Front::new(streams))
}

/// Reads a channel's own bill to its end, into the sorter.
fn channel(
    run: &mut Run<'_>,
    bundles: &Bundles,
    (index, name): (u32, &str),
    bill: Box<dyn ChannelBill + '_>,
    sorter: &mut Sorter<'_>,
) -> Result<Digest, Unusable> {
    let merchant = |no: &str| bundles.merchant_by_inst_no(no).map(str::to_owned);
    let mut row = Row::blank(index, is_late(name));
    let mut failed = None;
    let mut each = |line, read| {
        if failed.is_some() {
            return;
        }
        let taken = match read {
            BillRow::Order(order) => {
                (row.order, row.line) = (order, line);
                let sound = in_bounds(&row.order);
                let sound = sound.map_err(|why| Unusable::Bill { file: name.to_owned(), line, why });
                sound.and_then(|()| {
                    take_order(run, &row);
                    sorter.push(&row).map_err(Unusable::Scratch)
                })
            }
            BillRow::Refund(refund) => {
                take_refund(run, (index, line), refund.refunded_at);
                Ok(())
            }
        };
        failed = taken.err();
    };
    let read = bill.read(&merchant, &mut each);
    match failed {
        Some(unusable) => Err(unusable),
        None => read.map_err(|(line, why)| Unusable::Bill { file: name.to_owned(), line, why }),
    }
}

fn is_late(bill: &str) -> bool {
    FileName::parse(bill).is_some_and(|name| name.seq > 1)
}

/// A channel's bill names an unknown merchant by nothing at all, which only the order's reason is about.
fn in_bounds(order: &BillOrder) -> Result<(), String> {
    match order.facts.check() {
        Err(bad) if bad.0 != "merchant" || !order.facts.merchant.is_empty() => Err(bad.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn take_order(run: &mut Run<'_>, row: &Row) {
    let facts = &row.order.facts;
    on_day(run, (row.bill, row.line), facts.paid_at, Some(&facts.inst_order_no));
    run.report.totals.bill_order(facts);
}

fn take_refund(run: &mut Run<'_>, place: (u32, u64), refunded_at: Instant) {
    on_day(run, place, refunded_at, None);
    run.bills.refunds = run.bills.refunds.saturating_add(1);
}

/// V16.
fn on_day(run: &mut Run<'_>, (bill, line): (u32, u64), at: Instant, order: Option<&String>) {
    if !run.day.contains(at) {
        let mut fault = Fault::new(Check::V16, line, format!("a time on {}", run.day), at.to_cst());
        fault.order = order.cloned();
        run.report.at((Step::Bills, bill, Part::Orders));
        run.report.fault(run.bills.name(bill), fault);
    }
}

impl Bills {
    /// The name of one.
    pub fn name(&self, bill: u32) -> &str {
        usize::try_from(bill).ok().and_then(|bill| self.names.get(bill)).map_or("", String::as_str)
    }
}

/// A bill is the institution's own, so it may stand without a signature; one that stands there must be right.
fn signed(run: &mut Run<'_>, file: &str, digest: &Digest, signature: Option<&[u8]>) {
    match signature {
        None => {
            run.report.leave_out("V02", format!("{file}: no .sig beside the bill"));
            run.report.not_authenticated.push(format!("{file} carries no signature"));
        }
        Some(signature) => run.signed(Signer::Institution, file, digest, Some(signature)),
    }
}

/// A BIL as it streams by. One that breaks counts as far as it could be read.
pub(super) struct Bil<'a> {
    /// `None` when it has ended.
    reader: Option<BilReader<Box<dyn BufRead + 'a>>>,
    signature: Option<Vec<u8>>,
    file: String,
    row: Row,
}

impl<'a> Bil<'a> {
    fn open(
        run: &mut Run<'_>,
        bundles: &Bundles,
        index: u32,
        given: Given<'a>,
    ) -> Result<Option<Self>, Unusable> {
        let Given { name: file, content, signature } = given;
        let reader = match BilReader::new(content) {
            Ok(reader) => reader,
            Err(error) => {
                run.bills.broken = true;
                return unreadable(run, &file, error).map(|()| None);
            }
        };
        let stated = reader.header().name.clone();
        run.named(bundles, &file, &stated);
        if stated.day != run.day {
            let day = format!("a bill of {}", run.day);
            run.report.file(Check::V14, &file, day, &stated.day.to_string());
        }
        let row = Row::blank(index, is_late(&file));
        let mut bil = Self { reader: Some(reader), signature, file, row };
        bil.advance(run)?;
        Ok(Some(bil))
    }

    fn advance(&mut self, run: &mut Run<'_>) -> Result<(), Unusable> {
        while let Some(reader) = &mut self.reader {
            match reader.next_into(&mut self.row.order) {
                Ok(Some(BilRow::Order)) => {
                    self.row.line = reader.line_number();
                    if let Err(bad) = self.row.order.facts.check_money() {
                        let (file, line, why) = (self.file.clone(), self.row.line, bad.to_string());
                        return Err(Unusable::Bill { file, line, why });
                    }
                    take_order(run, &self.row);
                    return Ok(());
                }
                Ok(Some(BilRow::Refund(refund))) => {
                    take_refund(run, (self.row.bill, reader.line_number()), refund.refunded_at);
                }
                Ok(None) => self.finish(run)?,
                Err(error) => {
                    self.reader = None;
                    run.bills.broken = true;
                    run.report.at((Step::Bills, self.row.bill, Part::Seal));
                    unreadable(run, &self.file, error)?;
                }
            }
        }
        Ok(())
    }

    /// A BIL with the right digest that does not add up is the institution's own mistake: unusable.
    fn finish(&mut self, run: &mut Run<'_>) -> Result<(), Unusable> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        run.report.at((Step::Bills, self.row.bill, Part::Seal));
        let seal = match reader.finish() {
            Ok(seal) => seal,
            Err(error) => {
                run.bills.broken = true;
                return unreadable(run, &self.file, error);
            }
        };
        signed(run, &self.file, &seal.digest, self.signature.as_deref());
        let intact = seal.faults.iter().all(|fault| fault.check != Check::V01);
        if intact && let Some(fault) = seal.faults.iter().find(|fault| fault.check == Check::V03) {
            let why = format!("{}, found {}", fault.expected, fault.found);
            return Err(Unusable::Bill { file: self.file.clone(), line: fault.line, why });
        }
        run.bills.broken |= !intact;
        run.report.faults(&self.file, seal.faults);
        Ok(())
    }
}
