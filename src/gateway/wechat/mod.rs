//! WeChat Pay APIv3 as a merchant's stock SDK speaks it, of a platform for its merchants or of one for itself; and the institutions' notifications.
//!
//! A handler reads, checks and gives one command. Who calls is settled by [`signed::Signed`] before it runs,
//! the answer is signed by [`answer::sign_answer`] after it.
mod answer;
mod bill;
mod certificates;
mod close;
mod content;
mod fault;
mod notify;
mod owner;
mod place;
mod query;
mod signed;

use actix_web::guard;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};

use super::BODY_MAX;
use crate::protocol::wechat::errors::{ErrorBody, WechatCode};
use fault::Fault;

/// Content type of every JSON answer.
const JSON: &str = "application/json; charset=utf-8";

/// The prefix of what the platform itself signs answers to.
const V3: &str = "/v3";

/// An address and who answers it.
pub struct Address {
    /// The method; any other is answered in WeChat's shape too.
    pub method: Method,
    /// The path, with `{names}` for what varies.
    pub path: &'static str,
    answer: fn(Route) -> Route,
}

macro_rules! addresses {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every address of the gateway; it is made of this list, and the tests walk it.
        pub static ADDRESSES: &[Address] = &[$(
            Address { method: Method::$method, path: $path, answer: |route| route.to($handler) },
        )*];
    };
}

addresses! {
    POST "/v3/pay/partner/transactions/{product}" => place::place;
    POST "/v3/pay/transactions/{product}" => place::place;
    GET  "/v3/pay/partner/transactions/id/{number}" => query::by_transaction_id;
    GET  "/v3/pay/partner/transactions/out-trade-no/{number}" => query::by_out_trade_no;
    POST "/v3/pay/partner/transactions/out-trade-no/{number}/close" => close::close;
    GET  "/v3/pay/transactions/id/{number}" => query::by_transaction_id;
    GET  "/v3/pay/transactions/out-trade-no/{number}" => query::by_out_trade_no;
    POST "/v3/pay/transactions/out-trade-no/{number}/close" => close::close;
    GET  "/v3/bill/tradebill" => bill::offer;
    GET  "/v3/billdownload/file" => bill::download;
    GET  "/v3/certificates" => certificates::certificates;
    POST "/notify/{institution}/wechat" => notify::notify;
}

impl Address {
    fn resource(&self, path: &str) -> Resource {
        let route = match self.method {
            // The same answer; the server leaves out its body.
            Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
            _ => web::method(self.method.clone()),
        };
        let route = (self.answer)(route);
        web::resource(path).route(route).default_service(web::to(unknown))
    }
}

/// Adds its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    let limit = web::PayloadConfig::new(BODY_MAX);
    let mut signed = web::scope(V3).wrap(from_fn(answer::sign_answer)).app_data(limit);
    for address in ADDRESSES {
        match address.path.strip_prefix(V3) {
            Some(below) => signed = signed.service(address.resource(below)),
            None => drop(config.service(address.resource(address.path))),
        }
    }
    config.service(signed.default_service(web::to(unknown)));
}

/// What a system is told whose body is not taken, where the path is one of these.
pub(super) fn body_refused(path: &str, status: StatusCode) -> Option<HttpResponse> {
    let first = |path: &str| path.split('/').nth(1).map(str::to_owned);
    if !ADDRESSES.iter().any(|address| first(address.path) == first(path)) {
        return None;
    }
    let why = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "报文主体不得压缩或编码，请去掉 Content-Encoding 后重新签名发送"
        }
        _ => "报文主体未在规定时间内传完，请重试",
    };
    let body = ErrorBody::new(WechatCode::InvalidRequest, why);
    Some(HttpResponse::build(status).content_type(JSON).json(body))
}

async fn unknown() -> Result<HttpResponse, Fault> {
    Err(Fault::unknown())
}
