//! Orders: from the merchant's request to the payment fact.
//!
//! An order is a row that never changes, the events told about it, and at most one payment. Its state is derived:
//! a payment makes it `PAID`, otherwise the last event that is a state counts (`domain.md` 7.1).
//! Money states move only by a verified message of the institution; a timeout is `UNKNOWN`, left by a query.

mod ages;
mod apart;
mod apart_store;
mod asking;
mod at_once_store;
mod event;
mod flow;
mod intake;
mod list;
mod open_store;
mod pays;
mod place;
mod store;

pub use ages::{Ages, Whose};
pub use apart::{ApartEnd, ApartKey, Ended, TriedAgain, end_apart, try_again};
pub use apart_store::{KeptApart, ended_apart, kept_apart, kept_apart_count};
pub use asking::Asking;
pub use event::{Cause, Event, EventKind, EventReason};
pub use flow::{Closed, Outside, close, follow_up, refresh, resolve};
pub use intake::{Intake, Outcome, Pace, PaymentFact};
pub use list::{
    Cursor, Detail, EVENTS, Evidence, Filter, OrderPage, OrderRow, PAGE, REACH, TimelineEntry, Totals,
    Untold, detail, list, paid_on, totals, untold, untold_count,
};
pub use open_store::{Open, Stuck, awaiting, merchants_awaiting, unresolved};
pub use pays::{Apart, Awaits, Stated};
pub use place::{Placed, Request, create, place};
pub use store::{
    Order, Payment, RawRef, by_id, by_inst_order_no, by_order_no, by_out_trade_no, newest,
    of_tenant_by_inst_order_no,
};

use crate::db::Tx;
use crate::db::columns::OrderId;
use crate::error::Error;
use crate::kernel::state::OrderState;

/// An order with what is known of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As placed.
    pub order: Order,
    /// Derived.
    pub state: OrderState,
    /// The event that is its state; none when it is paid.
    pub event: Option<Event>,
    /// Present exactly when `PAID`.
    pub payment: Option<Payment>,
}

impl Standing {
    /// Whether nothing but a late payment can change where it stands.
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, OrderState::Paid | OrderState::Closed)
    }
}

/// Tells an event about an order.
pub fn record(tx: &mut Tx<'_>, order: OrderId, at: i64, event: &Event) -> Result<(), Error> {
    store::add_event(tx, order, at, event)
}

/// What is known of an order now.
pub fn standing(tx: &mut Tx<'_>, order: Order) -> Result<Standing, Error> {
    let store::Last { state, event, paid_on } = store::last(tx, order.id)?;
    match paid_on {
        None => Ok(Standing { order, state, event: Some(event), payment: None }),
        Some(day) => {
            let payment = store::payment_of(tx, order.id, day)?;
            Ok(Standing { order, state: OrderState::Paid, event: None, payment: Some(payment) })
        }
    }
}
