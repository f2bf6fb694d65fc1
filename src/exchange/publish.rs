//! Files on disk: where they lie, and how one is published so that a crash never leaves half of it.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::{Digest, Hasher};
use crate::protocol::crypto::{base64, from_base64};

/// The exchange directory of one institution: `files/{INST}` with `out/{yyyyMMdd}/` and `in/`.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The directory of `institution` under the configured data directory.
    pub fn new(data_dir: &Path, institution: &str) -> Self {
        Self { root: data_dir.join("files").join(institution) }
    }

    /// Where files of a business day are published.
    pub fn out(&self, day: BusinessDay) -> PathBuf {
        self.root.join("out").join(day.to_string())
    }

    /// Names of everything that lies under `out/` as published.
    pub fn published(&self) -> Result<Vec<String>, Error> {
        let (out, mut names) = (self.root.join("out"), Vec::new());
        if !out.exists() {
            return Ok(names);
        }
        for day in fs::read_dir(out)? {
            for entry in fs::read_dir(day?.path())? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                names.extend(name.strip_suffix(".ok").map(str::to_owned));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where the institution's files arrive.
    pub fn inbox(&self) -> PathBuf {
        self.root.join("in")
    }
}

/// Where a file of this name is written before it is published; a leftover of a crash is written over.
pub fn staged(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!(".{name}.part"))
}

/// Opens the staged file for writing, its directory made if need be.
pub fn stage(dir: &Path, name: &str) -> Result<File, Error> {
    fs::create_dir_all(dir)?;
    Ok(OpenOptions::new().write(true).create(true).truncate(true).open(staged(dir, name))?)
}

/// Publishes the staged file: the file, its `.sig`, then the empty `.ok` last (`files.md`), each on disk before
/// the next. Doing it again, after a crash at any point too, leaves the same; other bytes under a published
/// name are refused.
pub fn publish(dir: &Path, name: &str, digest: &Digest, signature: &[u8]) -> Result<(), Error> {
    if is_published(dir, name) {
        let there = digest_of(&dir.join(name))?;
        return if there == *digest { mend_signature(dir, name, signature) } else { Err(other_bytes(name)) };
    }
    let (staged, out) = (staged(dir, name), dir.join(name));
    if !staged.exists() || digest_of(&staged)? != *digest {
        if digest_of(&out)? != *digest {
            return Err(other_bytes(name));
        }
        if staged.exists() {
            fs::remove_file(&staged)?;
        }
    }
    put_out(dir, name, signature)
}

/// [`publish`] of a staged file whose bytes are known to be the recorded ones.
pub(super) fn put_out(dir: &Path, name: &str, signature: &[u8]) -> Result<(), Error> {
    let staged = staged(dir, name);
    if staged.exists() {
        File::open(&staged)?.sync_all()?;
        fs::rename(&staged, dir.join(name))?;
    }
    write_synced(&dir.join(format!("{name}.sig")), format!("{}\n", base64(signature)).as_bytes())?;
    sync_dir(dir)?;
    write_synced(&dir.join(format!("{name}.ok")), b"")?;
    sync_dir(dir)
}

/// An institution that answers `E_SIGN` asks for the signature again: a damaged one is written anew.
fn mend_signature(dir: &Path, name: &str, signature: &[u8]) -> Result<(), Error> {
    if signature_of(dir, name).is_ok_and(|there| there == signature) {
        return Ok(());
    }
    let beside = format!("{name}.sig");
    write_synced(&staged(dir, &beside), format!("{}\n", base64(signature)).as_bytes())?;
    fs::rename(staged(dir, &beside), dir.join(&beside))?;
    sync_dir(dir)
}

/// Gives a published file another name: its `.ok` goes first, so that no half of it is ever published.
pub(super) fn set_aside(dir: &Path, name: &str, aside: &str) -> Result<(), Error> {
    for end in [".ok", ".sig", ""] {
        let from = dir.join(format!("{name}{end}"));
        if from.exists() {
            fs::rename(from, dir.join(format!("{aside}{end}")))?;
        }
    }
    sync_dir(dir)
}

/// Whether the file's `.ok` is there: without it a file is not published.
pub fn is_published(dir: &Path, name: &str) -> bool {
    dir.join(format!("{name}.ok")).is_file()
}

/// SHA-256 of a file's bytes, read in pieces.
pub fn digest_of(path: &Path) -> Result<Digest, Error> {
    let mut hasher = HashingSink(Hasher::new());
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.0.finish())
}

/// The signature beside a file.
pub fn signature_of(dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let text = fs::read_to_string(dir.join(format!("{name}.sig")))?;
    parse_signature(&text).ok_or_else(|| Error::Refused {
        code: Code::FileSignature,
        detail: format!("{name}.sig is not base64"),
    })
}

/// Base64 text of a `.sig` file, with or without a last line end.
pub fn parse_signature(text: &str) -> Option<Vec<u8>> {
    from_base64(text.trim_end())
}

struct HashingSink(Hasher);

impl Write for HashingSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn other_bytes(name: &str) -> Error {
    Error::Internal(format!("{name} on disk is not the file that was recorded; run `mingfen check`"))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Puts a directory's entries on disk.
pub fn sync_dir(dir: &Path) -> Result<(), Error> {
    Ok(File::open(dir)?.sync_all()?)
}
