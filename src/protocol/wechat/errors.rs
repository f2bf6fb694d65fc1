//! Error codes of APIv3 and the HTTP status each is answered with (`channels.md` 1.6).
use serde::{Deserialize, Serialize};

/// A code that we answer or that an institution answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WechatCode {
    /// A parameter is missing, malformed or out of range; `detail` names it.
    ParamError,
    /// Most business refusals; the message tells.
    InvalidRequest,
    /// The order was closed.
    OrderClosed,
    /// The merchant's number was used for another order.
    OutTradeNoUsed,
    /// sp_appid does not belong to sp_mchid.
    AppidMchidNotMatch,
    /// No such merchant.
    MchNotExists,
    /// Signature, serial, nonce or timestamp of the request is refused.
    SignError,
    /// The caller may not do this, or not for this merchant.
    NoAuth,
    /// The day has no bill, for certain: nothing was paid or refunded on it.
    NoStatementExist,
    /// No such order.
    OrderNotExist,
    /// No such resource.
    ResourceNotExists,
    /// Too many requests; try again later with the same numbers.
    FrequencyLimited,
    /// As [`WechatCode::FrequencyLimited`], another limiter's word.
    RatelimitExceeded,
    /// Unknown outcome; ask, or try again with the same numbers.
    SystemError,
}

impl WechatCode {
    /// Every code, in the order of their status.
    pub const ALL: [Self; 14] = [
        Self::ParamError,
        Self::InvalidRequest,
        Self::OrderClosed,
        Self::OutTradeNoUsed,
        Self::AppidMchidNotMatch,
        Self::MchNotExists,
        Self::NoStatementExist,
        Self::SignError,
        Self::NoAuth,
        Self::OrderNotExist,
        Self::ResourceNotExists,
        Self::FrequencyLimited,
        Self::RatelimitExceeded,
        Self::SystemError,
    ];

    /// The code as it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParamError => "PARAM_ERROR",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::OrderClosed => "ORDER_CLOSED",
            Self::OutTradeNoUsed => "OUT_TRADE_NO_USED",
            Self::AppidMchidNotMatch => "APPID_MCHID_NOT_MATCH",
            Self::MchNotExists => "MCH_NOT_EXISTS",
            Self::SignError => "SIGN_ERROR",
            Self::NoAuth => "NO_AUTH",
            Self::NoStatementExist => "NO_STATEMENT_EXIST",
            Self::OrderNotExist => "ORDER_NOT_EXIST",
            Self::ResourceNotExists => "RESOURCE_NOT_EXISTS",
            Self::FrequencyLimited => "FREQUENCY_LIMITED",
            Self::RatelimitExceeded => "RATELIMIT_EXCEEDED",
            Self::SystemError => "SYSTEM_ERROR",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ParamError
            | Self::InvalidRequest
            | Self::OrderClosed
            | Self::OutTradeNoUsed
            | Self::AppidMchidNotMatch
            | Self::MchNotExists
            | Self::NoStatementExist => 400,
            Self::SignError => 401,
            Self::NoAuth => 403,
            Self::OrderNotExist | Self::ResourceNotExists => 404,
            Self::FrequencyLimited | Self::RatelimitExceeded => 429,
            Self::SystemError => 500,
        }
    }

    /// Reads a code; `None` for one that is not in the table.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// Body of an error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For example `PARAM_ERROR`.
    pub code: String,
    /// A sentence for the caller.
    pub message: String,
    /// Which parameter, for `PARAM_ERROR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<ErrorDetail>,
}

impl ErrorBody {
    /// A body without detail.
    #[must_use]
    pub fn new(code: WechatCode, message: impl Into<String>) -> Self {
        Self { code: code.as_str().to_owned(), message: message.into(), detail: None }
    }

    /// `PARAM_ERROR` for one parameter of the JSON body.
    #[must_use]
    pub fn parameter(field: &str, issue: &str) -> Self {
        Self::parameter_in("body", field, issue)
    }

    /// `PARAM_ERROR` for one parameter of `body`, `query` or `path`.
    #[must_use]
    pub fn parameter_in(location: &str, field: &str, issue: &str) -> Self {
        Self {
            detail: Some(ErrorDetail {
                field: format!("/{}", field.replace('.', "/")),
                location: location.to_owned(),
                value: None,
                issue: issue.to_owned(),
            }),
            ..Self::new(WechatCode::ParamError, format!("{field}: {issue}"))
        }
    }
}

/// Which parameter is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// JSON pointer to the parameter.
    #[serde(default)]
    pub field: String,
    /// `body`, `query` or `path`.
    #[serde(default)]
    pub location: String,
    /// The offending value; we never echo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// What is wrong with it.
    #[serde(default)]
    pub issue: String,
}
