use std::path::{Path, PathBuf};

use diesel::connection::CacheSize;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, RunQueryDsl};

use super::conn::Conn;
use super::plain::refuse_far;

/// May opening make what is not there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The database must exist and be up to date: `serve` and every command but `migrate`.
    No,
    /// Create a missing SQLite file and apply pending migrations.
    Yes,
}

/// Why a database could not be opened; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of neither database.
    #[error("`{0}` is no database URL: write sqlite:PATH or postgres://USER@HOST/NAME")]
    Url(String),
    /// The SQLite file is missing and must not be created by mistake.
    #[error("there is no database at {0}: check database_url, or create it with `mingfen migrate`")]
    Missing(String),
    /// The schema is older than this program.
    #[error("the database lacks {0} migration(s): run `mingfen migrate`")]
    Pending(usize),
    /// The schema is newer than this program.
    #[error("the database was upgraded by a newer mingfen: use that one")]
    Newer,
    /// The database is somebody else's.
    #[error("the database holds tables that are not ours: name an empty one in database_url")]
    Foreign,
    /// A role that cannot be let in.
    #[error("{0}")]
    Role(String),
    /// A server that a libpq without TLS would speak to in plain text.
    #[error(
        "the database host {0} is not on this machine, and this program was built without TLS for PostgreSQL: build it \
         with `--no-default-features --features system-libpq` (or `vendored-tls`), or write sslmode=disable into \
         database_url if plain text on that line is meant"
    )]
    Plain(String),
    /// The server or the file does not open.
    #[error("the database cannot be opened: {0}")]
    Connect(String),
    /// A migration failed; it was rolled back.
    #[error("a migration failed and was rolled back: {0}")]
    Migration(String),
}

/// Which database a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; `pgbouncer=true` in its query says that PgBouncer in transaction mode stands in between.
    Postgres(String),
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A look at the schema, and migrations.
    Open,
    /// Transactions that write; on PostgreSQL all.
    Write,
    /// Snapshots of a SQLite file.
    Read,
}

impl Access {
    const fn cache_kib(self) -> u32 {
        match self {
            Access::Open => 2_000,
            Access::Write => 96_000,
            Access::Read => 16_000,
        }
    }
}

impl Backend {
    /// `postgres://…`, `sqlite:PATH` or a plain path.
    pub fn of(url: &str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Backend::Postgres(url.to_string()));
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
        // A mistyped scheme must not become the name of a file.
        if path.is_empty() || path.contains(':') {
            return Err(OpenError::Url(without_password(url)));
        }
        Ok(Backend::Sqlite(PathBuf::from(path)))
    }

    /// Whether what a connection is told once holds for all its transactions: on PostgreSQL, unless PgBouncer stands in
    /// between.
    pub(super) fn keeps_settings(&self) -> bool {
        match self {
            Backend::Sqlite(_) => false,
            Backend::Postgres(url) => !for_libpq(url).1,
        }
    }

    /// The file or server for people, without user and password.
    pub fn shown(&self) -> String {
        match self {
            Backend::Sqlite(path) => path.display().to_string(),
            Backend::Postgres(url) => without_password(url),
        }
    }

    pub(super) fn prepare(&self, create: Create) -> Result<(), OpenError> {
        let Backend::Sqlite(path) = self else { return Ok(()) };
        if path.is_file() {
            return Ok(());
        }
        match create {
            Create::No => Err(OpenError::Missing(self.shown())),
            Create::Yes => create_private_file(path).map_err(|e| OpenError::Connect(e.to_string())),
        }
    }

    pub(super) fn connect(&self, access: Access) -> Result<Conn, OpenError> {
        let failed = |e: &dyn std::fmt::Display| OpenError::Connect(without_password(&e.to_string()));
        match self {
            Backend::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&file_uri(path)).map_err(|e| failed(&e))?;
                for pragma in [
                    "PRAGMA busy_timeout = 10000".to_string(),
                    "PRAGMA journal_mode = WAL".to_string(),
                    "PRAGMA synchronous = FULL".to_string(),
                    "PRAGMA foreign_keys = ON".to_string(),
                    // Without it REPLACE deletes rows behind the append-only triggers.
                    "PRAGMA recursive_triggers = ON".to_string(),
                    format!("PRAGMA cache_size = -{}", access.cache_kib()),
                    format!("PRAGMA query_only = {}", if access == Access::Read { "ON" } else { "OFF" }),
                ] {
                    diesel::sql_query(pragma).execute(&mut conn).map_err(|e| failed(&e))?;
                }
                Ok(Conn::Sqlite(conn))
            }
            Backend::Postgres(url) => {
                let (url, pooled) = for_libpq(url);
                refuse_far(&url)?;
                let mut conn = PgConnection::establish(&url).map_err(|e| failed(&e))?;
                if pooled {
                    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
                }
                Ok(Conn::Pg(conn))
            }
        }
    }
}

/// Bounds on waiting that libpq is given where the URL sets none: a server that does not answer is given up after
/// 5 seconds, a connection that was cut silently after about 25.
const BOUNDS: [&str; 6] = [
    "connect_timeout=5",
    "keepalives_idle=10",
    "keepalives_interval=5",
    "keepalives_count=3",
    "tcp_user_timeout=15000",
    "application_name=mingfen",
];

/// The URL for libpq, and whether it leads to PgBouncer: then no prepared statement may outlive its transaction.
fn for_libpq(url: &str) -> (String, bool) {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().to_owned();
    let given: Vec<&str> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    let pooled = given.contains(&"pgbouncer=true");
    let ours = BOUNDS.into_iter().filter(|ours| !given.iter().any(|given| name(given) == name(ours)));
    let theirs = given.iter().copied().filter(|given| name(given) != "pgbouncer");
    (format!("{base}?{}", theirs.chain(ours).collect::<Vec<_>>().join("&")), pooled)
}

/// `mode=rw`: SQLite itself never creates the file, whatever happens between our look and its opening.
fn file_uri(path: &Path) -> String {
    let text = path.display().to_string();
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?mode=rw")
}

fn create_private_file(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        crate::disk::private_dir(parent)?;
    }
    crate::disk::ensure_private(path)
}

/// Everything between `//` and `@` of a URL is a secret or a name: neither belongs in a message.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => text.to_string(),
    }
}
