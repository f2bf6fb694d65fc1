//! Certificate mode: keys are named by the MD5 of their certificate's issuer and serial (`channels.md` 2.1). It is a name
//! that both sides compute, not a proof of anything.
use md5::{Digest, Md5};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Name;

use crate::crypto::CryptoError;

/// Signatures of RSA: roots of other algorithms are not named.
const RSA: &str = "1.2.840.113549.1.1.";
/// The most certificates that are read of one text.
const MAX: usize = 64;
/// Attributes of a name that have a short one (RFC 2253, section 2.3).
const SHORT: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// `app_cert_sn` or `alipay_cert_sn`: the number of the first certificate of a PEM text.
pub fn number_of(pem: &str) -> Result<String, CryptoError> {
    let [first, ..] = &*certificates(pem)? else { return Err(CryptoError::Certificate) };
    read(first).and_then(|certificate| number(&certificate))
}

/// `alipay_root_cert_sn`: the numbers of all roots of RSA in a PEM text, joined by `_`.
pub fn roots_of(pem: &str) -> Result<String, CryptoError> {
    let mut numbers = Vec::new();
    for der in certificates(pem)? {
        let certificate = read(&der)?;
        if certificate.signature_algorithm.algorithm.to_id_string().starts_with(RSA) {
            numbers.push(number(&certificate)?);
        }
    }
    if numbers.is_empty() { Err(CryptoError::Certificate) } else { Ok(numbers.join("_")) }
}

fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, CryptoError> {
    let blocks = pem::parse_many(pem).map_err(|_| CryptoError::Certificate)?;
    if blocks.len() > MAX || blocks.iter().any(|block| block.tag() != "CERTIFICATE") {
        return Err(CryptoError::Certificate);
    }
    Ok(blocks.into_iter().map(pem::Pem::into_contents).collect())
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, CryptoError> {
    x509_parser::parse_x509_certificate(der).map(|(_, read)| read).map_err(|_| CryptoError::Certificate)
}

fn number(certificate: &X509Certificate<'_>) -> Result<String, CryptoError> {
    let text = format!("{}{}", issuer(certificate.issuer())?, certificate.serial);
    Ok(hex::encode(Md5::digest(text.as_bytes())))
}

/// The name with its parts turned round and joined by `,`: `CN=…,OU=…,O=…,C=…`.
fn issuer(name: &X509Name<'_>) -> Result<String, CryptoError> {
    let mut parts = Vec::new();
    for attribute in name.iter_attributes() {
        let kind = attribute.attr_type().to_id_string();
        let short = SHORT.iter().find(|(id, _)| *id == kind).ok_or(CryptoError::Certificate)?;
        let value = attribute.as_str().map_err(|_| CryptoError::Certificate)?;
        parts.push(format!("{}={value}", short.1));
    }
    parts.reverse();
    Ok(parts.join(","))
}
