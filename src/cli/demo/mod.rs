//! `mingfen demo`: a whole platform, a sandbox institution and a merchant's system, playing a few business days.
mod found;
mod papers;
mod proof;
pub mod scenery;
mod shop;
mod timeline;
mod world;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::clock::Clock;
use crate::config::Config;
use crate::kernel::calendar::Instant;
use crate::tasks::Jobs;

pub use papers::{Login, Papers, lists_login};
pub use proof::verify_all;
pub use timeline::{close, open_order, play};
pub use world::{Setup, World};

/// A whole platform with a sandbox institution, on SQLite, in a minute
///
/// Example: mingfen demo --data ./mingfen-demo
#[derive(clap::Args)]
pub struct Args {
    /// Where everything is kept; a later start goes on from there. Not for production
    #[arg(long, default_value = "mingfen-demo")]
    data: PathBuf,
    /// Where the site listens; the sandbox takes the next port, of this machine alone
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Orders a day
    #[arg(long, default_value_t = 600)]
    orders: usize,
    /// Days, the last of them today
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=31))]
    days: u32,
    /// Stop after the last step; exit 0 only if every step held, verify included
    #[arg(long)]
    exit: bool,
}

/// Plays the days, then serves, or with `--exit` ends.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    ensure!(args.orders <= 100_000, "--orders: at most 100000 a day");
    let log_filter = "warn".to_owned();
    super::logs::start(&Config { log_filter, ..Config::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let played = runtime.block_on(demo(&args));
    super::settings::leave(runtime);
    match played {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if args.exit => {
            writeln!(std::io::stderr(), "the demo did not hold: {error:#}")?;
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error),
    }
}

async fn demo(args: &Args) -> anyhow::Result<()> {
    let now = Clock::system().instant();
    let clock = Clock::system();
    let world = World::open(setup(args, &clock, now)?).await?;
    let dir = args.data.canonicalize()?;
    if let Err(error) = finish(args, &world, now, &dir).await {
        ensure!(!args.exit, "{error:#}");
        // A day that went wrong is to be looked at, on the pages too.
        say(&format!("the demo did not hold: {error:#}"));
    }
    for line in proof::summary(&world).await? {
        say(&line);
    }
    let cashier = open_order(&world).await?;
    print_addresses(&world, &dir, &cashier)?;
    // From here on the clock is the system's.
    clock.set(Clock::system().instant());
    if !args.exit {
        let jobs = Jobs::start(&world.app);
        super::sandbox::told_to_stop().await;
        jobs.stop().await;
    }
    world.stop().await;
    Ok(())
}

/// Plays the days and verifies what was settled.
async fn finish(args: &Args, world: &World, now: Instant, dir: &Path) -> anyhow::Result<()> {
    play(world, args.days, args.orders, now, say).await?;
    let days = verify_all(world, dir).await?;
    say(&format!("verified with both keys: {days} days, every fen is explained"));
    Ok(())
}

fn setup(args: &Args, clock: &Clock, now: Instant) -> anyhow::Result<Setup> {
    let papers = Papers::new(&args.data)?;
    let next =
        SocketAddr::new(sandbox_ip(args.listen), args.listen.port().checked_add(1).context("--listen")?);
    let not_had = |address: SocketAddr| format!("{address} cannot be listened on: choose another --listen");
    let today = now.business_day();
    Ok(Setup {
        dir: args.data.canonicalize()?,
        database_url: format!("sqlite:{}", database(&args.data)?.display()),
        master_key: papers.master_key()?,
        listener: TcpListener::bind(args.listen).with_context(|| not_had(args.listen))?,
        sandbox_listener: super::sandbox::bind(next).with_context(|| not_had(next))?,
        clock: clock.clone(),
        first_day: (1..args.days).fold(today, |day, _| day.prev()),
    })
}

/// Whoever may see the site may not control the institution.
fn sandbox_ip(listen: SocketAddr) -> IpAddr {
    if listen.ip().is_loopback() { listen.ip() } else { Ipv4Addr::LOCALHOST.into() }
}

fn database(dir: &Path) -> anyhow::Result<PathBuf> {
    Ok(dir.canonicalize()?.join("mingfen.db"))
}

fn print_addresses(world: &World, dir: &Path, cashier: &str) -> anyhow::Result<()> {
    let papers = Papers::new(dir)?;
    let rows = [
        ("platform", world.site_url.clone(), "log in with one of the rows below"),
        ("cashier", cashier.to_owned(), "pay this order, then find it on the platform"),
        ("sandbox", world.sandbox_url.clone(), "a licensed institution: open orders, faults"),
        ("SDK", format!("python3 {}", papers.snippet().display()), "six lines that place an order"),
        (
            "settings",
            format!("mingfen check --config {}", papers.settings_file().display()),
            "or any other command",
        ),
        ("directory", dir.display().to_string(), "keys, files, credentials; not for production"),
    ];
    say("");
    for (what, which, why) in rows {
        say(&format!("{what:<12}{which}   ({why})"));
    }
    say("");
    for login in &world.logins {
        let gone = "(no longer the demo's: mingfen user reset)";
        let password = if login.password.is_empty() { gone } else { login.password.as_str() };
        say(&format!("{:<12}  {:<14}  {}  {}", login.role, login.login, password, login.name));
    }
    Ok(())
}

/// A line on stdout; a closed pipe does not end the demo.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
