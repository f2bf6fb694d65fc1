//! `mingfen keys rotate`: the platform's own keys.
use std::process::ExitCode;

use anyhow::Context;

use super::channel::days;
use crate::cli::settings::{Settings, say};
use crate::clock::Clock;
use crate::institutions::{self, OurPurpose};
use crate::people::Actor;

/// The platform's own keys
///
/// Example: mingfen keys rotate --purpose wechat
#[derive(clap::Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a new key, published at once: it signs after some days, also in what serves already; the old one verifies on
    ///
    /// Example: mingfen keys rotate --purpose wechat --overlap-days 7
    Rotate {
        #[command(flatten)]
        settings: Settings,
        /// wechat (answers and notifications to merchants) or files (what is published for institutions)
        #[arg(long)]
        purpose: String,
        /// After how many days it signs, at most 90: until then who verifies it fetches it
        #[arg(long, value_name = "DAYS", default_value_t = 1)]
        after_days: i64,
        /// How many days the old key counts beside the new one then, at most 90
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        overlap_days: i64,
    },
}

/// Runs the command.
pub fn run(args: &KeysArgs) -> anyhow::Result<ExitCode> {
    let Command::Rotate { settings, purpose, after_days, overlap_days } = &args.command;
    let purpose = OurPurpose::parse(purpose)
        .with_context(|| format!("--purpose: `{purpose}` is neither wechat nor files"))?;
    let (config, db) = settings.open()?;
    let (master, now) = (config.master_key()?, Clock::system().instant());
    let (lead, overlap) = (days(*after_days), days(*overlap_days));
    let rotate = |tx: &mut crate::db::Tx<'_>| {
        institutions::rotate(tx, &master, now, &Actor::shell(), purpose, (lead, overlap))
    };
    let serial = db.write_blocking(rotate)?;
    say(format_args!("the {purpose} key is {serial}, after {after_days} day(s)"))?;
    Ok(ExitCode::SUCCESS)
}
