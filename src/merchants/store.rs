//! Queries of sub-merchants and receivers' names.
use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{NewReceiver, NewSubMerchant, SubMerchant};
use crate::db::Tx;
use crate::db::columns::{InstitutionId, MerchantId, TenantId};
use crate::db::schema::{enrolment, receiver, sub_merchant};
use crate::error::Error;
use crate::insert_returning_id;
use crate::people::Scope;

pub(super) type Row = (MerchantId, String, TenantId, InstitutionId, String, String);

pub(super) const COLUMNS: (
    sub_merchant::id,
    sub_merchant::merchant,
    sub_merchant::platform_merchant_id,
    enrolment::institution_id,
    enrolment::inst_merchant_no,
    sub_merchant::name,
) = (
    sub_merchant::id,
    sub_merchant::merchant,
    sub_merchant::platform_merchant_id,
    enrolment::institution_id,
    enrolment::inst_merchant_no,
    sub_merchant::name,
);

pub(super) fn made(
    (id, merchant, platform_merchant_id, institution_id, inst_merchant_no, name): Row,
) -> SubMerchant {
    SubMerchant { id, merchant, platform_merchant_id, institution_id, inst_merchant_no, name }
}

pub(super) fn add(tx: &mut Tx<'_>, at: i64, new: &NewSubMerchant<'_>) -> Result<MerchantId, Error> {
    let values = (
        sub_merchant::merchant.eq(new.merchant),
        sub_merchant::platform_merchant_id.eq(new.platform_merchant_id),
        sub_merchant::name.eq(new.name),
        sub_merchant::created_at.eq(at),
    );
    Ok(MerchantId::new(insert_returning_id!(tx, sub_merchant, values)?))
}

pub(super) fn enrol(tx: &mut Tx<'_>, at: i64, id: MerchantId, new: &NewSubMerchant<'_>) -> Result<(), Error> {
    let values = (
        enrolment::sub_merchant_id.eq(id),
        enrolment::institution_id.eq(new.institution_id),
        enrolment::inst_merchant_no.eq(new.inst_merchant_no),
        enrolment::created_at.eq(at),
    );
    diesel::insert_into(enrolment::table).values(values).execute(tx.conn())?;
    Ok(())
}

/// Internal id, tenant and name of a merchant's number, enrolled or not.
pub(super) fn find(tx: &mut Tx<'_>, merchant: &str) -> Result<Option<(MerchantId, TenantId, String)>, Error> {
    let found = sub_merchant::table.filter(sub_merchant::merchant.eq(merchant));
    let columns = (sub_merchant::id, sub_merchant::platform_merchant_id, sub_merchant::name);
    Ok(found.select(columns).first(tx.conn()).optional()?)
}

/// The merchant that an institution knows by this number.
pub(super) fn number_taken(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    number: &str,
) -> Result<Option<String>, Error> {
    let found = enrolment::table
        .inner_join(sub_merchant::table)
        .filter(enrolment::institution_id.eq(institution).and(enrolment::inst_merchant_no.eq(number)))
        .select(sub_merchant::merchant);
    Ok(found.first(tx.conn()).optional()?)
}

pub(super) fn enrolled(
    tx: &mut Tx<'_>,
    id: MerchantId,
    institution: InstitutionId,
) -> Result<Option<SubMerchant>, Error> {
    let found = sub_merchant::table
        .inner_join(enrolment::table)
        .filter(sub_merchant::id.eq(id).and(enrolment::institution_id.eq(institution)))
        .select(COLUMNS);
    Ok(found.first::<Row>(tx.conn()).optional()?.map(made))
}

pub(super) fn by_number(tx: &mut Tx<'_>, merchant: &str) -> Result<Option<SubMerchant>, Error> {
    let found = sub_merchant::table
        .inner_join(enrolment::table)
        .filter(sub_merchant::merchant.eq(merchant))
        .order(enrolment::id)
        .select(COLUMNS);
    Ok(found.first::<Row>(tx.conn()).optional()?.map(made))
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: MerchantId) -> Result<SubMerchant, Error> {
    let found = sub_merchant::table
        .inner_join(enrolment::table)
        .filter(sub_merchant::id.eq(id))
        .order(enrolment::id)
        .select(COLUMNS);
    Ok(made(found.first(tx.conn())?))
}

pub(super) fn list(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<SubMerchant>, Error> {
    let mut query = sub_merchant::table
        .inner_join(enrolment::table)
        .order((sub_merchant::merchant, enrolment::id))
        .select(COLUMNS)
        .into_boxed();
    match scope {
        Scope::Platform => {}
        Scope::Institution(id) => query = query.filter(enrolment::institution_id.eq(*id)),
        Scope::Merchant(id) => query = query.filter(sub_merchant::id.eq(*id)),
    }
    let mut rows = query.load::<Row>(tx.conn())?;
    rows.dedup_by_key(|row| row.0);
    Ok(rows.into_iter().map(made).collect())
}

/// Internal id, role and name of a receiver.
pub(super) fn receiver(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    key: &str,
) -> Result<Option<(i64, String, String)>, Error> {
    let known =
        receiver::table.filter(receiver::institution_id.eq(institution).and(receiver::receiver_key.eq(key)));
    Ok(known.select((receiver::id, receiver::role, receiver::name)).first(tx.conn()).optional()?)
}

pub(super) fn add_receiver(tx: &mut Tx<'_>, new: &NewReceiver<'_>) -> Result<i64, Error> {
    let values = (
        receiver::institution_id.eq(new.institution_id),
        receiver::receiver_key.eq(new.receiver),
        receiver::name.eq(new.name),
        receiver::role.eq(new.role),
    );
    Ok(insert_returning_id!(tx, receiver, values)?)
}

pub(super) fn receiver_names(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
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
    institution: InstitutionId,
    merchants: &[&str],
) -> Result<Vec<(String, String)>, Error> {
    Ok(sub_merchant::table
        .inner_join(enrolment::table)
        .filter(enrolment::institution_id.eq(institution))
        .filter(sub_merchant::merchant.eq_any(merchants))
        .select((sub_merchant::merchant, sub_merchant::name))
        .load(tx.conn())?)
}
