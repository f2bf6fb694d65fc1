//! What of a merchant's order is the channel's business alone: it goes there as it came (`channels.md` 3).
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::OrderRequest;
use super::shapes::{FieldFault, Payer, fits_bill, is_number};
use mingfen_kernel::text;

/// What of a merchant's request goes to the channel as it came, at every retry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Carried {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods_tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_fapiao: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_pay: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
}

impl Carried {
    /// Of a request whose `goods_tag` is the channel's own, or without it.
    #[must_use]
    pub fn of(request: &OrderRequest, goods_tag: Option<String>) -> Self {
        Self {
            sub_appid: request.sub_appid.clone(),
            goods_tag,
            support_fapiao: request.support_fapiao,
            limit_pay: request.limit_pay.clone(),
            scene_info: request.scene_info.clone(),
            detail: request.detail.clone(),
            payer: request.payer.clone(),
        }
    }

    /// Bounds of what is carried (`channels.md` 1.3).
    pub(super) fn check(&self) -> Result<(), FieldFault> {
        let fault = |field, issue| Err(FieldFault { field, issue });
        if self.sub_appid.as_deref().is_some_and(|id| !is_number(id)) {
            return fault("sub_appid", "须为 1 至 32 个可见 ASCII 字符");
        }
        if self.goods_tag.as_deref().is_some_and(|tag| tag.chars().count() > 32 || !fits_bill(tag)) {
            return fault("goods_tag", "不超过 32 个字符，或以 mingfen: 开头并写明标签与参与方");
        }
        let ways = self.limit_pay.as_deref().unwrap_or_default();
        if ways.len() > 16 || !ways.iter().all(|way| is_number(way)) {
            return fault("limit_pay", "最多 16 项，每项为 1 至 32 个可见 ASCII 字符");
        }
        if self.scene_info.as_ref().is_some_and(|scene| !is_plain_object(scene)) {
            return fault("scene_info", PLAIN_OBJECT);
        }
        if self.detail.as_ref().is_some_and(|detail| !is_plain_object(detail)) {
            return fault("detail", PLAIN_OBJECT);
        }
        Ok(())
    }
}

/// What is wrong with an object that is carried.
const PLAIN_OBJECT: &str = "须为 JSON 对象，其中文字不得含控制字符或不可见字符";

fn is_plain_object(value: &Value) -> bool {
    value.is_object() && is_plain(value)
}

/// Whether no text of it holds a control or invisible character.
pub(crate) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text::is_plain(text),
        Value::Array(list) => list.iter().all(is_plain),
        Value::Object(object) => object.iter().all(|(key, value)| text::is_plain(key) && is_plain(value)),
    }
}
