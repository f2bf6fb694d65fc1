//! What happens, as entries (`domain.md` 7.2, the events that occur so far).
use std::collections::BTreeMap;

use super::{Account, Kind, NewEntry, Posting, negated, post, store, total};
use crate::db::Tx;
use crate::db::columns::{EntryId, InstitutionId};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;

/// Amounts by receiver, in fen.
pub type ByParty = BTreeMap<String, Fen>;

fn posting(account: Account, party: &str, amount: Fen) -> Posting {
    Posting { account, party: party.to_owned(), amount }
}

/// A commit batch: what was paid through each channel, in fen, and how many payments that were. Gives the entry's id.
pub fn paid(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    of: BusinessDay,
    channel: &str,
    batch: (Fen, i64),
    evidence: String,
    at: i64,
) -> Result<Option<EntryId>, Error> {
    let (paid, items) = batch;
    let postings = vec![
        posting(Account::ChannelReceivable, channel, paid),
        posting(Account::OrderPendingSplit, "", negated(paid)),
    ];
    post(tx, NewEntry { institution, of, kind: Kind::Paid, evidence, items, at, postings })
}

/// What the institution's bill of a day says altogether, of one channel, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Orders.
    pub orders: i64,
    /// Σ paid.
    pub paid: Fen,
    /// Σ fee.
    pub fee: Fen,
    /// Σ subsidy.
    pub subsidy: Fen,
}

/// Brings the books of a day to what its bill says: fees and subsidies, and what was paid beyond or below our own record.
/// The same bill again posts nothing.
pub fn billed(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    of: BusinessDay,
    bill: &BTreeMap<String, Billed>,
    evidence: &str,
    at: i64,
) -> Result<(), Error> {
    let before = store::of_day(tx, institution, of, &[Kind::Paid, Kind::Billed])?;
    let so_far = |account: Account, party: &str| {
        before.get(&(account, party.to_owned())).copied().unwrap_or(Fen::ZERO)
    };
    let mut due: BTreeMap<(Account, String), Fen> = BTreeMap::new();
    for (account, party) in before.keys() {
        if *account != Account::OrderPendingSplit {
            due.insert((*account, party.clone()), Fen::ZERO);
        }
    }
    for (channel, billed) in bill {
        due.insert((Account::ChannelReceivable, channel.clone()), billed.paid);
        due.insert((Account::ChannelFeePayable, channel.clone()), negated(billed.fee));
    }
    let subsidy = total(bill.values().map(|billed| billed.subsidy))?;
    due.insert((Account::MarketingPool, String::new()), subsidy);
    let mut postings = Vec::new();
    for ((account, party), due) in due {
        let amount = total([due, negated(so_far(account, &party))])?;
        postings.push(posting(account, &party, amount));
    }
    let rest = total(postings.iter().map(|posting| posting.amount))?;
    postings.push(posting(Account::OrderPendingSplit, "", negated(rest)));
    let items = bill.values().map(|billed| billed.orders).sum();
    let evidence = evidence.to_owned();
    post(tx, NewEntry { institution, of, kind: Kind::Billed, evidence, items, at, postings }).map(|_| ())
}

/// The institution executed orders: what each receiver gets of them. Amounts below zero take back what bounced.
pub fn split(tx: &mut Tx<'_>, basis: EntryBasis<'_>, parties: &ByParty) -> Result<(), Error> {
    let sum = total(parties.values().copied())?;
    let mut postings = vec![posting(Account::OrderPendingSplit, "", sum)];
    postings.extend(parties.iter().map(|(party, fen)| posting(Account::PartyPending, party, negated(*fen))));
    basis.post(tx, Kind::Split, postings)
}

/// The channel's money of a day has come into custody, fees apart, and marketing money with it.
pub fn cleared(tx: &mut Tx<'_>, basis: EntryBasis<'_>) -> Result<(), Error> {
    let kinds = [Kind::Paid, Kind::Billed, Kind::Cleared];
    let open = store::of_day(tx, basis.institution, basis.of, &kinds)?;
    let mut postings = Vec::new();
    for ((account, party), amount) in open {
        match account {
            Account::ChannelReceivable | Account::ChannelFeePayable | Account::MarketingPool => {
                postings.push(posting(account, &party, negated(amount)));
            }
            Account::CustodyCash
            | Account::OrderPendingSplit
            | Account::PartyPending
            | Account::PartySettleable
            | Account::PartyInSettlement => {}
        }
    }
    let cash = total(postings.iter().map(|posting| posting.amount))?;
    postings.push(posting(Account::CustodyCash, "", negated(cash)));
    basis.post(tx, Kind::Cleared, postings)
}

/// A settlement was made: what the files that it takes in gave becomes settleable, and what it pays is frozen.
pub fn frozen(
    tx: &mut Tx<'_>,
    basis: EntryBasis<'_>,
    cleared: &ByParty,
    pays: &ByParty,
) -> Result<(), Error> {
    let mut postings = Vec::new();
    for (party, fen) in cleared {
        postings.push(posting(Account::PartyPending, party, *fen));
        postings.push(posting(Account::PartySettleable, party, negated(*fen)));
    }
    for (party, fen) in pays {
        postings.push(posting(Account::PartySettleable, party, *fen));
        postings.push(posting(Account::PartyInSettlement, party, negated(*fen)));
    }
    basis.post(tx, Kind::Frozen, postings)
}

/// Settlement lines were paid out of custody; amounts below zero came back after success.
pub fn settled(
    tx: &mut Tx<'_>,
    basis: EntryBasis<'_>,
    paid: &ByParty,
    bounced: &ByParty,
) -> Result<(), Error> {
    let mut postings: Vec<Posting> =
        paid.iter().map(|(party, fen)| posting(Account::PartyInSettlement, party, *fen)).collect();
    postings.push(posting(Account::CustodyCash, "", negated(total(paid.values().copied())?)));
    basis.post(tx, Kind::Settled, postings)?;
    let mut postings: Vec<Posting> =
        bounced.iter().map(|(party, fen)| posting(Account::PartySettleable, party, negated(*fen))).collect();
    postings.push(posting(Account::CustodyCash, "", total(bounced.values().copied())?));
    basis.post(tx, Kind::Bounced, postings)
}

/// Settlement lines that are not paid out wait for the next settlement.
pub fn failed(tx: &mut Tx<'_>, basis: EntryBasis<'_>, parties: &ByParty) -> Result<(), Error> {
    let mut postings = Vec::new();
    for (party, fen) in parties {
        postings.push(posting(Account::PartyInSettlement, party, *fen));
        postings.push(posting(Account::PartySettleable, party, negated(*fen)));
    }
    basis.post(tx, Kind::Failed, postings)
}

/// The institution refused a settlement for good: what was posted when it was made is taken back.
pub fn undone(tx: &mut Tx<'_>, basis: EntryBasis<'_>) -> Result<(), Error> {
    let frozen = store::resting_on(tx, basis.institution, basis.of, Kind::Frozen, basis.evidence)?;
    let mut sums = store::Sums::new();
    for (_, postings) in &frozen {
        super::day::add(&mut sums, super::rollup::sums_of(postings)?)?;
    }
    let back = sums.iter().map(|((account, party), fen)| posting(*account, party, negated(*fen)));
    basis.post(tx, Kind::Failed, back.collect())
}

/// What an entry rests on.
#[derive(Clone, Copy, Debug)]
pub struct EntryBasis<'a> {
    /// Whose books.
    pub institution: InstitutionId,
    /// The business day that the money is of.
    pub of: BusinessDay,
    /// The file that it rests on.
    pub evidence: &'a str,
    /// Orders or lines.
    pub items: i64,
    /// Unix microseconds.
    pub at: i64,
}

impl EntryBasis<'_> {
    fn post(&self, tx: &mut Tx<'_>, kind: Kind, postings: Vec<Posting>) -> Result<(), Error> {
        let EntryBasis { institution, of, evidence, items, at } = *self;
        let evidence = evidence.to_owned();
        post(tx, NewEntry { institution, of, kind, evidence, items, at, postings }).map(|_| ())
    }
}
