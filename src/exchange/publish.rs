//! Files on disk: where they lie, and how one is published so that a crash never leaves half of it.
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::{Direction, ExchangedFile};
use crate::disk::Dir;
use crate::error::{Code, Error};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::{Digest, Hasher};
use crate::protocol::crypto::{base64, from_base64};

/// Bytes of a `.sig` that are read at most.
const MAX_SIGNATURE: u64 = 16 << 10;

/// The exchange directory of one institution: `files/{INST}` with `out/{yyyyMMdd}/`, where we publish, `in/`, where the
/// institution puts what it sends, and `taken/`, where our copy of what was taken in is kept: nobody else writes there.
#[derive(Clone, Debug)]
pub struct Folder {
    root: Dir,
}

impl Folder {
    /// The directory of `institution` under the configured data directory.
    pub fn new(data_dir: &Path, institution: &str) -> Self {
        Self { root: Dir::new(data_dir).below("files").below(institution) }
    }

    /// Where files of a business day are published.
    pub fn out(&self, day: BusinessDay) -> Dir {
        self.root.below("out").below(&day.to_string())
    }

    /// Names of everything that lies under `out/` as published.
    pub fn published(&self) -> Result<Vec<String>, Error> {
        let (out, mut names) = (self.root.below("out"), Vec::new());
        for day in out.names()? {
            let lying = out.below(&day).names()?;
            names.extend(lying.iter().filter_map(|name| name.strip_suffix(".ok").map(str::to_owned)));
        }
        names.sort();
        Ok(names)
    }

    /// Where the institution's files arrive. It writes here: nothing that lies here is believed.
    pub fn inbox(&self) -> Dir {
        self.root.below("in")
    }

    /// Where what was taken in is kept.
    pub fn taken(&self) -> Dir {
        self.root.below("taken")
    }

    /// Where a recorded file lies. What was taken in before there was `taken/` lies in `in/` still.
    pub fn of(&self, file: &ExchangedFile) -> Result<Dir, Error> {
        Ok(match file.direction {
            Direction::Out => self.out(file.business_date),
            Direction::In if self.taken().lies(&file.name)? => self.taken(),
            Direction::In => self.inbox(),
        })
    }

    /// Opens a recorded file, none where it is not there. Other bytes than the recorded ones are refused.
    pub fn open(&self, file: &ExchangedFile) -> Result<Option<File>, Error> {
        let dir = self.of(file)?;
        if !dir.lies(&file.name)? {
            return Ok(None);
        }
        let mut found = dir.read(&file.name)?;
        if digest(&mut found)? != file.sha256 {
            return Err(other_bytes(&file.name));
        }
        found.rewind()?;
        Ok(Some(found))
    }

    /// The bytes of a recorded file, or of its signature; none where it is not there. Other bytes than the recorded
    /// ones are refused.
    pub fn bytes(&self, file: &ExchangedFile, signature: bool) -> Result<Option<Vec<u8>>, Error> {
        let dir = self.of(file)?;
        let name = if signature { format!("{}.sig", file.name) } else { file.name.clone() };
        if !dir.lies(&name)? {
            return Ok(None);
        }
        if signature {
            return Ok(Some(dir.bytes(&name, MAX_SIGNATURE)?));
        }
        let size = u64::try_from(file.size).unwrap_or_default();
        let bytes = dir.bytes(&name, size).map_err(|error| {
            if error.kind() == io::ErrorKind::FileTooLarge { other_bytes(&name) } else { Error::Io(error) }
        })?;
        if Digest::of(&bytes) == file.sha256 { Ok(Some(bytes)) } else { Err(other_bytes(&name)) }
    }
}

/// The name under which a file is written before it is published.
pub fn staged(name: &str) -> String {
    format!(".{name}.part")
}

/// Opens the staged file for writing, its directory made if need be; a leftover of a crash is thrown away.
pub fn stage(dir: &Dir, name: &str) -> Result<File, Error> {
    dir.make()?;
    let staged = staged(name);
    dir.remove(&staged)?;
    Ok(dir.create(&staged)?)
}

/// Publishes the staged file: the file, its `.sig`, then the empty `.ok` last (`files.md`), each on disk before
/// the next. Doing it again, after a crash at any point too, leaves the same; other bytes under a published
/// name are refused.
pub fn publish(dir: &Dir, name: &str, digest: &Digest, signature: &[u8]) -> Result<(), Error> {
    if is_published(dir, name) {
        let there = digest_of(dir, name)?;
        return if there == *digest { mend_signature(dir, name, signature) } else { Err(other_bytes(name)) };
    }
    let staged = staged(name);
    if !dir.has(&staged)? || digest_of(dir, &staged)? != *digest {
        if digest_of(dir, name)? != *digest {
            return Err(other_bytes(name));
        }
        dir.remove(&staged)?;
    }
    put_out(dir, name, signature)
}

/// [`publish`] of a staged file whose bytes are known to be the recorded ones.
pub(super) fn put_out(dir: &Dir, name: &str, signature: &[u8]) -> Result<(), Error> {
    let staged = staged(name);
    if dir.has(&staged)? {
        dir.read(&staged)?.sync_all()?;
        dir.rename(&staged, name)?;
    }
    write_synced(dir, &format!("{name}.sig"), signature_text(signature).as_bytes())?;
    dir.sync()?;
    write_synced(dir, &format!("{name}.ok"), b"")?;
    Ok(dir.sync()?)
}

/// An institution that answers `E_SIGN` asks for the signature again: a damaged one is written anew.
fn mend_signature(dir: &Dir, name: &str, signature: &[u8]) -> Result<(), Error> {
    if signature_of(dir, name).is_ok_and(|there| there == signature) {
        return Ok(());
    }
    write_synced(dir, &format!("{name}.sig"), signature_text(signature).as_bytes())?;
    Ok(dir.sync()?)
}

fn signature_text(signature: &[u8]) -> String {
    format!("{}\n", base64(signature))
}

/// Whether the file's `.ok` is there: without it a file is not published.
pub fn is_published(dir: &Dir, name: &str) -> bool {
    dir.has(&format!("{name}.ok")).unwrap_or(false)
}

/// SHA-256 of a file's bytes, read in pieces.
pub fn digest_of(dir: &Dir, name: &str) -> Result<Digest, Error> {
    Ok(digest(&mut dir.read(name)?)?)
}

fn digest(from: &mut impl Read) -> io::Result<Digest> {
    let mut hasher = HashingSink(Hasher::new());
    io::copy(from, &mut hasher)?;
    Ok(hasher.0.finish())
}

/// The signature beside a file.
pub fn signature_of(dir: &Dir, name: &str) -> Result<Vec<u8>, Error> {
    let text = dir.bytes(&format!("{name}.sig"), MAX_SIGNATURE)?;
    parse_signature(&String::from_utf8_lossy(&text)).ok_or_else(|| Error::Refused {
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

/// Writes a file beside its place and puts it there whole, over what had its name.
fn write_synced(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let mut file = stage(dir, name)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(dir.rename(&staged(name), name)?)
}
