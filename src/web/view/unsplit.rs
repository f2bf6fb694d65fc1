//! Orders that were not split: the reason, and what to do about it.
use crate::kernel::proposal::Reason;
use crate::splits::Unsplit;
use crate::web::kit::format::{Ident, When, Yuan};
use crate::web::words::Words;

/// An order told as X.
pub struct UnsplitRow {
    /// Our number.
    pub order_no: Ident,
    /// Whether we know the order ourselves.
    pub known: bool,
    /// When it was paid.
    pub at: When,
    /// The code in the file.
    pub reason: &'static str,
    /// What it means.
    pub why: &'static str,
    /// What to do.
    pub todo: &'static str,
    /// The split file.
    pub file: String,
    /// What was paid.
    pub paid: Yuan,
}

/// What a reason of an X line means, and what to do (`files.md`, "The day").
#[must_use]
pub fn reason(w: &Words, code: Reason) -> (&'static str, &'static str) {
    let said = w.exceptions;
    match code {
        Reason::Undeclared => (said.undeclared_why, said.undeclared_todo),
        Reason::Merchant => (said.merchant_why, said.merchant_todo),
        Reason::NoRule => (said.no_rule_why, said.no_rule_todo),
        Reason::Overflow => (said.overflow_why, said.overflow_todo),
        Reason::OverLimit => (said.over_limit_why, said.over_limit_todo),
        Reason::Receiver => (said.receiver_why, said.receiver_todo),
        Reason::OverCap => (said.cap_why, said.cap_todo),
    }
}

/// A row of the table.
#[must_use]
pub fn row(w: &Words, found: &Unsplit) -> UnsplitRow {
    let (why, todo) = reason(w, found.reason);
    UnsplitRow {
        order_no: Ident(found.order_no.clone()),
        known: found.known,
        at: When(found.paid_at),
        reason: found.reason.as_str(),
        why,
        todo,
        file: found.file.clone(),
        paid: Yuan(found.paid),
    }
}
