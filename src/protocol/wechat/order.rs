//! Orders that are placed first and paid afterwards (`channels.md` 1.3): native, jsapi, app and h5. Amounts are whole fen.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CNY;
use super::attach::Declared;
use super::carried::Carried;
use super::shapes::{FieldFault, Payer, fits_bill, is_number, is_out_trade_no, rfc3339};
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::channel::Product;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text;

/// Path below which a platform's orders are placed.
pub const PARTNER: &str = "/v3/pay/partner/transactions/";

/// A product whose payer pays after the order was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepaid {
    /// The payer scans a code.
    Native,
    /// Inside the wallet, mini programs too.
    Jsapi,
    /// From another application.
    App,
    /// From a browser.
    H5,
}

impl Prepaid {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Native, Self::Jsapi, Self::App, Self::H5];

    /// The last part of its path; also the product's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Jsapi => "jsapi",
            Self::App => "app",
            Self::H5 => "h5",
        }
    }

    /// The one of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prepaid| prepaid.word() == word)
    }

    /// As rules, fees and files name it.
    #[must_use]
    pub const fn product(self) -> Product {
        match self {
            Self::Native => Product::NATIVE,
            Self::Jsapi => Product::JSAPI,
            Self::App => Product::APP,
            Self::H5 => Product::H5,
        }
    }

    /// Where a platform places it.
    #[must_use]
    pub fn path(self) -> String {
        format!("{PARTNER}{}", self.word())
    }

    /// Under which key the answer says what the payer's wallet is called up with.
    #[must_use]
    pub const fn answer_key(self) -> &'static str {
        match self {
            Self::Native => "code_url",
            Self::Jsapi | Self::App => "prepay_id",
            Self::H5 => "h5_url",
        }
    }
}

/// `amount` of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAmount {
    /// Fen.
    pub total: Fen,
    /// `CNY` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// `settle_info` of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleInfo {
    /// Whether the payment is to be held for splitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit_sharing: Option<bool>,
    /// Marketing money of the platform in fen, which there is none of yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subsidy_amount: Option<i64>,
}

/// Body of `POST /v3/pay/partner/transactions/{native,jsapi,app,h5}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
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
    /// Who will pay: an order of `jsapi` is for one payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// Which goods, for coupons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl OrderRequest {
    /// The same with each optional text that is empty left out: some callers write every field that they know.
    #[must_use]
    pub fn without_empty(mut self) -> Self {
        let Self { sub_appid, attach, goods_tag, time_expire, amount, payer, .. } = &mut self;
        let of_payer = payer.as_mut().map(|Payer { sp_openid, sub_openid }| [sp_openid, sub_openid]);
        let of_payer = of_payer.into_iter().flatten();
        for text in of_payer.chain([sub_appid, attach, goods_tag, time_expire, &mut amount.currency]) {
            *text = text.take().filter(|text| !text.is_empty());
        }
        self
    }

    /// Checks the documented bounds of every field (`channels.md` 1.4). Whether merchants exist, and whether
    /// `notify_url` may be called, is the receiver's business.
    pub fn check(&self, prepaid: Prepaid, now: Instant) -> Result<(), FieldFault> {
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
        self.check_payer(prepaid)?;
        // A declaration has bounds of its own.
        let ours = |tag: &String| matches!(Declared::of_goods_tag(tag), Ok(Some(_)) | Err(_));
        Carried::of(self, self.goods_tag.clone().filter(|tag| !ours(tag))).check()
    }

    /// What a product needs to know of who will pay and where.
    fn check_payer(&self, prepaid: Prepaid) -> Result<(), FieldFault> {
        let fault = |field, issue| Err(FieldFault { field, issue });
        let text = |object: Option<&Value>, key: &str| {
            object.and_then(|object| object.get(key)?.as_str()).is_some_and(|text| !text.is_empty())
        };
        let scene = self.scene_info.as_ref();
        match prepaid {
            Prepaid::Native | Prepaid::App => Ok(()),
            Prepaid::Jsapi => match &self.payer {
                Some(Payer { sp_openid: Some(_), sub_openid: Some(_) }) => {
                    fault("payer", "sp_openid 与 sub_openid 只能填一个")
                }
                Some(Payer { sp_openid: Some(id), sub_openid: None }) if is_openid(id) => Ok(()),
                Some(Payer { sp_openid: None, sub_openid: Some(id) }) if is_openid(id) => {
                    match self.sub_appid {
                        Some(_) => Ok(()),
                        None => fault("sub_appid", "使用 payer.sub_openid 时必须填写其所属的应用号"),
                    }
                }
                Some(_) | None => {
                    fault("payer.sp_openid", "付款人标识，须为 1 至 128 个字符，仅限 0-9 A-Z a-z _ -")
                }
            },
            Prepaid::H5 if !text(scene, "payer_client_ip") => {
                fault("scene_info.payer_client_ip", "必须填写付款人设备的 IP 地址")
            }
            Prepaid::H5 if !text(scene.and_then(|scene| scene.get("h5_info")), "type") => {
                fault("scene_info.h5_info.type", "必须填写场景类型：iOS、Android 或 Wap")
            }
            Prepaid::H5 => Ok(()),
        }
    }
}

/// A payer's id under an application.
fn is_openid(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c))
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
