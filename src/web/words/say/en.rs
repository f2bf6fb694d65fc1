//! The sentences in English.
use super::{Basis, Brief, Counted, Deadline, How, Pace, Refusal, Stands, Term, Told, Waits};
use crate::kernel::state::SettlementState;
use crate::notices::Failure;
use crate::settlement::Need;
use crate::web::kit::format::Count;

pub(super) fn refusal(said: &Refusal<'_>) -> String {
    match said {
        Refusal::Why(code) => code.sentence_en().to_owned(),
        Refusal::WhyExactly(code, detail) => format!("{} ({detail})", code.sentence_en()),
        Refusal::Next(code) => code.advice_en().to_owned(),
        Refusal::Whole(code) => format!("{}; {}", code.sentence_en(), code.advice_en()),
        Refusal::Later(code, minutes) => {
            format!("{}; try again in {minutes} minutes", code.sentence_en())
        }
    }
}

pub(super) fn counted(said: &Counted<'_>) -> String {
    match said {
        Counted::Orders(count, more) => format!("{count}{more} orders"),
        Counted::Split(orders, lines) => format!("{orders} orders, {lines} lines"),
        Counted::Result(lines, total) => format!("{lines} lines, {total} succeeded"),
        Counted::Off(fen) => format!("difference {fen} fen"),
    }
}

pub(super) fn deadline(said: &Deadline) -> String {
    match said {
        Deadline::Bill(day) => format!("bill of {day}, then its cut"),
    }
}

pub(super) fn brief(said: &Brief) -> String {
    match said {
        Brief::Splits(day, orders, lines, total) => {
            format!("Splits · {day} · {orders} orders, {lines} lines · {total}")
        }
        Brief::Settlement(day, lines, total) => format!("Settlement · {day} · {lines} lines · {total}"),
        Brief::Approvals(day) => format!("Approvals · {day}"),
        Brief::Result(day) => format!("Result · {day}"),
        Brief::Bill(day, orders, total) => format!("Bill · {day} · {orders} orders · {total}"),
    }
}

pub(super) fn told(said: &Told<'_>) -> String {
    match said {
        Told::Paid(amount) => format!("Paid {amount}"),
        Told::Sent(times) => format!("sent {times} times"),
        Told::FileRefused(code) => format!("The institution refused the file: {code}"),
    }
}

pub(super) fn basis(said: &Basis<'_>) -> String {
    match said {
        Basis::File { rule, version, file, n } => format!(
            "By rule {rule} v{version}, order {n} of {file}; the institution recomputes it from its own bill."
        ),
        Basis::Preview { rule, version } => {
            format!("Preview by rule {rule} v{version} and the contract's fee; the bill decides.")
        }
        Basis::ExpectedFee(percent) => format!("expected by the contract's {percent}"),
        Basis::FeeHow(paid, percent) => format!("{paid} × {percent} (half up to the fen)"),
    }
}

pub(super) fn how(said: &How<'_>) -> String {
    match said {
        How::Nested(amount) => format!("of which {amount} goes to nested shares"),
        How::BearsFee(fee) => format!("bears {fee} of the fee"),
        How::Divided(amount, weight, total) => {
            format!("{amount} divided by weight {weight}/{total}, odd fen by turns of the order number")
        }
        How::Rest(pool, shares) => format!("splittable {pool} − shares {shares}, odd fen included"),
        How::FeeOfOthers(fee) => format!("fee borne by others +{fee}"),
        How::Tier(from) => format!("tier from {from}: "),
        How::Unmet(condition) => format!("0, its condition does not hold: {condition}"),
        How::Rate(base, of, percent, exact) => format!("{base} {of} × {percent} = {exact} (rounded down)"),
        How::Fixed(amount) => format!("fixed {amount}"),
        How::Raised(least) => format!("raised to {least}"),
        How::Capped(most) => format!("capped at {most}"),
        How::Cut(from, to) => format!("cut from {from} to the {to} that was left"),
    }
}

pub(super) fn term(said: &Term<'_>) -> String {
    match said {
        Term::Party(name) => format!("the order's {name}"),
        Term::Tier(from, what) => format!("orders from {from}: {what}"),
        Term::Percent(base, percent) => format!("{percent} of the {base}"),
        Term::Fixed(amount) => format!("fixed {amount}"),
        Term::Least(amount) => format!("at least {amount}"),
        Term::Most(amount) => format!("at most {amount}"),
    }
}

const fn line_state(state: SettlementState) -> &'static str {
    match state {
        SettlementState::Sent => "not answered",
        SettlementState::Pending => "pending",
        SettlementState::Failed => "failed",
        SettlementState::Bounced => "came back",
        SettlementState::Success => "succeeded",
    }
}

pub(super) fn stands(said: &Stands<'_>) -> String {
    match said {
        Stands::Part(state, count) => format!("{} {count}", line_state(*state)),
        Stands::Whole(all, parts) => format!("of {all} lines: {parts}"),
        Stands::Line(n, of, state) => format!("line {n} {of}: {}", line_state(*state)),
        Stands::Outcome(done, Count(0)) => format!("{done} lines succeeded"),
        Stands::Outcome(done, without) => format!("{done} lines succeeded, {without} failed or came back"),
    }
}

pub(super) fn waits(said: &Waits) -> String {
    match said {
        Waits::For(Need::Cut, _) => "The day has not been cut".to_owned(),
        Waits::For(Need::Bill, _) => {
            "The institution's bill (BIL 0001) has not come; the day is cut when it does".to_owned()
        }
        Waits::For(Need::First, _) => "Waits for its FIRST result".to_owned(),
        Waits::For(Need::Final, open) => format!("Waits for FINAL results, {open} orders without success"),
        Waits::For(Need::Failed, open) => format!("{open} orders failed or came back: it cannot be settled"),
        Waits::For(Need::Repeat, _) => "The file is void and its orders are not told anew".to_owned(),
        Waits::For(Need::Previous, _) => "The settlement before waits for its FIRST result".to_owned(),
        Waits::More(more) => format!("and {more} more"),
    }
}

pub(super) fn pace(said: &Pace) -> String {
    match said {
        Pace::Every(seconds) => format!("every {seconds} s"),
        Pace::Late(minutes) => format!("{minutes} min late"),
    }
}

pub(super) fn failure(said: &Failure) -> String {
    match said {
        Failure::Answered(status) => {
            format!("the merchant's system answered {status}, and 200 or 204 takes it")
        }
        Failure::Unsaid => "the merchant's system answered 200, but not `success`".to_owned(),
        Failure::Address(what) => format!(
            "the platform may not call this address ({what}): it must be public and https; the merchant can put its \
             notify_url right, or what its host name stands for"
        ),
        Failure::Timeout => "the merchant's system did not answer in time".to_owned(),
        Failure::Connection => "the merchant's system was not reached, or the connection was lost".to_owned(),
        Failure::TooLarge => "the merchant's system answered too much".to_owned(),
        Failure::Other(detail) => detail.clone(),
    }
}
