//! JSON shapes of the partner endpoints (`channels.md` 1.3). Amounts are whole fen: a fraction or a text is an error.
//!
//! Fields that Mingfen does not know are accepted and dropped: SDKs send more than is documented.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CNY;
use super::attach::Declared;
use super::carried::Carried;
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// Path of the native order call.
pub const NATIVE_PATH: &str = "/v3/pay/partner/transactions/native";
/// Path of the platform certificates.
pub const CERTIFICATES_PATH: &str = "/v3/certificates";
/// Path of the request for a day's trade bill.
pub const TRADE_BILL_PATH: &str = "/v3/bill/tradebill";

/// Path of a query by the caller's number, without its query string. The close call adds `/close`.
#[must_use]
pub fn order_path(out_trade_no: &str) -> String {
    format!("/v3/pay/partner/transactions/out-trade-no/{out_trade_no}")
}

/// `amount` of a native order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAmount {
    /// Fen.
    pub total: Fen,
    /// `CNY` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// `settle_info` of a native order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleInfo {
    /// Whether the payment is to be held for splitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit_sharing: Option<bool>,
    /// Marketing money of the platform in fen, which there is none of yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subsidy_amount: Option<i64>,
}

/// Body of `POST /v3/pay/partner/transactions/native`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeRequest {
    /// The platform merchant's application.
    pub sp_appid: String,
    /// The platform merchant.
    pub sp_mchid: String,
    /// The sub-merchant's application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<String>,
    /// The sub-merchant.
    pub sub_mchid: String,
    /// What the payer sees, 1 to 127 characters.
    pub description: String,
    /// The caller's number.
    pub out_trade_no: String,
    /// Where the caller wants to be notified.
    pub notify_url: String,
    /// Last moment to pay, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_expire: Option<String>,
    /// Comes back unchanged in answers and notifications, at most 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<String>,
    /// Mark of the order for the channel's coupons; at our gateway also the declaration of tags and parties (`attach.rs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods_tag: Option<String>,
    /// How much.
    pub amount: RequestAmount,
    /// Whether it will be split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_info: Option<SettleInfo>,
    /// Whether the payer may ask for an invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_fapiao: Option<bool>,
    /// Ways of paying that are not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_pay: Option<Vec<String>>,
    /// Where and from which device the payer pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_info: Option<Value>,
    /// Which goods, for coupons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// A parameter that is out of bounds: for `PARAM_ERROR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFault {
    /// Place in the body, `amount.total`.
    pub field: &'static str,
    /// What it must be, in the language of the protocol's messages.
    pub issue: &'static str,
}

impl NativeRequest {
    /// The same with each optional text that is empty left out: some callers write every field that they know.
    #[must_use]
    pub fn without_empty(mut self) -> Self {
        let Self { sub_appid, attach, goods_tag, time_expire, amount, .. } = &mut self;
        for text in [sub_appid, attach, goods_tag, time_expire, &mut amount.currency] {
            *text = text.take().filter(|text| !text.is_empty());
        }
        self
    }

    /// Checks the documented bounds of every field (`channels.md` 1.4). Whether merchants exist, and whether
    /// `notify_url` may be called, is the receiver's business.
    pub fn check(&self, now: Instant) -> Result<(), FieldFault> {
        let fault = |field, issue| Err(FieldFault { field, issue });
        if !is_out_trade_no(&self.out_trade_no) {
            return fault("out_trade_no", "须为 6 至 32 个字符，仅限 0-9 A-Z a-z _ - | *");
        }
        if !(1..=127).contains(&self.description.chars().count()) || !fits_bill(&self.description) {
            return fault("description", "须为 1 至 127 个字符，不得含控制字符、不可见字符或反引号");
        }
        if self.amount.total <= Fen::ZERO || self.amount.total > Fen::MAX {
            return fault("amount.total", "须为整数分，1 至 1000000000000");
        }
        if self.amount.currency.as_deref().is_some_and(|c| c != CNY) {
            return fault("amount.currency", "仅支持 CNY");
        }
        if !is_notify_url(&self.notify_url) {
            return fault("notify_url", "须为不超过 255 个字符的 http(s) 绝对地址，不得带查询串");
        }
        if self.attach.as_deref().is_some_and(|a| a.len() > super::attach::MAX || !fits_bill(a)) {
            return fault("attach", "不超过 128 字节，不得含控制字符、不可见字符或反引号");
        }
        if self.settle_info.as_ref().and_then(|info| info.subsidy_amount).is_some_and(|fen| fen != 0) {
            return fault("settle_info.subsidy_amount", "须为 0：暂不支持营销补贴");
        }
        match self.time_expire.as_deref().map(rfc3339) {
            Some(None) => return fault("time_expire", "须为 RFC 3339 格式，如 yyyy-MM-ddTHH:mm:ss+08:00"),
            Some(Some(until)) if until <= now => return fault("time_expire", "须晚于当前时间"),
            Some(Some(_)) | None => {}
        }
        for (field, value) in
            [("sp_appid", &self.sp_appid), ("sp_mchid", &self.sp_mchid), ("sub_mchid", &self.sub_mchid)]
        {
            if !is_number(value) {
                return fault(field, "须为 1 至 32 个可见 ASCII 字符");
            }
        }
        // A declaration has bounds of its own.
        let ours = |tag: &String| matches!(Declared::of_goods_tag(tag), Ok(Some(_)) | Err(_));
        Carried::of(self, self.goods_tag.clone().filter(|tag| !ours(tag))).check()
    }
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

fn is_notify_url(text: &str) -> bool {
    text.len() <= 255
        && text::is_plain(text)
        && !text.contains(char::is_whitespace)
        && url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

/// A backtick begins a value in the institution's bill: one inside a value would make the day unreadable.
pub(super) fn fits_bill(text: &str) -> bool {
    text::is_plain(text) && !text.contains('`')
}

/// Answer of the native order call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeAnswer {
    /// What the payer's application scans.
    pub code_url: String,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
