//! The JSON of a request, parsed once: who is named in it, its digest, and its documented shape.
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kernel::digest::Digest;
use crate::protocol::json;

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

    /// As the shape `T`.
    pub fn read<T: DeserializeOwned + Serialize>(&self) -> serde_json::Result<T> {
        json::read(&self.0)
    }
}
