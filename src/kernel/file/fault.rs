//! What can be wrong with a file, each with the code of `files.md`'s table.
use crate::digest::Digest;

/// Code of a check in `files.md`, section "verify".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Digest or trailer does not match the bytes.
    V01,
    /// Signature missing or wrong.
    V02,
    /// Counts or totals disagree.
    V03,
    /// Chain.
    V04,
    /// Order not in the bill.
    V05,
    /// Order of the bill in no file, or X with another reason.
    V06,
    /// A fact differs from the bill.
    V07,
    /// Payment twice.
    V08,
    /// Rule version unknown, not in force, or not the one picked.
    V09,
    /// Lines differ from the recomputed ones.
    V10,
    /// `MERCHANT` or `RECEIVER`, yet O.
    V11,
    /// `OVER_CAP`, yet O.
    V12,
    /// Malformed text, orders out of order.
    V13,
    /// Header or name.
    V14,
    /// Bundles contradict themselves or an earlier one.
    V15,
    /// Outside the business day.
    V16,
}

impl Check {
    /// The code as printed, `V01` to `V16`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::V01 => "V01",
            Self::V02 => "V02",
            Self::V03 => "V03",
            Self::V04 => "V04",
            Self::V05 => "V05",
            Self::V06 => "V06",
            Self::V07 => "V07",
            Self::V08 => "V08",
            Self::V09 => "V09",
            Self::V10 => "V10",
            Self::V11 => "V11",
            Self::V12 => "V12",
            Self::V13 => "V13",
            Self::V14 => "V14",
            Self::V15 => "V15",
            Self::V16 => "V16",
        }
    }
}

/// One thing wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} line {line}: expected {expected}, found {found}", .check.code())]
pub struct Fault {
    /// Which check failed.
    pub check: Check,
    /// Line number from 1; 0 = the file as a whole.
    pub line: u64,
    /// The order (`inst_order_no`) it belongs to.
    pub order: Option<String>,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Fault {
    /// A fault of no particular order; what was found is cut to a printable length.
    pub fn new(check: Check, line: u64, expected: impl Into<String>, found: impl AsRef<str>) -> Self {
        Self { check, line, order: None, expected: expected.into(), found: excerpt(found.as_ref()) }
    }

    /// The same fault, told of an order.
    pub fn of_order(mut self, inst_order_no: &str) -> Self {
        self.order = Some(excerpt(inst_order_no));
        self
    }
}

/// The beginning of foreign text, safe to print: control characters and quotes escaped, at most 120 characters.
pub fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(120).flat_map(char::escape_debug).collect();
    if text.chars().nth(120).is_some() {
        out.push('…');
    }
    out
}

/// Reading ended: the text cannot be understood from here on, or the source failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The text breaks the format.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// The source could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// Writing ended: the sink failed, or the caller gave what the format cannot hold.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The record breaks the format; nothing of the file may be used.
    #[error("cannot be written: {0}")]
    Refused(String),
    /// The sink failed.
    #[error("cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// A file read to its end.
#[derive(Debug)]
pub struct Seal {
    /// SHA-256 of the whole file: what is signed, and what the next file's `prev` names.
    pub digest: Digest,
    /// Everything wrong that did not keep it from being read (counts, totals, order, digest).
    pub faults: Vec<Fault>,
}

impl Seal {
    /// The digest of a file without fault, else its first fault.
    pub fn sound(self) -> Result<Digest, Box<Fault>> {
        match self.faults.into_iter().next() {
            None => Ok(self.digest),
            Some(fault) => Err(Box::new(fault)),
        }
    }
}
