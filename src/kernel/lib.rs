//! The trusted kernel: what an institution audits. Pure: no IO of its own, no clock, no database, no async, no floats.
//!
//! [`math`](self) is what must be believed: a rule version ([`rule`]) is read strictly ([`json`]), picked for an order and
//! turned into lines ([`split`]); refunds undo them ([`refund`]); [`netting`] says who is paid when. [`file`](mod@file),
//! [`chain`], [`approvals`] and [`bill`] are the same day as text, and [`verify`] recomputes it.
pub mod channel;
pub mod declared;
pub mod digest;
pub mod json;
mod math;
pub mod text;
mod words;

pub use math::{calendar, money, netting, rate, refund, rule, split, state};

pub mod approvals;
pub mod bill;
pub mod chain;
pub mod file;
pub mod proposal;
pub mod verify;
