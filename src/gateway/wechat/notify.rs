//! `POST /notify/{institution}/wechat`: an institution tells us of a payment.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::JSON;
use crate::app::App;
use crate::gateway::{RETRY_AFTER, notice};
use crate::kernel::channel::ChannelName;

/// Takes a notification.
pub async fn notify(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    let Err(refusal) = notice::take(&app, &request, (&code, ChannelName::Wechat), body).await else {
        return HttpResponse::NoContent().finish();
    };
    let body = json!({ "code": "FAIL", "message": refusal.why });
    let mut answer = HttpResponse::build(refusal.status);
    if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header(RETRY_AFTER);
    }
    answer.content_type(JSON).json(body)
}
