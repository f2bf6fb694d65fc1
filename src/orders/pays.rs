//! Whether what an institution states pays an order: asked here alone, by notification, query, bill and `check` alike, each
//! as far as it says it (`channels.md` 3). Whether the order is paid already is for the asker to know.
use std::ops::Range;

use super::Order;
use crate::channels::{CNY, Statement};
use crate::db::columns::InstitutionId;
use crate::kernel::calendar::Instant;
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
    /// Who is paid, in the number that is stated: the institution's, in a bill ours.
    pub merchant_no: &'a str,
    /// In fen.
    pub amount: Fen,
}

/// What an institution states of a payment, in a message or in a row of its bill.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'a> {
    /// Our number.
    pub order_no: &'a str,
    /// Who states it.
    pub institution_id: InstitutionId,
    /// In which channel.
    pub channel: &'a str,
    /// Whether our own numbers there took the payment.
    pub names_us: bool,
    /// Who was paid, where it is said.
    pub merchant_no: Option<&'a str>,
    /// How, where it is said.
    pub product: Option<&'a str>,
    /// Three letters.
    pub currency: &'a str,
    /// What was ordered.
    pub total: Fen,
    /// What the payer paid of it, where it is said.
    pub payer_total: Option<Fen>,
    /// What promotions came to; none where one of them cannot be understood.
    pub promotions: Option<Fen>,
    /// What the merchant is owed of it.
    pub paid: Fen,
    /// When it was paid.
    pub paid_at: Instant,
}

impl<'a> Stated<'a> {
    /// What a message of an institution's channel states.
    pub fn of((institution_id, channel): (InstitutionId, ChannelName), said: &'a Statement) -> Self {
        Self {
            order_no: &said.order_no,
            institution_id,
            channel: channel.as_str(),
            names_us: said.names_us,
            merchant_no: said.merchant_no.as_deref(),
            product: said.product.as_ref().map(Product::as_str),
            currency: &said.sums.currency,
            total: said.sums.total,
            payer_total: said.sums.payer_total,
            promotions: said.sums.promotions,
            paid: said.paid,
            paid_at: said.paid_at,
        }
    }
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

    /// Whether what an institution states pays the order; the error is the first thing in which it does not.
    pub fn paid_by(&self, said: &Stated<'_>) -> Result<(), Apart> {
        let unpaid = said.payer_total.map_or(said.promotions, |paid| said.total.checked_sub(paid));
        let is_here = self.institution_id == said.institution_id && self.channel.as_str() == said.channel;
        let is_explained = said.promotions.is_some_and(|fen| fen >= Fen::ZERO) && said.promotions == unpaid;
        let tests = [
            (said.order_no == self.order_no, Apart::Unknown),
            (is_here && said.names_us, Apart::Platform),
            (said.merchant_no.is_none_or(|no| no == self.merchant_no), Apart::Merchant),
            (said.product.is_none_or(|product| product == self.product.as_str()), Apart::Product),
            (said.currency == CNY, Apart::Currency),
            (said.total == self.amount, Apart::Amount),
            (is_explained && said.paid > Fen::ZERO, Apart::Promotions),
            (YEARS.contains(&said.paid_at.get()), Apart::Time),
        ];
        match tests.into_iter().find(|(holds, _)| !holds) {
            Some((_, apart)) => Err(apart),
            None => Ok(()),
        }
    }
}
