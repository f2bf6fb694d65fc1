//! The roll-up: chains entries per custody day and keeps the sums of each day. Entries are posted by several writers at a
//! time, none of which waits for the end of a chain.
use std::collections::BTreeMap;

use super::store::{self, EntryRow, Link, PostingRow, Sums};
use crate::db::Tx;
use crate::db::columns::{As, EntryId, InstitutionId};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::{Digest, Hasher};

/// Entries that are chained in one transaction.
const BATCH: i64 = 2_000;

/// How far entries go: every entry up to this key is committed or never will be. It waits for who is posting now, so its
/// transaction ends at once.
pub fn watermark(tx: &mut Tx<'_>) -> Result<EntryId, Error> {
    store::alone(tx)?;
    store::newest(tx)
}

/// Chains the next entries up to a watermark; how many those were.
pub fn link(tx: &mut Tx<'_>, upto: EntryId) -> Result<usize, Error> {
    let after = store::newest_linked(tx)?;
    let entries = store::entries(tx, (after, upto), BATCH)?;
    let mut ends: BTreeMap<(InstitutionId, BusinessDay), (i64, Digest)> = BTreeMap::new();
    let mut days: BTreeMap<(InstitutionId, BusinessDay), Sums> = BTreeMap::new();
    let mut links = Vec::with_capacity(entries.len());
    for (entry, postings) in &entries {
        let key = (entry.institution_id, entry.business_date);
        let (seq, before) = match ends.get(&key) {
            Some(end) => *end,
            None => match store::last_link(tx, key.0, key.1)? {
                Some(end) => (end.seq, end.sha256.0),
                None => (0, Digest::ZERO),
            },
        };
        let seq = seq.saturating_add(1);
        let sha256 = digest(&before, seq, entry, postings);
        ends.insert(key, (seq, sha256));
        links.push(Link {
            institution_id: key.0,
            business_date: As(key.1),
            seq,
            entry_id: entry.id,
            sha256: As(sha256),
        });
        super::day::add(days.entry(key).or_default(), sums_of(postings)?)?;
    }
    store::add_links(tx, &links)?;
    for ((institution, day), sums) in days {
        store::add_to_day(tx, institution, day, &sums)?;
    }
    Ok(links.len())
}

/// The sums of an entry's postings.
pub(super) fn sums_of(postings: &[PostingRow]) -> Result<Sums, Error> {
    store::sums(postings.iter().map(|one| (one.account, one.party.clone(), one.amount)))
}

/// What a link says: the link before it, and every field of its entry.
pub(super) fn digest(before: &Digest, seq: i64, entry: &EntryRow, postings: &[PostingRow]) -> Digest {
    let EntryRow { id, institution_id, business_date, of_date, kind, evidence, items, created_at } = entry;
    let mut hasher = Hasher::new();
    let head = format!(
        "{before}|{institution_id}|{business_date}|{seq}|{id}|{of_date}|{kind}|{evidence}|{items}|{created_at}\n"
    );
    hasher.update(head.as_bytes());
    for PostingRow { account, party, amount, .. } in postings {
        hasher.update(format!("{account}|{party}|{}\n", amount.get()).as_bytes());
    }
    hasher.finish()
}
