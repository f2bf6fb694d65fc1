//! WeChat Pay APIv3: what is signed, sealed, sent and billed (`channels.md`, section 1).
pub mod attach;
pub mod bill;
pub mod certificates;
pub mod errors;
pub mod notification;
pub mod shapes;
pub mod sign;
