//! Sub-merchants, and the names of receivers. Who may trade and receive is the institution's word: its bundle.
mod store;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::db::Tx;
use crate::error::{Code, Error};
use crate::people::{Actor, Scope, audit};

/// A sub-merchant: who sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubMerchant {
    /// Internal id.
    pub id: i64,
    /// Its number: `sub_mchid` in requests, `merchant` in files.
    pub merchant: String,
    /// The platform merchant under which it was onboarded.
    pub platform_merchant_id: i64,
    /// The institution that clears for it.
    pub institution_id: i64,
    /// Its number at the institution.
    pub inst_merchant_no: String,
    /// The name shown on pages.
    pub name: String,
}

/// A sub-merchant to be made; the fields are those of [`SubMerchant`].
#[allow(missing_docs)]
pub struct NewSubMerchant<'a> {
    pub merchant: &'a str,
    pub platform_merchant_id: i64,
    pub institution_id: i64,
    pub inst_merchant_no: &'a str,
    pub name: &'a str,
}

/// Makes a sub-merchant and gives its internal id.
pub fn create(tx: &mut Tx<'_>, at: i64, actor: &Actor, new: &NewSubMerchant<'_>) -> Result<i64, Error> {
    let number = |text: &str| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    if !number(new.merchant) || !number(new.inst_merchant_no) || new.name.trim().is_empty() {
        return Err(Error::refused(Code::MerchantInvalid, "numbers are 1 to 32 of 0-9 A-Z a-z _ -"));
    }
    if store::by_number(tx, new.merchant)?.is_some() {
        return Err(Error::refused(Code::MerchantInvalid, format!("{} is there already", new.merchant)));
    }
    let id = store::add(tx, at, new)?;
    let object = format!("sub_merchant:{}", new.merchant);
    let after = Some(json!({"name": new.name, "inst_merchant_no": new.inst_merchant_no}));
    let entry = audit::Entry { action: "sub_merchant.add", object: &object, before: None, after };
    audit::record(tx, at, actor, entry)?;
    Ok(id)
}

/// The sub-merchant of a number.
pub fn by_number(tx: &mut Tx<'_>, merchant: &str) -> Result<Option<SubMerchant>, Error> {
    store::by_number(tx, merchant)
}

/// The sub-merchant of an internal id.
pub fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<SubMerchant, Error> {
    store::by_id(tx, id)
}

/// The sub-merchants within a scope, by number.
pub fn list(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<SubMerchant>, Error> {
    store::list(tx, scope)
}

/// Names a receiver (`agent:A1`) for pages, or names it anew.
pub fn name_receiver(
    tx: &mut Tx<'_>,
    institution: i64,
    receiver: &str,
    role: &str,
    name: &str,
) -> Result<(), Error> {
    store::name_receiver(tx, institution, receiver, role, name)
}

/// Names of these receivers of an institution, its sub-merchants (`merchant:M1001`) among them.
pub fn receiver_names(
    tx: &mut Tx<'_>,
    institution: i64,
    receivers: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut names = store::receiver_names(tx, institution, receivers)?;
    let merchants: Vec<&str> = receivers.iter().filter_map(|key| key.strip_prefix("merchant:")).collect();
    for (merchant, name) in store::merchant_names(tx, institution, &merchants)? {
        names.insert(format!("merchant:{merchant}"), name);
    }
    Ok(names)
}
