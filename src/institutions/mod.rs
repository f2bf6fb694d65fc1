//! Licensed institutions: profiles and the keys to talk with them.
mod store;

use serde_json::json;

use crate::db::Tx;
use crate::error::{Code, Error};
use crate::kernel::text_enum;
use crate::people::{Actor, audit};
use crate::protocol::crypto::{MasterKey, PrivateKey, PublicKey};
use crate::protocol::wechat::notification::ApiV3Key;

const KEY_FOR: &str = "institution.channel_key";
const APIV3_FOR: &str = "institution.channel_apiv3";

text_enum! {
    /// The character set of an institution's result files.
    pub enum ResultEncoding {
        /// ASCII, as all other files.
        Ascii = "ASCII",
        /// GB18030, decoded before it is split (`files.md`, "Text").
        Gb18030 = "GB18030",
    }
}

/// What pages and files need to know of an institution. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Internal id.
    pub id: i64,
    /// Its code in file names.
    pub code: String,
    /// The name shown on pages.
    pub name: String,
    /// Our code in its file names.
    pub platform_code: String,
    /// Begins every order number that we send to it.
    pub order_prefix: String,
    /// Where its channel is, without trailing slash.
    pub channel_base_url: String,
    /// Our number at its channel.
    pub channel_sp_mchid: String,
    /// Our application id at its channel.
    pub channel_sp_appid: String,
    /// Serial of our certificate at its channel.
    pub channel_merchant_serial: String,
    /// Names the key of its answers: a certificate serial or `PUB_KEY_ID_…`.
    pub channel_answer_serial: String,
    /// Verifies its answers and notifications, PEM.
    pub channel_answer_key_pem: String,
    /// Verifies its files, PEM.
    pub file_public_key_pem: String,
    /// How its results are encoded.
    pub result_encoding: ResultEncoding,
}

/// The keys of an institution's channel and files.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs our requests.
    pub private_key: PrivateKey,
    /// Opens its notifications.
    pub apiv3_key: ApiV3Key,
    /// Verifies its answers and notifications.
    pub answer_key: PublicKey,
    /// Verifies its files.
    pub file_key: PublicKey,
}

/// An institution to be set up; the fields are those of [`Institution`] and [`Keys`].
#[allow(missing_docs)]
pub struct NewInstitution<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub platform_code: &'a str,
    pub order_prefix: &'a str,
    pub channel_base_url: &'a str,
    pub channel_sp_mchid: &'a str,
    pub channel_sp_appid: &'a str,
    pub channel_merchant_serial: &'a str,
    pub channel_private_key_pem: &'a str,
    pub channel_apiv3_key: &'a str,
    pub channel_answer_serial: &'a str,
    pub channel_answer_key_pem: &'a str,
    pub file_public_key_pem: &'a str,
    pub result_encoding: ResultEncoding,
}

/// Sets an institution up and gives its internal id.
pub fn create(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    at: i64,
    actor: &Actor,
    new: &NewInstitution<'_>,
) -> Result<i64, Error> {
    check(new)?;
    let private_key =
        PrivateKey::from_pem(new.channel_private_key_pem).map_err(|e| invalid(e.to_string()))?;
    let wrapped = |purpose: &str, secret: &str| {
        let sealed = master.wrap(purpose, secret.as_bytes());
        sealed.map_err(|e| Error::Internal(format!("wrapping a key: {e}")))
    };
    let pem = private_key.to_pem().map_err(|e| invalid(e.to_string()))?;
    let secrets = store::Wrapped {
        private_key: wrapped(KEY_FOR, &pem)?,
        apiv3_key: wrapped(APIV3_FOR, new.channel_apiv3_key)?,
    };
    let id = store::add(tx, at, new, &secrets)?;
    let object = format!("institution:{}", new.code);
    let after = Some(json!({"name": new.name, "channel_base_url": new.channel_base_url}));
    let entry = audit::Entry { action: "institution.add", object: &object, before: None, after };
    audit::record(tx, at, actor, entry)?;
    Ok(id)
}

fn check(new: &NewInstitution<'_>) -> Result<(), Error> {
    let word = |text: &str, max: usize| {
        (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    if !word(new.code, 16) || !word(new.platform_code, 16) {
        return Err(invalid("code and platform code: 1 to 16 of A-Z 0-9"));
    }
    // The prefix and 26 characters of a ULID make an order number of at most 32.
    if !word(new.order_prefix, 6) {
        return Err(invalid("order prefix: 1 to 6 of A-Z 0-9"));
    }
    if new.channel_apiv3_key.len() != 32 {
        return Err(invalid("an API v3 key has 32 characters"));
    }
    let address = url::Url::parse(new.channel_base_url);
    if !address.is_ok_and(|u| matches!(u.scheme(), "http" | "https")) || new.channel_base_url.ends_with('/') {
        return Err(invalid("channel address: http(s)://HOST without a slash at its end"));
    }
    for pem in [new.channel_answer_key_pem, new.file_public_key_pem] {
        PublicKey::from_pem(pem).map_err(|e| invalid(e.to_string()))?;
    }
    Ok(())
}

fn invalid(why: impl Into<String>) -> Error {
    Error::refused(Code::InstitutionInvalid, why)
}

/// The institution of a code.
pub fn by_code(tx: &mut Tx<'_>, code: &str) -> Result<Institution, Error> {
    store::by_code(tx, code)
}

/// The institution of an internal id.
pub fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Institution, Error> {
    store::by_id(tx, id)
}

/// Every institution, by code.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Institution>, Error> {
    store::all(tx)
}

/// The keys of an institution, unwrapped.
pub fn keys(tx: &mut Tx<'_>, master: &MasterKey, institution: &Institution) -> Result<Keys, Error> {
    let broken = |e: &dyn std::fmt::Display| Error::Internal(format!("keys of {}: {e}", institution.code));
    let wrapped = store::wrapped(tx, institution.id)?;
    let pem = master.unwrap(KEY_FOR, &wrapped.private_key).map_err(|e| broken(&e))?;
    let pem = String::from_utf8(pem).map_err(|e| broken(&e))?;
    let apiv3_key = master.unwrap(APIV3_FOR, &wrapped.apiv3_key).map_err(|e| broken(&e))?;
    Ok(Keys {
        private_key: PrivateKey::from_pem(&pem).map_err(|e| broken(&e))?,
        apiv3_key: ApiV3Key::from_bytes(&apiv3_key).map_err(|e| broken(&e))?,
        answer_key: PublicKey::from_pem(&institution.channel_answer_key_pem).map_err(|e| broken(&e))?,
        file_key: PublicKey::from_pem(&institution.file_public_key_pem).map_err(|e| broken(&e))?,
    })
}
