//! API credentials of platform merchants in Alipay's language: an application and the public key of its holder. There is
//! no secret in them; what we answer is signed with the platform's own key.
use super::credentials::{AnswerMode, note};
use super::{Known, credential_store as store};
use crate::db::Tx;
use crate::db::columns::{CredentialId, TenantId};
use crate::error::{Code, Error};
use crate::people::Actor;
use crate::protocol::crypto::PublicKey;
use crate::protocol::language::Language;

/// The language of these credentials.
const LANGUAGE: Language = Language::AlipayOpenapi;

/// A credential ready for use.
#[derive(Clone, Debug)]
pub struct Application {
    /// Internal id.
    pub id: CredentialId,
    /// Whose it is.
    pub platform_merchant_id: TenantId,
    /// That merchant's number.
    pub sp_mchid: String,
    /// The application's number, of no other tenant.
    pub app_id: String,
    /// Verifies the caller's requests.
    pub public_key: PublicKey,
}

/// Whether an application may have this number: 16 to 32 of 0-9 A-Z.
pub fn is_app_id(text: &str) -> bool {
    (16..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// Stores the credential of a new application: `app_id` of [`is_app_id`], and its holder's public key in PEM. A number
/// that any tenant has or had is refused.
pub fn create(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    tenant: TenantId,
    (app_id, public_key_pem): (&str, &str),
) -> Result<CredentialId, Error> {
    let invalid = |why: &str| Err(Error::refused(Code::CredentialInvalid, why));
    if !is_app_id(app_id) {
        return invalid("an app_id is 16 to 32 digits and capital letters");
    }
    let public_key_pem = match PublicKey::from_pem(public_key_pem).and_then(|key| key.to_pem()) {
        Ok(pem) => pem,
        Err(why) => return invalid(&why.to_string()),
    };
    if store::application_exists(tx, app_id)? || store::exists(tx, tenant, app_id)? {
        return invalid("this app_id is stored already");
    }
    let row = store::NewRow {
        platform_merchant_id: tenant,
        language: LANGUAGE,
        serial: app_id,
        public_key_pem: &public_key_pem,
        apiv3_key_wrapped: &[],
        // The language has no certificates that its callers would fetch.
        answer_mode: AnswerMode::PublicKey,
    };
    let id = store::add_credential(tx, at, &row)?;
    let merchant = store::merchant_number(tx, tenant)?;
    note(tx, at, actor, "credential.new", &merchant, app_id)?;
    Ok(id)
}

/// The live credential of who asks.
pub fn of(known: &Known) -> Result<Option<Application>, Error> {
    let row = &known.credential;
    if row.revoked_at.is_some() || row.language != LANGUAGE {
        return Ok(None);
    }
    opened(row.clone()).map(Some)
}

/// The application in whose name is told what another one began: itself, or when it was revoked the newest of its tenant
/// that is in force.
pub fn in_force(tx: &mut Tx<'_>, id: CredentialId) -> Result<Application, Error> {
    let row = store::credential_by_id(tx, id)?;
    if row.revoked_at.is_none() {
        return opened(row);
    }
    let tenant = row.platform_merchant_id;
    let unknown =
        || Error::refused(Code::CredentialUnknown, format!("{} has no application in force", row.sp_mchid));
    opened(store::newest_credential(tx, tenant, LANGUAGE)?.ok_or_else(unknown)?)
}

fn opened(row: store::CredentialRow) -> Result<Application, Error> {
    let public_key = PublicKey::from_pem(&row.public_key_pem)
        .map_err(|why| Error::Internal(format!("credential {}: {why}", row.id)))?;
    Ok(Application {
        id: row.id,
        platform_merchant_id: row.platform_merchant_id,
        sp_mchid: row.sp_mchid,
        app_id: row.serial,
        public_key,
    })
}
