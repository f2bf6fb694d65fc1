//! A platform of the version before is upgraded in place: nothing of its record is lost, and nothing is broken after.
//!
//! `tests/fixtures/version-1` was made by that version's own binary: two finished days of its demo and a third in
//! progress, and by hand one order each that is open, closed, paid after it was closed, learnt by a query, or `UNKNOWN`.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::{Pg, PgConnection};
use diesel::{Connection, SqliteConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use mingfen::app::App;
use mingfen::check::breaks;
use mingfen::clock::Clock;
use mingfen::config::{Config, Secret};
use mingfen::db::Create;

use crate::support::database::{Kind, Raw, TestDatabase};

/// Columns that a later migration writes anew, each with the reason why it may: nothing else may change.
const REWRITTEN: [(&str, &str); 0] = [];

/// Tables whose rows are loaded by day and institution on PostgreSQL.
const BY_DAY: [&str; 2] = ["bill_order", "split_order"];

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1")
}

/// The fixture's SQLite database, as that version left it.
fn old_sqlite(file: &Path) {
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    conn.batch_execute(&std::fs::read_to_string(fixture().join("mingfen.sql")).unwrap()).unwrap();
}

/// The fixture's rows in a PostgreSQL database that has the migrations which the fixture has, and no other.
fn old_postgres(url: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.db");
    old_sqlite(&file);
    let mut old = Raw::open(&format!("sqlite:{}", file.display()));
    let versions = old.texts("SELECT version AS v FROM __diesel_schema_migrations ORDER BY 1");
    migrate_to(url, &versions);
    let mut new = Raw::open(url);
    // The rows were asked every question when they were written first.
    new.execute("SET session_replication_role = replica").unwrap();
    for table in BY_DAY {
        let days = format!("SELECT DISTINCT business_date || ', ' || institution_id AS v FROM {table}");
        for day in old.texts(&days) {
            for make in ["stage", "attach"] {
                new.execute(&format!("SELECT {make}_partition('{table}', {day})")).unwrap();
            }
        }
    }
    for table in old.tables() {
        let columns = columns(&mut old, &table);
        let rows = old.texts(&rows_as_inserts(&table, &columns)).join(";\n");
        if !rows.is_empty() {
            new.execute(&rows).unwrap_or_else(|e| panic!("{table}: {e}"));
        }
        if let Some(sequence) = sequence(&mut new, &table) {
            let next = format!("SELECT setval('{sequence}', (SELECT MAX(id) + 1 FROM {table}), false) AS v");
            if new.count(&table) > 0 {
                new.number(&next);
            }
        }
    }
}

fn migrate_to(url: &str, versions: &[String]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let source = FileBasedMigrations::from_path(folder).unwrap();
    let mut all: Vec<Box<dyn Migration<Pg>>> = source.migrations().unwrap();
    all.sort_by_key(|migration| migration.name().version().to_string());
    all.retain(|migration| versions.contains(&migration.name().version().to_string()));
    assert_eq!(all.len(), versions.len(), "migrations of a published version are never taken away");
    let mut conn = PgConnection::establish(url).unwrap();
    // Also makes the list of migrations.
    assert_eq!(MigrationHarness::<Pg>::applied_migrations(&mut conn).unwrap(), []);
    for migration in all {
        conn.run_migration(&*migration).unwrap();
    }
}

/// A query on SQLite that gives each row of a table as PostgreSQL's INSERT.
fn rows_as_inserts(table: &str, columns: &[(String, bool)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values = columns.iter().map(|(name, binary)| {
        let bytes = format!("CASE WHEN {name} IS NULL THEN 'NULL' ELSE '''\\x' || hex({name}) || '''' END");
        if *binary { bytes } else { format!("quote({name})") }
    });
    format!(
        "SELECT 'INSERT INTO {table} ({}) VALUES (' || {} || ')' AS v FROM {table}",
        names.join(", "),
        values.collect::<Vec<_>>().join(" || ', ' || ")
    )
}

/// Names of a table's columns, and which of them hold bytes.
fn columns(raw: &mut Raw, table: &str) -> Vec<(String, bool)> {
    let query = match raw {
        Raw::Sqlite(_) => {
            format!("SELECT type || ' ' || name AS v FROM pragma_table_info('{table}') ORDER BY name")
        }
        Raw::Pg(_) => format!(
            "SELECT CASE data_type WHEN 'bytea' THEN 'BLOB ' ELSE 'other ' END || column_name AS v \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}' \
             ORDER BY column_name COLLATE \"C\""
        ),
    };
    let told = raw.texts(&query).into_iter();
    told.map(|told| told.split_once(' ').map(|(kind, name)| (name.to_owned(), kind == "BLOB")).unwrap())
        .collect()
}

fn sequence(raw: &mut Raw, table: &str) -> Option<String> {
    let has_id = columns(raw, table).iter().any(|(name, _)| name == "id");
    let query = format!("SELECT pg_get_serial_sequence('{table}', 'id') AS v");
    has_id.then(|| raw.texts(&query).concat()).filter(|name| !name.is_empty())
}

/// Tables with their columns.
type Shape = BTreeMap<String, Vec<String>>;

/// Tables with their rows as text in the columns of a shape.
fn record(raw: &mut Raw, shape: &Shape) -> BTreeMap<String, Vec<String>> {
    let mut record = BTreeMap::new();
    for (table, columns) in shape {
        let each = columns.iter().map(|name| match raw {
            Raw::Sqlite(_) => format!("quote({name})"),
            Raw::Pg(_) => format!("quote_nullable({name}::text)"),
        });
        let row = each.collect::<Vec<_>>().join(" || ', ' || ");
        let mut rows = raw.texts(&format!("SELECT {row} AS v FROM {table}"));
        rows.sort();
        record.insert(table.clone(), rows);
    }
    record
}

fn shape(raw: &mut Raw) -> Shape {
    let tables = raw.tables();
    let names = |(name, _)| name;
    tables
        .into_iter()
        .map(|table| (table.clone(), columns(raw, &table).into_iter().map(names).collect()))
        .collect()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn upgraded(database: &TestDatabase) -> App {
    copy_folder(&fixture(), database.dir());
    let config = Config {
        database_url: database.url().to_owned(),
        data_dir: database.dir().to_path_buf(),
        master_key: Some(Secret::new(
            std::fs::read_to_string(fixture().join("keys/master.key")).unwrap().trim(),
        )),
        ..Config::default()
    };
    App::open(config, Clock::system(), Create::Yes).unwrap()
}

/// One order's payment and events, in columns that every version has.
fn order(raw: &mut Raw, out_trade_no: &str) -> (i64, Vec<String>) {
    let of = format!("(SELECT id FROM pay_order WHERE out_trade_no = '{out_trade_no}')");
    let paid =
        format!("SELECT CAST(COALESCE(SUM(paid), 0) AS BIGINT) AS v FROM payment WHERE order_id = {of}");
    let events = format!("SELECT kind AS v FROM order_event WHERE order_id = {of} ORDER BY id");
    (raw.number(&paid), raw.texts(&events))
}

/// The fixture's database, as that version left it.
fn old(kind: Kind) -> TestDatabase {
    let database = TestDatabase::empty(kind);
    match kind {
        Kind::Sqlite => old_sqlite(&database.dir().join("mingfen.db")),
        Kind::Postgres => old_postgres(database.url()),
    }
    database
}

/// What of an old shape is there still: columns that stay must say what they said, those that went are a migration's.
fn what_stays(kind: Kind, old: &Shape, mut new: Shape) -> Shape {
    let stays = |table: &str, name: &String| {
        old.get(table).is_some_and(|old| old.contains(name)) && !REWRITTEN.contains(&(table, name.as_str()))
    };
    for (table, columns) in &mut new {
        columns.retain(|name| stays(table, name));
    }
    new.retain(|_, columns| !columns.is_empty());
    let gone: Vec<_> = old.keys().filter(|table| !new.contains_key(*table)).collect();
    assert!(gone.is_empty(), "{kind:?}: {gone:?} must be looked for where it went");
    new
}

#[test]
fn a_platform_of_the_version_before_is_upgraded_in_place_and_nothing_of_it_is_lost_or_broken() {
    for kind in Kind::all() {
        let (untouched, database) = (old(kind), old(kind));
        let app = upgraded(&database);
        let (mut before, mut after) = (untouched.raw(), database.raw());

        let stays = what_stays(kind, &shape(&mut before), shape(&mut after));
        let kept = record(&mut before, &stays);
        assert!(kept["pay_order"].len() == 29 && kept["payment"].len() == 26 && kept["posting"].len() > 100);
        for (table, rows) in record(&mut after, &stays) {
            assert_eq!(rows, kept[&table], "{kind:?}: {table}");
        }
        assert_eq!(after.number("SELECT CAST(SUM(paid) AS BIGINT) AS v FROM payment"), 245_087, "{kind:?}");
        let events = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let crossed = (4321, events(&["CREATED", "PAYING", "CLOSED", "LATE_PAYMENT"]));
        assert_eq!(order(&mut after, "FIX-CROSSED"), crossed, "{kind:?}");
        assert_eq!(order(&mut after, "FIX-UNKNOWN"), (0, events(&["CREATED", "UNKNOWN"])), "{kind:?}");

        assert_eq!(breaks(&app).unwrap(), Vec::<String>::new(), "{kind:?}");
        // And it did look: at the files that came along, for one.
        let spl = database.dir().join("files/SANDBOX/out/20261126/SPL_SANDBOX_DEMO_20261126_0001.txt");
        std::fs::write(&spl, std::fs::read_to_string(&spl).unwrap().replacen("M1001", "M1002", 1)).unwrap();
        assert!(!breaks(&app).unwrap().is_empty(), "{kind:?}");
    }
}
