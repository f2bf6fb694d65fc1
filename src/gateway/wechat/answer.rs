//! Every answer to a caller who has proven who it is is signed, refusals and empty ones too (`channels.md` 0.4–0.6). To all
//! others nothing is owed: no signature is made for who has none.
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};

use super::fault::Fault;
use super::signed::Caller;
use crate::app::App;
use crate::error::Error;
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

/// Marks an answer that is sent as it is: a file whose hash was signed before (`channels.md` 0.4).
pub struct AsItIs;

/// Signs what the inner service answers: with the key that the request names in `Wechatpay-Serial` when that is one
/// of ours, otherwise in the credential's mode.
pub async fn sign_answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let wanted = request.headers().get(SERIAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answer = next.call(request).await?.map_into_boxed_body();
    let admitted = answer.request().extensions().get::<Signing>().cloned();
    let app = answer.request().app_data::<web::Data<App>>().cloned();
    if let Some(app) = &app {
        note(app, answer.request(), answer.response());
    }
    if answer.response().extensions().contains::<AsItIs>() {
        return Ok(answer);
    }
    let (Some(signing), Some(app)) = (admitted, app) else { return Ok(answer) };
    let (request, answer) = answer.into_parts();
    let signed = signed(answer, |body| stamp(&app, wanted.as_deref(), &signing, body)).await;
    let answer = signed.unwrap_or_else(|error| Fault::from(error).error_response());
    Ok(ServiceResponse::new(request, answer))
}

/// The answer with the headers of its signature.
async fn signed(
    answer: HttpResponse,
    stamp: impl FnOnce(&[u8]) -> Result<Stamp, Error>,
) -> Result<HttpResponse, Error> {
    let (answer, body) = answer.into_parts();
    let body = to_bytes(body).await.map_err(Error::internal)?;
    let stamp = stamp(&body)?;
    let mut answer = answer.set_body(body).map_into_boxed_body();
    for (name, value) in stamp.headers() {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// Takes down that who calls was not proven.
fn note(app: &App, request: &HttpRequest, answer: &HttpResponse) {
    let fault = answer.error().and_then(|error| error.as_error::<Fault>());
    if let Some(why) = fault.and_then(Fault::unsigned) {
        let caller = request.extensions().get::<Caller>().map(|caller| format!("merchant:{}", caller.0));
        app.note(request, SecurityKind::RequestUnsigned, caller.unwrap_or_default(), why);
    }
}

fn stamp(
    app: &App,
    wanted: Option<&str>,
    Signing { mode, keys }: &Signing,
    body: &[u8],
) -> Result<Stamp, Error> {
    // Here and not on the blocking pool: a quarter of a millisecond is no longer than a thread takes to be woken when all
    // cores sign.
    let named = wanted.and_then(|wanted| keys.named(wanted));
    let (key, by_id) = named.unwrap_or((&keys.wechat, *mode == AnswerMode::PublicKey));
    let serial = if by_id { &key.public_key_id } else { &key.serial };
    Stamp::sign(serial, &key.private_key, app.clock.instant(), body).map_err(Error::internal)
}
