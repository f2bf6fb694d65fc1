//! H0: orders are placed, through HTTP and the product's whole path, `serve` being a process of its own.
//!
//! Everything that the bench signs – the merchant's requests, the institution's answers – is signed before the clock
//! starts, and the institution is a stub that answers at once. B15 holds what a CPU second of `serve` and its database
//! places against the pairs of signatures that a CPU second makes: each placement needs one to the institution and one
//! to the merchant. B16 holds its latency against that of H1 at the same pace, and queries against placements.
mod child;
mod load;
mod store;
mod stub;

use std::collections::BTreeMap;

use anyhow::Context;

use super::h1::{self, Site, TAKEN, data_dir};
use super::http::{Rounds, Sending, Sent, rate, send};
use super::{Anchor, Args, PerSecond, Report, World, median};
use child::{Cpu, Serving};
use stub::Stub;

/// How often each kind of round is run.
const ROUNDS: usize = 3;
/// Over how many merchants a round is spread.
const MERCHANTS: usize = 1_000;
/// Orders of a round, unless it is said.
const ORDERS: u64 = 5_000;
/// How an answer begins that tells what was asked for.
const DONE: &str = "HTTP/1.1 200";
/// Pairs of signatures that are measured in a round.
const PAIRS: usize = 1_000;

/// What all rounds measured.
#[derive(Default)]
struct Measured {
    placed: Rounds,
    /// Placements in a CPU second.
    placed_by_cpu: Vec<f64>,
    /// Pairs of signatures in a CPU second.
    pairs: Vec<f64>,
    paced: Rounds,
    paid: Rounds,
    queried: Rounds,
    peak_rss: u64,
}

/// A bench under way.
struct Bench {
    world: World,
    stub: Stub,
    count: usize,
    connections: usize,
    cpu: Cpu,
    /// Orders that were acknowledged.
    acknowledged: usize,
    /// Payments that were.
    taken: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let orders = args.orders.unwrap_or(ORDERS);
    let stub = Stub::start()?;
    let world = World::create_before(&args.database, &data_dir(args)?, MERCHANTS, &stub.url)?;
    let mut bench = Bench {
        cpu: Cpu::of(&world)?,
        world,
        stub,
        count: usize::try_from(orders).context("--orders")?,
        connections: args.connections.unwrap_or(64).max(1),
        acknowledged: 0,
        taken: 0,
    };
    let mut measured = Measured::default();
    bench.place(&mut measured)?;
    bench.at_a_pace(&mut measured)?;
    bench.query(&mut measured)?;
    let mut invariants = h1::invariants(&bench.world, bench.taken)?;
    let (placed, payable) = store::placed(&bench.world)?;
    if placed != bench.acknowledged || payable != bench.acknowledged {
        let acknowledged = bench.acknowledged;
        invariants = format!(
            "{acknowledged} orders were acknowledged, {placed} are stored, {payable} with one code_url; {invariants}"
        );
    }
    Ok(measured.report(&bench, orders, invariants))
}

impl Bench {
    /// As many as it can: the first round warms up and does not count.
    fn place(&mut self, measured: &mut Measured) -> anyhow::Result<()> {
        let serving = Serving::start(&self.world)?;
        self.orders(&serving.address, "W", self.count.div_ceil(10), None)?;
        for round in 0..ROUNDS {
            let prefix = format!("C{round}");
            let requests = load::placements(&self.world, &prefix, self.count, MERCHANTS)?;
            let before = self.cpu.spent(&serving)?;
            let sent = self.sent(&serving.address, requests, None, DONE)?;
            let spent = self.cpu.spent(&serving)? - before;
            self.acknowledged = self.acknowledged.saturating_add(self.count);
            measured.placed.add(&sent);
            measured.placed_by_cpu.push(rate(self.count, spent));
            measured.pairs.push(rate(PAIRS, child::pairs(&self.world.key, PAIRS)?));
        }
        measured.peak_rss = serving.peak_rss()?;
        Ok(())
    }

    /// Orders, then payments, at half the pace of the best round, however quick the answers are.
    fn at_a_pace(&mut self, measured: &mut Measured) -> anyhow::Result<()> {
        let pace = measured.placed.per_second.iter().copied().fold(0.0, f64::max) / 2.0;
        {
            let serving = Serving::start(&self.world)?;
            self.orders(&serving.address, "V", self.count.div_ceil(10), None)?;
            for round in 0..ROUNDS {
                measured.paced.add(&self.orders(
                    &serving.address,
                    &format!("P{round}"),
                    self.count,
                    Some(pace),
                )?);
            }
        }
        // As H1 is measured: without jobs, which would deliver what is told of these payments.
        let site = Site::serve(&self.world.app)?;
        for round in 0..ROUNDS {
            let prefix = format!("T{round}");
            h1::store::place(&self.world, &prefix, self.count, MERCHANTS)?;
            let requests = h1::load::signed(&self.world, &prefix, self.count, MERCHANTS)?;
            measured.paid.add(&self.sent(&site.address, requests, Some(pace), TAKEN)?);
            self.taken = self.taken.saturating_add(self.count);
        }
        site.stop();
        Ok(())
    }

    /// Asks for orders that are paid.
    fn query(&mut self, measured: &mut Measured) -> anyhow::Result<()> {
        store::forget_notes(&self.world)?;
        let serving = Serving::start(&self.world)?;
        for round in 0..ROUNDS {
            let prefix = format!("T{round}");
            let requests = load::queries(&self.world, &prefix, self.count, MERCHANTS)?;
            measured.queried.add(&self.sent(&serving.address, requests, None, DONE)?);
        }
        Ok(())
    }

    fn orders(
        &mut self,
        address: &str,
        prefix: &str,
        count: usize,
        pace: Option<f64>,
    ) -> anyhow::Result<Sent> {
        let requests = load::placements(&self.world, prefix, count, MERCHANTS)?;
        let sent = self.sent(address, requests, pace, DONE)?;
        self.acknowledged = self.acknowledged.saturating_add(count);
        Ok(sent)
    }

    fn sent(
        &self,
        address: &str,
        requests: Vec<Vec<u8>>,
        per_second: Option<f64>,
        answer: &'static str,
    ) -> anyhow::Result<Sent> {
        self.stub.sign(&self.world)?;
        send(Sending { address, connections: self.connections, per_second, answer }, requests)
    }
}

impl Measured {
    fn report(&self, bench: &Bench, orders: u64, invariants: String) -> Report {
        let (by_cpu, pairs) = (median(self.placed_by_cpu.clone()), median(self.pairs.clone()));
        let of_cpu = |name, per_second| {
            let per_second = PerSecond { orders: Some(per_second), lines: None };
            Anchor { name, per_second, ..Anchor::default() }
        };
        Report {
            bench: "h0",
            database: bench.world.database(),
            orders,
            rounds: ROUNDS,
            seconds: median(self.placed.seconds.clone()),
            per_second: PerSecond { orders: Some(self.placed.rate()), lines: None },
            latency_ms: Some(self.placed.latency()),
            peak_rss_bytes: self.peak_rss,
            anchors: vec![
                of_cpu("pairs of RSA-2048 signatures a CPU second", pairs),
                of_cpu("placements a CPU second of serve and its database", by_cpu),
                self.paced.anchor("placements at half the best rate", true),
                self.paid.anchor("payments at that rate (H1)", true),
                self.queried.anchor("signed queries of paid orders", true),
            ],
            bars: BTreeMap::from([
                ("B15", by_cpu / pairs),
                ("B16", self.paced.latency().p99 / self.paid.latency().p99),
                ("B16 queries", self.queried.rate() / self.placed.rate()),
            ]),
            invariants,
            ..Report::default()
        }
    }
}
