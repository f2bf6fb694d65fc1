//! Users: made, given a new password, shut out. Each command leaves an audit row and is one transaction.
use serde_json::json;

use super::{Actor, Principal, Role, Scope, audit, store};
use crate::db::Tx;
use crate::db::columns::UserId;
use crate::error::{Code, Error};
use crate::kernel::text;

/// A user to be made.
pub struct NewUser<'a> {
    /// 3 to 32 of `0-9a-z._-`.
    pub login: &'a str,
    /// The name shown on pages.
    pub name: &'a str,
    /// What the user may do.
    pub role: Role,
    /// Whose objects the user sees; must suit the role.
    pub scope: Scope,
    /// From [`super::password::hash`], made before the transaction because it is slow.
    pub password_hash: &'a str,
}

/// Makes a user and gives its key.
pub fn add(tx: &mut Tx<'_>, at: i64, actor: &Actor, user: &NewUser<'_>) -> Result<UserId, Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let invalid = |why: &str| Err(Error::refused(Code::UserInvalid, why));
    if !(3..=32).contains(&user.login.len()) || !user.login.bytes().all(allowed) {
        return invalid("a login is 3 to 32 of 0-9 a-z . _ -");
    }
    if user.name.trim().is_empty() || user.name.chars().count() > 64 || !text::is_plain(user.name) {
        return invalid("a name has 1 to 64 characters, none of control or invisible");
    }
    if !user.role.fits(user.scope) {
        return invalid("the role does not suit the institution or merchant");
    }
    if store::user(tx, user.login)?.is_some() {
        return Err(Error::refused(Code::LoginTaken, user.login));
    }
    let id = store::add_user(tx, at, user)?;
    note(tx, at, actor, "user.add", user.login, json!({"name": user.name, "role": user.role.as_str()}))?;
    Ok(id)
}

/// Gives a user a new password and ends the user's sessions.
pub fn reset(tx: &mut Tx<'_>, at: i64, actor: &Actor, login: &str, password_hash: &str) -> Result<(), Error> {
    let id = store::user(tx, login)?.ok_or(Error::NotFound)?;
    store::set_password(tx, id, password_hash)?;
    store::end_sessions_of(tx, id)?;
    note(tx, at, actor, "user.reset", login, json!({}))
}

/// Shuts a user out for good and ends the user's sessions. Repeating it changes nothing.
pub fn disable(tx: &mut Tx<'_>, at: i64, actor: &Actor, login: &str) -> Result<(), Error> {
    let id = store::user(tx, login)?.ok_or(Error::NotFound)?;
    if !store::disable_user(tx, id, at)? {
        return Ok(());
    }
    store::end_sessions_of(tx, id)?;
    note(tx, at, actor, "user.disable", login, json!({"disabled": true}))
}

/// The user who may log in under that name.
pub fn by_login(tx: &mut Tx<'_>, login: &str) -> Result<Option<Principal>, Error> {
    store::principal(tx, login)
}

fn note(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    action: &str,
    login: &str,
    after: serde_json::Value,
) -> Result<(), Error> {
    let object = format!("user:{login}");
    audit::record(tx, at, actor, audit::Entry { action, object: &object, before: None, after: Some(after) })
}
