//! Queries of channels and our keys there.
use diesel::prelude::*;

use super::{ChannelLanguage, ChannelProfile, NewChannel};
use crate::db::columns::{ChannelId, InstitutionId, words};
use crate::db::schema::{channel, channel_key};
use crate::db::{MultiBackend, Tx};
use crate::error::Error;
use crate::insert_returning_id;
use crate::kernel::channel::ChannelName;

words!(ChannelLanguage);

#[derive(Queryable, Selectable)]
#[diesel(table_name = channel, check_for_backend(MultiBackend))]
struct Row {
    id: ChannelId,
    institution_id: InstitutionId,
    name: ChannelName,
    language: ChannelLanguage,
    base_url: String,
    sp_mchid: String,
    sp_appid: String,
    version: i64,
}

fn made(row: Row) -> ChannelProfile {
    ChannelProfile {
        id: row.id,
        institution: row.institution_id,
        name: row.name,
        language: row.language,
        base_url: row.base_url,
        sp_mchid: row.sp_mchid,
        sp_appid: row.sp_appid,
        version: row.version,
    }
}

/// A key of ours as the database holds it.
#[derive(Queryable)]
pub(super) struct Wrapped {
    pub serial: String,
    pub private_key: Vec<u8>,
    pub apiv3_key: Vec<u8>,
    pub valid_from: Option<i64>,
    pub valid_to: Option<i64>,
}

pub(super) fn add(
    tx: &mut Tx<'_>,
    at: i64,
    institution: InstitutionId,
    new: &NewChannel<'_>,
) -> Result<ChannelId, Error> {
    let values = (
        channel::institution_id.eq(institution),
        channel::name.eq(new.name.as_str()),
        channel::language.eq(new.language.as_str()),
        channel::base_url.eq(new.base_url),
        channel::sp_mchid.eq(new.sp_mchid),
        channel::sp_appid.eq(new.sp_appid),
        channel::version.eq(1_i64),
        channel::created_at.eq(at),
    );
    Ok(ChannelId::new(insert_returning_id!(tx, channel, values)?))
}

pub(super) fn add_key(tx: &mut Tx<'_>, of: ChannelId, key: &Wrapped) -> Result<(), Error> {
    diesel::insert_into(channel_key::table)
        .values((
            channel_key::channel_id.eq(of),
            channel_key::serial.eq(&key.serial),
            channel_key::private_key_wrapped.eq(&key.private_key),
            channel_key::apiv3_key_wrapped.eq(&key.apiv3_key),
            channel_key::valid_from.eq(key.valid_from),
            channel_key::valid_to.eq(key.valid_to),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Lets every key of ours at a channel that would count longer end at `end`.
pub(super) fn end_keys(tx: &mut Tx<'_>, of: ChannelId, end: i64) -> Result<(), Error> {
    let longer = channel_key::valid_to.is_null().or(channel_key::valid_to.gt(end));
    diesel::update(channel_key::table.filter(channel_key::channel_id.eq(of)).filter(longer))
        .set(channel_key::valid_to.eq(end))
        .execute(tx.conn())?;
    Ok(())
}

/// Lets a key sign from `at` on, without end.
pub(super) fn use_key(tx: &mut Tx<'_>, of: ChannelId, serial: &str, at: i64) -> Result<(), Error> {
    let row = channel_key::table.filter(channel_key::channel_id.eq(of).and(channel_key::serial.eq(serial)));
    let set = (channel_key::valid_from.eq(at), channel_key::valid_to.eq(None::<i64>));
    diesel::update(row).set(set).execute(tx.conn())?;
    Ok(())
}

/// Counts a change of a channel or its keys.
pub(super) fn changed(tx: &mut Tx<'_>, of: ChannelId) -> Result<(), Error> {
    let row = channel::table.filter(channel::id.eq(of));
    diesel::update(row).set(channel::version.eq(channel::version + 1)).execute(tx.conn())?;
    Ok(())
}

pub(super) fn find(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    name: ChannelName,
) -> Result<Option<ChannelProfile>, Error> {
    let found = channel::table
        .filter(channel::institution_id.eq(institution).and(channel::name.eq(name.as_str())))
        .select(Row::as_select());
    Ok(found.first(tx.conn()).optional()?.map(made))
}

pub(super) fn version(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    name: ChannelName,
) -> Result<Option<i64>, Error> {
    let found = channel::table
        .filter(channel::institution_id.eq(institution).and(channel::name.eq(name.as_str())))
        .select(channel::version);
    Ok(found.first(tx.conn()).optional()?)
}

pub(super) fn of(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<ChannelProfile>, Error> {
    let rows = channel::table.filter(channel::institution_id.eq(institution)).order(channel::name);
    Ok(rows.select(Row::as_select()).load(tx.conn())?.into_iter().map(made).collect())
}

/// Every key of ours at a channel, the newest first.
pub(super) fn keys(tx: &mut Tx<'_>, of: ChannelId) -> Result<Vec<Wrapped>, Error> {
    Ok(channel_key::table
        .filter(channel_key::channel_id.eq(of))
        .order(channel_key::id.desc())
        .select((
            channel_key::serial,
            channel_key::private_key_wrapped,
            channel_key::apiv3_key_wrapped,
            channel_key::valid_from,
            channel_key::valid_to,
        ))
        .load(tx.conn())?)
}
