//! The demo's merchant system: it orders through the gateway with real signatures, pays at the sandbox's till, and
//! believes a notification only when its signature holds.
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::{Bytes, Data, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::scenery::{SP_APPID, SP_MCHID, Sale};
use crate::clock::Clock;
use crate::protocol::wechat::notification::{self, ApiV3Key};
use crate::protocol::wechat::shapes::OrderView;
use crate::protocol::wechat::sign::{AnswerKey, Authorization, Signer, Stamp};

const NATIVE: &str = "/v3/pay/partner/transactions/native";

/// A merchant's system with its credential.
#[derive(Clone)]
pub struct Shop {
    /// Signs its requests.
    pub signer: Signer,
    /// Opens its notifications.
    pub apiv3_key: ApiV3Key,
    /// The platform's key, by which it knows answers and notifications.
    pub platform: AnswerKey,
    /// Where the gateway is.
    pub gateway: String,
    /// Where the till is.
    pub till: String,
    /// The time.
    pub clock: Clock,
    /// Sends its requests.
    pub http: reqwest::Client,
    /// Where it wants to be notified; known once it listens.
    pub notify_url: String,
    /// The `out_trade_no` of every payment it was told of.
    pub told: Arc<Mutex<HashSet<String>>>,
}

impl Shop {
    /// Listens for notifications on a free port of the loopback.
    pub fn listen(&mut self) -> anyhow::Result<tokio::task::JoinHandle<std::io::Result<()>>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        self.notify_url = format!("http://{}/paid", listener.local_addr()?);
        let shop = Data::new(self.clone());
        let server =
            HttpServer::new(move || App::new().app_data(shop.clone()).route("/paid", post().to(paid)));
        Ok(tokio::spawn(server.workers(1).disable_signals().listen(listener)?.run()))
    }

    /// Orders, and gives the code_url that the payer scans.
    pub async fn order(&self, sale: &Sale) -> anyhow::Result<String> {
        let mut order = json!({
            "sp_appid": SP_APPID, "sp_mchid": SP_MCHID, "sub_mchid": sale.merchant,
            "description": sale.description, "out_trade_no": sale.out_trade_no,
            "notify_url": self.notify_url, "amount": {"total": sale.total, "currency": "CNY"},
        });
        if let (Some(order), false) = (order.as_object_mut(), sale.goods_tag.is_empty()) {
            order.insert("goods_tag".to_owned(), format!("mingfen:{}", sale.goods_tag).into());
        }
        let answer = self.place(&order).await.with_context(|| format!("order {}", sale.out_trade_no))?;
        Ok(answer.get("code_url").and_then(Value::as_str).context("no code_url")?.to_owned())
    }

    /// Orders and pays.
    pub async fn sell(&self, sale: &Sale) -> anyhow::Result<()> {
        let code_url = self.order(sale).await?;
        let till = format!("{}/sandbox/pay", self.till);
        let paid = self.http.post(till).json(&json!({"code_url": code_url})).send().await?;
        ensure!(paid.status().is_success(), "the till refused {}: {}", sale.out_trade_no, paid.text().await?);
        Ok(())
    }

    async fn place(&self, order: &Value) -> anyhow::Result<Value> {
        let body = order.to_string();
        let signed =
            Authorization::sign(&self.signer, self.clock.instant(), "POST", NATIVE, body.as_bytes())?;
        let request = self
            .http
            .post(format!("{}{NATIVE}", self.gateway))
            .header("Authorization", signed.to_string())
            .header("Content-Type", "application/json")
            .body(body);
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "the gateway answered {status}: {}", String::from_utf8_lossy(&body));
        let stamp = Stamp::read(|name| headers.get(name).and_then(|value| value.to_str().ok()))?;
        stamp.check(std::slice::from_ref(&self.platform), self.clock.instant(), &body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Whether it was told of this payment.
    pub fn was_told(&self, out_trade_no: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(out_trade_no)
    }

    fn take(&self, request: &HttpRequest, body: &[u8]) -> anyhow::Result<()> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let stamp = Stamp::read(header)?;
        stamp.check(std::slice::from_ref(&self.platform), self.clock.instant(), body)?;
        let (_, plain) = notification::open(&self.apiv3_key, body)?;
        let order: OrderView = serde_json::from_slice(&plain)?;
        if order.transaction_id.is_none() {
            bail!("a notification without transaction_id");
        }
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(order.out_trade_no);
        Ok(())
    }
}

async fn paid(shop: Data<Shop>, request: HttpRequest, body: Bytes) -> HttpResponse {
    match shop.take(&request, &body) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => {
            let told = json!({"code": "FAIL", "message": error.to_string()});
            HttpResponse::BadRequest().json(told)
        }
    }
}
