//! Licensed institutions: their profiles, their channels, and the keys of both sides, each for one purpose and with
//! versions (`doors.md` §0). A key may be replaced while everything serves: who holds one looks at its version first.
mod channel;
mod channel_key;
mod channel_store;
mod key_store;
mod keys;
mod platform;
mod registration;
mod store;

pub use channel::{ChannelLanguage, ChannelProfile, NewChannel, add_channel, channel, channels, version};
pub use channel_key::{
    ChannelKeys, EvidenceKeys, NewOwnKey, OwnKey, evidence_keys, open_channel, prepare_key, use_key,
};
pub use keys::{InstitutionKey, NewKey, Purpose, add_key, end_key, keys, public_keys};
pub use platform::{OurPurpose, PlatformKey, PlatformKeys, file_keys, fits, rotate};
pub use registration::{Registration, registration};

use serde_json::json;

use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::kernel::channel::ChannelName;
use crate::kernel::{text, text_enum};
use crate::people::{Actor, audit};

/// The most that an old key may count beside the one that took its place, in microseconds: 90 days (`doors.md` §0).
pub const MAX_OVERLAP: i64 = 90 * 86_400 * 1_000_000;

text_enum! {
    /// The character set of an institution's result files.
    pub enum ResultEncoding {
        /// ASCII, as all other files.
        Ascii = "ASCII",
        /// GB18030, decoded before it is split (`files.md`, "Text").
        Gb18030 = "GB18030",
    }
}

text_enum! {
    /// Which documents a day's evidence consists of (`counter.md`, "Bills out of both worlds").
    pub enum Documents {
        /// Its one WeChat channel's own bill is split; a BIL adds late orders.
        Channel = "channel",
        /// Its BIL is split; what its channels give is kept beside it and compared.
        Bil = "bil",
    }
}

/// What pages and files need to know of an institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Internal id.
    pub id: InstitutionId,
    /// Its code in file names.
    pub code: String,
    /// The name shown on pages.
    pub name: String,
    /// Our code in its file names.
    pub platform_code: String,
    /// Begins every order number that we send to it.
    pub order_prefix: String,
    /// How its results are encoded.
    pub result_encoding: ResultEncoding,
    /// What its days are cut from.
    pub documents: Documents,
}

/// An institution to be set up; the fields are those of [`Institution`].
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstitution<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub platform_code: &'a str,
    pub order_prefix: &'a str,
    pub result_encoding: ResultEncoding,
    pub documents: Documents,
}

/// What a founding command gives: the key of the object, and whether it was made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made<T> {
    /// Its internal key.
    pub id: T,
    /// Made now; otherwise it had been there with the same content, and nothing was done.
    pub is_new: bool,
}

impl<T> Made<T> {
    pub(crate) const fn now(id: T) -> Self {
        Made { id, is_new: true }
    }

    pub(crate) const fn before(id: T) -> Self {
        Made { id, is_new: false }
    }
}

/// Sets an institution up. The same again changes nothing; its code with other content is refused.
pub fn add(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    new: &NewInstitution<'_>,
) -> Result<Made<InstitutionId>, Error> {
    check(new)?;
    if let Some(known) = store::find(tx, new.code)? {
        let same = NewInstitution {
            code: &known.code,
            name: &known.name,
            platform_code: &known.platform_code,
            order_prefix: &known.order_prefix,
            result_encoding: known.result_encoding,
            documents: known.documents,
        };
        if same != *new {
            return Err(invalid(format!("code: {} is there already with other content", new.code)));
        }
        return Ok(Made::before(known.id));
    }
    let id = store::add(tx, at, new)?;
    let object = format!("institution:{}", new.code);
    let after = json!({
        "name": new.name, "platform_code": new.platform_code, "order_prefix": new.order_prefix,
        "result_encoding": new.result_encoding.as_str(), "documents": new.documents.as_str(),
    });
    let entry = audit::Entry { action: "institution.add", object: &object, before: None, after: Some(after) };
    audit::record(tx, at, actor, entry)?;
    Ok(Made::now(id))
}

/// Says what an institution's days are cut from, from the next cut on; whether it was something else before. Refused
/// where its channels' own bills cannot be split.
pub fn set_documents(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    institution: InstitutionId,
    documents: Documents,
) -> Result<bool, Error> {
    store::lock(tx, institution)?;
    let known = store::by_id(tx, institution)?;
    if known.documents == documents {
        return Ok(false);
    }
    for channel in channels(tx, institution)? {
        may_split(documents, channel.name)?;
    }
    store::set_documents(tx, institution, documents)?;
    let object = format!("institution:{}", known.code);
    let said = |documents: Documents| Some(json!({"documents": documents.as_str()}));
    let (before, after) = (said(known.documents), said(documents));
    let entry = audit::Entry { action: "institution.documents", object: &object, before, after };
    audit::record(tx, at, actor, entry)?;
    Ok(true)
}

/// A channel whose own bill would have to be split and cannot be, in words.
pub fn documents_break(of: &Institution, channels: &[ChannelProfile]) -> Option<String> {
    let refused = channels.iter().find_map(|channel| may_split(of.documents, channel.name).err());
    refused.map(|why| format!("institution {}: {why}", of.code))
}

/// Refuses a channel whose own bill would have to be split and names neither merchants nor tags.
fn may_split(documents: Documents, channel: ChannelName) -> Result<(), Error> {
    match (documents, channel) {
        (Documents::Channel, ChannelName::Wechat) | (Documents::Bil, _) => Ok(()),
        (Documents::Channel, ChannelName::Alipay) => Err(invalid(
            "documents: alipay's own bill names neither merchants nor tags, so that it cannot be split; with this \
             channel the institution's days are cut from its BIL: set `bil`",
        )),
    }
}

fn check(new: &NewInstitution<'_>) -> Result<(), Error> {
    let word = |text: &str, max: usize| {
        (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    if !word(new.code, 16) {
        return Err(invalid("code: 1 to 16 of A-Z 0-9"));
    }
    if !word(new.platform_code, 16) {
        return Err(invalid("platform_code: 1 to 16 of A-Z 0-9"));
    }
    // The prefix and 26 characters of a ULID make an order number of at most 32.
    if !word(new.order_prefix, 6) {
        return Err(invalid("order_prefix: 1 to 6 of A-Z 0-9"));
    }
    if new.name.trim().is_empty() || !text::is_plain(new.name) {
        return Err(invalid("name: the name shown on pages, without control or invisible characters"));
    }
    Ok(())
}

fn invalid(why: impl Into<String>) -> Error {
    Error::refused(Code::InstitutionInvalid, why)
}

/// The institution of a code; [`Code::InstitutionUnknown`] names the code where there is none.
pub fn by_code(tx: &mut Tx<'_>, code: &str) -> Result<Institution, Error> {
    store::find(tx, code)?.ok_or_else(|| Error::refused(Code::InstitutionUnknown, code))
}

/// The institution of an internal id.
pub fn by_id(tx: &mut Tx<'_>, id: InstitutionId) -> Result<Institution, Error> {
    store::by_id(tx, id)
}

/// Every institution, by code.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Institution>, Error> {
    store::all(tx)
}

/// Whether what ends then still counts.
pub(crate) fn counts(valid_to: Option<i64>, at: i64) -> bool {
    valid_to.is_none_or(|end| end > at)
}

/// When a new key begins to sign: a wish longer than an overlap may be is refused.
fn lead_end(at: i64, lead: i64) -> Result<i64, Error> {
    if !(0..=MAX_OVERLAP).contains(&lead) {
        return Err(invalid("lead: 0 to 90 days"));
    }
    Ok(at.saturating_add(lead))
}

/// When the key before a new one ends: a wish longer than allowed is refused.
fn overlap_end(at: i64, overlap: i64) -> Result<i64, Error> {
    if !(0..=MAX_OVERLAP).contains(&overlap) {
        return Err(invalid("overlap: 0 to 90 days"));
    }
    Ok(at.saturating_add(overlap))
}
