//! What we sign with and open messages with at a channel. A new key is handed over first and used after that: until it
//! is told to be used the old one signs, and both open what comes.
use std::collections::BTreeMap;

use serde_json::json;

use super::channel::{channel, note};
use super::{ChannelProfile, Purpose, channel_store as store, counts, invalid, key_store, overlap_end};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::people::Actor;
use crate::protocol::crypto::{MasterKey, PrivateKey, PublicKey};
use crate::protocol::wechat::notification::ApiV3Key;
use crate::protocol::wechat::sign::AnswerKey;

/// What wraps private keys and secrets; what was wrapped once is opened under these names for ever.
const KEY_FOR: &str = "institution.channel_key";
const APIV3_FOR: &str = "institution.channel_apiv3";

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
pub struct ChannelKeys {
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

/// What we sign with at a channel, to be stored.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewOwnKey<'a> {
    pub serial: &'a str,
    pub private_key_pem: &'a str,
    pub apiv3_key: &'a str,
}

/// Takes a new key of ours at a channel: it opens messages from now on, and signs once [`use_key`] says so. Until then the
/// institution can be told of it.
pub fn prepare_key(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    at: i64,
    actor: &Actor,
    (institution, name): (InstitutionId, ChannelName),
    new: &NewOwnKey<'_>,
) -> Result<(), Error> {
    super::fits(tx, master)?;
    let channel = channel(tx, institution, name)?;
    let own = own_key(new)?;
    super::store::lock(tx, institution)?;
    if store::keys(tx, channel.id)?.iter().any(|key| key.serial == own.serial) {
        return Err(invalid(format!("serial: {} is there already", own.serial)));
    }
    store::add_key(tx, channel.id, &wrapped(master, &own, None)?)?;
    store::changed(tx, channel.id)?;
    note(tx, at, actor, "channel.key_prepare", (institution, name), json!({"serial": own.serial}))
}

/// Signs at a channel with the key of this serial from now on; those before it open messages for `overlap` microseconds
/// more. Of the key that signs already nothing changes.
pub fn use_key(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    (institution, name): (InstitutionId, ChannelName),
    (serial, overlap): (&str, i64),
) -> Result<(), Error> {
    let end = overlap_end(at, overlap)?;
    let channel = channel(tx, institution, name)?;
    super::store::lock(tx, institution)?;
    let keys = store::keys(tx, channel.id)?;
    let known = keys.iter().find(|key| key.serial == serial && counts(key.valid_to, at));
    let known = known.ok_or_else(|| invalid(format!("serial: no key {serial} of ours counts there")))?;
    if known.valid_from.is_some() {
        return match signing(&keys, at).is_some_and(|key| key.serial == serial) {
            true => Ok(()),
            false => Err(invalid(format!("serial: {serial} was replaced; a key does not come back"))),
        };
    }
    store::end_keys(tx, channel.id, end)?;
    store::use_key(tx, channel.id, serial, at)?;
    store::changed(tx, channel.id)?;
    note(tx, at, actor, "channel.key_use", (institution, name), json!({"serial": serial, "old_until": end}))
}

/// The one that signs at a moment: it was taken into use last.
fn signing(keys: &[store::Wrapped], at: i64) -> Option<&store::Wrapped> {
    let used = keys.iter().filter(|key| key.valid_from.is_some() && counts(key.valid_to, at));
    used.max_by_key(|key| key.valid_from)
}

pub(super) fn own_key(new: &NewOwnKey<'_>) -> Result<OwnKey, Error> {
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

/// As the database holds it; it signs from `valid_from` on.
pub(super) fn wrapped(
    master: &MasterKey,
    own: &OwnKey,
    valid_from: Option<i64>,
) -> Result<store::Wrapped, Error> {
    let seal = |purpose: &str, secret: &str| {
        master.wrap(purpose, secret.as_bytes()).map_err(|e| Error::Internal(format!("wrapping a key: {e}")))
    };
    let pem = own.private_key.to_pem().map_err(Error::internal)?;
    Ok(store::Wrapped {
        serial: own.serial.clone(),
        private_key: seal(KEY_FOR, &pem)?,
        apiv3_key: seal(APIV3_FOR, own.apiv3_key.expose())?,
        valid_from,
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

/// Our key of this serial at a channel, or the one that signs at `at`.
pub(super) fn own_key_of(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    channel: &ChannelProfile,
    serial: Option<&str>,
    at: i64,
) -> Result<OwnKey, Error> {
    let keys = store::keys(tx, channel.id)?;
    let found = match serial {
        Some(serial) => keys.iter().find(|key| key.serial == serial),
        None => signing(&keys, at),
    };
    opened(master, found.ok_or(Error::NotFound)?)
}

/// The keys of a channel that count at `at` (unix microseconds), unwrapped.
pub fn open_channel(
    tx: &mut Tx<'_>,
    master: &MasterKey,
    channel: &ChannelProfile,
    at: i64,
) -> Result<ChannelKeys, Error> {
    let mut ours = store::keys(tx, channel.id)?;
    ours.retain(|key| counts(key.valid_to, at));
    let signing = signing(&ours, at).ok_or_else(|| {
        Error::Internal(format!("no key of ours counts at the channel {}: make one", channel.name))
    })?;
    let own = opened(master, signing)?;
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
    Ok(ChannelKeys { own, apiv3_keys, answer_keys, until })
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
