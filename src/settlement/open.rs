//! Which days are not done: the daily round asks no other one.
use std::collections::BTreeMap;

use super::KIND;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, DocumentKind, ExchangedFile, Folder, Standing};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::state::FileState;

/// What a day has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Come {
    /// Split files were recorded, void ones too.
    is_cut: bool,
    /// A file waits: for the end of its run, for its answers, for a settlement, or to be put out.
    waits: bool,
    /// Orders that the institution's own bills of it tell of.
    billed: i64,
    /// Orders of its split files that are not void.
    told: i64,
}

impl Come {
    fn take(&mut self, folder: &Folder, file: &ExchangedFile, standing: Option<&Standing>) {
        let Some(standing) = standing else {
            self.billed = self.billed.saturating_add(file.orders);
            return;
        };
        let is_over = standing.run_complete
            && standing.answered_at.is_some()
            && standing.settled_by.is_some()
            && exchange::is_published(&folder.out(file.business_date), &file.name);
        self.waits |= !is_over;
        if standing.kind == DocumentKind::Spl {
            self.is_cut = true;
            if standing.state != FileState::Rejected {
                self.told = self.told.saturating_add(file.orders);
            }
        }
    }

    const fn is_done(self) -> bool {
        self.is_cut && !self.waits && self.billed <= self.told
    }
}

/// The days between these, both included, on which something is still to be done or waited for, oldest first. A day is
/// done when a settlement of it or of a later day counts, every file of it is out, answered and settled, and the
/// institution's own bill tells of no more orders than they do.
pub fn open_days(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    folder: &Folder,
    from: BusinessDay,
    to: BusinessDay,
) -> Result<Vec<BusinessDay>, Error> {
    let mut come: BTreeMap<BusinessDay, Come> = BTreeMap::new();
    for (file, standing) in exchange::of_days(tx, institution, from, to)? {
        come.entry(file.business_date).or_default().take(folder, &file, standing.as_ref());
    }
    let settled = exchange::last_valid(tx, institution, KIND)?.map(|(last, _)| last.business_date);
    let (mut days, mut day) = (Vec::new(), from);
    while day <= to {
        let is_settled = settled.is_some_and(|settled| day <= settled);
        if !is_settled || !come.get(&day).is_some_and(|come| come.is_done()) {
            days.push(day);
        }
        day = day.next();
    }
    Ok(days)
}
