//! The merchant's own orders.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};

use crate::app::App;
use crate::web::fault::Fault;
use crate::web::view::orders::{self, Asked};
use crate::web::visitor::Visitor;

#[get("/merchant/orders")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, _) = visitor.merchant()?;
    orders::show(&app, visitor.shell(), scope, "/merchant/orders", asked.into_inner()).await
}
