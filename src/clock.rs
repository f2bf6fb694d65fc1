//! The one clock of a process. Nothing else asks the system for the time, and no SQL does.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;

use crate::kernel::calendar::{BusinessDay, Instant};

/// Microseconds in a second: columns count the former, the kernel the latter.
const MICROS: i64 = 1_000_000;

/// A kernel instant as columns hold it.
pub fn micros(instant: Instant) -> i64 {
    instant.get().saturating_mul(MICROS)
}

/// A column's value as a kernel instant, fractions of a second cut off.
pub fn instant(micros: i64) -> Instant {
    Instant::new(micros.div_euclid(MICROS))
}

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

    /// Unix seconds, as the kernel and the protocols count.
    pub fn instant(&self) -> Instant {
        Instant::new(self.now().div_euclid(MICROS))
    }

    /// The business day that it is in Asia/Shanghai.
    pub fn today(&self) -> BusinessDay {
        self.instant().business_day()
    }

    /// Sets the clock to a moment, for all clones.
    pub fn set(&self, to: Instant) {
        let offset = micros(to).saturating_sub(Utc::now().timestamp_micros());
        self.offset_micros.store(offset, Ordering::SeqCst);
    }

    /// Moves the clock on by seconds, for all clones.
    pub fn advance(&self, seconds: i64) {
        self.offset_micros.fetch_add(seconds.saturating_mul(MICROS), Ordering::SeqCst);
    }
}
