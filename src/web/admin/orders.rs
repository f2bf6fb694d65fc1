//! All orders.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};

use crate::app::App;
use crate::web::fault::Fault;
use crate::web::view::orders::{self, Asked};
use crate::web::visitor::Visitor;

#[get("/admin/orders")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform()?;
    orders::show(&app, visitor.shell(), scope, "/admin/orders", asked.into_inner()).await
}
