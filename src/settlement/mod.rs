//! Settlement: what each receiver is paid for a business day, published as STL, and what the institution's results
//! say happened to it.
//!
//! Only an accepted file counts, and only a final result moves a line: a state here is always derived from signed
//! files, never set.
mod awaited;
mod books;
mod gate;
mod net;
mod open;
mod settle;
mod stl;
mod store;
mod waiting;
mod waits;

pub use awaited::{Awaited, awaited, documents_since};
pub use books::{answered, settled_amounts};
pub use gate::{Missing, Need, Still, Who, due_day, gate, settled, stands_still, valid};
pub use open::open_days;
pub use settle::{SettleReport, publish_again, settle};
pub use store::{Input, LineKind, SettlementLine, answers_to, inputs, lines, lines_of};
pub use waiting::{WaitingLine, waiting_lines};
pub use waits::Waits;

use crate::exchange::DocumentKind;

/// What a settlement file is.
const KIND: DocumentKind = DocumentKind::Stl;
