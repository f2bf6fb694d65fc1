//! What commands share: the settings, the database, and a line on stdout.
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::backup::FILES;
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
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(refused)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"").with_context(refused)?;
    std::fs::remove_file(&probe).with_context(refused)
}

/// One line on stdout.
pub fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
