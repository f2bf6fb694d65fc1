use diesel::backend::Backend as DieselBackend;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::Conn;
use super::open::OpenError;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Names of the migrations that the database lacks.
pub(super) fn pending(conn: &mut Conn) -> Result<Vec<String>, OpenError> {
    fn names<B: DieselBackend + 'static>(
        conn: &mut impl MigrationHarness<B>,
        all: EmbeddedMigrations,
    ) -> Result<Vec<String>, OpenError> {
        let found = conn.pending_migrations(all).map_err(failed)?;
        Ok(found.iter().map(|m| m.name().to_string()).collect())
    }
    match conn {
        Conn::Sqlite(conn) => names(conn, SQLITE),
        Conn::Pg(conn) => names(conn, POSTGRES),
    }
}

/// Applies what is pending, each migration in its own transaction.
pub(super) fn run(conn: &mut Conn) -> Result<(), OpenError> {
    match conn {
        Conn::Sqlite(conn) => conn.run_pending_migrations(SQLITE).map(drop),
        Conn::Pg(conn) => conn.run_pending_migrations(POSTGRES).map(drop),
    }
    .map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> OpenError {
    OpenError::Migration(error.to_string())
}
