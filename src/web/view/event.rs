//! What was told about an order, in the reader's language; the other side's code and words stand as it wrote them.
use crate::kernel::money::Fen;
use crate::orders::{Cause, Event, EventReason};
use crate::web::kit::format::Yuan;
use crate::web::words::Words;

/// An event of a timeline: its class, what happened, and why; `asked` is the order's amount.
#[must_use]
pub fn told(w: &Words, event: &Event, asked: Fen) -> (&'static str, &'static str, String) {
    let said = w.order;
    let (class, what) = match event {
        Event::Created => ("", said.told_created),
        Event::Paying(_) => ("", said.told_paying),
        Event::Unknown(_) => ("warn", said.told_unknown),
        Event::Closed(_) => ("", said.told_closed),
        Event::Queried(_) => ("", said.told_queried),
        Event::AmountDiffers(_) => ("warn", said.told_amount_differs),
        Event::LatePayment(_) => ("warn", said.told_late),
    };
    (class, what, event.cause().map(|cause| why(w, cause, asked)).unwrap_or_default())
}

fn why(w: &Words, cause: &Cause, asked: Fen) -> String {
    let said = w.order;
    let sentence = match cause.reason {
        EventReason::NoAnswer => said.why_no_answer,
        EventReason::ServerFailed => said.why_server_failed,
        EventReason::NotBelieved => said.why_not_believed,
        EventReason::NotSent => said.why_not_sent,
        EventReason::NotAsked => said.why_not_asked,
        EventReason::Busy => said.why_busy,
        EventReason::Barred => said.why_barred,
        EventReason::Refused => said.why_refused,
        EventReason::SentAgainRefused => said.why_sent_again_refused,
        EventReason::ClosedThere => said.why_closed_there,
        EventReason::Absent => said.why_absent,
        EventReason::Expired => said.why_expired,
        EventReason::ByMerchant => said.why_by_merchant,
        EventReason::Paid => said.why_paid,
        EventReason::PaidOtherAmount => said.why_paid_other_amount,
        EventReason::AfterClose => said.why_after_close,
        EventReason::ApartEnded => said.why_apart_ended,
        EventReason::Other => "",
    };
    let amounts = cause.amount.map(|paid| format!("{} ≠ {}", Yuan(paid), Yuan(asked)));
    let theirs = [&amounts, &cause.code, &cause.words].into_iter().flatten();
    let theirs: Vec<&str> = theirs.map(String::as_str).filter(|text| !text.is_empty()).collect();
    let theirs = theirs.join(" ");
    match (sentence.is_empty(), theirs.is_empty()) {
        (_, true) => sentence.to_owned(),
        (true, false) => theirs,
        (false, false) => format!("{sentence}{}{theirs}", w.kit.colon),
    }
}
