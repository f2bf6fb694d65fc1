//! What the bench asks of the record.
use diesel::dsl::{count, count_star};
use diesel::prelude::*;

use super::super::world::World;
use crate::db::columns::As;
use crate::db::schema::{order_event, outbox, pay_order};
use crate::db::{Backend, Conn};
use crate::orders::EventKind;

/// How many orders of the bench's requests are stored, and how many of them have exactly one code_url.
pub(super) fn placed(world: &World) -> anyhow::Result<(usize, usize)> {
    let ours = pay_order::out_trade_no.like("H0%");
    let (placed, payable, told): (i64, i64, i64) = world.app.db.read_blocking(|tx| {
        let placed = pay_order::table.filter(ours).select(count_star()).first(tx.conn())?;
        let events = order_event::table
            .inner_join(pay_order::table.on(pay_order::id.eq(order_event::order_id)))
            .filter(ours)
            .filter(order_event::kind.eq(As(EventKind::Paying)));
        let told = events.select(count_star()).first(tx.conn())?;
        let payable = events.select(count(order_event::order_id).aggregate_distinct()).first(tx.conn())?;
        Ok((placed, payable, told))
    })?;
    let once = if told == payable { payable } else { 0 };
    Ok((usize::try_from(placed)?, usize::try_from(once)?))
}

/// Nobody waits for what is told of the bench's payments.
pub(super) fn forget_notes(world: &World) -> anyhow::Result<()> {
    let now = world.app.clock.now();
    world.app.db.write_blocking(|tx| {
        diesel::update(outbox::table).set(outbox::done_at.eq(now)).execute(tx.conn())?;
        Ok(())
    })?;
    Ok(())
}

/// The process that serves our connections to PostgreSQL; `None` on SQLite.
pub(super) fn backend_process(world: &World) -> anyhow::Result<Option<i32>> {
    #[derive(QueryableByName)]
    struct Process {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        pid: i32,
    }
    if matches!(world.app.db.backend(), Backend::Sqlite(_)) {
        return Ok(None);
    }
    let found = world.app.db.read_blocking(|tx| match tx.conn() {
        Conn::Sqlite(_) => Ok(None),
        Conn::Pg(conn) => {
            let asked = diesel::sql_query("SELECT pg_backend_pid() AS pid");
            Ok(Some(asked.get_result::<Process>(conn)?.pid))
        }
    })?;
    Ok(found)
}
