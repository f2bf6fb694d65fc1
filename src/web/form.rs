//! Forms: a POST counts only when it comes from our own page in the sender's own session.
use actix_web::dev::Payload;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::visitor::Visitor;
use crate::protocol::crypto::constant_eq;

/// Most bytes of a form without files.
const FORM_LIMIT: usize = 64 * 1024;

/// The fields of a form of a logged-in person, its CSRF token checked.
pub struct Posted<T> {
    /// Who sent it.
    pub visitor: Visitor,
    /// What.
    pub fields: T,
}

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "_csrf", default)]
    csrf: String,
}

impl<T: DeserializeOwned + 'static> FromRequest for Posted<T> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::from_request(request, payload);
        let same = same_origin(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let body = body.await.map_err(|_| Fault::Form("body"))?;
            if body.len() > FORM_LIMIT {
                return Err(Fault::Form("size"));
            }
            let token: Token = serde_urlencoded(&body)?;
            if !same || !token_fits(&visitor, &token.csrf) {
                return Err(Fault::Forged);
            }
            Ok(Self { visitor, fields: serde_urlencoded(&body)? })
        })
    }
}

fn serde_urlencoded<T: DeserializeOwned>(body: &web::Bytes) -> Result<T, Fault> {
    let text = str::from_utf8(body).map_err(|_| Fault::Form("utf-8"))?;
    web::Query::<T>::from_query(text).map(web::Query::into_inner).map_err(|_| Fault::Form("fields"))
}

/// Whether the token is the one of this session.
pub(super) fn token_fits(visitor: &Visitor, sent: &str) -> bool {
    constant_eq(visitor.csrf.as_bytes(), sent.as_bytes())
}

/// Whether the browser says that the form came from this site. A caller that says nothing is no browser.
pub(super) fn same_origin(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (header(ORIGIN.as_str()), header(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => true,
    }
}
