//! What a run is given, and by whom.
use std::io::{self, BufRead, Write};

use crate::bill::BillRow;
use crate::digest::Digest;

/// Whose signature a file must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The platform: SPL.
    Platform,
    /// The institution: bundles, results, its bill.
    Institution,
}

/// Checks signatures; the kernel knows digests only.
pub trait SignatureCheck {
    /// Whether `signature` is the signer's over this digest.
    fn ok(&self, signer: Signer, digest: &Digest, signature: &[u8]) -> bool;
}

/// A file and what stands beside it.
pub struct Given<'a> {
    /// Its name, without folder.
    pub name: String,
    /// Its bytes.
    pub content: Box<dyn BufRead + 'a>,
    /// The decoded signature beside it, if there is one.
    pub signature: Option<Vec<u8>>,
}

/// Room outside memory, the caller's: the kernel itself opens nothing.
pub trait Scratch {
    /// A new, empty piece of it, gone when it is dropped.
    fn piece(&self) -> io::Result<Box<dyn Piece>>;
}

/// Written once from its beginning, then read once from there.
pub trait Piece: Write {
    /// What was written.
    fn read(self: Box<Self>) -> io::Result<Box<dyn BufRead>>;
}

/// How much of a day is held in memory, in bytes. Whatever is chosen, the report is the same.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of each collection that may grow with the day; what is more goes to the scratch room.
    pub memory: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: 8 * 1024 * 1024 }
    }
}

/// Our merchant by the institution's number of it.
pub type MerchantByNo<'m> = &'m dyn Fn(&str) -> Option<String>;

/// A channel's own bill, read by whoever knows its format.
pub trait ChannelBill {
    /// Gives `each` every row with its line number; at the end the digest of all bytes. A merchant unknown under its
    /// number is empty. The error, with its line, says why the bill is unusable.
    fn read(
        self: Box<Self>,
        merchant: MerchantByNo<'_>,
        each: &mut dyn FnMut(u64, BillRow),
    ) -> Result<Digest, (u64, String)>;
}

/// The institution's evidence of the day.
pub enum Bill<'a> {
    /// A BIL.
    Bil(Given<'a>),
    /// A channel's own bill.
    Channel {
        /// Its file's name.
        name: String,
        /// What reads it.
        bill: Box<dyn ChannelBill + 'a>,
        /// The decoded signature beside it, if there is one.
        signature: Option<Vec<u8>>,
    },
}

/// What a run is given.
#[derive(Default)]
pub struct Inputs<'a> {
    /// All SPL of the day that are not void.
    pub spl: Vec<Given<'a>>,
    /// Approvals bundles.
    pub approvals: Vec<Given<'a>>,
    /// Bills of the day.
    pub bills: Vec<Bill<'a>>,
    /// Earlier accepted SPL.
    pub previous: Vec<Given<'a>>,
    /// Void SPL, of the day and earlier.
    pub void: Vec<Given<'a>>,
    /// Results over the earlier and void files.
    pub results: Vec<Given<'a>>,
    /// Channels that say that they have no statement of the day: nobody has signed that for the institution.
    pub no_statement: Vec<String>,
    /// The very first file of the chain may be among the given ones.
    pub first: bool,
}
