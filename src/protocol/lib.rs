//! Pure codecs of the outside world: no business, no database, no network. Knows the kernel only.
#[cfg(feature = "messages")]
pub mod alipay;
pub mod coding;
#[cfg(feature = "signatures")]
pub mod crypto;
#[cfg(feature = "messages")]
pub mod decimal;
#[cfg(feature = "messages")]
pub mod json;
#[cfg(feature = "messages")]
pub mod language;
pub mod wechat;
