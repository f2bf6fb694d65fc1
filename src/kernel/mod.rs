//! The trusted kernel: what an institution audits. Pure: no IO of its own, no clock, no database, no floats.
//!
//! A rule version ([`rule`]) is read strictly ([`json`]), picked for an order and turned into lines ([`split`]);
//! refunds undo them ([`refund`]). [`file`](mod@file), [`chain`], [`approvals`], [`bill`] and [`verify`] are the same day as text.
pub mod calendar;
pub mod digest;
pub mod json;
pub mod money;
pub mod rate;
pub mod text;

pub mod refund;
pub mod rule;
pub mod split;
pub mod state;

pub mod approvals;
pub mod bill;
pub mod chain;
pub mod file;
pub mod netting;
pub mod proposal;
pub mod verify;
