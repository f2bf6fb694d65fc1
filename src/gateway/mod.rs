//! gateway
pub mod wechat;
