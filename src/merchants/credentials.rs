//! API credentials of platform merchants in WeChat's language (the `sp_mchid` side of its partner mode): their public key, and the
//! API v3 key wrapped by the master key. A private key is shown once, by the shell command, and never stored.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Known, credential_store as store};
use crate::db::Tx;
use crate::db::columns::{CredentialId, TenantId};
use crate::error::{Code, Error};
use crate::institutions;
use crate::kernel::text_enum;
use crate::people::{Actor, audit};
use crate::protocol::crypto::{MasterKey, PublicKey};
use crate::protocol::language::Language;
use crate::protocol::wechat::notification::ApiV3Key;

const APIV3_KEY_LEN: usize = 32;
const WRAPPED_FOR: &str = "credential.apiv3";
/// The language of these credentials; in its other form, of a merchant for itself, they are the same.
const LANGUAGE: Language = Language::WechatPartner;

text_enum! {
    /// How answers and notifications to a caller are signed and named.
    pub enum AnswerMode {
        /// By the platform certificate's serial.
        Certificate = "cert",
        /// By the platform public key's id (`PUB_KEY_ID_…`).
        PublicKey = "pubkey",
    }
}

/// A credential ready for use.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Internal id.
    pub id: CredentialId,
    /// Whose it is.
    pub platform_merchant_id: TenantId,
    /// That merchant's number.
    pub sp_mchid: String,
    /// That merchant's application id.
    pub sp_appid: String,
    /// Upper-case hex serial of the caller's certificate.
    pub serial: String,
    /// Verifies the caller's requests.
    pub public_key: PublicKey,
    /// Seals notifications and certificates for the caller.
    pub apiv3_key: ApiV3Key,
    /// How we sign for the caller.
    pub answer_mode: AnswerMode,
}

/// A credential to be made.
pub struct NewCredential<'a> {
    /// Whose it will be.
    pub platform_merchant_id: TenantId,
    /// Serial of the caller's certificate, hex.
    pub serial: &'a str,
    /// The caller's public key or certificate in PEM.
    pub public_key_pem: &'a str,
    /// 32 ASCII characters.
    pub apiv3_key: &'a str,
    /// How we sign for the caller.
    pub answer_mode: AnswerMode,
}

/// Stores a credential; the API v3 key is wrapped.
pub fn create(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    at: i64,
    actor: &Actor,
    new: &NewCredential<'_>,
) -> Result<CredentialId, Error> {
    let invalid = |why: &str| Err(Error::refused(Code::CredentialInvalid, why));
    let serial = new.serial.to_ascii_uppercase();
    if serial.is_empty() || serial.len() > 64 || !serial.bytes().all(|b| b.is_ascii_hexdigit()) {
        return invalid("a serial is 1 to 64 hex digits");
    }
    if new.apiv3_key.len() != APIV3_KEY_LEN || !new.apiv3_key.bytes().all(|b| b.is_ascii_graphic()) {
        return invalid("an API v3 key is 32 printable ASCII characters");
    }
    let public_key_pem = match PublicKey::from_pem(new.public_key_pem).and_then(|key| key.to_pem()) {
        Ok(pem) => pem,
        Err(why) => return invalid(&why.to_string()),
    };
    institutions::fits(tx, master)?;
    let wrapped = master
        .wrap(WRAPPED_FOR, new.apiv3_key.as_bytes())
        .map_err(|e| Error::Internal(format!("wrapping a credential: {e}")))?;
    let merchant = store::merchant_number(tx, new.platform_merchant_id)?;
    if store::exists(tx, new.platform_merchant_id, &serial)? {
        return invalid("this serial is stored already");
    }
    let row = store::NewRow {
        platform_merchant_id: new.platform_merchant_id,
        language: LANGUAGE,
        serial: &serial,
        public_key_pem: &public_key_pem,
        apiv3_key_wrapped: &wrapped,
        answer_mode: new.answer_mode,
    };
    let id = store::add_credential(tx, at, &row)?;
    note(tx, at, actor, "credential.new", &merchant, &serial)?;
    Ok(id)
}

/// The live credential that signed a request.
pub fn find(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    sp_mchid: &str,
    serial: &str,
) -> Result<Option<Credential>, Error> {
    let row = store::credential(tx, sp_mchid, &serial.to_ascii_uppercase())?;
    row.filter(|row| row.revoked_at.is_none() && row.language == LANGUAGE)
        .map(|row| opened(row, master))
        .transpose()
}

/// Credentials that [`Unwrapped`] keeps; more than that begin anew.
const KEPT: usize = 1_024;

/// Credentials whose keys this process has unwrapped. What is stored decides each time: a key is unwrapped again when
/// its row is another one than then, and a revoked credential is none. Clones share it.
#[derive(Clone, Default)]
pub struct Unwrapped(Arc<Mutex<HashMap<CredentialId, Opened>>>);

/// The row of a credential and what was made of it.
struct Opened {
    row: store::CredentialRow,
    credential: Arc<Credential>,
}

impl Unwrapped {
    /// The live credential of who asks.
    pub fn of(&self, known: &Known, master: &MasterKey) -> Result<Option<Arc<Credential>>, Error> {
        let row = &known.credential;
        if row.revoked_at.is_some() {
            return Ok(None);
        }
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().get(&row.id).filter(|known| known.row == *row) {
            return Ok(Some(Arc::clone(&known.credential)));
        }
        let credential = Arc::new(opened(row.clone(), master)?);
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(row.id, Opened { row: row.clone(), credential: Arc::clone(&credential) });
        Ok(Some(credential))
    }
}

/// The credential with which what another one began is ended: itself, or when it was revoked the newest of its tenant that
/// is in force in its language. A revoked key is never used again; without any other the tenant is told nothing until it has one.
pub fn in_force(tx: &mut Tx<'_>, master: &MasterKey, id: CredentialId) -> Result<Credential, Error> {
    let row = store::credential_by_id(tx, id)?;
    if row.revoked_at.is_none() {
        return opened(row, master);
    }
    let tenant = row.platform_merchant_id;
    let unknown =
        || Error::refused(Code::CredentialUnknown, format!("{} has no credential in force", row.sp_mchid));
    opened(store::newest_credential(tx, tenant, LANGUAGE)?.ok_or_else(unknown)?, master)
}

/// Refuses the credential, of whichever language, from now on. Repeating it changes nothing.
pub fn revoke(tx: &mut Tx<'_>, at: i64, actor: &Actor, sp_mchid: &str, serial: &str) -> Result<(), Error> {
    let serial = serial.to_ascii_uppercase();
    let unknown = || Error::refused(Code::CredentialUnknown, format!("{sp_mchid} {serial}"));
    let row = store::credential(tx, sp_mchid, &serial)?.ok_or_else(unknown)?;
    if !store::revoke(tx, row.id, at)? {
        return Ok(());
    }
    note(tx, at, actor, "credential.revoke", sp_mchid, &serial)
}

fn opened(row: store::CredentialRow, master: &MasterKey) -> Result<Credential, Error> {
    let broken = |what: &str| Error::Internal(format!("credential {}: {what}", row.id));
    let apiv3_key = master.unwrap(WRAPPED_FOR, &row.apiv3_key_wrapped).map_err(|e| broken(&e.to_string()))?;
    let apiv3_key = ApiV3Key::from_bytes(&apiv3_key).map_err(|e| broken(&e.to_string()))?;
    let public_key = PublicKey::from_pem(&row.public_key_pem).map_err(|e| broken(&e.to_string()))?;
    let answer_mode = AnswerMode::parse(&row.answer_mode).ok_or_else(|| broken("answer mode"))?;
    Ok(Credential {
        id: row.id,
        platform_merchant_id: row.platform_merchant_id,
        sp_mchid: row.sp_mchid,
        sp_appid: row.sp_appid,
        serial: row.serial,
        public_key,
        apiv3_key,
        answer_mode,
    })
}

pub(super) fn note(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    action: &str,
    merchant: &str,
    serial: &str,
) -> Result<(), Error> {
    let object = format!("credential:{merchant}/{serial}");
    audit::record(tx, at, actor, audit::Entry { action, object: &object, before: None, after: None })
}
