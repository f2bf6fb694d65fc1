//! The memo ledger (`domain.md` 7.2): what the institution's books must show, posted by evidence, never money of ours.
//!
//! An entry is posted for a commit batch of payments or for a file, never for an order: the orders are the sub-ledger,
//! and the sums must agree. Entries are chained per custody day by the roll-up; balances are the last closed snapshot and
//! what was posted since. Nothing here is updated on the way of a payment.
mod day;
mod day_store;
mod events;
mod holds;
mod rollup;
mod store;

pub use day::{Balances, balances, close, cut, state};
pub use events::{
    Billed, ByParty, EntryBasis, billed, cleared, failed, frozen, paid, settled, split, undone,
};
pub use holds::{breaks, chain_breaks, day_breaks, repair_days, snapshot_breaks};
pub use rollup::{link, watermark};

use crate::db::Tx;
use crate::db::columns::{EntryId, InstitutionId};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::text_enum;

text_enum! {
    /// The accounts that occur so far.
    pub enum Account {
        /// What a channel owes; its party is the channel.
        ChannelReceivable = "CHANNEL_RECEIVABLE",
        /// The institution's custody account.
        CustodyCash = "CUSTODY_CASH",
        /// Paid and not split yet.
        OrderPendingSplit = "ORDER_PENDING_SPLIT",
        /// Split, not cleared yet; its party is the receiver.
        PartyPending = "PARTY_PENDING",
        /// Cleared, waits for its settlement; its party is the receiver.
        PartySettleable = "PARTY_SETTLEABLE",
        /// Stands in a published settlement; its party is the receiver.
        PartyInSettlement = "PARTY_IN_SETTLEMENT",
        /// The channel's fees; its party is the channel.
        ChannelFeePayable = "CHANNEL_FEE_PAYABLE",
        /// Marketing money that the institution confirmed.
        MarketingPool = "MARKETING_POOL",
    }
}

text_enum! {
    /// What an entry tells.
    pub enum Kind {
        /// A commit batch of payments.
        Paid = "PAID",
        /// The institution's bill: fees, subsidies, and what it has beyond our own record.
        Billed = "BILLED",
        /// Orders that the institution executed.
        Split = "SPLIT",
        /// The channel's money of a day came, and its parties' with it.
        Cleared = "CLEARED",
        /// A settlement was published.
        Frozen = "FROZEN",
        /// Settlement lines were paid out.
        Settled = "SETTLED",
        /// Settlement lines, or a settlement as a whole, were not.
        Failed = "FAILED",
        /// Lines came back after success.
        Bounced = "BOUNCED",
    }
}

/// One side of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// Whose: a receiver, a channel, or nobody's (empty).
    pub party: String,
    /// Fen; debits above zero, credits below.
    pub amount: Fen,
}

/// An entry to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Whose books.
    pub institution: InstitutionId,
    /// The business day that the money is of.
    pub of: BusinessDay,
    /// What it tells.
    pub kind: Kind,
    /// What it rests on: a file's name, or the digest of a batch's payments.
    pub evidence: String,
    /// How many orders or lines it sums up.
    pub items: i64,
    /// Unix microseconds.
    pub at: i64,
    /// They add up to zero.
    pub postings: Vec<Posting>,
}

/// Posts an entry to its custody day, or to the next open one where that is closed, and gives its id. An entry that does
/// not balance is refused; one without an amount posts nothing.
pub fn post(tx: &mut Tx<'_>, entry: NewEntry) -> Result<Option<EntryId>, Error> {
    let mut entry = entry;
    entry.postings.retain(|posting| posting.amount != Fen::ZERO);
    let sum = Fen::sum(entry.postings.iter().map(|posting| posting.amount));
    if sum != Some(Fen::ZERO) {
        let told = format!("an entry {} of {} does not balance", entry.kind, entry.of);
        return Err(Error::Internal(told));
    }
    if entry.postings.is_empty() {
        return Ok(None);
    }
    store::share(tx)?;
    let day = match day_store::last_closed(tx, entry.institution)? {
        Some(closed) if closed >= entry.of => closed.next(),
        Some(_) | None => entry.of,
    };
    store::insert(tx, &entry, day).map(Some)
}

/// The sum of many amounts; beyond 64 bits is a bug.
fn total(amounts: impl IntoIterator<Item = Fen>) -> Result<Fen, Error> {
    Fen::sum(amounts).ok_or_else(|| Error::Internal("a sum of the ledger is beyond 64 bits".to_owned()))
}

/// The other side of an amount.
fn negated(amount: Fen) -> Fen {
    Fen::new(amount.get().saturating_neg())
}
