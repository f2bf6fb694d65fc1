//! What every answer carries, whoever is answered: a request id, one line in the log, and the headers that keep it to
//! itself.
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use tracing::Instrument;

use super::lang::Lang;
use crate::app::App;

/// The number under which one request is found in the log and on an error page.
#[derive(Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The id of this request; empty outside [`observe`].
    #[must_use]
    pub fn of(request: &HttpRequest) -> String {
        request.extensions().get::<Self>().map(|id| id.0.clone()).unwrap_or_default()
    }
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Outermost: gives the request its id and writes one line when it is answered. The line names the route's pattern,
/// not the address, so that no number of a person or an order gets into the log by it.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = ulid::Ulid::generate().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let (started, method) = (Instant::now(), request.method().clone());
    let app = request.app_data::<Data<App>>();
    let client = app.map(|app| app.client(request.request())).unwrap_or_default();
    // Everything that is logged on the way carries the id too.
    let span = tracing::info_span!("request", request_id = %id);
    let mut answer = next.call(request).instrument(span).await?;
    let route = answer.request().match_pattern().unwrap_or_else(|| "-".to_owned());
    let (status, took) = (answer.status().as_u16(), started.elapsed().as_millis());
    tracing::info!(request_id = %id, %client, %method, %route, status, took_ms = took, "request");
    let secure = is_secure(answer.request());
    let headers = answer.headers_mut();
    put(headers, "request-id", &id);
    put(headers, "x-request-id", &id);
    protect(headers, secure);
    Ok(answer)
}

/// What no answer goes out without, a gateway's and a probe's as little as a page.
fn protect(headers: &mut HeaderMap, secure: bool) {
    put(headers, "content-security-policy", POLICY);
    put(headers, "x-content-type-options", "nosniff");
    put(headers, "referrer-policy", "same-origin");
    put(headers, "cross-origin-opener-policy", "same-origin");
    if !headers.contains_key("cache-control") {
        put(headers, "cache-control", "no-store");
    }
    if secure {
        put(headers, "strict-transport-security", "max-age=31536000");
    }
}

/// Around all pages: the chosen language is remembered.
pub(in crate::web) async fn remember_language(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let secure = is_secure(answer.request());
    if let Some(lang) = Lang::asked(answer.request().query_string()) {
        answer.response_mut().add_cookie(&lang.cookie(secure))?;
    }
    Ok(answer)
}

/// Whether the site is reached by https, as its configuration says.
pub(in crate::web) fn is_secure(request: &HttpRequest) -> bool {
    request.app_data::<Data<App>>().is_some_and(|app| app.config.public_url.starts_with("https:"))
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
