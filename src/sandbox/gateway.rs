//! The front door of the Alipay channel: `gateway.do` by GET and by POST, its signature verified over the parameters as
//! they came, answered by [`super::trade::alipay`], and the answer signed; and bills to be fetched (`channels.md` 2.1).
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::calls::{self, Arrived, Instead};
use super::faults::Operation;
use super::store::Tx;
use super::trade::alipay::{Verified, bill, order};
use super::{Sandbox, SandboxError};
use crate::kernel::channel::{ChannelName, Product};
use crate::protocol::alipay::Method;
use crate::protocol::alipay::answer::{Answer, Head, sign};
use crate::protocol::alipay::charset::Charset;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::form::Form;
use crate::protocol::alipay::request::{Refusal, Request};
use crate::protocol::alipay::shapes::Which;

/// Where calls arrive.
pub(super) const PATH: &str = "/gateway.do";
/// Where a bill is fetched, by the address that a call gave.
pub(super) const BILL_PATH: &str = "/alipay/bill";

/// A call that is spoken here.
#[derive(Clone, Copy)]
enum Call {
    Place(&'static Product),
    Query,
    Close,
    Bill,
}

impl Call {
    fn of(method: &str) -> Option<Self> {
        match Method::parse(method)? {
            Method::Precreate => Some(Self::Place(&Product::NATIVE)),
            Method::Create => Some(Self::Place(&Product::JSAPI)),
            Method::Query => Some(Self::Query),
            Method::Close => Some(Self::Close),
            Method::BillDownload => Some(Self::Bill),
            Method::Pay | Method::Cancel | Method::Refund => None,
        }
    }

    const fn operation(self) -> Operation {
        match self {
            Self::Place(_) => Operation::Place,
            Self::Query => Operation::Query,
            Self::Close => Operation::Close,
            Self::Bill => Operation::Bill,
        }
    }
}

/// Answers a call.
pub(super) async fn serve(sandbox: Data<Sandbox>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form = Form::parse(request.query_string().as_bytes(), &body);
    let named = |form: &Form| std::str::from_utf8(form.get("method")?).ok().map(str::to_owned);
    let method = form.as_ref().ok().and_then(named);
    let asked = form.map_err(Refusal::from).and_then(Request::read);
    let charset = asked.as_ref().map_or(Charset::Utf8, |asked| asked.charset);
    let call = method.as_deref().and_then(Call::of);
    let number = asked.as_ref().ok().and_then(|asked| Which::read(&asked.biz_content).ok());
    let arrived = Arrived {
        operation: call.map_or(Operation::Unknown, Call::operation),
        out_trade_no: number.and_then(|which| which.out_trade_no),
    };
    let work = perform(&sandbox, call, asked);
    let told = |outcome, badly| answer(&sandbox, (method.as_deref(), charset), outcome, badly);
    calls::pass(&sandbox, &request, arrived, refusal, work, told).await
}

/// What is answered in place of the work.
fn refusal(instead: Instead) -> SandboxError {
    let code = match instead {
        Instead::ServerError => SubCode::UnknownError,
        Instead::TooManyRequests => SubCode::CallLimited,
    };
    SandboxError::Alipay(code, String::new())
}

async fn perform(
    sandbox: &Sandbox,
    call: Option<Call>,
    asked: Result<Request, Refusal>,
) -> Result<Answer<Value>, SandboxError> {
    let refused = |code, parameter: &str| SandboxError::Alipay(code, parameter.to_owned());
    let asked = asked.map_err(|refusal| refused(refusal.code, refusal.parameter))?;
    let platform = sandbox.platform(ChannelName::Alipay);
    let platform = platform.filter(|platform| platform.registration.sp_appid == asked.app_id);
    let platform = platform.ok_or_else(|| refused(SubCode::InvalidAppId, "app_id"))?;
    if !asked.verify(&platform.request_key) {
        return Err(refused(SubCode::InvalidSignature, "sign"));
    }
    if !asked.is_fresh(sandbox.now()) {
        return Err(refused(SubCode::InvalidTimestamp, "timestamp"));
    }
    let call = call.ok_or_else(|| refused(SubCode::InvalidMethod, "method"))?;
    let own = sandbox.clone();
    let work = move |tx: &mut Tx<'_>| {
        let verified = Verified { sandbox: &own, platform: &platform, request: &asked };
        match call {
            Call::Place(product) => order::place(tx, &verified, product),
            Call::Query => order::query(tx, &verified),
            Call::Close => order::close(tx, &verified),
            Call::Bill => bill::offer(tx, &verified),
        }
    };
    let answer = sandbox.0.store.run(work).await?;
    if call.operation() == Operation::Bill {
        sandbox.blocking(|sandbox| sandbox.publish_missing()).await?;
    }
    Ok(answer)
}

fn answer(
    sandbox: &Sandbox,
    (method, charset): (Option<&str>, Charset),
    outcome: Result<Answer<Value>, SandboxError>,
    badly: bool,
) -> HttpResponse {
    let answer = outcome.unwrap_or_else(|error| Answer { head: head(&error), given: None });
    match sign(sandbox.0.identity.alipay_signer(badly), method, charset, &answer) {
        Ok(body) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, format!("application/json; charset={}", charset.as_str())))
            .body(body),
        Err(error) => {
            tracing::error!(%error, "sandbox could not sign an answer");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn head(error: &SandboxError) -> Head {
    match error {
        SandboxError::Alipay(code, detail) => Head::refused(*code, detail),
        SandboxError::Wechat(..)
        | SandboxError::Refused(_)
        | SandboxError::NotFound(_)
        | SandboxError::Io(_)
        | SandboxError::Crypto(_)
        | SandboxError::Internal(_) => {
            tracing::error!(%error, "sandbox channel call failed");
            Head::refused(SubCode::UnknownError, "")
        }
    }
}

/// Gives a bill to whoever has its address. Nothing of it is signed.
pub(super) async fn download(sandbox: Data<Sandbox>, request: HttpRequest) -> HttpResponse {
    let arrived = Arrived { operation: Operation::Bill, out_trade_no: None };
    let (own, query) = (sandbox.get_ref().clone(), request.query_string().to_owned());
    let work = sandbox.0.store.run(move |tx| bill::download(&own, tx, &query));
    let told = |outcome: Result<Vec<u8>, SandboxError>, _| match outcome {
        Ok(zip) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/zip")).body(zip),
        Err(SandboxError::Alipay(SubCode::CallLimited, _)) => HttpResponse::TooManyRequests().finish(),
        Err(SandboxError::NotFound(why)) => HttpResponse::NotFound().body(why),
        Err(_) => HttpResponse::InternalServerError().finish(),
    };
    calls::pass(&sandbox, &request, arrived, refusal, work, told).await
}
