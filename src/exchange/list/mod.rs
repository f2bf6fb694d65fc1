//! Files on screen, bound to who asks.
mod store;

pub use store::{Wanted, names_by_digest, newest, scoped};
