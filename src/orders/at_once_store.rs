//! An order, its first event and the nonce of its request in one statement of PostgreSQL, which is a transaction itself.
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

use super::EventKind;
use super::store::NewOrder;
use crate::db::columns::OrderId;
use crate::db::schema::pay_order;
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::merchants::nonces::Nonce;

/// Stores all of it and gives the order's key; where its number or the nonce stands already nothing is stored, and the
/// error is [`DbError::Duplicate`](crate::db::DbError::Duplicate).
pub(super) fn insert(tx: &mut Tx<'_>, new: NewOrder<'_>, nonce: &Nonce) -> Result<OrderId, Error> {
    let Conn::Pg(conn) = tx.conn() else {
        return Err(Error::Internal("SQLite has no such statement".to_owned()));
    };
    let at = new.created_at;
    let order = diesel::insert_into(pay_order::table).values(new).returning(pay_order::id);
    let statement = AtOnce { order, at, credential: nonce.credential_id.get(), nonce: &nonce.text };
    Ok(OrderId::new(statement.get_result::<i64>(conn)?))
}

struct AtOnce<'a, I> {
    /// The insertion of the order, which returns its key.
    order: I,
    at: i64,
    credential: i64,
    nonce: &'a str,
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
        out.push_bind_param::<diesel::sql_types::Text, _>(EventKind::Created.as_str())?;
        out.push_sql(
            " FROM placed), spent AS (INSERT INTO request_nonce (credential_id, nonce, seen_at) VALUES (",
        );
        out.push_bind_param::<BigInt, _>(&self.credential)?;
        out.push_sql(", ");
        out.push_bind_param::<diesel::sql_types::Text, _>(self.nonce)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.at)?;
        out.push_sql(")) SELECT id FROM placed");
        Ok(())
    }
}
