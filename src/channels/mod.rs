//! channels
pub mod wechat;
