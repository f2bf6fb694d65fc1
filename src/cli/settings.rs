//! What commands share: the settings, the database, and a line on stdout.
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Create, Db};

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
    let app = App::open(config, Clock::system(), Create::No)?;
    if app.db.is_owner()? {
        tracing::warn!("this role owns the tables: run as one that `mingfen migrate --runtime-role` let in");
    }
    Ok(app)
}

/// Ends a runtime whose work was told to stop: a thread that waits for a disk that does not answer is left behind.
pub fn leave(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// One line on stdout.
pub fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
