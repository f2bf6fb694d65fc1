//! Computing a split (`split.md`, "Order facts" and "Computing a split").
mod compute;
mod divide;
mod explain;
mod plain;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::calendar::Instant;
use crate::money::Fen;
use crate::text;

pub use compute::{compute, lines};
pub use explain::{Clamp, Cut, Explain, MerchantExplain, PartExplain, ShareExplain, Worth};
pub use plain::{PlainLine, Receiver};

/// The path of the merchant's line.
pub const MERCHANT_PATH: &str = "m";

/// What the institution's bill says about one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// The institution's number of the payment, unique for ever.
    pub inst_order_no: String,
    /// The sub-merchant.
    pub merchant: String,
    /// The channel.
    pub channel: String,
    /// The product.
    pub product: String,
    /// At most 8 tags, none twice.
    pub tags: Vec<String>,
    /// At most 8 receivers of this very order by name.
    pub parties: BTreeMap<String, String>,
    /// When it was paid.
    pub paid_at: Instant,
    /// What the payer paid through the channel, in fen.
    pub paid: Fen,
    /// The channel's fee, in fen.
    pub fee: Fen,
    /// Marketing money added for this order, in fen.
    pub subsidy: Fen,
}

impl OrderFacts {
    /// `paid + subsidy`, in fen; exact for facts within their bounds.
    pub fn gross(&self) -> Fen {
        Fen::new(self.paid.get().saturating_add(self.subsidy.get()))
    }

    /// `gross − fee`, in fen: what the lines add up to; exact for facts within their bounds.
    pub fn pool(&self) -> Fen {
        Fen::new(self.gross().get().saturating_sub(self.fee.get()))
    }

    /// Whether the facts are within the bounds of `split.md`, "Order facts"; else the first that is not.
    pub fn check(&self) -> Result<(), BadFact> {
        let bad = |fact| Err(BadFact(fact));
        if !text::is_inst_order_no(&self.inst_order_no) {
            return bad("inst_order_no");
        }
        if !text::is_merchant(&self.merchant) {
            return bad("merchant");
        }
        if !text::is_channel(&self.channel) {
            return bad("channel");
        }
        if !text::is_channel(&self.product) {
            return bad("product");
        }
        if !tags_fit(&self.tags) {
            return bad("tags");
        }
        let party_fits =
            |(name, key): (&String, &String)| text::is_party_name(name) && text::is_receiver(key);
        if self.parties.len() > 8 || !self.parties.iter().all(party_fits) {
            return bad("parties");
        }
        self.check_money()
    }

    /// Of the money alone, for facts whose texts a reader has looked at already.
    pub fn check_money(&self) -> Result<(), BadFact> {
        let in_range = [self.paid, self.fee, self.subsidy, self.gross()].into_iter().all(Fen::is_fact_range);
        if !in_range || self.paid == Fen::ZERO {
            return Err(BadFact("paid"));
        }
        if self.fee > self.paid { Err(BadFact("fee")) } else { Ok(()) }
    }
}

fn tags_fit(tags: &[String]) -> bool {
    let twice = |i: usize, tag| tags.iter().take(i).any(|earlier| earlier == tag);
    tags.len() <= 8 && tags.iter().enumerate().all(|(i, tag)| text::is_tag(tag) && !twice(i, tag))
}

/// A fact outside its bounds, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the order's {0} is outside its bounds")]
pub struct BadFact(pub &'static str);

/// What one receiver gets of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The place of the share: `0`, `0.1`, `2#0`, or `m` for the merchant.
    pub path: Arc<str>,
    /// The role.
    pub role: Arc<str>,
    /// The receiver key.
    pub receiver: Arc<str>,
    /// The amount in fen, `0 ..= 10^12`.
    pub amount: Fen,
}

/// Who gets what of an order: the lines add up to its pool exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// In pre-order, the merchant last; those of 0 included.
    pub lines: Vec<Line>,
    /// How each line came about, in the same order.
    pub explain: Vec<Explain>,
}

/// Why there is no split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The facts are outside their bounds.
    #[error(transparent)]
    InvalidInput(#[from] BadFact),
    /// A share is worth more than 10^12 fen.
    #[error("a share is worth more than 10^12 fen")]
    Overflow,
    /// The shares exceed their limit and the rule says `reject`.
    #[error("the shares together exceed what they may take of this order")]
    OverLimit,
}

impl SplitError {
    /// The stable code: `INVALID_INPUT`, `OVERFLOW` or `OVER_LIMIT`.
    pub const fn code(&self) -> &'static str {
        match self {
            SplitError::InvalidInput(_) => "INVALID_INPUT",
            SplitError::Overflow => "OVERFLOW",
            SplitError::OverLimit => "OVER_LIMIT",
        }
    }
}
