//! Documents of a day that have not come, where the institution's own bill is what is split (`counter.md`): the BIL, for
//! which the day waits, and what its channels give, which is fetched again.
use super::due_day;
use crate::channels::document_kind;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, DocumentKind};
use crate::institutions::{Documents, Institution};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::{reconciliation, splits};

/// How many days back a channel's document is asked for that has not come.
const REACH: usize = 31;

/// A document that has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Of which day.
    pub day: BusinessDay,
    /// What: a BIL, or a channel's own document.
    pub kind: DocumentKind,
}

/// The first day whose documents are still asked for at a moment.
#[must_use]
pub fn documents_since(now: Instant) -> BusinessDay {
    (1..REACH).fold(due_day(now), |day, _| day.prev())
}

/// The BIL that a day waits for, if there is one.
pub(super) fn bill_awaited(
    tx: &mut Tx<'_>,
    institution: &Institution,
    upto: BusinessDay,
) -> Result<Option<BusinessDay>, Error> {
    if institution.documents == Documents::Channel {
        return Ok(None);
    }
    let Some(day) = splits::uncut_day(tx, institution.id, upto)? else { return Ok(None) };
    let has_come = !exchange::of_day(tx, institution.id, DocumentKind::Bil, day)?.is_empty();
    Ok((!has_come).then_some(day))
}

/// What has not come of an institution's days whose bill is due, oldest first; nothing where its days are a channel's bill.
pub fn awaited(tx: &mut Tx<'_>, institution: &Institution, now: Instant) -> Result<Vec<Awaited>, Error> {
    if institution.documents == Documents::Channel {
        return Ok(Vec::new());
    }
    let lack = reconciliation::undocumented(tx, institution.id, documents_since(now))?;
    let lack =
        lack.into_iter().map(|(bill, name)| Awaited { day: bill.business_date, kind: document_kind(name) });
    let mut found: Vec<Awaited> = lack.collect();
    let bill = bill_awaited(tx, institution, due_day(now))?;
    found.extend(bill.map(|day| Awaited { day, kind: DocumentKind::Bil }));
    found.sort_by_key(|one| one.day);
    Ok(found)
}
