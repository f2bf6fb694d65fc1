//! A notification of an order: a form, signed over all its parameters but `sign` and `sign_type` (`channels.md` 2.4).
use thiserror::Error;

use super::answer::{AnswerKey, AnswerSigner, is_signed};
use super::answers::TradeStatus;
use super::charset::Charset;
use super::fields::yuan;
use super::form::{Form, FormFault};
use super::request::{RSA2, VERSION, signature_bytes};
use super::{time, write_time};
use crate::crypto::{CryptoError, base64};
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// The body with which a receiver says that it has it; anything else asks for it again.
pub const RECEIVED: &str = "success";
/// `notify_type` of an order's notification.
const TRADE: &str = "trade_status_sync";
/// What the signature does not cover.
const UNSIGNED: [&str; 2] = ["sign", "sign_type"];

/// What is told of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The same at every redelivery.
    pub notify_id: String,
    /// When it is sent.
    pub notify_time: Instant,
    /// To which application.
    pub app_id: String,
    /// The channel's number.
    pub trade_no: String,
    /// The caller's number.
    pub out_trade_no: String,
    /// Where the order stands.
    pub trade_status: TradeStatus,
    /// What was ordered, fen.
    pub total_amount: Fen,
    /// 商家实收, fen.
    pub receipt_amount: Option<Fen>,
    /// What the payer paid, fen.
    pub buyer_pay_amount: Option<Fen>,
    /// What was refunded so far, fen: of a notification about a refund.
    pub refund_fee: Option<Fen>,
    /// Who sells.
    pub seller_id: Option<String>,
    /// Who paid.
    pub buyer_id: Option<String>,
    /// What the payer saw.
    pub subject: Option<String>,
    /// When the order was made.
    pub gmt_create: Option<Instant>,
    /// When it was paid.
    pub gmt_payment: Option<Instant>,
    /// The refund's number: of a notification about a refund.
    pub out_biz_no: Option<String>,
    /// As the order gave it, once decoded.
    pub passback_params: Option<String>,
    /// JSON of what it was paid with.
    pub fund_bill_list: Option<String>,
}

/// Why a notification is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotificationFault {
    /// Not a form.
    #[error("the notification is no form: {0}")]
    Form(#[from] FormFault),
    /// Not signed with RSA2 by one of the known keys, or over other bytes.
    #[error("the notification's signature is wrong")]
    Signature,
    /// A parameter is missing or malformed.
    #[error("the notification's {0} is missing or malformed")]
    Parameter(&'static str),
}

/// The signed body to be sent, in UTF-8.
pub fn sign(who: AnswerSigner<'_>, told: &Notification) -> Result<String, CryptoError> {
    let charset = Charset::Utf8;
    let amount = |fen: Option<Fen>| fen.map(Fen::yuan).unwrap_or_default();
    let when = |at: Option<Instant>| at.map(write_time).unwrap_or_default();
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let owned = [
        ("notify_time", write_time(told.notify_time)),
        ("notify_id", told.notify_id.clone()),
        ("app_id", told.app_id.clone()),
        ("trade_no", told.trade_no.clone()),
        ("out_trade_no", told.out_trade_no.clone()),
        ("trade_status", told.trade_status.to_string()),
        ("total_amount", told.total_amount.yuan()),
        ("receipt_amount", amount(told.receipt_amount)),
        ("buyer_pay_amount", amount(told.buyer_pay_amount)),
        ("refund_fee", amount(told.refund_fee)),
        ("seller_id", given(&told.seller_id)),
        ("buyer_id", given(&told.buyer_id)),
        ("subject", given(&told.subject)),
        ("gmt_create", when(told.gmt_create)),
        ("gmt_payment", when(told.gmt_payment)),
        ("out_biz_no", given(&told.out_biz_no)),
        ("passback_params", given(&told.passback_params)),
        ("fund_bill_list", given(&told.fund_bill_list)),
    ];
    let mut pairs: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.extend([("notify_type", TRADE), ("charset", charset.as_str()), ("version", VERSION)]);
    pairs.extend([("sign_type", RSA2), ("alipay_cert_sn", who.certificate.unwrap_or_default())]);
    // None of the names above stands twice.
    let form = Form::of(charset, &pairs).map_err(|_| CryptoError::PrivateKey)?;
    let signature = base64(&who.key.sign_sha256(&form.to_sign(&UNSIGNED))?);
    Ok(form.with("sign", &signature).encoded(|_| true))
}

/// Reads a body as it came: its signature first, over its decoded bytes, then what it says. Whose order it is, and
/// whether the amounts are that order's, is the receiver's business.
pub fn open(keys: &[AnswerKey], body: &[u8]) -> Result<Notification, NotificationFault> {
    let form = Form::parse(b"", body)?;
    let signature = form.get("sign").and_then(signature_bytes).ok_or(NotificationFault::Signature)?;
    let certificate = form.get("alipay_cert_sn").and_then(|serial| std::str::from_utf8(serial).ok());
    if form.get("sign_type") != Some(RSA2.as_bytes())
        || !is_signed(keys, certificate, &form.to_sign(&UNSIGNED), &signature)
    {
        return Err(NotificationFault::Signature);
    }
    read(&form)
}

/// Reads one that was believed and kept before.
pub fn read_kept(body: &[u8]) -> Result<Notification, NotificationFault> {
    read(&Form::parse(b"", body)?)
}

fn read(form: &Form) -> Result<Notification, NotificationFault> {
    let fault = NotificationFault::Parameter;
    let charset = form.get("charset").and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("utf-8");
    let charset = Charset::parse(charset).ok_or(fault("charset"))?;
    let any = |name: &'static str| match form.get(name) {
        Some(value) => charset.decode(value).map(Some).ok_or(fault(name)),
        None => Ok(None),
    };
    let number = |name: &'static str| match any(name)?.filter(|text| text::is_inst_order_no(text)) {
        Some(text) => Ok(text),
        None => Err(fault(name)),
    };
    let amount = |name: &'static str| match any(name)?.map(|text| yuan(&text)) {
        Some(None) => Err(fault(name)),
        Some(fen) => Ok(fen),
        None => Ok(None),
    };
    let when = |name: &'static str| match any(name)?.map(|text| second(&text)) {
        Some(None) => Err(fault(name)),
        Some(at) => Ok(at),
        None => Ok(None),
    };
    if any("notify_type")?.as_deref() != Some(TRADE) {
        return Err(fault("notify_type"));
    }
    let status = any("trade_status")?.and_then(|text| TradeStatus::parse(&text));
    Ok(Notification {
        notify_id: number("notify_id")?,
        notify_time: when("notify_time")?.ok_or(fault("notify_time"))?,
        app_id: number("app_id")?,
        trade_no: number("trade_no")?,
        out_trade_no: number("out_trade_no")?,
        trade_status: status.ok_or(fault("trade_status"))?,
        total_amount: amount("total_amount")?.ok_or(fault("total_amount"))?,
        receipt_amount: amount("receipt_amount")?,
        buyer_pay_amount: amount("buyer_pay_amount")?,
        refund_fee: amount("refund_fee")?,
        seller_id: any("seller_id")?,
        buyer_id: any("buyer_id")?,
        subject: any("subject")?,
        gmt_create: when("gmt_create")?,
        gmt_payment: when("gmt_payment")?,
        out_biz_no: any("out_biz_no")?,
        passback_params: any("passback_params")?,
        fund_bill_list: any("fund_bill_list")?,
    })
}

/// A time of which parts of a second, as `gmt_refund` has them, count for nothing.
fn second(text: &str) -> Option<Instant> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    time(whole).filter(|_| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
}
