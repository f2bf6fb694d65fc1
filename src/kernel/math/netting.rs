//! Netting (`files.md`, "STL"): whether a receiver is paid or carries on, when, and why.
use crate::calendar::{BusinessDay, Calendar, Cycle};
use crate::file::stl::{CarryReason, StlSums};
use crate::money::Fen;

/// What the bundle says of a receiver at the file's `created_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Smallest amount that is settled, in fen.
    pub min_settle: Fen,
    /// When it is due.
    pub cycle: Cycle,
    /// Whether a risk hold is in force.
    pub held: bool,
}

/// S or C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// Paid on this day.
    Settle(BusinessDay),
    /// Carried into the next STL.
    Carry(CarryReason),
}

/// Whether the receiver has no line at all: all five sums are 0.
pub fn is_empty(sums: &StlSums) -> bool {
    let StlSums { splits, returns, debts, carried_in, requeued } = sums;
    [splits, returns, debts, carried_in, requeued].into_iter().all(|sum| *sum == Fen::ZERO)
}

/// What becomes of a receiver's amount on business day `day`. Both cycles fall due every day; the money waits in
/// the institution's custody until its settle date. `None` beyond 64 bits.
pub fn net(sums: &StlSums, terms: &Terms, day: BusinessDay, calendar: &Calendar) -> Option<Net> {
    let amount = sums.net()?;
    Some(if amount <= Fen::ZERO {
        Net::Carry(CarryReason::Negative)
    } else if terms.held {
        Net::Carry(CarryReason::Hold)
    } else if amount < terms.min_settle {
        Net::Carry(CarryReason::Below)
    } else {
        Net::Settle(day.settle_date(terms.cycle, calendar))
    })
}
