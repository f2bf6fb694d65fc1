//! Intake of payments: a verified message of the institution becomes a durable fact before it is answered.
//!
//! A payment is accepted once for ever by the number that the institution gave it in a channel. The same message again changes nothing and
//! gets the same answer; the same number with other facts is refused. What the institution says was paid is
//! stored as it says it, whatever our record expected: a closed order, another amount, an order we do not know.
mod batch;
mod queue;
mod store;

use super::RawRef;
use crate::channels::{Channel, Notice, RawMessage};
use crate::db::columns::InstitutionId;
use crate::kernel::calendar::Instant;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;

pub use queue::{Intake, Pace};

/// One payment, as the institution says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFact {
    /// Whose signature was verified.
    pub institution_id: InstitutionId,
    /// Through which of its channels it was paid.
    pub channel: ChannelName,
    /// Our number.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// The institution's number of the sub-merchant that was paid.
    pub inst_merchant_no: String,
    /// How it was paid.
    pub product: Product,
    /// In fen.
    pub paid: Fen,
    /// When it was paid.
    pub paid_at: Instant,
    /// The evidence.
    pub raw: RawMessage,
}

impl PaymentFact {
    /// What a channel's verified notice says.
    pub fn of(channel: &Channel, notice: Notice) -> Self {
        let Notice { statement, raw } = notice;
        Self {
            institution_id: channel.institution().id,
            channel: channel.name(),
            order_no: statement.order_no,
            inst_order_no: statement.inst_order_no,
            inst_merchant_no: statement.merchant_no,
            product: statement.product,
            paid: statement.paid,
            paid_at: statement.paid_at,
            raw,
        }
    }

    /// What no other payment may have: numbers are an institution's and channel's own.
    fn key(&self) -> PaymentKey {
        (self.inst_order_no.clone(), self.institution_id, self.channel)
    }

    fn raw_ref(&self) -> RawRef {
        RawRef { business_date: self.paid_at.business_day(), sha256: Digest::of(&self.raw.body) }
    }
}

/// The institution's number, the institution, its channel.
type PaymentKey = (String, InstitutionId, ChannelName);

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
