//! Pure codecs of the outside world: no business, no database, no network. Knows the kernel only.
#[cfg(feature = "signatures")]
pub mod crypto;
#[cfg(feature = "messages")]
pub mod decimal;
pub mod wechat;
