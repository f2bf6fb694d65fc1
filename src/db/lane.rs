use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::r2d2::{ManageConnection, Pool, PooledConnection};
use tokio::sync::Semaphore;

use super::conn::Conn;
use super::failure::DbError;
use super::open::{Access, Backend, OpenError};
use super::transaction::{self, Tx};
use crate::error::Error;

/// What connections are for. On PostgreSQL each lane has its own connections and bounds, so that neither slow work
/// nor a crowd of requests keeps the others waiting; SQLite has one writer and one lane.
///
/// A connection keeps its lane's bounds. Behind PgBouncer it keeps nothing from one transaction to the next: there each
/// transaction sets them for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Requests: an answer in time, even if it is to try again.
    Requests,
    /// The writers of the intake.
    Intake,
    /// Jobs and commands of the shell: a statement may take the time it needs.
    Work,
}

impl Lane {
    const fn connections(self) -> u32 {
        match self {
            Lane::Requests => 16,
            Lane::Intake => 4,
            Lane::Work => 8,
        }
    }

    /// How long a caller waits for a connection.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Lane::Requests | Lane::Intake => Duration::from_secs(10),
            Lane::Work => Duration::from_secs(30),
        }
    }

    /// When a caller is answered at the latest, counted from the moment when a connection was free.
    pub(super) const fn answers_within(self) -> Option<Duration> {
        match self {
            Lane::Requests => Some(Duration::from_secs(15)),
            Lane::Intake | Lane::Work => None,
        }
    }

    /// What bounds a transaction. Who is cut off in the middle of one must not hold its locks for hours.
    const fn bounds(self) -> &'static [&'static str] {
        match self {
            Lane::Requests => &[
                "statement_timeout = '10s'",
                "lock_timeout = '5s'",
                "idle_in_transaction_session_timeout = '15s'",
            ],
            // The intake looks up by keys alone. While a day's tables fill up, their statistics still say that they are
            // empty, and the planner would read them from end to end.
            Lane::Intake => &[
                "statement_timeout = '10s'",
                "lock_timeout = '5s'",
                "idle_in_transaction_session_timeout = '15s'",
                "enable_seqscan = off",
                "enable_hashjoin = off",
                "enable_mergejoin = off",
            ],
            Lane::Work => &[
                "statement_timeout = 0",
                "lock_timeout = '60s'",
                "idle_in_transaction_session_timeout = '15min'",
            ],
        }
    }

    /// What a connection of this lane is told when it is opened: its bounds, unless PgBouncer stands in between.
    fn session(self, backend: &Backend) -> String {
        if backend.keeps_settings() { setting("SET", self.bounds()) } else { String::new() }
    }

    /// How its transactions begin on PostgreSQL.
    fn begin(self, backend: &Backend, kind: Kind) -> String {
        let begin = match kind {
            Kind::Write => "BEGIN",
            Kind::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let bounds =
            if backend.keeps_settings() { String::new() } else { setting("SET LOCAL", self.bounds()) };
        let patient = match (self, kind) {
            // A command may compute for hours over what it has read.
            (Lane::Work, Kind::Read) => setting("SET LOCAL", &["idle_in_transaction_session_timeout = 0"]),
            (Lane::Requests | Lane::Intake, _) | (Lane::Work, Kind::Write) => String::new(),
        };
        format!("{begin}; {bounds}{patient}")
    }
}

fn setting(set: &str, bounds: &[&str]) -> String {
    bounds.iter().map(|bound| format!("{set} {bound}; ")).collect()
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Read,
}

/// A connection that goes back to its side.
pub(super) type Connection = PooledConnection<Manager>;

/// Connections with as many turns: who waits for one waits without a thread.
#[derive(Clone)]
pub(super) struct Side {
    pool: Pool<Manager>,
    pub(super) turns: Arc<Semaphore>,
    begin_write: Arc<str>,
    begin_read: Arc<str>,
    /// See [`Backend::keeps_settings`].
    pub(super) keeps_settings: bool,
}

impl Side {
    fn open(backend: &Backend, lane: Lane, size: u32, access: Access) -> Self {
        let manager = Manager { backend: backend.clone(), access, session: lane.session(backend) };
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .connection_timeout(lane.patience())
            // The BEGIN of the next transaction finds out, without a round trip of its own.
            .test_on_check_out(false)
            .build_unchecked(manager);
        let begin = |kind| Arc::from(lane.begin(backend, kind));
        let (begin_write, begin_read) = (begin(Kind::Write), begin(Kind::Read));
        let turns = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1)));
        Side { pool, turns, begin_write, begin_read, keeps_settings: backend.keeps_settings() }
    }

    fn get(&self, deadline: Instant) -> Result<Connection, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.pool.get_timeout(left).map_err(|e| Error::Db(DbError::unavailable(e)))
    }

    /// Runs statements that need no transaction. A connection that may have died under them is tried, so that it is not
    /// given to others.
    pub(super) fn without<T>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut conn = self.get(deadline)?;
        let outcome = transaction::without(&mut conn, work);
        if matches!(outcome, Err(Error::Db(DbError::Unavailable)))
            && transaction::begin(&mut conn, "BEGIN", "BEGIN").is_ok()
        {
            transaction::run(&mut conn, |_| Ok(()))?;
        }
        outcome
    }

    /// A connection in a transaction. One that turns out to be dead at its BEGIN has done nothing yet: another takes
    /// its place, until `deadline`.
    pub(super) fn begun(&self, kind: Kind, deadline: Instant) -> Result<Connection, Error> {
        let (sqlite, postgres) = match kind {
            Kind::Write => ("BEGIN IMMEDIATE", &self.begin_write),
            Kind::Read => ("BEGIN", &self.begin_read),
        };
        let mut dead = 0_u32;
        loop {
            let mut conn = self.get(deadline)?;
            match transaction::begin(&mut conn, sqlite, postgres) {
                Ok(()) => return Ok(conn),
                Err(_) if transaction::is_broken(&mut conn) && Instant::now() < deadline => {
                    drop(conn);
                    dead = dead.saturating_add(1);
                    if dead > self.pool.max_size() {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Those that write and those that read.
pub(super) struct Sides {
    writers: Side,
    readers: Side,
}

impl Sides {
    pub(super) fn open(backend: &Backend, lane: Lane) -> Self {
        match backend {
            // A pool of one lets writers queue here instead of failing as busy.
            Backend::Sqlite(_) => Sides {
                writers: Side::open(backend, lane, 1, Access::Write),
                readers: Side::open(backend, lane, 16, Access::Read),
            },
            Backend::Postgres(_) => {
                let both = Side::open(backend, lane, lane.connections(), Access::Write);
                Sides { writers: both.clone(), readers: both }
            }
        }
    }

    pub(super) fn writers(&self) -> &Side {
        &self.writers
    }

    pub(super) fn readers(&self) -> &Side {
        &self.readers
    }
}

/// Opens the connections of a side.
pub(super) struct Manager {
    backend: Backend,
    access: Access,
    /// What a connection is told first, on PostgreSQL.
    session: String,
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = OpenError;

    fn connect(&self) -> Result<Conn, OpenError> {
        let mut conn = self.backend.connect(self.access)?;
        if !self.session.is_empty() {
            transaction::tell(&mut conn, &self.session).map_err(|e| OpenError::Connect(e.to_string()))?;
        }
        Ok(conn)
    }

    fn is_valid(&self, _: &mut Conn) -> Result<(), OpenError> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        transaction::is_broken(conn)
    }
}
