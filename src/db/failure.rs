use diesel::result::{DatabaseErrorKind, Error as Diesel};

use crate::error::Error;

/// What the database answered, without its details: they can hold personal data.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique or primary key is there already.
    #[error("this key is stored already")]
    Duplicate,
    /// The database is busy or gone, or chose this one of two commands that block each other; it may be given again.
    #[error("the database cannot be reached now")]
    Unavailable,
    /// Any other answer.
    #[error("the database refused: {0}")]
    Other(String),
}

impl From<Diesel> for DbError {
    fn from(error: Diesel) -> Self {
        match error {
            Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => DbError::Duplicate,
            Diesel::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::SerializationFailure,
                _,
            ) => DbError::Unavailable,
            Diesel::DatabaseError(_, info) => match info.message() {
                "database is locked" | "deadlock detected" => DbError::Unavailable,
                other => DbError::Other(other.to_string()),
            },
            other => DbError::Other(other.to_string()),
        }
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        match error {
            Diesel::NotFound => Error::NotFound,
            other => Error::Db(other.into()),
        }
    }
}
