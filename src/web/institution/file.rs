//! A file or its signature, to keep.
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};

use crate::app::App;
use crate::web::fault::Fault;
use crate::web::view::file;
use crate::web::visitor::Visitor;

#[get("/institution/files/{name}")]
pub(in crate::web) async fn get(
    visitor: Visitor,
    app: Data<App>,
    name: Path<String>,
) -> Result<HttpResponse, Fault> {
    let (scope, _) = visitor.institution()?;
    file::download(&app, scope, name.into_inner()).await
}
