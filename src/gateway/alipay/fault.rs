//! What `gateway.do` answers when it refuses (`channels.md` 0.9, 2.1).
use crate::db::DbError;
use crate::error::{Code, Error};
use crate::protocol::alipay::answer::Answer;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::fields::FieldFault;
use crate::protocol::alipay::request::Refusal;

/// A refusal: its code, and what it says behind the code's own words.
#[derive(Debug)]
pub struct Fault {
    code: SubCode,
    detail: String,
    /// Of a refusal of who calls: why, in a word, and who that is, for the trace that it leaves.
    unproven: Option<(&'static str, String)>,
}

impl Fault {
    /// A refusal with a sentence for the caller.
    pub fn new(code: SubCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), unproven: None }
    }

    /// Who calls is not proven. `why` is a word for the trace that it leaves.
    pub fn unproven(why: &'static str, refusal: Refusal) -> Self {
        Self { unproven: Some((why, String::new())), ..Self::new(refusal.code, refusal.parameter) }
    }

    /// The same of somebody who says to be this.
    #[must_use]
    pub fn of_caller(self, who: String) -> Self {
        Self { unproven: self.unproven.map(|(why, _)| (why, who)), ..self }
    }

    /// Why, and who, where this refuses who calls.
    pub fn not_proven(&self) -> Option<(&'static str, String)> {
        self.unproven.clone()
    }

    /// The answer.
    pub fn answer(&self) -> Answer<()> {
        Answer::refused(self.code, &self.detail)
    }

    /// A parameter of the call.
    pub fn parameter(field: &str, issue: &str) -> Self {
        Self::new(SubCode::BizParameter, format!("{field}: {issue}"))
    }

    /// Later, with the same numbers.
    pub fn busy() -> Self {
        Self::new(SubCode::CallLimited, "请用相同的单号稍后重试")
    }

    /// The outcome is not known; the same request may be sent again with the same number.
    pub fn system() -> Self {
        Self::new(SubCode::SystemError, "请用相同的单号稍后重试或先查询订单")
    }
}

impl From<SubCode> for Fault {
    fn from(code: SubCode) -> Self {
        Self::new(code, "")
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
            Error::NotFound => SubCode::TradeNotExist.into(),
            Error::Refused { code: Code::OutTradeNoUsed, .. } => {
                Self::new(SubCode::ContextInconsistent, "商户订单号已用于其他内容的订单，请更换单号")
            }
            Error::Refused { detail, .. } => Self::new(SubCode::BizParameter, detail),
            Error::Db(DbError::Unavailable) => SubCode::UnknownError.into(),
            error @ (Error::Db(_) | Error::Io(_) | Error::Internal(_)) => {
                tracing::error!(%error, "the gateway could not answer");
                SubCode::UnknownError.into()
            }
        }
    }
}
