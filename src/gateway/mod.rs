//! IN from merchants' own systems and from institutions: check, translate, one command. One room a language; what is asked
//! in each of them stands beside.
pub mod alipay;
mod notice;
mod placing;
pub mod wechat;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;

/// The longest request body, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// When a caller may come again after a 503, in seconds.
const RETRY_AFTER: (&str, &str) = ("Retry-After", "5");

/// Adds the gateway to an application whose state holds an [`App`](crate::app::App).
pub fn routes(config: &mut ServiceConfig) {
    alipay::routes(config);
    wechat::routes(config);
}

/// What a system is told whose body is not taken, in its own language, where the path is one of the gateway's: 415 of a
/// coded one, 408 of a late one.
pub fn body_refused(path: &str, status: StatusCode) -> Option<HttpResponse> {
    alipay::body_refused(path, status).or_else(|| wechat::body_refused(path, status))
}
