//! `mingfen restore`: what `backup` wrote, into a place that holds nothing yet.
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use super::backup::{DATABASE, FILES, POSTGRES, private};
use super::check;
use super::settings::{Settings, say};
use crate::app::App;
use crate::clock::Clock;
use crate::db::{Backend, Create};
use crate::disk::private_dir;

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
    config.master_key()?;
    let input =
        File::open(&args.archive).with_context(|| format!("{} cannot be read", args.archive.display()))?;
    let files = config.data_dir.join(FILES);
    for place in [&database, &files] {
        ensure!(!place.exists(), "{} is there already: restore goes where nothing is", place.display());
    }
    unpack(input, &database, &config.data_dir)
        .with_context(|| format!("not restored; remove {} and {}", database.display(), files.display()))?;
    say(format_args!("restored {} and {}", database.display(), files.display()))?;
    let app = App::open(config, Clock::system(), Create::Yes)?;
    check::report(&app)
}

/// The database gets its name last: until then nothing opens.
fn unpack(input: File, database: &Path, data_dir: &Path) -> anyhow::Result<()> {
    let staged = database.with_extension("restoring");
    for dir in [database.parent().unwrap_or(Path::new("")), data_dir] {
        if !dir.as_os_str().is_empty() {
            private_dir(dir)?;
        }
    }
    let mut found = false;
    let mut archive = tar::Archive::new(BufReader::new(input));
    for entry in archive.entries()? {
        let mut entry = entry.context("this is no backup of mingfen")?;
        let path = entry.path()?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(plain && entry.header().entry_type().is_file(), "{} is in no backup", path.display());
        if path == Path::new(DATABASE) {
            let _ = std::fs::remove_file(&staged);
            found = true;
            write(&mut entry, &staged)?;
        } else {
            ensure!(path.starts_with(FILES), "{} is in no backup", path.display());
            let to = data_dir.join(&path);
            private_dir(to.parent().unwrap_or(data_dir))?;
            write(&mut entry, &to)?;
        }
    }
    ensure!(found, "this is no backup of mingfen: it has no {DATABASE}");
    std::fs::rename(&staged, database)?;
    Ok(())
}

fn write(from: &mut impl Read, to: &Path) -> anyhow::Result<()> {
    let mut file = private(to)?;
    std::io::copy(from, &mut file)?;
    Ok(file.sync_all()?)
}
