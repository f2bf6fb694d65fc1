//! Who asks. Every handler behind the login takes a [`Visitor`] and says first whom it lets in.
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::fault::Fault;
use super::headers::{RequestId, is_secure};
use super::lang::{Lang, switched};
use super::shell::{self, Shell};
use crate::app::App;
use crate::error::{Code, Error};
use crate::people::{Actor, Principal, Role, Scope, sessions};

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
    /// Lets in the platform's own people; for all others the page does not exist.
    pub fn platform(&self) -> Result<Scope, Fault> {
        match (self.principal.role, self.principal.scope) {
            (Role::Admin | Role::Checker, scope @ Scope::Platform) => Ok(scope),
            _ => Err(Fault::NotFound),
        }
    }
    /// Lets in a merchant's people; answers which sub-merchant they may see.
    pub fn merchant(&self) -> Result<(Scope, i64), Fault> {
        match (self.principal.role, self.principal.scope) {
            (Role::Merchant, scope @ Scope::Merchant(id)) => Ok((scope, id.get())),
            _ => Err(Fault::NotFound),
        }
    }
    /// Lets in an institution's people; answers which institution they may see.
    pub fn institution(&self) -> Result<(Scope, i64), Fault> {
        match (self.principal.role, self.principal.scope) {
            (Role::InstMaker | Role::InstChecker, scope @ Scope::Institution(id)) => Ok((scope, id.get())),
            _ => Err(Fault::NotFound),
        }
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
            role: shell::role_name(role, w),
            console: shell::console(role, w),
            home: shell::home(role),
            search: match role {
                Role::Admin | Role::Checker => "/admin/orders",
                Role::Merchant => "/merchant/orders",
                Role::InstMaker | Role::InstChecker => "",
            },
            nav: shell::nav(role, &self.path, w),
        }
    }
}

/// The name of the session's cookie: bound to this host wherever the site is reached by https.
pub(super) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-sid" } else { "sid" }
}

/// The session token that the browser sent.
pub(super) fn token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(cookie_name(is_secure(request)))?;
    Some(cookie.value().to_owned())
}

/// The address of the caller, without its port.
pub(super) fn ip(request: &HttpRequest) -> String {
    request.peer_addr().map(|addr| addr.ip().to_string()).unwrap_or_default()
}

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
            Ok(Self {
                csrf: session.csrf_token(&app.master_key),
                principal: session.principal,
                lang,
                request_id: RequestId::of(&request),
                ip: ip(&request),
                path: request.path().to_owned(),
                other_language: switched(&request, lang.other()),
            })
        })
    }
}
