//! Strings to sign and the headers that carry signatures (`channels.md` 0.1–0.7, 1.1).
//!
//! Everything is over RAW bytes: method, target and body exactly as they travelled. Stock SDKs write JSON and
//! queries in their own ways, and a re-serialised body would verify for none of them.
use std::fmt;
use thiserror::Error;

use crate::crypto::{CryptoError, PrivateKey, PublicKey, base64, from_base64, random_nonce};
use mingfen_kernel::calendar::Instant;

/// The scheme of `Authorization` and the value of `Wechatpay-Signature-Type`.
pub const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Seconds by which a message's timestamp may differ from our clock, either way.
pub const CLOCK_TOLERANCE: i64 = 300;
/// Longest `Authorization` header read, in bytes.
pub const AUTHORIZATION_MAX: usize = 2048;
/// Prefix of a public key's id, where a certificate's serial would stand.
pub const PUB_KEY_ID: &str = "PUB_KEY_ID_";

/// Header names of a signed answer or notification.
pub const TIMESTAMP: &str = "Wechatpay-Timestamp";
/// See [`TIMESTAMP`].
pub const NONCE: &str = "Wechatpay-Nonce";
/// See [`TIMESTAMP`]. In a request: which key the answer should be signed with.
pub const SERIAL: &str = "Wechatpay-Serial";
/// See [`TIMESTAMP`].
pub const SIGNATURE: &str = "Wechatpay-Signature";
/// See [`TIMESTAMP`]. Its value is always [`SCHEME`].
pub const SIGNATURE_TYPE: &str = "Wechatpay-Signature-Type";

/// What a request's signature covers: five lines, the last line feed included.
#[must_use]
pub fn request_string(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method}\n{target}\n{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// What an answer's or notification's signature covers: three lines, the last line feed included.
#[must_use]
pub fn answer_string(timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// Whether a message of `timestamp` (unix seconds) may be accepted `now`: five minutes either way.
#[must_use]
pub fn is_fresh(timestamp: i64, now: Instant) -> bool {
    timestamp.checked_sub(now.get()).is_some_and(|d| d.unsigned_abs() <= CLOCK_TOLERANCE.unsigned_abs())
}

/// Whether two certificate serials or key ids name the same key: SDKs send hex in either case.
#[must_use]
pub fn same_serial(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// What is wrong with a signature header. The text may be shown to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// A header is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A header is there but not of its form.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// A parameter or header stands twice.
    #[error("{0} stands twice")]
    Twice(&'static str),
    /// Longer than any SDK writes it.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

/// The `Authorization` header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The caller's merchant number.
    pub mchid: String,
    /// Random text of the caller, 1 to 64 characters.
    pub nonce: String,
    /// Unix seconds by the caller's clock.
    pub timestamp: i64,
    /// Serial of the caller's certificate, brought to upper case.
    pub serial: String,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

impl Authorization {
    /// Reads the header: the scheme in either case, parameters in any order and separated as RFC 7235 allows, those that
    /// are not documented left out, the serial in either case; every value exact.
    pub fn parse(header: &str) -> Result<Self, HeaderFault> {
        const H: &str = "Authorization";
        if header.len() > AUTHORIZATION_MAX {
            return Err(HeaderFault::TooLong(H));
        }
        let (scheme, rest) = header.trim().split_once(' ').ok_or(HeaderFault::Malformed(H))?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(HeaderFault::Malformed(H));
        }
        let given = parameters(rest).ok_or(HeaderFault::Malformed(H))?;
        let mut found: [(&'static str, Option<&str>); 5] =
            ["mchid", "nonce_str", "timestamp", "serial_no", "signature"].map(|name| (name, None));
        for (name, value) in &given {
            let Some(slot) = found.iter_mut().find(|slot| slot.0.eq_ignore_ascii_case(name)) else {
                continue;
            };
            if slot.1.replace(value).is_some() {
                return Err(HeaderFault::Twice(slot.0));
            }
        }
        let [mchid, nonce, timestamp, serial, signature] =
            found.map(|(name, value)| value.ok_or(HeaderFault::Missing(name)));
        Ok(Self {
            mchid: checked("mchid", mchid?, 32, |c| c.is_ascii_alphanumeric())?,
            nonce: checked("nonce_str", nonce?, 64, |c| c.is_ascii_graphic())?,
            timestamp: seconds("timestamp", timestamp?)?,
            serial: checked("serial_no", serial?, 64, is_token)?.to_ascii_uppercase(),
            signature: signature_bytes("signature", signature?)?,
        })
    }

    /// Signs a request as the caller `mchid` with the certificate `serial`.
    pub fn sign(
        who: &Signer,
        now: Instant,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<Self, CryptoError> {
        let (nonce, timestamp) = (random_nonce(32)?, now.get());
        let signature = who.key.sign_sha256(&request_string(method, target, timestamp, &nonce, body))?;
        Ok(Self { mchid: who.mchid.clone(), nonce, timestamp, serial: who.serial.clone(), signature })
    }

    /// Whether the signature covers this request.
    #[must_use]
    pub fn verify(&self, key: &PublicKey, method: &str, target: &str, body: &[u8]) -> bool {
        key.verify(&request_string(method, target, self.timestamp, &self.nonce, body), &self.signature)
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME} mchid=\"{}\",nonce_str=\"{}\",timestamp=\"{}\",serial_no=\"{}\",signature=\"{}\"",
            self.mchid,
            self.nonce,
            self.timestamp,
            self.serial,
            base64(&self.signature)
        )
    }
}

/// Who signs a request: a merchant number, the serial of its certificate, and the key.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The merchant number (`mchid` of the header).
    pub mchid: String,
    /// Serial of the certificate of `key`, upper-case hex.
    pub serial: String,
    /// The private key.
    pub key: PrivateKey,
}

/// A key with which the other side signs answers and notifications. During a switch there are two.
#[derive(Debug, Clone)]
pub struct AnswerKey {
    /// Serial of the certificate, or the public key's id.
    pub serial: String,
    /// The key.
    pub key: PublicKey,
}

/// Why a signed message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StampFault {
    /// Signed with a key that we do not know.
    #[error("the message is signed with an unknown key")]
    Serial,
    /// More than five minutes old, or from the future.
    #[error("the message's timestamp is more than five minutes off")]
    Stale,
    /// The signature does not cover the body.
    #[error("the message's signature is wrong")]
    Signature,
}

/// The signature headers of an answer or of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Unix seconds by the sender's clock.
    pub timestamp: i64,
    /// Random text of the sender.
    pub nonce: String,
    /// Serial of the platform certificate, or the public key's id.
    pub serial: String,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

impl Stamp {
    /// Signs an answer or notification body with the key that `serial` names.
    pub fn sign(serial: &str, key: &PrivateKey, now: Instant, body: &[u8]) -> Result<Self, CryptoError> {
        let (nonce, timestamp) = (random_nonce(32)?, now.get());
        let signature = key.sign_sha256(&answer_string(timestamp, &nonce, body))?;
        Ok(Self { timestamp, nonce, serial: serial.to_owned(), signature })
    }

    /// Reads the headers by name; `header` gives a header's value, or `None` where it is absent or not text.
    /// [`SIGNATURE_TYPE`] may be missing, but not be another.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, HeaderFault> {
        let get = |name: &'static str| header(name).ok_or(HeaderFault::Missing(name));
        if header(SIGNATURE_TYPE).is_some_and(|kind| kind != SCHEME) {
            return Err(HeaderFault::Malformed(SIGNATURE_TYPE));
        }
        Ok(Self {
            timestamp: seconds(TIMESTAMP, get(TIMESTAMP)?)?,
            nonce: checked(NONCE, get(NONCE)?, 64, |c| c.is_ascii_graphic())?,
            serial: checked(SERIAL, get(SERIAL)?, 64, is_token)?,
            signature: signature_bytes(SIGNATURE, get(SIGNATURE)?)?,
        })
    }

    /// Whether the signature covers this body.
    #[must_use]
    pub fn verify(&self, key: &PublicKey, body: &[u8]) -> bool {
        key.verify(&answer_string(self.timestamp, &self.nonce, body), &self.signature)
    }

    /// Everything that makes a message of ours to trust: a serial we know, a fresh timestamp, and a signature
    /// over its raw body.
    pub fn check(&self, keys: &[AnswerKey], now: Instant, body: &[u8]) -> Result<(), StampFault> {
        let known = keys.iter().find(|k| same_serial(&k.serial, &self.serial)).ok_or(StampFault::Serial)?;
        if !is_fresh(self.timestamp, now) {
            return Err(StampFault::Stale);
        }
        if self.verify(&known.key, body) { Ok(()) } else { Err(StampFault::Signature) }
    }

    /// The headers as text, `Name: value` by line: kept as evidence beside the raw body.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.headers().iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    /// The five headers to send.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 5] {
        [
            (TIMESTAMP, self.timestamp.to_string()),
            (NONCE, self.nonce.clone()),
            (SERIAL, self.serial.clone()),
            (SIGNATURE, base64(&self.signature)),
            (SIGNATURE_TYPE, SCHEME.to_owned()),
        ]
    }
}

/// What may surround separators.
const BLANKS: [char; 2] = [' ', '\t'];

/// Names and values of `name=value, name="value"` (RFC 7235, section 2.1): blanks around separators, empty elements.
fn parameters(mut rest: &str) -> Option<Vec<(&str, String)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_end_matches(BLANKS);
        if name.is_empty() || !name.bytes().all(is_rfc_token) {
            return None;
        }
        let (value, after) = parameter_value(after.trim_start_matches(BLANKS))?;
        found.push((name, value));
        rest = after.trim_start_matches(BLANKS);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// A token or a quoted text, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return (!token.is_empty() && token.bytes().all(is_rfc_token)).then(|| (token.to_owned(), rest));
    };
    let (mut value, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

fn is_rfc_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn checked(
    name: &'static str,
    value: &str,
    max: usize,
    allowed: fn(char) -> bool,
) -> Result<String, HeaderFault> {
    if value.len() > max {
        return Err(HeaderFault::TooLong(name));
    }
    if value.is_empty() || !value.chars().all(allowed) {
        return Err(HeaderFault::Malformed(name));
    }
    Ok(value.to_owned())
}

/// Ten digits without leading zero (2001 to 2286), so that the number prints as it was signed.
fn seconds(name: &'static str, value: &str) -> Result<i64, HeaderFault> {
    let digits = value.len() == 10 && !value.starts_with('0') && value.bytes().all(|c| c.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or(HeaderFault::Malformed(name))
}

fn signature_bytes(name: &'static str, value: &str) -> Result<Vec<u8>, HeaderFault> {
    if value.len() > 1368 {
        return Err(HeaderFault::TooLong(name));
    }
    from_base64(value).filter(|bytes| bytes.len() >= 256).ok_or(HeaderFault::Malformed(name))
}
