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
        let Diesel::DatabaseError(kind, info) = &error else {
            return DbError::Other(error.to_string());
        };
        match (kind, info.message()) {
            (DatabaseErrorKind::UniqueViolation, _) => DbError::Duplicate,
            (
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::SerializationFailure,
                _,
            )
            | (_, "database is locked" | "deadlock detected") => DbError::Unavailable,
            (_, message) => DbError::Other(message.to_string()),
        }
    }
}

impl From<Diesel> for Error {
    fn from(error: Diesel) -> Self {
        if error == Diesel::NotFound { Error::NotFound } else { Error::Db(error.into()) }
    }
}
