//! Tenants: the platform merchants whose systems call us.
use serde_json::json;

use super::credential_store as store;
use crate::db::Tx;
use crate::db::columns::TenantId;
use crate::error::{Code, Error};
use crate::institutions::Made;
use crate::kernel::text;
use crate::people::{Actor, audit};

/// A platform merchant: the tenant within which an `out_trade_no` is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformMerchant {
    /// Internal id.
    pub id: TenantId,
    /// Its number in requests.
    pub sp_mchid: String,
    /// Its application id in requests.
    pub sp_appid: String,
    /// The name shown on pages.
    pub name: String,
}

/// Makes a tenant. The same again changes nothing; its number with other content is refused.
pub fn add(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    sp_mchid: &str,
    sp_appid: &str,
    name: &str,
) -> Result<Made<TenantId>, Error> {
    let number =
        |text: &str| (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !number(sp_mchid) {
        return Err(invalid("sp_mchid: 1 to 32 of 0-9 A-Z a-z"));
    }
    if !number(sp_appid) {
        return Err(invalid("sp_appid: 1 to 32 of 0-9 A-Z a-z"));
    }
    if name.trim().is_empty() || !text::is_plain(name) {
        return Err(invalid("name: the name shown on pages, without control or invisible characters"));
    }
    if let Some(known) = store::platform_merchant(tx, sp_mchid)? {
        if (known.sp_appid.as_str(), known.name.as_str()) != (sp_appid, name) {
            let why = format!("{sp_mchid} is {} with sp_appid {}, and stays so", known.name, known.sp_appid);
            return Err(invalid(why));
        }
        return Ok(Made::before(known.id));
    }
    let id = store::add_platform_merchant(tx, at, sp_mchid, sp_appid, name)?;
    let object = format!("platform_merchant:{sp_mchid}");
    let after = Some(json!({"sp_appid": sp_appid, "name": name}));
    let entry = audit::Entry { action: "platform_merchant.add", object: &object, before: None, after };
    audit::record(tx, at, actor, entry)?;
    Ok(Made::now(id))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::refused(Code::MerchantInvalid, why)
}

/// The tenant of a number.
pub fn by_number(tx: &mut Tx<'_>, sp_mchid: &str) -> Result<Option<PlatformMerchant>, Error> {
    store::platform_merchant(tx, sp_mchid)
}

/// The tenant of an internal id.
pub fn by_id(tx: &mut Tx<'_>, id: TenantId) -> Result<PlatformMerchant, Error> {
    store::platform_merchant_by_id(tx, id)
}
