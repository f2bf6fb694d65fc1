//! Pure codecs of the outside world: no business, no database, no network. May import the kernel only.
pub mod certificate;
pub mod crypto;
pub mod evidence;
pub mod scratch;
pub mod wechat;
