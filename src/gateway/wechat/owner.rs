//! For whom a caller acts: its own number, and a sub-merchant that belongs to it. One that acts for itself names none.
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::content::Content;
use super::fault::Fault;
use super::signed::Signed;
use crate::merchants::{SubMerchant, Whom};
use crate::protocol::wechat::direct::Form;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::shapes::OrderOwner;

/// What a request says of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A platform for this merchant of it.
    Partner(OrderOwner),
    /// A merchant for itself, by this number of its own.
    Direct(String),
}

/// Body of the close call of a merchant that acts for itself.
#[derive(Serialize, Deserialize)]
struct Myself {
    mchid: String,
}

/// The owner in a query string. SDKs write an empty first parameter or repeat none: others are ignored.
pub fn in_query(query: &str, form: Form) -> Result<Owner, Fault> {
    let find = |name: &str| {
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) if !value.is_empty() => Ok(value.into_owned()),
            _ => Err(Fault::in_query(name, "必须出现且仅出现一次，不能为空")),
        }
    };
    match form {
        Form::Partner => {
            Ok(Owner::Partner(OrderOwner { sp_mchid: find("sp_mchid")?, sub_mchid: find("sub_mchid")? }))
        }
        Form::Direct => find("mchid").map(Owner::Direct),
    }
}

/// The owner in a body that says nothing else.
pub fn in_body(content: &Content, form: Form) -> Result<Owner, Fault> {
    match form {
        Form::Partner => content.read().map(Owner::Partner),
        Form::Direct => content.read().map(|Myself { mchid }| Owner::Direct(mchid)),
    }
}

/// Whom a request names, before anything of it is proven.
pub fn named(changes: bool, content: Option<&Content>, query: &str, form: Form) -> Whom {
    let number = match (form, changes) {
        (Form::Direct, _) => return Whom::Only,
        (Form::Partner, true) => content.and_then(|content| content.text("sub_mchid")).map(str::to_owned),
        (Form::Partner, false) => match in_query(query, form) {
            Ok(Owner::Partner(owner)) => Some(owner.sub_mchid),
            Ok(Owner::Direct(_)) | Err(_) => None,
        },
    };
    number.filter(|number| is_number(number)).map_or(Whom::Nobody, Whom::Number)
}

/// Whether a database may be asked for this: not all of them take every character.
pub fn is_number(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// The sub-merchant for which the caller acts. A foreign one is refused like one that does not exist.
pub fn merchant(signed: &Signed, owner: &Owner) -> Result<SubMerchant, Fault> {
    let refused = |why: &str| Err(Fault::new(WechatCode::NoAuth, why));
    let tenant = signed.credential.platform_merchant_id;
    let known = signed.merchant.as_ref().filter(|merchant| merchant.platform_merchant_id == tenant);
    match (owner, known) {
        (Owner::Partner(owner), _) if owner.sp_mchid != signed.credential.sp_mchid => {
            refused("sp_mchid 与签名的商户号不一致")
        }
        (Owner::Direct(mchid), _) if *mchid != signed.credential.sp_mchid => {
            refused("mchid 与签名的商户号不一致")
        }
        (Owner::Partner(owner), Some(known)) if known.merchant == owner.sub_mchid => Ok(known.clone()),
        (Owner::Partner(_), _) => refused("sub_mchid 不存在或不属于该服务商，请核对特约商户号"),
        (Owner::Direct(_), Some(known)) => Ok(known.clone()),
        (Owner::Direct(_), None) => {
            refused("直连接口只用于仅有一个商户的平台，请改用服务商接口并注明 sub_mchid")
        }
    }
}
