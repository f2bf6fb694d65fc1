//! RET: the institution's signed results (`files.md`, "Results"). The only evidence that moves a state to "money moved".
mod read;
mod write;

use std::borrow::Cow;

use super::{Check, ResultName};
use crate::calendar::Instant;
use crate::digest::Digest;
use crate::money::Fen;
use crate::text_enum;

pub use read::RetReader;
pub use write::RetWriter;

/// How an institution writes its results, by its profile. Digest and signature are over the bytes as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetEncoding {
    /// UTF-8, ASCII included.
    Utf8,
    /// GB18030.
    Gb18030,
}

text_enum! {
    /// Whether a file was taken, and if not, why.
    pub enum RetCode {
        /// Taken.
        Accepted = "ACCEPTED",
        /// Signature missing or wrong; asks for the same bytes again.
        Sign = "E_SIGN",
        /// Digest wrong; asks for the same bytes again.
        Digest = "E_DIGEST",
        /// Counts or totals.
        Total = "E_TOTAL",
        /// Place in the chain.
        Chain = "E_CHAIN",
        /// Another institution or platform.
        Inst = "E_INST",
        /// Another file under the same name.
        Dup = "E_DUP",
        /// Malformed.
        Format = "E_FORMAT",
        /// Approvals bundle.
        Approval = "E_APPROVAL",
        /// The recomputation found a difference.
        Verify = "E_VERIFY",
    }
}

impl RetCode {
    /// Whether the answered file is void: its orders count nowhere and the next seq repeats them.
    pub const fn makes_void(self) -> bool {
        match self {
            Self::Accepted | Self::Sign | Self::Digest => false,
            Self::Total
            | Self::Chain
            | Self::Inst
            | Self::Dup
            | Self::Format
            | Self::Approval
            | Self::Verify => true,
        }
    }
}

text_enum! {
    /// What happened to one line's money.
    pub enum RetStatus {
        /// Success.
        Success = "S",
        /// Failed; the whole amount is requeued.
        Failed = "F",
        /// Pending.
        Pending = "P",
        /// Bounced after success (退票); the whole amount is requeued.
        Bounced = "B",
    }
}

/// `H` of a RET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetHeader {
    /// The answered file and the stage.
    pub name: ResultName,
    /// SHA-256 of the answered file.
    pub file_digest: Digest,
    /// Taken, or why not.
    pub code: RetCode,
    /// R lines.
    pub lines: u32,
    /// Σ amount of the S lines in fen.
    pub success_total: Fen,
    /// When the institution answered.
    pub created_at: Instant,
}

/// `R`: news of one line of the answered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetLine<'a> {
    /// `n` of the answered line; ascending.
    pub n: u32,
    /// What happened.
    pub status: RetStatus,
    /// Amount done, fen.
    pub amount: Fen,
    /// The institution's own serial, may be empty.
    pub inst_serial: Cow<'a, str>,
    /// How it paid (own book, HVPS, BEPS, IBPS, UnionPay), its own word, may be empty.
    pub path: Cow<'a, str>,
    /// When it was done; empty while it is not.
    pub done_at: Option<Instant>,
    /// The institution's error code, may be empty.
    pub err_code: Cow<'a, str>,
    /// Its error message, may be empty.
    pub err_msg: Cow<'a, str>,
}

impl RetLine<'_> {
    /// The same line, owning its text.
    pub fn into_owned<'b>(self) -> RetLine<'b> {
        RetLine {
            n: self.n,
            status: self.status,
            amount: self.amount,
            inst_serial: Cow::Owned(self.inst_serial.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
            done_at: self.done_at,
            err_code: Cow::Owned(self.err_code.into_owned()),
            err_msg: Cow::Owned(self.err_msg.into_owned()),
        }
    }
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    lines: u32,
    success: Fen,
    last_n: u32,
}

impl Tally {
    /// Takes a line in; which check it breaks and what was expected, if any.
    fn take(&mut self, line: &RetLine<'_>) -> Option<(Check, String)> {
        self.lines = self.lines.saturating_add(1);
        let last = std::mem::replace(&mut self.last_n, line.n);
        if line.status == RetStatus::Success {
            let Some(success) = self.success.checked_add(line.amount) else {
                return Some((Check::V03, "a success total within 64 bits".to_owned()));
            };
            self.success = success;
        }
        (line.n <= last).then(|| (Check::V13, format!("n above {last}")))
    }
}
