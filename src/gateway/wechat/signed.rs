//! Who calls: a request is accepted only when its signature covers it as it travelled (`channels.md` 0.1–0.7).
use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;

use super::BODY_MAX;
use super::content::Content;
use super::fault::Fault;
use super::owner;
use crate::app::App;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::kernel::approvals::Bundle;
use crate::merchants::credentials::Credential;
use crate::merchants::nonces::Nonce;
use crate::merchants::{self, SubMerchant};
use crate::protocol::wechat::sign::{Authorization, is_fresh};
use crate::rules;

/// A verified request: whose it is, what it says, and what one look at our record says about those it names.
pub struct Signed {
    /// The credential whose key verified the signature.
    pub credential: Arc<Credential>,
    /// To be spent in the transaction of what the request changes; a GET changes nothing.
    pub nonce: Nonce,
    /// Its body as JSON.
    pub content: serde_json::Result<Content>,
    /// The sub-merchant that it names, whosever that is.
    pub merchant: Option<SubMerchant>,
    /// What that one's institution has approved, of a request that may change something.
    pub approved: Option<Arc<Bundle>>,
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
    let content = Content::parse(&body);
    let changes = request.method() != Method::GET;
    let named = match (changes, &content) {
        (true, Ok(content)) => content.text("sub_mchid").map(str::to_owned),
        (true, Err(_)) => None,
        (false, _) => owner::in_query(request.query_string()).ok().map(|owner| owner.sub_mchid),
    };
    let named = named.filter(|number| owner::is_number(number));
    let (mchid, serial) = (authorization.mchid.clone(), authorization.serial.clone());
    let (admitting, here) = (app.clone(), Admitting { mchid, serial, named, changes });
    let admitted = app.db.read(move |tx| here.admit(tx, &admitting)).await?;
    let (credential, merchant, approved) = admitted
        .ok_or_else(|| Fault::sign("商户号与证书序列号不匹配或凭证已吊销，请核对 mchid 与 serial_no"))?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if !authorization.verify(&credential.public_key, request.method().as_str(), target, &body) {
        return Err(Fault::sign("签名验证失败，请按原始请求方法、路径、查询串与报文主体计算签名"));
    }
    request.extensions_mut().insert(credential.answer_mode);
    let nonce = Nonce { credential_id: credential.id, text: authorization.nonce };
    Ok(Signed { credential, nonce, content, merchant, approved })
}

/// Whom a request names.
struct Admitting {
    mchid: String,
    serial: String,
    named: Option<String>,
    changes: bool,
}

type Admitted = (Arc<Credential>, Option<SubMerchant>, Option<Arc<Bundle>>);

impl Admitting {
    /// All that admitting a request needs to know, of one moment.
    fn admit(&self, tx: &mut Tx<'_>, app: &App) -> Result<Option<Admitted>, Error> {
        let found = app.credentials.find(tx, &app.master_key, &self.mchid, &self.serial)?;
        let Some(credential) = found else { return Ok(None) };
        let merchant = match &self.named {
            Some(number) => merchants::by_number(tx, number)?,
            None => None,
        };
        let approved = match merchant.as_ref().filter(|_| self.changes) {
            Some(merchant) => {
                rules::shared_bundle_at(tx, InstitutionId::new(merchant.institution_id), app.clock.instant())?
            }
            None => None,
        };
        Ok(Some((credential, merchant, approved)))
    }
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
