//! The JSON of a request, parsed once: who is named in it, its digest, and its documented shape.
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::Fault;
use crate::kernel::digest::Digest;
use crate::protocol::json;
use crate::protocol::wechat::direct;

/// Where a request has its sum.
const AMOUNT: &str = "amount.total";

/// A document in which no key stands twice: of two values nobody knows which one was meant.
#[derive(Clone, Debug)]
pub struct Content(Value);

impl Content {
    /// Parses a body.
    pub fn parse(body: &[u8]) -> serde_json::Result<Self> {
        json::parse(body).map(Content)
    }

    /// A text at the top.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The same for the same content, whatever the order of its keys or its spaces.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.to_string().as_bytes())
    }

    /// What a merchant asks for itself, as a platform would ask for it.
    pub fn of_direct(&self, sub_mchid: &str) -> Self {
        Self(direct::to_partner(self.0.clone(), sub_mchid))
    }

    /// As the shape `T`; the fault names the field.
    pub fn read<T: DeserializeOwned + Serialize>(&self) -> Result<T, Fault> {
        if !self.0.is_object() {
            return Err(Fault::parameter("body", "须为 JSON 对象"));
        }
        let shape = serde_path_to_error::deserialize(&self.0).map_err(|error| {
            let (path, why) = (error.path().to_string(), error.inner().to_string());
            // Of a field that is not there, the path ends at what should hold it.
            let missing = why.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            // What stands there instead is not told back: it may be anything.
            let issue = match missing {
                Some(_) => "缺少该字段",
                None if path == AMOUNT => "类型与接口文档不符，金额须为整数分",
                None => "类型与接口文档不符",
            };
            let field = match (path.as_str(), missing) {
                (".", Some(missing)) => missing.to_owned(),
                (".", None) => "body".to_owned(),
                (path, Some(missing)) => format!("{path}.{missing}"),
                (path, None) => path.to_owned(),
            };
            Fault::parameter(&field, issue)
        })?;
        match json::misfit(&self.0, &shape).map_err(|error| Fault::no_json(&error))? {
            None => Ok(shape),
            Some(field) => Err(Fault::parameter(&field, "须为 JSON 对象，不能是数组")),
        }
    }
}
