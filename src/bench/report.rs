//! What a measurement says (`cli.md`, "bench").
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// One measurement; parts that do not apply are left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// `h0`, `h1`, `h2`, `h4` or `pages`.
    pub bench: &'static str,
    /// `sqlite`, `postgres`, or `files` where none is needed.
    pub database: &'static str,
    /// Orders of one round.
    pub orders: u64,
    /// Lines of one round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// How often product and anchors took their turn.
    pub rounds: usize,
    /// Median of the product's rounds.
    pub seconds: f64,
    /// Median of the product's rounds.
    pub per_second: PerSecond,
    /// Of the product's rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Of each page, with `bench pages`; B14 is the worst p95 among them, in milliseconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pages: BTreeMap<&'static str, Latency>,
    /// The most memory that the measured process held, in bytes.
    pub peak_rss_bytes: u64,
    /// What the product is held against.
    pub anchors: Vec<Anchor>,
    /// Ratios by their name in `performance.md`.
    pub bars: BTreeMap<&'static str, f64>,
    /// `ok`, or the first breaks.
    pub invariants: String,
}

/// Work done in a second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PerSecond {
    /// Orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<f64>,
    /// Lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<f64>,
}

/// How long single pieces of work took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Half took at most this.
    pub p50: f64,
    /// 95 of 100 took at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// 99 of 100 took at most this.
    pub p99: f64,
}

/// Something simpler that did the same work in the same run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Anchor {
    /// What it is.
    pub name: &'static str,
    /// Median of its rounds.
    pub seconds: f64,
    /// Median of its rounds.
    pub per_second: PerSecond,
    /// Of its rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
}

impl Report {
    /// Whether every invariant held.
    pub fn is_sound(&self) -> bool {
        self.invariants == "ok"
    }

    /// One JSON document.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// A few lines for people.
    pub fn to_text(&self) -> String {
        let Report { bench, database, orders, rounds, seconds, peak_rss_bytes, .. } = self;
        let mut text =
            format!("{bench} on {database}: {orders} orders, median of {rounds} rounds {seconds:.2} s");
        let _ = write!(text, "{}", show(self.per_second, self.latency_ms));
        for (page, of_page) in &self.pages {
            let Latency { p50, p95, p99 } = of_page;
            let p95 = p95.unwrap_or_default();
            let _ = write!(text, "\n  {page}: p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms");
        }
        for anchor in &self.anchors {
            let shown = show(anchor.per_second, anchor.latency_ms);
            let _ = write!(text, "\n  anchor {}: {:.2} s{shown}", anchor.name, anchor.seconds);
        }
        for (bar, ratio) in &self.bars {
            let _ = write!(text, "\n  {bar} {ratio:.2}");
        }
        let mebibytes = peak_rss_bytes / (1 << 20);
        let _ = write!(text, "\n  peak memory {mebibytes} MiB, invariants {}", self.invariants);
        text
    }
}

fn show(per_second: PerSecond, latency: Option<Latency>) -> String {
    let mut text = String::new();
    for (what, rate) in [("orders", per_second.orders), ("lines", per_second.lines)] {
        if let Some(rate) = rate {
            let _ = write!(text, ", {rate:.0} {what}/s");
        }
    }
    if let Some(Latency { p50, p99, .. }) = latency {
        let _ = write!(text, ", p50 {p50:.2} ms, p99 {p99:.2} ms");
    }
    text
}

/// The middle one; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The most memory that this process has held so far, in bytes.
pub fn peak_rss() -> anyhow::Result<u64> {
    peak_rss_of("self")
}

/// The same of a process by its number; 0 once it has ended.
pub fn peak_rss_of(process: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.unwrap_or_default().saturating_mul(1024))
}
