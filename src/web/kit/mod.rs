//! What every page is made of: who asks, the frame around what is shown, forms, tables and their paging, how numbers
//! are written, and what an error looks like.
pub(super) mod assets;
pub(super) mod body;
pub(super) mod fault;
pub(super) mod form;
pub(super) mod format;
pub(super) mod headers;
pub(super) mod lang;
pub(super) mod nav;
pub(super) mod page;
pub(super) mod pager;
pub(super) mod tag;
pub(super) mod visitor;
