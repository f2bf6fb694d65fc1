//! Parameters as they travel, in a query, in a form body or in both (`channels.md` 0.10).
//!
//! Names and values are kept as bytes, decoded once: what is signed are the bytes in the sender's own charset, and no
//! text of ours would give them back.
use thiserror::Error;

use super::charset::Charset;

/// The most bytes of a query and a body together.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most parameters.
pub const MAX_PARAMETERS: usize = 64;
/// Longest name, in bytes.
pub const MAX_NAME: usize = 64;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Why parameters cannot be read. The text may be shown to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormFault {
    /// Over [`MAX_BYTES`], or more than [`MAX_PARAMETERS`].
    #[error("too long, or too many parameters")]
    TooLong,
    /// Begins with a byte order mark.
    #[error("a byte order mark stands before the parameters")]
    ByteOrderMark,
    /// `%` without two hex digits, or a name that is none.
    #[error("not of the form name=value&name=value")]
    Malformed,
    /// One name has two values: nobody knows which one was meant.
    #[error("a parameter stands twice")]
    Twice,
}

/// Named values, ascending by name, none twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, Vec<u8>)>);

impl Form {
    /// Reads a query (without `?`) and a form body; either may be empty.
    pub fn parse(query: &[u8], body: &[u8]) -> Result<Self, FormFault> {
        if query.len().saturating_add(body.len()) > MAX_BYTES {
            return Err(FormFault::TooLong);
        }
        let mut found = Vec::new();
        for part in [query, body] {
            if part.starts_with(BOM) {
                return Err(FormFault::ByteOrderMark);
            }
            for pair in part.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
                found.push(read_pair(pair)?);
                if found.len() > MAX_PARAMETERS {
                    return Err(FormFault::TooLong);
                }
            }
        }
        Self::sorted(found)
    }

    /// Parameters that we send, in the charset of the message; an empty value is left out, as it is not signed.
    pub fn of(charset: Charset, pairs: &[(&str, &str)]) -> Result<Self, FormFault> {
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        Self::sorted(given.map(|(name, value)| ((*name).to_owned(), charset.encode(value))).collect())
    }

    fn sorted(mut found: Vec<(String, Vec<u8>)>) -> Result<Self, FormFault> {
        found.sort_unstable();
        if found.iter().zip(found.iter().skip(1)).any(|(one, next)| one.0 == next.0) {
            return Err(FormFault::Twice);
        }
        Ok(Self(found))
    }

    /// A value; an empty one is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_slice())
    }

    /// What a signature covers: `name=value` of all that have one, joined by `&`, those named `without` left out.
    #[must_use]
    pub fn to_sign(&self, without: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, value) in &self.0 {
            if value.is_empty() || without.contains(&name.as_str()) {
                continue;
            }
            if !text.is_empty() {
                text.push(b'&');
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value);
        }
        text
    }

    /// Adds a parameter of ASCII, such as the signature over all others.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.as_bytes().to_vec()));
        self.0.sort_unstable();
        self
    }

    /// As `application/x-www-form-urlencoded`, those for which `wanted` holds.
    #[must_use]
    pub fn encoded(&self, wanted: impl Fn(&str) -> bool) -> String {
        let pairs = self.0.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| {
            let value: String = url::form_urlencoded::byte_serialize(value).collect();
            format!("{name}={value}")
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn read_pair(pair: &[u8]) -> Result<(String, Vec<u8>), FormFault> {
    let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            (pair.get(..at).unwrap_or_default(), pair.get(at.saturating_add(1)..).unwrap_or_default())
        }
        None => (pair, [].as_slice()),
    };
    let name = decoded(name)?;
    if name.starts_with(BOM) {
        return Err(FormFault::ByteOrderMark);
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let name = String::from_utf8(name).map_err(|_| FormFault::Malformed)?;
    if !(1..=MAX_NAME).contains(&name.len()) || !name.as_bytes().iter().all(is_name) {
        return Err(FormFault::Malformed);
    }
    Ok((name, decoded(value)?))
}

/// `+` and `%20` are blanks; decoded once.
pub(super) fn decoded(text: &[u8]) -> Result<Vec<u8>, FormFault> {
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text.iter());
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.copied().unwrap_or_default());
                let byte = hex::decode(digits).map_err(|_| FormFault::Malformed)?;
                plain.extend(byte);
            }
            byte => plain.push(*byte),
        }
    }
    Ok(plain)
}
