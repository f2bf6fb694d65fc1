use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::conn::Conn;
use super::failure::DbError;
use super::group::Group;
use super::lane::{Connection, Kind, Lane, Side, Sides};
use super::open::{Access, Backend, Create, OpenError};
use super::transaction::{self, Tx};
use crate::error::Error;

/// A database with its connections. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    backend: Backend,
    lane: Lane,
    lanes: Arc<Lanes>,
}

/// Each opened when it is first asked for.
#[derive(Default)]
struct Lanes {
    work: OnceLock<Sides>,
    requests: OnceLock<Sides>,
    intake: OnceLock<Sides>,
    group: OnceLock<Group>,
}

/// The connections of a lane that read, or those that write.
type Which = fn(&Sides) -> &Side;

impl Db {
    /// Opens the database of `url`: `sqlite:PATH`, a plain path, or `postgres://…`; in the lane of work.
    pub fn open(url: &str, create: Create) -> Result<Self, OpenError> {
        let backend = Backend::of(url)?;
        backend.prepare(create)?;
        let mut first = backend.connect(Access::Open)?;
        if create == Create::Yes && !super::migrate::pending(&mut first)?.is_empty() {
            super::migrate::run(&mut first)?;
        }
        match super::migrate::pending(&mut first)?.len() {
            0 => {}
            lacking => return Err(OpenError::Pending(lacking)),
        }
        drop(first);
        Ok(Db { backend, lane: Lane::Work, lanes: Arc::default() })
    }

    /// Migrations that the database of `url` lacks; it must exist.
    pub fn pending(url: &str) -> Result<Vec<String>, OpenError> {
        let backend = Backend::of(url)?;
        backend.prepare(Create::No)?;
        super::migrate::pending(&mut backend.connect(Access::Open)?)
    }

    /// Lets a role of PostgreSQL use the database without owning any of it; `None` renews what earlier roles may.
    /// The roles that were let in.
    pub fn let_in(url: &str, role: Option<&str>) -> Result<Vec<String>, OpenError> {
        let backend = Backend::of(url)?;
        super::roles::let_in(&mut backend.connect(Access::Open)?, role)
    }

    /// Whether we are the owner of our tables: on PostgreSQL `serve` and `work` better are not.
    pub fn is_owner(&self) -> Result<bool, Error> {
        self.read_blocking(|tx| match tx.conn() {
            Conn::Sqlite(_) => Ok(false),
            Conn::Pg(conn) => Ok(super::roles::owns(conn)?),
        })
    }

    /// Which database this is.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The same database in another lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Db { lane, ..self.clone() }
    }

    /// A command that writes: all of it on `Ok`, nothing on `Err` – unless that is [`DbError::Unavailable`], when the
    /// connection may have broken while it committed. On SQLite the commands of requests that arrive together share a
    /// transaction; each is answered after its commit.
    pub async fn write<T, F>(&self, command: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        match self.group() {
            Some(group) => group.write(self.lane, command).await,
            None => self.write_alone(command).await,
        }
    }

    /// [`Db::write`] of one statement: on PostgreSQL it is a transaction itself and has none around it.
    pub async fn write_at_once<T, F>(&self, command: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        if !self.sides().writers().keeps_settings {
            return self.write(command).await;
        }
        let db = self.clone();
        let at_once = move || db.sides().writers().without(Instant::now() + db.lane.patience(), command);
        self.blocking(Sides::writers, at_once).await
    }

    /// [`Db::write`] in a transaction of its own, on the blocking pool: for what takes long, so that no other waits for
    /// its commit.
    pub async fn write_alone<T, F>(&self, command: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let db = self.clone();
        self.blocking(Sides::writers, move || db.write_blocking(command)).await
    }

    /// One read-only transaction on a snapshot, on the blocking pool.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let db = self.clone();
        self.blocking(Sides::readers, move || db.read_blocking(query)).await
    }

    /// [`Db::read`] for a few look-ups by key that need not be of one moment: on PostgreSQL without a transaction, which would
    /// take longer than they do.
    pub async fn look<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let db = self.clone();
        self.blocking(Sides::readers, move || db.look_blocking(query)).await
    }

    fn look_blocking<T>(&self, query: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let readers = self.sides().readers();
        if readers.keeps_settings {
            let outcome = readers.without(Instant::now() + self.lane.patience(), &query);
            // The connection may have died while nobody used it: another one is asked.
            if !matches!(outcome, Err(Error::Db(DbError::Unavailable))) {
                return outcome;
            }
        }
        self.read_blocking(query)
    }

    /// [`Db::write_alone`] for callers that may block: commands of the shell.
    pub fn write_blocking<T>(
        &self,
        command: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut conn = self.begun(Sides::writers, Kind::Write)?;
        transaction::run(&mut conn, command)
    }

    /// [`Db::read`] for callers that may block.
    pub fn read_blocking<T>(&self, query: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut conn = self.begun(Sides::readers, Kind::Read)?;
        transaction::run(&mut conn, query)
    }

    fn sides(&self) -> &Sides {
        let lane = match (&self.backend, self.lane) {
            (Backend::Sqlite(_), _) | (_, Lane::Work) => &self.lanes.work,
            (_, Lane::Requests) => &self.lanes.requests,
            (_, Lane::Intake) => &self.lanes.intake,
        };
        lane.get_or_init(|| Sides::open(&self.backend, self.lane))
    }

    /// Who writes for all requests together, where that is quicker. On PostgreSQL it is not: connections commit at the same
    /// time and its log groups their syncs, while every savepoint is two more round trips and keys are held for longer.
    /// A placement's three inserts by pgbench, medians of three rounds that vary by half: 6,440 a second with a transaction
    /// each on 16 connections, 5,600 in groups of 16 on 4 or of 4 on 8, 4,290 in groups of 16 on 2.
    fn group(&self) -> Option<&Group> {
        match (&self.backend, self.lane) {
            (Backend::Sqlite(_), Lane::Requests) => {
                let start = || Group::start(self.sides().writers().clone(), self.lane);
                Some(self.lanes.group.get_or_init(start))
            }
            (Backend::Sqlite(_), Lane::Intake | Lane::Work) | (Backend::Postgres(_), _) => None,
        }
    }

    fn begun(&self, which: Which, kind: Kind) -> Result<Connection, Error> {
        which(self.sides()).begun(kind, Instant::now() + self.lane.patience())
    }

    /// Runs on the blocking pool when it is this caller's turn: no thread waits for a connection there. A request gets
    /// an answer in time, whatever becomes of the work.
    async fn blocking<T: Send + 'static>(
        &self,
        which: Which,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let late = |what: &'static str| Error::Db(DbError::unavailable(what));
        let turns: Arc<Semaphore> = Arc::clone(&which(self.sides()).turns);
        let turn = match timeout(self.lane.patience(), turns.acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(late("no connection was free in time")),
        };
        let running = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        let outcome = match self.lane.answers_within() {
            None => running.await,
            Some(bound) => match timeout(bound, running).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(late("it did not answer in time")),
            },
        };
        outcome.unwrap_or_else(|_| Err(Error::Internal("a database command stopped unexpectedly".into())))
    }
}
