//! OUT to institutions: what the platform asks of them over the network. Nothing here touches the database.
pub mod address;
pub mod http;
pub mod wechat;
