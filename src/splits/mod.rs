//! The cut: what the platform proposes for every order of the institution's bill, published as SPL.
//!
//! Read (the bill) → propose (the kernel, under the institution's newest bundle) → write (the SPL and its rows). A
//! file is recorded before it is published, so that a crash between the two is mended by cutting again; a repeated
//! cut makes the same bytes from the bill, the bundle and the time that were recorded with the first one.
mod cut;
mod store;

pub use cut::{CutReport, cut, recompute, standing};
pub use store::{
    DayCut, Entry, ReceiverTotal, SplitLine, SplitOrder, Unsplit, answered_totals, cuts, entries, entry,
    listed, order_amounts, places, receiver_totals, split_count, unsplit, unsplit_count, unsplit_newest,
};
