//! An order, its first event and the nonce of its request in one statement of PostgreSQL, which is a transaction itself.
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::store::{NewOrder, STATES};
use super::{Event, EventKind};
use crate::db::columns::OrderId;
use crate::db::schema::pay_order;
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::merchants::nonces::Nonce;

/// Stores all of it and gives the order's key; where its number or the nonce stands already nothing is stored, and the
/// error is [`DbError::Duplicate`](crate::db::DbError::Duplicate).
pub(super) fn insert(tx: &mut Tx<'_>, new: NewOrder<'_>, nonce: &Nonce) -> Result<OrderId, Error> {
    let Conn::Pg(conn) = tx.conn() else {
        return Err(Error::Internal("SQLite has no such statement".to_owned()));
    };
    let at = new.created_at;
    let order = diesel::insert_into(pay_order::table).values(new).returning(pay_order::id);
    let statement = AtOnce {
        order,
        at,
        credential: nonce.credential_id.get(),
        nonce: &nonce.text,
        request: nonce.request.to_string(),
    };
    Ok(OrderId::new(statement.get_result::<i64>(conn)?))
}

/// Adds what becomes of an order that nothing became of yet, under its [`lock`](super::store::lock): whether it was so. A
/// look beforehand would be one more round trip for every order that is placed. On SQLite, where it would be none, the
/// answer is no.
pub(super) fn add_first(tx: &mut Tx<'_>, order: OrderId, at: i64, event: &Event) -> Result<bool, Error> {
    let Conn::Pg(conn) = tx.conn() else { return Ok(false) };
    let cause = event.cause();
    let others: Vec<&str> = STATES.iter().map(|kind| kind.0.as_str()).collect();
    let added = sql_query(
        "INSERT INTO order_event (order_id, at, kind, reason, code, words, amount, prepay) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
         WHERE NOT EXISTS (SELECT FROM order_event WHERE order_id = $1 AND kind = ANY($9) AND kind <> $10) \
           AND NOT EXISTS (SELECT FROM payment_key WHERE order_id = $1)",
    )
    .bind::<BigInt, _>(order.get())
    .bind::<BigInt, _>(at)
    .bind::<Text, _>(event.kind().as_str())
    .bind::<Nullable<Text>, _>(cause.map(|cause| cause.reason.as_str()))
    .bind::<Nullable<Text>, _>(cause.and_then(|cause| cause.code.as_deref()))
    .bind::<Nullable<Text>, _>(cause.and_then(|cause| cause.words.as_deref()))
    .bind::<Nullable<BigInt>, _>(cause.and_then(|cause| cause.amount).map(Fen::get))
    .bind::<Nullable<Text>, _>(event.prepay())
    .bind::<Array<Text>, _>(others)
    .bind::<Text, _>(EventKind::Created.as_str())
    .execute(conn)?;
    Ok(added == 1)
}

struct AtOnce<'a, I> {
    /// The insertion of the order, which returns its key.
    order: I,
    at: i64,
    credential: i64,
    nonce: &'a str,
    /// What it is spent for.
    request: String,
}

impl<I: QueryId> QueryId for AtOnce<'_, I> {
    type QueryId = AtOnce<'static, I::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = I::HAS_STATIC_QUERY_ID;
}

impl<I> Query for AtOnce<'_, I> {
    type SqlType = BigInt;
}

impl<I> RunQueryDsl<PgConnection> for AtOnce<'_, I> {}

impl<I: QueryFragment<Pg>> QueryFragment<Pg> for AtOnce<'_, I> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH placed AS (");
        self.order.walk_ast(out.reborrow())?;
        out.push_sql("), told AS (INSERT INTO order_event (order_id, at, kind) SELECT id, ");
        out.push_bind_param::<BigInt, _>(&self.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(EventKind::Created.as_str())?;
        out.push_sql(
            " FROM placed), spent AS (INSERT INTO request_nonce (credential_id, nonce, seen_at, request_sha256) VALUES (",
        );
        out.push_bind_param::<BigInt, _>(&self.credential)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.nonce)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.request)?;
        out.push_sql(")) SELECT id FROM placed");
        Ok(())
    }
}
