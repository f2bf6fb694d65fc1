use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as Diesel};

use crate::error::Error;

/// What the database answered, without its details: they can hold personal data.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// A unique or primary key is there already.
    #[error("this key is stored already")]
    Duplicate,
    /// The database is busy, slow or gone, or chose this one of two commands that block each other; it may be given
    /// again. Where the connection broke while it committed, nobody knows whether it has: a command that is given
    /// again must find out by its key.
    #[error("the database cannot be reached now, or its disk is full")]
    Unavailable,
    /// Any other answer.
    #[error("the database refused: {0}")]
    Other(String),
}

impl DbError {
    /// Not now, and why for the log.
    pub(super) fn unavailable(why: impl std::fmt::Display) -> Self {
        tracing::warn!(%why, "the database is not available");
        DbError::Unavailable
    }

    fn of(kind: &DatabaseErrorKind, info: &dyn DatabaseErrorInformation) -> Self {
        use DatabaseErrorKind as Kind;
        let message = info.message();
        if matches!(kind, Kind::UniqueViolation) {
            return DbError::Duplicate;
        }
        let broken = matches!(kind, Kind::ClosedConnection | Kind::SerializationFailure)
            // Too many parameters are a bug: that would never pass.
            || matches!(kind, Kind::UnableToSendCommand) && !message.contains("number of parameters");
        let passing = broken || is_passing(message);
        if passing {
            return DbError::unavailable(message);
        }
        // What PgBouncer makes of named statements in transaction mode.
        let hint = if message.contains("prepared statement") {
            ": behind PgBouncer say so with `?pgbouncer=true` in database_url"
        } else {
            ""
        };
        DbError::Other(format!("{message}{hint}"))
    }
}

/// Diesel gives no SQLSTATE, so these are told by their words; `lc_messages` must be English (the README says so).
fn is_passing(message: &str) -> bool {
    const WORDS: [&str; 8] = [
        "database is locked",
        "deadlock detected",
        // Statement and lock timeout, a cancelled backend.
        "canceling statement due to",
        "terminating connection",
        "the database system is",
        "No space left on device",
        "database or disk is full",
        "remaining connection slots are reserved",
    ];
    WORDS.iter().any(|words| message.contains(words))
}

impl From<Diesel> for DbError {
    fn from(error: Diesel) -> Self {
        if let Diesel::RollbackErrorOnCommit { commit_error, .. } = error {
            return DbError::from(*commit_error);
        }
        if let Diesel::DatabaseError(kind, info) = &error {
            return DbError::of(kind, info.as_ref());
        }
        if matches!(error, Diesel::BrokenTransactionManager) {
            // The connection broke at an earlier statement whose error was caught.
            return DbError::unavailable(error);
        }
        DbError::Other(error.to_string())
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        if error == Diesel::NotFound { Error::NotFound } else { Error::Db(error.into()) }
    }
}
