//! WeChat Pay APIv3: what is signed, sealed, sent and billed (`channels.md`, section 1).
pub mod attach;
pub mod bill;
#[cfg(feature = "messages")]
pub mod certificates;
#[cfg(feature = "messages")]
pub mod errors;
#[cfg(feature = "messages")]
pub mod notification;
#[cfg(feature = "messages")]
pub mod shapes;
#[cfg(feature = "messages")]
pub mod sign;

/// The only currency.
pub const CNY: &str = "CNY";

/// The product of a trade type (`files.md`): lower case, `MWEB` is `h5`. `None` when it is no product name.
#[must_use]
pub fn product_of(trade_type: &str) -> Option<String> {
    let product = if trade_type == "MWEB" { "h5".to_owned() } else { trade_type.to_ascii_lowercase() };
    mingfen_kernel::text::is_channel(&product).then_some(product)
}
