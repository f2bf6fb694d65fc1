//! What `verify` found.
use crate::calendar::BusinessDay;
use crate::file::{Check, Fault};

use super::totals::Totals;

/// Violations beyond this many are counted, not listed.
pub const MAX_LISTED: usize = 1000;

/// The steps of a run in the order in which the report tells what they found, in whatever order it was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    #[default]
    Bundles,
    Bills,
    Spl,
    Decisions,
    Untold,
    Results,
    Previous,
    Void,
    Silent,
    Chain,
}

/// The parts of a file in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    #[default]
    Head,
    Orders,
    Seal,
}

/// Where findings stand in the report: by step, by file within it, by part of the file.
pub(super) type Place = (Step, u32, Part);

/// One thing wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check.
    pub check: Check,
    /// The file's name.
    pub file: String,
    /// Its line; `None` = the file as a whole.
    pub line: Option<u64>,
    /// The order's `inst_order_no`, if it is about one.
    pub order: Option<String>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// A check that was left out, and for want of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// The codes, e.g. `V17-V19`.
    pub codes: &'static str,
    /// Why.
    pub why: String,
    /// Whether the verdict rests on it: whoever tells that the day is sound tells this in the same breath.
    pub is_reserve: bool,
}

/// The answer of `verify`.
#[derive(Debug, Default)]
pub struct Report {
    /// The institution's code, once a bundle said it.
    pub institution: Option<String>,
    /// The platform's code, once a bundle said it.
    pub platform: Option<String>,
    /// The business day, once a file's name said it.
    pub day: Option<BusinessDay>,
    /// False when signatures were not checked at all.
    pub authenticated: bool,
    /// What was believed without a signature although signatures were checked.
    pub not_authenticated: Vec<String>,
    /// What is wrong, step by step, file by file, line by line; the first [`MAX_LISTED`].
    pub violations: Vec<Violation>,
    /// How many violations there are beyond those listed.
    pub unlisted: u64,
    /// Checks left out.
    pub not_checked: Vec<NotChecked>,
    /// Where every fen of the bill is.
    pub totals: Totals,
    place: Place,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    place: Place,
    /// Line, or time of payment, within the place.
    within: i64,
    violation: Violation,
}

impl Found {
    fn rank(&self) -> (Place, i64, Option<&str>) {
        (self.place, self.within, self.violation.order.as_deref())
    }
}

impl Report {
    /// Whether every fen is explained.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    /// What is found from now on stands here in the report.
    pub(super) const fn at(&mut self, place: Place) {
        self.place = place;
    }

    fn add(&mut self, within: i64, violation: Violation) {
        self.found.push(Found { place: self.place, within, violation });
        if self.found.len() >= MAX_LISTED.saturating_mul(2) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.found.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let beyond = self.found.len().saturating_sub(MAX_LISTED);
        self.unlisted = self.unlisted.saturating_add(u64::try_from(beyond).unwrap_or(u64::MAX));
        self.found.truncate(MAX_LISTED);
    }

    /// Lists what was found.
    pub(super) fn close(&mut self) {
        self.trim();
        self.violations = std::mem::take(&mut self.found).into_iter().map(|found| found.violation).collect();
    }

    /// Notes something wrong with a file as a whole.
    pub(super) fn file(&mut self, check: Check, file: &str, expected: impl Into<String>, found: &str) {
        self.fault(file, Fault::new(check, 0, expected, found));
    }

    pub(super) fn fault(&mut self, file: &str, fault: Fault) {
        self.fault_within(i64::try_from(fault.line).unwrap_or(i64::MAX), file, fault);
    }

    /// A fault that stands by something else than its line.
    pub(super) fn fault_within(&mut self, within: i64, file: &str, fault: Fault) {
        let Fault { check, line, order, expected, found } = fault;
        let line = (line > 0).then_some(line);
        self.add(within, Violation { check, file: file.to_owned(), line, order, expected, found });
    }

    pub(super) fn faults(&mut self, file: &str, faults: Vec<Fault>) {
        for fault in faults {
            self.fault(file, fault);
        }
    }

    pub(super) fn leave_out(&mut self, codes: &'static str, why: impl Into<String>) {
        self.not_checked.push(NotChecked { codes, why: why.into(), is_reserve: false });
    }

    /// Leaves a check out on which the verdict rests.
    pub(super) fn reserve(&mut self, codes: &'static str, why: impl Into<String>) {
        self.not_checked.push(NotChecked { codes, why: why.into(), is_reserve: true });
    }
}
