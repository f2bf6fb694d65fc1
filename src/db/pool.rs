use std::time::Duration;

use diesel::Connection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::r2d2::{ManageConnection, Pool, PooledConnection};

use super::conn::Conn;
use super::failure::DbError;
use super::open::{Access, Backend, Create, OpenError};
use crate::error::Error;

/// An open transaction: what commands and queries take. It is committed or rolled back by [`Db`] alone.
pub struct Tx<'a> {
    conn: &'a mut Conn,
}

impl Tx<'_> {
    /// For store files: the connection that Diesel's queries run on.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// Runs a part that may fail without spoiling the rest: after a caught error a PostgreSQL transaction is dead
    /// unless it goes back to a savepoint.
    pub fn savepoint<T>(&mut self, part: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.conn.transaction(|conn| part(&mut Tx { conn }))
    }
}

/// A database with its connections. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    backend: Backend,
    // SQLite has one writer: a pool of one lets writers queue here instead of failing as busy.
    writers: Pool<Manager>,
    readers: Pool<Manager>,
}

struct Manager {
    backend: Backend,
    access: Access,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Db {
    /// Opens the database of `url`: `sqlite:PATH`, a plain path, or `postgres://…`.
    pub fn open(url: &str, create: Create) -> Result<Self, OpenError> {
        let backend = Backend::of(url)?;
        backend.prepare(create)?;
        let mut first = backend.connect(Access::Open)?;
        if create == Create::Yes {
            super::migrate::run(&mut first)?;
        }
        match super::migrate::pending(&mut first)?.len() {
            0 => {}
            lacking => return Err(OpenError::Pending(lacking)),
        }
        drop(first);
        match backend {
            Backend::Sqlite(_) => Ok(Db {
                writers: pool(&backend, 1, Access::Write),
                readers: pool(&backend, 4, Access::Read),
                backend,
            }),
            Backend::Postgres(_) => {
                let both = pool(&backend, 16, Access::Write);
                Ok(Db { writers: both.clone(), readers: both, backend })
            }
        }
    }

    /// Migrations that the database of `url` lacks; it must exist.
    pub fn pending(url: &str) -> Result<Vec<String>, OpenError> {
        let backend = Backend::of(url)?;
        backend.prepare(Create::No)?;
        super::migrate::pending(&mut backend.connect(Access::Open)?)
    }

    /// Which database this is.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// One transaction that may write, on the blocking pool: commits on `Ok`, changes nothing on `Err`.
    pub async fn write<T, F>(&self, command: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let db = self.clone();
        blocking(move || db.write_blocking(command)).await
    }

    /// One read-only transaction on a snapshot, on the blocking pool.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let db = self.clone();
        blocking(move || db.read_blocking(query)).await
    }

    /// [`Db::write`] for callers that may block: commands of the shell.
    pub fn write_blocking<T>(
        &self,
        command: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut conn = taken(&self.writers)?;
        in_transaction(&mut conn, "BEGIN IMMEDIATE", "BEGIN", command)
    }

    /// [`Db::read`] for callers that may block.
    pub fn read_blocking<T>(&self, query: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut conn = taken(&self.readers)?;
        in_transaction(&mut conn, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", query)
    }
}

fn in_transaction<T>(
    conn: &mut Conn,
    sqlite: &str,
    postgres: &str,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    match conn {
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, sqlite)?,
        Conn::Pg(conn) => AnsiTransactionManager::begin_transaction_sql(conn, postgres)?,
    }
    let mut open = OpenTransaction { conn, done: false };
    let outcome = work(&mut Tx { conn: open.conn });
    if outcome.is_ok() {
        open.commit()?;
    }
    outcome
}

/// Rolls back when it is dropped uncommitted, also when the work panics.
struct OpenTransaction<'a> {
    conn: &'a mut Conn,
    done: bool,
}

impl OpenTransaction<'_> {
    fn commit(&mut self) -> Result<(), Error> {
        match self.conn {
            Conn::Sqlite(conn) => AnsiTransactionManager::commit_transaction(conn)?,
            Conn::Pg(conn) => AnsiTransactionManager::commit_transaction(conn)?,
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let ended = match self.conn {
            Conn::Sqlite(conn) => AnsiTransactionManager::rollback_transaction(conn),
            Conn::Pg(conn) => AnsiTransactionManager::rollback_transaction(conn),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

fn pool(backend: &Backend, size: u32, access: Access) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .connection_timeout(PATIENCE)
        .build_unchecked(Manager { backend: backend.clone(), access })
}

fn taken(pool: &Pool<Manager>) -> Result<PooledConnection<Manager>, Error> {
    pool.get().map_err(|_| Error::Db(DbError::Unavailable))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Internal("a database command stopped unexpectedly".into())),
    }
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = OpenError;

    fn connect(&self) -> Result<Conn, OpenError> {
        self.backend.connect(self.access)
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), OpenError> {
        match conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Pg(conn) => conn.batch_execute("SELECT 1").map_err(|e| OpenError::Connect(e.to_string())),
        }
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        let status = match conn {
            Conn::Sqlite(conn) => AnsiTransactionManager::transaction_manager_status_mut(conn),
            Conn::Pg(conn) => AnsiTransactionManager::transaction_manager_status_mut(conn),
        };
        !matches!(status.transaction_depth(), Ok(None))
    }
}
