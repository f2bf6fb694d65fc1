//! Whose uploads are on their way: each of them holds a part of the disk and then of the memory, so of one institution only
//! a few may be.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::columns::InstitutionId;

/// Uploads of one institution that may be on their way at once.
const AT_ONCE: usize = 2;

/// The uploads of every institution. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Uploads(Arc<Mutex<HashMap<InstitutionId, Arc<Semaphore>>>>);

impl Uploads {
    /// A turn of the institution's, held until it is dropped; `None` while all are taken.
    pub fn begin(&self, institution: InstitutionId) -> Option<OwnedSemaphorePermit> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = all.entry(institution).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
        Arc::clone(turns).try_acquire_owned().ok()
    }
}
