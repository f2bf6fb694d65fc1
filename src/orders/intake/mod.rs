//! Intake of payments: a verified message of the institution becomes a durable fact before it is answered.
//!
//! A payment is accepted once for ever by the number that the institution gave it in a channel. The same message again changes nothing and
//! gets the same answer; the same number with other facts is refused. What the institution says was paid is
//! stored as it says it, whatever our record expected: a closed order, another amount, an order we do not know.
mod batch;
mod queue;
mod store;

use super::RawRef;
use crate::institutions::ChannelWord;
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;

pub use queue::{Intake, Pace};

/// Where a raw message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// The institution told us.
    Notification,
    /// The institution answered our query.
    QueryAnswer,
}

impl RawKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "NOTIFICATION",
            Self::QueryAnswer => "QUERY_ANSWER",
        }
    }
}

/// A signed message as it arrived, its signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it came from.
    pub kind: RawKind,
    /// Unix microseconds.
    pub received_at: i64,
    /// The headers that its signature needs, one `name: value` a line.
    pub headers: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// One payment, as the institution says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFact {
    /// Whose signature was verified.
    pub institution_id: i64,
    /// Through which of its channels it was paid.
    pub channel: ChannelWord,
    /// Our number.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// The institution's number of the sub-merchant that was paid.
    pub inst_merchant_no: String,
    /// Product of the trade type.
    pub product: String,
    /// In fen.
    pub paid: Fen,
    /// When it was paid.
    pub paid_at: Instant,
    /// The evidence.
    pub raw: RawMessage,
}

impl PaymentFact {
    /// What no other payment may have: numbers are an institution's and channel's own.
    fn key(&self) -> PaymentKey {
        (self.inst_order_no.clone(), self.institution_id, self.channel)
    }

    fn raw_ref(&self) -> RawRef {
        let business_date = self.paid_at.business_day().to_i32();
        RawRef { business_date, sha256: Digest::of(&self.raw.body).to_string() }
    }
}

/// The institution's number, the institution, its channel.
type PaymentKey = (String, i64, ChannelWord);

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now.
    Stored,
    /// Stored before, with the same facts.
    Known,
    /// Kept with its message: no order of ours awaits it.
    Orphan,
    /// The number was stored before with other facts: refused, nothing stored.
    Conflict,
}
