//! Intake of payments: a verified message of the institution becomes a durable fact before it is answered.
//!
//! A payment is accepted once for ever by the number that the institution gave it in a channel. The same message again changes nothing and
//! gets the same answer; the same number with other facts is refused. What pays its order ([`super::pays`]) makes it
//! paid, closed or not. Any other payment is kept apart with its message, as work for people: of another amount, a second
//! one, of an order that we do not know. When the same facts are stated again and pay the order by then, because what did
//! not fit was corrected, it becomes the order's payment; not when it was refunded meanwhile, and not once a person has noted
//! that it was put right elsewhere.
mod batch;
mod queue;
mod store;

use super::RawRef;
use crate::channels::{Channel, Notice, RawMessage, Statement};
use crate::db::columns::InstitutionId;
use crate::kernel::channel::ChannelName;
use crate::kernel::digest::Digest;

pub use queue::{Intake, Pace};

/// One payment, as the institution says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFact {
    /// Whose signature was verified.
    pub institution_id: InstitutionId,
    /// Through which of its channels it was paid.
    pub channel: ChannelName,
    /// What it states.
    pub said: Statement,
    /// The evidence.
    pub raw: RawMessage,
}

impl PaymentFact {
    /// What a channel's verified notice says.
    pub fn of(channel: &Channel, notice: Notice) -> Self {
        let Notice { statement, raw } = notice;
        Self { institution_id: channel.institution().id, channel: channel.name(), said: statement, raw }
    }

    /// What no other payment may have: numbers are an institution's and channel's own.
    fn key(&self) -> PaymentKey {
        (self.said.inst_order_no.clone(), self.institution_id, self.channel)
    }

    fn raw_ref(&self) -> RawRef {
        RawRef { business_date: self.said.paid_at.business_day(), sha256: Digest::of(&self.raw.body) }
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
    /// Kept apart with its message: it pays no order of ours.
    Orphan,
    /// The number was stored before with other facts: refused, nothing stored.
    Conflict,
}
