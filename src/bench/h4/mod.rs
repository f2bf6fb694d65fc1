//! H4: `verify` of a published day, as a process of its own, against `sha256sum` over the same files.
mod child;
mod day;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Anchor, Args, PerSecond, Report, median};
use crate::kernel::digest::Hasher;
use child::Ended;
use day::Day;

const ORDERS: u64 = 1_000_000;
const ROUNDS: usize = 3;

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let made = tempfile::tempdir()?;
    let dir = args.data.clone().unwrap_or_else(|| made.path().to_owned());
    let day = Day::write(&dir, args.orders.unwrap_or(ORDERS), args.wechat)?;
    let anchors: [(&str, Measure); 2] = [
        ("sha256sum of all inputs", sha256sum),
        ("SHA-256 of all inputs with the product's own hasher", own_hasher),
    ];
    let (mut seconds, mut rounds) = (Vec::new(), [Vec::new(), Vec::new()]);
    let (mut peak, mut invariants) = (0, "ok".to_owned());
    for _ in 0..ROUNDS {
        for ((_, measure), taken) in anchors.iter().zip(&mut rounds) {
            let began = Instant::now();
            measure(&day.inputs())?;
            taken.push(began.elapsed().as_secs_f64());
        }
        let ended = child::verify(&day, &day.spl)?;
        seconds.push(ended.seconds);
        peak = peak.max(ended.peak_rss);
        if let Some(broken) = wrong(&day, &ended) {
            invariants = broken;
        }
    }
    if let Some(broken) = unnoticed(&day)? {
        invariants = broken;
    }
    let seconds = median(seconds);
    let anchors: Vec<Anchor> = anchors
        .into_iter()
        .zip(rounds)
        .map(|((name, _), taken)| {
            let seconds = median(taken);
            Anchor { name, seconds, per_second: day.per_second(seconds), latency_ms: None }
        })
        .collect();
    let bars = anchors.first().map(|anchor| ("B12", seconds / anchor.seconds));
    Ok(Report {
        bench: "h4",
        database: "files",
        orders: day.orders,
        lines: Some(day.lines),
        rounds: ROUNDS,
        seconds,
        per_second: day.per_second(seconds),
        peak_rss_bytes: peak,
        anchors,
        bars: bars.into_iter().collect::<BTreeMap<_, _>>(),
        invariants,
        ..Report::default()
    })
}

type Measure = fn(&[&PathBuf]) -> anyhow::Result<()>;

impl Day {
    fn per_second(&self, seconds: f64) -> PerSecond {
        let rate = |count: u64| u32::try_from(count).ok().map(|count| f64::from(count) / seconds);
        PerSecond { orders: rate(self.orders), lines: rate(self.lines) }
    }
}

fn sha256sum(files: &[&PathBuf]) -> anyhow::Result<()> {
    let status = Command::new("sha256sum").args(files).stdout(Stdio::null()).status();
    ensure!(status.context("the anchor needs `sha256sum`")?.success(), "sha256sum failed");
    Ok(())
}

fn own_hasher(files: &[&PathBuf]) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    for file in files {
        let (mut file, mut hasher) = (BufReader::with_capacity(0, File::open(file)?), Hasher::new());
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        std::hint::black_box(hasher.finish());
    }
    Ok(())
}

/// What is wrong with the answer over the honest day.
fn wrong(day: &Day, ended: &Ended) -> Option<String> {
    let totals = |what: &str| ended.report.pointer(&format!("/totals/{what}")).and_then(Value::as_i64);
    let told = (totals("orders"), totals("paid"), totals("lines"), totals("pool"));
    let pool = Some(day.pool.get());
    let right = (i64::try_from(day.orders).ok(), Some(day.paid.get()), pool, pool);
    let sound = ended.code == Some(0) && ended.report.get("ok") == Some(&Value::Bool(true));
    (!sound || told != right).then(|| format!("verify ended {:?} with {told:?} for {right:?}", ended.code))
}

/// One fen given from a merchant to an agent in the last file, and everything made right again that the platform can.
fn unnoticed(day: &Day) -> anyhow::Result<Option<String>> {
    let mut spl = day.spl.clone();
    spl.pop();
    spl.push(day.with_a_fen_moved()?);
    let ended = child::verify(day, &spl)?;
    let codes: Vec<Option<&str>> = ended
        .report
        .get("violations")
        .and_then(Value::as_array)
        .map(|all| all.iter().map(|violation| violation.get("code").and_then(Value::as_str)).collect())
        .unwrap_or_default();
    let found = ended.code == Some(1) && codes == [Some("V10")];
    Ok((!found).then(|| format!("a changed fen ended {:?} with {codes:?}", ended.code)))
}

fn signature_of(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    PathBuf::from(beside)
}
