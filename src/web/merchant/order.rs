//! One of the merchant's own orders.
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use crate::app::App;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::form::Pressed;
use crate::web::kit::visitor::Visitor;
use crate::web::view::order;

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    no: Path<String>,
) -> Result<HttpResponse, Fault> {
    let (scope, _) = visitor.merchant(Right::View, Resource::Orders)?;
    let manages = visitor.principal.role.may(Right::Manage, Resource::Notices);
    order::show(&app, visitor.shell(), scope, ("/merchant/orders", manages), no.into_inner()).await
}

/// Tells the order's merchant once more.
pub(in crate::web) async fn tell(
    visitor: Visitor,
    pressed: Result<Pressed, Fault>,
    app: Data<App>,
    no: Path<String>,
) -> Result<HttpResponse, Fault> {
    // Who may not is told so before anybody looks at the form.
    let (scope, _) = visitor.merchant(Right::Manage, Resource::Notices)?;
    let Pressed(visitor) = pressed?;
    order::tell(&app, &visitor, scope, "/merchant/orders", no.into_inner()).await
}
