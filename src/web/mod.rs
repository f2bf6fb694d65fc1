//! The browser: pages for the platform, its merchants and its institutions, made on the server. Every page works
//! without scripts and under a policy that allows no inline style or script (`ux.md`, section 0).
mod admin;
mod assets;
mod fault;
mod form;
mod format;
mod headers;
mod health;
mod institution;
mod lang;
mod login;
mod merchant;
mod routes;
mod shell;
mod site;
mod view;
mod visitor;
pub mod words;

pub use headers::{RequestId, observe};
pub use routes::configure;
pub use site::site;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use askama::Template;

use fault::Fault;

/// A written page.
fn page(template: &impl Template) -> Result<HttpResponse, Fault> {
    Ok(HttpResponse::Ok().content_type(ContentType::html()).body(template.render()?))
}
