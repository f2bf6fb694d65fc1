//! Payments that pay no order: work for people (`channels.md` 3).
use diesel::prelude::*;

use super::apart::{ApartEnd, ApartKey, Ended};
use super::pays::Apart;
use crate::db::columns::{As, InstitutionId};
use crate::db::schema::{institution, orphan_end, orphan_payment, pay_order};
use crate::db::{MultiBackend, Tx};
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::people::Scope;

/// A payment that was kept apart with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptApart {
    /// The code of the institution that states it.
    pub institution: String,
    /// In which of its channels.
    pub channel: ChannelName,
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
    /// How it came to its end, if it did.
    pub ended: Option<Ended>,
}

/// The row beside a payment that was kept apart that says how it came to its end.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn its_end() -> _ {
    orphan_end::inst_order_no
        .eq(orphan_payment::inst_order_no)
        .and(orphan_end::institution_id.eq(orphan_payment::institution_id))
        .and(orphan_end::channel.eq(orphan_payment::channel))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = orphan_end, check_for_backend(MultiBackend))]
struct EndRow {
    how: ApartEnd,
    words: String,
    actor: String,
    at: i64,
}

/// The payment, its institution's code, what its order asks for, and its end.
type Found = (Row, String, Option<Fen>, Option<EndRow>);

#[derive(Queryable, Selectable)]
#[diesel(table_name = orphan_payment, check_for_backend(MultiBackend))]
struct Row {
    channel: ChannelName,
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
    fn of((row, institution, asked, ended): Found) -> Self {
        let guessed = if asked.is_some() { Apart::Second } else { Apart::Unknown };
        Self {
            institution,
            channel: row.channel,
            why: row.reason.unwrap_or(guessed),
            inst_order_no: row.inst_order_no,
            order_no: row.order_no,
            asked,
            currency: row.currency.unwrap_or_else(|| crate::channels::CNY.to_owned()),
            total: row.total.unwrap_or(row.paid),
            paid_at: row.paid_at,
            received_at: row.received_at,
            ended: ended.map(|EndRow { how, words, actor, at }| Ended { how, words, actor, at }),
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

/// Selects [`Found`] of the payments that were kept apart.
macro_rules! found {
    () => {
        orphan_payment::table
            .inner_join(institution::table)
            .left_join(pay_order::table.on(pay_order::order_no.eq(orphan_payment::order_no)))
            .left_join(orphan_end::table.on(its_end()))
            .select((
                Row::as_select(),
                institution::code,
                pay_order::amount.nullable(),
                Option::<EndRow>::as_select(),
            ))
    };
}

/// The newest of those that wait for a person, at most `limit`.
pub fn kept_apart(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<KeptApart>, Error> {
    let query = found!()
        .filter(orphan_end::at.nullable().is_null())
        .order((orphan_payment::received_at.desc(), orphan_payment::inst_order_no.desc()))
        .limit(limit)
        .into_boxed();
    let rows: Vec<Found> = scoped!(query, scope).load(tx.conn())?;
    Ok(rows.into_iter().map(KeptApart::of).collect())
}

/// Those that came to their end, the last ones first, at most `limit`.
pub fn ended_apart(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<KeptApart>, Error> {
    let query = found!()
        .filter(orphan_end::at.nullable().is_not_null())
        .order((orphan_end::at.nullable().desc(), orphan_payment::inst_order_no.desc()))
        .limit(limit)
        .into_boxed();
    let rows: Vec<Found> = scoped!(query, scope).load(tx.conn())?;
    Ok(rows.into_iter().map(KeptApart::of).collect())
}

/// How many wait for a person, counted up to `most`.
pub fn kept_apart_count(tx: &mut Tx<'_>, scope: &Scope, most: i64) -> Result<i64, Error> {
    let query = orphan_payment::table
        .left_join(orphan_end::table.on(its_end()))
        .filter(orphan_end::at.nullable().is_null())
        .select(orphan_payment::received_at)
        .limit(most)
        .into_boxed();
    let some: Vec<i64> = scoped!(query, scope).load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// Those that name this order, ended or not, the oldest first, at most `limit`.
pub(super) fn naming(
    tx: &mut Tx<'_>,
    scope: &Scope,
    order_no: &str,
    limit: i64,
) -> Result<Vec<KeptApart>, Error> {
    let query = found!()
        .filter(orphan_payment::order_no.eq(order_no))
        .order((orphan_payment::received_at, orphan_payment::inst_order_no))
        .limit(limit)
        .into_boxed();
    let rows: Vec<Found> = scoped!(query, scope).load(tx.conn())?;
    Ok(rows.into_iter().map(KeptApart::of).collect())
}

/// A payment that was kept apart: the number that it names, and whether it came to its end.
#[derive(Queryable)]
pub(super) struct Kept {
    pub order_no: String,
    pub is_ended: bool,
}

/// The payment of this key, if it was kept apart.
pub(super) fn kept(tx: &mut Tx<'_>, key: &ApartKey) -> Result<Option<Kept>, Error> {
    Ok(orphan_payment::table
        .left_join(orphan_end::table.on(its_end()))
        .filter(orphan_payment::inst_order_no.eq(&key.inst_order_no))
        .filter(orphan_payment::institution_id.eq(key.institution))
        .filter(orphan_payment::channel.eq(As(key.channel)))
        .select((orphan_payment::order_no, orphan_end::at.nullable().is_not_null()))
        .first(tx.conn())
        .optional()?)
}

/// Whether a payment that names this order still waits for a person.
pub(super) fn is_work(tx: &mut Tx<'_>, order_no: &str) -> Result<bool, Error> {
    let open = orphan_payment::table
        .left_join(orphan_end::table.on(its_end()))
        .filter(orphan_payment::order_no.eq(order_no))
        .filter(orphan_end::at.nullable().is_null())
        .select(orphan_payment::received_at);
    Ok(open.first::<i64>(tx.conn()).optional()?.is_some())
}

/// Notes how it came to its end; a duplicate where it did before.
pub(super) fn end(tx: &mut Tx<'_>, key: &ApartKey, said: &Ended) -> Result<(), Error> {
    diesel::insert_into(orphan_end::table)
        .values((
            orphan_end::inst_order_no.eq(&key.inst_order_no),
            orphan_end::institution_id.eq(key.institution),
            orphan_end::channel.eq(As(key.channel)),
            orphan_end::how.eq(As(said.how)),
            orphan_end::words.eq(&said.words),
            orphan_end::actor.eq(&said.actor),
            orphan_end::at.eq(said.at),
        ))
        .execute(tx.conn())?;
    Ok(())
}
