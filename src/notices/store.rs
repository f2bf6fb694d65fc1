//! Queries of the jobs: the outbox.
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::outbox;
use crate::error::Error;

/// A notification that is to be delivered now.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub(super) struct Due {
    pub id: i64,
    pub event_id: String,
    pub url: String,
    pub body: Vec<u8>,
    pub credential_id: i64,
    pub created_at: i64,
    pub attempts: i32,
}

/// What is due at `now`, the longest waiting first.
pub(super) fn due(tx: &mut Tx<'_>, now: i64, limit: i64) -> Result<Vec<Due>, Error> {
    Ok(outbox::table
        .filter(outbox::next_at.le(now))
        .filter(outbox::done_at.is_null())
        .filter(outbox::given_up_at.is_null())
        .order((outbox::next_at, outbox::id))
        .limit(limit)
        .select(Due::as_select())
        .load(tx.conn())?)
}

/// What is put off beyond `after`, the nearest first.
pub(super) fn due_after(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Due>, Error> {
    Ok(outbox::table
        .filter(outbox::next_at.gt(after))
        .filter(outbox::done_at.is_null())
        .filter(outbox::given_up_at.is_null())
        .order((outbox::next_at, outbox::id))
        .limit(limit)
        .select(Due::as_select())
        .load(tx.conn())?)
}

/// Counts a delivery before it is tried. `false` when another process took it up meanwhile.
pub(super) fn take_up(tx: &mut Tx<'_>, note: &Due, next_at: i64) -> Result<bool, Error> {
    let changed = diesel::update(outbox::table.find(note.id))
        .filter(outbox::attempts.eq(note.attempts))
        .filter(outbox::done_at.is_null())
        .set((outbox::attempts.eq(note.attempts.saturating_add(1)), outbox::next_at.eq(next_at)))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// The merchant took it.
pub(super) fn done(tx: &mut Tx<'_>, id: i64, now: i64) -> Result<(), Error> {
    diesel::update(outbox::table.find(id))
        .set((outbox::done_at.eq(now), outbox::last_error.eq(None::<String>)))
        .execute(tx.conn())?;
    Ok(())
}

/// The merchant did not take it; after the last delivery it is given up.
pub(super) fn failed(tx: &mut Tx<'_>, id: i64, why: &str, given_up_at: Option<i64>) -> Result<(), Error> {
    diesel::update(outbox::table.find(id))
        .filter(outbox::done_at.is_null())
        .set((outbox::last_error.eq(why), outbox::given_up_at.eq(given_up_at)))
        .execute(tx.conn())?;
    Ok(())
}
