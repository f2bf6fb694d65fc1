//! WeChat Pay APIv3, partner mode, as a merchant's stock SDK speaks it; and the institutions' notifications.
//!
//! A handler reads, checks and gives one command. Who calls is settled by [`signed::Signed`] before it runs,
//! the answer is signed by [`answer::sign_answer`] after it.
mod answer;
mod certificates;
mod close;
mod content;
mod fault;
mod native;
mod notify;
mod owner;
mod query;
mod signed;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};

use crate::protocol::wechat::errors::WechatCode;
use fault::Fault;

/// Content type of every JSON answer.
const JSON: &str = "application/json; charset=utf-8";
/// When a caller may come again after a 503, in seconds.
const RETRY_AFTER: (&str, &str) = ("Retry-After", "5");
/// The longest request body, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// The routes of the gateway.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::scope("/v3")
                .wrap(from_fn(answer::sign_answer))
                .app_data(web::PayloadConfig::new(BODY_MAX))
                .service(at("/pay/partner/transactions/native", web::post().to(native::native)))
                .service(at("/pay/partner/transactions/id/{number}", web::get().to(query::by_transaction_id)))
                .service(at(
                    "/pay/partner/transactions/out-trade-no/{number}",
                    web::get().to(query::by_out_trade_no),
                ))
                .service(at(
                    "/pay/partner/transactions/out-trade-no/{number}/close",
                    web::post().to(close::close),
                ))
                .service(at("/certificates", web::get().to(certificates::certificates)))
                .default_service(web::to(unknown)),
        )
        .service(
            at("/notify/{institution}/wechat", web::post().to(notify::notify))
                .app_data(web::PayloadConfig::new(BODY_MAX)),
        );
}

/// An address with its one method; any other is answered in WeChat's shape too.
fn at(path: &str, route: Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(unknown))
}

async fn unknown() -> Result<HttpResponse, Fault> {
    Err(Fault::new(WechatCode::ResourceNotExists, "没有这个接口，请核对请求方法与路径"))
}
