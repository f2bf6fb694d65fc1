//! Whether a statement of an institution pays an order: asked here alone, by notification, query and `check` alike
//! (`channels.md` 3).
use std::ops::Range;

use super::Order;
use crate::channels::{CNY, Statement};
use crate::db::columns::InstitutionId;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::money::Fen;
use crate::kernel::text_enum;
use crate::merchants::SubMerchant;

/// The years 2000 to 2099 in Asia/Shanghai, in unix seconds: nothing was or will be paid outside of them.
const YEARS: Range<i64> = 946_656_000..4_102_416_000;

text_enum! {
    /// Why a payment is kept apart: what it differs in from the order that it names.
    pub enum Apart {
        /// No order of ours has the number.
        Unknown = "UNKNOWN",
        /// The order was paid before.
        Second = "SECOND",
        /// It names another institution, channel, number or application of ours.
        Platform = "PLATFORM",
        /// Another merchant was paid.
        Merchant = "MERCHANT",
        /// It was paid in another way.
        Product = "PRODUCT",
        /// In another currency.
        Currency = "CURRENCY",
        /// Another amount than was ordered.
        Amount = "AMOUNT",
        /// What the payer did not pay is not what the promotions come to.
        Promotions = "PROMOTIONS",
        /// At a time that cannot be.
        Time = "TIME",
    }
}

/// What an order awaits.
#[derive(Debug, Clone, Copy)]
pub struct Awaits<'a> {
    /// Our number.
    pub order_no: &'a str,
    /// Whose channel carries it.
    pub institution_id: InstitutionId,
    /// Which channel.
    pub channel: ChannelName,
    /// How it is to be paid.
    pub product: &'a Product,
    /// The institution's number of the merchant.
    pub merchant_no: &'a str,
    /// In fen.
    pub amount: Fen,
}

impl<'a> Awaits<'a> {
    /// What this order awaits.
    pub fn of(order: &'a Order, merchant: &'a SubMerchant) -> Self {
        Self {
            order_no: &order.order_no,
            institution_id: order.institution_id,
            channel: order.channel,
            product: &order.product,
            merchant_no: &merchant.inst_merchant_no,
            amount: order.amount,
        }
    }

    /// Whether what an institution states in a channel pays the order; the error is the first thing in which it does not.
    pub fn paid_by(
        &self,
        (institution, channel): (InstitutionId, ChannelName),
        said: &Statement,
    ) -> Result<(), Apart> {
        let sums = &said.sums;
        let unpaid = sums.payer_total.map_or(sums.promotions, |paid| sums.total.checked_sub(paid));
        let tests = [
            (said.order_no == self.order_no, Apart::Unknown),
            (self.institution_id == institution && self.channel == channel && said.names_us, Apart::Platform),
            (said.merchant_no.as_deref().is_none_or(|no| no == self.merchant_no), Apart::Merchant),
            (said.product.as_ref().is_none_or(|product| product == self.product), Apart::Product),
            (sums.currency == CNY, Apart::Currency),
            (sums.total == self.amount, Apart::Amount),
            (
                sums.promotions.is_some() && sums.promotions == unpaid && said.paid > Fen::ZERO,
                Apart::Promotions,
            ),
            (YEARS.contains(&said.paid_at.get()), Apart::Time),
        ];
        match tests.into_iter().find(|(holds, _)| !holds) {
            Some((_, apart)) => Err(apart),
            None => Ok(()),
        }
    }
}
