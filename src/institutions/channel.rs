//! Channels of an institution, and what we sign with and open messages with there.
use std::collections::BTreeMap;

use serde_json::json;

use super::{Made, Purpose, channel_store as store, counts, invalid, key_store, overlap_end};
use crate::db::Tx;
use crate::db::columns::{ChannelId, InstitutionId};
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::people::{Actor, audit};
use crate::protocol::crypto::{MasterKey, PrivateKey, PublicKey};
use crate::protocol::wechat::notification::ApiV3Key;
use crate::protocol::wechat::sign::AnswerKey;

/// What wraps private keys and secrets; what was wrapped once is opened under these names for ever.
const KEY_FOR: &str = "institution.channel_key";
const APIV3_FOR: &str = "institution.channel_apiv3";

mingfen_kernel::text_enum! {
    /// The language that a channel speaks (`counter.md`, "Words").
    pub enum Language {
        /// WeChat Pay APIv3.
        WechatV3 = "wechat_v3",
        /// Alipay's gateway.do.
        AlipayOpenapi = "alipay_openapi",
        /// Alipay's REST interface.
        AlipayV3 = "alipay_v3",
    }
}

/// How a channel is spoken to. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelProfile {
    /// Internal key.
    pub id: ChannelId,
    /// Whose it is.
    pub institution: InstitutionId,
    /// Whose wallet pays.
    pub name: ChannelName,
    /// The language that it speaks.
    pub language: Language,
    /// Where it is, without trailing slash.
    pub base_url: String,
    /// Our number there.
    pub sp_mchid: String,
    /// Our application there.
    pub sp_appid: String,
    /// Counts every change of this and of its keys.
    pub version: i64,
}

/// What we sign with at a channel.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// Serial of our certificate there.
    pub serial: String,
    /// Signs our requests.
    pub private_key: PrivateKey,
    /// Opens notifications.
    pub apiv3_key: ApiV3Key,
}

/// The keys of a channel as they count at one moment.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The newest of ours: signs.
    pub own: OwnKey,
    /// Those that open notifications, the newest first.
    pub apiv3_keys: Vec<ApiV3Key>,
    /// Those that verify answers and notifications, by their serials.
    pub answer_keys: Vec<AnswerKey>,
    /// When the first of these ends, unix microseconds.
    pub until: Option<i64>,
}

/// Keys that opened messages, by the channel on which those came.
pub type EvidenceKeys = BTreeMap<ChannelName, Vec<ApiV3Key>>;

/// A channel to be made; the fields are those of [`ChannelProfile`].
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewChannel<'a> {
    pub name: ChannelName,
    pub language: Language,
    pub base_url: &'a str,
    pub sp_mchid: &'a str,
    pub sp_appid: &'a str,
    /// Needed for a new one; without it only the rest is compared.
    pub own: Option<NewOwnKey<'a>>,
}

/// What we sign with at a channel, to be stored.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewOwnKey<'a> {
    pub serial: &'a str,
    pub private_key_pem: &'a str,
    pub apiv3_key: &'a str,
}

/// Makes a channel of an institution. The same again changes nothing; other content is refused.
pub fn add_channel(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    at: i64,
    actor: &Actor,
    institution: InstitutionId,
    new: &NewChannel<'_>,
) -> Result<Made<ChannelId>, Error> {
    check(new)?;
    let own = new.own.as_ref().map(own_key).transpose()?;
    if let Some(known) = store::find(tx, institution, new.name)? {
        let newest = open_channel(tx, master, &known, at)?.own;
        let is_newest = |own: &OwnKey| {
            newest.serial == own.serial
                && newest.apiv3_key.expose() == own.apiv3_key.expose()
                && newest.private_key.to_pem().ok() == own.private_key.to_pem().ok()
        };
        let same = known.language == new.language
            && known.base_url == new.base_url
            && (known.sp_mchid.as_str(), known.sp_appid.as_str()) == (new.sp_mchid, new.sp_appid)
            && own.as_ref().is_none_or(is_newest);
        if !same {
            return Err(invalid(format!("channel: {} is there already with other content", new.name)));
        }
        return Ok(Made::before(known.id));
    }
    let own = own.ok_or_else(|| invalid("serial, private_key, apiv3_key: a new channel needs them"))?;
    let id = store::add(tx, at, institution, new)?;
    store::add_key(tx, at, id, &wrapped(master, &own)?)?;
    let after = json!({
        "language": new.language.as_str(), "base_url": new.base_url, "sp_mchid": new.sp_mchid,
        "sp_appid": new.sp_appid, "serial": own.serial,
    });
    note(tx, at, actor, "channel.add", (institution, new.name), after)?;
    Ok(Made::now(id))
}

/// Signs with a new key at a channel from now on; what the old one opens it opens for `overlap` microseconds more.
pub fn rotate_channel(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    at: i64,
    actor: &Actor,
    (institution, name): (InstitutionId, ChannelName),
    (new, overlap): (&NewOwnKey<'_>, i64),
) -> Result<(), Error> {
    let end = overlap_end(at, overlap)?;
    let channel = channel(tx, institution, name)?;
    let own = own_key(new)?;
    store::end_keys(tx, channel.id, end)?;
    store::add_key(tx, at, channel.id, &wrapped(master, &own)?)?;
    store::changed(tx, channel.id)?;
    note(tx, at, actor, "channel.key", (institution, name), json!({"serial": own.serial, "old_until": end}))
}

fn note(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    action: &str,
    (institution, name): (InstitutionId, ChannelName),
    after: serde_json::Value,
) -> Result<(), Error> {
    let object = format!("channel:{}/{name}", super::by_id(tx, institution)?.code);
    audit::record(tx, at, actor, audit::Entry { action, object: &object, before: None, after: Some(after) })
}

fn check(new: &NewChannel<'_>) -> Result<(), Error> {
    let address = url::Url::parse(new.base_url);
    if !address.is_ok_and(|u| matches!(u.scheme(), "http" | "https")) || new.base_url.ends_with('/') {
        return Err(invalid("base_url: http(s)://HOST without a slash at its end"));
    }
    let number = |text: &str| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    if !number(new.sp_mchid) {
        return Err(invalid("sp_mchid: 1 to 32 of 0-9 A-Z a-z _ -"));
    }
    if !number(new.sp_appid) {
        return Err(invalid("sp_appid: 1 to 32 of 0-9 A-Z a-z _ -"));
    }
    match (new.name, new.language) {
        (ChannelName::Wechat, Language::WechatV3)
        | (ChannelName::Alipay, Language::AlipayOpenapi | Language::AlipayV3) => Ok(()),
        (ChannelName::Wechat | ChannelName::Alipay, _) => {
            Err(invalid(format!("language: {} is not spoken by {}", new.language, new.name)))
        }
    }
}

fn own_key(new: &NewOwnKey<'_>) -> Result<OwnKey, Error> {
    let serial = new.serial.to_owned();
    if !(1..=64).contains(&serial.len()) || !serial.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(invalid("serial: 1 to 64 hex digits"));
    }
    let private_key =
        PrivateKey::from_pem(new.private_key_pem).map_err(|e| invalid(format!("private_key: {e}")))?;
    let apiv3_key =
        ApiV3Key::parse(new.apiv3_key).map_err(|_| invalid("apiv3_key: 32 printable ASCII characters"))?;
    Ok(OwnKey { serial, private_key, apiv3_key })
}

fn wrapped(master: &MasterKey, own: &OwnKey) -> Result<store::Wrapped, Error> {
    let seal = |purpose: &str, secret: &str| {
        master.wrap(purpose, secret.as_bytes()).map_err(|e| Error::Internal(format!("wrapping a key: {e}")))
    };
    let pem = own.private_key.to_pem().map_err(Error::internal)?;
    Ok(store::Wrapped {
        serial: own.serial.clone(),
        private_key: seal(KEY_FOR, &pem)?,
        apiv3_key: seal(APIV3_FOR, own.apiv3_key.expose())?,
        valid_to: None,
    })
}

fn opened(master: &MasterKey, key: &store::Wrapped) -> Result<OwnKey, Error> {
    let broken =
        |e: &dyn std::fmt::Display| Error::Internal(format!("our key {} at a channel: {e}", key.serial));
    let pem = master.unwrap(KEY_FOR, &key.private_key).map_err(|e| broken(&e))?;
    let pem = String::from_utf8(pem).map_err(|e| broken(&e))?;
    Ok(OwnKey {
        serial: key.serial.clone(),
        private_key: PrivateKey::from_pem(&pem).map_err(|e| broken(&e))?,
        apiv3_key: apiv3(master, key)?,
    })
}

fn apiv3(master: &MasterKey, key: &store::Wrapped) -> Result<ApiV3Key, Error> {
    let broken = |e: &dyn std::fmt::Display| Error::Internal(format!("the APIv3 key of {}: {e}", key.serial));
    let bytes = master.unwrap(APIV3_FOR, &key.apiv3_key).map_err(|e| broken(&e))?;
    ApiV3Key::from_bytes(&bytes).map_err(|e| broken(&e))
}

/// The channel of an institution.
pub fn channel(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    name: ChannelName,
) -> Result<ChannelProfile, Error> {
    store::find(tx, institution, name)?.ok_or(Error::NotFound)
}

/// Every channel of an institution, by its name.
pub fn channels(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<ChannelProfile>, Error> {
    store::of(tx, institution)
}

/// The version of a channel: one cheap look before each use of what was opened.
pub fn version(tx: &mut Tx<'_>, institution: InstitutionId, name: ChannelName) -> Result<i64, Error> {
    store::version(tx, institution, name)?.ok_or(Error::NotFound)
}

/// The keys of a channel that count at `at` (unix microseconds), unwrapped.
pub fn open_channel(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    channel: &ChannelProfile,
    at: i64,
) -> Result<Keys, Error> {
    let mut ours = store::keys(tx, channel.id)?;
    ours.retain(|key| counts(key.valid_to, at));
    let newest = ours.first().ok_or_else(|| {
        Error::Internal(format!("no key of ours counts at the channel {}: rotate it", channel.name))
    })?;
    let own = opened(master, newest)?;
    let apiv3_keys = ours.iter().map(|key| apiv3(master, key)).collect::<Result<Vec<_>, _>>()?;
    let mut theirs = key_store::of(tx, channel.institution, Purpose::Channel)?;
    theirs.retain(|key| key.channel == Some(channel.id) && counts(key.valid_to, at));
    let ends = ours.iter().map(|key| key.valid_to).chain(theirs.iter().map(|key| key.valid_to));
    let until = ends.flatten().min();
    let read = |key: super::InstitutionKey| {
        let pem = PublicKey::from_pem(&key.public_key_pem).map_err(Error::internal)?;
        Ok(AnswerKey { serial: key.key_id, key: pem })
    };
    let answer_keys = theirs.into_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    Ok(Keys { own, apiv3_keys, answer_keys, until })
}

/// Every APIv3 key that ever opened an institution's notifications, by channel: they are kept as evidence, sealed as
/// they came.
pub fn evidence_keys(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    institution: InstitutionId,
) -> Result<EvidenceKeys, Error> {
    let mut keys = EvidenceKeys::new();
    for channel in store::of(tx, institution)? {
        for key in store::keys(tx, channel.id)? {
            keys.entry(channel.name).or_default().push(apiv3(master, &key)?);
        }
    }
    Ok(keys)
}
