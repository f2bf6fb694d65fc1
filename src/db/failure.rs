use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as Diesel};

use crate::error::Error;

/// What the database answered, without its details: they can hold personal data.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique or primary key is there already.
    #[error("this key is stored already")]
    Duplicate,
    /// The database is busy, slow or gone, or chose this one of two commands that block each other; it may be given
    /// again. Where the connection broke while it committed, nobody knows whether it has: a command that is given
    /// again must find out by its key.
    #[error("the database cannot be reached now")]
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
        let message = info.message();
        let passing = match kind {
            DatabaseErrorKind::UniqueViolation => return DbError::Duplicate,
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::SerializationFailure => true,
            // A bug rather than a broken connection: it would never pass.
            DatabaseErrorKind::UnableToSendCommand => !message.contains("number of parameters"),
            _ => is_passing(message),
        };
        if passing { DbError::unavailable(message) } else { DbError::Other(message.to_string()) }
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
        match error {
            Diesel::DatabaseError(kind, info) => DbError::of(&kind, info.as_ref()),
            Diesel::RollbackErrorOnCommit { commit_error, .. } => DbError::from(*commit_error),
            // The connection broke at an earlier statement whose error was caught.
            Diesel::BrokenTransactionManager => DbError::unavailable(error),
            error => DbError::Other(error.to_string()),
        }
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        if error == Diesel::NotFound { Error::NotFound } else { Error::Db(error.into()) }
    }
}
