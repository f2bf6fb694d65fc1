//! A sub-merchant's people: MERCHANT.
pub(super) mod desk;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod settlements;
mod store;
