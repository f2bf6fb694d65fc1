//! Which open orders are still to be asked about, by the times in which they were placed: noted when they come of an age,
//! struck out when whoever asks begins. A merchant whose turn is taken keeps its times until it has one.
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::db::columns::{InstitutionId, MerchantId};

/// Whose orders: a merchant's at an institution, or of merchants of it that were not looked for yet.
pub type Whose = (InstitutionId, Option<MerchantId>);

/// Times, unix microseconds, of orders that are to be asked about. Clones share it. It is not stored: who begins anew
/// looks further back.
#[derive(Clone, Debug, Default)]
pub struct Ages(Arc<Mutex<Owed>>);

#[derive(Debug, Default)]
struct Owed {
    /// Until when everything is noted below; none where that is not known.
    noted: Option<i64>,
    of: BTreeMap<Whose, Vec<Range<i64>>>,
}

impl Ages {
    /// Until when this process has noted what came of age, unix microseconds; none before it did.
    pub fn noted(&self) -> Option<i64> {
        self.all().noted
    }

    /// From now on everything until then counts as noted.
    pub fn note(&self, until: i64) {
        self.all().noted = Some(until);
    }

    /// Orders placed in these times are to be asked about.
    pub fn owe(&self, whose: Whose, times: Vec<Range<i64>>) {
        let mut all = self.all();
        let owed = all.of.entry(whose).or_default();
        owed.extend(times);
        *owed = joined(std::mem::take(owed));
    }

    /// Strikes out what is to be asked about, for whoever asks now; the oldest first, none of them in two.
    pub fn take(&self, whose: Whose) -> Vec<Range<i64>> {
        self.all().of.remove(&whose).unwrap_or_default()
    }

    /// Merchants of an institution with orders that are to be asked about.
    pub fn merchants(&self, institution: InstitutionId) -> Vec<MerchantId> {
        let all = self.all();
        let theirs = all.of.keys().filter(|(of, _)| *of == institution);
        theirs.filter_map(|(_, merchant)| *merchant).collect()
    }

    fn all(&self) -> MutexGuard<'_, Owed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same times, none of them in two.
fn joined(mut times: Vec<Range<i64>>) -> Vec<Range<i64>> {
    times.sort_by_key(|time| time.start);
    let mut joined: Vec<Range<i64>> = Vec::with_capacity(times.len());
    for time in times {
        match joined.last_mut() {
            Some(last) if time.start <= last.end => last.end = last.end.max(time.end),
            Some(_) | None => joined.push(time),
        }
    }
    joined
}
