//! Queries of users, sessions and the audit trail.
use diesel::prelude::*;

use super::audit::Entry;
use super::login::Browser;
use super::users::NewUser;
use super::{Actor, Principal, Role, Scope};
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId, MerchantId, UserId, words};
use crate::db::schema::{app_user, audit, session};
use crate::error::Error;
use crate::insert_returning_id;

words!(Role);

type UserRow = (UserId, String, String, Role, Option<InstitutionId>, Option<MerchantId>);

fn user_columns() -> (
    app_user::id,
    app_user::login,
    app_user::name,
    app_user::role,
    app_user::institution_id,
    app_user::sub_merchant_id,
) {
    (
        app_user::id,
        app_user::login,
        app_user::name,
        app_user::role,
        app_user::institution_id,
        app_user::sub_merchant_id,
    )
}

fn principal_of(row: UserRow) -> Result<Principal, Error> {
    let (user, login, name, role, institution, merchant) = row;
    let broken = || Error::Internal(format!("user {user} has a role or scope that cannot be"));
    let scope = match (institution, merchant) {
        (None, None) => Scope::Platform,
        (Some(id), None) => Scope::Institution(id),
        (None, Some(id)) => Scope::Merchant(id),
        (Some(_), Some(_)) => return Err(broken()),
    };
    Ok(Principal { user, login, name, role, scope })
}

pub(super) fn add_audit(tx: &mut Tx<'_>, at: i64, actor: &Actor, entry: &Entry<'_>) -> Result<(), Error> {
    diesel::insert_into(audit::table)
        .values((
            audit::at.eq(at),
            audit::actor.eq(&actor.name),
            audit::action.eq(entry.action),
            audit::object.eq(entry.object),
            audit::before_json.eq(entry.before.as_ref().map(ToString::to_string)),
            audit::after_json.eq(entry.after.as_ref().map(ToString::to_string)),
            audit::request_id.eq(&actor.request_id),
            audit::ip.eq(&actor.ip),
        ))
        .execute(tx.conn())?;
    Ok(())
}

pub(super) fn audit_of(tx: &mut Tx<'_>, object: &str) -> Result<Vec<(i64, String, String)>, Error> {
    Ok(audit::table
        .filter(audit::object.eq(object))
        .order(audit::id)
        .select((audit::at, audit::actor, audit::action))
        .load(tx.conn())?)
}

pub(super) fn add_user(tx: &mut Tx<'_>, at: i64, user: &NewUser<'_>) -> Result<UserId, Error> {
    let (institution, merchant) = match user.scope {
        Scope::Platform => (None, None),
        Scope::Institution(id) => (Some(id), None),
        Scope::Merchant(id) => (None, Some(id)),
    };
    let values = (
        app_user::login.eq(user.login),
        app_user::name.eq(user.name),
        app_user::role.eq(As(user.role)),
        app_user::institution_id.eq(institution),
        app_user::sub_merchant_id.eq(merchant),
        app_user::password_hash.eq(user.password_hash),
        app_user::created_at.eq(at),
    );
    Ok(UserId::new(insert_returning_id!(tx, app_user, values)?))
}

/// The key of a login, disabled or not.
pub(super) fn user(tx: &mut Tx<'_>, login: &str) -> Result<Option<UserId>, Error> {
    let found = app_user::table.filter(app_user::login.eq(login)).select(app_user::id);
    Ok(found.first(tx.conn()).optional()?)
}

pub(super) fn set_password(tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<(), Error> {
    diesel::update(app_user::table.find(id)).set(app_user::password_hash.eq(hash)).execute(tx.conn())?;
    Ok(())
}

/// Whether this was the one that disabled the user.
pub(super) fn disable_user(tx: &mut Tx<'_>, id: UserId, at: i64) -> Result<bool, Error> {
    let live = app_user::table.find(id).filter(app_user::disabled_at.is_null());
    Ok(diesel::update(live).set(app_user::disabled_at.eq(at)).execute(tx.conn())? > 0)
}

/// Id and password hash of a user who may log in.
pub(super) fn password_hash(tx: &mut Tx<'_>, login: &str) -> Result<Option<(UserId, String)>, Error> {
    Ok(app_user::table
        .filter(app_user::login.eq(login).and(app_user::disabled_at.is_null()))
        .select((app_user::id, app_user::password_hash))
        .first(tx.conn())
        .optional()?)
}

pub(super) fn principal(tx: &mut Tx<'_>, login: &str) -> Result<Option<Principal>, Error> {
    let row: Option<UserRow> = app_user::table
        .filter(app_user::login.eq(login).and(app_user::disabled_at.is_null()))
        .select(user_columns())
        .first(tx.conn())
        .optional()?;
    row.map(principal_of).transpose()
}

pub(super) fn add_session(
    tx: &mut Tx<'_>,
    token_sha256: &str,
    user: UserId,
    now: i64,
    expires_at: i64,
    browser: &Browser,
) -> Result<(), Error> {
    let user_agent: String = browser.user_agent.chars().take(200).collect();
    diesel::insert_into(session::table)
        .values((
            session::token_sha256.eq(token_sha256),
            session::user_id.eq(user),
            session::created_at.eq(now),
            session::last_seen_at.eq(now),
            session::expires_at.eq(expires_at),
            session::ip.eq(&browser.ip),
            session::user_agent.eq(user_agent),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Principal, last request and end of a session whose user may still log in.
pub(super) fn session(tx: &mut Tx<'_>, token_sha256: &str) -> Result<Option<(Principal, i64, i64)>, Error> {
    let row: Option<(UserRow, i64, i64)> = session::table
        .inner_join(app_user::table)
        .filter(session::token_sha256.eq(token_sha256).and(app_user::disabled_at.is_null()))
        .select((user_columns(), session::last_seen_at, session::expires_at))
        .first(tx.conn())
        .optional()?;
    row.map(|(user, seen, end)| Ok((principal_of(user)?, seen, end))).transpose()
}

pub(super) fn touch_session(tx: &mut Tx<'_>, token_sha256: &str, now: i64) -> Result<(), Error> {
    diesel::update(session::table.find(token_sha256))
        .set(session::last_seen_at.eq(now))
        .execute(tx.conn())?;
    Ok(())
}

pub(super) fn end_session(tx: &mut Tx<'_>, token_sha256: &str) -> Result<(), Error> {
    diesel::delete(session::table.find(token_sha256)).execute(tx.conn())?;
    Ok(())
}

pub(super) fn end_sessions_of(tx: &mut Tx<'_>, user: UserId) -> Result<(), Error> {
    diesel::delete(session::table.filter(session::user_id.eq(user))).execute(tx.conn())?;
    Ok(())
}

pub(super) fn end_sessions_before(tx: &mut Tx<'_>, now: i64) -> Result<(), Error> {
    diesel::delete(session::table.filter(session::expires_at.le(now))).execute(tx.conn())?;
    Ok(())
}
