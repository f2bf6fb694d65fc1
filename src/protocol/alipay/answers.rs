//! What each call gives (`channels.md` 2.2): as an institution answers us and as we answer merchants' systems.
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::fields;
use mingfen_kernel::money::Fen;
use mingfen_kernel::text_enum;

/// An amount as it travels: a text in yuan with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Yuan(pub Fen);

impl Serialize for Yuan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.yuan())
    }
}

impl<'de> Deserialize<'de> for Yuan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        fields::yuan(&text).map(Self).ok_or_else(|| D::Error::custom("not an amount in yuan"))
    }
}

text_enum! {
    /// `trade_status` of an order that exists in the wallet.
    pub enum TradeStatus {
        /// Scanned, not paid.
        WaitBuyerPay = "WAIT_BUYER_PAY",
        /// Closed unpaid, or refunded whole.
        Closed = "TRADE_CLOSED",
        /// Paid; may be refunded.
        Success = "TRADE_SUCCESS",
        /// Paid, and over: nothing can be refunded any more.
        Finished = "TRADE_FINISHED",
    }
}

impl TradeStatus {
    /// Whether the order was paid; what comes after it takes nothing of that back.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        match self {
            Self::Success | Self::Finished => true,
            Self::WaitBuyerPay | Self::Closed => false,
        }
    }
}

impl Serialize for TradeStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TradeStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a trade_status"))
    }
}

/// Of `precreate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precreated {
    /// The caller's number.
    pub out_trade_no: String,
    /// What the payer scans.
    pub qr_code: String,
}

/// Of `create`, and of `close`: both numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// The caller's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// The channel's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade_no: Option<String>,
}

/// Of `pay` and of `query`: an order in the wallet. `pay` tells no status: it is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The caller's number.
    pub out_trade_no: String,
    /// The channel's number.
    pub trade_no: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade_status: Option<TradeStatus>,
    /// What was ordered.
    pub total_amount: Yuan,
    /// 商家实收: what the merchant gets of it, before the fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_amount: Option<Yuan>,
    /// What the payer paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_pay_amount: Option<Yuan>,
    /// When it was paid, of `pay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gmt_payment: Option<String>,
    /// When it was paid, of `query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_pay_date: Option<String>,
    /// What else is told of payer, funds and discounts: as the institution writes it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

text_enum! {
    /// What `cancel` did.
    pub enum CancelAction {
        /// Closed the order, of which nothing was paid.
        Close = "close",
        /// Gave the payment back.
        Refund = "refund",
    }
}

/// Of `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Both numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// `Y`: it did not succeed and is to be tried again.
    pub retry_flag: String,
    /// See [`CancelAction`]; none where there was no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// Of `refund`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// Both numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// `Y`: money moved by this call; `N`: it is a repeat.
    pub fund_change: String,
    /// What was refunded of the order so far, all refunds together.
    pub refund_fee: Yuan,
    /// What else is told.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Of the question for a day's bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillAt {
    /// Where it can be fetched, for half a minute.
    pub bill_download_url: String,
}
