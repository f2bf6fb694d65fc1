//! What was last told of days that stand still, so that a log tells it when it changes and not every minute.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::gate::Still;
use crate::db::columns::InstitutionId;

/// The days that stand still, by institution, as they were last told. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<HashMap<InstitutionId, Still>>>);

impl Waits {
    /// Takes note of what an institution's day waits for; whether it is something else than before.
    pub fn changes(&self, institution: InstitutionId, still: Option<&Still>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match still {
            Some(still) => told.insert(institution, still.clone()),
            None => told.remove(&institution),
        };
        before.as_ref() != still
    }
}
