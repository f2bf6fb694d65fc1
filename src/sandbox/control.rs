//! The control API under `/sandbox/…`: what a tester does to the institution. No login; loopback only.
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Query, ServiceConfig};
use actix_web::{HttpResponse, ResponseError, delete, get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

use super::exchange::approvals::Proposal;
use super::faults::{Fault, Switch};
use super::front;
use super::gateway;
use super::platform::Registration;
use super::store::Request;
use super::trade::pay::Pay;
use super::{Sandbox, SandboxError, store, trade};
use crate::clock::Clock;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::channel::ChannelName;
use crate::protocol::wechat::shapes::TradeState;

/// Setting that keeps how far the clock was moved, microseconds.
pub(super) const CLOCK_OFFSET: &str = "clock_offset_micros";

/// Every path of the control API, and the pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(healthz)
        .service(get_identity)
        .service(register)
        .service(register_alipay)
        .service(get_clock)
        .service(set_clock)
        .service(list_faults)
        .service(switch_on)
        .service(switch_off)
        .service(list_requests)
        .service(list_orders)
        .service(pay_order)
        .service(list_deliveries)
        .service(run_deliveries)
        .service(propose)
        .service(close_day)
        .service(process)
        .service(trade::cashier::show)
        .service(trade::cashier::pay)
        .service(front::show)
        .service(front::style)
        .route(gateway::PATH, web::get().to(gateway::serve))
        .route(gateway::PATH, web::post().to(gateway::serve))
        .route(gateway::BILL_PATH, web::get().to(gateway::download));
}

impl ResponseError for SandboxError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(_) | Self::Wechat(..) | Self::Alipay(..) | Self::Crypto(_) => StatusCode::CONFLICT,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Io(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({"error": self.to_string()}))
    }
}

type Answer = Result<HttpResponse, SandboxError>;

fn ok(value: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(value))
}

#[get("/healthz")]
async fn healthz() -> Answer {
    ok(json!({"status": "ok"}))
}

/// Public keys and addresses.
#[get("/sandbox/identity")]
async fn get_identity(sandbox: Data<Sandbox>) -> Answer {
    ok(sandbox.identity()?)
}

/// Registers the platform at the WeChat channel.
#[put("/sandbox/platform")]
async fn register(sandbox: Data<Sandbox>, body: Json<Registration>) -> Answer {
    sandbox.register(ChannelName::Wechat, body.into_inner())?;
    ok(json!({"registered": true}))
}

/// Registers the platform at the Alipay channel.
#[put("/sandbox/platform/alipay")]
async fn register_alipay(sandbox: Data<Sandbox>, body: Json<Registration>) -> Answer {
    sandbox.register(ChannelName::Alipay, body.into_inner())?;
    ok(json!({"registered": true}))
}

#[get("/sandbox/clock")]
async fn get_clock(sandbox: Data<Sandbox>) -> Answer {
    ok(json!({"now": sandbox.now().to_cst()}))
}

/// Either the moment it shall be now, or seconds to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: Option<String>,
    #[serde(default)]
    advance: i64,
}

#[put("/sandbox/clock")]
async fn set_clock(sandbox: Data<Sandbox>, body: Json<SetClock>) -> Answer {
    let clock = &sandbox.0.clock;
    let to = match &body.now {
        Some(text) => {
            Instant::parse(text).ok_or_else(|| SandboxError::Refused("now: not a time".to_owned()))?
        }
        None => sandbox.now().plus(body.advance),
    };
    clock.set(to);
    let offset = clock.now().saturating_sub(Clock::system().now()).to_string();
    sandbox.0.store.run(move |tx| store::set(tx, CLOCK_OFFSET, &offset)).await?;
    ok(json!({"now": sandbox.now().to_cst()}))
}

#[get("/sandbox/faults")]
async fn list_faults(sandbox: Data<Sandbox>) -> Answer {
    ok(sandbox.faults(|faults| faults.list()))
}

#[post("/sandbox/faults")]
async fn switch_on(sandbox: Data<Sandbox>, body: Json<Switch>) -> Answer {
    sandbox.faults(|faults| faults.switch_on(body.into_inner()));
    ok(sandbox.faults(|faults| faults.list()))
}

#[derive(Deserialize)]
struct WhichFault {
    fault: Option<Fault>,
}

/// Switches off one kind (`?fault=delay`), or all.
#[delete("/sandbox/faults")]
async fn switch_off(sandbox: Data<Sandbox>, which: Query<WhichFault>) -> Answer {
    sandbox.faults(|faults| faults.switch_off(which.fault));
    ok(sandbox.faults(|faults| faults.list()))
}

#[derive(Deserialize)]
struct WhichOrder {
    out_trade_no: Option<String>,
}

#[derive(Serialize)]
struct Log {
    total: usize,
    /// How many requests of each kind.
    counts: BTreeMap<String, usize>,
    requests: Vec<Request>,
}

/// Every channel request that arrived, also those that were refused or struck by a fault.
#[get("/sandbox/requests")]
async fn list_requests(sandbox: Data<Sandbox>, which: Query<WhichOrder>) -> Answer {
    let number = which.into_inner().out_trade_no;
    let requests = sandbox.0.store.run(move |tx| store::requests(tx, number.as_deref())).await?;
    let mut counts = BTreeMap::new();
    for request in &requests {
        let count: &mut usize = counts.entry(request.operation.clone()).or_default();
        *count = count.saturating_add(1);
    }
    ok(Log { total: requests.len(), counts, requests })
}

#[derive(Serialize)]
struct OrderRow {
    out_trade_no: String,
    merchant: String,
    channel: String,
    product: String,
    state: TradeState,
    total: i64,
    code_url: String,
    /// The channel's number: Alipay's orders have it before they are paid.
    transaction_id: Option<String>,
    paid: Option<i64>,
    fee: Option<i64>,
    paid_at: Option<String>,
}

/// Every order as the institution sees it.
#[get("/sandbox/orders")]
async fn list_orders(sandbox: Data<Sandbox>, which: Query<WhichOrder>) -> Answer {
    let number = which.into_inner().out_trade_no;
    let work = move |tx: &mut store::Tx<'_>| match number {
        Some(number) => Ok(trade::store::trade(tx, &number)?.into_iter().collect()),
        None => trade::store::trades(tx),
    };
    let trades = sandbox.0.store.run(work).await?;
    let now = sandbox.now().get();
    let rows = trades.into_iter().map(|(trade, payment)| OrderRow {
        state: trade::state(&trade, payment.as_ref(), now),
        code_url: trade::order::code_url(&sandbox, &trade.code),
        transaction_id: payment.as_ref().map(|p| p.transaction_id.clone()).or(trade.trade_no),
        paid: payment.as_ref().map(|p| p.paid),
        fee: payment.as_ref().map(|p| p.fee),
        paid_at: payment.as_ref().map(|p| Instant::new(p.paid_at).to_cst()),
        out_trade_no: trade.out_trade_no,
        merchant: trade.merchant,
        channel: trade.channel,
        product: trade.product,
        total: trade.total,
    });
    ok(rows.collect::<Vec<_>>())
}

/// Pays an order.
#[post("/sandbox/pay")]
async fn pay_order(sandbox: Data<Sandbox>, body: Json<Pay>) -> Answer {
    ok(sandbox.pay(body.into_inner()).await?)
}

/// Every notification and what became of it.
#[get("/sandbox/deliveries")]
async fn list_deliveries(sandbox: Data<Sandbox>) -> Answer {
    ok(sandbox.0.store.run(trade::store::deliveries).await?)
}

/// Delivers what is due by the sandbox's clock.
#[post("/sandbox/deliveries/run")]
async fn run_deliveries(sandbox: Data<Sandbox>) -> Answer {
    ok(sandbox.run_deliveries().await?)
}

/// Approves a proposal and issues the next bundle.
#[post("/sandbox/proposals")]
async fn propose(sandbox: Data<Sandbox>, body: Json<Proposal>) -> Answer {
    let proposal = body.into_inner();
    ok(sandbox.blocking(move |sandbox| sandbox.approve(proposal)).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    /// `yyyyMMdd`.
    day: String,
}

/// Bills a day that is over; again: bills what came late.
#[post("/sandbox/bills")]
async fn close_day(sandbox: Data<Sandbox>, body: Json<Day>) -> Answer {
    let day = BusinessDay::parse(&body.day);
    let day = day.ok_or_else(|| SandboxError::Refused("day: not yyyyMMdd".to_owned()))?;
    let work = move |sandbox: &Sandbox| {
        sandbox.0.store.with(|tx| trade::bills::close_day(sandbox, tx, day))?;
        sandbox.publish_missing()?;
        sandbox.0.store.with(|tx| trade::store::bills_of(tx, day.to_i32()))
    };
    ok(sandbox.blocking(work).await?)
}

/// Looks at what the platform published, and answers it.
#[post("/sandbox/files/process")]
async fn process(sandbox: Data<Sandbox>) -> Answer {
    ok(sandbox.process_published().await?)
}
