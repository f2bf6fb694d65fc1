//! Rules: the versions that institutions approved, and which one an order would get.
//!
//! A version enters only by an approvals bundle that its institution signed, and never changes. What is picked
//! when an order is paid is a preview; the cut picks again, under the bundle in force then (`files.md`).
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

pub use store::{StoredRule, by_digest, kept};

use crate::approvals;
use crate::clock;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::kernel::approvals::{ApprovedRule, Bundle};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::rule::pick;
use crate::kernel::split::OrderFacts;

/// The version that would apply to an order, shown until the cut decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Name of the rule.
    pub rule: String,
    /// Digest of the version.
    pub digest: Digest,
}

/// The institution's newest bundle that was issued at or before `at`: what it has approved.
pub fn bundle_at(tx: &mut Tx<'_>, institution: InstitutionId, at: Instant) -> Result<Option<Bundle>, Error> {
    let row = approvals::newest(tx, institution, clock::micros(at))?;
    row.map(|row| approvals::parse_bundle("the bundle in force", &row.body)).transpose()
}

/// Bundles that [`shared_bundle_at`] keeps.
const SHARED: usize = 8;

/// The bundles that were read last, by their digests.
static READ: Mutex<VecDeque<(Digest, Arc<Bundle>)>> = Mutex::new(VecDeque::new());

/// [`bundle_at`] for pages: a bundle of ten thousand merchants takes longer to read than a page may, and what a digest
/// names never changes. The last ones read stay in memory.
pub fn shared_bundle_at(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    at: Instant,
) -> Result<Option<Arc<Bundle>>, Error> {
    let newest = approvals::newest_key(tx, institution, clock::micros(at))?;
    newest.map(|(sha256, _)| shared_bundle(tx, institution, sha256)).transpose()
}

/// The institution's bundle of this digest.
pub fn shared_bundle(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    sha256: Digest,
) -> Result<Arc<Bundle>, Error> {
    if let Some(bundle) = read_before(sha256) {
        return Ok(bundle);
    }
    let row = approvals::by_digest(tx, institution, sha256)?.ok_or(Error::NotFound)?;
    let bundle = Arc::new(approvals::parse_bundle("the bundle in force", &row.body)?);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.push_front((sha256, Arc::clone(&bundle)));
    read.truncate(SHARED);
    Ok(bundle)
}

/// The bundle of this digest, where it is still in memory.
pub fn read_before(sha256: Digest) -> Option<Arc<Bundle>> {
    let read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.iter().find(|(digest, _)| *digest == sha256).map(|(_, bundle)| Arc::clone(bundle))
}

/// Keeps the versions of a bundle that were not kept before; how many those were.
pub fn keep(tx: &mut Tx<'_>, institution: InstitutionId, bundle: &Bundle) -> Result<usize, Error> {
    let mut kept = 0_usize;
    for approved in &bundle.rules {
        if by_digest(tx, institution, &approved.rule.digest())?.is_none() {
            store::insert(tx, institution, &approved.rule, approved.approved_at)?;
            kept = kept.saturating_add(1);
        }
    }
    Ok(kept)
}

/// What is in force at `at` under the institution's newest bundle of that moment: of each rule the newest version.
pub fn in_force(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    at: Instant,
) -> Result<Vec<ApprovedRule>, Error> {
    let Some(bundle) = shared_bundle_at(tx, institution, at)? else { return Ok(Vec::new()) };
    let mut newest: BTreeMap<&str, &ApprovedRule> = BTreeMap::new();
    for approved in bundle.rules.iter().filter(|approved| is_in_force(approved, at)) {
        let known = newest.entry(&approved.rule.rule).or_insert(approved);
        if known.rule.version < approved.rule.version {
            *known = approved;
        }
    }
    Ok(newest.into_values().cloned().collect())
}

/// `split.md`, "Which version applies", step 1.
fn is_in_force(approved: &ApprovedRule, at: Instant) -> bool {
    approved.approved_at <= at
        && approved.rule.effective_from <= at
        && approved.rule.effective_to.is_none_or(|end| at < end)
        && approved.suspended_at.is_none_or(|end| at < end)
}

/// The version that `split.md` picks for these facts under a bundle.
pub fn preview(bundle: &Bundle, order: &OrderFacts) -> Option<Preview> {
    let picked = pick(order, &bundle.rules_in_force(), bundle.decision(&order.inst_order_no));
    picked.map(|rule| Preview { rule: rule.rule.to_string(), digest: rule.digest() })
}
