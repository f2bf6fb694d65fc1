//! Channels of an institution: how each is spoken to.
use serde_json::json;

use super::channel_key::{NewOwnKey, OwnKey, open_channel, own_key, wrapped};
use super::{Made, channel_store as store, invalid};
use crate::db::Tx;
use crate::db::columns::{ChannelId, InstitutionId};
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::people::{Actor, audit};
use crate::protocol::crypto::MasterKey;

mingfen_kernel::text_enum! {
    /// The language that a channel speaks (`counter.md`, "Words").
    pub enum ChannelLanguage {
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
    pub language: ChannelLanguage,
    /// Where it is, without trailing slash.
    pub base_url: String,
    /// Our number there.
    pub sp_mchid: String,
    /// Our application there.
    pub sp_appid: String,
    /// Counts every change of this and of its keys.
    pub version: i64,
}

/// A channel to be made; the fields are those of [`ChannelProfile`].
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewChannel<'a> {
    pub name: ChannelName,
    pub language: ChannelLanguage,
    pub base_url: &'a str,
    pub sp_mchid: &'a str,
    pub sp_appid: &'a str,
    /// Needed for a new one; without it only the rest is compared.
    pub own: Option<NewOwnKey<'a>>,
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
    super::store::lock(tx, institution)?;
    super::may_split(super::by_id(tx, institution)?.documents, new.name)?;
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
    super::fits(tx, master)?;
    let id = store::add(tx, at, institution, new)?;
    store::add_key(tx, id, &wrapped(master, &own, Some(at))?)?;
    let after = json!({
        "language": new.language.as_str(), "base_url": new.base_url, "sp_mchid": new.sp_mchid,
        "sp_appid": new.sp_appid, "serial": own.serial,
    });
    note(tx, at, actor, "channel.add", (institution, new.name), after)?;
    Ok(Made::now(id))
}

pub(super) fn note(
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
    let is_plain = |u: url::Url| {
        let has_login = !u.username().is_empty() || u.password().is_some();
        matches!(u.scheme(), "http" | "https")
            && u.path() == "/"
            && !has_login
            && u.query().is_none()
            && u.fragment().is_none()
    };
    if !url::Url::parse(new.base_url).is_ok_and(is_plain) || new.base_url.ends_with('/') {
        return Err(invalid("base_url: http(s)://HOST without login, path, query or a slash at its end"));
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
        (ChannelName::Wechat, ChannelLanguage::WechatV3) => Ok(()),
        (ChannelName::Alipay, ChannelLanguage::AlipayOpenapi) => Ok(()),
        (ChannelName::Alipay, ChannelLanguage::AlipayV3) => {
            Err(invalid(format!("language: {} is not spoken by this version yet", new.language)))
        }
        (ChannelName::Wechat | ChannelName::Alipay, _) => {
            Err(invalid(format!("language: {} is not spoken by {}", new.language, new.name)))
        }
    }
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
