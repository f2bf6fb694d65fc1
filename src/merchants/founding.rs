//! Founding: what a platform is set up from, as a document. Commands read it from TOML or make it of their flags; the
//! demo, the bench and the tests make it in place. The same document again changes nothing; a key of it that has ended since
//! is refused.
use serde::{Deserialize, Serialize};

use super::{NewReceiver, NewSubMerchant, add, add_receiver, tenants};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::institutions::{
    self, ChannelLanguage, Documents, NewChannel, NewInstitution, NewKey, NewOwnKey, Purpose, ResultEncoding,
};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::people::Actor;
use crate::protocol::crypto::certificate::Certificate;
use crate::protocol::crypto::{CryptoError, MasterKey, PrivateKey};
use crate::protocol::wechat::notification::ApiV3Key;

const DAY: i64 = 86_400;

/// The whole document; every part may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founding {
    /// The institution; parts that name none are of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<InstitutionPart>,
    /// Keys of institutions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<KeyPart>,
    /// Channels of institutions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel: Vec<ChannelPart>,
    /// Tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenant: Vec<TenantPart>,
    /// Sub-merchants, each enrolled at an institution.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merchant: Vec<MerchantPart>,
    /// Receivers' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receiver: Vec<ReceiverPart>,
}

/// `[institution]`: the fields of [`institutions::Institution`].
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstitutionPart {
    pub code: String,
    pub name: String,
    pub platform_code: String,
    pub order_prefix: String,
    /// `ASCII` or `GB18030`.
    #[serde(default = "ascii")]
    pub result_encoding: String,
    /// `channel` or `bil`: what its days are cut from.
    #[serde(default = "of_channel")]
    pub documents: String,
}

/// As the flag of the command has it.
const fn thirty() -> i64 {
    30
}

fn of_channel() -> String {
    Documents::Channel.as_str().to_owned()
}

fn ascii() -> String {
    ResultEncoding::Ascii.as_str().to_owned()
}

/// `[[key]]`: a public key of an institution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPart {
    /// Whose; without it the document's institution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// `approvals`, `files`, `api`, `ssh`, `sealing` or `channel`.
    pub purpose: String,
    /// With `channel`: `wechat` or `alipay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// With `channel`: the serial or `PUB_KEY_ID_…` under which it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Public key or certificate, PEM.
    pub public_key: String,
    /// How many days the key before it counts beside it, 0 to 90.
    #[serde(default = "thirty")]
    pub overlap_days: i64,
}

/// `[[channel]]`: how a channel is spoken to, and what we sign with there. The last three may be left out together: a
/// command makes them then.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// `wechat` or `alipay`.
    pub channel: String,
    /// `wechat_v3`, `alipay_openapi` or `alipay_v3`.
    pub language: String,
    pub base_url: String,
    pub sp_mchid: String,
    pub sp_appid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apiv3_key: Option<String>,
}

/// `[[tenant]]`: a platform merchant.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantPart {
    pub sp_mchid: String,
    pub sp_appid: String,
    pub name: String,
}

/// `[[merchant]]`: a sub-merchant of a tenant, enrolled at an institution.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantPart {
    pub merchant: String,
    pub name: String,
    /// Its tenant's `sp_mchid`.
    pub tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    pub inst_merchant_no: String,
}

/// `[[receiver]]`: who else receives shares at an institution.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    pub receiver: String,
    pub role: String,
    pub name: String,
}

/// What became of a document: each object as `kind NAME`, and whether it was made now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Founded {
    /// In the order in which they were made.
    pub objects: Vec<(String, bool)>,
}

impl Founding {
    /// The document with one key of an institution for bundles and files alike (`doors.md` §0), and the key of its
    /// `wechat` channel's answers under its serial.
    #[must_use]
    pub fn with_keys(mut self, files: &str, answers: (&str, &str)) -> Self {
        let key = |purpose: Purpose| KeyPart {
            purpose: purpose.as_str().to_owned(),
            public_key: files.to_owned(),
            ..KeyPart::default()
        };
        self.key.extend([key(Purpose::Approvals), key(Purpose::Files)]);
        self.key.push(KeyPart {
            channel: Some(ChannelName::Wechat.as_str().to_owned()),
            key_id: Some(answers.0.to_owned()),
            public_key: answers.1.to_owned(),
            ..key(Purpose::Channel)
        });
        self
    }

    /// Names the document's institution in every part that names none, so that parts can be entered alone.
    pub fn name_institution(&mut self) {
        let Some(code) = self.institution.as_ref().map(|part| part.code.clone()) else { return };
        let keys = self.key.iter_mut().map(|part| &mut part.institution);
        let channels = self.channel.iter_mut().map(|part| &mut part.institution);
        let merchants = self.merchant.iter_mut().map(|part| &mut part.institution);
        let receivers = self.receiver.iter_mut().map(|part| &mut part.institution);
        for named in keys.chain(channels).chain(merchants).chain(receivers) {
            named.get_or_insert_with(|| code.clone());
        }
    }

    /// Enters everything at a moment (unix microseconds), all or nothing.
    pub fn establish(
        &self,
        tx: &mut Tx<'_>,
        master: &MasterKey,
        at: i64,
        actor: &Actor,
    ) -> Result<Founded, Error> {
        let mut step = Step { of: self, tx, master, at, actor, founded: Founded::default() };
        if let Some(part) = &self.institution {
            step.institution(part).map_err(|error| placed("institution", error))?;
        }
        let is_channels = |part: &&KeyPart| part.purpose == Purpose::Channel.as_str();
        for part in self.key.iter().filter(|part| !is_channels(part)) {
            step.key(part).map_err(|error| placed("key", error))?;
        }
        for part in &self.channel {
            step.channel(part).map_err(|error| placed("channel", error))?;
        }
        for part in self.key.iter().filter(is_channels) {
            step.key(part).map_err(|error| placed("key", error))?;
        }
        for part in &self.tenant {
            step.tenant(part).map_err(|error| placed("tenant", error))?;
        }
        for part in &self.merchant {
            step.merchant(part).map_err(|error| placed("merchant", error))?;
        }
        for part in &self.receiver {
            step.receiver(part).map_err(|error| placed("receiver", error))?;
        }
        Ok(step.founded)
    }
}

impl ChannelPart {
    /// Makes what we sign with where the document names nothing.
    pub fn fill_own_key(&mut self, now: Instant) -> Result<(), CryptoError> {
        if self.serial.is_none() && self.private_key.is_none() && self.apiv3_key.is_none() {
            let made = MadeKey::make(&self.sp_mchid, now)?;
            self.serial = Some(made.serial);
            self.private_key = Some(made.private_key);
            self.apiv3_key = Some(made.apiv3_key);
        }
        Ok(())
    }

    fn own_key(&self) -> Result<Option<NewOwnKey<'_>>, Error> {
        match (&self.serial, &self.private_key, &self.apiv3_key) {
            (Some(serial), Some(private_key_pem), Some(apiv3_key)) => {
                Ok(Some(NewOwnKey { serial, private_key_pem, apiv3_key }))
            }
            (None, None, None) => Ok(None),
            _ => Err(invalid("serial, private_key, apiv3_key: give all three or none")),
        }
    }
}

/// What we sign with at a channel, made here: the fields are those of [`ChannelPart`].
#[allow(missing_docs)]
pub struct MadeKey {
    pub serial: String,
    pub private_key: String,
    pub apiv3_key: String,
}

impl MadeKey {
    /// A key pair under our number there, with a certificate for five years, and an APIv3 key.
    pub fn make(sp_mchid: &str, now: Instant) -> Result<Self, CryptoError> {
        let key = PrivateKey::generate()?;
        let certificate = Certificate::issue(&key, sp_mchid, now, now.plus(5 * 365 * DAY))?;
        let (private_key, apiv3_key) = (key.to_pem()?, ApiV3Key::generate()?.expose().to_owned());
        Ok(Self { serial: certificate.serial, private_key, apiv3_key })
    }
}

/// A refusal with the part of the document that it is about.
fn placed(part: &str, error: Error) -> Error {
    match error {
        Error::Refused { code, detail } => Error::Refused { code, detail: format!("{part}: {detail}") },
        Error::NotFound | Error::Db(_) | Error::Io(_) | Error::Internal(_) => error,
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::refused(Code::InstitutionInvalid, why)
}

fn word<T: Copy + std::fmt::Display>(
    field: &str,
    text: &str,
    all: &[T],
    parse: fn(&str) -> Option<T>,
) -> Result<T, Error> {
    parse(text).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(T::to_string).collect();
        invalid(format!("{field}: `{text}` is none of {}", known.join(", ")))
    })
}

struct Step<'s, 'd, 't> {
    of: &'d Founding,
    tx: &'s mut Tx<'t>,
    master: &'s MasterKey,
    at: i64,
    actor: &'s Actor,
    founded: Founded,
}

impl Step<'_, '_, '_> {
    fn made(&mut self, what: String, is_new: bool) {
        self.founded.objects.push((what, is_new));
    }

    /// The institution that a part names, or the document's.
    fn of(&mut self, named: Option<&String>) -> Result<InstitutionId, Error> {
        let code = named.or(self.of.institution.as_ref().map(|part| &part.code));
        let code = code.ok_or_else(|| invalid("institution: say which"))?;
        Ok(institutions::by_code(self.tx, code)?.id)
    }

    fn institution(&mut self, part: &InstitutionPart) -> Result<(), Error> {
        let result_encoding = ResultEncoding::parse(&part.result_encoding)
            .ok_or_else(|| invalid("result_encoding: ASCII or GB18030"))?;
        let documents = word("documents", &part.documents, Documents::ALL, Documents::parse)?;
        let InstitutionPart { code, name, platform_code, order_prefix, .. } = part;
        let new = NewInstitution { code, name, platform_code, order_prefix, result_encoding, documents };
        let made = institutions::add(self.tx, self.at, self.actor, &new)?;
        self.made(format!("institution {}", part.code), made.is_new);
        Ok(())
    }

    fn key(&mut self, part: &KeyPart) -> Result<(), Error> {
        let institution = self.of(part.institution.as_ref())?;
        let purpose = word("purpose", &part.purpose, Purpose::ALL, Purpose::parse)?;
        let channel = part.channel.as_deref();
        let channel = channel.map(|text| word("channel", text, ChannelName::ALL, ChannelName::parse));
        let new = NewKey {
            purpose,
            channel: channel.transpose()?,
            key_id: part.key_id.as_deref(),
            public_key_pem: &part.public_key,
            overlap: part.overlap_days.saturating_mul(DAY).saturating_mul(1_000_000),
        };
        let made = institutions::add_key(self.tx, self.at, self.actor, institution, &new)?;
        self.made(format!("key {purpose} {}", made.id), made.is_new);
        Ok(())
    }

    fn channel(&mut self, part: &ChannelPart) -> Result<(), Error> {
        let institution = self.of(part.institution.as_ref())?;
        let new = NewChannel {
            name: word("channel", &part.channel, ChannelName::ALL, ChannelName::parse)?,
            language: word("language", &part.language, ChannelLanguage::ALL, ChannelLanguage::parse)?,
            base_url: &part.base_url,
            sp_mchid: &part.sp_mchid,
            sp_appid: &part.sp_appid,
            own: part.own_key()?,
        };
        let made = institutions::add_channel(self.tx, self.master, self.at, self.actor, institution, &new)?;
        self.made(format!("channel {}", part.channel), made.is_new);
        Ok(())
    }

    fn tenant(&mut self, part: &TenantPart) -> Result<(), Error> {
        let made = tenants::add(self.tx, self.at, self.actor, &part.sp_mchid, &part.sp_appid, &part.name)?;
        self.made(format!("tenant {}", part.sp_mchid), made.is_new);
        Ok(())
    }

    fn merchant(&mut self, part: &MerchantPart) -> Result<(), Error> {
        let institution = self.of(part.institution.as_ref())?;
        let unknown =
            || Error::refused(Code::MerchantInvalid, format!("tenant: there is no {}", part.tenant));
        let tenant = tenants::by_number(self.tx, &part.tenant)?.ok_or_else(unknown)?;
        let new = NewSubMerchant {
            merchant: &part.merchant,
            platform_merchant_id: tenant.id,
            institution_id: institution,
            inst_merchant_no: &part.inst_merchant_no,
            name: &part.name,
        };
        let made = add(self.tx, self.at, self.actor, &new)?;
        self.made(format!("merchant {}", part.merchant), made.is_new);
        Ok(())
    }

    fn receiver(&mut self, part: &ReceiverPart) -> Result<(), Error> {
        let institution = self.of(part.institution.as_ref())?;
        let new = NewReceiver {
            institution_id: institution,
            receiver: &part.receiver,
            role: &part.role,
            name: &part.name,
        };
        let made = add_receiver(self.tx, self.at, self.actor, &new)?;
        self.made(format!("receiver {}", part.receiver), made.is_new);
        Ok(())
    }
}
