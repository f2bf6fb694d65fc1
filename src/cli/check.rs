//! `mingfen check`: tells what of the record is broken.
use std::process::ExitCode;

use super::settings::{Settings, say};
use crate::app::App;
use crate::check::{Repaired, breaks, repair_derived, stuck};
use crate::clock::Clock;
use crate::db::Create;

/// How many breaks are told.
const TOLD: usize = 20;

/// Check every invariant: evidence, payments, splits, settlements, files, chains; exit 1 with the first breaks, or with
/// what keeps days from being settled and will not go away by itself
///
/// Example: `mingfen check --config mingfen.toml`
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Make the tables anew that only follow from the record (standings, unsplit orders, sums of days), then check
    #[arg(long)]
    repair_derived: bool,
}

/// Exit 0 = nothing is broken.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let app = App::open(args.settings.load()?, Clock::system(), Create::No)?;
    if args.repair_derived {
        let Repaired { standings, unsplit, ledger_days } = repair_derived(&app)?;
        say(format_args!(
            "made anew: {standings} standings of files, {unsplit} unsplit orders, {ledger_days} sums of days"
        ))?;
    }
    let sound = report(&app)?;
    let stuck = stuck(&app)?;
    for one in stuck.iter().take(TOLD) {
        say(one)?;
    }
    if stuck.is_empty() {
        return Ok(sound);
    }
    say(format_args!("{} things keep days from being settled: people must look at them", stuck.len()))?;
    Ok(ExitCode::FAILURE)
}

/// Tells what is broken. Exit 0 = nothing.
pub(super) fn report(app: &App) -> anyhow::Result<ExitCode> {
    let breaks = breaks(app)?;
    for found in breaks.iter().take(TOLD) {
        say(found)?;
    }
    if breaks.is_empty() {
        say("ok: nothing is broken")?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("{} breaks; restore from a backup and find out who changed this", breaks.len()))?;
    Ok(ExitCode::FAILURE)
}
