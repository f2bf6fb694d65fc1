//! `mingfen bench`: measures the product through its real path, beside anchors of the same run (`performance.md`).
//!
//! Only ratios inside one run mean anything: product and anchors take turns, at least three times, and medians count.
mod h0;
mod h1;
mod h2;
mod h4;
mod h6;
mod http;
mod pages;
mod report;
mod world;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

pub use report::{Anchor, Latency, PerSecond, Report, median, peak_rss};
pub use world::World;

/// Measure the product and print what was measured
///
/// Example: mingfen bench h1 --database postgres://USER@HOST/EMPTY --orders 60000 --connections 64 --json
#[derive(clap::Args)]
pub struct Args {
    /// What is measured: H0 orders placed, H1 payments taken, H2 the cut, H4 verify, H6 with years behind it, or pages
    what: What,
    /// An empty database, or one that an earlier bench began: `sqlite:PATH` or `postgres://…`
    #[arg(
        long,
        value_name = "URL",
        required = false,
        required_if_eq_any([("what", "h0"), ("what", "h1"), ("what", "h2"), ("what", "h6"), ("what", "pages")]),
        default_value_if("what", "h4", Some(""))
    )]
    database: String,
    /// How many orders
    #[arg(long)]
    orders: Option<u64>,
    /// H6: days behind the platform
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=2_000))]
    days: Option<u64>,
    /// H6: split files a day and institution
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=50))]
    files: Option<u64>,
    /// How long a round lasts at most
    #[arg(long)]
    seconds: Option<u64>,
    /// Connections of the load
    #[arg(long)]
    connections: Option<usize>,
    /// Where files are written; a directory of its own that is removed afterwards, unless it is named here
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// H4 with WeChat's own bill, which is in no order, instead of BIL files
    #[arg(long)]
    wechat: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Orders placed.
    H0,
    /// Payments taken.
    H1,
    /// The cut.
    H2,
    /// `verify`.
    H4,
    /// Years behind the platform.
    H6,
    /// Lists and details.
    Pages,
}

/// Exit 0 = measured and every invariant held, 1 = an invariant broke.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let report = match args.what {
        What::H0 => h0::run(&args)?,
        What::H1 => h1::run(&args)?,
        What::H2 => h2::run(&args)?,
        What::H4 => h4::run(&args)?,
        What::H6 => h6::run(&args)?,
        What::Pages => pages::run(&args)?,
    };
    writeln!(std::io::stdout(), "{}", if args.json { report.to_json()? } else { report.to_text() })?;
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
