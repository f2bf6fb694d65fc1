//! kernel
pub mod approvals;
pub mod bill;
pub mod calendar;
pub mod chain;
pub mod digest;
pub mod file;
pub mod money;
pub mod proposal;
pub mod rate;
pub mod refund;
pub mod rule;
pub mod split;
pub mod state;
pub mod verify;
