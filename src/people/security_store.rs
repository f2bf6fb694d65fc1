//! Queries of security events.
use diesel::prelude::*;
use diesel::sql_query;
use diesel::upsert::excluded;

use super::security::{SecurityEvent, SecurityKind, SecurityRow, Times};
use crate::db::columns::{As, words};
use crate::db::schema::security_event;
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::lock_class;

words!(SecurityKind);

/// Until the transaction ends nobody else adds events: two processes that count a day at the same time would both find
/// room in it. SQLite has one writer.
pub(super) fn alone(tx: &mut Tx<'_>) -> Result<(), Error> {
    if let Conn::Pg(conn) = tx.conn() {
        sql_query(concat!("SELECT pg_advisory_xact_lock(", lock_class!(security), ", 0)")).execute(conn)?;
    }
    Ok(())
}

/// How many different events a day has.
pub(super) fn rows_of(tx: &mut Tx<'_>, day: BusinessDay) -> Result<i64, Error> {
    let of_day = security_event::table.filter(security_event::business_date.eq(As(day)));
    Ok(of_day.count().get_result(tx.conn())?)
}

/// Counts an event that the day has already; whether it has.
pub(super) fn count_again(
    tx: &mut Tx<'_>,
    day: BusinessDay,
    event: &SecurityEvent,
    times: Times,
) -> Result<bool, Error> {
    let row = security_event::table
        .filter(security_event::business_date.eq(As(day)))
        .filter(security_event::kind.eq(As(event.kind)))
        .filter(security_event::who.eq(&event.who))
        .filter(security_event::origin.eq(&event.origin))
        .filter(security_event::what.eq(event.what));
    let counted = (
        security_event::times.eq(security_event::times + times.times),
        security_event::last_at.eq(times.last_at),
    );
    Ok(diesel::update(row).set(counted).execute(tx.conn())? > 0)
}

/// Adds an event to a day, or counts it when another process has just added it.
pub(super) fn add(
    tx: &mut Tx<'_>,
    day: BusinessDay,
    event: &SecurityEvent,
    times: Times,
) -> Result<(), Error> {
    let row = (
        security_event::business_date.eq(As(day)),
        security_event::kind.eq(As(event.kind)),
        security_event::who.eq(&event.who),
        security_event::origin.eq(&event.origin),
        security_event::what.eq(event.what),
        security_event::times.eq(times.times),
        security_event::first_at.eq(times.first_at),
        security_event::last_at.eq(times.last_at),
    );
    let key = (
        security_event::business_date,
        security_event::kind,
        security_event::who,
        security_event::origin,
        security_event::what,
    );
    let insert = diesel::insert_into(security_event::table).values(row).on_conflict(key);
    let insert = insert.do_update().set((
        security_event::times.eq(security_event::times + excluded(security_event::times)),
        security_event::last_at.eq(excluded(security_event::last_at)),
    ));
    match tx.conn() {
        Conn::Sqlite(conn) => insert.execute(conn)?,
        Conn::Pg(conn) => insert.execute(conn)?,
    };
    Ok(())
}

/// Rows of the newest days, of each those that happened last first.
pub(super) fn newest(tx: &mut Tx<'_>, most: i64) -> Result<Vec<SecurityRow>, Error> {
    type Row = (SecurityKind, String, String, String, i64, i64);
    let rows: Vec<Row> = security_event::table
        .order((security_event::business_date.desc(), security_event::last_at.desc()))
        .select((
            security_event::kind,
            security_event::who,
            security_event::origin,
            security_event::what,
            security_event::times,
            security_event::last_at,
        ))
        .limit(most)
        .load(tx.conn())?;
    let row =
        |(kind, who, origin, what, times, last_at)| SecurityRow { kind, who, origin, what, times, last_at };
    Ok(rows.into_iter().map(row).collect())
}

/// Forgets the days before this one.
pub(super) fn forget(tx: &mut Tx<'_>, first: BusinessDay) -> Result<usize, Error> {
    let before = security_event::table.filter(security_event::business_date.lt(As(first)));
    Ok(diesel::delete(before).execute(tx.conn())?)
}
