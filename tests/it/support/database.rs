//! Fresh databases for tests, and a look at them past the product.
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use mingfen::clock::Clock;
use mingfen::db::{Create, Db};
use mingfen::institutions::PlatformKeys;
use mingfen::protocol::crypto::MasterKey;

use super::MASTER_KEY;

/// Which database a test stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// What `tests/run` chose for this run.
    pub fn of_this_run() -> Kind {
        if server().is_some() { Kind::Postgres } else { Kind::Sqlite }
    }

    /// The databases that can be had in this run.
    pub fn all() -> Vec<Kind> {
        if server().is_some() { vec![Kind::Sqlite, Kind::Postgres] } else { vec![Kind::Sqlite] }
    }
}

/// The server's URL, up to the database's name.
fn server() -> Option<String> {
    let url = std::env::var("MINGFEN_TEST_DATABASE_URL").ok()?;
    assert!(url.starts_with("postgres"), "MINGFEN_TEST_DATABASE_URL must be postgres://…/…");
    Some(url.rsplit_once('/').expect("the URL ends with a database's name").0.to_string())
}

/// A migrated database with the platform's keys, gone when it is dropped.
pub struct TestDatabase {
    url: String,
    name: Option<String>,
    dir: tempfile::TempDir,
}

impl TestDatabase {
    /// A copy of a template that each process makes once.
    pub fn new(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        match kind {
            Kind::Sqlite => {
                static TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
                    let dir = tempfile::tempdir().unwrap();
                    let file = dir.path().join("template.db");
                    fill(&format!("sqlite:{}", file.display()));
                    std::fs::read(file).unwrap()
                });
                let file = dir.path().join("mingfen.db");
                std::fs::write(&file, &*TEMPLATE).unwrap();
                TestDatabase { url: format!("sqlite:{}", file.display()), name: None, dir }
            }
            Kind::Postgres => {
                static TEMPLATE: LazyLock<String> = LazyLock::new(|| {
                    let name = format!("mingfen_template_{}", std::process::id());
                    admin(&format!("CREATE DATABASE {name}"));
                    fill(&format!("{}/{name}", server().unwrap()));
                    name
                });
                Self::on_server(&format!("TEMPLATE {}", *TEMPLATE), dir)
            }
        }
    }

    /// A database without any table; on SQLite a file that is not there yet.
    pub fn empty(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        match kind {
            Kind::Sqlite => TestDatabase {
                url: format!("sqlite:{}", dir.path().join("mingfen.db").display()),
                name: None,
                dir,
            },
            Kind::Postgres => Self::on_server("", dir),
        }
    }

    fn on_server(template: &str, dir: tempfile::TempDir) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("mingfen_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        admin(&format!("CREATE DATABASE {name} {template}"));
        TestDatabase { url: format!("{}/{name}", server().unwrap()), name: Some(name), dir }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A connection past the product.
    pub fn raw(&self) -> Raw {
        Raw::open(&self.url)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// Migrates, and makes the platform's keys, which take a while, once for all tests.
fn fill(url: &str) {
    let db = Db::open(url, Create::Yes).unwrap();
    let master = MasterKey::from(MASTER_KEY);
    db.write_blocking(|tx| PlatformKeys::ensure(tx, &master, Clock::system().instant())).unwrap();
    drop(db);
    if let Some(path) = url.strip_prefix("sqlite:") {
        let mut conn = SqliteConnection::establish(path).unwrap();
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    } else {
        // A template may have no connection; the pool closes its own a little after it is dropped.
        let name = url.rsplit_once('/').unwrap().1;
        admin(&format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }
}

fn admin(sql: &str) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let mut conn = PgConnection::establish(&format!("{}/postgres", server().unwrap())).unwrap();
    conn.batch_execute(sql).unwrap();
}

/// A connection past the product, for what the product never does.
pub enum Raw {
    Sqlite(SqliteConnection),
    Pg(PgConnection),
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Nullable<Text>)]
    v: Option<String>,
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = BigInt)]
    v: i64,
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PgStep {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    step: String,
}

impl Raw {
    pub fn open(url: &str) -> Raw {
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let mut conn = SqliteConnection::establish(path).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                Raw::Sqlite(conn)
            }
            None => Raw::Pg(PgConnection::establish(url).unwrap()),
        }
    }

    /// Runs statements; the error as text.
    pub fn execute(&mut self, sql: &str) -> Result<(), String> {
        match self {
            Raw::Sqlite(conn) => conn.batch_execute(sql),
            Raw::Pg(conn) => conn.batch_execute(sql),
        }
        .map_err(|e| e.to_string())
    }

    /// The texts that a query gives in its one column `v`.
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let rows: Vec<TextRow> = match self {
            Raw::Sqlite(conn) => diesel::sql_query(sql).load(conn),
            Raw::Pg(conn) => diesel::sql_query(sql).load(conn),
        }
        .unwrap();
        rows.into_iter().map(|row| row.v.unwrap_or_default()).collect()
    }

    /// The steps of a plan: what EXPLAIN gives, in whichever column this database gives it.
    pub fn explained(&mut self, sql: &str) -> Vec<String> {
        match self {
            Raw::Sqlite(conn) => {
                let rows: Vec<SqliteStep> = diesel::sql_query(sql).load(conn).unwrap();
                rows.into_iter().map(|row| row.detail).collect()
            }
            Raw::Pg(conn) => {
                let rows: Vec<PgStep> = diesel::sql_query(sql).load(conn).unwrap();
                rows.into_iter().map(|row| row.step).collect()
            }
        }
    }

    /// The number that a query gives in its one column `v`.
    pub fn number(&mut self, sql: &str) -> i64 {
        let rows: Vec<NumberRow> = match self {
            Raw::Sqlite(conn) => diesel::sql_query(sql).load(conn),
            Raw::Pg(conn) => diesel::sql_query(sql).load(conn),
        }
        .unwrap();
        rows[0].v
    }

    /// Names of the tables in the catalogue, without partitions and the list of migrations.
    pub fn tables(&mut self) -> Vec<String> {
        let names = match self {
            Raw::Sqlite(_) => {
                "SELECT name AS v FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                 AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY 1"
            }
            Raw::Pg(_) => {
                "SELECT relname::text AS v FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition \
                 AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_%' ORDER BY 1"
            }
        };
        let mut names = self.texts(names);
        names.sort();
        names
    }

    pub fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS v FROM {table}"))
    }
}

/// The migration of a database, as text.
pub fn migration(kind: Kind) -> String {
    let folder = match kind {
        Kind::Sqlite => "sqlite",
        Kind::Postgres => "postgres",
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|f| std::fs::read_to_string(f.join("up.sql")).unwrap()).collect()
}
