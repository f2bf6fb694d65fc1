//! Orders on screen: a page by key, and one order with its evidence. Every query is bound to who asks.
mod store;
mod untold_store;

pub use untold_store::{Untold, untold, untold_count};

use self::store::Narrow;
use super::{Event, KeptApart, Order, Standing, apart_store, standing};
use crate::channels::RawKind;
use crate::db::Tx;
use crate::db::columns::OrderId;
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::outbox::{self, About, Delivery};
use crate::people::Scope;

/// The most orders of one page.
pub const PAGE: i64 = 50;
/// The most events of an order's timeline.
pub const EVENTS: i64 = 100;

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
    pub id: OrderId,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderPage {
    /// Newest first, at most [`PAGE`].
    pub rows: Vec<OrderRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// Whether the page is short because so many orders of other states had been looked at: the next one goes on.
    pub goes_on: bool,
}

/// The most orders that one page looks at for a state: it is derived, so that no index knows it.
pub const REACH: usize = 2_000;
/// The most orders that are counted for the totals of a list.
const COUNTED: i64 = 10_000;
/// The most orders whose amounts are added up for the totals of a list, or that are looked at for a state.
const SUMMED: usize = 1_000;
/// Orders whose states are read in one query: a page of a frequent state is full after the first ones.
const AT_ONCE: usize = 250;

/// The page after `after`.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    filter: &Filter,
    after: Option<Cursor>,
) -> Result<OrderPage, Error> {
    let Some(narrow) = store::narrow(tx, scope, filter)? else { return Ok(OrderPage::default()) };
    let full = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let bounds = (full.saturating_add(1), REACH);
    let Found { mut keys, resume } = search(tx, &narrow, filter.state, after, bounds)?;
    let more = keys.len() > full;
    keys.truncate(full);
    let next = if more { keys.last().copied() } else { resume };
    let rows = if keys.is_empty() { Vec::new() } else { store::rows(tx, &keys)? };
    Ok(OrderPage { rows, next, goes_on: !more && next.is_some() })
}

/// What a search found, newest first.
struct Found {
    keys: Vec<Cursor>,
    /// Where it stopped before everything was looked at.
    resume: Option<Cursor>,
}

/// At most `most` orders in order of the list. For a state at most `reach` orders are looked at.
fn search(
    tx: &mut Tx<'_>,
    narrow: &Narrow,
    state: Option<OrderState>,
    after: Option<Cursor>,
    (most, reach): (usize, usize),
) -> Result<Found, Error> {
    let limit = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let Some(state) = state else {
        return Ok(Found { keys: store::keys(tx, narrow, after, limit(most))?, resume: None });
    };
    let (mut keys, mut resume) = (Vec::new(), None);
    // Of a platform of years hardly any order is: its events are asked before all orders are.
    let is_rare = state == OrderState::Unknown;
    if is_rare {
        (keys, resume) = store::keys_told(tx, narrow, state, after, limit(reach))?;
    }
    if !is_rare || resume.is_some() {
        (keys, resume) = (store::keys(tx, narrow, after, limit(reach).saturating_add(1))?, None);
    }
    if keys.len() > reach {
        match state {
            // Few orders ever are: their events lead there.
            OrderState::Unknown | OrderState::Closed => {
                (keys, resume) = store::keys_told(tx, narrow, state, after, limit(reach))?;
            }
            OrderState::Created | OrderState::Paying | OrderState::Paid => {
                keys.truncate(reach);
                resume = keys.last().copied();
            }
        }
    }
    let mut found = Vec::new();
    for some in keys.chunks(AT_ONCE) {
        let ids: Vec<OrderId> = some.iter().map(|key| key.id).collect();
        let states = store::states(tx, &ids)?;
        found.extend(some.iter().filter(|key| states.get(&key.id) == Some(&state)));
        if found.len() >= most {
            found.truncate(most);
            break;
        }
    }
    Ok(Found { keys: found, resume })
}

/// What a filter finds altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// How many orders.
    pub count: i64,
    /// What was paid, or else asked for, in fen; left out where there are too many to add up.
    pub amount: Option<Fen>,
    /// Whether there are more than were counted.
    pub bounded: bool,
}

/// What a filter finds altogether, counted up to a bound.
pub fn totals(tx: &mut Tx<'_>, scope: &Scope, filter: &Filter) -> Result<Totals, Error> {
    let nothing = Totals { count: 0, amount: Some(Fen::ZERO), bounded: false };
    let Some(narrow) = store::narrow(tx, scope, filter)? else { return Ok(nothing) };
    let found = search(tx, &narrow, filter.state, None, (SUMMED.saturating_add(1), SUMMED))?;
    if found.keys.len() <= SUMMED {
        let ids: Vec<OrderId> = found.keys.iter().map(|key| key.id).collect();
        let amounts = if ids.is_empty() { Vec::new() } else { store::amounts(tx, &ids)? };
        return added(amounts, found.resume.is_some());
    }
    let count = store::count(tx, &narrow, COUNTED.saturating_add(1))?;
    Ok(Totals { count: count.min(COUNTED), amount: None, bounded: count > COUNTED })
}

fn added(amounts: Vec<Fen>, bounded: bool) -> Result<Totals, Error> {
    let count = i64::try_from(amounts.len()).unwrap_or(i64::MAX);
    let sum = Fen::sum(amounts);
    let amount = sum.ok_or_else(|| Error::Internal("the sum of a list overflows".to_owned()))?;
    Ok(Totals { count, amount: Some(amount), bounded })
}

/// How many payments a business day has, and what they add up to: of the first 10,000 where there are more.
pub fn paid_on(tx: &mut Tx<'_>, scope: &Scope, day: BusinessDay) -> Result<Totals, Error> {
    let mut paid = store::paid_on(tx, scope, day, COUNTED.saturating_add(1))?;
    let most = usize::try_from(COUNTED).unwrap_or(usize::MAX);
    let bounded = paid.len() > most;
    paid.truncate(most);
    added(paid, bounded)
}

/// The signed message behind a payment or an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where it came from.
    pub kind: RawKind,
    /// Of the raw bytes.
    pub sha256: Digest,
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

/// One order with all that was kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The order, its state and payment.
    pub standing: Standing,
    /// Our merchant number.
    pub merchant: String,
    /// The merchant's name.
    pub merchant_name: String,
    /// In the order in which it happened; the newest [`EVENTS`] of more.
    pub timeline: Vec<TimelineEntry>,
    /// Whether there are older events than the timeline has.
    pub older_events: bool,
    /// The signed message of the payment.
    pub evidence: Option<Evidence>,
    /// The merchant's notification, once paid.
    pub delivery: Option<Delivery>,
    /// Payments that name the order and do not pay it; its merchant sees none.
    pub apart: Vec<KeptApart>,
}

/// One order by our number, for whoever `scope` is; another tenant's is not found.
pub fn detail(tx: &mut Tx<'_>, scope: &Scope, order_no: &str) -> Result<Detail, Error> {
    // Not every database can be asked for such a number.
    if order_no.contains(char::is_control) {
        return Err(Error::NotFound);
    }
    let (order, merchant, merchant_name) = store::scoped(tx, scope, order_no)?.ok_or(Error::NotFound)?;
    let mut timeline = store::timeline(tx, order.id, EVENTS.saturating_add(1))?;
    let older_events = i64::try_from(timeline.len()).is_ok_and(|told| told > EVENTS);
    if older_events {
        timeline.remove(0);
    }
    let delivery = outbox::delivery(tx, About::OrderPaid(order.id))?;
    let apart = apart_store::naming(tx, scope, order_no, EVENTS)?;
    let standing = standing(tx, order)?;
    let evidence = match &standing.payment {
        Some(payment) => store::evidence(tx, &payment.raw)?,
        None => None,
    };
    Ok(Detail { standing, merchant, merchant_name, timeline, older_events, evidence, delivery, apart })
}
