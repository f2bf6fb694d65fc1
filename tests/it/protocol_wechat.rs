//! protocol_wechat
