//! Every answer is signed, refusals and empty ones too (`channels.md` 0.4–0.6).
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};

use super::fault::Fault;
use super::signed::Caller;
use crate::app::App;
use crate::institutions::PlatformKeys;
use crate::merchants::credentials::AnswerMode;
use crate::people::security::SecurityKind;
use crate::protocol::wechat::sign::{SERIAL, Stamp};

/// How an admitted request is answered: what it was admitted with, so that nobody looks again.
#[derive(Clone)]
pub struct Signing {
    /// The credential's.
    pub mode: AnswerMode,
    /// Our own, as they counted when it was admitted.
    pub keys: Arc<PlatformKeys>,
}

/// Signs what the inner service answers: with the key that the request names in `Wechatpay-Serial` when that is one
/// of ours, otherwise in the credential's mode, by certificate where nobody is proven to call.
pub async fn sign_answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let app = app.ok_or_else(|| ErrorInternalServerError("the application is not assembled"))?;
    let wanted = request.headers().get(SERIAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (request, answer) = next.call(request).await?.into_parts();
    note(&app, &request, &answer);
    let admitted = request.extensions().get::<Signing>().cloned();
    let (answer, body) = answer.into_parts();
    let body = to_bytes(body).await.map_err(|_| ErrorInternalServerError("the answer broke off"))?;
    let stamp = stamp(&app, wanted.as_deref(), admitted, &body).await.map_err(ErrorInternalServerError)?;
    let mut answer = answer.set_body(body).map_into_boxed_body();
    for (name, value) in stamp.headers() {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(ServiceResponse::new(request, answer))
}

/// Takes down that who calls was not proven.
fn note(app: &App, request: &HttpRequest, answer: &HttpResponse<impl MessageBody>) {
    let fault = answer.error().and_then(|error| error.as_error::<Fault>());
    if let Some(why) = fault.and_then(Fault::unsigned) {
        let caller = request.extensions().get::<Caller>().map(|caller| format!("merchant:{}", caller.0));
        app.note(request, SecurityKind::RequestUnsigned, caller.unwrap_or_default(), why);
    }
}

async fn stamp(
    app: &App,
    wanted: Option<&str>,
    admitted: Option<Signing>,
    body: &[u8],
) -> Result<Stamp, crate::error::Error> {
    let Signing { mode, keys } = match admitted {
        Some(admitted) => admitted,
        None => Signing { mode: AnswerMode::Certificate, keys: app.keys().await? },
    };
    // Here and not on the blocking pool: a quarter of a millisecond is no longer than a thread takes to be woken when all
    // cores sign.
    let named = wanted.and_then(|wanted| keys.named(wanted));
    let (key, by_id) = named.unwrap_or((&keys.wechat, mode == AnswerMode::PublicKey));
    let serial = if by_id { &key.public_key_id } else { &key.serial };
    Stamp::sign(serial, &key.private_key, app.clock.instant(), body).map_err(crate::error::Error::internal)
}
