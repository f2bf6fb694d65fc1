//! What commands share: the settings, the database, and a line on stdout.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::backup::FILES;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Create, Db};
use crate::disk::private_dir;

/// Where the settings come from.
#[derive(clap::Args)]
pub struct Settings {
    /// Settings in TOML; `MINGFEN_…` variables go over them.
    #[arg(long = "config", env = "MINGFEN_CONFIG", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Settings {
    /// The settings of the file and the environment.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.file.as_deref())?)
    }

    /// The settings and the database that they name, which must exist and be up to date.
    pub fn open(&self) -> anyhow::Result<(Config, Db)> {
        let config = self.load()?;
        let db = Db::open(&config.database_url, Create::No)?;
        Ok((config, db))
    }
}

/// Opens the platform for a process that stays, and warns when it could do more to the database than it has to.
pub fn open_to_stay(config: Config) -> anyhow::Result<App> {
    let files = config.data_dir.join(FILES);
    let app = App::open(config, Clock::system(), Create::No)?;
    writable(&files)?;
    if app.db.is_owner()? {
        tracing::warn!("this role owns the tables: run as one that `mingfen migrate --runtime-role` let in");
    }
    Ok(app)
}

/// Files are published days after the start; that they cannot be is better known now.
fn writable(folder: &Path) -> anyhow::Result<()> {
    let refused = || {
        format!(
            "data_dir: {} cannot be written: choose another data_dir or let this user write",
            folder.display()
        )
    };
    private_dir(folder).with_context(refused)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"").with_context(refused)?;
    std::fs::remove_file(&probe).with_context(refused)
}

/// Ends a runtime whose work was told to stop: a thread that waits for a disk that does not answer is left behind.
pub fn leave(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// One line on stdout.
pub fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
