//! The files between the platform and an institution (`files.md`): names, text rules, and one streaming reader and
//! writer a kind. A reader computes every digest on the way, never holds more than one line, and goes on after a
//! wrong count or total, so that one run names all that is wrong; only text that cannot be understood ends it.
pub mod bil;
mod fault;
pub mod field;
mod name;
pub mod ret;
mod sheet;
pub mod spl;
pub mod stl;

pub use fault::{Check, Fault, ReadError, Seal, WriteError};
pub use name::{FileKind, FileName, ResultName, Stage};

/// Longest line in bytes, its LF apart.
pub const MAX_LINE_BYTES: usize = 1024;
/// Most lines (`L`) of one order: 50 receivers of a rule and the merchant.
pub const MAX_ORDER_LINES: u32 = 51;
/// Most orders in one file; more go into the next `seq`.
pub const MAX_ORDERS: u32 = 100_000;
