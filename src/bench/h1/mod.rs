//! H1: signed notifications become durable facts, through HTTP and the product's whole path.
//!
//! The notifications of a round are signed beforehand and sent over kept connections, each answered before its connection
//! sends the next. The same path with one payment a transaction, and plain statements on PostgreSQL, take turns with it.
pub(super) mod load;
pub(super) mod store;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::Context;

use super::http::{Rounds, Sending, Sent, rate, send};
use super::{Args, PerSecond, Report, World, median, peak_rss};
use crate::app::App;
use crate::check;
use crate::db::{Backend, Lane};
use crate::orders::{Intake, Pace};
use crate::web::site;

/// Product and anchors take their turn so often.
const ROUNDS: usize = 3;
/// Over how many merchants a round is spread.
const MERCHANTS: usize = 10_000;
/// Payments of a round, unless it is said.
const ORDERS: u64 = 20_000;
/// Clients of the plain statements.
const CLIENTS: usize = 32;
/// How a payment that was taken is answered.
pub(super) const TAKEN: &str = "HTTP/1.1 204";
/// The one-transaction mode takes one of so many payments: it is slow.
const FRACTION: usize = 10;

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let orders = args.orders.unwrap_or(ORDERS);
    let count = usize::try_from(orders).context("--orders")?;
    let connections = args.connections.unwrap_or(64).max(1);
    let data = data_dir(args)?;
    let world = World::create(&args.database, &data, MERCHANTS)?;
    let product = Site::serve(&world.app)?;
    let mut slow = world.app.clone();
    let lanes = if matches!(world.app.db.backend(), Backend::Sqlite(_)) { 1 } else { 16 };
    slow.intake = Intake::start(&world.app.db.lane(Lane::Requests), Pace { lanes, batch: 1 })?;
    let one_by_one = Site::serve(&slow)?;
    let (mut spread, mut single, mut alone, mut plain) =
        (Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default());
    let mut acknowledged = 0_usize;
    for round in 0..ROUNDS {
        let mut turn = |kind: &str, merchants: usize, count: usize, site: &Site| -> anyhow::Result<Sent> {
            let prefix = format!("{kind}{round}");
            store::place(&world, &prefix, count, merchants)?;
            let requests = load::signed(&world, &prefix, count, merchants)?;
            let (address, answer) = (site.address.as_str(), TAKEN);
            let sent = send(Sending { address, connections, per_second: None, answer }, requests)?;
            acknowledged = acknowledged.saturating_add(count);
            Ok(sent)
        };
        spread.add(&turn("S", MERCHANTS, count, &product)?);
        single.add(&turn("M", 1, count, &product)?);
        alone.add(&turn("A", MERCHANTS, count.div_ceil(FRACTION), &one_by_one)?);
        if let Backend::Postgres(url) = world.app.db.backend() {
            let seconds = store::append_cte(url, &format!("P{round}"), count, CLIENTS)?;
            plain.seconds.push(seconds);
            plain.per_second.push(rate(count, seconds));
        }
    }
    product.stop();
    one_by_one.stop();
    let peak_rss_bytes = peak_rss()?;
    let invariants = invariants(&world, acknowledged)?;
    let mut anchors =
        vec![alone.anchor("one payment a transaction", true), single.anchor("all on one merchant", true)];
    let mut bars = BTreeMap::from([
        ("B4", single.rate() / spread.rate()),
        ("B6", spread.latency().p99 / alone.latency().p99),
    ]);
    let ratio = spread.rate() / alone.rate();
    if plain.seconds.is_empty() {
        bars.insert("B5", ratio);
    } else {
        bars.insert("B2", ratio);
        bars.insert("B1", spread.rate() / plain.rate());
        anchors.push(plain.anchor("h1_append_cte, 32 clients", false));
    }
    Ok(Report {
        bench: "h1",
        database: world.database(),
        orders,
        rounds: ROUNDS,
        seconds: median(spread.seconds.clone()),
        per_second: PerSecond { orders: Some(spread.rate()), lines: None },
        latency_ms: Some(spread.latency()),
        peak_rss_bytes,
        anchors,
        bars,
        invariants,
        ..Report::default()
    })
}

/// Every acknowledged payment is stored exactly once, and all else that `check` looks at holds.
pub(super) fn invariants(world: &World, acknowledged: usize) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(crate::tasks::roll_up(&world.app))?;
    let stored = store::payments(world)?;
    let mut breaks = check::breaks(&world.app)?;
    if usize::try_from(stored).ok() != Some(acknowledged) {
        breaks.insert(0, format!("{acknowledged} payments were acknowledged, {stored} are stored"));
    }
    Ok(if breaks.is_empty() {
        "ok".to_owned()
    } else {
        breaks.into_iter().take(5).collect::<Vec<_>>().join("; ")
    })
}

pub(super) fn data_dir(args: &Args) -> anyhow::Result<PathBuf> {
    match &args.data {
        Some(dir) => Ok(dir.clone()),
        None => Ok(std::env::temp_dir().join(format!("mingfen-bench-{}", std::process::id()))),
    }
}

/// The site on a free port, on threads of its own.
pub(super) struct Site {
    pub address: String,
    handle: ServerHandle,
}

impl Site {
    pub fn serve(app: &App) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (started, handle) = mpsc::channel();
        let app = app.clone();
        thread::Builder::new().name("site".to_owned()).spawn(move || {
            let shared = Data::new(app);
            let serving = actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || site(shared.clone())).workers(2).disable_signals();
                let running = server.listen(listener)?.run();
                drop(started.send(running.handle()));
                running.await
            });
            if let Err(error) = serving {
                tracing::error!(%error, "the measured site ended");
            }
        })?;
        Ok(Self { address, handle: handle.recv().context("the site did not start")? })
    }

    pub fn stop(self) {
        drop(self.handle.stop(false));
    }
}
