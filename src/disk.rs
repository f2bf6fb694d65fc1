//! Folders and files on disk that are nobody else's business: readable by their owner alone whatever the umask says,
//! and, below a folder that others may write, opened without following a link or waiting for a pipe.
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Mode of every file that is made.
const FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Bits that others have in a mode.
const OTHERS: u32 = 0o077;

/// A folder below a root that is trusted. Each use walks there anew from the root, through folders only: what a name on
/// the way or at its end stands for is never a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dir {
    root: PathBuf,
    below: Vec<String>,
}

impl Dir {
    /// The root itself; it may be reached over links.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), below: Vec::new() }
    }

    /// A folder of this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let mut below = self.below.clone();
        below.push(name.to_owned());
        Self { root: self.root.clone(), below }
    }

    /// Where it lies: for people. Whoever opens this path follows links.
    pub fn path(&self) -> PathBuf {
        self.below.iter().fold(self.root.clone(), |path, name| path.join(name))
    }

    /// Makes it and what leads there, for its owner alone; what is there already stays as it is.
    pub fn make(&self) -> io::Result<()> {
        private_dir(&self.root)?;
        let mut at = open_root(&self.root)?;
        for name in &self.below {
            match mkdirat(&at, plain_name(name)?, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => at = enter(&at, name)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Names of everything that lies here, in no order; none where the folder is not there. A name that is no text is
    /// left out.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let Some(at) = missing_is_none(self.open())? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&at)? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    /// Whether anything at all has this name, a link too.
    pub fn lies(&self, name: &str) -> io::Result<bool> {
        Ok(self.kind(name)?.is_some())
    }

    /// Whether a plain file has this name.
    pub fn has(&self, name: &str) -> io::Result<bool> {
        Ok(self.kind(name)? == Some(FileType::RegularFile))
    }

    fn kind(&self, name: &str) -> io::Result<Option<FileType>> {
        let Some(at) = missing_is_none(self.open())? else { return Ok(None) };
        let found = statat(&at, plain_name(name)?, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from);
        Ok(missing_is_none(found)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// What this name stands for now; `None` where nothing has it.
    pub fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        let Some(at) = missing_is_none(self.open())? else { return Ok(None) };
        let found = statat(&at, plain_name(name)?, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from);
        Ok(missing_is_none(found)?.map(|stat| {
            let whole = [i128::from(stat.st_ino), i128::from(stat.st_size)];
            let written = [i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)];
            let changed = [i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)];
            Stamp([whole, written, changed])
        }))
    }

    /// Opens a plain file to be read; whatever else has the name is refused with [`is_not_plain`].
    pub fn read(&self, name: &str) -> io::Result<File> {
        let at = self.open()?;
        // Looked at first: a device may do something when it is opened.
        let found = statat(&at, plain_name(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(not_plain(name));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&at, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP | Errno::NXIO) => return Err(not_plain(name)),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.is_file() { Ok(file) } else { Err(not_plain(name)) }
    }

    /// The bytes of a plain file, at most `most` of them: one that has more is refused with
    /// [`FileTooLarge`](io::ErrorKind::FileTooLarge), not read on.
    pub fn bytes(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(name)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{name} has more than {most} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// Makes a file that was not there, to be read and written by its owner alone.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(self.open()?, plain_name(name)?, flags, FILE)?))
    }

    /// Gives a file another name here, over what had it.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let at = self.open()?;
        Ok(renameat(&at, plain_name(from)?, &at, plain_name(to)?)?)
    }

    /// Takes a file, or a link, away; it need not be there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let Some(at) = missing_is_none(self.open())? else { return Ok(()) };
        missing_is_none(unlinkat(&at, plain_name(name)?, AtFlags::empty()).map_err(io::Error::from))?;
        Ok(())
    }

    /// Puts the names that lie here on disk.
    pub fn sync(&self) -> io::Result<()> {
        File::from(self.open()?).sync_all()
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let mut at = open_root(&self.root)?;
        for name in &self.below {
            at = enter(&at, name)?;
        }
        Ok(at)
    }
}

/// Which file a name stands for, how long it is, and when it was written and changed last: whatever is done to the file,
/// its stamp is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([[i128; 2]; 3]);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(openat(rustix::fs::CWD, root, FOLDER, Mode::empty())?)
}

fn enter(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match openat(at, plain_name(name)?, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(folder) => Ok(folder),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let why = format!("{name} is no folder: links are not followed here");
            Err(io::Error::new(io::ErrorKind::NotADirectory, why))
        }
        Err(error) => Err(error.into()),
    }
}

/// A name that stays in its folder.
fn plain_name(name: &str) -> io::Result<&str> {
    if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name of a file")));
    }
    Ok(name)
}

fn not_plain(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no plain file of this folder"))
}

/// Whether a file was refused because it is a link, a folder, a pipe or the like.
pub fn is_not_plain(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

fn missing_is_none<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a folder and what leads there, for its owner alone; what is there already stays as it is.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that was not there, to be written by its owner alone.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes an empty file for its owner alone where none is; what is there already stays as it is.
pub fn ensure_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

/// Makes an empty file where none is; one that is there becomes its owner's alone, and keeps what is in it.
pub fn make_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Writes a file for its owner alone, over what was in it.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // One that was there may have been open to others.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)
}

/// Why a file that holds a secret is not read.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// Others may read or write it, or its group.
    #[error("is open to others")]
    Open,
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// The text of a file that only its owner may read: what was looked at is what is read, and a pipe is not waited for.
pub fn private_text(path: &Path) -> Result<String, NotPrivate> {
    let (text, is_private) = text_and_privacy(path)?;
    if is_private { Ok(text) } else { Err(NotPrivate::Open) }
}

/// The text of a plain file, and whether only its owner may read it.
pub fn text_and_privacy(path: &Path) -> io::Result<(String, bool)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(openat(rustix::fs::CWD, path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, found.permissions().mode() & OTHERS == 0))
}
