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
pub struct Seen(Arc<Mutex<HashMap<InstitutionId, Arc<Mutex<Known>>>>>);

#[derive(Debug, Default)]
struct Known {
    /// What is recorded stays so.
    recorded: HashSet<String>,
    /// What came before under another name, or was refused and could not be told so: until it changes.
    left: HashMap<String, Look>,
    /// Whether more lies there than is looked at.
    has_more: bool,
}

impl Seen {
    /// Takes note of names that are recorded.
    pub fn add(&self, institution: InstitutionId, names: impl IntoIterator<Item = String>) {
        held(&self.of(institution)).recorded.extend(names);
    }

    /// Whether a name is known to be recorded; it may be all the same where this says no.
    pub fn has(&self, institution: InstitutionId, name: &str) -> bool {
        held(&self.of(institution)).recorded.contains(name)
    }

    /// Takes note of a file that is left alone as long as it looks like this.
    pub fn leave(&self, institution: InstitutionId, name: &str, look: Look) {
        held(&self.of(institution)).left.insert(name.to_owned(), look);
    }

    /// Whether a file was left alone that looked like this.
    pub fn is_left(&self, institution: InstitutionId, name: &str, look: &Look) -> bool {
        held(&self.of(institution)).left.get(name) == Some(look)
    }

    /// Forgets files that are not among those looked at any more.
    pub fn keep_only(&self, institution: InstitutionId, names: &[String]) {
        let names: HashSet<&String> = names.iter().collect();
        held(&self.of(institution)).left.retain(|name, _| names.contains(name));
    }

    /// Takes note whether more lies there than is looked at; whether that is news.
    pub fn has_more(&self, institution: InstitutionId, has_more: bool) -> bool {
        std::mem::replace(&mut held(&self.of(institution)).has_more, has_more) != has_more
    }

    /// Nobody waits for what is done with another institution's.
    fn of(&self, institution: InstitutionId) -> Arc<Mutex<Known>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(institution).or_default())
    }
}

fn held(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
