//! The institution's evidence of the day: every payment once, whatever bills it came in.
use std::collections::{HashMap, HashSet};

use super::bundles::Bundles;
use super::{Bill, Given, Run, Signer, Unusable, unreadable};
use crate::kernel::bill::{BillOrder, BillRow};
use crate::kernel::digest::Digest;
use crate::kernel::file::bil::BilReader;
use crate::kernel::file::{Check, Fault, FileName};

/// The orders of the day's bills.
#[derive(Default)]
pub(super) struct DayBill {
    /// By `inst_order_no`.
    pub orders: HashMap<String, BillOrder>,
    /// Those that only a later seq of the bill tells.
    pub late: HashSet<String>,
    /// False when a bill could not be used: then nothing can be said of an order that is not here.
    pub whole: bool,
    /// Names of the bills, for orders that no file tells.
    pub names: String,
    refunds: u64,
}

impl DayBill {
    pub fn load(run: &mut Run<'_>, bundles: &Bundles, bills: Vec<Bill<'_>>) -> Result<Self, Unusable> {
        let mut day = Self { whole: true, ..Self::default() };
        for bill in bills {
            let name = match &bill {
                Bill::Bil(given) => given.name.clone(),
                Bill::Channel { name, .. } => name.clone(),
            };
            let mut rows = Vec::new();
            let usable = match bill {
                Bill::Bil(given) => read_bil(run, bundles, given, &mut rows)?,
                Bill::Channel { name, bill, signature } => {
                    let merchant = |no: &str| bundles.merchant_by_inst_no(no).map(str::to_owned);
                    let digest = bill
                        .read(&merchant, &mut |line, row| rows.push((line, row)))
                        .map_err(|(line, why)| Unusable::Bill { file: name.clone(), line, why })?;
                    signed(run, &name, &digest, signature.as_deref());
                    true
                }
            };
            if !day.names.is_empty() {
                day.names.push(' ');
            }
            day.names.push_str(&name);
            day.whole &= usable;
            if usable {
                day.take(run, &name, rows)?;
            }
        }
        if !day.whole {
            run.report.leave_out("V05-V12", "orders that only a broken bill tells");
        }
        if day.refunds > 0 {
            let why = format!("{} refunds of the bill: no RTN is given", day.refunds);
            run.report.leave_out("V17-V19", why);
        }
        Ok(day)
    }

    fn take(&mut self, run: &mut Run<'_>, bill: &str, rows: Vec<(u64, BillRow)>) -> Result<(), Unusable> {
        let late = FileName::parse(bill).is_some_and(|name| name.seq > 1);
        for (line, row) in rows {
            let (at, order) = match &row {
                BillRow::Order(order) => (order.facts.paid_at, Some(&order.facts.inst_order_no)),
                BillRow::Refund(refund) => (refund.refunded_at, None),
            };
            if at.business_day() != run.day {
                let mut fault = Fault::new(Check::V16, line, format!("a time on {}", run.day), at.to_cst());
                fault.order = order.cloned();
                run.report.fault(bill, fault);
            }
            let unusable = |why| Unusable::Bill { file: bill.to_owned(), line, why };
            match row {
                BillRow::Refund(_) => self.refunds = self.refunds.saturating_add(1),
                BillRow::Order(order) => {
                    bounds(&order).map_err(unusable)?;
                    run.report.totals.bill_order(&order.facts);
                    let no = order.facts.inst_order_no.clone();
                    if late {
                        self.late.insert(no.clone());
                    }
                    if self.orders.insert(no.clone(), order).is_some() {
                        return Err(unusable(format!("the bills tell payment {no} twice")));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A channel's bill names an unknown merchant by nothing at all, which only the order's reason is about.
fn bounds(order: &BillOrder) -> Result<(), String> {
    match order.facts.check() {
        Err(bad) if bad.0 != "merchant" || !order.facts.merchant.is_empty() => Err(bad.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A bill is the institution's own, so it may stand without a signature; one that stands there must be right.
fn signed(run: &mut Run<'_>, file: &str, digest: &Digest, signature: Option<&[u8]>) {
    match signature {
        None => run.report.leave_out("V02", format!("{file}: no .sig beside the bill")),
        Some(signature) => run.signed(Signer::Institution, file, digest, Some(signature)),
    }
}

/// Reads a BIL; false when it cannot be used and the report says why. A BIL with the right digest that does not add up
/// is the institution's own mistake: unusable.
fn read_bil(
    run: &mut Run<'_>,
    bundles: &Bundles,
    given: Given<'_>,
    rows: &mut Vec<(u64, BillRow)>,
) -> Result<bool, Unusable> {
    let Given { name: file, content, signature } = given;
    let mut reader = match BilReader::new(content) {
        Ok(reader) => reader,
        Err(error) => return unreadable(run, &file, error).map(|()| false),
    };
    let stated = reader.header().name.clone();
    run.named(bundles, &file, &stated);
    if stated.day != run.day {
        let day = format!("a bill of {}", run.day);
        run.report.file(Check::V14, &file, day, &stated.day.to_string());
    }
    loop {
        match reader.next_row() {
            Ok(None) => break,
            Ok(Some(row)) => rows.push((reader.line_number(), row)),
            Err(error) => return unreadable(run, &file, error).map(|()| false),
        }
    }
    let seal = match reader.finish() {
        Ok(seal) => seal,
        Err(error) => return unreadable(run, &file, error).map(|()| false),
    };
    signed(run, &file, &seal.digest, signature.as_deref());
    let intact = seal.faults.iter().all(|fault| fault.check != Check::V01);
    if intact && let Some(fault) = seal.faults.iter().find(|fault| fault.check == Check::V03) {
        let why = format!("{}, found {}", fault.expected, fault.found);
        return Err(Unusable::Bill { file, line: fault.line, why });
    }
    run.report.faults(&file, seal.faults);
    Ok(intact)
}
