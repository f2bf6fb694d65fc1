//! `mingfen backup`: everything that a restore needs but the master key, in one file, taken while others go on.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};

use super::settings::{Settings, say};
use crate::db::{Create, Db};
use crate::disk::{self, Dir};
use crate::exchange::{self, ExchangedFile, Folder};
use crate::institutions;

/// Name of the database in the archive.
pub(super) const DATABASE: &str = "mingfen.db";
/// Directory of the exchanged files, in the archive and below `data_dir`.
pub(super) const FILES: &str = "files";
/// What is told where the database is PostgreSQL's.
pub(super) const POSTGRES: &str = "on PostgreSQL use pg_dump (or pg_basebackup) and then copy data_dir; after \
     restoring both run `mingfen check` (README, Backup)";

/// Write everything but the master key into one new file, while the platform goes on (SQLite)
///
/// FILE is a tar archive, readable by its owner alone: the database as of one moment, the files that were published
/// until then, and all that was taken in from institutions, each with the recorded bytes. The master key is not in it: keep it elsewhere, nothing opens without.
/// Example: `mingfen backup --config mingfen.toml /backup/mingfen-20260101.tar`
#[derive(clap::Args)]
pub struct Args {
    /// The archive to write; it must not exist
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Exit 0 = written and on disk; 1 = written, but a recorded file has other bytes on disk and is left out.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (config, db) = args.settings.open()?;
    let file = &args.archive;
    ensure!(!file.exists(), "{} is there already: a backup never goes over another", file.display());
    let (copy, part) = (beside(file, "db"), beside(file, "part"));
    let written = copy_database(&db, &copy).and_then(|()| archive(&copy, &part, &config.data_dir));
    remove_database(&copy);
    match written.and_then(|files| publish(&part, file).map(|()| files)) {
        Ok(Written { files, left_out }) => {
            let size = std::fs::metadata(file)?.len();
            say(format_args!("{}: the database and {files} files, {size} bytes", file.display()))?;
            for why in &left_out {
                say(format_args!("left out: {why}"))?;
            }
            Ok(if left_out.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Err(error) => {
            let _ = std::fs::remove_file(&part);
            Err(error.context(format!("{} was not written", file.display())))
        }
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{ending}"))
}

/// Takes away a copy of a database and what SQLite may have laid beside it.
pub(super) fn remove_database(copy: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut file = copy.as_os_str().to_owned();
        file.push(ending);
        let _ = std::fs::remove_file(file);
    }
}

/// The copy is private before a byte of it is written.
fn copy_database(db: &Db, copy: &Path) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(copy);
    private(copy)?;
    ensure!(db.copy_to(copy)?, POSTGRES);
    Ok(())
}

pub(super) fn private(path: &Path) -> anyhow::Result<File> {
    disk::create_private(path).with_context(|| format!("{} cannot be made", path.display()))
}

/// What went into the archive.
struct Written {
    files: usize,
    /// Recorded files whose bytes on disk are others: they are no backup of anything.
    left_out: Vec<String>,
}

/// The database first: a file that it does not know yet was published after its moment and is left out.
fn archive(copy: &Path, part: &Path, data_dir: &Path) -> anyhow::Result<Written> {
    let _ = std::fs::remove_file(part);
    let mut tar = tar::Builder::new(BufWriter::new(private(part)?));
    tar.append_path_with_name(copy, DATABASE)?;
    let mut written = Written { files: 0, left_out: Vec::new() };
    for (folder, file) in recorded(copy, data_dir)? {
        let bytes = match folder.open(&file) {
            Ok(Some(bytes)) => bytes,
            // It is made anew where it is ours, and `check` says so where it is not.
            Ok(None) => continue,
            Err(error) => {
                written.left_out.push(format!("{}: {error}", file.name));
                continue;
            }
        };
        let dir = folder.of(&file)?;
        // `.ok` first: where it is, the others are complete.
        for beside in [".ok", ".sig"].map(|end| format!("{}{end}", file.name)) {
            if dir.has(&beside)? {
                append(&mut tar, data_dir, &dir, &beside, dir.read(&beside)?)?;
            }
        }
        append(&mut tar, data_dir, &dir, &file.name, bytes)?;
        written.files = written.files.saturating_add(1);
    }
    let mut out = tar.into_inner()?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(written)
}

fn append(
    tar: &mut tar::Builder<BufWriter<File>>,
    data_dir: &Path,
    dir: &Dir,
    name: &str,
    mut bytes: File,
) -> anyhow::Result<()> {
    let path = dir.path().join(name);
    let place = path.strip_prefix(data_dir)?;
    tar.append_file(place, &mut bytes).with_context(|| path.display().to_string())
}

/// Every file that the copied database knows: what we published, and what we took in.
fn recorded(copy: &Path, data_dir: &Path) -> anyhow::Result<Vec<(Folder, ExchangedFile)>> {
    let known = Db::open(&format!("sqlite:{}", copy.display()), Create::No)?;
    let files = known.read_blocking(|tx| {
        let mut all = Vec::new();
        for institution in institutions::all(tx)? {
            let folder = Folder::new(data_dir, &institution.code);
            let files = exchange::all(tx, institution.id)?;
            all.extend(files.into_iter().map(|file| (folder.clone(), file)));
        }
        Ok(all)
    });
    Ok(files?)
}

/// Gives the finished archive its name, for good.
fn publish(part: &Path, file: &Path) -> anyhow::Result<()> {
    ensure!(!file.exists(), "{} is there already", file.display());
    std::fs::rename(part, file)?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(dir)?.sync_all()?)
}
