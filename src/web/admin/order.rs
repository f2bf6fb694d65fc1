//! One order.
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use crate::app::App;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::visitor::Visitor;
use crate::web::view::order;

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    no: Path<String>,
) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform(Right::View, Resource::Orders)?;
    order::show(&app, visitor.shell(), scope, "/admin/orders", no.into_inner()).await
}
