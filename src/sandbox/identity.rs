//! The institution's own keys: made on the first start, kept in its store, public halves written beside it.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::store::{self, Store, Tx};
use super::{SandboxError, Settings};
use crate::disk::write_private;
use crate::kernel::calendar::Instant;
use crate::protocol::alipay::answer::AnswerSigner;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{PrivateKey, random_bytes};
use crate::protocol::wechat::sign::{PUB_KEY_ID, same_serial};

/// First and last second of the certificate. Wide, because the clock of a sandbox is moved to any day.
const VALID: [&str; 2] = ["2020-01-01T00:00:00+08:00", "2049-12-31T23:59:59+08:00"];

/// The setting that keeps the key of the Alipay channel.
const ALIPAY_KEY: &str = "alipay_key";

/// What everybody may know of the sandbox; the platform enters it as the institution's profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublicIdentity {
    /// Its code.
    pub institution: String,
    /// The code it knows the platform by.
    pub platform: String,
    /// Base URL of its channel.
    pub base_url: String,
    /// Serial of its channel certificate.
    pub serial: String,
    /// The channel certificate, PEM.
    pub certificate: String,
    /// Id of its channel key in public-key mode.
    pub public_key_id: String,
    /// The channel key's public half, PEM.
    pub public_key: String,
    /// The public half of the key that signs answers and notifications of its Alipay channel, PEM.
    pub alipay_public_key: String,
    /// The public half of the key that signs its files, PEM.
    pub file_public_key: String,
}

/// The keys.
pub(super) struct Identity {
    pub channel_key: PrivateKey,
    pub certificate: Certificate,
    pub public_key_id: String,
    /// Signs what the Alipay channel says.
    pub alipay_key: PrivateKey,
    pub file_key: PrivateKey,
}

impl Identity {
    /// Reads the keys, or makes them.
    pub(super) fn open(store: &Store, settings: &Settings) -> Result<Self, SandboxError> {
        let identity = store.with(|tx| match Self::load(tx)? {
            Some(identity) => Ok(identity),
            None => Self::make(tx, settings),
        })?;
        identity.write_public(settings)?;
        Ok(identity)
    }

    fn load(tx: &mut Tx<'_>) -> Result<Option<Self>, SandboxError> {
        let mut get = |name: &str| store::setting(tx, name);
        let (Some(channel), Some(certificate), Some(public_key_id), Some(file)) =
            (get("channel_key")?, get("certificate")?, get("public_key_id")?, get("file_key")?)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            channel_key: PrivateKey::from_pem(&channel)?,
            certificate: Certificate::from_pem(&certificate)?,
            public_key_id,
            // An institution of a version that spoke one language alone gets its second key now.
            alipay_key: match get(ALIPAY_KEY)? {
                Some(alipay) => PrivateKey::from_pem(&alipay)?,
                None => make_alipay_key(tx)?,
            },
            file_key: PrivateKey::from_pem(&file)?,
        }))
    }

    fn make(tx: &mut Tx<'_>, settings: &Settings) -> Result<Self, SandboxError> {
        let channel_key = PrivateKey::generate()?;
        let file_key = PrivateKey::generate()?;
        let [from, until] = VALID.map(|text| Instant::parse(text).unwrap_or(Instant::new(0)));
        let certificate = Certificate::issue(&channel_key, &settings.institution, from, until)?;
        let digits = u64::from_be_bytes(random_bytes::<8>()?);
        let public_key_id = format!("{PUB_KEY_ID}{digits:020}");
        store::set(tx, "channel_key", &channel_key.to_pem()?)?;
        store::set(tx, "certificate", &certificate.pem)?;
        store::set(tx, "public_key_id", &public_key_id)?;
        store::set(tx, "file_key", &file_key.to_pem()?)?;
        let alipay_key = make_alipay_key(tx)?;
        Ok(Self { channel_key, certificate, public_key_id, alipay_key, file_key })
    }

    fn write_public(&self, settings: &Settings) -> Result<(), SandboxError> {
        let public = self.public(settings)?;
        let write =
            |name: &str, text: &str| write_private(&Path::join(&settings.data, name), text.as_bytes());
        write("channel.crt.pem", &public.certificate)?;
        write("channel.pub.pem", &public.public_key)?;
        write("alipay.pub.pem", &public.alipay_public_key)?;
        write("files.pub.pem", &public.file_public_key)?;
        write("identity.json", &serde_json::to_string_pretty(&public)?)?;
        Ok(())
    }

    /// What everybody may know.
    pub(super) fn public(&self, settings: &Settings) -> Result<PublicIdentity, SandboxError> {
        Ok(PublicIdentity {
            institution: settings.institution.clone(),
            platform: settings.platform.clone(),
            base_url: settings.public_url.clone(),
            serial: self.certificate.serial.clone(),
            certificate: self.certificate.pem.clone(),
            public_key_id: self.public_key_id.clone(),
            public_key: self.certificate.public_key.to_pem()?,
            alipay_public_key: self.alipay_key.public_key()?.to_pem()?,
            file_public_key: self.file_key.public_key()?.to_pem()?,
        })
    }

    /// Signs answers and notifications of the Alipay channel; `badly` with a key that is not of it.
    pub(super) const fn alipay_signer(&self, badly: bool) -> AnswerSigner<'_> {
        AnswerSigner { key: if badly { &self.file_key } else { &self.alipay_key }, certificate: None }
    }

    /// The serial under which an answer is signed: what the request asked for, else what was agreed.
    pub(super) fn serial<'a>(&'a self, asked: Option<&str>, public_key_mode: bool) -> &'a str {
        let by_id = match asked {
            Some(asked) => asked == self.public_key_id,
            None => public_key_mode,
        };
        let by_certificate = asked.is_some_and(|asked| same_serial(asked, &self.certificate.serial));
        if by_id && !by_certificate { &self.public_key_id } else { &self.certificate.serial }
    }
}

fn make_alipay_key(tx: &mut Tx<'_>) -> Result<PrivateKey, SandboxError> {
    let key = PrivateKey::generate()?;
    store::set(tx, ALIPAY_KEY, &key.to_pem()?)?;
    Ok(key)
}
