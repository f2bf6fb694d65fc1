//! A sub-merchant's people: MERCHANT.
pub(super) mod desk;
mod lines;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod settlements;
mod store;
