//! Who calls: a request is accepted only when its signature covers it as it travelled (`channels.md` 0.1–0.7).
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;

use super::BODY_MAX;
use super::fault::Fault;
use crate::app::App;
use crate::merchants::credentials::{self, Credential};
use crate::merchants::nonces;
use crate::protocol::wechat::sign::{Authorization, is_fresh};

/// A verified request: whose it is, and its body's raw bytes.
pub struct Signed {
    /// The credential whose key verified the signature.
    pub credential: Credential,
    /// As it travelled.
    pub body: web::Bytes,
}

impl FromRequest for Signed {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        let body = web::Bytes::from_request(&request, payload);
        Box::pin(async move {
            let body =
                body.await.map_err(|_| Fault::parameter("body", &format!("at most {BODY_MAX} bytes")))?;
            verify(&request, body).await
        })
    }
}

async fn verify(request: &HttpRequest, body: web::Bytes) -> Result<Signed, Fault> {
    let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(Fault::system)?;
    let authorization = authorization(request)?;
    if !is_fresh(authorization.timestamp, app.clock.instant()) {
        return Err(Fault::sign(
            "Authorization 的 timestamp 与服务器时间相差超过 5 分钟，请校准时钟后重新签名",
        ));
    }
    let (mchid, serial) = (authorization.mchid.clone(), authorization.serial.clone());
    let master = app.master_key.clone();
    let credential = app
        .db
        .read(move |tx| credentials::find(tx, &master, &mchid, &serial))
        .await?
        .ok_or_else(|| Fault::sign("商户号与证书序列号不匹配或凭证已吊销，请核对 mchid 与 serial_no"))?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if !authorization.verify(&credential.public_key, request.method().as_str(), target, &body) {
        return Err(Fault::sign("签名验证失败，请按原始请求方法、路径、查询串与报文主体计算签名"));
    }
    let (id, nonce, now) = (credential.id, authorization.nonce.clone(), app.clock.now());
    if !app.db.write(move |tx| nonces::first_use(tx, now, id, &nonce)).await? {
        return Err(Fault::sign("nonce_str 已使用过，请为每个请求生成新的随机串"));
    }
    request.extensions_mut().insert(credential.answer_mode);
    Ok(Signed { credential, body })
}

fn authorization(request: &HttpRequest) -> Result<Authorization, Fault> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = match (headers.next(), headers.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    };
    let header = header.ok_or_else(|| Fault::sign("缺少唯一的 Authorization 请求头"))?;
    Authorization::parse(header).map_err(|fault| Fault::sign(fault.to_string()))
}
