//! What a merchant's system was told of an order, and how far that has come.
use crate::notices::Failure;
use crate::orders::Untold;
use crate::outbox::Delivery;
use crate::web::kit::format::{Count, Ident, When};
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::{Mood, Tag};

/// How far the notification of an order has come.
pub struct NoticeView {
    /// Taken, on its way, failing, given up.
    pub state: Tag,
    /// Where to.
    pub url: String,
    /// How often it was sent.
    pub attempts: Count,
    /// Why the last delivery failed.
    pub error: Option<String>,
    /// When it is sent next.
    pub next: Option<When>,
    /// Whether a button to send it again stands here.
    pub may_send: bool,
}

/// A merchant that was told in vain, in a list.
pub struct UntoldRow {
    /// Our number of the order.
    pub order_no: Ident,
    /// The merchant's number.
    pub merchant: String,
    /// How often it was sent.
    pub attempts: Count,
    /// Why the last delivery failed.
    pub error: String,
    /// When it is sent next; none when it was given up.
    pub next: Option<When>,
}

/// The notification for the page of its order.
#[must_use]
pub fn view(lang: Lang, delivery: &Delivery, may_send: bool) -> NoticeView {
    let said = lang.words().notices;
    let is_open = delivery.done_at.is_none() && delivery.given_up_at.is_none();
    let state = match (delivery.done_at, delivery.given_up_at, &delivery.last_error) {
        (Some(_), ..) => Tag::new(Mood::Ok, said.taken),
        (None, Some(_), _) => Tag::new(Mood::Bad, said.given_up),
        (None, None, Some(_)) => Tag::new(Mood::Bad, said.failing),
        (None, None, None) => Tag::new(Mood::Waits, said.on_its_way),
    };
    NoticeView {
        state,
        url: delivery.url.clone(),
        attempts: Count(i64::from(delivery.attempts)),
        error: delivery.last_error.as_deref().map(|kept| Failure::of(kept).say(lang)),
        next: is_open.then_some(When(delivery.next_at)),
        may_send,
    }
}

/// The list's rows.
#[must_use]
pub fn rows(lang: Lang, untold: Vec<Untold>) -> Vec<UntoldRow> {
    untold.into_iter().map(|one| row(lang, one)).collect()
}

fn row(lang: Lang, untold: Untold) -> UntoldRow {
    let Untold { order_no, merchant, attempts, last_error, next_at } = untold;
    let attempts = Count(i64::from(attempts));
    UntoldRow {
        order_no: Ident(order_no),
        merchant,
        attempts,
        error: Failure::of(&last_error).say(lang),
        next: next_at.map(When),
    }
}
