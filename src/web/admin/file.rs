//! A file or its signature, to keep.
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use crate::app::App;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::visitor::Visitor;
use crate::web::view::file;

pub(in crate::web) async fn get(
    visitor: Visitor,
    app: Data<App>,
    name: Path<String>,
) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform(Right::View, Resource::Files)?;
    file::download(&app, scope, name.into_inner()).await
}
