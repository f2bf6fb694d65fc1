//! Settlement: what each receiver is paid for a business day, published as STL, and what the institution's results
//! say happened to it.
//!
//! Only an accepted file counts, and only a final result moves a line: a state here is always derived from signed
//! files, never set.
mod books;
mod gate;
mod net;
mod results;
mod settle;
mod stl;
mod store;
mod upload;

pub use gate::{Missing, gate, must_repeat, valid};
pub use results::{Received, file_state, line_states, receive};
pub use settle::{SettleReport, publish_again, settle, settled};
pub use store::{Input, SettlementLine, inputs, lines, lines_of};
pub use upload::upload;

/// The kind of a settlement file.
const KIND: &str = "STL";
