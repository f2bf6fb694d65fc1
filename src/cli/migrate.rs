//! `mingfen migrate`: creates or upgrades the database.
use std::process::ExitCode;

use super::settings::{Settings, say};
use crate::db::{Backend, Create, Db, OpenError};

/// Creates or upgrades the database of the configured URL.
///
/// Example: `mingfen migrate --config mingfen.toml`
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Change nothing; end with 1 when a migration is pending.
    #[arg(long)]
    check: bool,
    /// Let this role of PostgreSQL use the database without owning it; `serve` and `work` connect as it. The role
    /// must exist. Later migrations remember it.
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    runtime_role: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let url = args.settings.load()?.database_url;
    let shown = Backend::of(&url)?.shown();
    if args.check {
        let pending = Db::pending(&url)?;
        for name in &pending {
            say(format_args!("pending: {name}"))?;
        }
        if !pending.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        return say(format_args!("the database {shown} is up to date")).map(|()| ExitCode::SUCCESS);
    }
    let lacking = match Db::pending(&url) {
        Err(OpenError::Missing(_)) => None,
        pending => Some(pending?.len()),
    };
    Db::open(&url, Create::Yes)?;
    for role in Db::let_in(&url, args.runtime_role.as_deref())? {
        say(format_args!("the role {role} may use it and owns nothing"))?;
    }
    let done = match lacking {
        None => "is made".to_owned(),
        Some(0) => "is up to date".to_owned(),
        Some(migrations) => format!("was upgraded: {migrations} migration(s) ran"),
    };
    say(format_args!("the database {shown} {done}"))?;
    Ok(ExitCode::SUCCESS)
}
