use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::r2d2::{ManageConnection, Pool, PooledConnection};
use tokio::sync::Semaphore;

use super::conn::Conn;
use super::failure::DbError;
use super::open::{Access, Backend, OpenError};
use super::transaction;
use crate::error::Error;

/// What connections are for. On PostgreSQL each lane has its own connections and bounds, so that neither slow work
/// nor a crowd of requests keeps the others waiting; SQLite has one writer and one lane.
///
/// The bounds are set by each transaction for itself: behind PgBouncer a connection keeps nothing from one to the next.
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

    /// Who is cut off in the middle of a transaction must not hold its locks for hours.
    pub(super) const fn begin_writing(self) -> &'static str {
        match self {
            Lane::Requests => {
                "BEGIN; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '5s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '15s'"
            }
            // The intake looks up by keys alone. While a day's tables fill up, their statistics still say that they are
            // empty, and the planner would read them from end to end.
            Lane::Intake => {
                "BEGIN; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '5s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '15s'; SET LOCAL enable_seqscan = off; \
                 SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
            }
            Lane::Work => {
                "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '15min'"
            }
        }
    }

    pub(super) const fn begin_reading(self) -> &'static str {
        match self {
            Lane::Requests | Lane::Intake => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '10s'; \
                 SET LOCAL lock_timeout = '5s'"
            }
            Lane::Work => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                 SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = 0"
            }
        }
    }
}

/// A connection that goes back to its side.
pub(super) type Connection = PooledConnection<Manager>;

/// Connections with as many turns: who waits for one waits without a thread.
#[derive(Clone)]
pub(super) struct Side {
    pool: Pool<Manager>,
    pub(super) turns: Arc<Semaphore>,
}

impl Side {
    fn open(backend: &Backend, lane: Lane, size: u32, access: Access) -> Self {
        let manager = Manager { backend: backend.clone(), access };
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .connection_timeout(lane.patience())
            // The BEGIN of the next transaction finds out, without a round trip of its own.
            .test_on_check_out(false)
            .build_unchecked(manager);
        Side { pool, turns: Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1))) }
    }

    /// A connection in a transaction. One that turns out to be dead at its BEGIN has done nothing yet: another takes
    /// its place, until `deadline`.
    pub(super) fn begun(&self, sqlite: &str, postgres: &str, deadline: Instant) -> Result<Connection, Error> {
        let mut dead = 0_u32;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut conn = self.pool.get_timeout(left).map_err(|e| Error::Db(DbError::unavailable(e)))?;
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
                readers: Side::open(backend, lane, 4, Access::Read),
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
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = OpenError;

    fn connect(&self) -> Result<Conn, OpenError> {
        self.backend.connect(self.access)
    }

    fn is_valid(&self, _: &mut Conn) -> Result<(), OpenError> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        transaction::is_broken(conn)
    }
}
