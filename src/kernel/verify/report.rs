//! What `verify` found.
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::{Check, Fault};

use super::totals::Totals;

/// Violations beyond this many are counted, not listed.
pub const MAX_LISTED: usize = 1000;

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
    /// What is wrong, in the order it was met, at most [`MAX_LISTED`].
    pub violations: Vec<Violation>,
    /// How many violations there are beyond those listed.
    pub unlisted: u64,
    /// Checks left out.
    pub not_checked: Vec<NotChecked>,
    /// Where every fen of the bill is.
    pub totals: Totals,
}

impl Report {
    /// Whether every fen is explained.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn add(&mut self, violation: Violation) {
        if self.violations.len() < MAX_LISTED {
            self.violations.push(violation);
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Notes something wrong with a file as a whole.
    pub(super) fn file(&mut self, check: Check, file: &str, expected: impl Into<String>, found: &str) {
        self.fault(file, Fault::new(check, 0, expected, found));
    }

    pub(super) fn fault(&mut self, file: &str, fault: Fault) {
        let Fault { check, line, order, expected, found } = fault;
        let line = (line > 0).then_some(line);
        self.add(Violation { check, file: file.to_owned(), line, order, expected, found });
    }

    pub(super) fn faults(&mut self, file: &str, faults: Vec<Fault>) {
        for fault in faults {
            self.fault(file, fault);
        }
    }

    pub(super) fn leave_out(&mut self, codes: &'static str, why: impl Into<String>) {
        self.not_checked.push(NotChecked { codes, why: why.into() });
    }
}
