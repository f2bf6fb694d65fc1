//! Queries of jobs and tasks.
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::jobs::JobName;
use super::work::{NewTask, TaskKind, TaskPhase, TaskState};
use crate::db::columns::{As, TaskId, words};
use crate::db::schema::{job_run, task};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::insert_returning_id;

words!(JobName, TaskKind, TaskState, TaskPhase);

/// What is kept of a job's runs.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = job_run)]
pub struct JobRun {
    /// Which job.
    pub job: JobName,
    /// When its last noted run began, unix microseconds.
    pub started_at: i64,
    /// When it ended, unix microseconds.
    pub ended_at: i64,
    /// When it is due again, unix microseconds; none of a job that runs once.
    pub next_due: Option<i64>,
    /// Runs so far, of all processes.
    pub runs: i64,
    /// Those that failed.
    pub failures: i64,
    /// What they did altogether: files, orders, entries.
    pub done: i64,
    /// When it failed last, unix microseconds.
    pub failed_at: Option<i64>,
    /// And why.
    pub last_error: Option<String>,
}

/// Adds runs to what is kept of a job.
pub(super) fn note_runs(tx: &mut Tx<'_>, run: &JobRun) -> Result<(), Error> {
    let values = (
        job_run::job.eq(As(run.job)),
        job_run::started_at.eq(run.started_at),
        job_run::ended_at.eq(run.ended_at),
        job_run::next_due.eq(run.next_due),
        job_run::runs.eq(run.runs),
        job_run::failures.eq(run.failures),
        job_run::done.eq(run.done),
        job_run::failed_at.eq(run.failed_at),
        job_run::last_error.eq(run.last_error.as_deref()),
    );
    let insert = diesel::insert_into(job_run::table).values(values).on_conflict(job_run::job).do_update();
    let times = (
        job_run::started_at.eq(excluded(job_run::started_at)),
        job_run::ended_at.eq(excluded(job_run::ended_at)),
        job_run::next_due.eq(excluded(job_run::next_due)),
        job_run::runs.eq(job_run::runs + excluded(job_run::runs)),
        job_run::failures.eq(job_run::failures + excluded(job_run::failures)),
        job_run::done.eq(job_run::done + excluded(job_run::done)),
    );
    let error = (
        job_run::failed_at.eq(excluded(job_run::failed_at)),
        job_run::last_error.eq(excluded(job_run::last_error)),
    );
    // A good run leaves the last failure standing.
    match (tx.conn(), run.failed_at) {
        (Conn::Sqlite(conn), None) => insert.set(times).execute(conn)?,
        (Conn::Pg(conn), None) => insert.set(times).execute(conn)?,
        (Conn::Sqlite(conn), Some(_)) => insert.set((times, error)).execute(conn)?,
        (Conn::Pg(conn), Some(_)) => insert.set((times, error)).execute(conn)?,
    };
    Ok(())
}

/// What is kept of every job that ever ran.
pub fn job_runs(tx: &mut Tx<'_>) -> Result<Vec<JobRun>, Error> {
    // A process of another version may have jobs that this one does not know.
    let known = JobName::ALL.iter().map(|job| job.as_str());
    let runs = job_run::table.filter(job_run::job.eq_any(known));
    Ok(runs.select(JobRun::as_select()).load(tx.conn())?)
}

/// A piece of work that takes its time.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = task)]
pub struct Task {
    /// Its key.
    pub id: TaskId,
    /// What is done.
    pub kind: TaskKind,
    /// To what: of a cut the institution's code and the day.
    pub subject: String,
    /// As in the audit trail: `user:LOGIN`, `shell` or `system`.
    pub asked_by: String,
    /// Unix microseconds.
    pub asked_at: i64,
    /// Where it stands.
    pub state: TaskState,
    /// Who does it holds this lease.
    pub lease: String,
    /// How often it was begun.
    pub attempts: i64,
    /// What it is at, or was at when it ended.
    pub phase: TaskPhase,
    /// How many orders, files or rows are done.
    pub done: i64,
    /// Of how many, where that is known.
    pub total: Option<i64>,
    /// Who wants it to stop.
    pub cancel_asked_by: Option<String>,
    /// Unix microseconds.
    pub started_at: Option<i64>,
    /// Unix microseconds.
    pub ended_at: Option<i64>,
    /// The name of the file that it made.
    pub result_file: Option<String>,
    /// The stable code of why it failed.
    pub error_code: Option<String>,
    /// What exactly.
    pub error_detail: Option<String>,
}

/// The newest tasks, at most `limit`.
pub fn newest(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Task>, Error> {
    Ok(task::table.order(task::id.desc()).limit(limit).select(Task::as_select()).load(tx.conn())?)
}

/// The task of this key.
pub fn task(tx: &mut Tx<'_>, id: TaskId) -> Result<Task, Error> {
    let found = task::table.find(id).select(Task::as_select()).first(tx.conn()).optional()?;
    found.ok_or(Error::NotFound)
}

/// The last task of a kind over a subject.
pub(super) fn last_of(tx: &mut Tx<'_>, kind: TaskKind, subject: &str) -> Result<Option<Task>, Error> {
    Ok(task::table
        .filter(task::kind.eq(As(kind)))
        .filter(task::subject.eq(subject))
        .order(task::id.desc())
        .select(Task::as_select())
        .first(tx.conn())
        .optional()?)
}

/// A new row that is at work.
pub(super) fn add(tx: &mut Tx<'_>, new: &NewTask, holder: &str, now: i64) -> Result<TaskId, Error> {
    let values = (
        task::kind.eq(As(new.kind)),
        task::subject.eq(&new.subject),
        task::asked_by.eq(&new.asked_by),
        task::asked_at.eq(now),
        task::state.eq(As(TaskState::Running)),
        task::lease.eq(&new.lease),
        task::holder.eq(holder),
        task::attempts.eq(1),
        task::phase.eq(As(TaskPhase::Begun)),
        task::done.eq(0),
        task::started_at.eq(now),
    );
    Ok(TaskId::new(insert_returning_id!(tx, task, values)?))
}

/// Begins a row once more, under another hold.
pub(super) fn again(tx: &mut Tx<'_>, id: TaskId, holder: &str, now: i64) -> Result<(), Error> {
    diesel::update(task::table.find(id))
        .set((
            task::state.eq(As(TaskState::Running)),
            task::holder.eq(holder),
            task::attempts.eq(task::attempts + 1),
            task::phase.eq(As(TaskPhase::Begun)),
            task::done.eq(0),
            task::total.eq(None::<i64>),
            task::started_at.eq(now),
            task::ended_at.eq(None::<i64>),
            task::cancel_asked_by.eq(None::<String>),
            task::cancel_asked_at.eq(None::<i64>),
            task::error_code.eq(None::<String>),
            task::error_detail.eq(None::<String>),
            task::result_file.eq(None::<String>),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Notes how far a task is, as long as this hold of it lasts.
pub(super) fn progress(
    tx: &mut Tx<'_>,
    id: TaskId,
    holder: &str,
    (phase, done, total): (TaskPhase, i64, Option<i64>),
) -> Result<(), Error> {
    diesel::update(task::table.find(id))
        .filter(task::holder.eq(holder))
        .filter(task::state.eq(As(TaskState::Running)))
        .set((task::phase.eq(As(phase)), task::done.eq(done), task::total.eq(total)))
        .execute(tx.conn())?;
    Ok(())
}

/// Whether somebody wants this task to stop.
pub(super) fn is_cancel_asked(tx: &mut Tx<'_>, id: TaskId) -> Result<bool, Error> {
    let asked =
        task::table.find(id).select(task::cancel_asked_at.is_not_null()).first(tx.conn()).optional()?;
    Ok(asked.unwrap_or(false))
}

/// How a task ended.
pub(super) struct Ended<'a> {
    pub state: TaskState,
    pub result_file: Option<&'a str>,
    pub error_code: Option<&'a str>,
    pub error_detail: Option<&'a str>,
}

/// Notes the end of this hold of a task.
pub(super) fn end(
    tx: &mut Tx<'_>,
    id: TaskId,
    holder: &str,
    ended: &Ended<'_>,
    now: i64,
) -> Result<(), Error> {
    diesel::update(task::table.find(id))
        .filter(task::holder.eq(holder))
        .filter(task::state.eq(As(TaskState::Running)))
        .set((
            task::state.eq(As(ended.state)),
            task::ended_at.eq(now),
            task::result_file.eq(ended.result_file),
            task::error_code.eq(ended.error_code),
            task::error_detail.eq(ended.error_detail),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that a task is to stop; whether there was still something to stop.
pub(super) fn ask_to_cancel(tx: &mut Tx<'_>, id: TaskId, by: &str, now: i64) -> Result<bool, Error> {
    let changed = diesel::update(task::table.find(id))
        .filter(task::state.eq(As(TaskState::Running)))
        .filter(task::cancel_asked_at.is_null())
        .set((task::cancel_asked_by.eq(by), task::cancel_asked_at.eq(now)))
        .execute(tx.conn())?;
    Ok(changed > 0)
}

/// The leases under which tasks are said to be at work.
pub(super) fn running_leases(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    Ok(task::table
        .filter(task::state.eq(As(TaskState::Running)))
        .select(task::lease)
        .distinct()
        .load(tx.conn())?)
}

/// Marks what is said to be at work under a lease that nobody else holds; how many those were.
pub(super) fn abandon(tx: &mut Tx<'_>, lease: &str, code: &str, now: i64) -> Result<usize, Error> {
    Ok(diesel::update(task::table)
        .filter(task::lease.eq(lease))
        .filter(task::state.eq(As(TaskState::Running)))
        .filter(task::cancel_asked_at.is_null())
        .set((task::state.eq(As(TaskState::Failed)), task::ended_at.eq(now), task::error_code.eq(code)))
        .execute(tx.conn())?)
}

/// What was at work under a lease and was asked to stop has stopped with its process; how many tasks that were.
pub(super) fn stopped(tx: &mut Tx<'_>, lease: &str, now: i64) -> Result<usize, Error> {
    Ok(diesel::update(task::table)
        .filter(task::lease.eq(lease))
        .filter(task::state.eq(As(TaskState::Running)))
        .filter(task::cancel_asked_at.is_not_null())
        .set((task::state.eq(As(TaskState::Cancelled)), task::ended_at.eq(now)))
        .execute(tx.conn())?)
}

/// Forgets tasks that ended before a time, oldest first and at most `limit`; how many those were.
pub(super) fn forget(tx: &mut Tx<'_>, before: i64, limit: i64) -> Result<usize, Error> {
    let oldest: Vec<TaskId> = task::table
        .filter(task::ended_at.lt(before))
        .order((task::ended_at.asc(), task::id.asc()))
        .limit(limit)
        .select(task::id)
        .load(tx.conn())?;
    if oldest.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(task::table.filter(task::id.eq_any(oldest))).execute(tx.conn())?)
}
