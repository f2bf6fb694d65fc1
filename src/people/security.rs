//! Security events: who was refused what, and from where, at whichever door. One line in the log each (target
//! `mingfen::security`), and a row a day for all that is equal.
//!
//! Refusing must stay cheap: events are held for a moment and written together, whoever floods us is counted, and what
//! is held and what is kept is bounded. Nothing that was typed or sent is kept, only names that we know ourselves.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::{address, security_store as store};
use crate::clock;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::kernel::text_enum;

/// What is refused is written after this long.
const WRITTEN_AFTER: Duration = Duration::from_secs(1);
/// Different events that are held until then; more of a kind count as one.
const MOST_HELD: usize = 1_000;
/// Different events that a day keeps. More of a kind count as one that names nobody, so that a day has at most a row
/// more for each kind.
const MOST_A_DAY: i64 = 10_000;
/// Days that they are kept.
const KEPT_DAYS: i64 = 180;
const DAY: i64 = 24 * 3600 * 1_000_000;

text_enum! {
    /// What was refused.
    pub enum SecurityKind {
        /// A login with a wrong password, or one that does not exist.
        LoginFailed = "login.failed",
        /// A login that was tried too often, or while too many were.
        LoginHeldBack = "login.held_back",
        /// A form that did not come from our own page in the sender's session.
        FormForged = "form.forged",
        /// A request of a merchant's system that nobody known has signed.
        RequestUnsigned = "request.unsigned",
        /// A notification that its institution has not signed.
        NoticeUnsigned = "notice.unsigned",
        /// A file that an institution's user sent.
        UploadRefused = "upload.refused",
        /// A file in an institution's folder.
        ImportRefused = "import.refused",
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecurityEvent {
    /// What was refused.
    pub kind: SecurityKind,
    /// Whom it concerns, as `user:LOGIN`, `merchant:NUMBER` or `institution:CODE`; empty where nobody whom we know is named.
    pub who: String,
    /// The address it came from, of IPv6 its network; empty where it came by no network.
    pub origin: String,
    /// Why, in a word of our own.
    pub what: &'static str,
}

impl SecurityEvent {
    /// An event of somebody at a client's address.
    pub fn new(kind: SecurityKind, who: String, client: &str, what: &'static str) -> Self {
        Self { kind, who, origin: address::network(client), what }
    }

    /// What all events of a kind count as where there are too many different ones.
    fn any(kind: SecurityKind) -> Self {
        Self { kind, who: String::new(), origin: String::new(), what: "" }
    }
}

/// How often an event happened, first and last, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub times: i64,
    /// First.
    pub first_at: i64,
    /// Last.
    pub last_at: i64,
}

impl Times {
    fn add(&mut self, more: Times) {
        self.times = self.times.saturating_add(more.times);
        self.first_at = self.first_at.min(more.first_at);
        self.last_at = self.last_at.max(more.last_at);
    }
}

/// Takes events down. One per process; cheap to clone.
#[derive(Clone, Default)]
pub struct Guard(Arc<Shared>);

#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
    /// Held by whoever writes: when one has written, nothing noted before is on its way still.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    events: BTreeMap<SecurityEvent, Times>,
    /// Somebody is about to write what is held.
    is_due: bool,
}

impl Guard {
    /// Takes an event down; within a second it is in the database.
    pub fn note(&self, db: &Db, now: i64, event: SecurityEvent) {
        let SecurityEvent { kind, who, origin, what } = &event;
        tracing::warn!(target: "mingfen::security", kind = kind.as_str(), who, origin, what, "refused");
        let mut held = self.held();
        held.add(event, Times { times: 1, first_at: now, last_at: now });
        let Ok(runtime) = Handle::try_current() else { return };
        if !std::mem::replace(&mut held.is_due, true) {
            let (guard, db) = (self.clone(), db.clone());
            runtime.spawn(async move {
                tokio::time::sleep(WRITTEN_AFTER).await;
                if let Err(error) = guard.write(&db).await {
                    tracing::error!(%error, "security events could not be written, they are tried again");
                }
            });
        }
    }

    /// Writes what is held, and waits for what somebody else is writing. On an error it is held on, and written with the
    /// next event.
    pub async fn write(&self, db: &Db) -> Result<(), Error> {
        let _alone = self.0.writing.lock().await;
        let events = {
            let mut held = self.held();
            held.is_due = false;
            std::mem::take(&mut held.events)
        };
        if events.is_empty() {
            return Ok(());
        }
        let kept = events.clone();
        let written = db.write(move |tx| keep(tx, &events)).await;
        if written.is_err() {
            let mut held = self.held();
            kept.into_iter().for_each(|(event, times)| held.add(event, times));
        }
        written
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, event: SecurityEvent, times: Times) {
        let is_new = !self.events.contains_key(&event);
        let event = match is_new && self.events.len() >= MOST_HELD {
            true => SecurityEvent::any(event.kind),
            false => event,
        };
        self.events.entry(event).and_modify(|before| before.add(times)).or_insert(times);
    }
}

/// Adds events to the days on which they happened last.
fn keep(tx: &mut Tx<'_>, events: &BTreeMap<SecurityEvent, Times>) -> Result<(), Error> {
    store::alone(tx)?;
    let mut rows = BTreeMap::new();
    for (event, times) in events {
        let day = clock::instant(times.last_at).business_day();
        if store::count_again(tx, day, event, *times)? {
            continue;
        }
        let rows = match rows.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(store::rows_of(tx, day)?),
        };
        match *rows < MOST_A_DAY {
            true => store::add(tx, day, event, *times)?,
            false => store::add(tx, day, &SecurityEvent::any(event.kind), *times)?,
        }
        *rows = rows.saturating_add(1);
    }
    Ok(())
}

/// Equal events of a day as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityRow {
    /// What was refused.
    pub kind: SecurityKind,
    /// See [`SecurityEvent::who`].
    pub who: String,
    /// See [`SecurityEvent::origin`].
    pub origin: String,
    /// See [`SecurityEvent::what`].
    pub what: String,
    /// How often.
    pub times: i64,
    /// When last, in microseconds.
    pub last_at: i64,
}

/// So many events, those that happened last first.
pub fn newest(tx: &mut Tx<'_>, most: i64) -> Result<Vec<SecurityRow>, Error> {
    store::newest(tx, most)
}

/// Forgets events of long ago; how many rows those were.
pub fn forget(tx: &mut Tx<'_>, now: i64) -> Result<usize, Error> {
    let first = clock::instant(now.saturating_sub(KEPT_DAYS.saturating_mul(DAY))).business_day();
    store::forget(tx, first)
}
