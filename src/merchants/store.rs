//! Queries of sub-merchants and receivers' names.
use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{NewSubMerchant, SubMerchant};
use crate::db::Tx;
use crate::db::schema::{receiver, sub_merchant};
use crate::error::Error;
use crate::insert_returning_id;
use crate::people::Scope;

type Row = (i64, String, i64, i64, String, String);

const COLUMNS: (
    sub_merchant::id,
    sub_merchant::merchant,
    sub_merchant::platform_merchant_id,
    sub_merchant::institution_id,
    sub_merchant::inst_merchant_no,
    sub_merchant::name,
) = (
    sub_merchant::id,
    sub_merchant::merchant,
    sub_merchant::platform_merchant_id,
    sub_merchant::institution_id,
    sub_merchant::inst_merchant_no,
    sub_merchant::name,
);

fn made((id, merchant, platform_merchant_id, institution_id, inst_merchant_no, name): Row) -> SubMerchant {
    SubMerchant { id, merchant, platform_merchant_id, institution_id, inst_merchant_no, name }
}

pub(super) fn add(tx: &mut Tx<'_>, at: i64, new: &NewSubMerchant<'_>) -> Result<i64, Error> {
    let values = (
        sub_merchant::merchant.eq(new.merchant),
        sub_merchant::platform_merchant_id.eq(new.platform_merchant_id),
        sub_merchant::institution_id.eq(new.institution_id),
        sub_merchant::inst_merchant_no.eq(new.inst_merchant_no),
        sub_merchant::name.eq(new.name),
        sub_merchant::created_at.eq(at),
    );
    Ok(insert_returning_id!(tx, sub_merchant, values)?)
}

pub(super) fn by_number(tx: &mut Tx<'_>, merchant: &str) -> Result<Option<SubMerchant>, Error> {
    let found = sub_merchant::table.filter(sub_merchant::merchant.eq(merchant)).select(COLUMNS);
    Ok(found.first::<Row>(tx.conn()).optional()?.map(made))
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<SubMerchant, Error> {
    Ok(made(sub_merchant::table.find(id).select(COLUMNS).first(tx.conn())?))
}

pub(super) fn list(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<SubMerchant>, Error> {
    let mut query = sub_merchant::table.order(sub_merchant::merchant).select(COLUMNS).into_boxed();
    match scope {
        Scope::Platform => {}
        Scope::Institution(id) => query = query.filter(sub_merchant::institution_id.eq(*id)),
        Scope::Merchant(id) => query = query.filter(sub_merchant::id.eq(*id)),
    }
    Ok(query.load::<Row>(tx.conn())?.into_iter().map(made).collect())
}

pub(super) fn name_receiver(
    tx: &mut Tx<'_>,
    institution: i64,
    key: &str,
    role: &str,
    name: &str,
) -> Result<(), Error> {
    let known =
        receiver::table.filter(receiver::institution_id.eq(institution).and(receiver::receiver_key.eq(key)));
    let renamed =
        diesel::update(known).set((receiver::name.eq(name), receiver::role.eq(role))).execute(tx.conn())?;
    if renamed == 0 {
        diesel::insert_into(receiver::table)
            .values((
                receiver::institution_id.eq(institution),
                receiver::receiver_key.eq(key),
                receiver::name.eq(name),
                receiver::role.eq(role),
            ))
            .execute(tx.conn())?;
    }
    Ok(())
}

pub(super) fn receiver_names(
    tx: &mut Tx<'_>,
    institution: i64,
    receivers: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let rows: Vec<(String, String)> = receiver::table
        .filter(receiver::institution_id.eq(institution))
        .filter(receiver::receiver_key.eq_any(receivers))
        .select((receiver::receiver_key, receiver::name))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// Number and name of those of these merchants that the institution clears for.
pub(super) fn merchant_names(
    tx: &mut Tx<'_>,
    institution: i64,
    merchants: &[&str],
) -> Result<Vec<(String, String)>, Error> {
    Ok(sub_merchant::table
        .filter(sub_merchant::institution_id.eq(institution))
        .filter(sub_merchant::merchant.eq_any(merchants))
        .select((sub_merchant::merchant, sub_merchant::name))
        .load(tx.conn())?)
}
