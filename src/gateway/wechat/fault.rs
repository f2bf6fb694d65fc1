//! What the gateway answers when it refuses, in WeChat's shape (`channels.md` 1.6).
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::db::DbError;
use crate::error::{Code, Error};
use crate::gateway::RETRY_AFTER;
use crate::protocol::wechat::direct::{self, Form};
use crate::protocol::wechat::errors::{ErrorBody, WechatCode};
use crate::protocol::wechat::shapes::FieldFault;

/// A refusal: its code, and the body that tells the caller what to do.
#[derive(Debug)]
pub struct Fault {
    code: WechatCode,
    passing: bool,
    body: Box<ErrorBody>,
    /// Of a refusal of who calls: why, in a word for the trace that it leaves.
    unsigned: Option<&'static str>,
}

impl Fault {
    /// A refusal with a sentence for the caller.
    pub fn new(code: WechatCode, message: impl Into<String>) -> Self {
        Self { code, passing: false, body: Box::new(ErrorBody::new(code, message)), unsigned: None }
    }

    /// `PARAM_ERROR` at a parameter of the body.
    pub fn parameter(field: &str, issue: &str) -> Self {
        let body = Box::new(ErrorBody::parameter(field, issue));
        Self { code: WechatCode::ParamError, passing: false, body, unsigned: None }
    }

    /// `PARAM_ERROR`: the body is no JSON, or has a key twice.
    pub fn no_json(error: &serde_json::Error) -> Self {
        Self::parameter("body", &format!("须为 JSON 对象，同一对象中的键不得重复（{error}）"))
    }

    /// `PARAM_ERROR` at a parameter of the query string.
    pub fn in_query(field: &str, issue: &str) -> Self {
        let body = Box::new(ErrorBody::parameter_in("query", field, issue));
        Self { code: WechatCode::ParamError, passing: false, body, unsigned: None }
    }

    /// 401: who calls is not proven. `why` is a word for the trace that it leaves.
    pub fn sign(why: &'static str, message: impl Into<String>) -> Self {
        Self { unsigned: Some(why), ..Self::new(WechatCode::SignError, message) }
    }

    /// 404: no such call.
    pub fn unknown() -> Self {
        Self::new(WechatCode::ResourceNotExists, "没有这个接口，请核对请求方法与路径")
    }

    /// The same, its field named as the caller names it.
    #[must_use]
    pub fn in_words_of(mut self, form: Form) -> Self {
        if let (Form::Direct, Some(detail)) = (form, &self.body.detail) {
            let field = detail.field.trim_start_matches('/').replace('/', ".");
            let body = ErrorBody::parameter_in(&detail.location, &direct::name_of(&field), &detail.issue);
            self.body = Box::new(body);
        }
        self
    }

    /// Why who calls is not proven, where this refuses that.
    pub fn unsigned(&self) -> Option<&'static str> {
        self.unsigned
    }

    /// 429: later, with the same number.
    pub fn busy() -> Self {
        Self::new(WechatCode::FrequencyLimited, "请求过于频繁，请用相同的单号稍后重试")
    }

    /// [`Fault::busy`] unless the caller may go on.
    pub fn unless(may: bool) -> Result<(), Self> {
        if may { Ok(()) } else { Err(Self::busy()) }
    }

    /// 500: the outcome is not known; the same request may be sent again with the same number.
    pub fn system() -> Self {
        Self::new(WechatCode::SystemError, "系统繁忙，请用相同的单号稍后重试或先查询订单")
    }

    /// The same as 503 with `Retry-After`: we cannot do anything now.
    fn passing() -> Self {
        Self { passing: true, ..Self::system() }
    }
}

impl From<FieldFault> for Fault {
    fn from(fault: FieldFault) -> Self {
        Self::parameter(fault.field, fault.issue)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(WechatCode::OrderNotExist, "订单不存在，请核对单号与特约商户号"),
            Error::Refused { code: Code::OutTradeNoUsed, .. } => {
                Self::new(WechatCode::OutTradeNoUsed, "商户订单号已用于其他内容的订单，请更换单号")
            }
            Error::Refused { code: Code::NonceUsed, .. } => {
                Self::sign("nonce", "nonce_str 已使用过，请为每个请求生成新的随机串")
            }
            // The detail is for us: it speaks of our settings.
            Error::Refused { code, detail } => {
                tracing::warn!(code = code.id(), detail, "a merchant's request was refused");
                let sentence = format!("{}（{}），请联系平台", code.sentence_zh(), code.id());
                Self::new(WechatCode::InvalidRequest, sentence)
            }
            Error::Db(DbError::Unavailable) => Self::passing(),
            error @ (Error::Db(_) | Error::Io(_) | Error::Internal(_)) => {
                tracing::error!(%error, "the gateway could not answer");
                Self::system()
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.body.code, self.body.message)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        if self.passing {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        if self.passing {
            answer.insert_header(RETRY_AFTER);
        }
        answer.content_type(super::JSON).json(&self.body)
    }
}
