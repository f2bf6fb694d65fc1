//! What we ask of an institution's Alipay channel: `biz_content` of each call (`channels.md` 2.2, `counter.md`, "Out").
use serde::Serialize;

use super::answers::Yuan;
use super::fields::Carried;
use super::shapes::{Payer, TRADE_BILL};
use super::write_time;
use mingfen_kernel::calendar::{BusinessDay, Instant};
use mingfen_kernel::money::Fen;

/// Whether our number of an order may be a number there: letters, digits and `_`, 1 to 64.
#[must_use]
pub fn is_out_trade_no(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An order to be placed.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Our number: [`is_out_trade_no`].
    pub out_trade_no: &'a str,
    /// Fen.
    pub total: Fen,
    /// What the payer sees.
    pub subject: &'a str,
    /// Last moment to pay.
    pub expires_at: Option<Instant>,
    /// The institution's number of the merchant.
    pub inst_merchant_no: &'a str,
    /// Tags and parties, as `passback.rs` writes them.
    pub passback_params: &'a str,
    /// Who is to pay, of `create`.
    pub payer: Option<&'a Payer>,
    /// The code that the payer shows, of `pay`.
    pub auth_code: Option<&'a str>,
}

impl Place<'_> {
    /// `biz_content` of `precreate`, `create` or `pay`, with what the merchant's order carries besides.
    pub fn content(&self, carried: &Carried) -> Result<String, serde_json::Error> {
        let payer = self.payer;
        let own = Placed {
            out_trade_no: self.out_trade_no,
            total_amount: Yuan(self.total),
            subject: self.subject,
            time_expire: self.expires_at.map(write_time),
            sub_merchant: SubMerchant { merchant_id: self.inst_merchant_no },
            passback_params: self.passback_params,
            buyer_id: payer.and_then(|payer| payer.buyer_id.as_deref()),
            buyer_open_id: payer.and_then(|payer| payer.buyer_open_id.as_deref()),
            op_app_id: payer.and_then(|payer| payer.op_app_id.as_deref()),
            auth_code: self.auth_code,
            scene: self.auth_code.filter(|_| carried.get("scene").is_none()).map(|_| "bar_code"),
        };
        carried.content(&own)
    }
}

#[derive(Serialize)]
struct Placed<'a> {
    out_trade_no: &'a str,
    total_amount: Yuan,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_expire: Option<String>,
    sub_merchant: SubMerchant<'a>,
    passback_params: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_open_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<&'static str>,
}

#[derive(Serialize)]
struct SubMerchant<'a> {
    merchant_id: &'a str,
}

/// Of `query`, `close` and `cancel`: our number.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Named<'a> {
    /// Our number.
    pub out_trade_no: &'a str,
}

/// Of `refund`.
#[derive(Debug, Clone, Serialize)]
pub struct GiveBack<'a> {
    /// Our number of the order.
    pub out_trade_no: &'a str,
    /// How much.
    pub refund_amount: Yuan,
    /// Our number of the refund.
    pub out_request_no: &'a str,
    /// Why, for the payer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_reason: Option<&'a str>,
}

/// Of the question for a day's bill.
#[derive(Debug, Clone, Serialize)]
pub struct AskBill {
    bill_type: &'static str,
    bill_date: String,
}

impl AskBill {
    /// Of that day's payments and refunds.
    #[must_use]
    pub fn of(day: BusinessDay) -> Self {
        Self { bill_type: TRADE_BILL, bill_date: day.date().to_string() }
    }
}
