//! H6: the same day's work and the same pages on a platform that has three years behind it, against three days (B17).
//!
//! One platform with two institutions: the newest three days of the past are filled and everything is measured, five
//! times; then the years before them are filled, and everything is measured again. Keys follow the days, so that the
//! years lie before the days as they would in a platform that has grown.
mod fill;
mod round;

use std::collections::BTreeMap;
use std::fs;

use actix_web::HttpServer;
use actix_web::web::Data;

use self::fill::{MERCHANTS, Past};
use self::round::Round;
use super::pages::{Asked, Filler, LOGINS, PASSWORD, Readers, Visit, dialect};
use super::world::World;
use super::{Anchor, Args, Latency, Report, median, peak_rss};
use crate::exchange;
use crate::kernel::calendar::BusinessDay;
use crate::people::{Actor, Role, Scope, password, users};
use crate::web::site;

const DAYS: u64 = 1_100;
const FILES: u64 = 20;
const ORDERS: u64 = 2_000_000;
/// Days behind the platform that the years are held against.
const SHORT: i64 = 3;
const ROUNDS: i64 = 5;
/// Days that are filled in one transaction.
const CHUNK: i64 = 25;

/// What one side measured: milliseconds by part.
type Parts = BTreeMap<&'static str, Vec<f64>>;

pub(super) fn run(args: &Args) -> anyhow::Result<Report> {
    let own = match &args.data {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("mingfen-bench-h6-{}", std::process::id())),
    };
    fs::create_dir_all(&own)?;
    let world = World::create(&args.database, &own, usize::try_from(MERCHANTS)?)?;
    let outcome = measure(&world, args);
    if args.data.is_none() {
        fs::remove_dir_all(&own)?;
    }
    outcome
}

/// The past with everything that is asked for, and the first day of the rounds.
fn plan(world: &World, args: &Args) -> anyhow::Result<(Past, BusinessDay)> {
    let (days, files) = (args.days.unwrap_or(DAYS).max(4), args.files.unwrap_or(FILES).max(1));
    let orders = args.orders.unwrap_or(ORDERS) / (days * files * 2);
    let today = world.app.clock.today();
    // The rounds' days are over, one after the other.
    let end = (0..ROUNDS * 2).fold(today, |day, _| day.prev());
    let other = world.second(usize::try_from(MERCHANTS)?)?;
    let past = Past {
        dialect: dialect(world.app.db.backend()),
        days: i64::try_from(days)?,
        files: i64::try_from(files)?,
        orders: i64::try_from(orders.max(1))?,
        institutions: [
            (world.institution.id.get(), world.first_merchant()?.get()),
            (other.0.get(), other.1.get()),
        ],
        tenant: world.tenant.get(),
        credential: world.credential.get(),
        end,
    };
    Ok((past, end))
}

fn measure(world: &World, args: &Args) -> anyhow::Result<Report> {
    let (past, first) = plan(world, args)?;
    let mut filler = Filler::open(world.app.db.backend())?;
    let newest = past.days.saturating_sub(SHORT);
    fill(&mut filler, &past, newest.saturating_add(1), past.days)?;
    let (hash, at) = (password::hash(PASSWORD)?, world.app.clock.now());
    let [ops, _, _, inst] = LOGINS;
    for login in LOGINS {
        let (role, scope) = match login {
            login if login == ops => (Role::Admin, Scope::Platform),
            login if login == inst => (Role::InstMaker, Scope::Institution(world.institution.id)),
            _ => (Role::Merchant, Scope::Merchant(world.first_merchant()?)),
        };
        let user = users::NewUser { login, name: login, role, scope, password_hash: &hash };
        world.app.db.write_blocking(|tx| users::add(tx, at, &Actor::shell(), &user))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let before = runtime.block_on(side(world, &past, first))?;
    fill(&mut filler, &past, 1, newest)?;
    let middle = (0..ROUNDS).fold(first, |day, _| day.next());
    let after = runtime.block_on(side(world, &past, middle))?;
    let breaks = world.app.db.read_blocking(exchange::standing_breaks)?;
    report(world, &past, &before, &after, &breaks)
}

fn fill(filler: &mut Filler, past: &Past, from: i64, to: i64) -> anyhow::Result<()> {
    let mut begun = from;
    while begun <= to {
        let end = to.min(begun.saturating_add(CHUNK).saturating_sub(1));
        filler.transaction(&past.days(begun, end))?;
        begun = end.saturating_add(1);
    }
    filler.settle(&["exchanged_file", "file_result", "bill", "pay_order"], past.keys().max(past.all_orders()))
}

/// Everything, five times.
async fn side(world: &World, past: &Past, first: BusinessDay) -> anyhow::Result<Parts> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let state = Data::new(world.app.clone());
    let server = HttpServer::new(move || site(state.clone())).workers(2).disable_signals();
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let readers = Readers::log_in(&base).await?;
    let mut parts = Parts::new();
    let mut day = first;
    for n in 0..ROUNDS {
        let Round { cut, gate, settle, again } =
            round::work(world, day, past.files.saturating_mul(past.orders), past.files).await?;
        for (part, took) in [("cut", cut), ("gate", gate), ("settle", settle), ("day cut again", again)] {
            parts.entry(part).or_default().push(took);
        }
        let [ops, _, _, inst] = LOGINS;
        let order = past.newest_order(n);
        for (part, login, path, shows) in [
            ("desk", ops, "/admin".to_owned(), "<h1"),
            ("inbox", inst, "/institution".to_owned(), "<h1"),
            ("order page", ops, format!("/admin/orders/{order}"), order.as_str()),
        ] {
            parts.entry(part).or_default().push(read(&readers, part, login, &path, shows).await?);
        }
        day = day.next();
    }
    handle.stop(false).await;
    serving.await??;
    Ok(parts)
}

/// A page, twice: what is read from disk for the first time is not the past's cost. The second time counts.
async fn read(
    readers: &Readers,
    page: &'static str,
    login: &'static str,
    path: &str,
    shows: &str,
) -> anyhow::Result<f64> {
    let asked = Asked { path: path.to_owned(), shows: vec![shows.to_owned()] };
    let visit = Visit { page, login, ask: Box::new(|_, _| Asked { path: String::new(), shows: Vec::new() }) };
    let mut took = 0.0;
    for _ in 0..2 {
        let (time, complaint) = readers.read(&visit, &asked).await?;
        anyhow::ensure!(complaint.is_none(), "{complaint:?}");
        took = time;
    }
    Ok(took)
}

fn report(
    world: &World,
    past: &Past,
    before: &Parts,
    after: &Parts,
    breaks: &[String],
) -> anyhow::Result<Report> {
    let mut bars = BTreeMap::new();
    let (mut pages, mut worst, mut seconds) = (BTreeMap::new(), 0.0_f64, 0.0);
    let mut anchor = 0.0;
    for (part, times) in after {
        let (long, short) = (median(times.clone()), median(before.get(part).cloned().unwrap_or_default()));
        let ratio = if short > 0.0 { long / short } else { 0.0 };
        bars.insert(*part, ratio);
        worst = worst.max(ratio);
        seconds += long / 1_000.0;
        anchor += short / 1_000.0;
        let most = times.iter().copied().fold(0.0, f64::max);
        pages.insert(*part, Latency { p50: long, p95: None, p99: most });
    }
    bars.insert("B17", worst);
    Ok(Report {
        bench: "h6",
        database: world.database(),
        orders: u64::try_from(past.all_orders())?,
        rounds: usize::try_from(ROUNDS)?,
        seconds,
        pages,
        peak_rss_bytes: peak_rss()?,
        anchors: vec![Anchor {
            name: "the same with three days behind it",
            seconds: anchor,
            ..Anchor::default()
        }],
        bars,
        invariants: if breaks.is_empty() { "ok".to_owned() } else { breaks.join("; ") },
        ..Report::default()
    })
}
