//! What the institution itself saw of a day: the rows that a BIL and a channel's own bill both become.
use std::collections::BTreeMap;

use super::calendar::{BusinessDay, Instant};
use super::money::Fen;
use super::split::OrderFacts;
use super::text::NO_ORDER_NO;

/// A payment as the institution's bill states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillOrder {
    /// The facts that are split.
    pub facts: OrderFacts,
    /// The platform's own number, which it sent to the channel; [`NO_ORDER_NO`] of a payment that did not come through
    /// the platform, whose tags and parties are empty.
    pub order_no: String,
}

impl BillOrder {
    /// Whether it carries tags and parties in the platform's form (`files.md`): else it did not come through it.
    pub fn is_declared(&self) -> bool {
        self.order_no != NO_ORDER_NO
    }

    /// Room for an order that a reader fills.
    pub fn blank() -> Self {
        let facts = OrderFacts {
            inst_order_no: String::new(),
            merchant: String::new(),
            channel: String::new(),
            product: String::new(),
            tags: Vec::new(),
            parties: BTreeMap::new(),
            paid_at: Instant::new(0),
            paid: Fen::ZERO,
            fee: Fen::ZERO,
            subsidy: Fen::ZERO,
        };
        Self { facts, order_no: String::new() }
    }
}

/// A refund as the institution's bill states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRefund {
    /// The institution's number of the refund.
    pub inst_refund_no: String,
    /// The platform's own number of the refund.
    pub refund_no: String,
    /// The refunded payment.
    pub inst_order_no: String,
    /// Business day of the refunded payment; a channel's own bill does not say it.
    pub order_day: Option<BusinessDay>,
    /// When it was refunded.
    pub refunded_at: Instant,
    /// What the payer got back, fen.
    pub amount: Fen,
    /// What the channel gave back of its fee, fen.
    pub fee_back: Fen,
}

/// A row of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillRow {
    /// A payment.
    Order(BillOrder),
    /// A refund.
    Refund(BillRefund),
}
