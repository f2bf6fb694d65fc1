//! The platform's own people: ADMIN and CHECKER.
pub(super) mod apart;
pub(super) mod desk;
pub(super) mod exceptions;
pub(super) mod file;
pub(super) mod files;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod rules;
pub(super) mod tasks;
