//! Rule versions (`split.md`, "Rule version"): read strictly, immutable, named by their digest.
//!
//! [`parse`] accepts a version or tells every finding; [`pick`] chooses the version of an order.
mod parse;
mod pick;
mod scope;
mod share;

use std::sync::Arc;

use crate::calendar::Instant;
use crate::digest::Digest;
use crate::money::Fen;
use crate::rate::Ppm;

pub use parse::{from_json, parse};
pub use pick::{InForce, by_name_newest_first, pick, pick_sorted};
pub use scope::{List, Scope, Unmet};

/// One thing wrong with a document, and where: `shares[0].rate_ppm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place in the document.
    pub path: String,
    /// What is wrong there.
    pub why: String,
}

/// A valid version of a rule. Only [`parse`] and [`from_json`] make one, so that it always holds what `split.md` demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVersion {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Its version, from 1.
    pub version: i64,
    /// The institution that approves it.
    pub institution: String,
    /// The first moment at which it counts.
    pub effective_from: Instant,
    /// The first moment at which it no longer counts; `None` = open.
    pub effective_to: Option<Instant>,
    /// Which orders it is for.
    pub scope: Scope,
    /// The greater goes first, `-1000 ..= 1000`.
    pub priority: i64,
    /// What all shares together may take of gross.
    pub max_ratio: Ppm,
    /// Who bears the channel's fee.
    pub fee_bearer: FeeBearer,
    /// What happens when the shares exceed their limit.
    pub when_short: WhenShort,
    /// Who gives money back first on a refund.
    pub refund: RefundPolicy,
    /// The top-level shares in order.
    pub shares: Vec<Share>,
    receivers: usize,
    canonical: String,
    digest: Digest,
}

impl RuleVersion {
    /// The canonical form: RFC 8785 of the object as written.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// `rule_digest`: SHA-256 of the canonical form.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many lines a split by this version has, the merchant's included.
    pub fn line_count(&self) -> usize {
        self.receivers.saturating_add(1)
    }
}

/// Who bears the channel's fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeeBearer {
    /// The merchant's line, which is what remains of the pool anyway.
    Merchant,
    /// The own receivers of the top-level shares whose `to` is written like this.
    Receiver(Arc<str>),
}

/// What happens when the top-level shares exceed their limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenShort {
    /// The order becomes the exception `OVER_LIMIT`.
    Reject,
    /// Each share gets what is left of the limit, in order.
    InOrder,
}

/// Who gives money back first on a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundPolicy {
    /// All lines in proportion.
    ProRata,
    /// The merchant, as long as the others keep no more than the cap allows of what remains.
    MerchantFirst,
}

/// A share of an order, or nested, of its parent's amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its place: `0`, `0.1`.
    pub path: Arc<str>,
    /// The role under which its receivers are registered.
    pub role: Arc<str>,
    /// Who receives it.
    pub target: Target,
    /// What it is taken of.
    pub base: Base,
    /// How much.
    pub value: Value,
    /// The least that it is worth where its condition holds.
    pub min: Option<Fen>,
    /// The most that it is worth.
    pub max: Option<Fen>,
    /// Its condition.
    pub when: Option<When>,
    /// The shares taken out of this one.
    pub shares: Vec<Share>,
}

/// Who receives a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One receiver key.
    Receiver(Arc<str>),
    /// The order's party of that name.
    Party {
        /// As written: `$agent`.
        written: Arc<str>,
        /// Without its `$`.
        name: Arc<str>,
    },
    /// Several receivers by weight.
    Divide {
        /// Two to twenty receivers in order.
        parts: Vec<Part>,
        /// The sum of their weights.
        total: u32,
    },
}

impl Target {
    /// The `to` as written, `None` for a `divide`.
    pub fn written(&self) -> Option<&Arc<str>> {
        match self {
            Target::Receiver(key) => Some(key),
            Target::Party { written, .. } => Some(written),
            Target::Divide { .. } => None,
        }
    }
}

/// One receiver of a `divide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place: `2#0`.
    pub path: Arc<str>,
    /// The receiver key.
    pub receiver: Arc<str>,
    /// Its weight, `1 ..= 1_000_000`.
    pub weight: u32,
}

/// What a share is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// `paid + subsidy`.
    Gross,
    /// The pool, `gross − fee`.
    Net,
    /// The parent share's amount.
    Parent,
}

/// How much a share is worth before `min` and `max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One rate and fixed amount for all orders.
    Flat(Amount),
    /// By the order's gross: the last tier whose `from` is not above it.
    Tiers(Vec<Tier>),
}

/// `floor(base × rate) + fixed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// The part of the base.
    pub rate: Ppm,
    /// What comes on top.
    pub fixed: Fen,
}

/// One tier of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The least gross for which it counts.
    pub from: Fen,
    /// What it gives.
    pub amount: Amount,
}

/// The condition of a share: all that are named must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Gross is at least this.
    pub gross_at_least: Option<Fen>,
    /// Gross is below this.
    pub gross_below: Option<Fen>,
    /// The channel is one of these.
    pub channels: Option<Vec<String>>,
    /// The product is one of these.
    pub products: Option<Vec<String>>,
    /// One of the order's tags is one of these.
    pub tags_any: Option<Vec<String>>,
    /// Paid at or after this.
    pub paid_from: Option<Instant>,
    /// Paid before this.
    pub paid_before: Option<Instant>,
}
