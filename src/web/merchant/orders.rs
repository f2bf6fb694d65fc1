//! The merchant's own orders.
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};

use crate::app::App;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::visitor::Visitor;
use crate::web::view::orders::{self, Asked};

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, _) = visitor.merchant(Right::View, Resource::Orders)?;
    orders::show(&app, visitor.shell(), scope, "/merchant/orders", asked.into_inner()).await
}
