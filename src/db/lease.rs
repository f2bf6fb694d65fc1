//! Several processes, one job: whoever holds its lease does it.
//!
//! No clock of a wall is asked: clocks differ, and jump. The holder counts `beat` up every few seconds; another takes
//! the lease over when its own stopwatch has run for [`STILL`] while that number stood still, and the holder gives the
//! job up when it could not count for as long. A lease only keeps two processes from the same trouble: what must never
//! happen twice is refused by keys and locks of the data themselves.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;

use super::schema::job_lease;
use super::{Db, Tx};
use crate::error::Error;

/// How long a holder may be silent.
const STILL: Duration = Duration::from_secs(30);
/// The holder of a free lease.
const NOBODY: &str = "";

/// The leases as this process sees them. Clones share it.
#[derive(Clone)]
pub struct Leases {
    still: Duration,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

/// Another's hold, and since when it has not moved.
struct Seen {
    holder: String,
    beat: i64,
    since: Instant,
}

impl Default for Leases {
    fn default() -> Self {
        Leases::giving_up_after(STILL)
    }
}

impl Leases {
    /// With another patience than 30 seconds; all processes of a database must have the same.
    pub fn giving_up_after(still: Duration) -> Self {
        Leases { still, seen: Arc::default() }
    }

    /// Does the work while holding the lease `name`, and gives it back; `None` when another holds it, or took it
    /// over meanwhile because this process was silent for too long.
    pub async fn hold<T>(
        &self,
        db: &Db,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        let holder = ulid::Ulid::generate().to_string();
        let began = Instant::now();
        if !self.take(db, name, &holder).await? {
            return Ok(None);
        }
        let outcome = tokio::select! {
            done = work => done.map(Some),
            () = self.beats(db, name, &holder, began) => {
                tracing::warn!(lease = name, "another process has taken this job over");
                return Ok(None);
            }
        };
        let (lease, mine) = (name.to_owned(), holder.clone());
        if let Err(error) = db.write(move |tx| release(tx, &lease, &mine)).await {
            tracing::warn!(lease = name, %error, "a lease was not given back; it is free again after a while");
        }
        outcome
    }

    async fn take(&self, db: &Db, name: &str, holder: &str) -> Result<bool, Error> {
        let (leases, lease, me) = (self.clone(), name.to_owned(), holder.to_owned());
        match db.write(move |tx| leases.try_take(tx, &lease, &me)).await {
            // Another made its first row at the same moment.
            Err(error) if error.is_duplicate() => Ok(false),
            taken => taken,
        }
    }

    fn try_take(&self, tx: &mut Tx<'_>, name: &str, me: &str) -> Result<bool, Error> {
        let row: Option<(String, i64)> = job_lease::table
            .find(name)
            .select((job_lease::holder, job_lease::beat))
            .first(tx.conn())
            .optional()?;
        let Some((holder, beat)) = row else {
            let first = (job_lease::name.eq(name), job_lease::holder.eq(me), job_lease::beat.eq(1));
            diesel::insert_into(job_lease::table).values(first).execute(tx.conn())?;
            return Ok(true);
        };
        if holder != NOBODY && !self.stands_still(name, &holder, beat) {
            return Ok(false);
        }
        let as_seen = job_lease::table.find(name).filter(job_lease::holder.eq(&holder));
        let changed = diesel::update(as_seen.filter(job_lease::beat.eq(beat)))
            .set((job_lease::holder.eq(me), job_lease::beat.eq(beat.saturating_add(1))))
            .execute(tx.conn())?;
        Ok(changed == 1)
    }

    /// Whether this hold has not moved for so long that its process must be gone.
    fn stands_still(&self, name: &str, holder: &str, beat: i64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let new = || Seen { holder: holder.to_owned(), beat, since: now };
        let known = seen.entry(name.to_owned()).or_insert_with(new);
        if known.holder != holder || known.beat != beat {
            *known = new();
        }
        now.duration_since(known.since) >= self.still
    }

    /// Counts on for as long as the lease is ours.
    async fn beats(&self, db: &Db, name: &str, holder: &str, began: Instant) {
        let mut counted = began;
        loop {
            tokio::time::sleep(self.still / 6).await;
            let at = Instant::now();
            let (lease, me) = (name.to_owned(), holder.to_owned());
            match db.write(move |tx| count(tx, &lease, &me)).await {
                Ok(true) => counted = at,
                Ok(false) => return,
                Err(_) if counted.elapsed() < self.still => {}
                Err(_) => return,
            }
        }
    }
}

fn count(tx: &mut Tx<'_>, name: &str, holder: &str) -> Result<bool, Error> {
    let mine = job_lease::table.find(name).filter(job_lease::holder.eq(holder));
    let changed = diesel::update(mine).set(job_lease::beat.eq(job_lease::beat + 1)).execute(tx.conn())?;
    Ok(changed == 1)
}

fn release(tx: &mut Tx<'_>, name: &str, holder: &str) -> Result<(), Error> {
    let mine = job_lease::table.find(name).filter(job_lease::holder.eq(holder));
    diesel::update(mine).set(job_lease::holder.eq(NOBODY)).execute(tx.conn())?;
    Ok(())
}
