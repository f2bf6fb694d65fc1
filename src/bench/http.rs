//! Whole HTTP requests, made beforehand on all cores, and the connections that send them.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant as Wall};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

use super::report::{Anchor, Latency, PerSecond, median};

/// What sending measured.
pub struct Sent {
    pub seconds: f64,
    /// Of every request, ascending.
    latencies: Vec<Duration>,
}

impl Sent {
    pub fn per_second(&self) -> f64 {
        rate(self.latencies.len(), self.seconds)
    }

    /// What so many of 100 requests took at most.
    fn latency_ms(&self, percent: usize) -> f64 {
        let place = self.latencies.len().saturating_mul(percent) / 100;
        let place = place.min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

/// How many a second.
pub fn rate(count: usize, seconds: f64) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from) / seconds
}

/// What one kind of round measured so far.
#[derive(Default)]
pub struct Rounds {
    pub seconds: Vec<f64>,
    pub per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Rounds {
    pub fn add(&mut self, sent: &Sent) {
        self.seconds.push(sent.seconds);
        self.per_second.push(sent.per_second());
        self.p50.push(sent.latency_ms(50));
        self.p99.push(sent.latency_ms(99));
    }

    pub fn rate(&self) -> f64 {
        median(self.per_second.clone())
    }

    pub fn latency(&self) -> Latency {
        Latency { p50: median(self.p50.clone()), p99: median(self.p99.clone()), ..Latency::default() }
    }

    pub fn anchor(&self, name: &'static str, latency: bool) -> Anchor {
        let per_second = PerSecond { orders: Some(self.rate()), lines: None };
        let latency_ms = latency.then(|| self.latency());
        Anchor { name, seconds: median(self.seconds.clone()), per_second, latency_ms }
    }
}

/// Makes so many requests, for signing takes long, on all cores.
pub fn made(
    count: usize,
    make: impl Fn(usize) -> anyhow::Result<Vec<u8>> + Sync,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (share, make) = (count.div_ceil(cores).max(1), &make);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(share)
            .map(|from| {
                let upto = from.saturating_add(share).min(count);
                scope.spawn(move || (from..upto).map(make).collect())
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

/// How requests are sent.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    pub address: &'a str,
    pub connections: usize,
    /// So many a second, however quick the answers are; without it, each connection sends when it was answered.
    pub per_second: Option<f64>,
    /// How every answer must begin.
    pub answer: &'static str,
}

/// Sends every request once.
pub fn send(how: Sending<'_>, requests: Vec<Vec<u8>>) -> anyhow::Result<Sent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let mut open = Vec::with_capacity(how.connections);
        for _ in 0..how.connections {
            let stream = TcpStream::connect(how.address).await?;
            stream.set_nodelay(true)?;
            open.push(stream);
        }
        let begun = Wall::now();
        let plan = Plan { begun, every: how.per_second.map(|rate| 1.0 / rate), answer: how.answer };
        let running: Vec<_> = open
            .into_iter()
            .map(|stream| tokio::spawn(send_some(stream, Arc::clone(&requests), Arc::clone(&next), plan)))
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

#[derive(Clone, Copy)]
struct Plan {
    begun: Wall,
    /// Seconds from one to the next.
    every: Option<f64>,
    answer: &'static str,
}

impl Plan {
    /// Waits for the turn of the `n`th; since when it counts: late ones since they should have gone.
    async fn turn(&self, n: usize) -> Wall {
        let now = Wall::now();
        let after =
            self.every.map(|every| Duration::from_secs_f64(u32::try_from(n).map_or(0.0, f64::from) * every));
        match after.and_then(|after| self.begun.checked_add(after)) {
            Some(due) if due > now => {
                sleep_until(due.into()).await;
                Wall::now()
            }
            Some(due) => due,
            None => now,
        }
    }
}

async fn send_some(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    plan: Plan,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut answer = Vec::with_capacity(2_048);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(n) else { return Ok(latencies) };
        let begun = plan.turn(n).await;
        stream.write_all(request).await?;
        answer.clear();
        while !is_whole(&answer) {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the site closed a connection");
        }
        latencies.push(begun.elapsed());
        let text = std::str::from_utf8(&answer).context("an answer")?;
        ensure!(text.starts_with(plan.answer), "a request was answered {text}");
    }
}

/// Whether a message is there with the whole body that its head tells of.
pub fn is_whole(message: &[u8]) -> bool {
    let Some(head) = message.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(message.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0);
    message.len() >= head.saturating_add(4).saturating_add(length)
}
