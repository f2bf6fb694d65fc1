//! Who asks. Every handler behind the login takes a [`Visitor`] and says first whom it lets in.
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::fault::Fault;
use super::headers::{RequestId, is_secure};
use super::lang::{Lang, switched};
use super::nav;
use super::page::{self, Shell};
use crate::app::App;
use crate::db::columns::{InstitutionId, MerchantId};
use crate::error::{Code, Error};
use crate::people::rights::{Resource, Right};
use crate::people::{Actor, Principal, Scope, sessions};

/// A logged-in person and the request.
pub struct Visitor {
    /// Who it is.
    pub principal: Principal,
    /// For every form of this session.
    pub csrf: String,
    /// The language of the answer.
    pub lang: Lang,
    request_id: String,
    ip: String,
    path: String,
    other_language: String,
}

impl Visitor {
    /// Lets in whom the matrix of rights gives this right on the platform's behalf; for all others the page does not
    /// exist. Answers what they may see.
    pub fn platform(&self, right: Right, resource: Resource) -> Result<Scope, Fault> {
        match self.may(right, resource)? {
            scope @ Scope::Platform => Ok(scope),
            Scope::Institution(_) | Scope::Merchant(_) => Err(Fault::NotFound),
        }
    }
    /// [`Visitor::platform`] on a merchant's behalf; answers also which sub-merchant it is.
    pub fn merchant(&self, right: Right, resource: Resource) -> Result<(Scope, MerchantId), Fault> {
        match self.may(right, resource)? {
            scope @ Scope::Merchant(id) => Ok((scope, id)),
            Scope::Platform | Scope::Institution(_) => Err(Fault::NotFound),
        }
    }
    /// [`Visitor::platform`] on an institution's behalf; answers also which institution it is.
    pub fn institution(&self, right: Right, resource: Resource) -> Result<(Scope, InstitutionId), Fault> {
        match self.may(right, resource)? {
            scope @ Scope::Institution(id) => Ok((scope, id)),
            Scope::Platform | Scope::Merchant(_) => Err(Fault::NotFound),
        }
    }
    fn may(&self, right: Right, resource: Resource) -> Result<Scope, Fault> {
        let Principal { role, scope, .. } = self.principal;
        if role.fits(scope) && role.may(right, resource) { Ok(scope) } else { Err(Fault::NotFound) }
    }
    /// For the audit trail.
    pub fn actor(&self) -> Actor {
        Actor::user(&self.principal.login, &self.request_id, &self.ip)
    }
    /// The page around what the handler shows.
    #[must_use]
    pub fn shell(&self) -> Shell {
        let (role, w) = (self.principal.role, self.lang.words());
        Shell {
            lang: self.lang,
            w,
            other_language: self.other_language.clone(),
            csrf: self.csrf.clone(),
            name: self.principal.name.clone(),
            role: page::role_name(role, w),
            console: page::console(role, w),
            home: nav::home(role),
            search: nav::search(role),
            nav: nav::nav(role, &self.path, w),
        }
    }
}

/// The name of the session's cookie: bound to this host wherever the site is reached by https.
pub(in crate::web) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-sid" } else { "sid" }
}

/// The session token that the browser sent.
pub(in crate::web) fn token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(cookie_name(is_secure(request)))?;
    Some(cookie.value().to_owned())
}

/// Under which name the request's session is known to security events; empty where nobody is logged in.
pub(in crate::web) fn known_as(request: &HttpRequest) -> String {
    request.extensions().get::<KnownAs>().map(|known| known.0.clone()).unwrap_or_default()
}

struct KnownAs(String);

impl FromRequest for Visitor {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let token = token(&request).ok_or(Fault::Login)?;
            let app = request.app_data::<Data<App>>().cloned();
            let app = app.ok_or_else(|| Error::Internal("no application state".to_owned()))?;
            let session = match sessions::find(&app.db, &app.clock, &token).await {
                Err(Error::Refused { code: Code::SessionEnded, .. }) => return Err(Fault::Login),
                found => found?,
            };
            let lang = Lang::of(&request);
            request.extensions_mut().insert(KnownAs(format!("user:{}", session.principal.login)));
            Ok(Self {
                csrf: session.csrf_token(&app.master_key),
                principal: session.principal,
                lang,
                request_id: RequestId::of(&request),
                ip: app.client(&request),
                path: request.path().to_owned(),
                other_language: switched(&request, lang.other()),
            })
        })
    }
}
