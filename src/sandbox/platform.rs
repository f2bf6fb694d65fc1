//! The platform as the institution registered it: whom it believes, and where it may be notified.
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};

use super::store::{self, Store};
use super::{Sandbox, SandboxError};
use crate::protocol::crypto::PublicKey;
use crate::protocol::wechat::notification::ApiV3Key;

/// What a platform hands in to be served, out of band at a real institution.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its merchant number as a service provider.
    pub sp_mchid: String,
    /// Its application.
    pub sp_appid: String,
    /// Serial of the certificate that signs its requests.
    pub serial: String,
    /// That certificate, or its public key, PEM.
    pub public_key: String,
    /// The APIv3 key it chose: 32 characters.
    pub apiv3_key: String,
    /// The key that signs its files, PEM.
    pub file_public_key: String,
    /// Every notify_url must begin with this, when it is given.
    #[serde(default)]
    pub notify_base_url: Option<String>,
    /// Sign notifications, and answers to requests that do not say, by public-key id instead of certificate.
    #[serde(default)]
    pub public_key_mode: bool,
}

/// A registration with its keys read.
pub(super) struct Platform {
    pub registration: Registration,
    pub request_key: PublicKey,
    pub file_key: PublicKey,
    pub apiv3_key: ApiV3Key,
}

impl Platform {
    fn read(registration: Registration) -> Result<Self, SandboxError> {
        let unusable = |what: &str| SandboxError::Refused(format!("{what} is unusable; send it again"));
        Ok(Self {
            request_key: PublicKey::from_pem(&registration.public_key).map_err(|_| unusable("public_key"))?,
            file_key: PublicKey::from_pem(&registration.file_public_key)
                .map_err(|_| unusable("file_public_key"))?,
            apiv3_key: ApiV3Key::parse(&registration.apiv3_key).map_err(|_| unusable("apiv3_key"))?,
            registration,
        })
    }
}

/// The registration of an earlier run.
pub(super) fn load(store: &Store) -> Result<Option<Arc<Platform>>, SandboxError> {
    let Some(text) = store.with(|tx| store::setting(tx, "platform"))? else { return Ok(None) };
    Ok(Some(Arc::new(Platform::read(serde_json::from_str(&text)?)?)))
}

impl Sandbox {
    /// Registers the platform, or changes its registration.
    pub fn register(&self, registration: Registration) -> Result<(), SandboxError> {
        let text = serde_json::to_string(&registration)?;
        let platform = Arc::new(Platform::read(registration)?);
        self.0.store.with(|tx| store::set(tx, "platform", &text))?;
        *self.0.registration.write().unwrap_or_else(PoisonError::into_inner) = Some(platform);
        Ok(())
    }
}
