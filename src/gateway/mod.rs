//! IN from merchants' own systems and from institutions: check, translate, one command.
pub mod wechat;
