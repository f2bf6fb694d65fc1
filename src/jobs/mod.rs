//! What runs by itself. Each job does what is due once and says how much that was; a loop calls it again.
mod import;
mod outbox;
mod resolve;
mod schedule;
mod store;

use std::future::Future;
use std::time::Duration;

use actix_web::web::Data;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::error::Error;
use crate::ledger;
use crate::people::nonces;

pub use import::run_once as import_files;
pub use outbox::{SCHEDULE, run_once as deliver};
pub use resolve::{after_start, run_once as resolve};
pub use schedule::run_once as daily_round;

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
        jobs.every("outbox", Duration::from_secs(1), app, |app| async move { deliver(&app).await });
        jobs.once("left behind", app, |app| async move { after_start(&app).await });
        jobs.every("resolve", Duration::from_secs(15), app, |app| async move { resolve(&app).await });
        jobs.every("import", Duration::from_secs(2), app, |app| async move { import_files(&app).await });
        jobs.every("daily", Duration::from_secs(60), app, |app| async move { daily_round(&app).await });
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

    fn once<Run, Once>(&mut self, name: &'static str, app: &Data<App>, run: Run)
    where
        Run: FnOnce(Data<App>) -> Once,
        Once: Future<Output = Result<usize, Error>> + Send + 'static,
    {
        let running = run(app.clone());
        self.loops.push(tokio::spawn(async move { tell(name, running.await) }));
    }

    fn every<Run, Once>(&mut self, name: &'static str, pause: Duration, app: &Data<App>, run: Run)
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
