use std::num::NonZeroU32;

use diesel::Connection;
use diesel::connection::{
    AnsiTransactionManager, SimpleConnection, TransactionManager, TransactionManagerStatus,
};

use super::conn::Conn;
use crate::error::Error;

/// An open transaction: what commands and queries take. It is committed or rolled back by [`Db`](super::Db) alone.
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

pub(super) fn begin(conn: &mut Conn, sqlite: &str, postgres: &str) -> Result<(), Error> {
    match conn {
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, sqlite)?,
        Conn::Pg(conn) => AnsiTransactionManager::begin_transaction_sql(conn, postgres)?,
    }
    Ok(())
}

/// Tells a connection what holds for all that it will do.
pub(super) fn tell(conn: &mut Conn, settings: &str) -> Result<(), Error> {
    Ok(conn.batch_execute(settings)?)
}

/// Does the work without a transaction: each of its statements stands by itself.
pub(super) fn without<T>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    work(&mut Tx { conn })
}

/// Not fit for another transaction: its server is gone, or one is open.
pub(super) fn is_broken(conn: &mut Conn) -> bool {
    !matches!(status(conn).transaction_depth(), Ok(None))
}

fn status(conn: &mut Conn) -> &mut TransactionManagerStatus {
    match conn {
        Conn::Sqlite(conn) => AnsiTransactionManager::transaction_manager_status_mut(conn),
        Conn::Pg(conn) => AnsiTransactionManager::transaction_manager_status_mut(conn),
    }
}

/// Does the work on a connection that [`begin`] was called on; commits when it ends well.
pub(super) fn run<T>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut open = Open::of(conn);
    let outcome = work(&mut Tx { conn: open.conn });
    if outcome.is_ok() {
        open.commit()?;
    }
    outcome
}

/// Does one part of an open transaction in a savepoint, and takes it back unless the part says that it is to be kept.
/// An error is the end of the whole transaction: SQLite has rolled it back (a full disk), or the server is gone.
pub(super) fn part(conn: &mut Conn, work: impl FnOnce(&mut Tx<'_>) -> bool) -> Result<(), Error> {
    let outside = depth(conn)?;
    Manager::begin_transaction(conn)?;
    let keep = work(&mut Tx { conn });
    // Savepoints of its own that a panic left open lie between.
    while depth(conn)? > outside {
        if keep {
            Manager::commit_transaction(conn)?;
        } else {
            Manager::rollback_transaction(conn)?;
        }
    }
    if keep {
        return Ok(());
    }
    // Going back leaves the savepoint where it is. Where it is gone, so is the transaction, and what comes next would
    // stand by itself.
    Ok(conn.batch_execute(&format!("RELEASE SAVEPOINT diesel_savepoint_{outside}"))?)
}

type Manager = <Conn as Connection>::TransactionManager;

/// How many transactions and savepoints are open.
fn depth(conn: &mut Conn) -> Result<u32, Error> {
    Ok(status(conn).transaction_depth()?.map_or(0, NonZeroU32::get))
}

/// An open transaction. Rolls back when it is dropped uncommitted, also when the work panics.
pub(super) struct Open<'a> {
    conn: &'a mut Conn,
    done: bool,
}

impl<'a> Open<'a> {
    /// Of a connection that [`begin`] was called on.
    pub fn of(conn: &'a mut Conn) -> Self {
        Open { conn, done: false }
    }

    /// For parts of it.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// Makes it durable.
    pub fn commit(&mut self) -> Result<(), Error> {
        match self.conn {
            Conn::Sqlite(conn) => AnsiTransactionManager::commit_transaction(conn)?,
            // After a caught error a bare COMMIT would roll back and be answered like a success; SELECT fails then.
            Conn::Pg(conn) => conn.batch_execute("SELECT 1; COMMIT")?,
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Where nothing is open any more, or the server is gone, there is nothing to roll back.
        if self.done || !matches!(status(self.conn).transaction_depth(), Ok(Some(_))) {
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
