//! An institution tells us of a payment, at an address of each of its channels.
//!
//! Nothing is stored before the signature over the raw bytes is verified; what then says that an order was paid
//! is durable before it is answered. The same message again gets the same answer and changes nothing.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::BODY_MAX;
use crate::app::App;
use crate::channels::NoticeFault;
use crate::db::DbError;
use crate::error::{Code, Error};
use crate::kernel::channel::ChannelName;
use crate::orders::{Outcome, PaymentFact};
use crate::people::security::SecurityKind;

/// Takes a notification of an institution's channel; a refusal is noted.
pub async fn take(
    app: &App,
    request: &HttpRequest,
    (code, channel): (&str, ChannelName),
    body: web::Payload,
) -> Result<(), Refusal> {
    let taken = taken(app, request, (code, channel), body).await;
    if let Err(refusal) = &taken {
        tracing::warn!(status = refusal.status.as_u16(), why = refusal.why, "notification refused");
        if refusal.status == StatusCode::UNAUTHORIZED {
            app.note(request, SecurityKind::NoticeUnsigned, format!("institution:{code}"), refusal.why);
        }
    }
    taken
}

/// Why it is not taken.
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// In a few words, for the other side.
    pub why: &'static str,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound | Error::Refused { code: Code::InstitutionUnknown, .. } => {
                Self { status: StatusCode::NOT_FOUND, why: "no such institution" }
            }
            Error::Db(DbError::Unavailable) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, why: "not stored now, deliver it again" }
            }
            // No key of the institution's counts: nobody can have signed this.
            Error::Refused { .. } => {
                tracing::warn!(%error, "a notification cannot be verified");
                NoticeFault::Forged("not signed by the institution now").into()
            }
            Error::Db(_) | Error::Io(_) | Error::Internal(_) => {
                tracing::error!(%error, "a notification could not be stored");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, why: "not stored, deliver it again" }
            }
        }
    }
}

impl From<NoticeFault> for Refusal {
    fn from(fault: NoticeFault) -> Self {
        match fault {
            NoticeFault::Forged(why) => Self { status: StatusCode::UNAUTHORIZED, why },
            NoticeFault::Unusable(why) => Self { status: StatusCode::BAD_REQUEST, why },
        }
    }
}

async fn taken(
    app: &App,
    request: &HttpRequest,
    (code, channel): (&str, ChannelName),
    body: web::Payload,
) -> Result<(), Refusal> {
    if code.contains(char::is_control) {
        return Err(Error::NotFound.into());
    }
    let channel = app.channel_of(code, channel).await?;
    let long = |_| Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, why: "the body is too long" };
    let short = |_| Refusal { status: StatusCode::BAD_REQUEST, why: "the body did not come whole" };
    let body = body.to_bytes_limited(BODY_MAX).await.map_err(long)?.map_err(short)?;
    let header = |name: &str| {
        let mut values = request.headers().get_all(name);
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        }
    };
    let fact = PaymentFact::of(&channel, channel.notice(header, &body)?);
    match app.intake.submit(fact).await? {
        Outcome::Stored | Outcome::Known | Outcome::Orphan => Ok(()),
        Outcome::Conflict => {
            Err(NoticeFault::Unusable("this transaction was told before with other facts").into())
        }
    }
}
