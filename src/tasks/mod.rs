//! What runs by itself, and work that takes its time. Each job of the table ([`JOBS`]) does what is due once and says how
//! much that was; a loop calls it again. Work that people may watch and stop is a task, a row with its progress.
mod ask;
mod cut;
mod import;
mod jobs;
mod resolve;
mod rounds;
mod schedule;
mod store;
mod work;

use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger;
use crate::merchants::nonces;
use crate::people::{security, throttle};

pub use ask::about as ask_about;
pub use cut::{cut_as_task, cut_subject};
pub use import::run_once as import_files;

pub use jobs::{JOBS, Job, JobName, Jobs, RunBy, lag, run_job};
pub use resolve::{after_start, run_once as resolve};
pub use schedule::{day_lease, run_once as daily_round};
pub use store::{JobRun, Task, job_runs, newest, task};
pub use work::{
    NewTask, TaskKind, TaskPhase, TaskState, Watch, cancel, forget as forget_tasks, last_failure,
    mark_abandoned, run as run_task, was_cancelled,
};

/// Forgets request nonces that are too old to be replayed, attempts to log in that count no more, and security events of
/// long ago; how many rows those were.
pub async fn forget(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let purge = move |tx: &mut Tx<'_>| {
        let nonces = nonces::purge(tx, now)?;
        let people = throttle::forget(tx, now)?.saturating_add(security::forget(tx, now)?);
        Ok(nonces.saturating_add(people))
    };
    app.db.write(purge).await
}

/// Chains what was posted to the ledger; how many entries.
pub async fn roll_up(app: &App) -> Result<usize, Error> {
    let upto = app.db.write(ledger::watermark).await?;
    let mut linked = 0_usize;
    loop {
        match app.db.write(move |tx| ledger::link(tx, upto)).await? {
            0 => return Ok(linked),
            more => linked = linked.saturating_add(more),
        }
    }
}
