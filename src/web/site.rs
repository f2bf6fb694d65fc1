//! The whole site: the gateway's addresses, then the pages. `serve`, `demo` and the tests use the same.
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::Data;

use super::kit::body;
use super::{observe, routes};
use crate::app::App;
use crate::gateway;

/// Puts the site together over the shared state.
pub fn site(
    app: Data<App>,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    actix_web::App::new()
        .app_data(Data::new(app.for_requests()))
        .wrap(from_fn(body::guard))
        .wrap(from_fn(observe))
        .configure(gateway::routes)
        .configure(routes::configure)
}
