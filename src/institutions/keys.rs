//! The institution's own keys: public halves, each for one purpose (`doors.md` §0).
use serde_json::json;

use super::{Made, channel, channel_store, counts, invalid, key_store as store, overlap_end};
use crate::db::Tx;
use crate::db::columns::{ChannelId, InstitutionId};
use crate::error::{Code, Error};
use crate::kernel::channel::ChannelName;
use crate::kernel::digest::Digest;
use crate::people::{Actor, audit};
use crate::protocol::crypto::PublicKey;

mingfen_kernel::text_enum! {
    /// What a key of an institution is for.
    pub enum Purpose {
        /// Approvals bundles.
        Approvals = "approvals",
        /// Bills, results and statements.
        Files = "files",
        /// Calls of its systems.
        Api = "api",
        /// Its SFTP clients.
        Ssh = "ssh",
        /// What only the institution may open.
        Sealing = "sealing",
        /// Answers and notifications of one of its channels.
        Channel = "channel",
    }
}

/// A key of an institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstitutionKey {
    /// What it is for.
    pub purpose: Purpose,
    /// The channel whose answers it signs.
    pub channel: Option<ChannelId>,
    /// Names it: a certificate's serial, `PUB_KEY_ID_…`, or the beginning of its digest.
    pub key_id: String,
    /// The public half.
    pub public_key_pem: String,
    /// When it was entered, unix microseconds.
    pub valid_from: i64,
    /// From when it does not count any more.
    pub valid_to: Option<i64>,
}

/// A key to be entered.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The channel whose answers it signs; exactly with [`Purpose::Channel`].
    pub channel: Option<ChannelName>,
    /// Names it on the wire; a serial or `PUB_KEY_ID_…` for a channel. Without one it is called by its digest.
    pub key_id: Option<&'a str>,
    /// Public key or certificate.
    pub public_key_pem: &'a str,
    /// How long its predecessors count beside it, in microseconds, at most [`super::MAX_OVERLAP`].
    pub overlap: i64,
}

/// Enters a key of an institution, for one purpose; those before it end after the overlap. The same again changes
/// nothing; a key's name with another key is refused.
pub fn add_key(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    institution: InstitutionId,
    new: &NewKey<'_>,
) -> Result<Made<String>, Error> {
    let end = overlap_end(at, new.overlap)?;
    let channel = match (new.purpose, new.channel) {
        (Purpose::Channel, Some(name)) => match channel(tx, institution, name) {
            Err(Error::NotFound) => return Err(invalid(format!("channel: {name} is not set up yet"))),
            found => Some(found?.id),
        },
        (Purpose::Channel, None) => return Err(invalid("channel: say whose answers this key signs")),
        (_, Some(_)) => return Err(invalid("channel: only a key with the purpose `channel` is of one")),
        (_, None) => None,
    };
    let public_key_pem = PublicKey::from_pem(new.public_key_pem)
        .and_then(|key| key.to_pem())
        .map_err(|e| invalid(format!("public_key: {e}")))?;
    let key_id = key_id(new, &public_key_pem)?;
    // Of two that enter a key at once each would end only the keys that it sees.
    super::store::lock(tx, institution)?;
    for known in store::of(tx, institution, new.purpose)? {
        if known.key_id == key_id && (known.public_key_pem != public_key_pem || known.channel != channel) {
            return Err(invalid(format!("key_id: {key_id} names another key already")));
        }
        if known.public_key_pem != public_key_pem || known.channel != channel {
            continue;
        }
        let known_id = known.key_id;
        return match known.valid_to {
            None => Ok(Made::before(known_id)),
            Some(end) if counts(Some(end), at) => {
                let end = crate::clock::instant(end).to_cst();
                Ok(Made::before(format!("{known_id} (it ends {end})")))
            }
            Some(_) => Err(invalid(format!("key_id: {known_id} has ended; a key does not come back"))),
        };
    }
    store::end(tx, institution, (new.purpose, channel, None), end)?;
    let row = InstitutionKey {
        purpose: new.purpose,
        channel,
        key_id: key_id.clone(),
        public_key_pem,
        valid_from: at,
        valid_to: None,
    };
    store::add(tx, institution, &row)?;
    if let Some(channel) = channel {
        channel_store::changed(tx, channel)?;
    }
    let after = json!({"purpose": new.purpose.as_str(), "old_until": end});
    note(tx, at, actor, "institution.key", institution, (new.purpose, &key_id), after)?;
    Ok(Made::now(key_id))
}

fn key_id(new: &NewKey<'_>, pem: &str) -> Result<String, Error> {
    let Some(given) = new.key_id else {
        if new.purpose == Purpose::Channel {
            return Err(invalid("key_id: the serial or PUB_KEY_ID_… under which the channel signs"));
        }
        return Ok(Digest::of(pem.as_bytes()).to_string().chars().take(16).collect());
    };
    let is_name = given.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !is_name || !(1..=64).contains(&given.len()) {
        return Err(invalid("key_id: 1 to 64 of 0-9 A-Z a-z _ -"));
    }
    Ok(given.to_owned())
}

/// Ends a key now: it was lost, or is not needed beside its successor any more. Repeating it changes nothing.
pub fn end_key(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    institution: InstitutionId,
    (purpose, key_id): (Purpose, &str),
) -> Result<(), Error> {
    let unknown =
        || Error::refused(Code::InstitutionInvalid, format!("key_id: there is no {purpose} key `{key_id}`"));
    let known = store::find(tx, institution, purpose, key_id)?.ok_or_else(unknown)?;
    if !store::end(tx, institution, (purpose, known.channel, Some(key_id)), at)? {
        return Ok(());
    }
    if let Some(channel) = known.channel {
        channel_store::changed(tx, channel)?;
    }
    let after = json!({"purpose": purpose.as_str()});
    note(tx, at, actor, "institution.key_end", institution, (purpose, key_id), after)
}

fn note(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    action: &str,
    institution: InstitutionId,
    (purpose, key_id): (Purpose, &str),
    after: serde_json::Value,
) -> Result<(), Error> {
    let code = super::by_id(tx, institution)?.code;
    let object = format!("institution_key:{code}/{purpose}/{key_id}");
    audit::record(tx, at, actor, audit::Entry { action, object: &object, before: None, after: Some(after) })
}

/// Every key of an institution for a purpose, ended ones too, the newest first.
pub fn keys(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    purpose: Purpose,
) -> Result<Vec<InstitutionKey>, Error> {
    store::of(tx, institution, purpose)
}

/// Its keys for a purpose that count at `at` (unix microseconds), the newest first.
pub fn public_keys(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    purpose: Purpose,
    at: i64,
) -> Result<Vec<PublicKey>, Error> {
    let rows = store::of(tx, institution, purpose)?;
    let counting = rows.into_iter().filter(|key| counts(key.valid_to, at));
    counting.map(|key| PublicKey::from_pem(&key.public_key_pem).map_err(Error::internal)).collect()
}
