//! H2: the cut of a day, from the loaded bill to published files.
//!
//! Every round cuts a business day of its own; its anchors store the very lines that the round stored. The most memory
//! of a round is read before its anchors begin.
mod store;

pub(super) use store::add_bill;

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant as Stopwatch;

use anyhow::ensure;

use super::world::merchant;
use super::{Anchor, Args, PerSecond, Report, World, median, peak_rss};
use crate::clock;
use crate::db::Backend;
use crate::db::columns::{As, MerchantId};
use crate::exchange::{self, Desk, DocumentKind, ExchangedFile, Folder};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::spl::SplReader;
use crate::kernel::money::Fen;
use crate::reconciliation::{KeptBill, NewBilled, Sink};
use crate::splits::{self, Cutting, Progress};

const ORDERS: u64 = 1_000_000;
const ROUNDS: usize = 3;
const MERCHANTS: usize = 10_000;
/// The first day of the rounds; the clock is far behind it.
const FIRST_DAY: &str = "20260102";

/// What one round measured, seconds.
#[derive(Clone, Debug, Default)]
struct Round {
    total: f64,
    /// Without the keys of the stored rows.
    without_keys: f64,
    lines: u64,
    peak: u64,
    anchors: Vec<f64>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let own = tempfile_in(args.data.as_deref())?;
    let world = World::create(&args.database, &own, MERCHANTS)?;
    let outcome = measure(&world, args.orders.unwrap_or(ORDERS));
    if args.data.is_none() {
        fs::remove_dir_all(&own)?;
    }
    outcome
}

/// Where files go: the directory that was named, or one of our own.
fn tempfile_in(named: Option<&Path>) -> anyhow::Result<std::path::PathBuf> {
    let dir = match named {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("mingfen-bench-{}", std::process::id())),
    };
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn measure(world: &World, orders: u64) -> anyhow::Result<Report> {
    let mut day = BusinessDay::parse(FIRST_DAY).ok_or_else(|| anyhow::anyhow!("no day"))?;
    let mut breaks = Vec::new();
    // A tenth first: what is warm then is warm in every round, and memory must not grow with the day.
    let tenth = round(world, day, (orders / 10).max(1), &mut breaks, false)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        day = day.next();
        rounds.push(round(world, day, orders, &mut breaks, true)?);
    }
    Ok(report(world, orders, &tenth, &rounds, &breaks))
}

fn report(world: &World, orders: u64, tenth: &Round, rounds: &[Round], breaks: &[String]) -> Report {
    let lines = rounds.first().map_or(0, |round| round.lines);
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let per = |work: u64, seconds: f64| (seconds > 0.0).then(|| whole(work) / seconds);
    let total = middle(&|round| round.total);
    let without_keys = middle(&|round| round.without_keys);
    let peak = rounds.iter().map(|round| round.peak).max().unwrap_or_default();
    let mut report = Report {
        bench: "h2",
        database: world.database(),
        orders,
        lines: Some(lines),
        rounds: rounds.len(),
        seconds: total,
        per_second: PerSecond { orders: per(orders, total), lines: per(lines, total) },
        peak_rss_bytes: peak,
        invariants: if breaks.is_empty() { "ok".to_owned() } else { breaks.join("; ") },
        ..Report::default()
    };
    for (index, (name, bar)) in anchors_of(world.app.db.backend()).iter().enumerate() {
        let anchor = |round: &Round| round.anchors.get(index).copied().unwrap_or_default();
        let seconds = middle(&anchor);
        let ours = |round: &Round| if *bar == "B7" { round.without_keys } else { round.total };
        report.bars.insert(bar, middle(&|round| anchor(round) / ours(round)));
        let per_second = PerSecond { orders: None, lines: per(lines, seconds) };
        report.anchors.push(Anchor { name, seconds, per_second, latency_ms: None });
    }
    let keyless = PerSecond { orders: None, lines: per(lines, without_keys) };
    let name = "the cut without key and attach (B7)";
    report.anchors.push(Anchor { name, seconds: without_keys, per_second: keyless, latency_ms: None });
    report.bars.insert("B10 MiB", whole(peak >> 10) / 1024.0);
    report.bars.insert("B10 against a tenth", whole(peak >> 10) / whole((tenth.peak >> 10).max(1)));
    report
}

/// What the cut is held against, and the bar's name.
fn anchors_of(backend: &Backend) -> &'static [(&'static str, &'static str)] {
    match backend {
        Backend::Sqlite(_) => &[("INSERT … SELECT of the same lines", "B9")],
        Backend::Postgres(_) => &[
            ("BINARY COPY of the same lines without index", "B7"),
            ("CSV COPY of the same lines into a table with the key", "B8"),
        ],
    }
}

fn whole(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

fn round(
    world: &World,
    day: BusinessDay,
    orders: u64,
    breaks: &mut Vec<String>,
    anchored: bool,
) -> anyhow::Result<Round> {
    let bill = load(world, day, orders)?;
    let (db, institution) = (&world.app.db, &world.institution);
    let desk = Desk {
        institution: institution.clone(),
        folder: Folder::new(&world.data, &institution.code),
        key: world.app.known_keys().files.private_key.clone(),
    };
    let marks = Arc::new(Mutex::new((0.0, 0.0)));
    let watch = Arc::clone(&marks);
    forget_peak();
    let begun = Stopwatch::now();
    let cutting = Cutting {
        watch: Arc::new(move |progress| {
            let mut marks = watch.lock().unwrap_or_else(PoisonError::into_inner);
            match progress {
                Progress::Keys => marks.0 = begun.elapsed().as_secs_f64(),
                Progress::Recorded => marks.1 = begun.elapsed().as_secs_f64(),
                Progress::Bill | Progress::Billed(_) | Progress::Told(_) | Progress::Published(_) => {}
            }
        }),
        ..Cutting::default()
    };
    let (at, now) = (world.app.clock.instant(), world.app.clock.now());
    splits::cut_loaded(db, &desk, &bill, at, now, &cutting)?;
    let total = begun.elapsed().as_secs_f64();
    let peak = peak_rss()?;
    let (keys, recorded) = *marks.lock().unwrap_or_else(PoisonError::into_inner);
    let files = db.read_blocking(|tx| exchange::of_day(tx, institution.id, DocumentKind::Spl, day))?;
    let lines = files.iter().map(|file| file.lines).sum::<i64>();
    breaks.extend(broken(world, &desk, &files, orders)?);
    let mut round = Round {
        total,
        without_keys: if world.database() == "sqlite" { total } else { total - (recorded - keys) },
        lines: u64::try_from(lines)?,
        peak,
        anchors: Vec::new(),
    };
    if anchored {
        round.anchors = store::anchors(db, &world.data, &bill)?;
    }
    store::forget(db, &bill)?;
    fs::remove_dir_all(desk.folder.out(day).path())?;
    Ok(round)
}

/// What does not add up in a round's rows and files.
fn broken(world: &World, desk: &Desk, files: &[ExchangedFile], orders: u64) -> anyhow::Result<Vec<String>> {
    let mut breaks = Vec::new();
    let told = files.iter().map(|file| file.orders).sum::<i64>();
    if u64::try_from(told)? != orders {
        breaks.push(format!("{told} orders are told of {orders}"));
    }
    for file in files {
        let (split, pools) = world
            .app
            .db
            .read_blocking(|tx| Ok((splits::order_amounts(tx, file)?, store::pools(tx, file)?)))?;
        if i64::try_from(split.len())? != file.orders {
            breaks.push(format!("{}: other rows than it has", file.name));
        }
        if Fen::sum(split.into_values()) != Some(file.total) || pools != file.total {
            breaks.push(format!("{}: its lines are not its pools", file.name));
        }
        let dir = desk.folder.out(file.business_date);
        let reader = SplReader::new(BufReader::new(dir.read(&file.name)?))?;
        match reader.finish()?.sound() {
            Ok(digest) if digest == file.sha256 => {}
            Ok(_) => breaks.push(format!("{}: other bytes than recorded", file.name)),
            Err(fault) => breaks.push(format!("{}: {fault}", file.name)),
        }
        if !exchange::is_published(&dir, &file.name) {
            breaks.push(format!("{}: not published", file.name));
        }
    }
    Ok(breaks)
}

/// Loads a bill of so many orders over the whole day, each with its own amount.
fn load(world: &World, day: BusinessDay, orders: u64) -> anyhow::Result<KeptBill> {
    ensure!(orders <= 10_000_000_000, "more orders than numbers");
    let institution = world.institution.id;
    let start = clock::micros(day.start());
    Ok(world.app.db.write_blocking(|tx| {
        let bill = store::add_bill(tx, institution, day, orders, world.app.clock.now())?;
        let mut sink = Sink::open(tx, day, institution)?;
        let mut batch = Vec::with_capacity(5000);
        for index in 0..orders {
            batch.push(order(&bill, start, index, orders));
            if batch.len() == 5000 {
                sink.add(tx, &batch)?;
                batch.clear();
            }
        }
        sink.add(tx, &batch)?;
        sink.close(tx)?;
        Ok(bill)
    })?)
}

/// The `index`th order: numbers of an institution's length that come in no order, paid evenly over the day.
fn order(bill: &KeptBill, start: i64, index: u64, of: u64) -> NewBilled {
    let scattered = index.wrapping_mul(7_919_313_371) % 10_000_000_000;
    let paid = 100 + i64::try_from(scattered % 50_000).unwrap_or_default();
    let second = i64::try_from(index * 86_400 / of.max(1)).unwrap_or_default();
    let day = bill.business_date;
    NewBilled {
        business_date: As(day),
        institution_id: bill.institution_id,
        bill_id: bill.id,
        paid_at: start.saturating_add(second.saturating_mul(1_000_000)),
        inst_order_no: format!("4200002041{day}{scattered:010}"),
        order_no: format!("BN01K{day}{index:015}"),
        merchant: merchant(usize::try_from(scattered).unwrap_or_default() % MERCHANTS),
        channel: "wechat".to_owned(),
        product: "native".to_owned(),
        tags: String::new(),
        parties: String::new(),
        paid: As(Fen::new(paid)),
        fee: As(Fen::new((paid * 38 + 5000) / 10_000)),
        subsidy: As(Fen::ZERO),
        sub_merchant_id: Some(MerchantId::new(1)),
        preview_digest: None,
    }
}

/// Lets the kernel count this process's peak anew; where it cannot, the peak stays what it was.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}
