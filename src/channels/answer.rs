//! What an institution answered, in whatever language it was asked.
use thiserror::Error;

use super::http::SendFault;
use crate::protocol::alipay::answer::AnswerFault;
use crate::protocol::crypto::CryptoError;
use crate::protocol::wechat::sign::{HeaderFault, StampFault};

/// What an institution answered. Only what it signed counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// Done, and signed.
    Known(T),
    /// Definitely not done: a signed refusal.
    Refused {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// The institution's code, `INVALID_REQUEST`.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// Too many requests (429), signed or not: not done; call again later with the same number.
    Busy,
    /// Nobody knows; never a failure.
    Unknown(Why),
}

impl<T> Answer<T> {
    /// Goes on with what is known.
    pub(super) fn and_then<U>(self, next: impl FnOnce(T) -> Answer<U>) -> Answer<U> {
        match self {
            Self::Known(value) => next(value),
            Self::Refused { status, code, message } => Answer::Refused { status, code, message },
            Self::Busy => Answer::Busy,
            Self::Unknown(why) => Answer::Unknown(why),
        }
    }
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    /// No whole answer came.
    #[error(transparent)]
    Send(#[from] SendFault),
    /// The institution's server failed.
    #[error("the institution answered {0}")]
    Server(u16),
    /// The answer's signature headers are missing or malformed.
    #[error("unsigned answer: {0}")]
    Unsigned(#[from] HeaderFault),
    /// The answer's signature does not hold.
    #[error("answer not believed: {0}")]
    Unbelievable(#[from] StampFault),
    /// The same of an answer in Alipay's form.
    #[error("answer not believed: {0}")]
    NotSigned(#[from] AnswerFault),
    /// Signed, but not of the documented shape, or about something else than was asked.
    #[error("the answer is not the documented one")]
    Shape,
    /// The bill's bytes are not those whose hash was signed.
    #[error("the bill does not match its hash")]
    BillHash,
    /// Our own key did not sign.
    #[error("the request could not be signed: {0}")]
    Key(#[from] CryptoError),
    /// The request cannot be written in the channel's form: nothing was sent.
    #[error("the request has no form at this channel: {0}")]
    Unwritable(String),
}
