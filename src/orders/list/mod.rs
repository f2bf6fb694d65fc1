//! Orders on screen: a page by key, and one order with its evidence. Every query is bound to who asks.
mod store;

use super::{Event, Order, Standing, standing};
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::people::Scope;

/// The most orders of one page.
pub const PAGE: i64 = 50;

/// What is looked for; all of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Placed on this business day or later.
    pub from: Option<BusinessDay>,
    /// Placed on this business day or earlier.
    pub to: Option<BusinessDay>,
    /// Any of the three numbers, whole.
    pub number: Option<String>,
    /// The derived state.
    pub state: Option<OrderState>,
    /// Our merchant number.
    pub merchant: Option<String>,
}

/// Where a page begins: after this order, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Unix microseconds.
    pub created_at: i64,
    /// Internal key.
    pub id: i64,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As placed.
    pub order: Order,
    /// Our merchant number.
    pub merchant: String,
    /// The merchant's name.
    pub merchant_name: String,
    /// Derived.
    pub state: OrderState,
    /// The institution's number, once paid.
    pub inst_order_no: Option<String>,
    /// In fen, once paid.
    pub paid: Option<Fen>,
    /// Unix microseconds, once paid.
    pub paid_at: Option<i64>,
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first, at most [`PAGE`].
    pub rows: Vec<Row>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// The page after `after`.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, filter: &Filter, after: Option<Cursor>) -> Result<Page, Error> {
    let mut rows = store::page(tx, scope, filter, after, PAGE.saturating_add(1))?;
    let full = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = rows.len() > full;
    rows.truncate(full);
    let next =
        rows.last().filter(|_| more).map(|row| Cursor { created_at: row.order.created_at, id: row.order.id });
    Ok(Page { rows, next })
}

/// The most orders that are counted for the totals of a list.
const COUNTED: i64 = 10_000;

/// What a filter finds altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// How many orders.
    pub count: i64,
    /// What was paid, or else asked for, in fen.
    pub amount: Fen,
    /// Whether there are more than were counted.
    pub bounded: bool,
}

/// What a filter finds altogether, counted up to a bound.
pub fn totals(tx: &mut Tx<'_>, scope: &Scope, filter: &Filter) -> Result<Totals, Error> {
    let mut amounts = store::amounts(tx, scope, filter, COUNTED.saturating_add(1))?;
    let most = usize::try_from(COUNTED).unwrap_or(usize::MAX);
    let bounded = amounts.len() > most;
    amounts.truncate(most);
    let count = i64::try_from(amounts.len()).unwrap_or(COUNTED);
    let sum = Fen::sum(amounts.into_iter().map(Fen::new));
    let amount = sum.ok_or_else(|| Error::Internal("the sum of a list overflows".to_owned()))?;
    Ok(Totals { count, amount, bounded })
}

/// How many payments a business day has, and what they add up to.
pub fn paid_on(tx: &mut Tx<'_>, scope: &Scope, day: BusinessDay) -> Result<(i64, Fen), Error> {
    let (count, sum) = store::paid_on(tx, scope, day.to_i32())?;
    Ok((count, Fen::new(sum)))
}

/// The signed message behind a payment or an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// `NOTIFICATION` or `QUERY_ANSWER`.
    pub kind: String,
    /// Of the raw bytes, lower-case hex.
    pub sha256: String,
    /// Unix microseconds.
    pub received_at: i64,
}

/// One line of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Unix microseconds.
    pub at: i64,
    /// What happened.
    pub event: Event,
    /// What it rests on.
    pub evidence: Option<Evidence>,
}

/// How far the merchant's notification has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The id that every delivery carries.
    pub event_id: String,
    /// How often it was sent.
    pub attempts: i32,
    /// When the merchant took it, unix microseconds.
    pub done_at: Option<i64>,
    /// When it was given up, unix microseconds.
    pub given_up_at: Option<i64>,
    /// Why the last delivery failed.
    pub last_error: Option<String>,
}

/// One order with all that was kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The order, its state and payment.
    pub standing: Standing,
    /// Our merchant number.
    pub merchant: String,
    /// The merchant's name.
    pub merchant_name: String,
    /// In the order in which it happened.
    pub timeline: Vec<TimelineEntry>,
    /// The signed message of the payment.
    pub evidence: Option<Evidence>,
    /// The merchant's notification, once paid.
    pub delivery: Option<Delivery>,
}

/// One order by our number, for whoever `scope` is; another tenant's is not found.
pub fn detail(tx: &mut Tx<'_>, scope: &Scope, order_no: &str) -> Result<Detail, Error> {
    // Not every database can be asked for such a number.
    if order_no.contains(char::is_control) {
        return Err(Error::NotFound);
    }
    let (order, merchant, merchant_name) = store::scoped(tx, scope, order_no)?.ok_or(Error::NotFound)?;
    let timeline = store::timeline(tx, order.id)?;
    let delivery = store::delivery(tx, order.id)?;
    let standing = standing(tx, order)?;
    let evidence = match &standing.payment {
        Some(payment) => store::evidence(tx, &payment.raw)?,
        None => None,
    };
    Ok(Detail { standing, merchant, merchant_name, timeline, evidence, delivery })
}
