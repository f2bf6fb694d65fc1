//! The JSON of a request, parsed once: who is named in it, its digest, and its documented shape.
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use super::fault::Fault;
use crate::kernel::digest::Digest;

/// A document in which no key stands twice: of two values nobody knows which one was meant.
#[derive(Clone, Debug)]
pub struct Content(Value);

impl Content {
    /// Parses a body.
    pub fn parse(body: &[u8]) -> serde_json::Result<Self> {
        let value: Value = serde_json::from_slice(body)?;
        // The parser keeps the last of two: one of the written entries is missing then.
        if entries(&value) != colons(body) {
            return Err(serde_json::Error::custom("a key stands twice in one object"));
        }
        Ok(Content(value))
    }

    /// A text at the top.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The same for the same content, whatever the order of its keys or its spaces.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.to_string().as_bytes())
    }

    /// As the shape `T`; the fault names the field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if !self.0.is_object() {
            return Err(Fault::parameter("body", "a JSON object"));
        }
        serde_path_to_error::deserialize(&self.0).map_err(|error| {
            let (path, why) = (error.path().to_string(), error.inner().to_string());
            // Of a field that is not there, the path ends at what should hold it.
            let missing = why.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            let field = match (path.as_str(), missing) {
                (".", Some(missing)) => missing.to_owned(),
                (".", None) => "body".to_owned(),
                (path, Some(missing)) => format!("{path}.{missing}"),
                (path, None) => path.to_owned(),
            };
            Fault::parameter(&field, &format!("as documented, amounts in whole fen: {why}"))
        })
    }
}

/// Entries of all objects.
fn entries(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(entries).fold(object.len(), usize::saturating_add),
        Value::Array(list) => list.iter().map(entries).fold(0, usize::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Colons outside of strings: one for each entry that is written.
fn colons(json: &[u8]) -> usize {
    let (mut in_string, mut escaped, mut colons) = (false, false, 0_usize);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons = colons.saturating_add(1),
            _ => {}
        }
    }
    colons
}
