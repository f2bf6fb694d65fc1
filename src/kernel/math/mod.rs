//! What must be believed: amounts, rates, rules, splits, refunds, netting, days and states. Fewer than 2,500 lines.
pub mod calendar;
pub mod money;
pub mod netting;
pub mod rate;
pub mod refund;
pub mod rule;
pub mod split;
pub mod state;
