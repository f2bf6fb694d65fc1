//! The one clock of a process. Nothing else asks the system for the time, and no SQL does.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;

/// System time plus an offset that `demo` and tests move. Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Clock::default()
    }

    /// Unix microseconds.
    pub fn now(&self) -> i64 {
        Utc::now().timestamp_micros().saturating_add(self.offset_micros.load(Ordering::SeqCst))
    }

    /// Moves the clock on by seconds, for all clones.
    pub fn advance(&self, seconds: i64) {
        self.offset_micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}
