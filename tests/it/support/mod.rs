//! support
pub mod played;
