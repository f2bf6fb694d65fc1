//! Files on screen, bound to who asks.
mod store;

pub use store::{Wanted, answered, by_digest, line_answer, newest, scoped, waiting};
