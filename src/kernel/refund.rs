//! Refunds (`split.md`, "Refunds"): what each line gives back.
use super::money::Fen;
use super::rule::RuleVersion;
use super::split::{Line, OrderFacts};

/// A refund as the institution's bill states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// What goes back to the payer, in fen, `1 ..= 10^12`.
    pub amount: Fen,
    /// What the channel gives back of its fee, in fen, `0 ..= fee`.
    pub fee_back: Fen,
}

/// What a refund moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The fee's part of this refund, in fen.
    pub back: Fen,
    /// What the merchant owes at its next settlement, in fen; negative when it is owed.
    pub debt: Fen,
    /// What goes back of the subsidy, in fen.
    pub undone: Fen,
    /// What each line gives back, in fen, in the order of the lines.
    pub returns: Vec<Fen>,
}

/// Why a refund is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Amount or fee outside their bounds.
    #[error("the refund's amount or fee is outside its bounds")]
    InvalidInput,
    /// All refunds together would exceed what was paid.
    #[error("the refunds together exceed what was paid")]
    ExceedsPaid,
}

impl RefundError {
    /// The stable code: `INVALID_INPUT` or `REFUND_EXCEEDS_PAID`.
    pub const fn code(&self) -> &'static str {
        match self {
            RefundError::InvalidInput => "INVALID_INPUT",
            RefundError::ExceedsPaid => "REFUND_EXCEEDS_PAID",
        }
    }
}

/// An order with its lines and what its refunds have returned so far.
#[derive(Clone, Debug)]
pub struct Refunds<'a> {
    rule: &'a RuleVersion,
    order: &'a OrderFacts,
    lines: &'a [Line],
}

impl<'a> Refunds<'a> {
    /// Before the first refund of an order that `rule` split into `lines`.
    pub fn new(rule: &'a RuleVersion, order: &'a OrderFacts, lines: &'a [Line]) -> Refunds<'a> {
        Refunds { rule, order, lines }
    }

    /// Applies the next refund; an error changes nothing.
    pub fn apply(&mut self, refund: Refund) -> Result<Returned, RefundError> {
        let _ = (self.rule, self.order, self.lines, refund);
        Err(RefundError::InvalidInput)
    }
}
