//! The platform's own keys: one signs WeChat-style answers and notifications, one signs published files.
use super::credential_store::{self as store, KeyRow};
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::calendar::Instant;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{CryptoError, MasterKey, PrivateKey, PublicKey};

/// What a key of the platform is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Answers and notifications in WeChat's protocol.
    Wechat,
    /// The `.sig` beside published files.
    Files,
}

impl Purpose {
    /// As the database keeps it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Purpose::Wechat => "wechat",
            Purpose::Files => "files",
        }
    }

    const fn wrapped_for(self) -> &'static str {
        match self {
            Purpose::Wechat => "platform_key.wechat",
            Purpose::Files => "platform_key.files",
        }
    }
}

/// A key with its certificate.
#[derive(Clone, Debug)]
pub struct PlatformKey {
    /// The certificate's serial, upper-case hex: names the key in certificate mode.
    pub serial: String,
    /// The certificate.
    pub certificate: Certificate,
    /// `PUB_KEY_ID_…`: names the key in public-key mode.
    pub public_key_id: String,
    /// The public half.
    pub public_key: PublicKey,
    /// The private half.
    pub private_key: PrivateKey,
}

/// The keys in use.
#[derive(Clone, Debug)]
pub struct PlatformKeys {
    /// Signs in WeChat's protocol.
    pub wechat: PlatformKey,
    /// Signs files.
    pub files: PlatformKey,
}

const FIVE_YEARS: i64 = 5 * 365 * 86_400;

impl PlatformKeys {
    /// The keys in use; those that are missing are made (at the first start).
    pub fn ensure(tx: &mut Tx<'_>, master: &MasterKey, now: Instant) -> Result<Self, Error> {
        Ok(PlatformKeys {
            wechat: one(tx, master, now, Purpose::Wechat)?,
            files: one(tx, master, now, Purpose::Files)?,
        })
    }
}

fn one(tx: &mut Tx<'_>, master: &MasterKey, now: Instant, purpose: Purpose) -> Result<PlatformKey, Error> {
    let failed = |e: CryptoError| Error::Internal(format!("the platform's {} key: {e}", purpose.as_str()));
    if let Some(row) = store::keys(tx, purpose.as_str())?.into_iter().next() {
        return opened(row, master, purpose).map_err(failed);
    }
    let row = made(master, now, purpose).map_err(failed)?;
    store::add_key(tx, &row)?;
    opened(row, master, purpose).map_err(failed)
}

fn made(master: &MasterKey, now: Instant, purpose: Purpose) -> Result<KeyRow, CryptoError> {
    let key = PrivateKey::generate()?;
    let certificate = Certificate::issue(&key, "Mingfen platform", now, now.plus(FIVE_YEARS))?;
    Ok(KeyRow {
        purpose: purpose.as_str().into(),
        public_key_id: format!("PUB_KEY_ID_{}", certificate.serial),
        serial: certificate.serial,
        certificate_pem: certificate.pem,
        public_key_pem: key.public_key()?.to_pem()?,
        private_key_wrapped: master.wrap(purpose.wrapped_for(), key.to_pem()?.as_bytes())?,
        active_from: now.get().saturating_mul(1_000_000),
    })
}

fn opened(row: KeyRow, master: &MasterKey, purpose: Purpose) -> Result<PlatformKey, CryptoError> {
    let pem = master.unwrap(purpose.wrapped_for(), &row.private_key_wrapped)?;
    let pem = String::from_utf8(pem).map_err(|_| CryptoError::PrivateKey)?;
    Ok(PlatformKey {
        serial: row.serial,
        certificate: Certificate::from_pem(&row.certificate_pem)?,
        public_key_id: row.public_key_id,
        public_key: PublicKey::from_pem(&row.public_key_pem)?,
        private_key: PrivateKey::from_pem(&pem)?,
    })
}
