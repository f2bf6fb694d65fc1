//! Fills the database past the product: row by row ten million orders would take hours.
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::fill::{Dialect, Fill};
use crate::db::{Backend, Conn};

/// Orders of one transaction.
const CHUNK: i64 = 500_000;
/// Their secondary indexes are made again after they are filled.
const BIG: [&str; 7] =
    ["pay_order", "order_event", "payment_key", "payment", "raw_message", "outbox", "settlement_line"];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    v: String,
}

/// A connection with no regard for durability; the database is the bench's own.
pub struct Filler(Conn);

impl Filler {
    pub fn open(backend: &Backend) -> anyhow::Result<Self> {
        let mut conn = match backend {
            Backend::Sqlite(path) => {
                Conn::Sqlite(SqliteConnection::establish(&format!("file:{}?mode=rw", path.display()))?)
            }
            Backend::Postgres(url) => Conn::Pg(PgConnection::establish(url)?),
        };
        match &mut conn {
            Conn::Sqlite(conn) => conn.batch_execute(
                "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; \
                 PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY",
            )?,
            Conn::Pg(conn) => conn.batch_execute(
                // References are right by construction; only an owner of the server may switch their triggers off.
                "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'; \
                 DO $$ BEGIN SET session_replication_role = replica; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$",
            )?,
        }
        Ok(Self(conn))
    }

    /// Everything, in the order in which it refers to each other.
    pub fn fill(&mut self, fill: &Fill) -> anyhow::Result<()> {
        let indexes = self.drop_indexes()?;
        let mut from = 0;
        while from < fill.orders {
            let to = fill.orders.min(from.saturating_add(CHUNK));
            self.transaction(&fill.orders(from, to))?;
            from = to;
        }
        self.transaction(&fill.files())?;
        self.transaction(&fill.settlements())?;
        for index in indexes {
            self.execute(&index)?;
        }
        self.transaction(&fill.splits())?;
        self.transaction(&fill.differences())?;
        self.finish()
    }

    /// What the database does by itself in the course of days.
    fn finish(&mut self) -> anyhow::Result<()> {
        match &self.0 {
            Conn::Sqlite(_) => self.execute("PRAGMA wal_checkpoint(TRUNCATE)"),
            Conn::Pg(_) => {
                self.execute(
                    "SELECT setval(pg_get_serial_sequence('pay_order', 'id'), max(id)) FROM pay_order",
                )?;
                self.execute("VACUUM (ANALYZE)")?;
                self.execute("CHECKPOINT")
            }
        }
    }

    /// After rows with keys of their own: what is recorded from now on gets greater ones than `key`.
    pub fn settle(&mut self, tables: &[&str], key: i64) -> anyhow::Result<()> {
        if let Conn::Sqlite(_) = &self.0 {
            return self.execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)");
        }
        for table in tables {
            self.execute(&format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest({key}, (SELECT max(id) FROM {table})))"
            ))?;
        }
        self.execute("VACUUM (ANALYZE)")
    }

    /// Drops the big tables' secondary indexes; the statements that make them again.
    fn drop_indexes(&mut self) -> anyhow::Result<Vec<String>> {
        let tables = BIG.map(|table| format!("'{table}'")).join(", ");
        let (names, made) = match &self.0 {
            Conn::Sqlite(_) => (
                format!(
                    "SELECT name AS v FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})"
                ),
                format!(
                    "SELECT sql AS v FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})"
                ),
            ),
            Conn::Pg(_) => {
                let which = format!(
                    "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
                     WHERE t.relname IN ({tables}) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)"
                );
                (
                    format!("SELECT c.relname::text AS v {which}"),
                    format!("SELECT replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') AS v {which}"),
                )
            }
        };
        let (names, made) = (self.texts(&names)?, self.texts(&made)?);
        for name in names {
            self.execute(&format!("DROP INDEX {name}"))?;
        }
        Ok(made)
    }

    /// Runs statements in one transaction.
    pub fn transaction(&mut self, statements: &[String]) -> anyhow::Result<()> {
        self.execute("BEGIN")?;
        for statement in statements {
            self.execute(statement)?;
        }
        self.execute("COMMIT")
    }

    fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let done = match &mut self.0 {
            Conn::Sqlite(conn) => conn.batch_execute(sql),
            Conn::Pg(conn) => conn.batch_execute(sql),
        };
        done.map_err(|error| anyhow::anyhow!("{error}: {sql}"))
    }

    fn texts(&mut self, sql: &str) -> anyhow::Result<Vec<String>> {
        let rows: Vec<Row> = diesel::sql_query(sql).load(&mut self.0)?;
        Ok(rows.into_iter().map(|row| row.v).collect())
    }
}

/// How the filling speaks to a database.
pub fn dialect(backend: &Backend) -> Dialect {
    match backend {
        Backend::Sqlite(_) => Dialect::Sqlite,
        Backend::Postgres(_) => Dialect::Postgres,
    }
}
