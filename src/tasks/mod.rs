//! What runs by itself. Each job does what is due once and says how much that was; a loop calls it again.
mod import;
mod resolve;
mod schedule;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::error::Error;
use crate::merchants::nonces;
use crate::{ledger, notices};

pub use import::run_once as import_files;

pub use resolve::{after_start, run_once as resolve};
pub use schedule::{day_lease, run_once as daily_round};

/// Forgets request nonces that are too old to be replayed; how many those were.
pub async fn forget_nonces(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    app.db.write(move |tx| nonces::purge(tx, now)).await
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
/// After how long a job that runs once is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The running loops.
pub struct Jobs {
    stop: watch::Sender<bool>,
    loops: Vec<JoinHandle<()>>,
}

impl Jobs {
    /// Starts every loop.
    pub fn start(app: &Data<App>) -> Self {
        let (stop, _) = watch::channel(false);
        let mut jobs = Self { stop, loops: Vec::new() };
        // Rows of the outbox are taken up one by one, and each day's work has a lease of its own.
        jobs.in_each(
            "outbox",
            Duration::from_secs(1),
            app,
            |app| async move { notices::deliver(&app).await },
        );
        jobs.in_each("daily", Duration::from_secs(60), app, |app| async move { daily_round(&app).await });
        jobs.once("left behind", app, |app| async move { after_start(&app).await });
        jobs.every("resolve", Duration::from_secs(15), app, |app| async move { resolve(&app).await });
        jobs.every("import", Duration::from_secs(2), app, |app| async move { import_files(&app).await });
        jobs.every("ledger", Duration::from_secs(5), app, |app| async move { roll_up(&app).await });
        jobs.every("nonces", Duration::from_secs(60), app, |app| async move { forget_nonces(&app).await });
        jobs
    }

    /// Lets every loop finish what it has begun, then returns.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for running in self.loops {
            if running.await.is_err() {
                tracing::error!("a job ended in a panic");
            }
        }
    }

    /// Runs once, as soon as no other process does.
    fn once<Run, Once>(&mut self, name: &'static str, app: &Data<App>, run: Run)
    where
        Run: Fn(Data<App>) -> Once + Send + 'static,
        Once: Future<Output = Result<usize, Error>> + Send,
    {
        let (app, mut stop) = (app.clone(), self.stop.subscribe());
        self.loops.push(tokio::spawn(async move {
            while !*stop.borrow() {
                match app.leases.hold(&app.db, name, run(app.clone())).await {
                    Ok(Some(done)) => return tell(name, Ok(done)),
                    Ok(None) => {}
                    Err(error) => tell(name, Err(error)),
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    changed = stop.changed() => if changed.is_err() { break },
                }
            }
        }));
    }

    /// Runs again and again, in one process at a time.
    fn every<Run, Once>(&mut self, name: &'static str, pause: Duration, app: &Data<App>, run: Run)
    where
        Run: Fn(Data<App>) -> Once + Send + Sync + 'static,
        Once: Future<Output = Result<usize, Error>> + Send,
    {
        let run = Arc::new(run);
        self.in_each(name, pause, app, move |app| {
            let run = Arc::clone(&run);
            async move { Ok(app.leases.hold(&app.db, name, run(app.clone())).await?.unwrap_or(0)) }
        });
    }

    /// Runs again and again in each process.
    fn in_each<Run, Once>(&mut self, name: &'static str, pause: Duration, app: &Data<App>, run: Run)
    where
        Run: Fn(Data<App>) -> Once + Send + 'static,
        Once: Future<Output = Result<usize, Error>> + Send,
    {
        let (app, mut stop) = (app.clone(), self.stop.subscribe());
        self.loops.push(tokio::spawn(async move {
            while !*stop.borrow() {
                tell(name, run(app.clone()).await);
                // The sender lives as long as the loops: an error means that they are to end.
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    changed = stop.changed() => if changed.is_err() { break },
                }
            }
        }));
    }
}

fn tell(job: &'static str, outcome: Result<usize, Error>) {
    match outcome {
        Ok(0) => {}
        Ok(done) => tracing::info!(job, done, "job did what was due"),
        Err(error) => tracing::error!(job, %error, "job failed, it will run again"),
    }
}
