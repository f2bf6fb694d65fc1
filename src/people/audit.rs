//! The audit trail of people's, institutions' and credentials' commands. For a payment the raw message is the audit.
use serde_json::Value;

use super::store;
use crate::db::Tx;
use crate::error::Error;

/// Who acts, and through which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `user:LOGIN`, `shell` or `system`.
    pub name: String,
    /// The request's id, empty outside a request.
    pub request_id: String,
    /// The address it came from, empty outside a request.
    pub ip: String,
}

impl Actor {
    /// A command typed in the shell.
    pub fn shell() -> Self {
        Actor { name: "shell".into(), request_id: String::new(), ip: String::new() }
    }

    /// What runs by itself.
    pub fn system() -> Self {
        Actor { name: "system".into(), request_id: String::new(), ip: String::new() }
    }

    /// A user's request.
    pub fn user(login: &str, request_id: &str, ip: &str) -> Self {
        Actor { name: format!("user:{login}"), request_id: request_id.into(), ip: ip.into() }
    }
}

/// What was done to which object (`credential:1900000001/4F…`), with the values before and after, never a secret.
pub struct Entry<'a> {
    /// The verb, as `user.add`.
    pub action: &'a str,
    /// The object, as `user:LOGIN`.
    pub object: &'a str,
    /// What it was.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
}

/// Adds a row to the trail, in the transaction of the command itself.
pub fn record(tx: &mut Tx<'_>, at: i64, actor: &Actor, entry: Entry<'_>) -> Result<(), Error> {
    store::add_audit(tx, at, actor, &entry)
}

/// The actions on one object, oldest first: (micros, actor, action).
pub fn of_object(tx: &mut Tx<'_>, object: &str) -> Result<Vec<(i64, String, String)>, Error> {
    store::audit_of(tx, object)
}
