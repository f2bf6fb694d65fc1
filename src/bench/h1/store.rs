//! Orders to be paid, made in one statement, and the plain statements that the product is held against.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant as Wall;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::dsl::count_star;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use super::super::world::World;
use crate::db::Conn;
use crate::db::schema::{payment, sub_merchant};

/// What every order is paid, in fen.
pub(in crate::bench) const AMOUNT: i64 = 12_345;

/// Our number of an order.
pub(in crate::bench) fn order_no(prefix: &str, n: usize) -> String {
    format!("BN{prefix}{n:012}")
}

/// Places `count` orders over the first merchants, with the events of their placing.
pub(in crate::bench) fn place(
    world: &World,
    prefix: &str,
    count: usize,
    merchants: usize,
) -> anyhow::Result<()> {
    let (tenant, institution, credential) =
        (world.tenant.get(), world.institution.id.get(), world.credential.get());
    let now = world.app.clock.now();
    let place = |first: i64| {
        format!(
            "INSERT INTO pay_order (order_no, platform_merchant_id, out_trade_no, content_sha256, sub_merchant_id, \
             institution_id, credential_id, channel, product, tags, parties, amount, description, attach, notify_url, \
             time_expire, created_at) SELECT {number}, {tenant}, {number}, '{digest}', {first} + n % {merchants}, \
             {institution}, {credential}, 'wechat', 'native', '', '', {AMOUNT}, 'load', '', 'http://127.0.0.1:9/', NULL, \
             {now} FROM numbers",
            number = "'BN' || prefix || substr('000000000000' || CAST(n AS TEXT), -12)",
            digest = "0".repeat(64),
        )
    };
    let numbers = format!(
        "WITH RECURSIVE numbers (n, prefix) AS (SELECT 0, '{prefix}' UNION ALL SELECT n + 1, prefix FROM numbers \
         WHERE n + 1 < {count})"
    );
    let events = format!(
        "INSERT INTO order_event (order_id, at, kind, prepay) SELECT id, {now}, kind, prepay FROM pay_order \
         CROSS JOIN (SELECT 'CREATED' AS kind, NULL AS prepay UNION ALL SELECT 'PAYING', 'weixin://wxpay/load') k WHERE order_no LIKE 'BN{prefix}%'"
    );
    world.app.db.write_blocking(|tx| {
        let first: i64 =
            sub_merchant::table.select(sub_merchant::id).order(sub_merchant::id).first(tx.conn())?;
        let place = place(first);
        match tx.conn() {
            Conn::Sqlite(conn) => conn.batch_execute(&format!("{numbers} {place}; {events}"))?,
            Conn::Pg(conn) => {
                let place =
                    place.replace("substr('000000000000' || CAST(n AS TEXT), -12)", "lpad(n::text, 12, '0')");
                conn.batch_execute(&format!("{numbers} {place}; {events}"))?;
            }
        }
        Ok(())
    })?;
    // Statistics as a database in use has them.
    world.app.db.write_blocking(|tx| {
        match tx.conn() {
            Conn::Sqlite(_) => {}
            Conn::Pg(conn) => conn.batch_execute("ANALYZE pay_order, order_event, payment_key, payment")?,
        }
        Ok(())
    })?;
    Ok(())
}

/// How many payments are stored.
pub(super) fn payments(world: &World) -> anyhow::Result<i64> {
    Ok(world.app.db.read_blocking(|tx| Ok(payment::table.select(count_star()).first(tx.conn())?))?)
}

/// `h1_append_cte`: an order, four lines and five postings in one statement and one transaction, `clients` at a time.
/// Gives the seconds.
pub(super) fn append_cte(url: &str, prefix: &str, count: usize, clients: usize) -> anyhow::Result<f64> {
    PgConnection::establish(url)?.batch_execute(
        "CREATE TABLE IF NOT EXISTS bench_order (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           no TEXT COLLATE \"C\" NOT NULL UNIQUE, merchant BIGINT NOT NULL, paid BIGINT NOT NULL, paid_at BIGINT NOT NULL); \
         CREATE TABLE IF NOT EXISTS bench_line (order_id BIGINT NOT NULL, n INTEGER NOT NULL, receiver TEXT COLLATE \"C\" \
           NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (order_id, n)); \
         CREATE TABLE IF NOT EXISTS bench_posting (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id BIGINT NOT \
           NULL, account TEXT COLLATE \"C\" NOT NULL, amount BIGINT NOT NULL);",
    )?;
    let next = AtomicUsize::new(0);
    let mut open = Vec::with_capacity(clients);
    for _ in 0..clients {
        open.push(PgConnection::establish(url)?);
    }
    let begun = Wall::now();
    thread::scope(|scope| {
        let running: Vec<_> = open
            .into_iter()
            .map(|mut conn| {
                let next = &next;
                scope.spawn(move || {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= count {
                            return Ok(());
                        }
                        conn.batch_execute(&statement(prefix, n))?;
                    }
                })
            })
            .collect();
        for client in running {
            let ended: QueryResult<()> = client.join().map_err(|_| anyhow::anyhow!("a client stopped"))?;
            ended.context("the plain statement")?;
        }
        Ok(begun.elapsed().as_secs_f64())
    })
}

fn statement(prefix: &str, n: usize) -> String {
    format!(
        "WITH o AS (INSERT INTO bench_order (no, merchant, paid, paid_at) VALUES ('{prefix}{n}', {merchant}, {AMOUNT}, {n}) \
           RETURNING id), \
         l AS (INSERT INTO bench_line SELECT o.id, v.n, v.receiver, v.amount FROM o, (VALUES (0, 'platform', 74), \
           (1, 'agent:A1', 37), (2, 'supplier:S1', 1481), (3, 'merchant:B1', 10706)) v (n, receiver, amount)) \
         INSERT INTO bench_posting (order_id, account, amount) SELECT o.id, v.account, v.amount FROM o, \
           (VALUES ('CHANNEL_RECEIVABLE', {AMOUNT}), ('PLATFORM', -74), ('AGENT', -37), ('SUPPLIER', -1481), \
           ('MERCHANT', -10753)) v (account, amount)",
        merchant = n % 10_000,
    )
}
