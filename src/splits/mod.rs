//! The cut: what the platform proposes for every order of the institution's bill, published as SPL.
//!
//! Read (the bill's orders, by key) → propose (the kernel, under the institution's newest bundle) → write (the SPL and
//! its rows): three threads with a few pages between them, so that a day of any size takes the same memory. All files
//! of a run are recorded before the first is published; a run that was interrupted is finished by the next one, with
//! the time and the bundle that were recorded with it, and a file whose bytes are lost is written again from its rows.
mod cut;
mod pipeline;
mod propose;
mod row_store;
mod store;
mod turn;
mod turn_store;
mod unanswered_store;
mod unsplit_store;
mod write;

pub use cut::{CutReport, Cutting, Progress, cut, cut_loaded, recompute, recorded, standing};
pub use row_store::SplitRow;
pub use store::{
    DayCut, Entry, PickedRule, ReceiverTotal, answered_totals, cuts, entries, entry, is_unfinished,
    order_amounts, places, receiver_totals,
};
pub use turn::{chain_changed, first_day, in_turn, open_voids, uncut_day, unrepeated};
pub use turn_store::void_code;
pub use unanswered_store::unanswered;
pub use unsplit_store::{
    Unsplit, list_unsplit, repair_unsplit, unsplit_breaks, unsplit_count, unsplit_newest,
};
