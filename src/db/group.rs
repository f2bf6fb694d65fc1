//! Small writes that arrive together become durable together (`performance.md`): SQLite has one writer, and every commit
//! of it waits for the disk.
//!
//! Nobody waits for a group to fill: what is queued when the writer is free shares a transaction, each command in a
//! savepoint of its own. A command that fails or panics takes back its own part and is told so; the others never notice.
//! Everybody is told after the commit, and when that fails nothing of the group has happened.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::failure::DbError;
use super::lane::{Kind, Lane, Side};
use super::transaction::{self, Open, Tx};
use crate::error::Error;

/// How many commands may wait; beyond it callers are asked to come again.
const WAITING: usize = 2_048;
/// The most commands of one transaction.
const TOGETHER: usize = 256;
/// After so long a group takes no more: those that are done wait for its commit.
const LONG: Duration = Duration::from_millis(20);

/// The one who writes for everybody. It ends with the last of its callers.
pub(super) struct Group {
    queue: mpsc::Sender<Box<dyn Piece>>,
}

impl Group {
    /// Starts the writer on the connections of `writers`.
    pub fn start(writers: Side, lane: Lane) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let writer = move || write_all(&writers, lane, waiting);
        if let Err(error) = thread::Builder::new().name("writer".to_owned()).spawn(writer) {
            // Its end of the queue is gone: every write says so.
            tracing::error!(%error, "the system gives no thread for the writer");
        }
        Group { queue }
    }

    /// Does the command with whatever else is there, within the bounds of its lane.
    pub async fn write<T, F>(&self, lane: Lane, command: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (told, outcome) = oneshot::channel();
        let piece = Waiting { since: Instant::now(), command: Some(command), outcome: None, told };
        self.queue.try_send(Box::new(piece)).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Db(DbError::unavailable("too many writes wait")),
            TrySendError::Closed(_) => Error::Internal("the writer has ended".to_owned()),
        })?;
        let told = match lane.answers_within() {
            None => outcome.await,
            Some(bound) => match timeout(lane.patience().saturating_add(bound), outcome).await {
                Ok(told) => told,
                Err(_) => return Err(Error::Db(DbError::unavailable("it did not answer in time"))),
            },
        };
        told.unwrap_or_else(|_| Err(Error::Internal("the writer dropped a command".to_owned())))
    }
}

/// A command of a group and its caller.
trait Piece: Send {
    /// Since when it waits.
    fn since(&self) -> Instant;
    /// Whether its caller still does.
    fn is_awaited(&self) -> bool;
    /// Does it, once; whether it is to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells its caller: `lost` is why nothing of what went well was kept.
    fn tell(self: Box<Self>, lost: Option<&Error>);
}

struct Waiting<T, F> {
    since: Instant,
    command: Option<F>,
    outcome: Option<Result<T, Error>>,
    told: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Piece for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
{
    fn since(&self) -> Instant {
        self.since
    }

    fn is_awaited(&self) -> bool {
        !self.told.is_closed()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(command) = self.command.take() else { return false };
        let done = catch_unwind(AssertUnwindSafe(|| command(tx)));
        let stopped = || Err(Error::Internal("a database command stopped unexpectedly".to_owned()));
        self.outcome.insert(done.unwrap_or_else(|_| stopped())).is_ok()
    }

    fn tell(self: Box<Self>, lost: Option<&Error>) {
        let outcome = match (self.outcome, lost) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(_)) | None, Some(lost)) => Err(alike(lost)),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(Error::Internal("a command was not run".to_owned())),
        };
        // Whoever gave up waiting finds out by the key of what was written.
        drop(self.told.send(outcome));
    }
}

/// One failure, told to many.
fn alike(error: &Error) -> Error {
    match error {
        Error::Db(error) => Error::Db(error.clone()),
        Error::Refused { .. } | Error::NotFound | Error::Io(_) | Error::Internal(_) => {
            Error::Internal(error.to_string())
        }
    }
}

fn write_all(writers: &Side, lane: Lane, mut waiting: mpsc::Receiver<Box<dyn Piece>>) {
    let mut done = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        let outcome = write_group(writers, lane, first, &mut waiting, &mut done);
        for piece in done.drain(..) {
            piece.tell(outcome.as_ref().err());
        }
    }
}

/// One transaction of the first command and of those that are queued once it is open; they are `done` then.
fn write_group(
    writers: &Side,
    lane: Lane,
    first: Box<dyn Piece>,
    waiting: &mut mpsc::Receiver<Box<dyn Piece>>,
    done: &mut Vec<Box<dyn Piece>>,
) -> Result<(), Error> {
    let deadline = first.since().checked_add(lane.patience()).unwrap_or_else(Instant::now);
    done.push(first);
    let mut conn = writers.begun(Kind::Write, deadline)?;
    let began = Instant::now();
    let most = waiting.len().saturating_add(1).min(TOGETHER);
    let mut open = Open::of(&mut conn);
    loop {
        if let Some(piece) = done.last_mut().filter(|piece| piece.is_awaited()) {
            let part = transaction::part(open.conn(), |tx| piece.run(tx));
            // Nothing of the group has happened; what still waits is another's.
            part.map_err(|error| Error::Db(DbError::unavailable(error)))?;
        }
        if done.len() >= most || began.elapsed() >= LONG {
            break;
        }
        match waiting.try_recv() {
            Ok(next) => done.push(next),
            Err(_) => break,
        }
    }
    open.commit()
}
