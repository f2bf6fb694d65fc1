//! JSON shapes of the partner endpoints (`channels.md` 1.3). Amounts are whole fen: a fraction or a text is an error.
//!
//! Fields that Mingfen does not know are accepted and dropped: SDKs send more than is documented.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use mingfen_kernel::calendar::Instant;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// Path of the platform certificates.
pub const CERTIFICATES_PATH: &str = "/v3/certificates";
/// Path of the request for a day's trade bill.
pub const TRADE_BILL_PATH: &str = "/v3/bill/tradebill";

/// Path of a query by the caller's number, without its query string. The close call adds `/close`.
#[must_use]
pub fn order_path(out_trade_no: &str) -> String {
    format!("/v3/pay/partner/transactions/out-trade-no/{out_trade_no}")
}

/// A parameter that is out of bounds: for `PARAM_ERROR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFault {
    /// Place in the body, `amount.total`.
    pub field: &'static str,
    /// What it must be, in the language of the protocol's messages.
    pub issue: &'static str,
}

/// Merchants, applications, words of the channel.
pub(super) fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic())
}

/// Reads a time of RFC 3339; parts of a second, which some languages write by themselves, count for nothing.
#[must_use]
pub fn rfc3339(text: &str) -> Option<Instant> {
    let (seconds, rest) = text.split_at_checked(19)?;
    let zone = match rest.strip_prefix('.') {
        Some(parts) => {
            let zone = parts.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == parts.len() || parts.len() > zone.len().saturating_add(9) {
                return None;
            }
            zone
        }
        None => rest,
    };
    Instant::parse(&format!("{seconds}{zone}"))
}

/// Whether a merchant's order number is of the documented form.
#[must_use]
pub fn is_out_trade_no(text: &str) -> bool {
    (6..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-|*".contains(&c))
}

/// A backtick begins a value in the institution's bill: one inside a value would make the day unreadable.
pub(super) fn fits_bill(text: &str) -> bool {
    text::is_plain(text) && !text.contains('`')
}

/// Whose order: body of the close call, query parameters of both query calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderOwner {
    /// The platform merchant.
    pub sp_mchid: String,
    /// The sub-merchant.
    pub sub_mchid: String,
}

impl OrderOwner {
    /// `?sp_mchid=…&sub_mchid=…`.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
        query.append_pair("sp_mchid", &self.sp_mchid).append_pair("sub_mchid", &self.sub_mchid);
        query.finish()
    }
}

/// `trade_state` of an order view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, and refunded at least in part.
    Refund,
    /// Not paid yet.
    NotPay,
    /// Closed unpaid.
    Closed,
    /// Revoked (barcode payments).
    Revoked,
    /// The payer is typing the password (barcode payments).
    UserPaying,
    /// The payment failed.
    PayError,
    /// Accepted, waiting for the deduction.
    Accept,
}

/// Who paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The payer's id under sp_appid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_openid: Option<String>,
    /// The payer's id under sub_appid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_openid: Option<String>,
}

/// `amount` of an order view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAmount {
    /// The order's amount in fen.
    pub total: Fen,
    /// What the payer paid, fen; there once paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer_total: Option<Fen>,
    /// `CNY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// `CNY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer_currency: Option<String>,
}

/// One part of an order's amount that the payer did not pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// `CASH`: its funder pays it to the merchant; `NOCASH`: nobody does.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Fen.
    pub amount: Fen,
    /// Which coupon, of whom, for which goods: as the institution writes it.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// What a paid order's view says beside numbers and amount; it is told on as it was stated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    /// The payer's bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_type: Option<String>,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// What the payer did not pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_detail: Option<Vec<Promotion>>,
}

/// An order: the answer of both query calls, and the opened resource of a payment notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// The platform merchant's application.
    pub sp_appid: String,
    /// The platform merchant.
    pub sp_mchid: String,
    /// The sub-merchant's application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<String>,
    /// The sub-merchant.
    pub sub_mchid: String,
    /// The caller's number.
    pub out_trade_no: String,
    /// The institution's number; there once paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// `NATIVE`, …; there once paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade_type: Option<String>,
    /// Where the order stands.
    pub trade_state: TradeState,
    /// A sentence for people.
    #[serde(default)]
    pub trade_state_desc: String,
    /// The payer's bank; there once paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_type: Option<String>,
    /// As the caller gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<String>,
    /// When it was paid, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_time: Option<String>,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<OrderAmount>,
    /// What the payer did not pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_detail: Option<Vec<Promotion>>,
}

/// Answer of `GET /v3/bill/tradebill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeBillAnswer {
    /// `SHA1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_type: Option<String>,
    /// Of the uncompressed file, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_value: Option<String>,
    /// Where to fetch it within five minutes, by a signed request.
    pub download_url: String,
}
