//! A merchant's system that speaks Alipay, an institution whose wallet is Alipay's, and a receiver of its notifications.
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use mingfen::clock::Clock;
use mingfen::db::Tx;
use mingfen::institutions::{self, Documents};
use mingfen::kernel::money::Fen;
use mingfen::merchants::applications;
use mingfen::merchants::founding::{ChannelPart, Founding, KeyPart};
use mingfen::people::Actor;
use mingfen::protocol::alipay::answer::{self, Answer, AnswerKey, AnswerSigner, Said};
use mingfen::protocol::alipay::answers::{Numbers, Precreated, Trade, TradeStatus, Yuan};
use mingfen::protocol::alipay::charset::Charset;
use mingfen::protocol::alipay::errors::SubCode;
use mingfen::protocol::alipay::fields;
use mingfen::protocol::alipay::form::Form;
use mingfen::protocol::alipay::notification::{self, Notification};
use mingfen::protocol::alipay::request::Request;
use mingfen::protocol::alipay::write_time;
use mingfen::protocol::crypto::base64;
use reqwest::Method;
use serde_json::{Value, json};

use super::bundle;
use super::played::KEY;
use super::shop::{Answered, Call, MERCHANT_KEY, Shop, establish};

/// The merchant's application.
pub const APP_ID: &str = "2021000000000001";
/// Our application and number at the institution.
const OUR_APP: &str = "2021000000000099";
const OUR_PID: &str = "2088000000000099";

/// What the institution knows of an order.
#[derive(Debug, Clone)]
pub struct Held {
    pub method: String,
    pub content: Value,
    pub notify_url: Option<String>,
    pub trade_no: String,
    pub status: TradeStatus,
    pub paid: Option<Fen>,
}

#[derive(Default)]
struct Inner {
    orders: BTreeMap<String, Held>,
    calls: Vec<String>,
    down: bool,
}

/// The institution.
#[derive(Clone)]
pub struct Bank {
    pub base_url: String,
    clock: Clock,
    inner: Arc<Mutex<Inner>>,
}

impl Bank {
    fn start(clock: &Clock) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let bank = Self { base_url, clock: clock.clone(), inner: Arc::default() };
        let state = web::Data::new(bank.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).route("/gateway.do", web::post().to(bank_answers))
        });
        actix_web::rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        bank
    }

    pub fn held(&self, order_no: &str) -> Option<Held> {
        self.inner.lock().unwrap().orders.get(order_no).cloned()
    }

    /// Every call so far, as `precreate ORDER_NO`.
    pub fn calls(&self) -> Vec<String> {
        self.inner.lock().unwrap().calls.clone()
    }

    /// From now on its answers are of a server that fails.
    pub fn fail(&self, down: bool) {
        self.inner.lock().unwrap().down = down;
    }

    /// The payer pays what was asked; the notification of it.
    pub fn pay(&self, order_no: &str) -> Notification {
        let total =
            fields::yuan(self.held(order_no).unwrap().content["total_amount"].as_str().unwrap()).unwrap();
        let mut inner = self.inner.lock().unwrap();
        let held = inner.orders.get_mut(order_no).unwrap();
        (held.status, held.paid) = (TradeStatus::Success, Some(total));
        let trade_no = held.trade_no.clone();
        drop(inner);
        let now = self.clock.instant();
        Notification {
            notify_id: "2026112800222".to_owned(),
            notify_time: now,
            app_id: OUR_APP.to_owned(),
            trade_no,
            out_trade_no: order_no.to_owned(),
            trade_status: TradeStatus::Success,
            total_amount: total,
            receipt_amount: Some(total),
            buyer_pay_amount: Some(total),
            refund_fee: None,
            seller_id: Some(OUR_PID.to_owned()),
            buyer_id: Some("2088101117955611".to_owned()),
            subject: None,
            gmt_create: None,
            gmt_payment: Some(now),
            out_biz_no: None,
            passback_params: None,
            fund_bill_list: Some("[{\"amount\":\"123.45\",\"fundChannel\":\"PCREDIT\"}]".to_owned()),
        }
    }

    fn answer(&self, request: &Request) -> Result<Value, SubCode> {
        let content: Value = serde_json::from_str(&request.biz_content).unwrap();
        let number = content["out_trade_no"].as_str().unwrap().to_owned();
        let call = request.method.strip_prefix("alipay.trade.").unwrap().to_owned();
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push(format!("{call} {number}"));
        let trade_no = format!("20261128{:020}", inner.calls.len());
        if let "precreate" | "create" = call.as_str() {
            let held = inner.orders.entry(number.clone()).or_insert_with(|| Held {
                method: call.clone(),
                content,
                notify_url: request.notify_url.clone(),
                trade_no,
                status: TradeStatus::WaitBuyerPay,
                paid: None,
            });
            let given = if call == "create" {
                serde_json::to_value(Numbers {
                    out_trade_no: Some(number),
                    trade_no: Some(held.trade_no.clone()),
                })
            } else {
                let qr_code = format!("https://qr.alipay.com/{number}");
                serde_json::to_value(Precreated { out_trade_no: number, qr_code })
            };
            return Ok(given.unwrap());
        }
        let held = inner.orders.get_mut(&number).ok_or(SubCode::TradeNotExist)?;
        match (call.as_str(), held.paid) {
            ("query", Some(paid)) => Ok(serde_json::to_value(Trade {
                out_trade_no: number,
                trade_no: held.trade_no.clone(),
                trade_status: Some(held.status),
                total_amount: Yuan(paid),
                receipt_amount: Some(Yuan(paid)),
                buyer_pay_amount: Some(Yuan(paid)),
                gmt_payment: None,
                send_pay_date: Some(write_time(self.clock.instant())),
                rest: json!({"buyer_user_id": "2088101117955611"}).as_object().unwrap().clone(),
            })
            .unwrap()),
            ("close", None) => {
                held.status = TradeStatus::Closed;
                Ok(json!({"out_trade_no": number, "trade_no": held.trade_no}))
            }
            ("close", Some(_)) => Err(SubCode::TradeStatusError),
            // Nobody has scanned it.
            _ => Err(SubCode::TradeNotExist),
        }
    }
}

async fn bank_answers(bank: web::Data<Bank>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let form = Form::parse(request.query_string().as_bytes(), &body).unwrap();
    let request = Request::read(form).unwrap();
    assert!(request.verify(&MERCHANT_KEY.public_key().unwrap()), "we sign what we ask");
    if bank.inner.lock().unwrap().down {
        return HttpResponse::InternalServerError().finish();
    }
    let signer = AnswerSigner { key: &KEY, certificate: None };
    let method = Some(request.method.as_str());
    let body = match bank.answer(&request) {
        Ok(given) => answer::sign(signer, method, Charset::Utf8, &Answer::success(given)),
        Err(code) => answer::sign(signer, method, Charset::Utf8, &Answer::refused(code, "")),
    };
    HttpResponse::Ok().body(body.unwrap())
}

/// A notification in its signed form.
pub fn written(told: &Notification) -> String {
    notification::sign(AnswerSigner { key: &KEY, certificate: None }, told).unwrap()
}

/// Parameters of a request before it is signed.
pub type Parameters = Vec<(&'static str, String)>;

/// A shop whose merchant speaks Alipay too, behind an institution that has both wallets.
pub struct Counter {
    pub shop: Shop,
    pub bank: Bank,
}

impl Deref for Counter {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl Counter {
    pub async fn open() -> Self {
        Self::around(Shop::open().await)
    }

    pub fn around(shop: Shop) -> Self {
        let bank = Bank::start(&shop.app.clock);
        let code = Some("SANDBOX".to_owned());
        let channel = ChannelPart {
            institution: code.clone(),
            channel: "alipay".to_owned(),
            language: "alipay_openapi".to_owned(),
            base_url: bank.base_url.clone(),
            sp_mchid: OUR_PID.to_owned(),
            sp_appid: OUR_APP.to_owned(),
            serial: Some("0A".to_owned()),
            private_key: Some(MERCHANT_KEY.to_pem().unwrap()),
            apiv3_key: Some("0123456789abcdef0123456789ABCDEF".to_owned()),
        };
        let key = KeyPart {
            institution: code,
            purpose: "channel".to_owned(),
            channel: Some("alipay".to_owned()),
            key_id: Some("ALIPAY1".to_owned()),
            public_key: KEY.public_key().unwrap().to_pem().unwrap(),
            overlap_days: 30,
        };
        let (at, id) = (shop.app.clock.now(), shop.institution_id);
        let bil = |tx: &mut Tx<'_>| institutions::set_documents(tx, at, &Actor::shell(), id, Documents::Bil);
        assert!(shop.app.db.write_blocking(bil).unwrap());
        establish(&shop.app, Founding { channel: vec![channel], key: vec![key], ..Founding::default() });
        let counter = Self { shop, bank };
        counter.approve("02", &["alipay/native", "alipay/jsapi"]);
        counter.application(APP_ID);
        counter
    }

    /// From now on these contracts are in force too, by the bundle of that day.
    pub fn approve(&self, day: &str, contracts: &[&str]) {
        let (name, issued_at) =
            (format!("APR_SANDBOX_DEMO_202601{day}_0001.json"), format!("2026-01-{day}T00:00:00+08:00"));
        let ended = json!("2026-01-01T00:00:01+08:00");
        let merchants =
            [("M1001", "190001", Value::Null), ("M2001", "190002", Value::Null), ("M1009", "190009", ended)];
        let fees = |_: &str| {
            let mut fees = bundle::every_product();
            fees.as_object_mut().unwrap().extend(contracts.iter().map(|it| ((*it).to_owned(), json!(6000))));
            fees
        };
        let of = (self.institution_id, (name.as_str(), issued_at.as_str()));
        bundle::issue_with(&self.app, &self.institution, of.0, of.1, &merchants, &fees);
    }

    /// The tenant's systems sign in this application's name from now on.
    pub fn application(&self, app_id: &str) {
        let (pem, at) = (MERCHANT_KEY.public_key().unwrap().to_pem().unwrap(), self.app.clock.now());
        let (tenant, actor) = (self.tenant_id, Actor::shell());
        let made =
            self.app.db.write_blocking(|tx| applications::create(tx, at, &actor, tenant, (app_id, &pem)));
        made.unwrap();
    }

    /// `biz_content` of a good order.
    pub fn order(&self, number: &str) -> Value {
        json!({
            "out_trade_no": number, "total_amount": "123.45", "subject": "商品 大",
            "sub_merchant": {"merchant_id": self.sub_mchid},
            "passback_params": "mingfen:food,promo;agent=agent:A1;own text",
        })
    }

    /// A call of now.
    pub fn parameters(&self, method: &str, content: &Value) -> Parameters {
        let mut all = vec![
            ("app_id", APP_ID.to_owned()),
            ("method", format!("alipay.{method}")),
            ("charset", "utf-8".to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("timestamp", write_time(self.app.clock.instant())),
            ("version", "1.0".to_owned()),
            ("biz_content", content.to_string()),
        ];
        if method.ends_with("create") {
            all.push(("notify_url", "http://127.0.0.1:9/notify?shop=1".to_owned()));
        }
        all
    }

    /// Signed, in the coding that it names.
    pub fn signed(parameters: &Parameters) -> Form {
        let named =
            parameters.iter().find(|(name, _)| *name == "charset").map(|(_, charset)| charset.as_str());
        let charset = named.and_then(Charset::parse).unwrap_or(Charset::Utf8);
        let pairs: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let form = Form::of(charset, &pairs).unwrap();
        let signature = base64(&MERCHANT_KEY.sign_sha256(&form.to_sign(&["sign"])).unwrap());
        form.with("sign", &signature)
    }

    /// Common parameters in the query, the content in the body.
    pub async fn send_form(&self, form: &Form) -> Answered {
        let query = form.encoded(|name| name != "biz_content");
        let body = form.encoded(|name| name == "biz_content");
        self.send_parts(Method::POST, &query, &body).await
    }

    pub async fn send_parts(&self, method: Method, query: &str, body: &str) -> Answered {
        let form = "application/x-www-form-urlencoded".to_owned();
        let (target, body) = (format!("/gateway.do?{query}"), body.as_bytes().to_vec());
        self.shop.send(Call { method, target, body, headers: vec![("Content-Type", form)] }).await
    }

    /// What a call is answered: that it succeeded, or why not. The answer is signed by us.
    pub async fn ask(&self, method: &str, content: &Value) -> Result<Value, String> {
        let form = Self::signed(&self.parameters(method, content));
        self.read(&format!("alipay.{method}"), &self.send_form(&form).await)
    }

    /// Reads an answer as a stock SDK does: its signature, then what it says.
    pub fn read(&self, method: &str, answered: &Answered) -> Result<Value, String> {
        assert_eq!(answered.status, 200, "{}", String::from_utf8_lossy(&answered.body));
        let key = self.app.known_keys().wechat.public_key.clone();
        match answer::open::<Value>(&[AnswerKey { certificate: None, key }], method, &answered.body).unwrap()
        {
            Said::Known(given) => Ok(given),
            Said::Refused { head, .. } => Err(head.sub_code.unwrap_or(head.code)),
            Said::Waiting => panic!("nothing of ours waits"),
            Said::Busy => Err("BUSY".to_owned()),
            Said::Unknown => Err("UNKNOWN".to_owned()),
        }
    }

    pub async fn precreate(&self, content: &Value) -> Result<Value, String> {
        self.ask("trade.precreate", content).await
    }

    /// Delivers a notification of the institution.
    pub async fn told(&self, body: &str) -> (u16, String) {
        let target = "/notify/SANDBOX/alipay".to_owned();
        let (method, body) = (Method::POST, body.as_bytes().to_vec());
        let answer = self.shop.send(Call { method, target, body, headers: Vec::new() }).await;
        (answer.status, String::from_utf8(answer.body).unwrap())
    }
}

/// A notify_url that keeps what arrives and answers this text.
pub struct Ear {
    pub url: String,
    inner: Arc<Mutex<(String, Vec<Vec<u8>>)>>,
    server: ServerHandle,
}

impl Drop for Ear {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Ear {
    pub fn start(says: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/told?shop=1", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new((says.to_owned(), Vec::new())));
        let state = web::Data::from(inner.clone());
        let server =
            HttpServer::new(move || App::new().app_data(state.clone()).route("/told", web::post().to(hear)));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, inner, server: handle }
    }

    pub fn say(&self, text: &str) {
        self.inner.lock().unwrap().0 = text.to_owned();
    }

    /// What arrived since the last call.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.inner.lock().unwrap().1)
    }
}

async fn hear(inner: web::Data<Mutex<(String, Vec<Vec<u8>>)>>, body: web::Bytes) -> HttpResponse {
    let mut inner = inner.lock().unwrap();
    inner.1.push(body.to_vec());
    HttpResponse::Ok().body(inner.0.clone())
}
