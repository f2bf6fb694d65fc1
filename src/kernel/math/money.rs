//! Money is whole fen with checked operations only (`split.md`, "Numbers, times, text").
use serde::{Deserialize, Serialize};

/// An amount in fen, the smallest coin. Facts and lines lie in `0 ..= 10^12`; sums and debts may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(i64);

impl Fen {
    /// No money.
    pub const ZERO: Fen = Fen(0);
    /// The greatest amount that a fact, a share or a line may have: 10^12 fen.
    pub const MAX: Fen = Fen(1_000_000_000_000);

    /// `fen` as money; any value, because differences may be negative.
    pub const fn new(fen: i64) -> Fen {
        Fen(fen)
    }

    /// The number of fen.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `self + other`, `None` beyond 64 bits.
    pub fn checked_add(self, other: Fen) -> Option<Fen> {
        self.0.checked_add(other.0).map(Fen)
    }

    /// `self - other`, `None` beyond 64 bits.
    pub fn checked_sub(self, other: Fen) -> Option<Fen> {
        self.0.checked_sub(other.0).map(Fen)
    }

    /// `-self`, `None` beyond 64 bits.
    pub fn checked_neg(self) -> Option<Fen> {
        self.0.checked_neg().map(Fen)
    }

    /// The sum of all, `None` beyond 64 bits.
    pub fn sum(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
        amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
    }

    /// Whether this may stand as a fact or a line: `0 ..= 10^12`.
    pub fn is_fact_range(self) -> bool {
        (Fen::ZERO..=Fen::MAX).contains(&self)
    }

    /// For people: `1234.56`, with a leading `-` when negative.
    pub fn yuan(self) -> String {
        let whole = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", whole / 100, whole % 100)
    }
}
