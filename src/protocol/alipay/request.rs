//! A request of `gateway.do`: read and verified as it came, and signed as it goes (`channels.md` 0.10, 2.1).
use super::charset::Charset;
use super::errors::SubCode;
use super::form::{Form, FormFault};
use super::{time, write_time};
use crate::crypto::{CryptoError, PrivateKey, PublicKey, base64, from_base64};
use mingfen_kernel::calendar::Instant;
use mingfen_kernel::text;

/// The only `sign_type`.
pub const RSA2: &str = "RSA2";
/// The only `version`.
pub const VERSION: &str = "1.0";
/// Seconds by which a request's timestamp may differ from our clock, either way.
pub const CLOCK_TOLERANCE: i64 = 300;
/// The parameter that a request's signature does not cover.
const SIGN: &str = "sign";
/// The parameter of the call itself.
const BIZ_CONTENT: &str = "biz_content";
/// Longest base64 of a signature: a key of 8192 bits.
const MAX_SIGNATURE: usize = 1368;

/// Why a request is refused before anybody looks at its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the answer.
    pub code: SubCode,
    /// Which parameter.
    pub parameter: &'static str,
}

fn refuse<T>(code: SubCode, parameter: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, parameter })
}

impl From<FormFault> for Refusal {
    fn from(fault: FormFault) -> Self {
        let parameter = match fault {
            FormFault::TooLong => "length",
            FormFault::ByteOrderMark => "byte order mark",
            FormFault::Malformed => "form",
            FormFault::Twice => "repeated parameter",
        };
        Self { code: SubCode::InvalidParameter, parameter }
    }
}

/// A request whose common parameters are of their documented form. Nothing of it is true before [`Request::verify`].
#[derive(Debug, Clone)]
pub struct Request {
    /// The application that calls.
    pub app_id: String,
    /// Which call.
    pub method: String,
    /// The coding of the request and of its answer.
    pub charset: Charset,
    /// When it was made, by the caller's clock.
    pub timestamp: Instant,
    /// Where the caller wants to be notified; not judged.
    pub notify_url: Option<String>,
    /// JSON of the call; empty where there is none.
    pub biz_content: String,
    /// Of whose certificate the caller's key is, in certificate mode.
    pub app_cert_sn: Option<String>,
    form: Form,
    signature: Vec<u8>,
}

impl Request {
    /// Reads common parameters in the order in which Alipay tests them.
    pub fn read(form: Form) -> Result<Self, Refusal> {
        let Some(charset) = form.get("charset").and_then(|name| std::str::from_utf8(name).ok()) else {
            return refuse(SubCode::InvalidCharset, "charset");
        };
        let Some(charset) = Charset::parse(charset) else {
            return refuse(SubCode::InvalidCharset, "charset");
        };
        let get = |name: &'static str, max: usize| match form.get(name).map(|value| charset.decode(value)) {
            None => Ok(None),
            Some(None) => refuse(SubCode::InvalidCharset, name),
            Some(Some(value)) if value.len() > max || !text::is_plain(&value) => {
                refuse(SubCode::InvalidParameter, name)
            }
            Some(Some(value)) => Ok(Some(value)),
        };
        let need = |name, missing| get(name, 128)?.map_or_else(|| refuse(missing, name), Ok);
        let method = need("method", SubCode::MissingMethod)?;
        let app_id = need("app_id", SubCode::MissingAppId)?;
        if app_id.len() > 32 || !app_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return refuse(SubCode::InvalidAppId, "app_id");
        }
        if get("format", 16)?.is_some_and(|format| !format.eq_ignore_ascii_case("JSON")) {
            return refuse(SubCode::InvalidFormat, "format");
        }
        if need("version", SubCode::MissingVersion)? != VERSION {
            return refuse(SubCode::InvalidParameter, "version");
        }
        let Some(timestamp) = time(&need("timestamp", SubCode::MissingTimestamp)?) else {
            return refuse(SubCode::InvalidTimestamp, "timestamp");
        };
        if need("sign_type", SubCode::MissingSignatureType)? != RSA2 {
            return refuse(SubCode::InvalidSignatureType, "sign_type");
        }
        let Some(signature) = form.get(SIGN) else { return refuse(SubCode::MissingSignature, SIGN) };
        let Some(signature) = signature_bytes(signature) else {
            return refuse(SubCode::InvalidSignature, SIGN);
        };
        let Some(biz_content) = charset.decode(form.get(BIZ_CONTENT).unwrap_or_default()) else {
            return refuse(SubCode::InvalidCharset, BIZ_CONTENT);
        };
        let (notify_url, app_cert_sn) = (get("notify_url", 255)?, get("app_cert_sn", 64)?);
        Ok(Self { app_id, method, charset, timestamp, notify_url, biz_content, app_cert_sn, form, signature })
    }

    /// Whether the signature covers every parameter as it came.
    #[must_use]
    pub fn verify(&self, key: &PublicKey) -> bool {
        key.verify(&self.form.to_sign(&[SIGN]), &self.signature)
    }

    /// Whether it may be accepted `now`: five minutes either way.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        let off = self.timestamp.get().checked_sub(now.get());
        off.is_some_and(|seconds| seconds.unsigned_abs() <= CLOCK_TOLERANCE.unsigned_abs())
    }

    /// Its signature, which is of this request alone.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Another parameter that the signature covers, such as `cashier`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.charset.decode(self.form.get(name)?)
    }
}

/// Bytes of a signature as every parameter carries them: base64, in one piece.
pub(super) fn signature_bytes(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > MAX_SIGNATURE {
        return None;
    }
    from_base64(std::str::from_utf8(text).ok()?).filter(|bytes| bytes.len() >= 256)
}

/// Who signs requests: an application and its key.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The application.
    pub app_id: String,
    /// Its private key.
    pub key: PrivateKey,
    /// In certificate mode the numbers of its own certificate and of Alipay's roots (`certificates.rs`).
    pub certificates: Option<(String, String)>,
}

/// A signed request: what stands in the query, and the form body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Common parameters.
    pub query: String,
    /// `biz_content`.
    pub body: String,
}

/// Signs a call of `method` as `who`; an empty `notify_url` is none. Always UTF-8.
pub fn sign(
    who: &Signer,
    now: Instant,
    method: &str,
    notify_url: &str,
    biz_content: &str,
) -> Result<Signed, CryptoError> {
    let charset = Charset::Utf8;
    let (own, roots) = who.certificates.as_ref().map_or(("", ""), |(own, roots)| (own, roots));
    let timestamp = write_time(now);
    let form = Form::of(
        charset,
        &[
            ("app_id", &who.app_id),
            ("method", method),
            ("format", "JSON"),
            ("charset", charset.as_str()),
            ("sign_type", RSA2),
            ("timestamp", &timestamp),
            ("version", VERSION),
            ("notify_url", notify_url),
            ("app_cert_sn", own),
            ("alipay_root_cert_sn", roots),
            (BIZ_CONTENT, biz_content),
        ],
    )
    // None of the names above stands twice.
    .map_err(|_| CryptoError::PrivateKey)?;
    let signature = base64(&who.key.sign_sha256(&form.to_sign(&[SIGN]))?);
    let form = form.with(SIGN, &signature);
    Ok(Signed {
        query: form.encoded(|name| name != BIZ_CONTENT),
        body: form.encoded(|name| name == BIZ_CONTENT),
    })
}
