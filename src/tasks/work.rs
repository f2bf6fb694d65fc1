//! Work that takes its time, as a row that people can watch and stop.
//!
//! Whoever does it holds a lease ([`Leases`](crate::db::Leases)), which is also its sign of life: a row that says RUNNING
//! under a lease that is free was left behind by a process that is gone. The next one that begins the same work takes the
//! row over; if nobody does, [`mark_abandoned`] marks it. Progress is counted in memory and written at most once a second, so
//! that it costs the work nothing.
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::store::{self, Ended, Task};
use crate::app::App;
use crate::db::Tx;
use crate::db::columns::TaskId;
use crate::error::{Code, Error};
use crate::kernel::text_enum;
use crate::people::{Actor, audit};

/// Between two looks at a task: its progress is written, and whether it is to stop is read.
const EVERY: Duration = Duration::from_secs(1);
/// Bytes of an error that are kept.
const MOST_DETAIL: usize = 500;
/// How long the row of work that ended is kept, in microseconds: 90 days. The record does not rest on it: files, cuts and
/// the audit trail are kept for themselves. It is longer than the daily round reaches back, which must know what somebody
/// stopped.
const KEPT: i64 = 90 * 86_400 * 1_000_000;
/// Rows that one transaction forgets.
const BITE: i64 = 500;

text_enum! {
    /// What is done.
    pub enum TaskKind {
        /// A business day is cut; the subject is the institution's code and the day.
        Cut = "CUT",
    }
}

text_enum! {
    /// Where a task stands.
    pub enum TaskState {
        /// Waits for its turn.
        Queued = "QUEUED",
        /// Somebody is at work on it.
        Running = "RUNNING",
        /// It came to its end.
        Done = "DONE",
        /// It did not, and says why.
        Failed = "FAILED",
        /// It was stopped because somebody wanted it.
        Cancelled = "CANCELLED",
    }
}

text_enum! {
    /// What a task is at.
    pub enum TaskPhase {
        /// It has just begun.
        Begun = "BEGUN",
        /// The bill is fetched and matched.
        Bill = "BILL",
        /// Orders are split and stored.
        Splitting = "SPLITTING",
        /// Rows get their keys.
        Keys = "KEYS",
        /// Files are put out; it is too late to stop.
        Publishing = "PUBLISHING",
    }
}

/// Work to be done now, under a lease that the caller holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// What.
    pub kind: TaskKind,
    /// To what.
    pub subject: String,
    /// As in the audit trail.
    pub asked_by: String,
    /// The lease.
    pub lease: String,
}

/// How far some work is; whoever does it counts here, and looks whether it is to stop. Clones share it.
#[derive(Clone)]
pub struct Watch {
    /// Set when the work is to stop.
    pub stop: Arc<AtomicBool>,
    /// How far the last attempt of whoever asked for it came; none where this is the first.
    pub before: Option<TaskPhase>,
    at: Arc<At>,
}

struct At {
    phase: Mutex<TaskPhase>,
    done: AtomicI64,
    /// Below zero while it is not known.
    total: AtomicI64,
    file: Mutex<Option<String>>,
}

impl Watch {
    fn new(before: Option<TaskPhase>) -> Self {
        let (phase, file) = (Mutex::new(TaskPhase::Begun), Mutex::new(None));
        let at = At { phase, done: AtomicI64::new(0), total: AtomicI64::new(-1), file };
        Self { stop: Arc::default(), before, at: Arc::new(at) }
    }

    /// What it is at now.
    pub fn phase(&self, phase: TaskPhase) {
        *self.at.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// How much is done.
    pub fn done(&self, done: i64) {
        self.at.done.store(done, Ordering::Relaxed);
    }

    /// How much there is to do.
    pub fn total(&self, total: i64) {
        self.at.total.store(total, Ordering::Relaxed);
    }

    /// The file that came of it.
    pub fn made(&self, name: &str) {
        *self.at.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    fn read(&self) -> (TaskPhase, i64, Option<i64>) {
        let phase = *self.at.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let total = self.at.total.load(Ordering::Relaxed);
        (phase, self.at.done.load(Ordering::Relaxed), (total >= 0).then_some(total))
    }
}

/// Does the work as a task. The caller holds the task's lease, so that what another row says to be at work on the same
/// is a leftover: it is taken over.
pub async fn run<T, Work>(app: &App, new: NewTask, work: impl FnOnce(Watch) -> Work) -> Result<T, Error>
where
    Work: Future<Output = Result<T, Error>>,
{
    let holder = ulid::Ulid::generate().to_string();
    let (now, me) = (app.clock.now(), holder.clone());
    let subject = new.subject.clone();
    let begun = app.db.write(move |tx| begin(tx, &new, &me, now)).await?;
    let (id, before) = begun.ok_or_else(|| Error::refused(Code::TaskCancelled, subject))?;
    let watch = Watch::new(before);
    let _stops = StopsOnDrop(Arc::clone(&watch.stop));
    let outcome = tokio::select! {
        outcome = work(watch.clone()) => outcome,
        never = look(app, id, &holder, &watch) => never,
    };
    let code = match &outcome {
        Err(Error::Refused { code, .. }) => Some(*code),
        Ok(_) | Err(Error::NotFound | Error::Db(_) | Error::Io(_) | Error::Internal(_)) => None,
    };
    let state = match (&outcome, code) {
        (Ok(_), _) => TaskState::Done,
        (Err(_), Some(Code::TaskCancelled)) => TaskState::Cancelled,
        (Err(_), _) => TaskState::Failed,
    };
    let detail = outcome.as_ref().err().map(told);
    let now = app.clock.now();
    let noted = app.db.write(move |tx| {
        let file = watch.at.file.lock().unwrap_or_else(PoisonError::into_inner).clone();
        store::progress(tx, id, &holder, watch.read())?;
        let ended = Ended {
            state,
            result_file: file.as_deref(),
            error_code: code.map(Code::id),
            error_detail: detail.as_deref(),
        };
        store::end(tx, id, &holder, &ended, now)
    });
    // What was done is done, whether or not its row could be written: the row is marked or taken over later.
    if let Err(error) = noted.await {
        tracing::warn!(task = id.get(), %error, "the end of a task could not be noted");
    }
    outcome
}

/// Work on threads of its own sees nobody drop the future that began it (its lease was lost, say): it is told to stop.
pub(super) struct StopsOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for StopsOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn told(error: &Error) -> String {
    let text = match error {
        Error::Refused { detail, .. } => detail.clone(),
        Error::NotFound | Error::Db(_) | Error::Io(_) | Error::Internal(_) => error.to_string(),
    };
    text.chars().take(MOST_DETAIL).collect()
}

/// A leftover of the same work goes on; so does what the platform itself tried before and failed, so that a day that
/// waits has one row. Anything else is a row of its own.
///
/// A leftover that somebody asked to stop has stopped: it is marked so, and not begun again behind their back.
///
/// Besides the row, how far the last attempt of whoever asks came.
fn begin(
    tx: &mut Tx<'_>,
    new: &NewTask,
    holder: &str,
    now: i64,
) -> Result<Option<(TaskId, Option<TaskPhase>)>, Error> {
    let has_stopped = store::stopped(tx, &new.lease, now)? > 0;
    let last = store::last_of(tx, new.kind, &new.subject)?;
    if has_stopped && last.as_ref().is_some_and(|task| task.state == TaskState::Cancelled) {
        return Ok(None);
    }
    let goes_on = |task: &Task| match task.state {
        TaskState::Running | TaskState::Queued => true,
        TaskState::Failed => task.asked_by == new.asked_by,
        TaskState::Done | TaskState::Cancelled => false,
    };
    let before = last.as_ref().filter(|task| task.asked_by == new.asked_by).map(|task| task.phase);
    let id = match last.filter(goes_on) {
        Some(task) => store::again(tx, task.id, holder, now).map(|()| task.id),
        None => store::add(tx, new, holder, now),
    };
    Ok(Some((id?, before)))
}

/// Writes progress and looks whether the work is to stop, for as long as it lasts.
async fn look<T>(app: &App, id: TaskId, holder: &str, watch: &Watch) -> Result<T, Error> {
    let mut written = None;
    loop {
        tokio::time::sleep(EVERY).await;
        // The record that cannot be reached now is no reason to stop the work.
        if app.db.read(move |tx| store::is_cancel_asked(tx, id)).await.unwrap_or(false) {
            watch.stop.store(true, Ordering::Relaxed);
        }
        let at = watch.read();
        if written != Some(at) {
            let me = holder.to_owned();
            if app.db.write(move |tx| store::progress(tx, id, &me, at)).await.is_ok() {
                written = Some(at);
            }
        }
    }
}

/// Asks for a task to be stopped; it stops where it would leave nothing half done. Asking twice is the same.
pub fn cancel(tx: &mut Tx<'_>, id: TaskId, actor: &Actor, now: i64) -> Result<(), Error> {
    let task = store::task(tx, id)?;
    if !store::ask_to_cancel(tx, id, &actor.name, now)? {
        return match task.state {
            TaskState::Queued | TaskState::Running => Ok(()),
            TaskState::Done | TaskState::Failed | TaskState::Cancelled => {
                Err(Error::refused(Code::TaskOver, task.subject))
            }
        };
    }
    let object = format!("task:{id}");
    let after = Some(json!({"kind": task.kind.as_str(), "subject": task.subject}));
    let entry = audit::Entry { action: "task.cancel", object: &object, before: None, after };
    audit::record(tx, now, actor, entry)
}

/// Whether the last work of a kind on a subject was stopped by somebody: it is not begun again by itself.
pub fn was_cancelled(tx: &mut Tx<'_>, kind: TaskKind, subject: &str) -> Result<bool, Error> {
    Ok(store::last_of(tx, kind, subject)?.is_some_and(|task| task.state == TaskState::Cancelled))
}

/// Why the last work of a kind on a subject came to nothing; none where it is not over or came to its end.
pub fn last_failure(tx: &mut Tx<'_>, kind: TaskKind, subject: &str) -> Result<Option<String>, Error> {
    let Some(last) = store::last_of(tx, kind, subject)? else { return Ok(None) };
    Ok(match last.state {
        TaskState::Queued | TaskState::Running | TaskState::Done => None,
        TaskState::Cancelled => Some("it was cancelled".to_owned()),
        TaskState::Failed => {
            let code = last.error_code.unwrap_or_default();
            Some(format!("{code} {}", last.error_detail.unwrap_or_default()))
        }
    })
}

/// Marks what was left behind, and forgets what ended long ago; how many rows.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let marked = mark_abandoned(app).await?;
    Ok(marked.saturating_add(forget(app).await?))
}

/// Forgets tasks that ended more than 90 days ago, in bites so that nobody waits long for the database; how many.
pub async fn forget(app: &App) -> Result<usize, Error> {
    let before = app.clock.now().saturating_sub(KEPT);
    let mut forgotten = 0_usize;
    loop {
        match app.db.write(move |tx| store::forget(tx, before, BITE)).await? {
            0 => return Ok(forgotten),
            more => forgotten = forgotten.saturating_add(more),
        }
    }
}

/// Marks tasks whose process is gone and that nobody has taken over; how many.
pub async fn mark_abandoned(app: &App) -> Result<usize, Error> {
    let mut marked = 0_usize;
    for lease in app.db.read(store::running_leases).await? {
        let (name, now) = (lease.clone(), app.clock.now());
        let mark = app.db.write(move |tx| {
            let stopped = store::stopped(tx, &name, now)?;
            Ok(stopped.saturating_add(store::abandon(tx, &name, Code::TaskAbandoned.id(), now)?))
        });
        // None: somebody is at work.
        marked = marked.saturating_add(app.leases.hold(&app.db, &lease, mark).await?.unwrap_or(0));
    }
    Ok(marked)
}
