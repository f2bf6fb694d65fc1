//! Queries of tenants, their credentials, and nonces.
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::credentials::AnswerMode;
use super::nonces::Nonce;
use super::tenants::PlatformMerchant;
use crate::db::columns::{As, CredentialId, TenantId};
use crate::db::schema::{credential, platform_merchant, request_nonce};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::insert_returning_id;
use crate::kernel::digest::Digest;
use crate::protocol::language::Language;

#[derive(Clone, PartialEq, Eq, Queryable)]
pub(super) struct CredentialRow {
    pub id: CredentialId,
    pub platform_merchant_id: TenantId,
    pub serial: String,
    pub public_key_pem: String,
    pub apiv3_key_wrapped: Vec<u8>,
    pub answer_mode: String,
    pub revoked_at: Option<i64>,
    pub language: Language,
    pub sp_mchid: String,
    pub sp_appid: String,
}

pub(super) type CredentialColumns = (
    credential::id,
    credential::platform_merchant_id,
    credential::serial,
    credential::public_key_pem,
    credential::apiv3_key_wrapped,
    credential::answer_mode,
    credential::revoked_at,
    credential::language,
    platform_merchant::sp_mchid,
    platform_merchant::sp_appid,
);

pub(super) const CREDENTIAL: CredentialColumns = (
    credential::id,
    credential::platform_merchant_id,
    credential::serial,
    credential::public_key_pem,
    credential::apiv3_key_wrapped,
    credential::answer_mode,
    credential::revoked_at,
    credential::language,
    platform_merchant::sp_mchid,
    platform_merchant::sp_appid,
);

pub(super) fn add_platform_merchant(
    tx: &mut Tx<'_>,
    at: i64,
    sp_mchid: &str,
    sp_appid: &str,
    name: &str,
) -> Result<TenantId, Error> {
    let values = (
        platform_merchant::sp_mchid.eq(sp_mchid),
        platform_merchant::sp_appid.eq(sp_appid),
        platform_merchant::name.eq(name),
        platform_merchant::created_at.eq(at),
    );
    Ok(TenantId::new(insert_returning_id!(tx, platform_merchant, values)?))
}

pub(super) fn platform_merchant(tx: &mut Tx<'_>, sp_mchid: &str) -> Result<Option<PlatformMerchant>, Error> {
    let row: Option<(TenantId, String, String, String)> = platform_merchant::table
        .filter(platform_merchant::sp_mchid.eq(sp_mchid))
        .select(PLATFORM_MERCHANT)
        .first(tx.conn())
        .optional()?;
    Ok(row.map(named))
}

pub(super) fn platform_merchant_by_id(tx: &mut Tx<'_>, id: TenantId) -> Result<PlatformMerchant, Error> {
    Ok(named(platform_merchant::table.find(id).select(PLATFORM_MERCHANT).first(tx.conn())?))
}

const PLATFORM_MERCHANT: (
    platform_merchant::id,
    platform_merchant::sp_mchid,
    platform_merchant::sp_appid,
    platform_merchant::name,
) = (
    platform_merchant::id,
    platform_merchant::sp_mchid,
    platform_merchant::sp_appid,
    platform_merchant::name,
);

fn named((id, sp_mchid, sp_appid, name): (TenantId, String, String, String)) -> PlatformMerchant {
    PlatformMerchant { id, sp_mchid, sp_appid, name }
}

pub(super) fn merchant_number(tx: &mut Tx<'_>, id: TenantId) -> Result<String, Error> {
    Ok(platform_merchant::table.find(id).select(platform_merchant::sp_mchid).first(tx.conn())?)
}

pub(super) fn exists(tx: &mut Tx<'_>, merchant: TenantId, serial: &str) -> Result<bool, Error> {
    let found: Option<CredentialId> = credential::table
        .filter(credential::platform_merchant_id.eq(merchant).and(credential::serial.eq(serial)))
        .select(credential::id)
        .first(tx.conn())
        .optional()?;
    Ok(found.is_some())
}

/// A credential of either language as it is stored.
pub(super) struct NewRow<'a> {
    pub platform_merchant_id: TenantId,
    pub language: Language,
    /// Of a certificate, or an application's number.
    pub serial: &'a str,
    pub public_key_pem: &'a str,
    /// Nothing where the language has no such key.
    pub apiv3_key_wrapped: &'a [u8],
    pub answer_mode: AnswerMode,
}

pub(super) fn add_credential(tx: &mut Tx<'_>, at: i64, new: &NewRow<'_>) -> Result<CredentialId, Error> {
    let values = (
        credential::platform_merchant_id.eq(new.platform_merchant_id),
        credential::serial.eq(new.serial),
        credential::public_key_pem.eq(new.public_key_pem),
        credential::apiv3_key_wrapped.eq(new.apiv3_key_wrapped),
        credential::answer_mode.eq(new.answer_mode.as_str()),
        credential::language.eq(As(new.language)),
        credential::created_at.eq(at),
    );
    Ok(CredentialId::new(insert_returning_id!(tx, credential, values)?))
}

pub(super) fn credential(
    tx: &mut Tx<'_>,
    sp_mchid: &str,
    serial: &str,
) -> Result<Option<CredentialRow>, Error> {
    Ok(credential::table
        .inner_join(platform_merchant::table)
        .filter(platform_merchant::sp_mchid.eq(sp_mchid).and(credential::serial.eq(serial)))
        .select(CREDENTIAL)
        .first(tx.conn())
        .optional()?)
}

pub(super) fn credential_by_id(tx: &mut Tx<'_>, id: CredentialId) -> Result<CredentialRow, Error> {
    let row = credential::table.inner_join(platform_merchant::table).filter(credential::id.eq(id));
    Ok(row.select(CREDENTIAL).first(tx.conn())?)
}

/// Whether an application's number is anybody's.
pub(super) fn application_exists(tx: &mut Tx<'_>, app_id: &str) -> Result<bool, Error> {
    let found: Option<CredentialId> = credential::table
        .filter(credential::serial.eq(app_id))
        .filter(of_applications())
        .select(credential::id)
        .first(tx.conn())
        .optional()?;
    Ok(found.is_some())
}

/// Credentials in Alipay's language. It stands in the statement: bound as a value, the index that holds these alone would
/// not be used.
pub(super) fn of_applications() -> SqlLiteral<Bool> {
    sql(&format!("credential.language = '{}'", Language::AlipayOpenapi))
}

/// The newest credential of a tenant in a language that is not revoked.
pub(super) fn newest_credential(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    language: Language,
) -> Result<Option<CredentialRow>, Error> {
    Ok(credential::table
        .inner_join(platform_merchant::table)
        .filter(credential::platform_merchant_id.eq(tenant))
        .filter(credential::language.eq(As(language)))
        .filter(credential::revoked_at.is_null())
        .order(credential::id.desc())
        .select(CREDENTIAL)
        .first(tx.conn())
        .optional()?)
}

/// Whether this was the one that revoked it.
pub(super) fn revoke(tx: &mut Tx<'_>, id: CredentialId, at: i64) -> Result<bool, Error> {
    let live = credential::table.find(id).filter(credential::revoked_at.is_null());
    Ok(diesel::update(live).set(credential::revoked_at.eq(at)).execute(tx.conn())? > 0)
}

/// Notes a nonce; `false` when its credential has used it already.
pub(super) fn add_nonce(tx: &mut Tx<'_>, nonce: &Nonce, now: i64) -> Result<bool, Error> {
    let insert = diesel::insert_into(request_nonce::table)
        .values((
            request_nonce::credential_id.eq(nonce.credential_id),
            request_nonce::nonce.eq(&nonce.text),
            request_nonce::seen_at.eq(now),
            request_nonce::request_sha256.eq(As(nonce.request)),
        ))
        .on_conflict_do_nothing();
    let rows = match tx.conn() {
        Conn::Sqlite(conn) => insert.execute(conn)?,
        Conn::Pg(conn) => insert.execute(conn)?,
    };
    Ok(rows == 1)
}

/// For which request a nonce was spent, if it was; an older version did not note which.
pub(super) fn spent_for(tx: &mut Tx<'_>, nonce: &Nonce) -> Result<Option<Option<Digest>>, Error> {
    let spent = request_nonce::table.find((nonce.credential_id, &nonce.text));
    Ok(spent.select(request_nonce::request_sha256).first(tx.conn()).optional()?)
}

pub(super) fn purge_nonces(tx: &mut Tx<'_>, before: i64) -> Result<usize, Error> {
    Ok(diesel::delete(request_nonce::table.filter(request_nonce::seen_at.lt(before))).execute(tx.conn())?)
}
