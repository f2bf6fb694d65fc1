//! The approvals bundle: everything that an institution has approved, signed by it (`files.md`, "Approvals bundle").
mod bundle;
mod past;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::calendar::{Calendar, Cycle, Instant};
use super::digest::Digest;
use super::money::Fen;
use super::rate::Ppm;
use super::rule::{InForce, RuleVersion};

pub use bundle::Bundle;
pub use past::check_successor;

/// Role of the platform's own receivers, which the platform's cap is about.
pub const PLATFORM_ROLE: &str = "platform";
/// Role of the merchant line of every order.
pub const MERCHANT_ROLE: &str = "merchant";

/// A stretch of time with its beginning and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: Instant,
    /// The first moment after it; `None` = open.
    pub to: Option<Instant>,
}

impl Window {
    /// Whether the moment lies in it.
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
}

/// A sub-merchant that the institution knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    /// Its key, without `merchant:`.
    pub merchant: String,
    /// The institution's number of it.
    pub inst_merchant_no: String,
    /// The agreement on splitting.
    pub agreement_no: String,
    /// When it may trade; ascending.
    pub active: Vec<Window>,
    /// Contract fee by `channel/product`.
    pub fees: BTreeMap<String, Ppm>,
    /// The most of gross that others may get of its orders.
    pub max_ratio: Ppm,
    /// Least amount of a settlement in fen.
    pub min_settle: Fen,
    /// Settlement cycle.
    pub cycle: Cycle,
}

/// For whose orders a receiver may stand in a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// `["*"]`: any merchant's.
    Any,
    /// These merchants'.
    Merchants(BTreeSet<String>),
}

impl Bound {
    /// Whether the merchant is among them.
    pub fn to(&self, merchant: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Merchants(names) => names.contains(merchant),
        }
    }
}

/// A receiver that the institution knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its key.
    pub receiver: String,
    /// The institution's number of it.
    pub inst_receiver_no: String,
    /// The role under which it is registered.
    pub role: String,
    /// For whose orders.
    pub merchants: Bound,
    /// When it may receive; ascending.
    pub active: Vec<Window>,
    /// Least amount of a settlement in fen.
    pub min_settle: Fen,
    /// Settlement cycle.
    pub cycle: Cycle,
}

impl Receiver {
    /// Whether it may receive at that moment.
    pub fn is_active(&self, at: Instant) -> bool {
        self.active.iter().any(|window| window.contains(at))
    }
}

/// An approved rule version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedRule {
    /// When the institution approved it.
    pub approved_at: Instant,
    /// Who at the institution did.
    pub approved_by: String,
    /// From when on it is suspended, for ever.
    pub suspended_at: Option<Instant>,
    /// The version itself.
    pub rule: Arc<RuleVersion>,
}

impl ApprovedRule {
    fn in_force(&self) -> InForce<'_> {
        InForce { rule: &self.rule, approved_at: self.approved_at, suspended_at: self.suspended_at }
    }
}

/// The institution's decision that an order is split by this approved version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The version's digest.
    pub digest: Digest,
    /// When it was decided.
    pub decided_at: Instant,
}

/// A risk hold: it acts in the settlement, never in the split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Whose money is held.
    pub receiver: String,
    /// From when to when.
    pub window: Window,
}

/// What a bundle says. [`Self::to_json`] writes it, [`Bundle::parse`] checks and reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// The institution's code.
    pub institution: String,
    /// The platform's code.
    pub platform: String,
    /// When it was issued; the newest one at a file's `created_at` is the file's.
    pub issued_at: Instant,
    /// The most of gross that the platform's own receivers may get.
    pub platform_cap: Ppm,
    /// Merchants by key.
    pub merchants: BTreeMap<String, Merchant>,
    /// Receivers by key.
    pub receivers: BTreeMap<String, Receiver>,
    /// All versions ever approved, in the order of the bundle.
    pub rules: Vec<ApprovedRule>,
    /// Decisions by `inst_order_no`.
    pub decisions: BTreeMap<String, Decision>,
    /// Holds, in the order of the bundle.
    pub holds: Vec<Hold>,
    /// Workdays.
    pub calendar: Calendar,
}

/// What a settlement must know of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleTerms<'a> {
    /// The institution's number of it.
    pub inst_receiver_no: &'a str,
    /// Its role.
    pub role: &'a str,
    /// Least amount in fen.
    pub min_settle: Fen,
    /// Cycle.
    pub cycle: Cycle,
}

impl Approvals {
    /// The merchant, if the bundle knows it and it may trade at that moment.
    pub fn merchant_at(&self, merchant: &str, at: Instant) -> Option<&Merchant> {
        self.merchants.get(merchant).filter(|m| m.active.iter().any(|window| window.contains(at)))
    }

    /// All approved versions, for [`super::rule::pick`].
    pub fn rules_in_force(&self) -> Vec<InForce<'_>> {
        self.rules.iter().map(ApprovedRule::in_force).collect()
    }

    /// The institution's decision for this order, if it made one.
    pub fn decision(&self, inst_order_no: &str) -> Option<Digest> {
        self.decisions.get(inst_order_no).map(|decision| decision.digest)
    }

    /// The contract fee of a merchant's payments; a preview before the bill uses it.
    pub fn fee_rate(&self, merchant: &str, channel: &str, product: &str) -> Option<Ppm> {
        self.merchants.get(merchant)?.fees.get(&format!("{channel}/{product}")).copied()
    }

    /// Whether a hold is on the receiver at that moment.
    pub fn is_held(&self, receiver: &str, at: Instant) -> bool {
        self.holds.iter().any(|hold| hold.receiver == receiver && hold.window.contains(at))
    }

    /// Terms of settlement of a receiver; of a merchant its entry among the merchants counts.
    pub fn settle_terms(&self, receiver: &str) -> Option<SettleTerms<'_>> {
        if let Some(merchant) = receiver.strip_prefix("merchant:").and_then(|m| self.merchants.get(m)) {
            let Merchant { inst_merchant_no, min_settle, cycle, .. } = merchant;
            return Some(SettleTerms {
                inst_receiver_no: inst_merchant_no,
                role: MERCHANT_ROLE,
                min_settle: *min_settle,
                cycle: *cycle,
            });
        }
        let Receiver { inst_receiver_no, role, min_settle, cycle, .. } = self.receivers.get(receiver)?;
        Some(SettleTerms { inst_receiver_no, role, min_settle: *min_settle, cycle: *cycle })
    }
}
