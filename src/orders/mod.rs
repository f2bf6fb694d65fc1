//! Orders: from the merchant's request to the payment fact.
//!
//! An order is a row that never changes, the events told about it, and at most one payment. Its state is derived:
//! a payment makes it `PAID`, otherwise the last event that is a state counts (`domain.md` 7.1).
//! Money states move only by a verified message of the institution; a timeout is `UNKNOWN`, left by a query.

mod flow;
mod intake;
mod list;
mod place;
mod store;
mod view;

pub use flow::{Channel, Closed, Outside, close, payment_fact, refresh, resolve};
pub use intake::{Intake, Outcome, Pace, PaymentFact, RawKind, RawMessage};
pub use list::{
    Cursor, Delivery, Detail, EVENTS, Evidence, Filter, PAGE, Page, REACH, Row, TimelineEntry, Totals,
    detail, list, paid_on, totals,
};
pub use place::{Placed, Request, create, place};
pub use store::{Stuck, by_inst_order_no, by_order_no, by_out_trade_no, unresolved};
pub use view::view;

use std::collections::BTreeMap;

use crate::db::Tx;
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;

/// The only channel of this version, as rules and files name it.
pub const CHANNEL: &str = "wechat";
/// The product of a native (QR code) order.
pub const NATIVE: &str = "native";

/// An order as it was placed; nothing of it ever changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Internal key.
    pub id: i64,
    /// Our number, which the institution knows as its `out_trade_no`.
    pub order_no: String,
    /// The platform merchant (tenant) whose credential placed it.
    pub platform_merchant_id: i64,
    /// The merchant's own number, unique within its tenant.
    pub out_trade_no: String,
    /// Digest of the request's content: the same number with other content is refused.
    pub content_sha256: String,
    /// Who is paid.
    pub sub_merchant_id: i64,
    /// Whose channel carries it.
    pub institution_id: i64,
    /// The credential that placed it, to whose holder notifications are sealed.
    pub credential_id: i64,
    /// `wechat`.
    pub channel: String,
    /// `native`.
    pub product: String,
    /// Tags in the files' text form: ascending, joined by `,`.
    pub tags: String,
    /// Parties in the files' text form: `name=receiver`, ascending, joined by `,`.
    pub parties: String,
    /// What was asked for, in fen.
    pub amount: Fen,
    /// What the payer reads.
    pub description: String,
    /// The caller's own attach, without the prefix.
    pub attach: String,
    /// Where the merchant wants to be told.
    pub notify_url: String,
    /// Until when it may be paid, unix microseconds.
    pub time_expire: Option<i64>,
    /// Unix microseconds.
    pub created_at: i64,
}

/// What is told about an order; the first four are states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Stored, not yet sent.
    Created,
    /// The institution took it and gave this code_url.
    Paying(String),
    /// Sent, answer not known; why.
    Unknown(String),
    /// It will not be paid any more; why.
    Closed(String),
    /// The institution was asked and answered this.
    Queried(String),
    /// Paid, but another amount than asked for.
    AmountDiffers(String),
    /// Paid although it had been closed.
    LatePayment(String),
}

impl Event {
    /// The word stored in `order_event.kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Paying(_) => "PAYING",
            Self::Unknown(_) => "UNKNOWN",
            Self::Closed(_) => "CLOSED",
            Self::Queried(_) => "QUERIED",
            Self::AmountDiffers(_) => "AMOUNT_DIFFERS",
            Self::LatePayment(_) => "LATE_PAYMENT",
        }
    }

    /// The state that this event is, if it is one.
    pub const fn state(&self) -> Option<OrderState> {
        match self {
            Self::Created => Some(OrderState::Created),
            Self::Paying(_) => Some(OrderState::Paying),
            Self::Unknown(_) => Some(OrderState::Unknown),
            Self::Closed(_) => Some(OrderState::Closed),
            Self::Queried(_) | Self::AmountDiffers(_) | Self::LatePayment(_) => None,
        }
    }

    /// Reads an event as it is stored.
    fn read(kind: &str, detail: String) -> Result<Self, Error> {
        match kind {
            "CREATED" => Ok(Self::Created),
            "PAYING" => Ok(Self::Paying(detail)),
            "UNKNOWN" => Ok(Self::Unknown(detail)),
            "CLOSED" => Ok(Self::Closed(detail)),
            "QUERIED" => Ok(Self::Queried(detail)),
            "AMOUNT_DIFFERS" => Ok(Self::AmountDiffers(detail)),
            "LATE_PAYMENT" => Ok(Self::LatePayment(detail)),
            other => Err(Error::Internal(format!("order event {other}"))),
        }
    }

    /// The code_url of `PAYING`, the reason of the others.
    pub fn detail(&self) -> &str {
        match self {
            Self::Created => "",
            Self::Paying(text)
            | Self::Unknown(text)
            | Self::Closed(text)
            | Self::Queried(text)
            | Self::AmountDiffers(text)
            | Self::LatePayment(text) => text,
        }
    }
}

/// The raw message that an event or a payment rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRef {
    /// yyyymmdd of the payment.
    pub business_date: i32,
    /// Lower-case hex.
    pub sha256: String,
}

impl Order {
    /// The tags, ascending.
    pub fn tag_list(&self) -> Vec<String> {
        self.tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
    }

    /// The parties by name.
    pub fn party_map(&self) -> BTreeMap<String, String> {
        let pairs = self.parties.split(',').filter_map(|party| party.split_once('='));
        pairs.map(|(name, receiver)| (name.to_owned(), receiver.to_owned())).collect()
    }
}

/// What the institution said was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// yyyymmdd of `paid_at` in Asia/Shanghai.
    pub business_date: i32,
    /// The institution's number, unique for ever.
    pub inst_order_no: String,
    /// In fen, as the institution says.
    pub paid: Fen,
    /// Unix microseconds, as the institution says.
    pub paid_at: i64,
    /// When we learned of it, unix microseconds.
    pub received_at: i64,
    /// Name of the rule version that would apply, shown until the cut decides.
    pub preview_rule: Option<String>,
    /// Digest of that rule version.
    pub preview_digest: Option<String>,
    /// The signed message.
    pub raw: RawRef,
}

/// An order with what is known of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As placed.
    pub order: Order,
    /// Derived.
    pub state: OrderState,
    /// The code_url of `PAYING`, or the reason of `UNKNOWN` and `CLOSED`.
    pub detail: String,
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
pub fn record(tx: &mut Tx<'_>, order: i64, at: i64, event: &Event) -> Result<(), Error> {
    store::add_event(tx, order, at, event, None)
}

/// What is known of an order now.
pub fn standing(tx: &mut Tx<'_>, order: Order) -> Result<Standing, Error> {
    let payment = store::payment_of(tx, order.id)?;
    let (state, detail) = match &payment {
        Some(_) => (OrderState::Paid, String::new()),
        None => store::last_state(tx, order.id)?,
    };
    Ok(Standing { order, state, detail, payment })
}
