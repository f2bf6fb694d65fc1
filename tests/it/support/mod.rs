//! What the tests stand on: a fresh platform on a fresh database for each test.
pub mod acting;
pub mod alipay;
pub mod browser;
pub mod bundle;
pub mod database;
pub mod fact;
pub mod finished_day;
pub mod honest_day;
pub mod institution;
pub mod load;
pub mod pair;
pub mod played;
pub mod postgres;
pub mod receiver;
pub mod rules;
pub mod sandbox_process;
pub mod shell;
pub mod shop;
pub mod told;
pub mod wallet;
pub mod wire;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::LazyLock;

use mingfen::app::App;
use mingfen::clock::Clock;
use mingfen::config::{Config, Secret};
use mingfen::db::columns::UserId;
use mingfen::db::{Create, Db};
use mingfen::people::security::SecurityKind;
use mingfen::people::{Actor, Role, Scope, password, users};
use mingfen::protocol::crypto::MasterKey;

use database::{Kind, TestDatabase};

/// Every test platform wraps its secrets with this key.
pub const MASTER_KEY: [u8; 32] = [7; 32];
/// The password of every acting user.
pub const PASSWORD: &str = "correct horse battery";

/// A platform of one test, on SQLite or, when `MINGFEN_TEST_DATABASE_URL` names a server, on PostgreSQL.
pub struct TestApp {
    app: App,
    // After `app`, so that its connections are closed first.
    database: TestDatabase,
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl DerefMut for TestApp {
    fn deref_mut(&mut self) -> &mut App {
        &mut self.app
    }
}

impl TestApp {
    /// A platform with its keys and nothing else.
    pub fn new() -> Self {
        Self::configured(|_| {})
    }

    /// [`TestApp::new`] with other settings.
    pub fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::new(Kind::of_this_run());
        let mut config = settings(&database);
        change(&mut config);
        // A database that a test brings along may be empty still.
        let db = Db::open(&config.database_url, Create::Yes).unwrap();
        let app = App::new(db, Clock::system(), config, MasterKey::from(MASTER_KEY)).unwrap();
        TestApp { app, database }
    }

    /// A directory of this test alone.
    pub fn dir(&self) -> &Path {
        self.database.dir()
    }

    /// The URL of this test's database, for a process of its own.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Makes a user who logs in with [`PASSWORD`].
    pub fn user(&self, login: &str, role: Role, scope: Scope) -> UserId {
        static HASH: LazyLock<String> = LazyLock::new(|| password::hash(PASSWORD).unwrap());
        let user = users::NewUser { login, name: login, role, scope, password_hash: &HASH };
        let at = self.clock.now();
        self.db.write_blocking(|tx| users::add(tx, at, &Actor::shell(), &user)).unwrap()
    }

    /// A look past the product at the database that it was made for.
    pub fn raw(&self) -> database::Raw {
        self.database.raw()
    }

    /// No attempt at a login is written while this lives, on SQLite nothing at all; reading goes on.
    pub fn without_writes(&self) -> database::Raw {
        let mut raw = self.raw();
        let held = match &raw {
            database::Raw::Sqlite(_) => "BEGIN IMMEDIATE",
            database::Raw::Pg(_) => "BEGIN; LOCK TABLE login_attempt IN EXCLUSIVE MODE",
        };
        raw.execute(held).unwrap();
        raw
    }

    /// How many security events of a kind there were.
    pub async fn refusals(&self, kind: SecurityKind) -> i64 {
        self.guard.write(&self.db).await.unwrap();
        let sum = "SELECT CAST(COALESCE(SUM(times), 0) AS BIGINT) AS v FROM security_event WHERE kind";
        self.raw().number(&format!("{sum} = '{}'", kind.as_str()))
    }

    /// How many rows each table holds.
    pub fn row_counts(&self) -> std::collections::BTreeMap<String, i64> {
        let mut raw = self.database.raw();
        raw.tables().into_iter().map(|table| (table.clone(), raw.count(&table))).collect()
    }
}

/// Settings of a test platform: quiet about logins, open to this machine's own addresses.
pub fn settings(database: &TestDatabase) -> Config {
    Config {
        database_url: database.url().to_string(),
        data_dir: database.dir().join("data"),
        master_key: Some(Secret::new(hex::encode(MASTER_KEY))),
        allow_private_addresses: true,
        login_attempts_per_minute: 1_000_000,
        ..Config::default()
    }
}
