//! The one table of what runs by itself, the loops that run it, and what is kept of their runs.
use std::pin::Pin;
use std::time::Duration;

use actix_web::web::Data;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::rounds::PATIENCE;
use super::store::{self, JobRun};
use super::{ask, forget, import, resolve, roll_up, schedule, work};
use crate::app::App;
use crate::error::Error;
use crate::kernel::text_enum;
use crate::notices;
use crate::turns::Turns;

/// After how long a job that runs once is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a round waits for an institution whose day is being cut: a minute.
const DAY: Duration = Duration::from_secs(60);
/// How long what has begun may take after the loops were told to stop. A disk that does not answer is not waited for.
const GRACE: Duration = Duration::from_secs(20);
/// A job that had nothing to do notes its runs once in this time, in microseconds: a minute.
const NOTED_EVERY: i64 = 60 * 1_000_000;
/// A job is late when it has noted nothing for this long after it was due, in microseconds: two minutes.
const LATE_AFTER: i64 = 2 * NOTED_EVERY;

text_enum! {
    /// What runs by itself; the name is also that of its lease.
    pub enum JobName {
        /// Delivers what goes out.
        Outbox = "outbox",
        /// Cuts and settles the days that are due.
        Daily = "daily",
        /// After a start, settles orders that an earlier process left behind.
        LeftBehind = "left behind",
        /// Asks for orders whose answer never came.
        Resolve = "resolve",
        /// Asks about orders of whose payment nobody told.
        Ask = "ask",
        /// Takes files of institutions in.
        Import = "import",
        /// Chains what was posted to the ledger.
        Ledger = "ledger",
        /// Forgets old request nonces, attempts to log in and security events.
        Forget = "forget",
        /// Marks tasks whose process is gone, and forgets those that ended long ago.
        Tasks = "tasks",
    }
}

/// Who runs a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunBy {
    /// Each process: its work is shared row by row, or has leases of its own.
    Each,
    /// One process at a time: it holds the job's lease.
    One,
}

type Run = fn(Data<App>) -> Pin<Box<dyn Future<Output = Result<usize, Error>> + Send>>;

/// A job: what, how often, and by whom.
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// The pause between two runs; none of a job that runs once after a start.
    pub every: Option<Duration>,
    /// Who runs it.
    pub by: RunBy,
    /// Does what is due once, and says how much that was.
    run: Run,
}

const fn every(name: JobName, seconds: u64, by: RunBy, run: Run) -> Job {
    Job { name, every: Some(Duration::from_secs(seconds)), by, run }
}

/// Every job.
pub const JOBS: [Job; 9] = [
    every(JobName::Outbox, 1, RunBy::Each, |app| Box::pin(async move { notices::round(&app).await })),
    every(JobName::Daily, 60, RunBy::Each, |app| Box::pin(async move { schedule::round(&app, DAY).await })),
    Job {
        name: JobName::LeftBehind,
        every: None,
        by: RunBy::One,
        run: |app| Box::pin(async move { resolve::round(&app, JobName::LeftBehind, PATIENCE).await }),
    },
    every(JobName::Resolve, 15, RunBy::One, |app| {
        Box::pin(async move { resolve::round(&app, JobName::Resolve, PATIENCE).await })
    }),
    every(JobName::Ask, 60, RunBy::One, |app| Box::pin(async move { ask::round(&app, PATIENCE).await })),
    every(JobName::Import, 2, RunBy::One, |app| Box::pin(async move { import::round(&app, PATIENCE).await })),
    every(JobName::Ledger, 5, RunBy::One, |app| Box::pin(async move { roll_up(&app).await })),
    every(JobName::Forget, 60, RunBy::One, |app| Box::pin(async move { forget(&app).await })),
    every(JobName::Tasks, 60, RunBy::One, |app| Box::pin(async move { work::run_once(&app).await })),
];

/// How long a job is overdue, in microseconds; none when it is in time, or runs once.
pub fn lag(run: &JobRun, now: i64) -> Option<i64> {
    let late = now.saturating_sub(run.next_due?);
    (late > LATE_AFTER).then_some(late)
}

/// Runs a job of the table once, now, and notes it; `None` when another process is at it.
pub async fn run_job(app: &Data<App>, name: JobName) -> Result<Option<usize>, Error> {
    let Some(job) = JOBS.iter().find(|job| job.name == name) else { return Ok(None) };
    let mut notes = Notes::new(job);
    let outcome = notes.around(app, held(app, job)).await;
    notes.write(app).await;
    outcome
}

async fn held(app: &Data<App>, job: &Job) -> Result<Option<usize>, Error> {
    match job.by {
        RunBy::Each => (job.run)(app.clone()).await.map(Some),
        RunBy::One => app.leases.hold(&app.db, job.name.as_str(), (job.run)(app.clone())).await,
    }
}

/// The running loops.
pub struct Jobs {
    stop: watch::Sender<bool>,
    loops: Vec<JoinHandle<()>>,
    turns: Turns,
}

impl Jobs {
    /// Starts every loop.
    pub fn start(app: &Data<App>) -> Self {
        let (stop, _) = watch::channel(false);
        let loops = JOBS.iter().map(|job| tokio::spawn(run_on(app.clone(), job, stop.subscribe()))).collect();
        Self { stop, loops, turns: app.turns.clone() }
    }

    /// Lets every loop finish what it has begun, then returns; after 20 seconds even so.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.turns.close();
        let until = Instant::now() + GRACE;
        for running in self.loops {
            match timeout_at(until, running).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!("a job ended in a panic"),
                Err(_) => tracing::error!("a job did not come to its end, it is left at what it does"),
            }
        }
        if !self.turns.all_over(until.saturating_duration_since(Instant::now())).await {
            tracing::error!("some work did not come to its end, it is left at what it does");
        }
    }
}

async fn run_on(app: Data<App>, job: &'static Job, mut stop: watch::Receiver<bool>) {
    let mut notes = Notes::new(job);
    while !*stop.borrow() {
        let outcome = notes.around(&app, held(&app, job)).await;
        if notes.are_due(app.clock.now()) {
            notes.write(&app).await;
        }
        let is_over = job.every.is_none() && matches!(outcome, Ok(Some(_)));
        tell(job.name, outcome);
        if is_over {
            return;
        }
        // The sender lives as long as the loops: an error means that they are to end.
        tokio::select! {
            () = tokio::time::sleep(job.every.unwrap_or(AGAIN)) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
}

fn tell(job: JobName, outcome: Result<Option<usize>, Error>) {
    let job = job.as_str();
    match outcome {
        Ok(None | Some(0)) => {}
        Ok(Some(done)) => tracing::info!(job, done, "job did what was due"),
        Err(error) => tracing::error!(job, %error, "job failed, it will run again"),
    }
}

/// What this process has not written yet of a job's runs: an idle job writes nothing for a minute.
struct Notes {
    run: JobRun,
    every: Option<i64>,
    written_at: Option<i64>,
}

impl Notes {
    fn new(job: &Job) -> Self {
        let every = job.every.and_then(|pause| i64::try_from(pause.as_micros()).ok());
        Self { run: empty(job.name), every, written_at: None }
    }

    /// Runs, and counts the run.
    async fn around(
        &mut self,
        app: &App,
        run: impl Future<Output = Result<Option<usize>, Error>>,
    ) -> Result<Option<usize>, Error> {
        let started_at = app.clock.now();
        let outcome = run.await;
        let ended_at = app.clock.now();
        let add = |sum: &mut i64, more: i64| *sum = sum.saturating_add(more);
        match &outcome {
            // Another process ran it, and notes it.
            Ok(None) => return outcome,
            Ok(Some(done)) => add(&mut self.run.done, i64::try_from(*done).unwrap_or(i64::MAX)),
            Err(error) => {
                add(&mut self.run.failures, 1);
                self.run.failed_at = Some(ended_at);
                self.run.last_error = Some(error.to_string());
            }
        }
        add(&mut self.run.runs, 1);
        (self.run.started_at, self.run.ended_at) = (started_at, ended_at);
        self.run.next_due = self.every.map(|pause| ended_at.saturating_add(pause));
        outcome
    }

    fn are_due(&self, now: i64) -> bool {
        let news = self.run.done > 0 || self.run.failures > 0;
        // A clock that was set back is no reason to be silent.
        let old = self.written_at.is_none_or(|at| !(at..at.saturating_add(NOTED_EVERY)).contains(&now));
        self.run.runs > 0 && (old || (news && self.every.is_none_or(|pause| pause >= NOTED_EVERY)))
    }

    async fn write(&mut self, app: &App) {
        if self.run.runs == 0 {
            return;
        }
        let name = self.run.job;
        let run = std::mem::replace(&mut self.run, empty(name));
        let noted = run.clone();
        match app.db.write(move |tx| store::note_runs(tx, &noted)).await {
            Ok(()) => self.written_at = Some(run.ended_at),
            // It is noted with the next.
            Err(_) => self.run = run,
        }
    }
}

fn empty(job: JobName) -> JobRun {
    JobRun {
        job,
        started_at: 0,
        ended_at: 0,
        next_due: None,
        runs: 0,
        failures: 0,
        done: 0,
        failed_at: None,
        last_error: None,
    }
}
