//! The platform as the institution registered it at each channel: whom it believes, and where it may be notified.
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};

use super::store::{self, Store};
use super::{Sandbox, SandboxError};
use crate::kernel::channel::ChannelName;
use crate::protocol::crypto::PublicKey;
use crate::protocol::wechat::notification::ApiV3Key;

/// What a platform hands in to be served at a channel, out of band at a real institution. Every channel has the same form;
/// Alipay's uses neither `serial`, `apiv3_key` nor `public_key_mode`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its merchant number as a service provider; at Alipay its seller's number (pid).
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

    /// Whether it may be notified at this address.
    pub(super) fn takes(&self, notify_url: &str) -> bool {
        let base = self.registration.notify_base_url.as_deref().unwrap_or_default();
        notify_url.starts_with(base)
    }
}

/// The platform as it is registered at each channel.
#[derive(Default)]
pub(super) struct Registered {
    wechat: Option<Arc<Platform>>,
    alipay: Option<Arc<Platform>>,
}

impl Registered {
    /// The registrations of an earlier run.
    pub(super) fn load(store: &Store) -> Result<Self, SandboxError> {
        let mut registered = Self::default();
        for channel in ChannelName::ALL.iter().copied() {
            if let Some(text) = store.with(|tx| store::setting(tx, setting(channel)))? {
                *registered.place(channel) = Some(Arc::new(Platform::read(serde_json::from_str(&text)?)?));
            }
        }
        Ok(registered)
    }

    fn place(&mut self, channel: ChannelName) -> &mut Option<Arc<Platform>> {
        match channel {
            ChannelName::Wechat => &mut self.wechat,
            ChannelName::Alipay => &mut self.alipay,
        }
    }
}

/// The setting that keeps a registration.
const fn setting(channel: ChannelName) -> &'static str {
    match channel {
        ChannelName::Wechat => "platform",
        ChannelName::Alipay => "platform_alipay",
    }
}

impl Sandbox {
    /// Registers the platform at a channel, or changes its registration there.
    pub fn register(&self, channel: ChannelName, registration: Registration) -> Result<(), SandboxError> {
        let text = serde_json::to_string(&registration)?;
        let platform = Arc::new(Platform::read(registration)?);
        self.0.store.with(|tx| store::set(tx, setting(channel), &text))?;
        let mut registered = self.0.registered.write().unwrap_or_else(PoisonError::into_inner);
        *registered.place(channel) = Some(platform);
        Ok(())
    }

    /// The platform, once it registered at this channel.
    pub(super) fn platform(&self, channel: ChannelName) -> Option<Arc<Platform>> {
        let registered = self.0.registered.read().unwrap_or_else(PoisonError::into_inner);
        match channel {
            ChannelName::Wechat => registered.wechat.clone(),
            ChannelName::Alipay => registered.alipay.clone(),
        }
    }

    /// The key that signs the platform's files: it is one platform, whatever channels it registered at.
    pub(super) fn platform_file_key(&self) -> Option<PublicKey> {
        let at = ChannelName::ALL.iter().find_map(|channel| self.platform(*channel));
        at.map(|platform| platform.file_key.clone())
    }
}
