#![allow(missing_docs)] // what the derive adds has none
use diesel::{MultiConnection, PgConnection, SqliteConnection};

/// One connection to either database.
#[derive(MultiConnection)]
pub enum Conn {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Pg(PgConnection),
}
