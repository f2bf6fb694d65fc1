//! Queries of institutions' keys and of ours.
use diesel::prelude::*;

use super::{InstitutionKey, OurPurpose, Purpose};
use crate::db::columns::{ChannelId, InstitutionId, words};
use crate::db::schema::{institution_key, platform_key};
use crate::db::{MultiBackend, Tx};
use crate::error::Error;

words!(Purpose);

#[derive(Queryable, Selectable)]
#[diesel(table_name = institution_key, check_for_backend(MultiBackend))]
struct Row {
    purpose: Purpose,
    channel_id: Option<i64>,
    key_id: String,
    public_key_pem: String,
    valid_from: i64,
    valid_to: Option<i64>,
}

fn made(row: Row) -> InstitutionKey {
    InstitutionKey {
        purpose: row.purpose,
        channel: row.channel_id.map(ChannelId::new),
        key_id: row.key_id,
        public_key_pem: row.public_key_pem,
        valid_from: row.valid_from,
        valid_to: row.valid_to,
    }
}

pub(super) fn add(tx: &mut Tx<'_>, institution: InstitutionId, key: &InstitutionKey) -> Result<(), Error> {
    diesel::insert_into(institution_key::table)
        .values((
            institution_key::institution_id.eq(institution),
            institution_key::purpose.eq(key.purpose.as_str()),
            institution_key::channel_id.eq(key.channel.map(ChannelId::get)),
            institution_key::key_id.eq(&key.key_id),
            institution_key::public_key_pem.eq(&key.public_key_pem),
            institution_key::valid_from.eq(key.valid_from),
            institution_key::valid_to.eq(key.valid_to),
        ))
        .execute(tx.conn())?;
    Ok(())
}

pub(super) fn find(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    purpose: Purpose,
    key_id: &str,
) -> Result<Option<InstitutionKey>, Error> {
    let found = institution_key::table
        .filter(institution_key::institution_id.eq(institution))
        .filter(institution_key::purpose.eq(purpose.as_str()).and(institution_key::key_id.eq(key_id)))
        .select(Row::as_select());
    Ok(found.first(tx.conn()).optional()?.map(made))
}

/// Every key of a purpose, the newest first.
pub(super) fn of(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    purpose: Purpose,
) -> Result<Vec<InstitutionKey>, Error> {
    let rows = institution_key::table
        .filter(institution_key::institution_id.eq(institution))
        .filter(institution_key::purpose.eq(purpose.as_str()))
        .order(institution_key::id.desc())
        .select(Row::as_select());
    Ok(rows.load(tx.conn())?.into_iter().map(made).collect())
}

/// Lets keys that would count longer end at `end`: those of a purpose (and channel), or the one of that name. Whether
/// there was one.
pub(super) fn end(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    (purpose, channel, key_id): (Purpose, Option<ChannelId>, Option<&str>),
    end: i64,
) -> Result<bool, Error> {
    let longer = institution_key::valid_to.is_null().or(institution_key::valid_to.gt(end));
    let mut ids = institution_key::table
        .filter(institution_key::institution_id.eq(institution))
        .filter(institution_key::purpose.eq(purpose.as_str()))
        .filter(longer)
        .select(institution_key::id)
        .into_boxed();
    if let Some(channel) = channel {
        ids = ids.filter(institution_key::channel_id.eq(channel.get()));
    }
    if let Some(key_id) = key_id {
        ids = ids.filter(institution_key::key_id.eq(key_id.to_owned()));
    }
    let ids: Vec<i64> = ids.load(tx.conn())?;
    let rows = institution_key::table.filter(institution_key::id.eq_any(ids));
    Ok(diesel::update(rows).set(institution_key::valid_to.eq(end)).execute(tx.conn())? > 0)
}

/// A key of ours as the database holds it.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = platform_key, check_for_backend(MultiBackend))]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct OurRow {
    pub purpose: String,
    pub serial: String,
    pub certificate_pem: String,
    pub public_key_id: String,
    pub public_key_pem: String,
    pub private_key_wrapped: Vec<u8>,
    pub valid_from: i64,
    pub valid_to: Option<i64>,
    pub version: i64,
}

pub(super) fn add_ours(tx: &mut Tx<'_>, row: &OurRow) -> Result<(), Error> {
    diesel::insert_into(platform_key::table).values(row).execute(tx.conn())?;
    Ok(())
}

/// Every key of ours of a purpose, the newest first.
pub(super) fn ours(tx: &mut Tx<'_>, purpose: OurPurpose) -> Result<Vec<OurRow>, Error> {
    Ok(platform_key::table
        .filter(platform_key::purpose.eq(purpose.as_str()))
        .order(platform_key::version.desc())
        .select(OurRow::as_select())
        .load(tx.conn())?)
}

/// Number of the newest key of ours. It changes whenever one ends before its time: another took its place.
pub(super) fn newest_key(tx: &mut Tx<'_>) -> Result<Option<i64>, Error> {
    Ok(platform_key::table.select(diesel::dsl::max(platform_key::id)).first(tx.conn())?)
}

/// Lets keys of ours that would count longer end at `end`.
pub(super) fn end_ours(tx: &mut Tx<'_>, purpose: OurPurpose, end: i64) -> Result<(), Error> {
    let longer = platform_key::valid_to.is_null().or(platform_key::valid_to.gt(end));
    let rows = platform_key::table.filter(platform_key::purpose.eq(purpose.as_str())).filter(longer);
    diesel::update(rows).set(platform_key::valid_to.eq(end)).execute(tx.conn())?;
    Ok(())
}
