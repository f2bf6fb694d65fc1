//! `POST /notify/{institution}/alipay`: an institution tells us of a payment.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::gateway::{RETRY_AFTER, notice};
use crate::kernel::channel::ChannelName;
use crate::protocol::alipay::notification::RECEIVED;

const TEXT: &str = "text/plain; charset=utf-8";

/// Takes a notification: it is durable before it is answered.
pub async fn notify(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    match notice::take(&app, &request, (&code, ChannelName::Alipay), body).await {
        Ok(()) => HttpResponse::Ok().content_type(TEXT).body(RECEIVED),
        Err(refusal) => refused(refusal.status, refusal.why),
    }
}

/// Anything but `success` asks for it again.
pub fn refused(status: StatusCode, why: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header(RETRY_AFTER);
    }
    answer.content_type(TEXT).body(format!("fail: {why}"))
}

/// Another method than the language has.
pub async fn unknown() -> HttpResponse {
    refused(StatusCode::NOT_FOUND, "notifications are posted")
}
