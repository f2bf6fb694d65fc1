//! Who is told what: delivery of what the outbox holds.
mod delivery;
mod store;

pub use delivery::{SCHEDULE, run_once as deliver};
