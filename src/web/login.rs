//! Login and logout.
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, RETRY_AFTER, USER_AGENT};
use actix_web::web::{Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::kit::fault::Fault;
use super::kit::form::{Pressed, same_origin};
use super::kit::headers::{RequestId, is_secure};
use super::kit::nav::home;
use super::kit::page::{Frame, page};
use super::kit::visitor::{self, Visitor};
use super::words::say::Refusal;
use crate::app::App;
use crate::error::Error;
use crate::people::login::{Browser, Denied};
use crate::people::{audit, device, sessions};

/// A browser that has not logged in for so long is a stranger again.
const KNOWN_FOR: Duration = Duration::days(180);

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    s: Frame,
    next: String,
    login: String,
    refused: String,
}

#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The role's first page, or the login.
pub(super) async fn start(visitor: Visitor) -> HttpResponse {
    see(home(visitor.principal.role))
}

pub(super) async fn ask(request: HttpRequest, back: Query<Back>) -> Result<HttpResponse, Fault> {
    let next = back.into_inner().next;
    page(&LoginPage { s: Frame::of(&request), next, login: String::new(), refused: String::new() })
}

pub(super) async fn enter(
    app: Data<App>,
    request: HttpRequest,
    form: Form<Credentials>,
) -> Result<HttpResponse, Fault> {
    if !same_origin(&request) {
        return Err(Fault::Forged);
    }
    let Credentials { login, password, next } = form.into_inner();
    let agent = request.headers().get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let browser = Browser {
        ip: app.client(&request),
        user_agent: agent.chars().take(200).collect(),
        request_id: RequestId::of(&request),
        old_token: visitor::token(&request),
        device: mark(&app, &request, &login),
    };
    match app.doorkeeper.login(&app.db, &app.clock, &login, password, browser).await {
        Ok((token, principal)) => {
            let to = if is_own_path(&next) { next.as_str() } else { home(principal.role) };
            let mut answer = see(to);
            answer.add_cookie(&session(&request, token.as_str())).map_err(broken)?;
            answer.add_cookie(&marked(&app, &request, &login)?).map_err(broken)?;
            Ok(answer)
        }
        Err(Denied { error: Error::Refused { code, .. }, retry_after }) => {
            let s = Frame::of(&request);
            let refused = match retry_after {
                Some(seconds) if seconds > 60 => Refusal::Later(code, (seconds + 59) / 60).say(s.lang),
                Some(_) | None => Refusal::Whole(code).say(s.lang),
            };
            let mut answer = page(&LoginPage { s, next, login, refused })?;
            *answer.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            Ok(answer)
        }
        Err(denied) => Err(denied.error.into()),
    }
}

pub(super) async fn leave(
    app: Data<App>,
    request: HttpRequest,
    Pressed(visitor): Pressed,
) -> Result<HttpResponse, Fault> {
    let (now, actor) = (app.clock.now(), visitor.actor());
    let (token, object) =
        (visitor::token(&request).unwrap_or_default(), format!("user:{}", visitor.principal.login));
    let command = app.db.write(move |tx| {
        sessions::end(tx, &token)?;
        audit::record(
            tx,
            now,
            &actor,
            audit::Entry { action: "user.logout", object: &object, before: None, after: None },
        )
    });
    command.await?;
    let mut gone = session(&request, "");
    gone.make_removal();
    let mut answer = see("/login");
    answer.add_cookie(&gone).map_err(broken)?;
    Ok(answer)
}

fn session(request: &HttpRequest, token: &str) -> Cookie<'static> {
    let secure = is_secure(request);
    Cookie::build(visitor::cookie_name(secure), token.to_owned())
        .path("/")
        .secure(secure)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

/// The browser's mark of an earlier login of this name.
fn mark(app: &App, request: &HttpRequest, login: &str) -> Option<String> {
    let cookie = request.cookie(&mark_name(app, request, login))?;
    Some(cookie.value().to_owned())
}

/// The cookie that marks this browser as one in which this login succeeded. Asked for by the login alone.
fn marked(app: &App, request: &HttpRequest, login: &str) -> Result<Cookie<'static>, Error> {
    let value = device::mark(&app.master_key, login, mark(app, request, login).as_deref())?;
    let cookie = Cookie::build(mark_name(app, request, login), value)
        .path("/login")
        .secure(is_secure(request))
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(KNOWN_FOR)
        .finish();
    Ok(cookie)
}

fn mark_name(app: &App, request: &HttpRequest, login: &str) -> String {
    let prefix = if is_secure(request) { "__Secure-" } else { "" };
    format!("{prefix}device-{}", device::label(&app.master_key, login))
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// A path of this site: nothing that a browser could read as another host.
fn is_own_path(path: &str) -> bool {
    let clean = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    clean && path.starts_with('/') && !path.starts_with("//")
}
