//! Which files of the institutions' folders are recorded: they stay there for good, and none is asked for twice.
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::db::columns::InstitutionId;

/// Names that this process knows to be recorded, by institution. What is recorded stays so. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Taken(Arc<Mutex<HashMap<InstitutionId, HashSet<String>>>>);

impl Taken {
    /// Takes note of names that are recorded.
    pub fn add(&self, institution: InstitutionId, names: impl IntoIterator<Item = String>) {
        self.all().entry(institution).or_default().extend(names);
    }

    /// Whether a name is known to be recorded; it may be all the same where this says no.
    pub fn has(&self, institution: InstitutionId, name: &str) -> bool {
        self.all().get(&institution).is_some_and(|names| names.contains(name))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InstitutionId, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
