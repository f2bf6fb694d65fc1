//! What was told about an order, in the reader's language; the other side's code and words stand as it wrote them.
use crate::kernel::money::Fen;
use crate::orders::{Cause, Event, EventReason};
use crate::web::format::Yuan;
use crate::web::lang::Lang;
use crate::web::words::Words;

/// An event of a timeline: its class, what happened, and why; `asked` is the order's amount.
#[must_use]
pub fn told(lang: Lang, event: &Event, asked: Fen) -> (&'static str, &'static str, String) {
    let w = lang.words();
    let (class, what) = match event {
        Event::Created => ("", w.event_created),
        Event::Paying(_) => ("", w.event_paying),
        Event::Unknown(_) => ("warn", w.event_unknown),
        Event::Closed(_) => ("", w.event_closed),
        Event::Queried(_) => ("", w.event_queried),
        Event::AmountDiffers(_) => ("warn", w.event_amount_differs),
        Event::LatePayment(_) => ("warn", w.event_late_payment),
    };
    (class, what, event.cause().map(|cause| why(w, cause, asked)).unwrap_or_default())
}

fn why(w: &Words, cause: &Cause, asked: Fen) -> String {
    let sentence = match cause.reason {
        EventReason::NoAnswer => w.why_no_answer,
        EventReason::ServerFailed => w.why_server_failed,
        EventReason::NotBelieved => w.why_not_believed,
        EventReason::NotSent => w.why_not_sent,
        EventReason::NotAsked => w.why_not_asked,
        EventReason::Busy => w.why_busy,
        EventReason::Barred => w.why_barred,
        EventReason::Refused => w.why_refused,
        EventReason::SentAgainRefused => w.why_sent_again_refused,
        EventReason::ClosedThere => w.why_closed_there,
        EventReason::Absent => w.why_absent,
        EventReason::Expired => w.why_expired,
        EventReason::ByMerchant => w.why_by_merchant,
        EventReason::Paid => w.why_paid,
        EventReason::PaidOtherAmount => w.why_paid_other_amount,
        EventReason::AfterClose => w.why_after_close,
        EventReason::Other => "",
    };
    let amounts = cause.amount.map(|paid| format!("{} ≠ {}", Yuan(paid), Yuan(asked)));
    let theirs = [&amounts, &cause.code, &cause.words].into_iter().flatten();
    let theirs: Vec<&str> = theirs.map(String::as_str).filter(|text| !text.is_empty()).collect();
    let theirs = theirs.join(" ");
    match (sentence.is_empty(), theirs.is_empty()) {
        (_, true) => sentence.to_owned(),
        (true, false) => theirs,
        (false, false) => format!("{sentence}{}{theirs}", w.colon),
    }
}
