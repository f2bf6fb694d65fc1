//! A licensed institution's people: INST_MAKER and INST_CHECKER.
pub(super) mod file;
pub(super) mod inbox;
pub(super) mod upload;
