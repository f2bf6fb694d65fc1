//! What this process knows of the files in the institutions' folders, which stay there for good: which are recorded, and
//! which were looked at and left alone. None of them is read again.
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::db::columns::InstitutionId;
use crate::disk::Stamp;

/// A file and its signature as they lay there when they were looked at.
pub type Look = [Option<Stamp>; 2];

/// Names that this process knows, by institution. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<HashMap<InstitutionId, Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// What is recorded stays so.
    recorded: HashSet<String>,
    /// What came before under another name, or was refused and could not be told so: until it changes.
    left: HashMap<String, Look>,
}

impl Seen {
    /// Takes note of names that are recorded.
    pub fn add(&self, institution: InstitutionId, names: impl IntoIterator<Item = String>) {
        self.all().entry(institution).or_default().recorded.extend(names);
    }

    /// Whether a name is known to be recorded; it may be all the same where this says no.
    pub fn has(&self, institution: InstitutionId, name: &str) -> bool {
        self.all().get(&institution).is_some_and(|known| known.recorded.contains(name))
    }

    /// Takes note of a file that is left alone as long as it looks like this.
    pub fn leave(&self, institution: InstitutionId, name: &str, look: Look) {
        self.all().entry(institution).or_default().left.insert(name.to_owned(), look);
    }

    /// Whether a file was left alone that looked like this.
    pub fn is_left(&self, institution: InstitutionId, name: &str, look: &Look) -> bool {
        self.all().get(&institution).is_some_and(|known| known.left.get(name) == Some(look))
    }

    /// Forgets files that lie there no longer.
    pub fn keep_only(&self, institution: InstitutionId, names: &[String]) {
        if let Some(known) = self.all().get_mut(&institution) {
            known.left.retain(|name, _| names.contains(name));
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InstitutionId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
