//! Queries of counted attempts.
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::throttle::Counted;
use crate::db::schema::login_attempt;
use crate::db::{Conn, Tx};
use crate::error::Error;

const ALL: (login_attempt::key, login_attempt::ahead, login_attempt::last_at) =
    (login_attempt::key, login_attempt::ahead, login_attempt::last_at);

/// The rows of these keys.
pub(super) fn known(tx: &mut Tx<'_>, keys: &[&str]) -> Result<HashMap<String, Counted>, Error> {
    let rows = login_attempt::table.filter(login_attempt::key.eq_any(keys));
    Ok(by_key(rows.select(ALL).load(tx.conn())?))
}

fn by_key(rows: Vec<(String, i64, i64)>) -> HashMap<String, Counted> {
    rows.into_iter().map(|(key, ahead, last_at)| (key, Counted { ahead, last_at })).collect()
}

/// The rows of these keys, held back from everybody else until the transaction ends. Keys must be sorted.
pub(super) fn locked(tx: &mut Tx<'_>, keys: &[&str]) -> Result<HashMap<String, Counted>, Error> {
    let Conn::Pg(conn) = tx.conn() else {
        // One writer at a time anyway.
        return known(tx, keys);
    };
    // A row that is not there cannot be held.
    let fresh = keys.iter().map(|key| {
        (login_attempt::key.eq(*key), login_attempt::ahead.eq(0_i64), login_attempt::last_at.eq(0_i64))
    });
    diesel::insert_into(login_attempt::table)
        .values(fresh.collect::<Vec<_>>())
        .on_conflict_do_nothing()
        .execute(conn)?;
    let found = login_attempt::table.filter(login_attempt::key.eq_any(keys)).order(login_attempt::key);
    Ok(by_key(found.select(ALL).for_update().load(conn)?))
}

pub(super) fn put(tx: &mut Tx<'_>, key: &str, counted: Counted) -> Result<(), Error> {
    let row = (
        login_attempt::key.eq(key),
        login_attempt::ahead.eq(counted.ahead),
        login_attempt::last_at.eq(counted.last_at),
    );
    let insert = diesel::insert_into(login_attempt::table).values(row).on_conflict(login_attempt::key);
    let insert = insert.do_update().set((
        login_attempt::ahead.eq(excluded(login_attempt::ahead)),
        login_attempt::last_at.eq(excluded(login_attempt::last_at)),
    ));
    match tx.conn() {
        Conn::Sqlite(conn) => insert.execute(conn)?,
        Conn::Pg(conn) => insert.execute(conn)?,
    };
    Ok(())
}

pub(super) fn take_back(tx: &mut Tx<'_>, key: &str, cost: i64) -> Result<(), Error> {
    diesel::update(login_attempt::table.find(key))
        .set(login_attempt::ahead.eq(login_attempt::ahead - cost))
        .execute(tx.conn())?;
    Ok(())
}

/// Forgets rows that are over, and of the others those that are over first, until `most` are left.
pub(super) fn forget(tx: &mut Tx<'_>, now: i64, most: i64) -> Result<usize, Error> {
    let over = forget_until(tx, now)?;
    let last: Option<i64> = login_attempt::table
        .order(login_attempt::ahead.desc())
        .select(login_attempt::ahead)
        .offset(most)
        .first(tx.conn())
        .optional()?;
    let Some(last) = last else { return Ok(over) };
    Ok(over.saturating_add(forget_until(tx, last)?))
}

fn forget_until(tx: &mut Tx<'_>, ahead: i64) -> Result<usize, Error> {
    let rows = login_attempt::table.filter(login_attempt::ahead.le(ahead));
    match tx.conn() {
        Conn::Sqlite(conn) => Ok(diesel::delete(rows).execute(conn)?),
        Conn::Pg(conn) => {
            // Rows that somebody holds are counted on just now: who waited for them could be waited for by their holder.
            let free = rows.select(login_attempt::key).for_update().skip_locked();
            let keys: Vec<String> = free.load(conn)?;
            let free = login_attempt::table.filter(login_attempt::key.eq_any(keys));
            Ok(diesel::delete(free).execute(conn)?)
        }
    }
}
