//! Alipay's `gateway.do` as a merchant's stock SDK speaks it; and the institutions' notifications.
//!
//! Who calls is settled by [`admitted::admit`] before anything is done. HTTP is 200 whatever is answered; the answer is
//! signed for whoever has proven who it is, refusals too (`channels.md` 0.8, 0.9). To all others nothing is owed: no
//! signature is made for who has none.
mod admitted;
mod close;
mod fault;
mod notify;
mod place;
mod query;

use actix_web::guard::{self, Guard};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;

use self::admitted::{Admitted, Asked, admit};
use self::fault::Fault;
use super::BODY_MAX;
use crate::app::App;
use crate::error::Error;
use crate::people::security::SecurityKind;
use crate::protocol::alipay::answer::{self, Answer, AnswerSigner};
use crate::protocol::alipay::charset::Charset;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::form::{Form, FormFault};

/// Where every call goes.
const CALLS: &str = "/gateway.do";
/// Where institutions notify us.
const NOTICES: &str = "/notify/{institution}/alipay";

/// Every address of this language: method and path, with `{names}` for what varies; the tests walk it.
pub static ADDRESSES: &[(Method, &str)] =
    &[(Method::GET, CALLS), (Method::POST, CALLS), (Method::POST, NOTICES)];

/// Adds its addresses.
pub(super) fn routes(config: &mut ServiceConfig) {
    let calls = || guard::Any(guard::Get()).or(guard::Head()).or(guard::Post());
    let call = web::route().guard(guard::fn_guard(move |context| calls().check(context))).to(call);
    config.service(web::resource(CALLS).route(call).default_service(web::to(unknown)));
    let notice = web::post().to(notify::notify);
    config.service(web::resource(NOTICES).route(notice).default_service(web::to(notify::unknown)));
}

/// What a system is told whose body is not taken, where the path is one of these.
pub(super) fn body_refused(path: &str, status: StatusCode) -> Option<HttpResponse> {
    if path.starts_with("/notify/") && path.ends_with("/alipay") {
        return Some(notify::refused(status, "the body is coded, or did not come in time"));
    }
    if path != CALLS {
        return None;
    }
    let why = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "报文主体不得压缩或编码，请去掉 Content-Encoding",
        _ => "报文主体未在规定时间内传完，请重试",
    };
    let refused = Answer::refused(SubCode::InvalidParameter, why);
    let body = answer::unsigned(None, Charset::Utf8, &refused);
    Some(HttpResponse::build(status).content_type(content_type(Charset::Utf8)).body(body))
}

const fn content_type(charset: Charset) -> &'static str {
    match charset {
        Charset::Utf8 => "application/json; charset=utf-8",
        Charset::Gbk => "application/json; charset=gbk",
    }
}

async fn unknown() -> HttpResponse {
    Naming::default().unsigned(&Fault::new(SubCode::InvalidMethod, "GET or POST"))
}

/// Answers a call.
async fn call(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    let form = match form(&request, body).await {
        Ok(form) => form,
        Err(fault) => return refused(&app, &request, &Naming::default(), &fault),
    };
    let naming = Naming::of(&form);
    let (admitted, asked) = match admit(&app, form).await {
        Ok(admitted) => admitted,
        Err(fault) => return refused(&app, &request, &naming, &fault),
    };
    let signed = match answer(&app, &admitted, asked).await {
        Ok(given) => naming.signed(&admitted, &Answer::success(given)),
        Err(fault) => naming.signed(&admitted, &fault.answer()),
    };
    signed.unwrap_or_else(|error| naming.unsigned(&Fault::from(error)))
}

async fn answer(app: &App, admitted: &Admitted, asked: Result<Asked, Fault>) -> Result<Value, Fault> {
    match asked? {
        Asked::Place(product, order) => place::place(app, admitted, product, *order).await,
        Asked::Query(_) => query::query(app, admitted).await,
        Asked::Close(_) => close::close(app, admitted).await,
        Asked::Cancel(_) => close::cancel(app, admitted).await,
        Asked::Bill => Err(Fault::new(SubCode::NoPermission, "对账单下载将在后续版本提供")),
        Asked::Refund => Err(Fault::new(SubCode::NoPermission, "退款将在后续版本提供")),
        Asked::Nothing => Err(SubCode::InvalidMethod.into()),
    }
}

/// The parameters of a request, in its query and its body.
async fn form(request: &HttpRequest, body: web::Payload) -> Result<Form, Fault> {
    let long = |_| Fault::unproven("form", FormFault::TooLong.into());
    let short = |_| Fault::unproven("form", FormFault::Malformed.into());
    let body = body.to_bytes_limited(BODY_MAX).await.map_err(long)?.map_err(short)?;
    let form = Form::parse(request.query_string().as_bytes(), &body);
    form.map_err(|fault| Fault::unproven("form", fault.into()))
}

/// Refuses somebody who has not proven who it is, and takes it down.
fn refused(app: &App, request: &HttpRequest, naming: &Naming, fault: &Fault) -> HttpResponse {
    if let Some((why, who)) = fault.not_proven() {
        app.note(request, SecurityKind::RequestUnsigned, who, why);
    }
    naming.unsigned(fault)
}

/// How an answer is named and coded: as its request asks, whoever made it.
struct Naming {
    method: Option<String>,
    charset: Charset,
}

impl Default for Naming {
    fn default() -> Self {
        Self { method: None, charset: Charset::Utf8 }
    }
}

impl Naming {
    fn of(form: &Form) -> Self {
        let text = |name| form.get(name).and_then(|value| std::str::from_utf8(value).ok());
        let charset = text("charset").and_then(Charset::parse).unwrap_or(Charset::Utf8);
        Self { method: text("method").map(str::to_owned), charset }
    }

    fn unsigned(&self, fault: &Fault) -> HttpResponse {
        self.written(answer::unsigned(self.method.as_deref(), self.charset, &fault.answer()))
    }

    fn signed<T: Serialize>(&self, to: &Admitted, answer: &Answer<T>) -> Result<HttpResponse, Error> {
        // Here and not on the blocking pool, as in the other language.
        let signer = AnswerSigner { key: &to.keys.wechat.private_key, certificate: None };
        let body = answer::sign(signer, self.method.as_deref(), self.charset, answer);
        Ok(self.written(body.map_err(Error::internal)?))
    }

    fn written(&self, body: Vec<u8>) -> HttpResponse {
        HttpResponse::Ok().content_type(content_type(self.charset)).body(body)
    }
}
