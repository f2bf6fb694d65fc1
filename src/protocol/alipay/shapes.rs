//! What callers ask for: `biz_content` of each call (`channels.md` 2.2). Whether merchants exist, and whether the caller
//! may do this, is the receiver's business.
use serde::{Deserialize, Serialize};

use super::charset::Charset;
use super::fields::{Carried, FieldFault, Fields};
use super::form::Form;
use super::{passback, time};
use crate::wechat::CNY;
use crate::wechat::attach::Declared;
use mingfen_kernel::calendar::{BusinessDay, Instant};
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// The longest that an order may wait for its payer, in seconds: 15 days.
pub const MAX_WAIT: i64 = 15 * 24 * 3600;

/// An order to be placed: `precreate`, `create`, and what `pay` has beside its code.
#[derive(Debug, Clone)]
pub struct Order {
    /// The caller's number.
    pub out_trade_no: String,
    /// Fen.
    pub total: Fen,
    /// What the payer sees, 1 to 256 characters.
    pub subject: String,
    /// Last moment to pay.
    pub expires_at: Option<Instant>,
    /// The seller that the caller names.
    pub seller_id: Option<String>,
    /// `sub_merchant.merchant_id`: which merchant sells.
    pub merchant: Option<String>,
    /// Comes back unchanged in notifications.
    pub passback_params: Option<String>,
    /// What stands at its head.
    pub declared: Option<Declared>,
    /// Where the caller wants to be notified, of the REST form; not judged. Never carried: it is ours to be told.
    pub notify_url: Option<String>,
    /// Who is to pay.
    pub payer: Payer,
    /// What goes to the channel as it came.
    pub carried: Carried,
}

/// A payer as `create` names one: `buyer_id`, or `buyer_open_id` of the application `op_app_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The payer's number in the wallet.
    pub buyer_id: Option<String>,
    /// The payer under an application.
    pub buyer_open_id: Option<String>,
    /// That application.
    pub op_app_id: Option<String>,
}

impl Payer {
    /// Whether nobody is named.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.buyer_id.is_none() && self.buyer_open_id.is_none()
    }
}

impl Order {
    /// Reads `biz_content` of `precreate` and `create` as it arrived at `now`.
    pub fn read(biz_content: &str, now: Instant) -> Result<Self, FieldFault> {
        Self::of(Fields::parse(biz_content)?, now)
    }

    fn of(mut fields: Fields, now: Instant) -> Result<Self, FieldFault> {
        let fault = |field, issue| FieldFault { field, issue };
        if fields.has("royalty_info") {
            return Err(fault("royalty_info", "absent: orders are split by approved rules alone"));
        }
        for field in ["trans_currency", "settle_currency", "pay_currency"] {
            if fields.text(field, 8)?.is_some_and(|currency| currency != CNY) {
                return Err(fault(field, "CNY"));
            }
        }
        // Where the money is settled is the institution's business, and says nothing to a payer.
        fields.object("settle_info")?;
        let missing = |field| move || fault(field, "missing");
        let out_trade_no = fields.number("out_trade_no")?.ok_or_else(missing("out_trade_no"))?;
        let merchant = match fields.object("sub_merchant")? {
            Some(mut merchant) => merchant.text("merchant_id", 32)?,
            None => None,
        };
        if let Some(mut extended) = fields.object("extend_params")? {
            // Whose system it is and how long money is held are between us and the institution.
            extended.text("sys_service_provider_id", 64)?;
            extended.text("royalty_freeze", 8)?;
            fields.put_back("extend_params", extended)?;
        }
        let passback_params = fields.text("passback_params", passback::MAX)?;
        let declared = passback_params.as_deref().map(passback::declared).transpose().map_err(|_| {
            fault(
                "passback_params",
                "mingfen: with tags and parties, each with ; behind it, or without mingfen:",
            )
        })?;
        Ok(Self {
            out_trade_no,
            total: fields.amount("total_amount")?,
            subject: fields.need("subject", 256)?,
            expires_at: expiry(&mut fields, now)?,
            seller_id: fields.text("seller_id", 32)?,
            merchant,
            passback_params,
            declared: declared.flatten(),
            notify_url: fields.text("notify_url", 255)?,
            payer: Payer {
                buyer_id: fields.text("buyer_id", 32)?,
                buyer_open_id: fields.text("buyer_open_id", 128)?,
                op_app_id: fields.text("op_app_id", 32)?,
            },
            carried: fields.rest()?,
        })
    }
}

/// `time_expire`, and where that is absent `timeout_express`: `90m`, `2h`, `1d`, or `1c` for the end of today.
fn expiry(fields: &mut Fields, now: Instant) -> Result<Option<Instant>, FieldFault> {
    let (until, express) = (fields.text("time_expire", 32)?, fields.text("timeout_express", 6)?);
    let (field, at) = match (until, express) {
        (Some(until), _) => ("time_expire", time(&until)),
        (None, Some(express)) => ("timeout_express", after(&express, now)),
        (None, None) => return Ok(None),
    };
    let is_ahead = |at: &Instant| *at > now && *at <= now.plus(MAX_WAIT);
    match at.filter(is_ahead) {
        Some(at) => Ok(Some(at)),
        None => Err(FieldFault { field, issue: "a moment still to come, within 15 days" }),
    }
}

fn after(express: &str, now: Instant) -> Option<Instant> {
    if express == "1c" {
        return Some(now.business_day().next().start());
    }
    let units = [('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let (number, seconds) =
        units.into_iter().find_map(|(unit, seconds)| Some((express.strip_suffix(unit)?, seconds)))?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| digits)?;
    Some(now.plus(number.checked_mul(seconds)?))
}

/// `alipay.trade.pay`: an order, and the code that its payer shows.
#[derive(Debug, Clone)]
pub struct Pay {
    /// What is to be paid.
    pub order: Order,
    /// 10 to 64 letters and digits.
    pub auth_code: String,
}

impl Pay {
    /// Reads `biz_content` as it arrived at `now`.
    pub fn read(biz_content: &str, now: Instant) -> Result<Self, FieldFault> {
        let mut fields = Fields::parse(biz_content)?;
        let auth_code = fields.need("auth_code", 64)?;
        if auth_code.len() < 10 || !auth_code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(FieldFault { field: "auth_code", issue: "10 to 64 letters and digits" });
        }
        Ok(Self { order: Order::of(fields, now)?, auth_code })
    }
}

/// Which order: `query`, `close` and `cancel`. One of the two numbers is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// The caller's number.
    pub out_trade_no: Option<String>,
    /// The channel's; it goes before the caller's.
    pub trade_no: Option<String>,
    /// What a query is to tell besides.
    pub query_options: Vec<String>,
}

impl Which {
    /// Reads `biz_content`; what else it says is nothing that these calls need.
    pub fn read(biz_content: &str) -> Result<Self, FieldFault> {
        Self::of(&mut Fields::parse(biz_content)?)
    }

    fn of(fields: &mut Fields) -> Result<Self, FieldFault> {
        let which = Self {
            out_trade_no: fields.number("out_trade_no")?,
            trade_no: fields.number("trade_no")?,
            query_options: fields.texts("query_options")?,
        };
        if which.out_trade_no.is_none() && which.trade_no.is_none() {
            return Err(FieldFault { field: "out_trade_no", issue: "missing, and trade_no too" });
        }
        Ok(which)
    }
}

/// `alipay.trade.refund`.
#[derive(Debug, Clone)]
pub struct Refund {
    /// Of which order.
    pub which: Which,
    /// Fen.
    pub amount: Fen,
    /// The caller's number of this refund; without one it is of the whole order, once.
    pub out_request_no: Option<String>,
    /// At most 256 characters.
    pub reason: Option<String>,
    /// What goes to the channel as it came.
    pub carried: Carried,
}

impl Refund {
    /// Reads `biz_content`.
    pub fn read(biz_content: &str) -> Result<Self, FieldFault> {
        let mut fields = Fields::parse(biz_content)?;
        if fields.has("refund_royalty_parameters") {
            let field = "refund_royalty_parameters";
            return Err(FieldFault { field, issue: "absent: what is given back follows the split" });
        }
        Ok(Self {
            which: Which::of(&mut fields)?,
            amount: fields.amount("refund_amount")?,
            out_request_no: fields.number("out_request_no")?,
            reason: fields.text("refund_reason", 256)?,
            carried: fields.rest()?,
        })
    }
}

/// `alipay.data.dataservice.bill.downloadurl.query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillAsked {
    /// The day; months are not billed.
    pub day: BusinessDay,
    /// Of which merchant alone.
    pub smid: Option<String>,
}

/// The kind of bill that tells payments and refunds.
pub const TRADE_BILL: &str = "trade";

impl BillAsked {
    /// Reads `biz_content`.
    pub fn read(biz_content: &str) -> Result<Self, FieldFault> {
        let mut fields = Fields::parse(biz_content)?;
        let (kind, date) = (fields.need("bill_type", 32)?, fields.need("bill_date", 10)?);
        Self::of(&kind, &date, fields.text("smid", 32)?)
    }

    /// Reads the query of the REST form, which is UTF-8.
    pub fn read_query(query: &Form) -> Result<Self, FieldFault> {
        let get = |field: &'static str| match query.get(field).map(|value| Charset::Utf8.decode(value)) {
            Some(None) => Err(FieldFault { field, issue: "no plain text" }),
            value => Ok(value.flatten().filter(|text| text::is_plain(text) && text.len() <= 32)),
        };
        let need = |field| get(field)?.ok_or(FieldFault { field, issue: "missing" });
        Self::of(&need("bill_type")?, &need("bill_date")?, get("smid")?)
    }

    fn of(kind: &str, date: &str, smid: Option<String>) -> Result<Self, FieldFault> {
        if kind != TRADE_BILL {
            return Err(FieldFault { field: "bill_type", issue: "trade" });
        }
        // Times are read strictly, so the date is exactly of its form.
        let day = time(&format!("{date} 00:00:00")).map(Instant::business_day);
        let day = day.ok_or(FieldFault { field: "bill_date", issue: "a day, as yyyy-MM-dd" })?;
        Ok(Self { day, smid })
    }
}
