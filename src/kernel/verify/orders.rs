//! Every order of the day's files against the bill and the recomputed proposal: V05 to V12, V16.
use std::fmt;

use super::pile::Pile;
use super::report::{Part, Step};
use super::told::Silent;
use super::totals::add;
use super::{Report, Unusable, place};
use crate::approvals::Bundle;
use crate::bill::BillOrder;
use crate::calendar::{BusinessDay, Instant};
use crate::file::spl::{SplLine, SplOrder, SplUnsplit};
use crate::file::{Check, Fault, field};
use crate::money::Fen;
use crate::proposal::{Draft, Reason, draft};
use crate::split::{MERCHANT_PATH, OrderFacts, PlainLine};

/// One of the day's files.
pub(super) struct DayFile<'b> {
    pub name: String,
    /// Its number, as its name says it.
    pub seq: u16,
    /// The bundle under which it is judged.
    pub bundle: Option<&'b Bundle>,
}

/// Where an order is told, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Which of the day's files.
    pub file: u32,
    /// Its line.
    pub line: u64,
    /// O, not X.
    pub split: bool,
}

impl Told {
    /// Comparable with other places of the day's files.
    pub fn place(&self) -> u64 {
        place(self.file, self.line)
    }
}

/// What the bill knows of an order that a file tells.
#[derive(Clone, Copy)]
pub(super) enum Known<'o> {
    /// Its facts; whether only a later seq of the bill tells it.
    Bill(&'o BillOrder, bool),
    /// It was told already as the bill has it, paid at this time; told again, nothing else is looked at.
    Again(Instant, bool),
    /// Nothing: the bill has no such order.
    Nothing,
    /// Nothing, but the bill is broken.
    Unknown,
}

impl Known<'_> {
    pub fn is_late(self) -> bool {
        match self {
            Self::Bill(_, late) | Self::Again(_, late) => late,
            Self::Nothing | Self::Unknown => false,
        }
    }
}

/// Judges the orders of the day.
pub(super) struct Judge<'b, 's> {
    pub files: Vec<DayFile<'b>>,
    pub day: BusinessDay,
    /// Who told which `order_no`.
    pub order_nos: Pile<'s>,
    /// Released orders that no file told as X.
    pub silent: Vec<Silent>,
}

impl<'b, 's> Judge<'b, 's> {
    pub fn new(day: BusinessDay, files: Vec<DayFile<'b>>, order_nos: Pile<'s>) -> Self {
        Self { files, day, order_nos, silent: Vec::new() }
    }

    pub fn file(&self, file: u32) -> Option<&DayFile<'b>> {
        usize::try_from(file).ok().and_then(|file| self.files.get(file))
    }

    pub fn bundle(&self, file: u32) -> Option<&'b Bundle> {
        self.file(file).and_then(|file| file.bundle)
    }

    /// Notes what is wrong with an order at a line of its file.
    pub fn wrong(
        &self,
        report: &mut Report,
        (check, at, no): (Check, Told, &str),
        expected: impl Into<String>,
        found: &str,
    ) {
        let Some(file) = self.file(at.file) else { return };
        report.at((Step::Spl, at.file, Part::Orders));
        report.fault(&file.name, Fault::new(check, at.line, expected, found).of_order(no));
    }

    /// An O; its lines are judged as they come.
    pub fn order<'o>(
        &mut self,
        report: &mut Report,
        (told, order): (Told, &SplOrder<'_>),
        known: Known<'o>,
        before: Option<Told>,
    ) -> Result<Current<'o>, Unusable>
    where
        'b: 'o,
    {
        let no = order.inst_order_no;
        self.telling(report, (told, no, order.order_no), known, before)?;
        self.on_day(report, told, no, order.paid_at);
        let mut current = Current { told, no: "", due: None, next: 0, told_difference: false };
        match known {
            Known::Bill(known, _) => {
                self.facts(report, told, order, known);
                current.no = &known.facts.inst_order_no;
                current.due = self.due(report, told, order, known);
                let others = current.due.as_deref().map_or(Fen::ZERO, others);
                report.totals.split_order(&known.facts, order.rule, order.version, others);
            }
            Known::Again(paid_at, _) => {
                let mut facts = Facts { judge: self, report, told, no };
                facts.same("paid_at", &paid_at, &order.paid_at);
            }
            Known::Nothing => self.stranger(report, told, no),
            Known::Unknown => {}
        }
        Ok(current)
    }

    fn stranger(&self, report: &mut Report, told: Told, no: &str) {
        let found = "an order that the bill does not have";
        self.wrong(report, (Check::V05, told, no), "an order of the bill", found);
    }

    /// The lines that an O must have, without those of 0, or what it should have been instead.
    fn due<'o>(
        &self,
        report: &mut Report,
        told: Told,
        order: &SplOrder<'_>,
        known: &'o BillOrder,
    ) -> Option<Vec<PlainLine<'o>>>
    where
        'b: 'o,
    {
        let no = order.inst_order_no;
        let found = || format!("O by {} version {}", order.rule, order.version);
        match draft(self.bundle(told.file)?, known) {
            Draft::Unsplit(reason) => {
                let check = match reason {
                    Reason::Undeclared | Reason::Merchant | Reason::Receiver => Check::V11,
                    Reason::NoRule => Check::V09,
                    Reason::Overflow | Reason::OverLimit => Check::V10,
                    Reason::OverCap => Check::V12,
                };
                self.wrong(report, (check, told, no), format!("X with {}", reason.as_str()), &found());
                None
            }
            Draft::Split { rule, mut lines } => {
                if *rule.rule != *order.rule || rule.version != order.version {
                    let due = format!("O by {} version {} ({})", rule.rule, rule.version, rule.digest());
                    self.wrong(report, (Check::V09, told, no), due, &found());
                }
                lines.retain(|line| line.amount > Fen::ZERO);
                Some(lines)
            }
        }
    }

    /// Lines that belong to no O.
    pub fn nobodys(&self, told: Told) -> Current<'static> {
        Current { told, no: "", due: None, next: 0, told_difference: false }
    }

    /// A line of an O.
    pub fn line(&self, report: &mut Report, at: u64, current: &mut Current<'_>, line: &SplLine<'_>) {
        add(&mut report.totals.lines, line.amount);
        let bundle = self.bundle(current.told.file);
        if line.path != MERCHANT_PATH && bundle.is_some_and(|bundle| bundle.is_platforms(line.receiver)) {
            add(&mut report.totals.platform, line.amount);
        }
        let Some(due) = current.due.as_ref().map(|due| due.get(current.next)) else { return };
        current.next = current.next.saturating_add(1);
        let same = due.is_some_and(|due| {
            due.amount == line.amount
                && **due.path == *line.path
                && **due.role == *line.role
                && due.receiver.is(line.receiver)
        });
        if same || current.told_difference {
            return;
        }
        current.told_difference = true;
        let expected = due.map_or_else(|| "no further line".to_owned(), PlainLine::to_string);
        let found = format!("{}|{}|{}|{}", line.path, line.role, line.receiver, line.amount.get());
        let told = Told { line: at, ..current.told };
        self.wrong(report, (Check::V10, told, current.no), expected, &found);
    }

    /// After the last line of an O, at the line that came next: lines that should have followed.
    pub fn end(&self, report: &mut Report, at: u64, current: &Current<'_>) {
        let missing = current.due.as_ref().and_then(|due| due.get(current.next));
        if let Some(line) = missing.filter(|_| !current.told_difference) {
            let told = Told { line: at, ..current.told };
            self.wrong(report, (Check::V10, told, current.no), line.to_string(), "no further line");
        }
    }

    /// An X.
    pub fn unsplit(
        &mut self,
        report: &mut Report,
        (told, unsplit): (Told, &SplUnsplit<'_>),
        known: Known<'_>,
        before: Option<Told>,
    ) -> Result<(), Unusable> {
        let no = unsplit.inst_order_no;
        self.telling(report, (told, no, unsplit.order_no), known, before)?;
        self.on_day(report, told, no, unsplit.paid_at);
        let known = match known {
            Known::Bill(known, _) => known,
            Known::Again(paid_at, _) => {
                let mut facts = Facts { judge: self, report, told, no };
                facts.same("paid_at", &paid_at, &unsplit.paid_at);
                return Ok(());
            }
            Known::Nothing => {
                self.stranger(report, told, no);
                return Ok(());
            }
            Known::Unknown => return Ok(()),
        };
        let mut facts = Facts { judge: self, report, told, no };
        facts.same("order_no", &known.order_no.as_str(), &unsplit.order_no);
        facts.same("paid_at", &known.facts.paid_at, &unsplit.paid_at);
        facts.same("paid", &known.facts.paid.get(), &unsplit.paid.get());
        let Some(bundle) = self.bundle(told.file) else { return Ok(()) };
        let due = match draft(bundle, known) {
            Draft::Unsplit(reason) if reason == unsplit.reason => return Ok(()),
            Draft::Unsplit(reason) => format!("X with {}", reason.as_str()),
            Draft::Split { rule, .. } => format!("O by {} version {}", rule.rule, rule.version),
        };
        self.wrong(report, (Check::V06, told, no), due, &format!("X with {}", unsplit.reason.as_str()));
        Ok(())
    }

    fn on_day(&self, report: &mut Report, told: Told, no: &str, paid_at: Instant) {
        if !self.day.contains(paid_at) {
            let due = format!("paid_at on {}", self.day);
            self.wrong(report, (Check::V16, told, no), due, &paid_at.to_cst());
        }
    }

    /// V07.
    fn facts(&self, report: &mut Report, told: Told, order: &SplOrder<'_>, known: &BillOrder) {
        let OrderFacts { merchant, channel, product, paid_at, paid, fee, subsidy, .. } = &known.facts;
        let mut facts = Facts { judge: self, report, told, no: order.inst_order_no };
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

    /// After the last telling of an order of the bill. V06: an X that no file releases although the institution decided
    /// so before the day's last file was made.
    pub fn last(&self, report: &mut Report, known: &BillOrder, last: (Told, Option<Reason>)) {
        let (told, Some(reason)) = last else { return };
        report.totals.unsplit_order(&known.facts, reason);
        let no = &known.facts.inst_order_no;
        let newest = self.files.iter().filter_map(|file| file.bundle).max_by_key(|b| b.issued_at);
        let Some(bundle) = newest.filter(|bundle| bundle.decision(no).is_some()) else { return };
        if let (Draft::Split { rule, .. }, Some(file)) = (draft(bundle, known), self.file(told.file)) {
            let due = format!("O by {} version {}, as decided", rule.rule, rule.version);
            report.at((Step::Decisions, 0, Part::Orders));
            report.fault(&file.name, Fault::new(Check::V06, 0, due, "X only").of_order(no));
        }
    }
}

/// The O whose lines come.
pub(super) struct Current<'o> {
    told: Told,
    no: &'o str,
    /// What its lines must be; `None` when that cannot be said.
    due: Option<Vec<PlainLine<'o>>>,
    next: usize,
    told_difference: bool,
}

/// Compares the facts of one order, V07.
struct Facts<'j, 'b, 's> {
    judge: &'j Judge<'b, 's>,
    report: &'j mut Report,
    told: Told,
    no: &'j str,
}

impl Facts<'_, '_, '_> {
    fn same<T: PartialEq + fmt::Display>(&mut self, what: &str, bill: &T, file: &T) {
        if bill != file {
            let (expected, found) = (format!("{what} {bill} as the bill"), format!("{what} {file}"));
            self.judge.wrong(self.report, (Check::V07, self.told, self.no), expected, &found);
        }
    }
}

fn others(lines: &[PlainLine<'_>]) -> Fen {
    let mut sum = Fen::ZERO;
    for line in lines.iter().filter(|line| !line.is_merchants()) {
        add(&mut sum, line.amount);
    }
    sum
}
