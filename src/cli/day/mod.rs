//! `mingfen day cut`, `day settle` and `day repair`: business days of one institution. Safe to repeat.
mod repair;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::logs;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Create;
use crate::error::{Code, Error};
use crate::exchange::ExchangedFile;
use crate::institutions;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::MAX_ORDERS;
use crate::people::Actor;
use crate::settlement;
use crate::splits::{Cutting, Progress};
use crate::tasks::{cut_as_task, day_lease};

/// Cut, settle or repair business days
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    /// Fetch the bill, match it, propose every order's split and publish the SPL; again: the same bytes
    ///
    /// Days are cut in order: a day whose turn it is not is refused, and nothing is published.
    ///
    /// Example: mingfen day cut --institution SANDBOX --date 20260101
    Cut {
        #[command(flatten)]
        day: Day,
        /// Orders that a file holds at most; an institution may want less than the format's 100000
        #[arg(long, value_name = "ORDERS", default_value_t = MAX_ORDERS, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        most: u32,
    },
    /// Publish the STL, once the institution has executed the day's SPL; again: the same bytes
    ///
    /// Example: mingfen day settle --institution SANDBOX --date 20260101
    Settle(Day),
    /// Name void files without successor, oldest day first, and cut their days again; exit 1 if one still lacks something
    ///
    /// Example: mingfen day repair --institution SANDBOX --dry-run
    Repair {
        #[command(flatten)]
        of: Of,
        /// Only say what each lacks
        #[arg(long)]
        dry_run: bool,
    },
}

impl Step {
    const fn of(&self) -> &Of {
        match self {
            Step::Cut { day, .. } | Step::Settle(day) => &day.of,
            Step::Repair { of, .. } => of,
        }
    }
}

#[derive(clap::Args)]
struct Day {
    #[command(flatten)]
    of: Of,
    /// Business day in Asia/Shanghai, yyyyMMdd
    #[arg(long, value_parser = day)]
    date: BusinessDay,
}

#[derive(clap::Args)]
struct Of {
    /// Code of the institution
    #[arg(long)]
    institution: String,
    /// Settings in TOML; `MINGFEN_…` variables go over them
    #[arg(long, env = "MINGFEN_CONFIG")]
    config: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Seconds that another process has to finish: longer than a lease outlives its process.
const WAITS: u32 = 45;

fn day(text: &str) -> Result<BusinessDay, String> {
    BusinessDay::parse(text).ok_or_else(|| "write it as yyyyMMdd, for example 20260101".to_owned())
}

/// Exit 0 = done, 1 = refused, and why, or a void file still lacks its successor.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.step.of().config.as_deref())?;
    logs::start(&config)?;
    let app = App::open(config, Clock::system(), Create::No)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(alone(&app, &args.step)) {
        Ok((text, is_done)) => {
            writeln!(std::io::stdout(), "{text}")?;
            Ok(ExitCode::from(u8::from(!is_done)))
        }
        Err(Error::Refused { code, detail }) => {
            let (id, what, advice) = (code.id(), code.sentence_en(), code.advice_en());
            writeln!(std::io::stderr(), "{id} {what}: {detail}. What to do: {advice}.")?;
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error).context("the day was left as it was"),
    }
}

/// No other process may be at work on the institution's days meanwhile; it has a while to finish.
async fn alone(app: &App, todo: &Step) -> Result<(String, bool), Error> {
    let institution = &todo.of().institution;
    for _ in 0..WAITS {
        if let Some(done) = app.leases.hold(&app.db, &day_lease(institution), step(app, todo)).await? {
            return Ok(done);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(Error::refused(Code::DayBusy, institution.as_str()))
}

/// What is printed, and whether all of it is done.
async fn step(app: &App, step: &Step) -> Result<(String, bool), Error> {
    let (code, json) = (step.of().institution.clone(), step.of().json);
    let found = app.db.read(move |tx| institutions::by_code(tx, &code)).await?;
    let desk = app.desk(found.id).await?;
    let text = match step {
        Step::Repair { dry_run, .. } => return repair::repair(app, &desk, *dry_run, json).await,
        Step::Cut { day: Day { date, .. }, most } => {
            let channels = app.channels_of(&desk.institution).await?;
            let quiet = Cutting { most: *most, ..Cutting::default() };
            let cutting = if json { quiet } else { Cutting { watch: Arc::new(show), ..quiet } };
            let report = cut_as_task(app, &desk, &channels, *date, cutting, &Actor::shell()).await?;
            let (orders, differences) = (report.orders, report.differences);
            if json {
                let files: Vec<_> = report.files.iter().map(told).collect();
                json!({"files": files, "made": report.made, "orders": orders, "differences": differences})
                    .to_string()
            } else {
                let mut lines: Vec<String> = report.files.iter().map(line).collect();
                lines.push(format!("{orders} orders in the bill, {differences} differences from our record"));
                lines.join("\n")
            }
        }
        Step::Settle(Day { date, .. }) => {
            let report = settlement::settle(&app.db, &app.clock, &desk, *date).await?;
            if json {
                json!({"files": [told(&report.file)], "made": usize::from(report.made)}).to_string()
            } else {
                line(&report.file)
            }
        }
    };
    Ok((text, true))
}

/// How far the cut is, on stderr: one line that changes on a terminal, else a line each.
fn show(progress: Progress) {
    let text = match progress {
        Progress::Bill => "fetching and matching the bill".to_owned(),
        Progress::Billed(orders) => format!("{orders} orders in the bill"),
        Progress::Told(orders) => format!("{orders} orders split and stored"),
        Progress::Keys => "making the keys".to_owned(),
        Progress::Recorded => "publishing".to_owned(),
        Progress::Published(files) => format!("{files} files published"),
    };
    let mut out = std::io::stderr();
    // Who does not look at it misses nothing.
    let _ = if out.is_terminal() { write!(out, "\r\x1b[K{text}") } else { writeln!(out, "{text}") };
}

fn told(file: &ExchangedFile) -> serde_json::Value {
    json!({"name": file.name, "sha256": file.sha256.to_string(), "orders": file.orders, "lines": file.lines,
        "total": file.total.get()})
}

fn line(file: &ExchangedFile) -> String {
    let ExchangedFile { name, orders, lines, total, sha256, .. } = file;
    format!("{name}  {orders} + {lines} lines  ¥{}  {sha256}", total.yuan())
}
