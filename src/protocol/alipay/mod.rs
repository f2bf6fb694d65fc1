//! Alipay OpenAPI: what is signed, sent and billed, in `gateway.do` and in its REST form (`channels.md`, section 2).
pub mod answer;
pub mod answers;
pub mod bill;
pub mod calls;
pub mod certificates;
pub mod charset;
pub mod errors;
pub mod fields;
pub mod form;
pub mod notification;
pub mod passback;
pub mod request;
pub mod rest;
pub mod shapes;

use mingfen_kernel::calendar::Instant;
use mingfen_kernel::text_enum;

text_enum! {
    /// A call of `gateway.do` that we speak (`counter.md`, "In").
    pub enum Method {
        /// An order that the payer scans.
        Precreate = "alipay.trade.precreate",
        /// An order for a known payer, paid in the wallet.
        Create = "alipay.trade.create",
        /// An order paid with the code that the payer shows.
        Pay = "alipay.trade.pay",
        /// Where an order stands.
        Query = "alipay.trade.query",
        /// Closes an order that is not paid.
        Close = "alipay.trade.close",
        /// Undoes a payment by a shown code, paid or not.
        Cancel = "alipay.trade.cancel",
        /// Gives back what was paid, or a part of it.
        Refund = "alipay.trade.refund",
        /// Where a day's bill can be fetched.
        BillDownload = "alipay.data.dataservice.bill.downloadurl.query",
    }
}

/// Reads a time as Alipay writes it: `yyyy-MM-dd HH:mm:ss`, Beijing.
#[must_use]
pub fn time(text: &str) -> Option<Instant> {
    let (day, clock) = text.split_once(' ')?;
    Instant::parse_cst(&format!("{day}T{clock}+08:00"))
}

/// Writes a time as Alipay does: what [`time`] reads.
#[must_use]
pub fn write_time(at: Instant) -> String {
    at.to_cst().replace('T', " ").replace("+08:00", "")
}
