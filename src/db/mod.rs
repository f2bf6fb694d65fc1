//! Both databases behind one connection type: opening, transactions and the schema; nothing about the business.
//!
//! Queries are written once against [`Conn`]; where the two differ (`ON CONFLICT`, `RETURNING`), a store file matches
//! on [`Conn`] with one arm each, or uses [`insert_returning_id!`](crate::insert_returning_id).
pub mod schema;

mod backup;
mod bulk;
pub mod columns;
mod conn;
mod failure;
mod group;
mod lane;
mod lease;
mod migrate;
mod open;
mod plain;
mod pool;
mod roles;
mod transaction;

pub use bulk::{BinaryRows, Bulk, copy_into, reserve_id};
pub use conn::{Conn, MultiBackend};
pub use failure::DbError;
pub use lane::Lane;
pub use lease::Leases;
pub use open::{Backend, Create, OpenError};
pub use plain::far_host;
pub use pool::Db;
pub use transaction::Tx;

/// Every class of advisory locks on PostgreSQL: the first of the two numbers of a lock. Locks of orders have one number,
/// which PostgreSQL keeps apart from those with two.
#[macro_export]
macro_rules! lock_class {
    // Who posts to the ledger, and who needs it to stand still.
    (ledger) => {
        7411
    };
    // Who lists what stands unsplit of a day.
    (unsplit) => {
        7412
    };
    // Who adds security events.
    (security) => {
        7413
    };
}

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

/// Declares the rows of a table that is filled in batches, with an `insert` of many of them:
/// `bulk_rows! { /// Doc. KeyRow<'a> of payment_key { order_id: i64 as BigInt, … } }`.
///
/// On PostgreSQL it is one statement over an array a column, on SQLite one statement a row; either stays prepared, for
/// its text does not depend on how many rows there are.
#[macro_export]
macro_rules! bulk_rows {
    ($(#[$doc:meta])* $row:ident<$life:lifetime> of $table:ident {
        $($field:ident: $type:ty as $sql:ty,)+
    }) => {
        $(#[$doc])*
        #[derive(diesel::Insertable)]
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub(super) struct $row<$life> {
            $($field: $type,)+
        }

        impl $row<'_> {
            pub(super) fn insert(tx: &mut $crate::db::Tx<'_>, rows: &[Self]) -> Result<(), $crate::error::Error> {
                use diesel::RunQueryDsl;
                use diesel::pg::{Pg, PgConnection};
                use diesel::query_builder::{AstPass, QueryFragment, QueryId};

                struct Columns<'q, $life> {
                    $($field: Vec<&'q $type>,)+
                }

                impl QueryId for Columns<'_, '_> {
                    type QueryId = Columns<'static, 'static>;
                    const HAS_STATIC_QUERY_ID: bool = true;
                }

                impl RunQueryDsl<PgConnection> for Columns<'_, '_> {}

                impl QueryFragment<Pg> for Columns<'_, '_> {
                    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
                        out.push_sql(concat!("INSERT INTO ", stringify!($table)));
                        let mut before = " (";
                        $(
                            out.push_sql(std::mem::replace(&mut before, ", "));
                            out.push_sql(stringify!($field));
                        )+
                        out.push_sql(") SELECT * FROM UNNEST");
                        before = "(";
                        $(
                            out.push_sql(std::mem::replace(&mut before, ", "));
                            out.push_bind_param::<diesel::sql_types::Array<$sql>, _>(&self.$field)?;
                        )+
                        out.push_sql(")");
                        Ok(())
                    }
                }

                if rows.is_empty() {
                    return Ok(());
                }
                match tx.conn() {
                    $crate::db::Conn::Sqlite(conn) => {
                        for row in rows {
                            diesel::insert_into($table::table).values(row).execute(conn)?;
                        }
                    }
                    $crate::db::Conn::Pg(conn) => {
                        let columns = Columns { $($field: rows.iter().map(|row| &row.$field).collect(),)+ };
                        columns.execute(conn)?;
                    }
                }
                Ok(())
            }
        }
    };
}
