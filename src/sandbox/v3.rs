//! The front door of the WeChat channel: the signature of every `/v3/…` call is verified over the raw bytes, it is
//! answered by [`super::trade`], and the answer signed (`channels.md`, section 0).
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::calls::{self, Arrived, Instead, target};
use super::faults::Operation;
use super::platform::Platform;
use super::store::Tx;
use super::{Sandbox, SandboxError, trade};
use crate::kernel::channel::ChannelName;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::random_nonce;
use crate::protocol::wechat::certificates;
use crate::protocol::wechat::errors::{ErrorBody, WechatCode};
use crate::protocol::wechat::order::{PARTNER, Prepaid};
use crate::protocol::wechat::shapes::{CERTIFICATES_PATH, TRADE_BILL_PATH};
use crate::protocol::wechat::sign::{Authorization, SERIAL, Stamp, is_fresh, same_serial};

const BY_NUMBER: &str = "/v3/pay/partner/transactions/out-trade-no/";
const BY_ID: &str = "/v3/pay/partner/transactions/id/";
/// Where a bill is downloaded.
pub(super) const DOWNLOAD_PATH: &str = "/v3/billdownload/file";

/// A call as its method and path tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Place(Prepaid),
    QueryByNumber(String),
    QueryById(String),
    Close(String),
    Certificates,
    TradeBill,
    Download,
    Unknown,
}

impl Call {
    fn of(method: &str, path: &str) -> Self {
        if let Some(number) = path.strip_prefix(BY_NUMBER) {
            return match (method, number.strip_suffix("/close")) {
                ("POST", Some(number)) => Self::Close(number.to_owned()),
                ("GET", None) => Self::QueryByNumber(number.to_owned()),
                _ => Self::Unknown,
            };
        }
        match (method, path, path.strip_prefix(BY_ID), path.strip_prefix(PARTNER).and_then(Prepaid::of)) {
            ("GET", _, Some(id), _) => Self::QueryById(id.to_owned()),
            ("POST", _, None, Some(prepaid)) => Self::Place(prepaid),
            ("GET", CERTIFICATES_PATH, None, None) => Self::Certificates,
            ("GET", TRADE_BILL_PATH, None, None) => Self::TradeBill,
            ("GET", DOWNLOAD_PATH, None, None) => Self::Download,
            _ => Self::Unknown,
        }
    }

    const fn operation(&self) -> Operation {
        match self {
            Self::Place(_) => Operation::Place,
            Self::QueryByNumber(_) | Self::QueryById(_) => Operation::Query,
            Self::Close(_) => Operation::Close,
            Self::Certificates => Operation::Certificates,
            Self::TradeBill | Self::Download => Operation::Bill,
            Self::Unknown => Operation::Unknown,
        }
    }

    fn number(&self, body: &[u8]) -> Option<String> {
        match self {
            Self::QueryByNumber(number) | Self::Close(number) => Some(number.clone()),
            Self::Place(_) => {
                let body: serde_json::Value = serde_json::from_slice(body).ok()?;
                Some(body.get("out_trade_no")?.as_str()?.to_owned())
            }
            Self::QueryById(_) | Self::Certificates | Self::TradeBill | Self::Download | Self::Unknown => {
                None
            }
        }
    }
}

/// What is answered.
pub(super) enum Answer {
    /// 200 with a JSON body.
    Json(Vec<u8>),
    /// 204.
    Done,
    /// A bill: the only answer that is not signed.
    File(Vec<u8>),
    /// A refusal; what was done all the same stays done.
    Refused(SandboxError),
}

impl Answer {
    /// 200 with this object.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, SandboxError> {
        Ok(Self::Json(serde_json::to_vec(value)?))
    }
}

/// A request whose signature is right.
pub(super) struct Verified<'a> {
    pub sandbox: &'a Sandbox,
    pub platform: &'a Platform,
    /// Everything after `?`.
    pub query: &'a str,
    pub body: &'a [u8],
}

impl Verified<'_> {
    /// A query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// Answers any request that is neither of the control API nor of another channel.
pub(super) async fn serve(sandbox: Data<Sandbox>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let call = Call::of(request.method().as_str(), request.path());
    let arrived = Arrived { operation: call.operation(), out_trade_no: call.number(&body) };
    let work = perform(&sandbox, &request, call, body);
    let told = |outcome, badly| answer(&sandbox, &request, outcome, badly);
    calls::pass(&sandbox, &request, arrived, refusal, work, told).await
}

/// What is answered in place of the work.
fn refusal(instead: Instead) -> SandboxError {
    match instead {
        Instead::ServerError => {
            SandboxError::wechat(WechatCode::SystemError, "系统异常,请用相同参数重新调用")
        }
        Instead::TooManyRequests => {
            SandboxError::wechat(WechatCode::FrequencyLimited, "频率超限,请降低请求频率")
        }
    }
}

async fn perform(
    sandbox: &Sandbox,
    request: &HttpRequest,
    call: Call,
    body: Bytes,
) -> Result<Answer, SandboxError> {
    let Some(platform) = sandbox.platform(ChannelName::Wechat) else {
        return Err(SandboxError::wechat(WechatCode::NoAuth, "no platform is registered here"));
    };
    verify(sandbox, &platform, request, &body)?;
    let (own, query) = (sandbox.clone(), request.query_string().to_owned());
    let bills = call.operation() == Operation::Bill;
    let work = move |tx: &mut Tx<'_>| {
        let verified = Verified { sandbox: &own, platform: &platform, query: &query, body: &body };
        match call {
            Call::Place(prepaid) => trade::order::place(tx, &verified, prepaid),
            Call::QueryByNumber(number) => trade::order::query(tx, &verified, &number),
            Call::QueryById(id) => trade::order::query_by_id(tx, &verified, &id),
            Call::Close(number) => trade::order::close(tx, &verified, &number),
            Call::Certificates => certificates(&verified),
            Call::TradeBill => trade::bills::offer(tx, &verified),
            Call::Download => trade::bills::download(tx, &verified),
            Call::Unknown => Err(SandboxError::wechat(WechatCode::ResourceNotExists, "no such call")),
        }
    };
    let answer = sandbox.0.store.run(work).await?;
    if bills {
        sandbox.blocking(|sandbox| sandbox.publish_missing()).await?;
    }
    Ok(answer)
}

fn verify(
    sandbox: &Sandbox,
    platform: &Platform,
    request: &HttpRequest,
    body: &[u8],
) -> Result<(), SandboxError> {
    let refused = |why: String| SandboxError::wechat(WechatCode::SignError, why);
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.ok_or_else(|| refused("no Authorization header".to_owned()))?;
    let authorization = Authorization::parse(header).map_err(|fault| refused(fault.to_string()))?;
    let registered = &platform.registration;
    if authorization.mchid != registered.sp_mchid
        || !same_serial(&authorization.serial, &registered.serial)
        || !is_fresh(authorization.timestamp, sandbox.now())
        || !authorization.verify(&platform.request_key, request.method().as_str(), &target(request), body)
    {
        return Err(refused("merchant, serial, time or signature is wrong".to_owned()));
    }
    Ok(())
}

fn certificates(verified: &Verified<'_>) -> Result<Answer, SandboxError> {
    let certificate: Certificate = verified.sandbox.0.identity.certificate.clone();
    Ok(Answer::Json(certificates::seal(&verified.platform.apiv3_key, &[certificate])?))
}

fn answer(
    sandbox: &Sandbox,
    request: &HttpRequest,
    outcome: Result<Answer, SandboxError>,
    badly: bool,
) -> HttpResponse {
    let (status, body, signed) = match outcome {
        Ok(Answer::Json(body)) => (StatusCode::OK, body, true),
        Ok(Answer::Done) => (StatusCode::NO_CONTENT, Vec::new(), true),
        Ok(Answer::File(body)) => (StatusCode::OK, body, false),
        Ok(Answer::Refused(error)) | Err(error) => {
            let (status, body) = error_body(&error);
            (status, serde_json::to_vec(&body).unwrap_or_default(), true)
        }
    };
    let mut response = HttpResponse::build(status);
    if let Ok(id) = random_nonce(32) {
        response.insert_header(("Request-ID", id));
    }
    if signed {
        let asked = request.headers().get(SERIAL).and_then(|value| value.to_str().ok());
        let platform = sandbox.platform(ChannelName::Wechat);
        let by_id = platform.is_some_and(|platform| platform.registration.public_key_mode);
        let identity = &sandbox.0.identity;
        let signed_bytes: &[u8] = if badly { b"something else" } else { &body };
        let serial = identity.serial(asked, by_id);
        if let Ok(stamp) = Stamp::sign(serial, &identity.channel_key, sandbox.now(), signed_bytes) {
            for header in stamp.headers() {
                response.insert_header(header);
            }
        }
        response.insert_header((CONTENT_TYPE, "application/json; charset=utf-8"));
    } else {
        response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
    }
    if status == StatusCode::NO_CONTENT { response.finish() } else { response.body(body) }
}

fn error_body(error: &SandboxError) -> (StatusCode, ErrorBody) {
    let (code, body) = match error {
        SandboxError::Wechat(code, body) => (*code, body.as_ref().clone()),
        SandboxError::Alipay(..)
        | SandboxError::Refused(_)
        | SandboxError::NotFound(_)
        | SandboxError::Io(_)
        | SandboxError::Crypto(_)
        | SandboxError::Internal(_) => {
            tracing::error!(%error, "sandbox channel call failed");
            (WechatCode::SystemError, ErrorBody::new(WechatCode::SystemError, "系统异常"))
        }
    };
    (StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
}
