//! Who calls: a request is accepted only when its signature covers it as it travelled (`channels.md` 0.1–0.7).
use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;

use super::answer::Signing;
use super::content::Content;
use super::fault::Fault;
use super::owner;
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::gateway::{BODY_MAX, placing};
use crate::kernel::approvals::Bundle;
use crate::kernel::channel::ChannelName;
use crate::merchants::credentials::Credential;
use crate::merchants::nonces::Nonce;
use crate::merchants::{self, Asked, Known, Signatory, SubMerchant};
use crate::protocol::wechat::direct::{DIRECT, Form};
use crate::protocol::wechat::sign::{Authorization, HeaderFault, is_fresh};

/// A verified request: whose it is, what it says, and what one look at our record says about those it names.
pub struct Signed {
    /// The credential whose key verified the signature.
    pub credential: Arc<Credential>,
    /// To be spent in the transaction of what the request changes; a GET changes nothing.
    pub nonce: Nonce,
    /// In which form of the protocol it asks.
    pub form: Form,
    /// Its body as JSON.
    pub content: serde_json::Result<Content>,
    /// The sub-merchant that it names, whosever that is.
    pub merchant: Option<SubMerchant>,
    /// What that one's institution has approved, of a request that may change something.
    pub approved: Option<Arc<Bundle>>,
    /// Version of that institution's channel.
    pub channel: Option<i64>,
}

impl FromRequest for Signed {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        let claim = Claim::from_request(&request, payload);
        Box::pin(async move {
            let (signed, ()) = admit(&request, claim.await?, |_, _| Ok(())).await?;
            Ok(signed)
        })
    }
}

/// The merchant number of the credential that a request names, proven or not.
pub struct Caller(pub String);

/// What a request says of who signed it, and its whole body; nothing of it is proven yet.
pub struct Claim {
    authorization: Authorization,
    body: web::Bytes,
}

impl FromRequest for Claim {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    /// Not a byte of the body is read of a request that cannot be signed as it stands.
    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let authorization = authorization(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let authorization = authorization?;
            let body = body.await;
            let body = body.map_err(|_| Fault::parameter("body", &format!("不超过 {BODY_MAX} 字节")))?;
            Ok(Self { authorization, body })
        })
    }
}

/// Verifies a request. What it asks for is found by `find` in the same look at the record, of the sub-merchant that it
/// names. That is not yet known to be the caller's: [`owner::merchant`] says so afterwards.
pub async fn admit<T: Send + 'static>(
    request: &HttpRequest,
    Claim { authorization, body }: Claim,
    find: impl Fn(&mut Tx<'_>, Option<&SubMerchant>) -> Result<T, Error> + Send + 'static,
) -> Result<(Signed, T), Fault> {
    let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(Fault::system)?;
    let content = Content::parse(&body);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let form = form(request.path());
    let asked = Asked {
        by: Signatory::Tenant(authorization.mchid.clone(), authorization.serial.clone()),
        merchant: owner::named(changes, content.as_ref().ok(), request.query_string(), form),
        channel: ChannelName::Wechat,
        at: app.clock.now(),
    };
    let look = move |tx: &mut Tx<'_>| {
        let Some(known) = merchants::look_up(tx, &asked)? else { return Ok(None) };
        let found = find(tx, known.merchant.as_ref())?;
        Ok(Some((known, found)))
    };
    let (known, found) = app.db.look(look).await?.ok_or_else(stranger)?;
    let credential = app.credentials.of(&known, &app.master_key)?.ok_or_else(stranger)?;
    request.extensions_mut().insert(Caller(authorization.mchid.clone()));
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if !authorization.verify(&credential.public_key, request.method().as_str(), target, &body) {
        return Err(not_theirs());
    }
    let signing = Signing { mode: credential.answer_mode, keys: app.keys_of(known.newest_key).await? };
    request.extensions_mut().insert(signing);
    let approved = if changes { placing::approved(&app, &known).await? } else { None };
    let nonce = Nonce::of(credential.id, authorization);
    let Known { merchant, channel, .. } = known;
    Ok((Signed { credential, nonce, form, content, merchant, approved, channel }, found))
}

/// A merchant asks for itself where it uses the paths of one.
fn form(path: &str) -> Form {
    if path.starts_with(DIRECT) { Form::Direct } else { Form::Partner }
}

fn stranger() -> Fault {
    Fault::sign("stranger", "商户号与证书序列号不匹配或凭证已吊销，请核对 mchid 与 serial_no")
}

fn not_theirs() -> Fault {
    Fault::sign("signature", "签名验证失败，请按原始请求方法、路径、查询串与报文主体计算签名")
}

/// Which part of the header is wrong, and how.
fn malformed(fault: HeaderFault) -> String {
    match fault {
        HeaderFault::Missing(part) => format!("Authorization 请求头缺少 {part}"),
        HeaderFault::Malformed(part) => format!("Authorization 请求头的格式不正确：{part}"),
        HeaderFault::Twice(part) => format!("Authorization 请求头中 {part} 出现了两次"),
        HeaderFault::TooLong(part) => format!("Authorization 请求头过长：{part}"),
    }
}

/// The one that the headers hold, signed a moment ago.
fn authorization(request: &HttpRequest) -> Result<Authorization, Fault> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(Fault::system)?;
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = match (headers.next(), headers.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    };
    let header = header.ok_or_else(|| Fault::sign("header", "缺少唯一的 Authorization 请求头"))?;
    let authorization =
        Authorization::parse(header).map_err(|fault| Fault::sign("header", malformed(fault)))?;
    if !is_fresh(authorization.timestamp, app.clock.instant()) {
        let why = "Authorization 的 timestamp 与服务器时间相差超过 5 分钟，请校准时钟后重新签名";
        return Err(Fault::sign("clock", why));
    }
    Ok(authorization)
}
