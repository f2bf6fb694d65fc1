//! STL: settlement of a business day (`files.md`, "STL").
mod read;
mod write;

use super::{Check, FileName};
use crate::calendar::{BusinessDay, Instant};
use crate::digest::Digest;
use crate::money::Fen;
use crate::text_enum;

pub use read::StlReader;
pub use write::StlWriter;

/// `H` of an STL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlHeader {
    /// Institution, platform, day and seq, as the file's name says them.
    pub name: FileName,
    /// S lines.
    pub settled: u32,
    /// C lines.
    pub carried: u32,
    /// Σ amount of S in fen.
    pub total: Fen,
    /// When the day was first settled.
    pub created_at: Instant,
    /// The approvals bundle it was made under.
    pub approvals: Digest,
    /// The previous STL in the chain, [`Digest::ZERO`] for the very first.
    pub prev: Digest,
}

/// `I`: a file that this settlement takes in, once for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlInput {
    /// Its name: an SPL, an RTN or a final result.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Its total in fen.
    pub total: Fen,
}

/// The five sums that make up what a receiver gets or carries, fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StlSums {
    /// Lines of accepted splits.
    pub splits: Fen,
    /// Lines of accepted returns.
    pub returns: Fen,
    /// Fees that refunds left with the merchant; may be negative.
    pub debts: Fen,
    /// `carried_out` of the previous STL; may be negative.
    pub carried_in: Fen,
    /// What the listed results answered F or B.
    pub requeued: Fen,
}

impl StlSums {
    /// `splits − returns − debts + carried_in + requeued`, `None` beyond 64 bits.
    pub fn net(&self) -> Option<Fen> {
        self.splits
            .checked_sub(self.returns)?
            .checked_sub(self.debts)?
            .checked_add(self.carried_in)?
            .checked_add(self.requeued)
    }
}

/// `S`: money that the institution is to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlSettled {
    /// 1, 2, 3… over S.
    pub n: u32,
    /// Receiver key.
    pub receiver: String,
    /// The institution's number of the receiver.
    pub inst_receiver_no: String,
    /// Role.
    pub role: String,
    /// What it is made of; their net is the amount.
    pub sums: StlSums,
    /// O lines with a line for the receiver.
    pub order_count: u32,
    /// When it is due.
    pub settle_date: BusinessDay,
}

impl StlSettled {
    /// `{yyyyMMdd}{seq}{n}` in the file of this name.
    pub fn settlement_id(&self, file: &FileName) -> String {
        format!("{}{:04}{}", file.day, file.seq, self.n)
    }
}

text_enum! {
    /// Why money is carried instead of paid; the first that holds.
    pub enum CarryReason {
        /// Not above 0.
        Negative = "NEGATIVE",
        /// The bundle holds the receiver.
        Hold = "HOLD",
        /// Below the receiver's least amount.
        Below = "BELOW",
        /// Not due yet.
        Cycle = "CYCLE",
    }
}

/// `C`: money carried to the next settlement; the net of its sums is `carried_out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlCarried {
    /// Receiver key.
    pub receiver: String,
    /// What it is made of.
    pub sums: StlSums,
    /// Why it is not paid.
    pub reason: CarryReason,
}

/// One line between header and trailer: all I, then S and C sorted by receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StlRecord {
    /// I.
    Input(StlInput),
    /// S.
    Settled(StlSettled),
    /// C.
    Carried(StlCarried),
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    settled: u32,
    carried: u32,
    total: Fen,
    last: Option<String>,
}

impl Tally {
    /// Takes a record in; which check it breaks and what was expected, if any.
    fn take(&mut self, record: &StlRecord) -> Option<(Check, String)> {
        let receiver = match record {
            StlRecord::Input(_) => {
                return self.last.is_some().then(|| (Check::V13, "I lines before all S and C".to_owned()));
            }
            StlRecord::Settled(s) => {
                self.settled = self.settled.saturating_add(1);
                let Some(total) = s.sums.net().and_then(|net| self.total.checked_add(net)) else {
                    return Some((Check::V03, "a total of S within 64 bits".to_owned()));
                };
                self.total = total;
                if s.n != self.settled {
                    return Some((Check::V13, format!("n = {}", self.settled)));
                }
                &s.receiver
            }
            StlRecord::Carried(c) => {
                self.carried = self.carried.saturating_add(1);
                &c.receiver
            }
        };
        let ascending = self.last.as_ref().is_none_or(|last| last < receiver);
        self.last = Some(receiver.clone());
        (!ascending).then(|| (Check::V13, "each receiver once, ascending".to_owned()))
    }
}
