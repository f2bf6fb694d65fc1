//! `mingfen restore`: what `backup` wrote, into a place that holds nothing yet.
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail, ensure};

use super::backup::{DATABASE, FILES, POSTGRES, private, remove_database};
use super::check;
use super::settings::{Settings, say};
use crate::app::App;
use crate::clock::Clock;
use crate::db::{Backend, Create, Db};
use crate::disk::private_dir;
use crate::institutions;
use crate::protocol::crypto::MasterKey;

/// Put a backup where nothing is yet, upgrade it if it is older, and check it (SQLite)
///
/// The settings name the place: `database_url` must name no file yet, `data_dir` must have no `files` yet, and the
/// master key must be the one that the database was begun with. Exit 1: restored, but something is broken.
/// Example: `mingfen restore --config mingfen.toml /backup/mingfen-20260101.tar`
#[derive(clap::Args)]
pub struct Args {
    /// The archive that `mingfen backup` wrote
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Exit 0 = restored and nothing is broken.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    let Backend::Sqlite(database) = Backend::of(&config.database_url)? else { bail!(POSTGRES) };
    let master = config.master_key()?;
    let archive = args.archive.display();
    let input = File::open(&args.archive).with_context(|| format!("{archive} cannot be read"))?;
    let place = Place { files: config.data_dir.join(FILES), database };
    for taken in [&place.database, &place.files] {
        ensure!(!taken.exists(), "{} is there already: restore goes where nothing is", taken.display());
    }
    let put = place.unpack(input).with_context(|| format!("{archive}")).and_then(|()| {
        place.opens_with(&master)?;
        place.take()
    });
    place.clear();
    put.context("nothing was restored")?;
    say(format_args!("restored {} and {}", place.database.display(), place.files.display()))?;
    let app = App::open(config, Clock::system(), Create::Yes)?;
    check::report(&app)
}

/// Where the database and the files go. They have other names until all of them are there and open.
struct Place {
    database: PathBuf,
    files: PathBuf,
}

impl Place {
    fn staged(path: &Path) -> PathBuf {
        path.with_extension("restoring")
    }

    fn unpack(&self, input: File) -> anyhow::Result<()> {
        self.clear();
        for path in [&self.database, &self.files] {
            let dir = path.parent().unwrap_or(Path::new(""));
            if !dir.as_os_str().is_empty() {
                private_dir(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
            }
        }
        let (database, files) = (Self::staged(&self.database), Self::staged(&self.files));
        private_dir(&files).with_context(|| format!("{} cannot be made", files.display()))?;
        let mut archive = tar::Archive::new(BufReader::new(input));
        let mut read = 0_usize;
        for entry in archive.entries()? {
            let mut entry = entry.with_context(|| broken_off(read))?;
            let path = entry.path()?.into_owned();
            let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(plain && entry.header().entry_type().is_file(), "{} is in no backup", path.display());
            let to = if path == Path::new(DATABASE) {
                database.clone()
            } else {
                let below = path.strip_prefix(FILES);
                files.join(below.map_err(|_| anyhow!("{} is in no backup", path.display()))?)
            };
            private_dir(to.parent().filter(|dir| dir.starts_with(&files)).unwrap_or(&files))?;
            write(&mut entry, &to).with_context(|| format!("at {}: {}", path.display(), broken_off(1)))?;
            read = read.saturating_add(1);
        }
        ensure!(database.exists(), "this is no backup of mingfen: it has no {DATABASE}");
        Ok(())
    }

    /// A wrong master key is found out before anything has its name.
    fn opens_with(&self, master: &MasterKey) -> anyhow::Result<()> {
        let staged = Db::open(&format!("sqlite:{}", Self::staged(&self.database).display()), Create::Yes)?;
        Ok(staged.read_blocking(|tx| institutions::fits(tx, master))?)
    }

    /// The database gets its name last: until then nothing opens.
    fn take(&self) -> anyhow::Result<()> {
        std::fs::rename(Self::staged(&self.files), &self.files)?;
        let renamed = std::fs::rename(Self::staged(&self.database), &self.database);
        renamed.inspect_err(|_| drop(std::fs::rename(&self.files, Self::staged(&self.files))))?;
        Ok(())
    }

    /// Takes away what has no name yet.
    fn clear(&self) {
        remove_database(&Self::staged(&self.database));
        let _ = std::fs::remove_dir_all(Self::staged(&self.files));
    }
}

fn broken_off(read: usize) -> &'static str {
    if read == 0 { "this is no backup of mingfen" } else { "the archive is cut short, or the disk is full" }
}

fn write(from: &mut impl Read, to: &Path) -> anyhow::Result<()> {
    let mut file = private(to)?;
    std::io::copy(from, &mut file)?;
    Ok(file.sync_all()?)
}
