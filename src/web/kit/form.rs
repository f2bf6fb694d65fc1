//! Forms: a POST counts only when it comes from our own page in the sender's own session.
use actix_web::dev::Payload;
use actix_web::http::header::ORIGIN;
use actix_web::web::{Data, Form};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::visitor::Visitor;
use crate::app::App;
use crate::protocol::crypto::constant_eq;

/// A logged-in person who pressed a button of our own page: a form without other fields than its token.
pub struct Pressed(pub Visitor);

/// A logged-in person who filled in a form of our own page, and its fields.
pub struct Filled<T>(pub Visitor, pub T);

#[derive(Deserialize)]
struct Sent<T> {
    #[serde(rename = "_csrf", default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

#[derive(Deserialize)]
struct NoFields {}

impl FromRequest for Pressed {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let filled = Filled::<NoFields>::from_request(request, payload);
        Box::pin(async move { filled.await.map(|Filled(visitor, NoFields {})| Self(visitor)) })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Filled<T> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::from_request(request, payload);
        let same = same_origin(request);
        let sent = Form::<Sent<T>>::from_request(request, payload);
        Box::pin(async move {
            let visitor = visitor.await?;
            let Sent { csrf, fields } = sent.await.map_err(|_| Fault::Form("fields"))?.into_inner();
            if !same || !token_fits(&visitor, &csrf) {
                return Err(Fault::Forged);
            }
            Ok(Self(visitor, fields))
        })
    }
}

/// Whether the token is the one of this session.
pub(in crate::web) fn token_fits(visitor: &Visitor, sent: &str) -> bool {
    constant_eq(visitor.csrf.as_bytes(), sent.as_bytes())
}

/// Whether the browser says that the form came from this site, which is `public_url` and not what a `Host` claims. A
/// caller that says nothing is no browser.
pub(in crate::web) fn same_origin(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = header(ORIGIN.as_str()) else { return true };
    let Some(app) = request.app_data::<Data<App>>() else { return false };
    let (sent, ours) = (url::Url::parse(origin), url::Url::parse(&app.config.public_url));
    let same = matches!((sent, &ours), (Ok(sent), Ok(ours)) if sent.origin() == ours.origin());
    if !same {
        tracing::warn!(
            origin,
            public_url = app.config.public_url,
            "a form came from an origin that is not `public_url`"
        );
    }
    same
}
