//! Forms: a POST counts only when it comes from our own page in the sender's own session.
use actix_web::dev::Payload;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::Form;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

use super::fault::Fault;
use super::visitor::Visitor;
use crate::protocol::crypto::constant_eq;

/// A logged-in person who pressed a button of our own page: a form without other fields than its token.
pub struct Pressed(pub Visitor);

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "_csrf", default)]
    csrf: String,
}

impl FromRequest for Pressed {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::from_request(request, payload);
        let same = same_origin(request);
        let token = Form::<Token>::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let token = token.await.map_err(|_| Fault::Form("fields"))?;
            if !same || !token_fits(&visitor, &token.csrf) {
                return Err(Fault::Forged);
            }
            Ok(Self(visitor))
        })
    }
}

/// Whether the token is the one of this session.
pub(in crate::web) fn token_fits(visitor: &Visitor, sent: &str) -> bool {
    constant_eq(visitor.csrf.as_bytes(), sent.as_bytes())
}

/// Whether the browser says that the form came from this site. A caller that says nothing is no browser.
pub(in crate::web) fn same_origin(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (header(ORIGIN.as_str()), header(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => true,
    }
}
