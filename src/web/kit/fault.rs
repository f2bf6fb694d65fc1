//! What goes wrong on a page, and the page that says so: always with a way out and the request id.
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::headers::RequestId;
use super::lang::Lang;
use super::page::Frame;
use super::visitor;
use crate::app::App;
use crate::db::DbError;
use crate::error;
use crate::people::security::SecurityKind;
use crate::web::words::say::Refusal;

/// Why a page was not given.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody is logged in: to the login, and back afterwards.
    #[error("login needed")]
    Login,
    /// No such page, or one that this person must not even know of.
    #[error("not found")]
    NotFound,
    /// The form did not come from our own page.
    #[error("form of another origin")]
    Forged,
    /// A field of a form that our own page would not have sent so.
    #[error("form refused: {0}")]
    Form(&'static str),
    /// A body that is compressed or otherwise coded.
    #[error("coded body")]
    Coded,
    /// A body that did not come in time.
    #[error("slow body")]
    Slow,
    /// As many files of this institution are on their way as may be at once.
    #[error("too many uploads at once")]
    Busy,
    /// A room said no.
    #[error(transparent)]
    Room(#[from] error::Error),
    /// A template could not be written.
    #[error(transparent)]
    Page(#[from] askama::Error),
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Login => StatusCode::SEE_OTHER,
            Self::NotFound | Self::Room(error::Error::NotFound) => StatusCode::NOT_FOUND,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Coded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Room(error::Error::Refused { code, .. }) => {
                StatusCode::from_u16(code.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::Room(error::Error::Db(DbError::Unavailable)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Room(_) | Self::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    s: Frame,
    status: u16,
    code: String,
    title: &'static str,
    why: String,
    next: String,
    request_id: String,
}

/// Around all pages: an answer that is an error becomes a page in the reader's language.
pub(in crate::web) async fn explain(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answer = next.call(request).await?.map_into_boxed_body();
    let status = answer.status();
    let Some(fault) = answer.response().error() else {
        return Ok(answer);
    };
    let fault = fault.as_error::<Fault>();
    note(answer.request(), fault);
    if let Some(Fault::Login) = fault {
        let to = to_login(answer.request());
        return Ok(answer.into_response(to));
    }
    if status.is_server_error() {
        let id = RequestId::of(answer.request());
        let why = answer.response().error().map(ToString::to_string).unwrap_or_default();
        tracing::error!(request_id = %id, why, "page failed");
    }
    let written = written(answer.request(), status, fault).unwrap_or_else(|_| HttpResponse::new(status));
    Ok(answer.into_response(written))
}

/// The page of a fault, or of a status of the server's own.
pub(super) fn written(
    request: &HttpRequest,
    status: StatusCode,
    fault: Option<&Fault>,
) -> Result<HttpResponse, Fault> {
    let html = page(request, status, fault).render()?;
    let mut written = HttpResponse::build(status);
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        written.insert_header((RETRY_AFTER, "5"));
    }
    Ok(written.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html))
}

/// Takes down what somebody should not have sent.
fn note(request: &HttpRequest, fault: Option<&Fault>) {
    let (kind, what) = match fault {
        Some(Fault::Forged) => (SecurityKind::FormForged, ""),
        Some(Fault::Room(error::Error::Refused { code, .. })) if code.is_of_a_file() => {
            (SecurityKind::UploadRefused, code.id())
        }
        Some(_) | None => return,
    };
    if let Some(app) = request.app_data::<Data<App>>() {
        app.note(request, kind, visitor::known_as(request), what);
    }
}

fn to_login(request: &HttpRequest) -> HttpResponse {
    let see = |to: String| HttpResponse::SeeOther().insert_header((LOCATION, to)).finish();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        // A form's address is often no page.
        return see("/login".to_owned());
    }
    let back = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("next", back).finish();
    see(format!("/login?{query}"))
}

fn page(request: &HttpRequest, status: StatusCode, fault: Option<&Fault>) -> ErrorPage {
    let lang = Lang::of(request);
    let w = lang.words();
    let refused = |why: &str, next: &str| (String::new(), w.faults.refused, why.to_owned(), next.to_owned());
    let (code, title, why, next) = match fault {
        Some(Fault::Room(error::Error::Refused { code, detail })) => {
            let why =
                if detail.is_empty() { Refusal::Why(*code) } else { Refusal::WhyExactly(*code, detail) };
            let next = Refusal::Next(*code).say(lang);
            (code.id().to_owned(), w.faults.refused, why.say(lang), next)
        }
        Some(Fault::Forged) => {
            (String::new(), w.faults.forged, w.faults.forged_why.to_owned(), w.faults.forged_next.to_owned())
        }
        Some(Fault::Form(what)) => (
            String::new(),
            w.faults.refused,
            format!("{} ({what})", w.faults.form_why),
            w.faults.form_next.to_owned(),
        ),
        Some(Fault::Coded) => refused(w.faults.coded_why, w.faults.coded_next),
        Some(Fault::Slow) => refused(w.faults.slow_why, w.faults.slow_next),
        Some(Fault::Busy) => refused(w.faults.busy_why, w.faults.busy_next),
        _ if status == StatusCode::NOT_FOUND => (
            String::new(),
            w.faults.missing,
            w.faults.missing_why.to_owned(),
            w.faults.missing_next.to_owned(),
        ),
        _ if status.is_client_error() => refused(w.faults.form_why, w.faults.form_next),
        _ => {
            (String::new(), w.faults.failed, w.faults.failed_why.to_owned(), w.faults.failed_next.to_owned())
        }
    };
    let request_id = RequestId::of(request);
    ErrorPage { s: Frame::of(request), status: status.as_u16(), code, title, why, next, request_id }
}

/// Every address that no route knows.
pub(in crate::web) async fn nowhere() -> Result<HttpResponse, Fault> {
    Err(Fault::NotFound)
}
