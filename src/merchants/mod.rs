//! Tenants and their credentials, sub-merchants and where they are enrolled, the names of receivers. Who may trade and
//! receive is the institution's word: its bundle.
pub mod applications;
pub mod credentials;
pub mod founding;
pub mod nonces;
pub mod tenants;

mod admission_store;
mod credential_store;
mod store;

pub use admission_store::{Asked, Known, Signatory, Whom, look_up};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::db::Tx;
use crate::db::columns::{InstitutionId, MerchantId, TenantId};
use crate::error::{Code, Error};
use crate::institutions::{self, Made};
use crate::kernel::text;
use crate::people::{Actor, Scope, audit};

/// A sub-merchant, who sells, at an institution where it is enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubMerchant {
    /// Internal id.
    pub id: MerchantId,
    /// Its number: `sub_mchid` in requests, `merchant` in files.
    pub merchant: String,
    /// The platform merchant under which it was onboarded.
    pub platform_merchant_id: TenantId,
    /// The institution that clears for it.
    pub institution_id: InstitutionId,
    /// Its number at the institution.
    pub inst_merchant_no: String,
    /// The name shown on pages.
    pub name: String,
}

/// A sub-merchant to be made and enrolled; the fields are those of [`SubMerchant`].
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewSubMerchant<'a> {
    pub merchant: &'a str,
    pub platform_merchant_id: TenantId,
    pub institution_id: InstitutionId,
    pub inst_merchant_no: &'a str,
    pub name: &'a str,
}

/// Makes a sub-merchant where it is not there yet, enrols it at the institution where it is not yet, and gives its
/// internal id. The same again changes nothing; other content is refused.
pub fn add(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    new: &NewSubMerchant<'_>,
) -> Result<Made<MerchantId>, Error> {
    check(new)?;
    let id = match store::find(tx, new.merchant)? {
        None => {
            let id = store::add(tx, at, new)?;
            note(tx, at, actor, "sub_merchant.add", new, json!({"name": new.name}))?;
            id
        }
        Some((id, tenant, name)) if (tenant, name.as_str()) == (new.platform_merchant_id, new.name) => id,
        Some(_) => {
            return Err(invalid(format!("merchant: {} is there already with other content", new.merchant)));
        }
    };
    if let Some(known) = store::enrolled(tx, id, new.institution_id)? {
        if known.inst_merchant_no != new.inst_merchant_no {
            let known = known.inst_merchant_no;
            return Err(invalid(format!("inst_merchant_no: {} is {known} there already", new.merchant)));
        }
        return Ok(Made::before(id));
    }
    if let Some(other) = store::number_taken(tx, new.institution_id, new.inst_merchant_no)? {
        return Err(invalid(format!("inst_merchant_no: {} is {other}'s", new.inst_merchant_no)));
    }
    store::enrol(tx, at, id, new)?;
    let institution = institutions::by_id(tx, new.institution_id)?.code;
    let after = json!({"institution": institution, "inst_merchant_no": new.inst_merchant_no});
    note(tx, at, actor, "sub_merchant.enrol", new, after)?;
    Ok(Made::now(id))
}

fn check(new: &NewSubMerchant<'_>) -> Result<(), Error> {
    let number = |text: &str| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    if !number(new.merchant) || new.merchant == "platform" {
        return Err(invalid("merchant: 1 to 32 of 0-9 A-Z a-z _ -, not `platform`"));
    }
    if !number(new.inst_merchant_no) {
        return Err(invalid("inst_merchant_no: 1 to 32 of 0-9 A-Z a-z _ -"));
    }
    if new.name.trim().is_empty() || !text::is_plain(new.name) {
        return Err(invalid("name: the name shown on pages, without control or invisible characters"));
    }
    Ok(())
}

fn note(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    action: &str,
    new: &NewSubMerchant<'_>,
    after: serde_json::Value,
) -> Result<(), Error> {
    let object = format!("sub_merchant:{}", new.merchant);
    audit::record(tx, at, actor, audit::Entry { action, object: &object, before: None, after: Some(after) })
}

fn invalid(why: impl Into<String>) -> Error {
    Error::refused(Code::MerchantInvalid, why)
}

/// The sub-merchant of a number, at the institution where it was enrolled first.
pub fn by_number(tx: &mut Tx<'_>, merchant: &str) -> Result<Option<SubMerchant>, Error> {
    store::by_number(tx, merchant)
}

/// The sub-merchant of an internal id, at the institution where it was enrolled first.
pub fn by_id(tx: &mut Tx<'_>, id: MerchantId) -> Result<SubMerchant, Error> {
    store::by_id(tx, id)
}

/// A sub-merchant at an institution.
pub fn enrolled(tx: &mut Tx<'_>, id: MerchantId, institution: InstitutionId) -> Result<SubMerchant, Error> {
    store::enrolled(tx, id, institution)?.ok_or(Error::NotFound)
}

/// The sub-merchants within a scope, by number; outside an institution's scope each where it was enrolled first.
pub fn list(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<SubMerchant>, Error> {
    store::list(tx, scope)
}

/// Who besides merchants receives shares, to be named for pages.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug)]
pub struct NewReceiver<'a> {
    pub institution_id: InstitutionId,
    pub receiver: &'a str,
    pub role: &'a str,
    pub name: &'a str,
}

/// Names a receiver (`agent:A1`). The same again changes nothing; other content is refused.
pub fn add_receiver(
    tx: &mut Tx<'_>,
    at: i64,
    actor: &Actor,
    new: &NewReceiver<'_>,
) -> Result<Made<i64>, Error> {
    if !text::is_receiver(new.receiver) || new.receiver.starts_with("merchant:") {
        return Err(invalid("receiver: `kind` or `kind:NUMBER`, no merchant"));
    }
    if !text::is_role(new.role) {
        return Err(invalid("role: 1 to 20 of a-z"));
    }
    if new.name.trim().is_empty() || !text::is_plain(new.name) {
        return Err(invalid("name: the name shown on pages, without control or invisible characters"));
    }
    if let Some((id, role, name)) = store::receiver(tx, new.institution_id, new.receiver)? {
        if (role.as_str(), name.as_str()) != (new.role, new.name) {
            return Err(invalid(format!("receiver: {} is there already with other content", new.receiver)));
        }
        return Ok(Made::before(id));
    }
    let id = store::add_receiver(tx, new)?;
    let institution = institutions::by_id(tx, new.institution_id)?.code;
    let object = format!("receiver:{institution}/{}", new.receiver);
    let after = Some(json!({"role": new.role, "name": new.name}));
    let entry = audit::Entry { action: "receiver.add", object: &object, before: None, after };
    audit::record(tx, at, actor, entry)?;
    Ok(Made::now(id))
}

/// Names of these receivers of an institution, its sub-merchants (`merchant:M1001`) among them.
pub fn receiver_names(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    receivers: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut names = store::receiver_names(tx, institution, receivers)?;
    let merchants: Vec<&str> = receivers.iter().filter_map(|key| key.strip_prefix("merchant:")).collect();
    for (merchant, name) in store::merchant_names(tx, institution, &merchants)? {
        names.insert(format!("merchant:{merchant}"), name);
    }
    Ok(names)
}
