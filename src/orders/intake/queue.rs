//! The intake's queue: payments that arrive at the same time become durable in one transaction (`performance.md`, H1).
//!
//! Nobody waits for a batch to fill: whatever is there when a writer is free goes together, up to a bound. One writer
//! suits SQLite, two PostgreSQL; a payment's number decides which, so that copies of one payment meet in one lane.
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::batch::take_all;
use super::{Outcome, PaymentFact};
use crate::db::{Backend, Db, DbError};
use crate::error::Error;

/// How many payments may wait in a lane; beyond it callers are asked to come again.
const WAITING: usize = 2_048;
/// How long a caller waits: a server that is cut off says nothing for much longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// A batch that met another process's key is tried anew this often.
const ATTEMPTS: u32 = 3;

/// How payments are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Writers at the same time.
    pub lanes: usize,
    /// The most payments of one transaction.
    pub batch: usize,
}

impl Pace {
    /// What suits a database: up to 256 payments a transaction.
    pub fn of(db: &Db) -> Self {
        match db.backend() {
            Backend::Sqlite(_) => Self { lanes: 1, batch: 256 },
            Backend::Postgres(_) => Self { lanes: 2, batch: 256 },
        }
    }
}

/// Takes payments in. Clones share the queue; its writers end with the last of them.
#[derive(Clone)]
pub struct Intake {
    lanes: Vec<mpsc::Sender<Waiting>>,
}

/// A payment and who waits for its outcome.
struct Waiting {
    fact: PaymentFact,
    told: oneshot::Sender<Result<Outcome, Error>>,
}

impl Intake {
    /// Starts the writers. Fails only where the system gives no thread.
    pub fn start(db: &Db, pace: Pace) -> Result<Self, Error> {
        let mut lanes = Vec::with_capacity(pace.lanes);
        for n in 0..pace.lanes.max(1) {
            let (lane, waiting) = mpsc::channel(WAITING);
            let db = db.clone();
            let writer = move || write_all(&db, waiting, pace.batch.max(1));
            thread::Builder::new().name(format!("intake-{n}")).spawn(writer)?;
            lanes.push(lane);
        }
        Ok(Self { lanes })
    }

    /// Takes one payment; it is durable when this returns. [`DbError::Unavailable`] is a full queue, in which case nothing
    /// was taken, or a database that does not answer: then nobody knows, and the same message delivered again finds out.
    pub async fn submit(&self, fact: PaymentFact) -> Result<Outcome, Error> {
        let (told, outcome) = oneshot::channel();
        self.lane(&fact.said.inst_order_no)?.try_send(Waiting { fact, told }).map_err(
            |refused| match refused {
                TrySendError::Full(_) => Error::Db(DbError::Unavailable),
                TrySendError::Closed(_) => Error::Internal("the intake has ended".to_owned()),
            },
        )?;
        match timeout(PATIENCE, outcome).await {
            Ok(told) => told.map_err(|_| Error::Internal("the intake dropped a payment".to_owned()))?,
            Err(_) => Err(Error::Db(DbError::Unavailable)),
        }
    }

    fn lane(&self, inst_order_no: &str) -> Result<&mpsc::Sender<Waiting>, Error> {
        let mut hasher = DefaultHasher::new();
        inst_order_no.hash(&mut hasher);
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1).max(1);
        let lane = usize::try_from(hasher.finish() % lanes).unwrap_or(0);
        self.lanes.get(lane).ok_or_else(|| Error::Internal("the intake has no writer".to_owned()))
    }
}

fn write_all(db: &Db, mut waiting: mpsc::Receiver<Waiting>, most: usize) {
    let mut batch = Vec::with_capacity(most);
    while waiting.blocking_recv_many(&mut batch, most) > 0 {
        let (facts, told): (Vec<_>, Vec<_>) = batch.drain(..).map(|one| (one.fact, one.told)).unzip();
        match write(db, &facts) {
            Ok(outcomes) => {
                for (told, outcome) in told.into_iter().zip(outcomes) {
                    tell(told, Ok(outcome));
                }
            }
            Err(Error::Db(DbError::Unavailable)) => {
                // Alone they would fare no better, only slower.
                for told in told {
                    tell(told, Err(Error::Db(DbError::Unavailable)));
                }
            }
            Err(error) if facts.len() == 1 => told.into_iter().for_each(|told| {
                tracing::error!(%error, "a payment could not be stored");
                tell(told, Err(Error::Internal(error.to_string())));
            }),
            Err(error) => {
                tracing::warn!(%error, payments = facts.len(), "a batch failed, its payments are taken one by one");
                for (fact, told) in facts.iter().zip(told) {
                    let alone = write(db, std::slice::from_ref(fact));
                    tell(told, alone.map(|outcomes| outcomes.first().copied().unwrap_or(Outcome::Conflict)));
                }
            }
        }
    }
}

/// Who gave up waiting is told by the next delivery of the same message.
fn tell(told: oneshot::Sender<Result<Outcome, Error>>, outcome: Result<Outcome, Error>) {
    drop(told.send(outcome));
}

/// One transaction. A bug that a payment brings to light must not end the writer.
fn write(db: &Db, facts: &[PaymentFact]) -> Result<Vec<Outcome>, Error> {
    let mut attempt = 1;
    loop {
        let taken = catch_unwind(AssertUnwindSafe(|| db.write_blocking(|tx| take_all(tx, facts))));
        match taken.unwrap_or_else(|_| Err(Error::Internal("the intake stopped unexpectedly".to_owned()))) {
            Err(error) if error.is_duplicate() && attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}
