//! Both databases hold the same tables, and the append-only ones refuse every change.
use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use mingfen::db::{Conn, Db};

use crate::support::database::{Kind, Raw, TestDatabase, migration};

/// Tables whose rows may change. Every other table in the catalogue is append-only.
const MUTABLE: [&str; 22] = [
    "app_user",
    "channel",
    "channel_key",
    "credential",
    "enrolment",
    "file_standing",
    "institution",
    "institution_key",
    "job_lease",
    "job_run",
    "ledger_day",
    "login_attempt",
    "outbox",
    "platform_key",
    "platform_merchant",
    "receiver",
    "request_nonce",
    "security_event",
    "session",
    "sub_merchant",
    "task",
    "unsplit_order",
];

/// Tables whose rows are loaded by day and institution: on PostgreSQL each has a partition of its own.
const BY_DAY: [&str; 2] = ["bill_order", "split_order"];

struct Table {
    name: String,
    key: Vec<String>,
    /// (name, type, nullable)
    columns: Vec<(String, String, bool)>,
}

/// `src/db/schema.rs`, read as text.
fn printed() -> Vec<Table> {
    let text = include_str!("../../src/db/schema.rs");
    text.split("table! {").skip(1).map(printed_table).collect()
}

fn printed_table(block: &str) -> Table {
    let mut lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
    let (name, key) = lines.next().unwrap().split_once(" (").unwrap();
    let key = key.trim_end_matches(") {").split(", ").map(String::from).collect();
    let mut columns = Vec::new();
    let mut sql_name = None;
    for line in lines.take_while(|line| *line != "}") {
        if let Some(other) = line.strip_prefix("#[sql_name = \"") {
            sql_name = Some(other.trim_end_matches("\"]").to_string());
            continue;
        }
        let (column, kind) = line.trim_end_matches(',').split_once(" -> ").unwrap();
        let inner = kind.strip_prefix("Nullable<").map(|rest| rest.trim_end_matches('>'));
        let column = sql_name.take().unwrap_or_else(|| column.to_string());
        columns.push((column, inner.unwrap_or(kind).to_string(), inner.is_some()));
    }
    Table { name: name.to_string(), key, columns }
}

fn lines(tables: &[Table]) -> BTreeSet<String> {
    let of_table = |t: &Table| {
        let columns = t.columns.iter();
        columns.map(|(c, kind, null)| format!("{}.{c} {kind} {null}", t.name)).collect::<Vec<_>>()
    };
    tables.iter().flat_map(of_table).collect()
}

/// The catalogue's columns in the same form.
fn catalogue(raw: &mut Raw) -> BTreeSet<String> {
    let tables = raw.tables();
    let query = match raw {
        Raw::Sqlite(_) => {
            "SELECT m.name || '.' || c.name || ' ' || \
             CASE c.type WHEN 'INT' THEN 'Integer' WHEN 'INTEGER' THEN 'BigInt' WHEN 'TEXT' THEN 'Text' \
             WHEN 'BLOB' THEN 'Binary' ELSE c.type END || \
             CASE c.\"notnull\" WHEN 1 THEN ' false' ELSE ' true' END AS v \
             FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
        Raw::Pg(_) => {
            "SELECT table_name || '.' || column_name || ' ' || \
             CASE data_type WHEN 'integer' THEN 'Integer' WHEN 'bigint' THEN 'BigInt' WHEN 'text' THEN 'Text' \
             WHEN 'bytea' THEN 'Binary' ELSE data_type END || \
             CASE is_nullable WHEN 'NO' THEN ' false' ELSE ' true' END AS v \
             FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    let known = |line: &String| tables.iter().any(|t| line.split('.').next() == Some(t));
    raw.texts(query).into_iter().filter(known).collect()
}

/// Names of the indexes that a migration makes, and every reference between tables.
fn indexes_and_references(raw: &mut Raw) -> (Vec<String>, BTreeSet<String>) {
    let (indexes, references) = match raw {
        Raw::Sqlite(_) => (
            "SELECT name AS v FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
            "SELECT m.name || '.' || f.\"from\" || ' ' || f.\"table\" AS v \
             FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        ),
        Raw::Pg(_) => (
            "SELECT c.relname::text AS v FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition \
             AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) \
             ORDER BY c.relname::text COLLATE \"C\"",
            "SELECT r.relname || '.' || a.attname || ' ' || t.relname AS v FROM pg_constraint k \
             JOIN pg_class r ON r.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid \
             JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = ANY (k.conkey) WHERE k.contype = 'f'",
        ),
    };
    (raw.texts(indexes), raw.texts(references).into_iter().collect())
}

#[test]
fn both_databases_and_the_schema_page_agree_on_tables_columns_indexes_and_references() {
    let page = lines(&printed());
    let mut sqlite_side = None;
    for kind in Kind::all() {
        let database = TestDatabase::new(kind);
        let mut raw = database.raw();
        assert_eq!(raw.tables().len(), printed().len(), "{kind:?}");
        assert_eq!(catalogue(&mut raw), page, "{kind:?}");
        let found = indexes_and_references(&mut raw);
        assert!(found.0.len() > 20 && found.1.len() > 25, "{found:?}");
        match &sqlite_side {
            None => sqlite_side = Some(found),
            Some(sqlite) => assert_eq!(sqlite, &found),
        }
    }
}

/// A literal that the column's type and checks accept.
fn literal(sqlite_migration: &str, table: &str, column: &str, kind: &str) -> String {
    let create = sqlite_migration.split(&format!("CREATE TABLE {table} (")).nth(1).unwrap();
    let create = create.split("\n)").next().unwrap();
    if let Some(allowed) = create.split(&format!("{column} IN ('")).nth(1) {
        return format!("'{}'", allowed.split('\'').next().unwrap());
    }
    match kind {
        "Integer" | "BigInt" => "1".into(),
        "Binary" => "NULL".into(),
        _ if column.ends_with("sha256") || column.ends_with("digest") => format!("'{}'", "a".repeat(64)),
        _ => "'x'".into(),
    }
}

/// One row for a table: nullable columns stay empty unless a check wants them.
fn row_of(table: &Table, sqlite_migration: &str, kind: Kind) -> String {
    let values = table.columns.iter().map(|(column, class, nullable)| {
        let wanted = table.name == "settlement_line" && column == "settlement_id"
            || table.name == "split_order" && column == "rule_id";
        match (class.as_str(), *nullable && !wanted) {
            (_, true) => "NULL".to_string(),
            ("Binary", false) if kind == Kind::Sqlite => "x'00'".into(),
            ("Binary", false) => "'\\x00'::bytea".into(),
            (class, false) => literal(sqlite_migration, &table.name, column, class),
        }
    });
    format!("INSERT INTO {} VALUES ({})", table.name, values.collect::<Vec<_>>().join(", "))
}

/// Runs statements as the product's own connections would, and gives the error as text.
fn as_product(db: &Db, sql: &str) -> Result<(), String> {
    db.write_blocking(|tx| {
        match tx.conn() {
            Conn::Sqlite(conn) => conn.batch_execute(sql)?,
            Conn::Pg(conn) => conn.batch_execute(sql)?,
        }
        Ok(())
    })
    .map_err(|e| e.to_string())
}

#[test]
fn append_only_tables_found_in_the_catalogue_refuse_update_delete_and_replace() {
    let sqlite_migration = migration(Kind::Sqlite);
    for kind in Kind::all() {
        let database = TestDatabase::new(kind);
        let mut raw = database.raw();
        let db = Db::open(database.url(), mingfen::db::Create::No).unwrap();
        let names: Vec<String> =
            raw.tables().into_iter().filter(|name| !MUTABLE.contains(&name.as_str())).collect();
        assert!(names.len() >= 20, "{names:?}");
        raw.execute(match kind {
            Kind::Sqlite => "PRAGMA foreign_keys = OFF",
            Kind::Postgres => "SET session_replication_role = replica",
        })
        .unwrap();
        if kind == Kind::Postgres {
            for name in BY_DAY {
                for make in ["stage", "attach"] {
                    raw.execute(&format!("SELECT {make}_partition('{name}', 1, 1)")).unwrap();
                }
            }
        }
        for name in names {
            let table = printed().into_iter().find(|t| t.name == name).unwrap();
            raw.execute(&row_of(&table, &sqlite_migration, kind)).unwrap_or_else(|e| panic!("{name}: {e}"));
            for attempt in attempts(&table, kind) {
                let refused = as_product(&db, &attempt).expect_err(&attempt);
                assert!(refused.contains("append-only"), "{kind:?}: {attempt}: {refused}");
            }
            assert_eq!(raw.count(&name), 1, "{name}");
        }
    }
}

fn attempts(table: &Table, kind: Kind) -> Vec<String> {
    let (name, key) = (&table.name, table.key.join(", "));
    let last = &table.columns.last().unwrap().0;
    let mut all = vec![
        format!("UPDATE {name} SET {last} = {last}"),
        format!("DELETE FROM {name}"),
        format!(
            "INSERT INTO {name} SELECT * FROM {name} WHERE true ON CONFLICT ({key}) DO UPDATE SET {last} = excluded.{last}"
        ),
    ];
    match kind {
        Kind::Sqlite => all.push(format!("REPLACE INTO {name} SELECT * FROM {name}")),
        Kind::Postgres => {
            all.push(format!("TRUNCATE {name} CASCADE"));
            let partition = match name.as_str() {
                "raw_message" | "payment" => format!("{name}_default"),
                name if BY_DAY.contains(&name) => format!("{name}_1_1"),
                _ => return all,
            };
            all.push(format!("UPDATE {partition} SET {last} = {last}"));
            all.push(format!("DELETE FROM {partition}"));
            all.push(format!("TRUNCATE {partition}"));
        }
    }
    all
}

#[test]
fn what_may_change_is_really_a_table_and_has_no_trigger() {
    for kind in Kind::all() {
        let database = TestDatabase::new(kind);
        let tables = database.raw().tables();
        for name in MUTABLE {
            assert!(tables.iter().any(|t| t == name), "{name}");
            assert!(!migration(kind).contains(&format!(" ON {name} BEGIN")), "{name}");
        }
    }
}
