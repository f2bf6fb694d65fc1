//! Room on disk for the kernel's `verify`: files without a name, which are gone with whoever made them, however it ends.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::PathBuf;

use mingfen_kernel::verify::{Piece, Scratch};

/// A directory in which such files are made.
#[derive(Debug, Clone)]
pub struct ScratchDir(PathBuf);

impl ScratchDir {
    /// This one.
    pub fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// Whether a file can be made there at all; the error says what to do.
    pub fn check(&self) -> io::Result<()> {
        self.piece().map(drop)
    }

    fn told(&self, error: &io::Error) -> io::Error {
        let dir = self.0.display();
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let what = if full { "is full" } else { "cannot be used" };
        io::Error::new(error.kind(), format!("{dir} {what} ({error}); name another directory with --temp"))
    }
}

impl Default for ScratchDir {
    /// The system's directory for temporary files.
    fn default() -> Self {
        Self(std::env::temp_dir())
    }
}

impl Scratch for ScratchDir {
    fn piece(&self) -> io::Result<Box<dyn Piece>> {
        let file = tempfile::tempfile_in(&self.0).map_err(|error| self.told(&error))?;
        Ok(Box::new(Unnamed { file, dir: self.clone() }))
    }
}

struct Unnamed {
    file: File,
    dir: ScratchDir,
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.dir.told(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Piece for Unnamed {
    fn read(mut self: Box<Self>) -> io::Result<Box<dyn BufRead>> {
        self.file.rewind()?;
        Ok(Box::new(BufReader::with_capacity(32 * 1024, self.file)))
    }
}
