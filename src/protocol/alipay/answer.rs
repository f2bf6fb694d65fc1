//! Answers of `gateway.do`: one object under the call's name, then the signature over exactly its bytes
//! (`channels.md` 0.8, 0.9). Clients cut that object out in three ways, of which one counts braces without looking at
//! quotes: in texts of ours a brace is written as an escape.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, Write};
use thiserror::Error;

use super::charset::Charset;
use super::errors::{Code, SubCode};
use super::request::signature_bytes;
use crate::crypto::{CryptoError, PrivateKey, PublicKey, base64};

/// Where an answer stands whose call cannot be told.
const ERROR: &str = "error_response";
/// The number of the certificate of the key that signed, in certificate mode.
const CERTIFICATE: &str = "alipay_cert_sn";
/// Longest answer read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// How every answer begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// See [`Code`].
    pub code: String,
    /// The code in words.
    pub msg: String,
    /// See [`SubCode`]; where the call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_code: Option<String>,
    /// What exactly is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_msg: Option<String>,
}

impl Head {
    /// Of a call that did not fail.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { code: code.as_str().into(), msg: code.message().into(), sub_code: None, sub_msg: None }
    }

    /// Of a call that failed; `detail` is said behind the code's own words.
    #[must_use]
    pub fn refused(code: SubCode, detail: &str) -> Self {
        let told = if detail.is_empty() { "" } else { "：" };
        Self {
            sub_code: Some(code.as_str().into()),
            sub_msg: Some(format!("{}{told}{detail}", code.message())),
            ..Self::of(code.code())
        }
    }
}

/// An answer: its head, and what the call gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer<T> {
    /// Whether it succeeded.
    #[serde(flatten)]
    pub head: Head,
    /// What it gives; `()` where it gives nothing.
    #[serde(flatten)]
    pub given: Option<T>,
}

impl<T> Answer<T> {
    /// Of a call that succeeded.
    pub fn success(given: T) -> Self {
        Self { head: Head::of(Code::Success), given: Some(given) }
    }
}

impl Answer<()> {
    /// Of a call that was refused.
    #[must_use]
    pub fn refused(code: SubCode, detail: &str) -> Self {
        Self { head: Head::refused(code, detail), given: None }
    }
}

/// The name under which a call is answered; another where the call is none.
#[must_use]
pub fn name_of(method: Option<&str>) -> String {
    let is_method = |text: &&str| {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(word)
    };
    method.filter(is_method).map_or_else(|| ERROR.to_owned(), |text| text.replace('.', "_") + "_response")
}

/// The key with which answers are signed, and the number of its certificate in certificate mode.
#[derive(Debug, Clone, Copy)]
pub struct AnswerSigner<'a> {
    /// The private key.
    pub key: &'a PrivateKey,
    /// See `certificates.rs`.
    pub certificate: Option<&'a str>,
}

/// The signed body of an answer, in the charset of its request.
pub fn sign<T: Serialize>(
    who: AnswerSigner<'_>,
    method: Option<&str>,
    charset: Charset,
    answer: &Answer<T>,
) -> Result<Vec<u8>, CryptoError> {
    let content = charset.encode(&written(charset, answer).map_err(|_| CryptoError::PrivateKey)?);
    let signature = base64(&who.key.sign_sha256(&content)?);
    let mut body = format!("{{\"{}\":", name_of(method)).into_bytes();
    body.extend(content);
    if let Some(serial) = who.certificate {
        body.extend(format!(",\"{CERTIFICATE}\":\"{serial}\"").into_bytes());
    }
    body.extend(format!(",\"sign\":\"{signature}\"}}").into_bytes());
    Ok(body)
}

/// The body of an answer to somebody who has not proven who it is: nothing is signed.
#[must_use]
pub fn unsigned(method: Option<&str>, charset: Charset, answer: &Answer<()>) -> Vec<u8> {
    let content = written(charset, answer).unwrap_or_else(|_| "{}".to_owned());
    let mut body = format!("{{\"{}\":", name_of(method)).into_bytes();
    body.extend(charset.encode(&content));
    body.push(b'}');
    body
}

fn written(charset: Charset, content: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    content.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Careful(charset)))?;
    String::from_utf8(bytes).map_err(|_| serde::ser::Error::custom("not UTF-8"))
}

/// Compact JSON without a brace inside a text, and with nothing that the charset cannot write.
struct Careful(Charset);

impl Formatter for Careful {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        for c in text.chars() {
            if self.0.writes(c) && !matches!(c, '{' | '}') {
                CompactFormatter.write_string_fragment(writer, c.encode_utf8(&mut [0; 4]))?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

/// A key with which the other side signs answers and notifications. During a switch there are two.
#[derive(Debug, Clone)]
pub struct AnswerKey {
    /// The number of its certificate; `None` for a bare public key.
    pub certificate: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// Whether one of the keys, of the certificate that the message names where it names one, signed these bytes.
pub(super) fn is_signed(
    keys: &[AnswerKey],
    certificate: Option<&str>,
    bytes: &[u8],
    signature: &[u8],
) -> bool {
    let named = |key: &&AnswerKey| key.certificate.is_none() || key.certificate.as_deref() == certificate;
    keys.iter().filter(named).any(|one| one.key.verify(bytes, signature))
}

/// Why an answer is not believed. Whether the call was carried out stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AnswerFault {
    /// Not the documented JSON.
    #[error("the answer is not the documented JSON object")]
    Malformed,
    /// No signature, as of errors that somebody else may have made up.
    #[error("the answer is not signed")]
    Unsigned,
    /// Signed with none of the known keys, or over other bytes.
    #[error("the answer's signature is wrong")]
    Signature,
}

/// What a believed answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<T> {
    /// Done, or stated: code 10000.
    Known(T),
    /// The payer is asked for a password: code 10003.
    Waiting,
    /// For certain nothing was done.
    Refused {
        /// The sub code, where it is one that we know.
        code: Option<SubCode>,
        /// Code and texts as they came.
        head: Head,
    },
    /// Too many calls: later, with the same numbers.
    Busy,
    /// Nobody knows what was done: ask.
    Unknown,
}

impl<T> Said<T> {
    /// The same of what is made of what it says.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Said<U> {
        match self {
            Self::Known(value) => Said::Known(make(value)),
            Self::Waiting => Said::Waiting,
            Self::Refused { code, head } => Said::Refused { code, head },
            Self::Busy => Said::Busy,
            Self::Unknown => Said::Unknown,
        }
    }
}

/// What an answer said that was believed and kept before.
pub fn open_kept<T: for<'de> Deserialize<'de> + Serialize>(method: &str, body: &[u8]) -> Option<T> {
    let body = crate::json::parse(body).ok()?;
    crate::json::read(body.get(name_of(Some(method)))?).ok()
}

/// Reads the answer of a call of ours, which is UTF-8: its signature over the bytes as they came, then what it says.
pub fn open<T: for<'de> Deserialize<'de> + Serialize>(
    keys: &[AnswerKey],
    method: &str,
    body: &[u8],
) -> Result<Said<T>, AnswerFault> {
    let text = std::str::from_utf8(body).map_err(|_| AnswerFault::Malformed)?;
    if body.len() > MAX_BYTES {
        return Err(AnswerFault::Malformed);
    }
    crate::json::parse(body).map_err(|_| AnswerFault::Malformed)?;
    let parts: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|_| AnswerFault::Malformed)?;
    let content = parts.get(&name_of(Some(method))).or_else(|| parts.get(ERROR));
    let content = content.ok_or(AnswerFault::Malformed)?.get().as_bytes();
    let text_of = |name: &str| parts.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let signature = text_of("sign").filter(|sign| !sign.is_empty()).ok_or(AnswerFault::Unsigned)?;
    let signature = signature_bytes(signature.as_bytes()).ok_or(AnswerFault::Signature)?;
    if !is_signed(keys, text_of(CERTIFICATE).as_deref(), content, &signature) {
        return Err(AnswerFault::Signature);
    }
    let mut content = crate::json::parse(content).map_err(|_| AnswerFault::Malformed)?;
    let head: Head = crate::json::read(&content).map_err(|_| AnswerFault::Malformed)?;
    // What is told on has a head of its own.
    if let Some(object) = content.as_object_mut() {
        object.retain(|name, _| !["code", "msg", "sub_code", "sub_msg"].contains(&name.as_str()));
    }
    said(head, &content)
}

fn said<T: for<'de> Deserialize<'de> + Serialize>(
    head: Head,
    content: &Value,
) -> Result<Said<T>, AnswerFault> {
    let Some(code) = Code::parse(&head.code) else { return Ok(Said::Unknown) };
    let sub_code = head.sub_code.as_deref().map(|text| text.strip_prefix("aop.").unwrap_or(text));
    let known = sub_code.and_then(SubCode::parse);
    Ok(match code {
        Code::Success => Said::Known(crate::json::read(content).map_err(|_| AnswerFault::Malformed)?),
        Code::WaitUser => Said::Waiting,
        Code::Unknown => Said::Unknown,
        Code::Limited => Said::Busy,
        Code::Failed if sub_code.is_none_or(|text| text.ends_with("SYSTEM_ERROR")) => Said::Unknown,
        Code::Unauthorised | Code::Missing | Code::Invalid | Code::Failed | Code::Forbidden => {
            Said::Refused { code: known, head }
        }
    })
}
