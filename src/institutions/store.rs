//! Queries of institutions' profiles and keys.
use diesel::prelude::*;

use super::{Institution, NewInstitution, ResultEncoding};
use crate::db::schema::institution;
use crate::db::{MultiBackend, Tx};
use crate::error::Error;
use crate::insert_returning_id;

/// Keys as the database holds them.
pub(super) struct Wrapped {
    pub private_key: Vec<u8>,
    pub apiv3_key: Vec<u8>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = institution, check_for_backend(MultiBackend))]
struct Row {
    id: i64,
    code: String,
    name: String,
    platform_code: String,
    order_prefix: String,
    channel_base_url: String,
    channel_sp_mchid: String,
    channel_sp_appid: String,
    channel_merchant_serial: String,
    channel_answer_serial: String,
    channel_answer_key_pem: String,
    file_public_key_pem: String,
    result_encoding: String,
}

fn profile(row: Row) -> Result<Institution, Error> {
    let result_encoding = ResultEncoding::parse(&row.result_encoding)
        .ok_or_else(|| Error::Internal(format!("institution {} has no such encoding", row.id)))?;
    Ok(Institution {
        id: row.id,
        code: row.code,
        name: row.name,
        platform_code: row.platform_code,
        order_prefix: row.order_prefix,
        channel_base_url: row.channel_base_url,
        channel_sp_mchid: row.channel_sp_mchid,
        channel_sp_appid: row.channel_sp_appid,
        channel_merchant_serial: row.channel_merchant_serial,
        channel_answer_serial: row.channel_answer_serial,
        channel_answer_key_pem: row.channel_answer_key_pem,
        file_public_key_pem: row.file_public_key_pem,
        result_encoding,
    })
}

pub(super) fn add(
    tx: &mut Tx<'_>,
    at: i64,
    new: &NewInstitution<'_>,
    secrets: &Wrapped,
) -> Result<i64, Error> {
    let values = (
        institution::code.eq(new.code),
        institution::name.eq(new.name),
        institution::platform_code.eq(new.platform_code),
        institution::order_prefix.eq(new.order_prefix),
        institution::channel_base_url.eq(new.channel_base_url),
        institution::channel_sp_mchid.eq(new.channel_sp_mchid),
        institution::channel_sp_appid.eq(new.channel_sp_appid),
        institution::channel_merchant_serial.eq(new.channel_merchant_serial),
        institution::channel_private_key_wrapped.eq(&secrets.private_key),
        institution::channel_apiv3_key_wrapped.eq(&secrets.apiv3_key),
        institution::channel_answer_serial.eq(new.channel_answer_serial),
        institution::channel_answer_key_pem.eq(new.channel_answer_key_pem),
        institution::file_public_key_pem.eq(new.file_public_key_pem),
        institution::result_encoding.eq(new.result_encoding.as_str()),
        institution::created_at.eq(at),
    );
    Ok(insert_returning_id!(tx, institution, values)?)
}

pub(super) fn by_code(tx: &mut Tx<'_>, code: &str) -> Result<Institution, Error> {
    let found = institution::table.filter(institution::code.eq(code));
    profile(found.select(Row::as_select()).first(tx.conn())?)
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Institution, Error> {
    profile(institution::table.find(id).select(Row::as_select()).first(tx.conn())?)
}

pub(super) fn all(tx: &mut Tx<'_>) -> Result<Vec<Institution>, Error> {
    let rows = institution::table.order(institution::code).select(Row::as_select()).load(tx.conn())?;
    rows.into_iter().map(profile).collect()
}

pub(super) fn wrapped(tx: &mut Tx<'_>, id: i64) -> Result<Wrapped, Error> {
    let (private_key, apiv3_key) = institution::table
        .find(id)
        .select((institution::channel_private_key_wrapped, institution::channel_apiv3_key_wrapped))
        .first(tx.conn())?;
    Ok(Wrapped { private_key, apiv3_key })
}
