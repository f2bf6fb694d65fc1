use std::collections::HashSet;

use diesel::backend::Backend as DieselBackend;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::Conn;
use super::open::OpenError;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    v: String,
}

/// Names of the migrations that the database lacks. Only looks: the role that runs the site may change no table.
pub(super) fn pending(conn: &mut Conn) -> Result<Vec<String>, OpenError> {
    let known = match conn {
        Conn::Sqlite(_) => names::<Sqlite>(SQLITE),
        Conn::Pg(_) => names::<Pg>(POSTGRES),
    }?;
    let Some(applied) = applied(conn).map_err(failed)? else {
        if is_in_use(conn).map_err(failed)? {
            return Err(OpenError::Foreign);
        }
        return Ok(known.into_iter().map(|(_, name)| name).collect());
    };
    if applied.iter().any(|version| !known.iter().any(|(known, _)| known == version)) {
        return Err(OpenError::Newer);
    }
    Ok(known.into_iter().filter(|(version, _)| !applied.contains(version)).map(|(_, name)| name).collect())
}

/// Version and name of every migration of this program, in order.
fn names<B: DieselBackend>(all: EmbeddedMigrations) -> Result<Vec<(String, String)>, OpenError> {
    let mut all = MigrationSource::<B>::migrations(&all).map_err(failed)?;
    all.sort_unstable_by(|a, b| a.name().version().cmp(&b.name().version()));
    Ok(all.iter().map(|m| (m.name().version().to_string(), m.name().to_string())).collect())
}

/// Versions that were applied; none where nothing ever was.
fn applied(conn: &mut Conn) -> diesel::QueryResult<Option<HashSet<String>>> {
    let there = match conn {
        Conn::Sqlite(_) => "SELECT name AS v FROM sqlite_master WHERE name = '__diesel_schema_migrations'",
        Conn::Pg(_) => {
            "SELECT relname::text AS v FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')"
        }
    };
    if sql_query(there).load::<Version>(conn)?.is_empty() {
        return Ok(None);
    }
    let versions = sql_query("SELECT version AS v FROM __diesel_schema_migrations").load::<Version>(conn)?;
    Ok(Some(versions.into_iter().map(|version| version.v).collect()))
}

/// Whether there are tables of anybody's.
fn is_in_use(conn: &mut Conn) -> diesel::QueryResult<bool> {
    let tables = match conn {
        Conn::Sqlite(_) => "SELECT name AS v FROM sqlite_master WHERE type = 'table' LIMIT 1",
        Conn::Pg(_) => {
            "SELECT relname::text AS v FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
             AND relkind IN ('r', 'p') LIMIT 1"
        }
    };
    Ok(!sql_query(tables).load::<Version>(conn)?.is_empty())
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
