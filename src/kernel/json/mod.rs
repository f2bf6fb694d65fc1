//! Strict JSON (`split.md`, "Numbers, times, text"): no duplicate keys, integers only, and [`Check`] finds unknown keys
//! and wrong values at their places.
//!
//! The grammar is walked here and not by serde, because a rule must be judged by what was written: `1.0` and `1e400` are
//! findings of the rule, `-0` is an integer, and a key given twice makes the whole text unreadable.
mod check;
mod read;

use std::collections::BTreeMap;

use serde::Serialize;

pub use check::{At, Check, Entries};
pub use read::{MAX_INTEGER, Unreadable, read};

/// A JSON value. As text by `serde_json::to_string` it is in canonical form (RFC 8785), as long as keys are ASCII and
/// numbers are integers, which every valid document of ours is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number within ±(2^53 − 1), written without fraction and exponent.
    Integer(i64),
    /// Any other number, as written: never valid.
    OtherNumber(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object; no key stands twice.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Json::Integer(number) = self { Some(*number) } else { None }
    }

    /// The entries, if it is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Json>> {
        if let Json::Object(entries) = self { Some(entries) } else { None }
    }
}
