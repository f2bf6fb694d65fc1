//! For whom a caller acts: its own sp_mchid, and a sub-merchant that belongs to it.
use url::form_urlencoded;

use super::fault::Fault;
use super::signed::Signed;
use crate::merchants::SubMerchant;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::shapes::OrderOwner;

/// The owner in a query string. SDKs write an empty first parameter or repeat none: others are ignored.
pub fn in_query(query: &str) -> Result<OrderOwner, Fault> {
    let find = |name: &str| {
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) if !value.is_empty() => Ok(value.into_owned()),
            _ => Err(Fault::in_query(name, "必须出现且仅出现一次，不能为空")),
        }
    };
    Ok(OrderOwner { sp_mchid: find("sp_mchid")?, sub_mchid: find("sub_mchid")? })
}

/// Whether a database may be asked for this: not all of them take every character.
pub fn is_number(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// The sub-merchant for which the caller acts. A foreign one is refused like one that does not exist.
pub fn merchant(signed: &Signed, owner: &OrderOwner) -> Result<SubMerchant, Fault> {
    if owner.sp_mchid != signed.credential.sp_mchid {
        return Err(Fault::new(WechatCode::NoAuth, "sp_mchid 与签名的商户号不一致"));
    }
    let tenant = signed.credential.platform_merchant_id;
    let found = signed
        .merchant
        .as_ref()
        .filter(|merchant| merchant.merchant == owner.sub_mchid && merchant.platform_merchant_id == tenant);
    found
        .cloned()
        .ok_or_else(|| Fault::new(WechatCode::NoAuth, "sub_mchid 不存在或不属于该服务商，请核对特约商户号"))
}
