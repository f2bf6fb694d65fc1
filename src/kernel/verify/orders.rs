//! Every order of the day's files against the bill and the recomputed proposal: V05 to V12, V16.
use std::collections::HashMap;
use std::fmt;

use super::Report;
use super::bills::DayBill;
use super::totals::add;
use crate::kernel::approvals::Bundle;
use crate::kernel::bill::BillOrder;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::file::spl::{SplLine, SplOrder, SplRecord, SplUnsplit};
use crate::kernel::file::{Check, Fault, field};
use crate::kernel::money::Fen;
use crate::kernel::proposal::{Proposal, Reason, propose};
use crate::kernel::split::{Line, MERCHANT_PATH, OrderFacts};

/// The day's orders as its files tell them, in the order of `seq`.
pub(super) struct Day<'b> {
    bill: DayBill,
    /// File and kind in which an order was told last, by `inst_order_no`.
    told: HashMap<String, Told>,
    /// `inst_order_no` by `order_no`.
    by_order_no: HashMap<String, String>,
    /// The newest bundle under which a file of the day was made.
    newest: Option<&'b Bundle>,
    /// The bundles of the day's files so far.
    bundles: Vec<&'b Bundle>,
    /// Released orders that no file told as X, with the file of their O.
    silent: Vec<(String, String)>,
}

struct Told {
    file: String,
    split: bool,
}

impl<'b> Day<'b> {
    pub fn new(bill: DayBill) -> Self {
        let (told, by_order_no, bundles, silent) = (HashMap::new(), HashMap::new(), Vec::new(), Vec::new());
        Self { bill, told, by_order_no, newest: None, bundles, silent }
    }

    /// Begins a file of the day, judged under `bundle`.
    pub fn file<'d>(
        &'d mut self,
        file: &'d str,
        day: BusinessDay,
        bundle: Option<&'b Bundle>,
    ) -> Judge<'d, 'b> {
        let Self { bill, told, by_order_no, newest, bundles, silent } = self;
        *newest = [*newest, bundle].into_iter().flatten().max_by_key(|bundle| bundle.issued_at);
        bundles.extend(bundle);
        Judge { bill, told, by_order_no, bundles, silent, file, day, bundle, line: 2, current: None }
    }

    /// Whether the day's files tell this payment, by either number.
    pub fn tells(&self, inst_order_no: &str, order_no: &str) -> bool {
        self.told.contains_key(inst_order_no) || self.by_order_no.contains_key(order_no)
    }

    /// V06: orders of the bill that no file tells, and X that no file releases although the institution decided so
    /// before the day's last file was made.
    pub fn untold(&self, report: &mut Report) {
        self.unreleased(report);
        let untold = self.bill.orders.iter().filter(|(no, _)| !self.told.contains_key(*no));
        let mut untold: Vec<(Instant, &String)> = untold.map(|(no, o)| (o.facts.paid_at, no)).collect();
        untold.sort();
        for (_, no) in untold {
            let fault = Fault::new(Check::V06, 0, "the order as O or X in a file of the day", "none");
            report.fault(&self.bill.names, fault.of_order(no));
        }
    }

    /// A void file told this order as X.
    pub fn told_by_void(&mut self, inst_order_no: &str) {
        self.silent.retain(|(_, no)| no != inst_order_no);
    }

    /// V06: O released by a decision although no file told them as X before it, when one was due to.
    pub fn silent(&self, report: &mut Report) {
        for (file, no) in &self.silent {
            let due = "the order as X in an earlier file, before it was decided";
            report.fault(file, Fault::new(Check::V06, 0, due, "O only").of_order(no));
        }
    }

    fn unreleased(&self, report: &mut Report) {
        let Some(bundle) = self.newest else { return };
        for no in bundle.decisions.keys() {
            let (Some(told), Some(known)) = (self.told.get(no), self.bill.orders.get(no)) else { continue };
            if let (false, Ok(Proposal::Split { rule, .. })) = (told.split, propose(bundle, &known.facts)) {
                let due = format!("O by {} version {}, as decided", rule.rule, rule.version);
                report.fault(&told.file, Fault::new(Check::V06, 0, due, "X only").of_order(no));
            }
        }
    }
}

/// Judges the records of one file as they stream by.
pub(super) struct Judge<'d, 'b> {
    bill: &'d DayBill,
    told: &'d mut HashMap<String, Told>,
    by_order_no: &'d mut HashMap<String, String>,
    bundles: &'d [&'b Bundle],
    silent: &'d mut Vec<(String, String)>,
    file: &'d str,
    day: BusinessDay,
    bundle: Option<&'b Bundle>,
    /// Number of the line that comes next.
    pub line: u64,
    current: Option<Current>,
}

/// The O whose lines stream by.
struct Current {
    inst_order_no: String,
    /// What its lines must be; `None` when that cannot be said.
    due: Option<Vec<Line>>,
    next: usize,
    told_difference: bool,
    others: Fen,
}

impl Judge<'_, '_> {
    /// Takes the next record in.
    pub fn record(&mut self, report: &mut Report, record: &SplRecord<'_>) {
        match record {
            SplRecord::Order(order) => {
                self.end(report);
                self.order(report, order);
            }
            SplRecord::Unsplit(unsplit) => {
                self.end(report);
                self.unsplit(report, unsplit);
            }
            SplRecord::Line(line) => self.order_line(report, line),
        }
    }

    /// Ends the last order: lines that should have followed.
    pub fn end(&mut self, report: &mut Report) {
        let Some(current) = self.current.take() else { return };
        let missing = current.due.as_ref().and_then(|due| due.get(current.next));
        if let Some(line) = missing.filter(|_| !current.told_difference) {
            self.wrong(report, Check::V10, &current.inst_order_no, show(line), "no further line");
        }
    }

    fn wrong(&self, report: &mut Report, check: Check, no: &str, expected: impl Into<String>, found: &str) {
        report.fault(self.file, Fault::new(check, self.line, expected, found).of_order(no));
    }

    fn order(&mut self, report: &mut Report, order: &SplOrder<'_>) {
        let no = order.inst_order_no;
        self.once(report, no, order.order_no, true);
        self.on_day(report, no, order.paid_at);
        let bill = self.bill;
        let mut current = Current {
            inst_order_no: no.to_owned(),
            due: None,
            next: 0,
            told_difference: false,
            others: Fen::ZERO,
        };
        if let Some(known) = bill.orders.get(no) {
            self.facts(report, order, known);
            let proposal = self.bundle.and_then(|bundle| propose(bundle, &known.facts).ok());
            current.due = proposal.and_then(|proposal| self.proposed(report, order, proposal));
            let due = current.due.iter().flatten();
            current.others = others(due);
            report.totals.split_order(&known.facts, order.rule, order.version, current.others);
        } else if bill.whole {
            self.wrong(
                report,
                Check::V05,
                no,
                "an order of the bill",
                "an order that the bill does not have",
            );
        }
        self.current = Some(current);
    }

    /// The lines that an O must have, or what it should have been instead.
    fn proposed(&self, report: &mut Report, order: &SplOrder<'_>, proposal: Proposal) -> Option<Vec<Line>> {
        let no = order.inst_order_no;
        let found = format!("O by {} version {}", order.rule, order.version);
        match proposal {
            Proposal::Unsplit(reason) => {
                let check = match reason {
                    Reason::Merchant | Reason::Receiver => Check::V11,
                    Reason::NoRule => Check::V09,
                    Reason::Overflow | Reason::OverLimit => Check::V10,
                    Reason::OverCap => Check::V12,
                };
                self.wrong(report, check, no, format!("X with {}", reason.as_str()), &found);
                None
            }
            Proposal::Split { rule, split } => {
                if *rule.rule != *order.rule || rule.version != order.version {
                    let due = format!("O by {} version {} ({})", rule.rule, rule.version, rule.digest());
                    self.wrong(report, Check::V09, no, due, &found);
                }
                Some(split.lines.into_iter().filter(|line| line.amount > Fen::ZERO).collect())
            }
        }
    }

    fn order_line(&mut self, report: &mut Report, line: &SplLine<'_>) {
        add(&mut report.totals.lines, line.amount);
        if self.bundle.is_some_and(|bundle| bundle.is_platforms(line.receiver)) && line.path != MERCHANT_PATH
        {
            add(&mut report.totals.platform, line.amount);
        }
        let Some(current) = &mut self.current else { return };
        let Some(due) = current.due.as_ref().map(|due| due.get(current.next)) else { return };
        current.next = current.next.saturating_add(1);
        let same = due.is_some_and(|due| {
            *due.path == *line.path
                && *due.role == *line.role
                && *due.receiver == *line.receiver
                && due.amount == line.amount
        });
        if same || current.told_difference {
            return;
        }
        current.told_difference = true;
        let expected = due.map_or_else(|| "no further line".to_owned(), show);
        let found = format!("{}|{}|{}|{}", line.path, line.role, line.receiver, line.amount.get());
        let no = current.inst_order_no.clone();
        self.wrong(report, Check::V10, &no, expected, &found);
    }

    fn unsplit(&mut self, report: &mut Report, unsplit: &SplUnsplit<'_>) {
        let no = unsplit.inst_order_no;
        self.once(report, no, unsplit.order_no, false);
        self.on_day(report, no, unsplit.paid_at);
        let bill = self.bill;
        let Some(known) = bill.orders.get(no) else {
            if bill.whole {
                let found = "an order that the bill does not have";
                self.wrong(report, Check::V05, no, "an order of the bill", found);
            }
            return;
        };
        let mut facts = Facts { judge: self, report, no };
        facts.same("order_no", &known.order_no.as_str(), &unsplit.order_no);
        facts.same("paid_at", &known.facts.paid_at, &unsplit.paid_at);
        facts.same("paid", &known.facts.paid.get(), &unsplit.paid.get());
        report.totals.unsplit_order(&known.facts, unsplit.reason);
        let Some(Ok(proposal)) = self.bundle.map(|bundle| propose(bundle, &known.facts)) else { return };
        let due = match proposal {
            Proposal::Unsplit(reason) if reason == unsplit.reason => return,
            Proposal::Unsplit(reason) => format!("X with {}", reason.as_str()),
            Proposal::Split { rule, .. } => format!("O by {} version {}", rule.rule, rule.version),
        };
        self.wrong(report, Check::V06, no, due, &format!("X with {}", unsplit.reason.as_str()));
    }

    /// V08: told once, unless a decision released an X of an earlier file.
    fn once(&mut self, report: &mut Report, no: &str, order_no: &str, split: bool) {
        let now = Told { file: self.file.to_owned(), split };
        let decided = self.bundle.is_some_and(|bundle| bundle.decision(no).is_some());
        let before = self.told.insert(no.to_owned(), now);
        let was_due = !self.bill.late.contains(no) && self.bundles.iter().any(|b| b.decision(no).is_none());
        if split && decided && was_due && before.is_none() {
            self.silent.push((self.file.to_owned(), no.to_owned()));
        }
        if let Some(before) = before {
            let released = split && !before.split && before.file != self.file && decided;
            if !released {
                let found = format!("it is in {} already", before.file);
                self.wrong(report, Check::V08, no, "an order that was not told before", &found);
            }
        }
        let other = self.by_order_no.insert(order_no.to_owned(), no.to_owned());
        if let Some(other) = other.filter(|other| other != no) {
            let found = format!("{order_no}, which is {other}'s already");
            self.wrong(report, Check::V08, no, "an order_no of its own", &found);
        }
    }

    fn on_day(&self, report: &mut Report, no: &str, paid_at: Instant) {
        if paid_at.business_day() != self.day {
            self.wrong(report, Check::V16, no, format!("paid_at on {}", self.day), &paid_at.to_cst());
        }
    }

    /// V07.
    fn facts(&self, report: &mut Report, order: &SplOrder<'_>, known: &BillOrder) {
        let OrderFacts { merchant, channel, product, paid_at, paid, fee, subsidy, .. } = &known.facts;
        let mut facts = Facts { judge: self, report, no: order.inst_order_no };
        facts.same("order_no", &known.order_no.as_str(), &order.order_no);
        facts.same("merchant", &merchant.as_str(), &order.merchant);
        facts.same("channel", &channel.as_str(), &order.channel);
        facts.same("product", &product.as_str(), &order.product);
        facts.same("paid_at", paid_at, &order.paid_at);
        facts.same("paid", &paid.get(), &order.paid.get());
        facts.same("fee", &fee.get(), &order.fee.get());
        facts.same("subsidy", &subsidy.get(), &order.subsidy.get());
        let mut text = String::new();
        field::push_tags(&mut text, &known.facts.tags);
        facts.same("tags", &text.as_str(), &order.tags);
        text.clear();
        field::push_parties(&mut text, &known.facts.parties);
        facts.same("parties", &text.as_str(), &order.parties);
    }
}

/// Compares the facts of one order, V07.
struct Facts<'j, 'd, 'b> {
    judge: &'j Judge<'d, 'b>,
    report: &'j mut Report,
    no: &'j str,
}

impl Facts<'_, '_, '_> {
    fn same<T: PartialEq + fmt::Display>(&mut self, what: &str, bill: &T, file: &T) {
        if bill != file {
            let (expected, found) = (format!("{what} {bill} as the bill"), format!("{what} {file}"));
            self.judge.wrong(self.report, Check::V07, self.no, expected, &found);
        }
    }
}

fn others<'l>(lines: impl Iterator<Item = &'l Line>) -> Fen {
    let mut sum = Fen::ZERO;
    for line in lines.filter(|line| *line.path != *MERCHANT_PATH) {
        add(&mut sum, line.amount);
    }
    sum
}

fn show(line: &Line) -> String {
    format!("{}|{}|{}|{}", line.path, line.role, line.receiver, line.amount.get())
}
