//! How a line came about, for the page that tells it in words.
use crate::money::Fen;
use crate::rule::{Amount, Base, Unmet};

/// How one line came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// The line of a share with one receiver.
    Share(ShareExplain),
    /// The line of one receiver of a `divide`.
    Part(PartExplain),
    /// The merchant's line.
    Merchant(MerchantExplain),
}

/// What a share is worth, before its nested shares and the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// `floor(base × rate) + fixed`, then `min` and `max`.
    Computed {
        /// What it is taken of.
        base: Base,
        /// That in fen.
        of: Fen,
        /// The `from` of the tier that counts, where there are tiers.
        tier: Option<Fen>,
        /// Rate and fixed amount.
        amount: Amount,
        /// What they give, in fen.
        raw: Fen,
        /// The bound that changed it.
        clamp: Option<Clamp>,
    },
    /// 0: a condition does not hold.
    ConditionFailed(Unmet),
    /// 0: the order has no such party.
    PartyMissing,
    /// 0: the share around it is worth nothing, for its condition or party.
    ParentNothing,
}

/// The bound that changed a share's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clamp {
    /// Raised to `min`.
    Min(Fen),
    /// Lowered to `max`.
    Max(Fen),
}

/// A share that was cut in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What it was worth, in fen.
    pub from: Fen,
    /// What was left for it, in fen.
    pub to: Fen,
}

/// How the line of a share with one receiver came about: worth, cut, then nested shares and fee taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareExplain {
    /// What the share is worth.
    pub worth: Worth,
    /// Whether it was cut to what was left of the limit or the parent.
    pub cut: Option<Cut>,
    /// What its nested shares took, in fen.
    pub nested: Fen,
    /// What it bears of the channel's fee, in fen.
    pub fee: Fen,
}

/// How the line of one receiver of a `divide` came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartExplain {
    /// What the whole share is worth.
    pub worth: Worth,
    /// Whether it was cut to what was left of the limit or the parent.
    pub cut: Option<Cut>,
    /// What is divided, in fen.
    pub divided: Fen,
    /// This receiver's weight.
    pub weight: u32,
    /// The sum of all weights.
    pub total_weight: u32,
}

/// How the merchant's line came about: pool less shares, plus what others bear of the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MerchantExplain {
    /// What is split, in fen: `paid + subsidy − fee`.
    pub pool: Fen,
    /// What all top-level shares may take together, in fen.
    pub limit: Fen,
    /// What they take, in fen.
    pub shares: Fen,
    /// What they give back for the channel's fee, in fen.
    pub fee_from_shares: Fen,
}
