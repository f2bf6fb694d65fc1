//! A merchant that acts for itself says `appid` and `mchid` where a platform says `sp_appid`, `sp_mchid` and `sub_mchid`
//! (`channels.md` 1.3): its words are turned into the platform's here, and back.
use serde_json::{Map, Value};

use super::shapes::OrderView;
use crate::language::Language;

/// In which of the two forms a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By a platform that acts for its merchants.
    Partner,
    /// By a merchant that acts for itself.
    Direct,
}

impl Form {
    /// The language that an order of this form keeps.
    #[must_use]
    pub const fn language(self) -> Language {
        match self {
            Self::Partner => Language::WechatPartner,
            Self::Direct => Language::WechatDirect,
        }
    }
}

/// Path below which a merchant places orders for itself.
pub const DIRECT: &str = "/v3/pay/transactions/";

/// Fields of a platform's request, and what a merchant calls them.
const NAMES: [(&str, &str); 2] = [("sp_appid", "appid"), ("sp_mchid", "mchid")];
/// The same of a payer.
const PAYER: (&str, &str) = ("sp_openid", "openid");

/// A merchant's request as a platform would make it for `sub_mchid`. What is no object stays what it is.
#[must_use]
pub fn to_partner(mut request: Value, sub_mchid: &str) -> Value {
    if let Some(object) = request.as_object_mut() {
        for (partner, direct) in NAMES {
            rename(object, direct, partner);
        }
        object.remove("sub_appid");
        object.insert("sub_mchid".to_owned(), sub_mchid.into());
        if let Some(payer) = object.get_mut("payer").and_then(Value::as_object_mut) {
            rename(payer, PAYER.1, PAYER.0);
            payer.remove("sub_openid");
        }
    }
    request
}

/// A platform's view of an order as its merchant reads it.
pub fn from_partner(view: &OrderView) -> Result<Value, serde_json::Error> {
    let mut view = serde_json::to_value(view)?;
    if let Some(object) = view.as_object_mut() {
        for (partner, direct) in NAMES {
            rename(object, partner, direct);
        }
        object.remove("sub_appid");
        object.remove("sub_mchid");
        if let Some(payer) = object.get_mut("payer").and_then(Value::as_object_mut) {
            rename(payer, PAYER.0, PAYER.1);
            payer.remove("sub_openid");
        }
    }
    Ok(view)
}

/// What a merchant calls a field of a platform's request.
#[must_use]
pub fn name_of(field: &str) -> String {
    let own = NAMES.into_iter().find(|(partner, _)| *partner == field).map(|(_, direct)| direct.to_owned());
    own.unwrap_or_else(|| field.replace(PAYER.0, PAYER.1))
}

/// Whatever stood under the new name is no field of this form.
fn rename(object: &mut Map<String, Value>, from: &str, to: &str) {
    object.remove(to);
    if let Some(value) = object.remove(from) {
        object.insert(to.to_owned(), value);
    }
}
