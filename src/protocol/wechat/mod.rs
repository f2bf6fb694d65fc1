//! WeChat Pay APIv3: what is signed, sealed, sent and billed (`channels.md`, section 1).
pub mod attach;
pub mod bill;
#[cfg(feature = "messages")]
pub mod carried;
#[cfg(feature = "messages")]
pub mod certificates;
#[cfg(feature = "messages")]
pub mod direct;
#[cfg(feature = "messages")]
pub mod errors;
#[cfg(feature = "messages")]
pub mod notification;
#[cfg(feature = "messages")]
pub mod order;
#[cfg(feature = "messages")]
pub mod shapes;
#[cfg(feature = "messages")]
pub mod sign;

use mingfen_kernel::channel::Product;

/// The only currency.
pub const CNY: &str = "CNY";

/// The product of a trade type (`files.md`): lower case, `MWEB` is `h5`. `None` when it is no product name.
#[must_use]
pub fn product_of(trade_type: &str) -> Option<Product> {
    if trade_type == "MWEB" {
        return Some(Product::H5);
    }
    Product::parse(&trade_type.to_ascii_lowercase())
}

/// The trade type of a product: what [`product_of`] reads.
#[must_use]
pub fn trade_type_of(product: &Product) -> String {
    if *product == Product::H5 { "MWEB".to_owned() } else { product.as_str().to_ascii_uppercase() }
}
