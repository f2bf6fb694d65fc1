//! `POST /notify/{institution}/wechat`: an institution tells us of a payment.
//!
//! Nothing is stored before the signature over the raw bytes is verified; what then says that an order was paid
//! is durable before it is answered. The same message again gets the same answer and changes nothing.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{JSON, RETRY_AFTER};
use crate::app::App;
use crate::clock::Clock;
use crate::db::DbError;
use crate::error::Error;
use crate::institutions;
use crate::orders::{self, Channel, Outcome, PaymentFact, RawKind, RawMessage};
use crate::protocol::wechat::notification::{self, TRANSACTION_SUCCESS};
use crate::protocol::wechat::shapes::{OrderView, TradeState};
use crate::protocol::wechat::sign::Stamp;

/// Takes a notification.
pub async fn notify(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    match take(&app, &request, &code, body).await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(refusal) => {
            tracing::warn!(status = refusal.status.as_u16(), why = refusal.why, "notification refused");
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
            Error::NotFound => Self { status: StatusCode::NOT_FOUND, why: "no such institution" },
            Error::Db(DbError::Unavailable) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, why: "not stored now, deliver it again" }
            }
            // No key of the institution's counts: nobody can have signed this.
            Error::Refused { .. } => {
                tracing::warn!(%error, "a notification cannot be verified");
                forged("not signed by the institution now")
            }
            Error::Db(_) | Error::Io(_) | Error::Internal(_) => {
                tracing::error!(%error, "a notification could not be stored");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, why: "not stored, deliver it again" }
            }
        }
    }
}

const fn forged(why: &'static str) -> Refusal {
    Refusal { status: StatusCode::UNAUTHORIZED, why }
}

const fn unusable(why: &'static str) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, why }
}

async fn take(app: &App, request: &HttpRequest, code: &str, body: web::Bytes) -> Result<(), Refusal> {
    if code.contains(char::is_control) {
        return Err(Error::NotFound.into());
    }
    let channel = app.channel_of(code).await?;
    let header = |name: &str| {
        let mut values = request.headers().get_all(name);
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        }
    };
    let stamp = Stamp::read(header).map_err(|_| forged("signature headers are missing or malformed"))?;
    let fact = open(&channel, &app.clock, &stamp, &body)?;
    match app.intake.submit(fact).await? {
        Outcome::Stored | Outcome::Known | Outcome::Orphan => Ok(()),
        Outcome::Conflict => Err(unusable("this transaction was told before with other facts")),
    }
}

/// The payment that the institution signed. Checking a signature and opening a message take some 30 microseconds, less
/// than it takes to hand them to another thread: they are done on the worker thread that read the request.
fn open(channel: &Channel, clock: &Clock, stamp: &Stamp, body: &[u8]) -> Result<PaymentFact, Refusal> {
    stamp.check(&channel.answer_keys, clock.instant(), body).map_err(|fault| {
        tracing::warn!(%fault, institution = channel.institution.code, "a notification is not the institution's");
        forged("not signed by the institution now")
    })?;
    let opened = channel.apiv3_keys.iter().find_map(|key| notification::open(key, body).ok());
    let (envelope, plain) = opened.ok_or(unusable("the message does not open with the APIv3 key"))?;
    if envelope.event_type != TRANSACTION_SUCCESS {
        return Err(unusable("event_type is not TRANSACTION.SUCCESS"));
    }
    let raw = RawMessage {
        kind: RawKind::Notification,
        received_at: clock.now(),
        headers: stamp.to_text(),
        body: body.to_vec(),
    };
    fact(&channel.profile, &plain, raw).ok_or(unusable("the resource is not a paid order"))
}

fn fact(channel: &institutions::Channel, plain: &[u8], raw: RawMessage) -> Option<PaymentFact> {
    let view: OrderView = serde_json::from_slice(plain).ok()?;
    if view.sp_mchid != channel.sp_mchid || view.trade_state != TradeState::Success {
        return None;
    }
    orders::payment_fact(channel, view, raw)
}
