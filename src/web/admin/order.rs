//! One order.
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};

use crate::app::App;
use crate::web::fault::Fault;
use crate::web::view::order;
use crate::web::visitor::Visitor;

#[get("/admin/orders/{order_no}")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    no: Path<String>,
) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform()?;
    order::show(&app, visitor.shell(), scope, "/admin/orders", no.into_inner()).await
}
