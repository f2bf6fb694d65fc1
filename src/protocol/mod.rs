//! protocol
pub mod crypto;
pub mod wechat;
