//! The REST form, OpenAPI v3: the call is the path, its parameters are the body (`channels.md` 2.1).
//!
//! As everywhere, what is signed are the bytes that travelled, the header's own parameters included.
use serde::{Deserialize, Serialize};

use super::Method;
use super::answer::{AnswerSigner, Head};
use super::errors::{Code, SubCode};
use super::request::{CLOCK_TOLERANCE, signature_bytes};
use crate::crypto::{CryptoError, PublicKey, base64, random_nonce};
use crate::wechat::sign::HeaderFault;
use mingfen_kernel::calendar::Instant;

/// The scheme of `authorization`.
pub const SCHEME: &str = "ALIPAY-SHA256withRSA";
/// The header of a token that is signed after the body.
pub const APP_AUTH_TOKEN: &str = "alipay-app-auth-token";
/// Longest `authorization` read, in bytes.
pub const AUTHORIZATION_MAX: usize = 2048;
/// The parameter that its own signature does not cover.
const SIGN: &str = "sign";

/// The path of a call: `/v3/alipay/trade/precreate`. All are `POST` but [`Method::BillDownload`], which is `GET`.
#[must_use]
pub fn path_of(method: Method) -> String {
    format!("/v3/{}", method.as_str().replace('.', "/"))
}

/// The `authorization` header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The application that calls.
    pub app_id: String,
    /// Of whose certificate the caller's key is, in certificate mode.
    pub app_cert_sn: Option<String>,
    /// Random text of the caller, 1 to 64 characters.
    pub nonce: String,
    /// Milliseconds since 1970 by the caller's clock.
    pub timestamp_ms: i64,
    /// All parameters but the signature, as they came: the first line of what is signed.
    auth: String,
    signature: Vec<u8>,
}

impl Authorization {
    /// Reads the header, parameters in any order; those that are not documented are signed like the others.
    pub fn parse(header: &str) -> Result<Self, HeaderFault> {
        const H: &str = "authorization";
        if header.len() > AUTHORIZATION_MAX {
            return Err(HeaderFault::TooLong(H));
        }
        let (scheme, rest) = header.split_once(' ').ok_or(HeaderFault::Malformed(H))?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || !rest.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(HeaderFault::Malformed(H));
        }
        let mut found: [(&'static str, Option<&str>); 5] =
            ["app_id", "app_cert_sn", "nonce", "timestamp", SIGN].map(|name| (name, None));
        let mut signed = Vec::new();
        for part in rest.split(',') {
            let (name, value) = part.split_once('=').ok_or(HeaderFault::Malformed(H))?;
            let (name, value) = (name.trim(), value.trim());
            if name != SIGN {
                signed.push(part);
            }
            if let Some(slot) = found.iter_mut().find(|slot| slot.0 == name)
                && slot.1.replace(value).is_some()
            {
                return Err(HeaderFault::Twice(slot.0));
            }
        }
        let [app_id, app_cert_sn, nonce, timestamp, signature] = found;
        let need = |slot: (&'static str, Option<&str>), max: usize| {
            let value = slot.1.ok_or(HeaderFault::Missing(slot.0))?;
            let fits = (1..=max).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
            if fits { Ok(value.to_owned()) } else { Err(HeaderFault::Malformed(slot.0)) }
        };
        let signature = need(signature, 1368)?;
        Ok(Self {
            app_id: need(app_id, 32)?,
            app_cert_sn: app_cert_sn.1.map(|_| need(app_cert_sn, 64)).transpose()?,
            nonce: need(nonce, 64)?,
            timestamp_ms: milliseconds(&need(timestamp, 13)?).ok_or(HeaderFault::Malformed("timestamp"))?,
            auth: signed.join(","),
            signature: signature_bytes(signature.as_bytes()).ok_or(HeaderFault::Malformed(SIGN))?,
        })
    }

    /// Whether the signature covers this request; `target` is path and query, `token` the value of [`APP_AUTH_TOKEN`].
    #[must_use]
    pub fn verify(
        &self,
        key: &PublicKey,
        method: &str,
        target: &str,
        body: &[u8],
        token: Option<&str>,
    ) -> bool {
        let mut text = format!("{}\n{method}\n{target}\n", self.auth).into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            text.extend_from_slice(token.as_bytes());
            text.push(b'\n');
        }
        key.verify(&text, &self.signature)
    }

    /// Whether it may be accepted `now`: five minutes either way.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        let ms = now.get().checked_mul(1000);
        let off = ms.and_then(|now| self.timestamp_ms.checked_sub(now));
        off.is_some_and(|ms| ms.unsigned_abs() <= CLOCK_TOLERANCE.unsigned_abs().saturating_mul(1000))
    }
}

/// Thirteen digits without leading zero: 2001 to 2286.
fn milliseconds(text: &str) -> Option<i64> {
    let digits = text.len() == 13 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The headers that sign an answer's body, whatever its status.
pub fn headers(
    who: AnswerSigner<'_>,
    now: Instant,
    body: &[u8],
) -> Result<Vec<(&'static str, String)>, CryptoError> {
    let nonce = random_nonce(32)?;
    let timestamp = format!("{}000", now.get());
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    let signature = base64(&who.key.sign_sha256(&text)?);
    let mut headers =
        vec![("alipay-timestamp", timestamp), ("alipay-nonce", nonce), ("alipay-signature", signature)];
    headers.extend(who.certificate.map(|serial| ("alipay-sn", serial.to_owned())));
    Ok(headers)
}

/// Body of an error; its status is [`status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// As in `gateway.do`, but codes of common parameters have no `isv.` or `isp.`.
    pub code: String,
    /// A sentence for the caller.
    pub message: String,
}

impl ErrorBody {
    /// Of a refusal; `detail` is said behind the code's own words.
    #[must_use]
    pub fn new(code: SubCode, detail: &str) -> Self {
        let text = code.as_str();
        let bare = text.strip_prefix("isv.").or_else(|| text.strip_prefix("isp.")).unwrap_or(text);
        Self { code: bare.to_owned(), message: Head::refused(code, detail).sub_msg.unwrap_or_default() }
    }
}

/// The HTTP status of a refusal.
#[must_use]
pub fn status(code: SubCode) -> u16 {
    if matches!(code, SubCode::MissingSignature | SubCode::InvalidSignature) {
        return 401;
    }
    if code == SubCode::SystemError {
        return 500;
    }
    match code.code() {
        Code::Missing | Code::Invalid | Code::Failed => 400,
        Code::Unauthorised => 401,
        Code::Forbidden => 403,
        Code::Limited => 429,
        Code::Unknown => 500,
        // Nothing that was refused.
        Code::Success | Code::WaitUser => 200,
    }
}
