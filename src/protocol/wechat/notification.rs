//! The envelope of a notification: a JSON body whose resource is sealed with the APIv3 key (`channels.md` 1.7).
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

use crate::crypto::{
    CryptoError, KEY_LEN, NONCE_LEN, aes_gcm_open, aes_gcm_seal, base64, from_base64, random_nonce,
};
use mingfen_kernel::calendar::Instant;

/// The only sealing algorithm of APIv3.
pub const ALGORITHM: &str = "AEAD_AES_256_GCM";
/// `resource_type` of every notification.
pub const RESOURCE_TYPE: &str = "encrypt-resource";
/// `event_type` of a payment that succeeded.
pub const TRANSACTION_SUCCESS: &str = "TRANSACTION.SUCCESS";
/// Longest notification body read, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// The 32-character APIv3 key that a merchant chooses and both sides hold.
#[derive(Clone)]
pub struct ApiV3Key(String);

impl fmt::Debug for ApiV3Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiV3Key(..)")
    }
}

impl ApiV3Key {
    /// Exactly 32 printable ASCII characters.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        if text.len() == KEY_LEN && text.bytes().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CryptoError::SymmetricKey)
        }
    }

    /// The key's text as bytes, as it is unwrapped.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        std::str::from_utf8(bytes).map_err(|_| CryptoError::SymmetricKey).and_then(Self::parse)
    }

    /// A new random key of digits and letters.
    pub fn generate() -> Result<Self, CryptoError> {
        random_nonce(KEY_LEN).map(Self)
    }

    /// The key's text: to be wrapped, or shown once to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Sealed bytes as they stand in JSON: a notification's resource, or a certificate in `/v3/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Type of the sealed object (`transaction`, `refund`); certificates have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_type: Option<String>,
    /// [`ALGORITHM`].
    pub algorithm: String,
    /// Base64 of the ciphertext with its tag.
    pub ciphertext: String,
    /// Additional data, at most 16 bytes, may be empty or absent.
    #[serde(default)]
    pub associated_data: String,
    /// 12 characters.
    pub nonce: String,
}

impl Sealed {
    /// Seals `plain` under a fresh nonce.
    pub fn seal(
        key: &ApiV3Key,
        original_type: Option<&str>,
        aad: &str,
        plain: &[u8],
    ) -> Result<Self, CryptoError> {
        let nonce = random_nonce(NONCE_LEN)?;
        let sealed = aes_gcm_seal(key.0.as_bytes(), nonce.as_bytes(), aad.as_bytes(), plain)?;
        Ok(Self {
            original_type: original_type.map(str::to_owned),
            algorithm: ALGORITHM.to_owned(),
            ciphertext: base64(&sealed),
            associated_data: aad.to_owned(),
            nonce,
        })
    }

    /// Opens it; a change of any byte is refused.
    pub fn open(&self, key: &ApiV3Key) -> Result<Vec<u8>, CryptoError> {
        if self.algorithm != ALGORITHM {
            return Err(CryptoError::Sealed);
        }
        let sealed = from_base64(&self.ciphertext).ok_or(CryptoError::Sealed)?;
        aes_gcm_open(key.0.as_bytes(), self.nonce.as_bytes(), self.associated_data.as_bytes(), &sealed)
    }
}

/// A notification body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The same at every redelivery.
    pub id: String,
    /// `yyyy-MM-ddTHH:mm:ss+08:00`.
    pub create_time: String,
    /// [`RESOURCE_TYPE`].
    pub resource_type: String,
    /// For example [`TRANSACTION_SUCCESS`].
    pub event_type: String,
    /// A sentence for people.
    pub summary: String,
    /// The sealed object.
    pub resource: Sealed,
}

/// What a notification says, before it is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The same at every redelivery.
    pub id: &'a str,
    /// When the event was made.
    pub create_time: Instant,
    /// For example [`TRANSACTION_SUCCESS`].
    pub event_type: &'a str,
    /// A sentence for people.
    pub summary: &'a str,
    /// `transaction` or `refund`; also the additional data of the seal, as the documented examples have it.
    pub original_type: &'a str,
    /// JSON of the order or refund view.
    pub plain: &'a [u8],
}

/// Why a notification's body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeFault {
    /// Not the documented JSON.
    #[error("the notification is not the documented JSON object")]
    Malformed,
    /// The resource does not open with our APIv3 key.
    #[error("the notification's resource does not open with the APIv3 key")]
    Sealed,
}

/// Makes the body of a notification.
pub fn seal(key: &ApiV3Key, event: &Event<'_>) -> Result<Vec<u8>, CryptoError> {
    let envelope = Envelope {
        id: event.id.to_owned(),
        create_time: event.create_time.to_cst(),
        resource_type: RESOURCE_TYPE.to_owned(),
        event_type: event.event_type.to_owned(),
        summary: event.summary.to_owned(),
        resource: Sealed::seal(key, Some(event.original_type), event.original_type, event.plain)?,
    };
    serde_json::to_vec(&envelope).map_err(|_| CryptoError::Sealed)
}

/// Reads the body of a notification whose signature has been verified: the envelope and the opened resource.
pub fn open(key: &ApiV3Key, body: &[u8]) -> Result<(Envelope, Vec<u8>), EnvelopeFault> {
    if body.len() > BODY_MAX {
        return Err(EnvelopeFault::Malformed);
    }
    let envelope: Envelope = crate::json::from_slice(body).map_err(|_| EnvelopeFault::Malformed)?;
    if envelope.resource_type != RESOURCE_TYPE || envelope.id.is_empty() {
        return Err(EnvelopeFault::Malformed);
    }
    let plain = envelope.resource.open(key).map_err(|_| EnvelopeFault::Sealed)?;
    Ok((envelope, plain))
}
