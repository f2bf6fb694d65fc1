//! Both databases behind one connection type: opening, transactions and the schema; nothing about the business.
//!
//! Queries are written once against [`Conn`]; where the two differ (`ON CONFLICT`, `RETURNING`), a store file matches
//! on [`Conn`] with one arm each, or uses [`insert_returning_id!`](crate::insert_returning_id).
pub mod schema;

mod bulk;
mod conn;
mod failure;
mod migrate;
mod open;
mod pool;

pub use bulk::{BinaryRows, Bulk, copy_into, reserve_id};
pub use conn::{Conn, MultiBackend};
pub use failure::DbError;
pub use open::{Backend, Create, OpenError};
pub use pool::{Db, Tx};

/// Inserts one row into a table with an `id` and gives that id: `insert_returning_id!(tx, table, values)`.
///
/// `RETURNING` is not common to both backends in Diesel's types, so the statement is spelt for each of them here.
#[macro_export]
macro_rules! insert_returning_id {
    ($tx:expr, $table:ident, $values:expr) => {{
        use diesel::RunQueryDsl;
        let insert = diesel::insert_into($table::table).values($values).returning($table::id);
        match $tx.conn() {
            $crate::db::Conn::Sqlite(conn) => insert.get_result::<i64>(conn),
            $crate::db::Conn::Pg(conn) => insert.get_result::<i64>(conn),
        }
    }};
}

/// Inserts many rows in one statement and gives their number: `insert_rows!(tx, table, rows)`.
///
/// Diesel's types spell multi-row inserts for each backend apart; derived rows need `treat_none_as_default_value = false`.
#[macro_export]
macro_rules! insert_rows {
    ($tx:expr, $table:ident, $rows:expr) => {{
        use diesel::RunQueryDsl;
        let insert = diesel::insert_into($table::table).values($rows);
        match $tx.conn() {
            $crate::db::Conn::Sqlite(conn) => insert.execute(conn),
            $crate::db::Conn::Pg(conn) => insert.execute(conn),
        }
    }};
}
