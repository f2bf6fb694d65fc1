//! Payments that pay no order: work for people (`channels.md` 3).
use diesel::prelude::*;

use super::pays::Apart;
use crate::db::columns::InstitutionId;
use crate::db::schema::{orphan_payment, pay_order};
use crate::db::{MultiBackend, Tx};
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::people::Scope;

/// A payment that was kept apart with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptApart {
    /// Why.
    pub why: Apart,
    /// The institution's number.
    pub inst_order_no: String,
    /// The number that it names.
    pub order_no: String,
    /// What the order of that number asks for, in fen, if it is one of ours.
    pub asked: Option<Fen>,
    /// Three letters; the amounts are in its hundredth part.
    pub currency: String,
    /// What was ordered, as the institution says.
    pub total: Fen,
    /// When it was paid, as the institution says, unix microseconds.
    pub paid_at: i64,
    /// When we learned of it, unix microseconds.
    pub received_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = orphan_payment, check_for_backend(MultiBackend))]
struct Row {
    reason: Option<Apart>,
    inst_order_no: String,
    order_no: String,
    currency: Option<String>,
    total: Option<Fen>,
    paid: Fen,
    paid_at: i64,
    received_at: i64,
}

impl KeptApart {
    /// An older version noted neither why nor the sums: of an order that we know it is a second payment, most likely.
    fn of((row, asked): (Row, Option<Fen>)) -> Self {
        let guessed = if asked.is_some() { Apart::Second } else { Apart::Unknown };
        Self {
            why: row.reason.unwrap_or(guessed),
            inst_order_no: row.inst_order_no,
            order_no: row.order_no,
            asked,
            currency: row.currency.unwrap_or_else(|| crate::channels::CNY.to_owned()),
            total: row.total.unwrap_or(row.paid),
            paid_at: row.paid_at,
            received_at: row.received_at,
        }
    }
}

/// Narrows a query over `orphan_payment` to what `scope` may see: a merchant sees none.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(orphan_payment::institution_id.eq(*id)),
            Scope::Merchant(_) => $query.filter(orphan_payment::institution_id.eq(InstitutionId::new(-1))),
        }
    };
}

/// The newest of them, at most `limit`.
pub fn kept_apart(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<KeptApart>, Error> {
    let query = orphan_payment::table
        .left_join(pay_order::table.on(pay_order::order_no.eq(orphan_payment::order_no)))
        .order((orphan_payment::received_at.desc(), orphan_payment::inst_order_no.desc()))
        .limit(limit)
        .select((Row::as_select(), pay_order::amount.nullable()))
        .into_boxed();
    let rows: Vec<(Row, Option<Fen>)> = scoped!(query, scope).load(tx.conn())?;
    Ok(rows.into_iter().map(KeptApart::of).collect())
}

/// How many there are, counted up to `most`.
pub fn kept_apart_count(tx: &mut Tx<'_>, scope: &Scope, most: i64) -> Result<i64, Error> {
    let query = orphan_payment::table.select(orphan_payment::received_at).limit(most).into_boxed();
    let some: Vec<i64> = scoped!(query, scope).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// Those that name this order, the oldest first, at most `limit`.
pub(super) fn naming(
    tx: &mut Tx<'_>,
    scope: &Scope,
    order_no: &str,
    limit: i64,
) -> Result<Vec<KeptApart>, Error> {
    let query = orphan_payment::table
        .left_join(pay_order::table.on(pay_order::order_no.eq(orphan_payment::order_no)))
        .filter(orphan_payment::order_no.eq(order_no))
        .order((orphan_payment::received_at, orphan_payment::inst_order_no))
        .limit(limit)
        .select((Row::as_select(), pay_order::amount.nullable()))
        .into_boxed();
    let rows: Vec<(Row, Option<Fen>)> = scoped!(query, scope).load(tx.conn())?;
    Ok(rows.into_iter().map(KeptApart::of).collect())
}
