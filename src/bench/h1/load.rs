//! Notifications as the institution signs them, and the connections that send them.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant as Wall};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::world::{ANSWER_SERIAL, CHANNEL_SP_MCHID, INSTITUTION, World, inst_merchant_no};
use super::store;
use crate::kernel::money::Fen;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::notification::{self, Event, TRANSACTION_SUCCESS};
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, TradeState};
use crate::protocol::wechat::sign::Stamp;

/// What sending measured.
pub(super) struct Sent {
    pub seconds: f64,
    /// Of every request, ascending.
    latencies: Vec<Duration>,
}

impl Sent {
    pub fn per_second(&self) -> f64 {
        super::rate(self.latencies.len(), self.seconds)
    }

    /// What so many of 100 requests took at most.
    pub fn latency_ms(&self, percent: usize) -> f64 {
        let place = self.latencies.len().saturating_mul(percent) / 100;
        let place = place.min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

/// Whole HTTP requests for the payments of the orders that [`store::place`] placed, signed on all cores.
pub(super) fn signed(
    world: &World,
    prefix: &str,
    count: usize,
    merchants: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(cores).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(share)
            .map(|from| {
                let upto = from.saturating_add(share).min(count);
                scope.spawn(move || (from..upto).map(|n| request(world, prefix, n, merchants)).collect())
            })
            .collect();
        let mut requests = Vec::with_capacity(count);
        for part in parts {
            let part: anyhow::Result<Vec<Vec<u8>>> =
                part.join().map_err(|_| anyhow::anyhow!("a signing thread stopped"))?;
            requests.extend(part?);
        }
        Ok(requests)
    })
}

fn request(world: &World, prefix: &str, n: usize, merchants: usize) -> anyhow::Result<Vec<u8>> {
    let now = world.app.clock.instant();
    let view = OrderView {
        sp_appid: "wx1800000001".to_owned(),
        sp_mchid: CHANNEL_SP_MCHID.to_owned(),
        sub_appid: None,
        sub_mchid: inst_merchant_no(n % merchants),
        out_trade_no: store::order_no(prefix, n),
        transaction_id: Some(format!("42{prefix}{n:020}")),
        trade_type: Some("NATIVE".to_owned()),
        trade_state: TradeState::Success,
        trade_state_desc: "支付成功".to_owned(),
        bank_type: Some("OTHERS".to_owned()),
        attach: Some(";;".to_owned()),
        success_time: Some(now.to_cst()),
        payer: None,
        amount: Some(OrderAmount {
            total: Fen::new(store::AMOUNT),
            payer_total: Some(Fen::new(store::AMOUNT)),
            currency: Some(CNY.to_owned()),
            payer_currency: Some(CNY.to_owned()),
        }),
    };
    let plain = serde_json::to_vec(&view)?;
    let event = Event {
        id: &format!("EV-{prefix}-{n}"),
        create_time: now,
        event_type: TRANSACTION_SUCCESS,
        summary: "支付成功",
        original_type: "transaction",
        plain: &plain,
    };
    let body = notification::seal(&world.apiv3_key, &event)?;
    let stamp = Stamp::sign(ANSWER_SERIAL, &world.key, now, &body)?;
    let mut head = format!(
        "POST /notify/{INSTITUTION}/wechat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in stamp.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(&body);
    Ok(request)
}

/// Sends every request once over so many connections. Each must be answered 204.
pub(super) fn send(address: &str, requests: Vec<Vec<u8>>, connections: usize) -> anyhow::Result<Sent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            open.push(stream);
        }
        let begun = Wall::now();
        let running: Vec<_> = open
            .into_iter()
            .map(|stream| tokio::spawn(one_after_the_other(stream, Arc::clone(&requests), Arc::clone(&next))))
            .collect();
        let mut latencies = Vec::with_capacity(requests.len());
        for connection in running {
            latencies.extend(connection.await??);
        }
        let seconds = begun.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Ok(Sent { seconds, latencies })
    })
}

async fn one_after_the_other(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut answer = Vec::with_capacity(1_024);
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begun = Wall::now();
        stream.write_all(request).await?;
        answer.clear();
        // 204 has no body.
        while !answer.ends_with(b"\r\n\r\n") {
            let read = stream.read_buf(&mut answer).await?;
            ensure!(read > 0, "the site closed a connection");
        }
        latencies.push(begun.elapsed());
        let head = std::str::from_utf8(&answer).context("an answer")?;
        ensure!(head.starts_with("HTTP/1.1 204"), "a notification was answered {head}");
    }
    Ok(latencies)
}
