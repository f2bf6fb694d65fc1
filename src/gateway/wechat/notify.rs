//! `POST /notify/{institution}/wechat`: an institution tells us of a payment.
//!
//! Nothing is stored before the signature over the raw bytes is verified; what then says that an order was paid
//! is durable before it is answered. The same message again gets the same answer and changes nothing.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{BODY_MAX, JSON, RETRY_AFTER};
use crate::app::App;
use crate::channels::NoticeFault;
use crate::db::DbError;
use crate::error::{Code, Error};
use crate::kernel::channel::ChannelName;
use crate::orders::{Outcome, PaymentFact};
use crate::people::security::SecurityKind;

/// Takes a notification.
pub async fn notify(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    match take(&app, &request, &code, body).await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(refusal) => {
            tracing::warn!(status = refusal.status.as_u16(), why = refusal.why, "notification refused");
            if refusal.status == StatusCode::UNAUTHORIZED {
                app.note(&request, SecurityKind::NoticeUnsigned, format!("institution:{code}"), refusal.why);
            }
            let body = json!({ "code": "FAIL", "message": refusal.why });
            let mut answer = HttpResponse::build(refusal.status);
            if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
                answer.insert_header(RETRY_AFTER);
            }
            answer.content_type(JSON).json(body)
        }
    }
}

struct Refusal {
    status: StatusCode,
    why: &'static str,
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

async fn take(app: &App, request: &HttpRequest, code: &str, body: web::Payload) -> Result<(), Refusal> {
    if code.contains(char::is_control) {
        return Err(Error::NotFound.into());
    }
    let channel = app.channel_of(code, ChannelName::Wechat).await?;
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
