//! A licensed institution as the wire shows it: signed answers, orders in memory, faults on demand.
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use mingfen::clock::Clock;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::money::Fen;
use mingfen::protocol::crypto::{PrivateKey, sha1_hex};
use mingfen::protocol::wechat::CNY;
use mingfen::protocol::wechat::errors::{ErrorBody, WechatCode};
use mingfen::protocol::wechat::notification::{self, ApiV3Key, Event, TRANSACTION_SUCCESS};
use mingfen::protocol::wechat::order::OrderRequest;
use mingfen::protocol::wechat::shapes::{OrderAmount, OrderView, TradeState};
use mingfen::protocol::wechat::sign::Stamp;
use serde_json::json;

/// The institution's key, made once for all tests.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

/// How the institution misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehave {
    /// Not at all.
    No,
    /// It does its work, but the answer never arrives.
    LoseAnswer,
    /// It does nothing and answers 500.
    Fail,
    /// It does its work and answers with a wrong signature.
    BadSignature,
    /// It does nothing and answers 429.
    Busy,
    /// It refuses for good.
    Refuse,
    /// It refuses new orders for good and answers all else.
    RefuseOrders,
    /// It does not let us in.
    Forbid,
    /// It does nothing and does not answer in time.
    Down,
}

/// What the institution knows of an order.
#[derive(Debug, Clone)]
pub struct Held {
    pub request: OrderRequest,
    pub state: TradeState,
    pub transaction_id: Option<String>,
    pub paid: Option<Fen>,
    pub paid_at: Option<Instant>,
}

struct Inner {
    misbehave: Misbehave,
    orders: BTreeMap<String, Held>,
    calls: Vec<String>,
    next_id: u64,
    bill: Vec<u8>,
    bill_takes: Duration,
    hangs_for: Option<String>,
}

/// The running institution.
#[derive(Clone)]
pub struct Institution {
    pub base_url: String,
    pub serial: String,
    pub key: PrivateKey,
    pub apiv3_key: ApiV3Key,
    clock: Clock,
    inner: Arc<Mutex<Inner>>,
}

/// A notification ready to be sent: headers and body.
#[derive(Debug, Clone)]
pub struct Notice {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Institution {
    /// Starts it on a free port of the loopback.
    pub async fn start(clock: &Clock) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let institution = Self {
            base_url: format!("http://{}", listener.local_addr().unwrap()),
            serial: "5E1F00D0".repeat(5),
            key: KEY.clone(),
            apiv3_key: ApiV3Key::generate().unwrap(),
            clock: clock.clone(),
            inner: Arc::new(Mutex::new(Inner {
                misbehave: Misbehave::No,
                orders: BTreeMap::new(),
                calls: Vec::new(),
                next_id: 1,
                bill: Vec::new(),
                bill_takes: Duration::ZERO,
                hangs_for: None,
            })),
        };
        let state = web::Data::new(institution.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/v3/pay/partner/transactions/native", web::post().to(native))
                .route("/v3/pay/partner/transactions/out-trade-no/{no}", web::get().to(query))
                .route("/v3/pay/partner/transactions/out-trade-no/{no}/close", web::post().to(close))
                .route("/v3/bill/tradebill", web::get().to(bill))
                .route("/v3/billdownload/file", web::get().to(download))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        actix_web::rt::spawn(server);
        institution
    }

    /// From now on this is its bill of every day.
    pub fn set_bill(&self, bytes: Vec<u8>) {
        self.inner.lock().unwrap().bill = bytes;
    }

    /// From now on its bill is ready only so long after it was asked for.
    pub fn bill_takes(&self, time: Duration) {
        self.inner.lock().unwrap().bill_takes = time;
    }

    /// From now on new orders of this merchant of its, and questions about old ones, are never answered.
    pub fn hang_for(&self, merchant: &str) {
        self.inner.lock().unwrap().hangs_for = Some(merchant.to_owned());
    }

    async fn hang(&self, merchant: &str) {
        let hangs = self.inner.lock().unwrap().hangs_for.as_deref() == Some(merchant);
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    pub fn misbehave(&self, how: Misbehave) {
        self.inner.lock().unwrap().misbehave = how;
    }

    /// Every call so far, as `native ORDER_NO`, `query ORDER_NO`, `close ORDER_NO`.
    pub fn calls(&self) -> Vec<String> {
        self.inner.lock().unwrap().calls.clone()
    }

    pub fn held(&self, order_no: &str) -> Option<Held> {
        self.inner.lock().unwrap().orders.get(order_no).cloned()
    }

    pub fn set_state(&self, order_no: &str, state: TradeState) {
        self.inner.lock().unwrap().orders.get_mut(order_no).unwrap().state = state;
    }

    /// The payer pays what was asked.
    pub fn pay(&self, order_no: &str) -> Notice {
        let amount = self.held(order_no).unwrap().request.amount.total;
        self.pay_amount(order_no, amount)
    }

    /// The payer pays another amount.
    pub fn pay_amount(&self, order_no: &str, paid: Fen) -> Notice {
        let mut inner = self.inner.lock().unwrap();
        let id = format!("4200{:024}", inner.next_id);
        inner.next_id += 1;
        let held = inner.orders.get_mut(order_no).unwrap();
        held.state = TradeState::Success;
        held.transaction_id = Some(id);
        held.paid = Some(paid);
        held.paid_at = Some(self.clock.instant());
        drop(inner);
        self.notice(order_no)
    }

    /// The notification of a paid order, sealed and signed anew each time, as at a redelivery.
    pub fn notice(&self, order_no: &str) -> Notice {
        self.notice_of(&view(&self.held(order_no).unwrap()))
    }

    /// A notification that says this.
    pub fn notice_of(&self, view: &OrderView) -> Notice {
        self.notice_at(view, self.clock.instant())
    }

    /// A notification signed at another time.
    pub fn notice_at(&self, view: &OrderView, at: Instant) -> Notice {
        let plain = serde_json::to_vec(view).unwrap();
        let event = Event {
            id: "EV-2026-1",
            create_time: at,
            event_type: TRANSACTION_SUCCESS,
            summary: "支付成功",
            original_type: "transaction",
            plain: &plain,
        };
        self.signed_at(notification::seal(&self.apiv3_key, &event).unwrap(), at)
    }

    /// A notification of these very bytes.
    pub fn notice_of_bytes(&self, body: Vec<u8>) -> Notice {
        self.signed_at(body, self.clock.instant())
    }

    fn signed_at(&self, body: Vec<u8>, at: Instant) -> Notice {
        let stamp = Stamp::sign(&self.serial, &self.key, at, &body).unwrap();
        Notice { headers: stamp.headers().to_vec(), body }
    }

    fn begin(&self, call: &str, order_no: &str) -> Misbehave {
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push(format!("{call} {order_no}"));
        match (inner.misbehave, call) {
            (Misbehave::RefuseOrders, "native") => Misbehave::Refuse,
            (Misbehave::RefuseOrders, _) => Misbehave::No,
            (how, _) => how,
        }
    }

    /// Answers, unless it misbehaves. `done` says what was to be answered.
    async fn answer(&self, how: Misbehave, status: u16, body: Vec<u8>) -> HttpResponse {
        match how {
            // The connection breaks in the middle of the answer.
            Misbehave::LoseAnswer => HttpResponse::Ok().streaming(futures_util::stream::iter([
                Ok(web::Bytes::from_static(b"{")),
                Err(std::io::Error::other("lost")),
            ])),
            Misbehave::Down => {
                // Longer than any patience of a test; the connection is given up first.
                actix_web::rt::time::sleep(Duration::from_secs(60)).await;
                HttpResponse::InternalServerError().finish()
            }
            Misbehave::Fail => HttpResponse::InternalServerError().body("{\"code\":\"SYSTEM_ERROR\"}"),
            Misbehave::Busy => self.signed(429, &refusal(WechatCode::FrequencyLimited), false),
            Misbehave::Forbid => self.signed(401, &refusal(WechatCode::SignError), false),
            Misbehave::Refuse | Misbehave::RefuseOrders => {
                self.signed(400, &refusal(WechatCode::InvalidRequest), false)
            }
            Misbehave::BadSignature => self.signed(status, &body, true),
            Misbehave::No => self.signed(status, &body, false),
        }
    }

    fn signed(&self, status: u16, body: &[u8], wrongly: bool) -> HttpResponse {
        let covered: &[u8] = if wrongly { b"something else" } else { body };
        let stamp = Stamp::sign(&self.serial, &self.key, self.clock.instant(), covered).unwrap();
        let mut answer = HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap());
        for (name, value) in stamp.headers() {
            answer.insert_header((name, value));
        }
        answer.content_type("application/json").body(body.to_vec())
    }
}

fn works(how: Misbehave) -> bool {
    matches!(how, Misbehave::No | Misbehave::LoseAnswer | Misbehave::BadSignature)
}

fn refusal(code: WechatCode) -> Vec<u8> {
    serde_json::to_vec(&ErrorBody::new(code, "no")).unwrap()
}

/// What a query would answer, and what a notification carries.
pub fn view(held: &Held) -> OrderView {
    OrderView {
        sp_appid: held.request.sp_appid.clone(),
        sp_mchid: held.request.sp_mchid.clone(),
        sub_appid: None,
        sub_mchid: held.request.sub_mchid.clone(),
        out_trade_no: held.request.out_trade_no.clone(),
        transaction_id: held.transaction_id.clone(),
        trade_type: held.paid.map(|_| "NATIVE".to_owned()),
        trade_state: held.state,
        trade_state_desc: "…".to_owned(),
        bank_type: held.paid.map(|_| "OTHERS".to_owned()),
        attach: held.request.attach.clone(),
        success_time: held.paid_at.map(Instant::to_cst),
        payer: None,
        promotion_detail: None,
        amount: Some(OrderAmount {
            total: held.paid.unwrap_or(held.request.amount.total),
            payer_total: held.paid,
            currency: Some(CNY.to_owned()),
            payer_currency: None,
        }),
    }
}

async fn native(this: web::Data<Institution>, body: web::Bytes) -> HttpResponse {
    let request: OrderRequest = serde_json::from_slice(&body).unwrap();
    let how = this.begin("native", &request.out_trade_no);
    this.hang(&request.sub_mchid).await;
    let code_url = format!("weixin://wxpay/bizpayurl?pr={}", request.out_trade_no);
    if works(how) {
        let mut inner = this.inner.lock().unwrap();
        inner.orders.entry(request.out_trade_no.clone()).or_insert(Held {
            request,
            state: TradeState::NotPay,
            transaction_id: None,
            paid: None,
            paid_at: None,
        });
    }
    this.answer(how, 200, json!({"code_url": code_url}).to_string().into_bytes()).await
}

async fn query(this: web::Data<Institution>, request: HttpRequest) -> HttpResponse {
    let order_no = request.match_info().get("no").unwrap().to_owned();
    let how = this.begin("query", &order_no);
    let merchant = url::form_urlencoded::parse(request.query_string().as_bytes());
    let merchant = merchant.into_owned().find(|(name, _)| name == "sub_mchid").unwrap().1;
    this.hang(&merchant).await;
    match this.held(&order_no) {
        Some(held) => this.answer(how, 200, serde_json::to_vec(&view(&held)).unwrap()).await,
        None => this.answer(how, 404, refusal(WechatCode::OrderNotExist)).await,
    }
}

async fn close(this: web::Data<Institution>, request: HttpRequest) -> HttpResponse {
    let order_no = request.match_info().get("no").unwrap().to_owned();
    let how = this.begin("close", &order_no);
    let Some(held) = this.held(&order_no) else {
        return this.answer(how, 404, refusal(WechatCode::OrderNotExist)).await;
    };
    if matches!(held.state, TradeState::Success | TradeState::Refund) {
        return this.answer(how, 400, refusal(WechatCode::InvalidRequest)).await;
    }
    if works(how) {
        let mut inner = this.inner.lock().unwrap();
        inner.orders.get_mut(&order_no).unwrap().state = TradeState::Closed;
    }
    this.answer(how, 204, Vec::new()).await
}

async fn bill(this: web::Data<Institution>) -> HttpResponse {
    let how = this.begin("bill", "");
    let hash_value = sha1_hex(&this.inner.lock().unwrap().bill);
    let download_url = format!("{}/v3/billdownload/file?token=t", this.base_url);
    let answer = json!({"hash_type": "SHA1", "hash_value": hash_value, "download_url": download_url});
    this.answer(how, 200, answer.to_string().into_bytes()).await
}

async fn download(this: web::Data<Institution>) -> HttpResponse {
    let takes = this.inner.lock().unwrap().bill_takes;
    actix_web::rt::time::sleep(takes).await;
    HttpResponse::Ok().body(this.inner.lock().unwrap().bill.clone())
}
