//! People read every page of the real site over loopback, in many variants; the time of each answer is taken.
use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::HttpServer;
use actix_web::web::Data;
use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};

use super::asked::{Asked, Visit, visits};
use super::platform::{LOGINS, PASSWORD, Platform};
use crate::bench::report::{Latency, PerSecond, Report, median, peak_rss};
use crate::clock;
use crate::institutions;
use crate::orders::{self, Stuck};
use crate::web::site;

/// How often every page is visited in each of its variants.
const ROUNDS: u64 = 3;
/// How often a variant is asked for in a round, each time for something else.
const TIMES: u64 = 12;

/// Milliseconds by page.
type Times = BTreeMap<&'static str, Vec<f64>>;

/// Visits everything and tells how long it took.
pub fn run(platform: &Platform) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (times, rounds, breaks) = runtime.block_on(measure(platform))?;
    let all: Vec<f64> = times.values().flatten().copied().collect();
    let worst = times.values().filter_map(|of_page| latency(of_page).p95).fold(0.0, f64::max);
    Ok(Report {
        bench: "pages",
        database: platform.database,
        orders: u64::try_from(platform.fill.orders)?,
        rounds: rounds.len(),
        seconds: median(rounds),
        per_second: PerSecond::default(),
        latency_ms: Some(latency(&all)),
        peak_rss_bytes: peak_rss()?,
        pages: times.iter().map(|(page, of_page)| (*page, latency(of_page))).collect(),
        bars: BTreeMap::from([("B14", worst)]),
        invariants: if breaks.is_empty() { "ok".to_owned() } else { breaks.join("; ") },
        ..Report::default()
    })
}

fn latency(times: &[f64]) -> Latency {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    };
    Latency { p50: at(50), p95: Some(at(95)), p99: at(99) }
}

async fn measure(platform: &Platform) -> anyhow::Result<(Times, Vec<f64>, Vec<String>)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let state = Data::new(platform.app.clone());
    let server = HttpServer::new(move || site(state.clone())).workers(2).disable_signals();
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let readers = Readers::log_in(&base).await?;
    let (mut times, mut rounds, mut breaks) = (Times::new(), Vec::new(), Vec::new());
    let pages = visits(platform)?;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        for turn in 0..TIMES {
            for visit in &pages {
                let asked = (visit.ask)(&platform.fill, round * TIMES + turn);
                let (took, complaint) = readers.read(visit, &asked).await?;
                times.entry(visit.page).or_default().push(took);
                breaks.extend(complaint);
            }
            times.entry("(job) resolve").or_default().push(resolve(platform).await?);
        }
        rounds.push(begun.elapsed().as_secs_f64());
    }
    handle.stop(false).await;
    serving.await??;
    breaks.truncate(5);
    Ok((times, rounds, breaks))
}

/// Who has logged in through the page, by their cookies.
pub struct Readers {
    base: String,
    http: reqwest::Client,
    cookies: BTreeMap<&'static str, String>,
}

impl Readers {
    /// Logs everybody in at a site.
    pub async fn log_in(base: &str) -> anyhow::Result<Self> {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build()?;
        let mut cookies = BTreeMap::new();
        for login in LOGINS {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("login", login)
                .append_pair("password", PASSWORD)
                .finish();
            let form = http.post(format!("{base}/login")).body(form);
            let answer = form.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send().await?;
            let cookie = answer.headers().get(SET_COOKIE).context("no session")?.to_str()?;
            cookies.insert(login, cookie.split(';').next().unwrap_or_default().to_owned());
        }
        Ok(Self { base: base.to_owned(), http, cookies })
    }

    /// Milliseconds until the page was there, and what is wrong with it.
    pub async fn read(&self, visit: &Visit, asked: &Asked) -> anyhow::Result<(f64, Option<String>)> {
        let cookie = self.cookies.get(visit.login).context("nobody of that name")?;
        let request = self.http.get(format!("{}{}", self.base, asked.path)).header(COOKIE, cookie);
        let begun = Instant::now();
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let body = answer.text().await?;
        let took = begun.elapsed().as_secs_f64() * 1_000.0;
        let missing = asked.shows.iter().find(|text| !body.contains(text.as_str()));
        let complaint = match (status, missing) {
            (200, None) => None,
            (200, Some(text)) => Some(format!("{} as {} does not show {text}", asked.path, visit.login)),
            (status, _) => Some(format!("{} as {} answered {status}", asked.path, visit.login)),
        };
        Ok((took, complaint))
    }
}

/// What a job asks every few seconds; milliseconds.
async fn resolve(platform: &Platform) -> anyhow::Result<f64> {
    let now = platform.app.clock.now();
    let reach = clock::micros(platform.fill.day(7).start());
    let quarter = now.saturating_sub(900_000_000);
    let all = platform.app.db.read(institutions::all).await?;
    let stuck = Stuck {
        institution: all.first().context("there is no institution")?.id,
        unknown_since: reach,
        created_since: quarter,
        created_before: now,
    };
    let begun = Instant::now();
    platform.app.db.read(move |tx| orders::unresolved(tx, &stuck)).await?;
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}
