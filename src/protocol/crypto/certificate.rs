//! WeChat-style X.509 certificates: a key, a serial and two dates; nobody checks a chain.
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber};
use time::OffsetDateTime;

use super::{CryptoError, PrivateKey, PublicKey, first_block, random_bytes};
use mingfen_kernel::calendar::Instant;

/// A certificate, read or newly made.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Serial number in upper-case hex without leading zero (`channels.md` 0.5).
    pub serial: String,
    /// Its public key.
    pub public_key: PublicKey,
    /// First second of its validity.
    pub not_before: Instant,
    /// Last second of its validity.
    pub not_after: Instant,
    /// The certificate itself.
    pub pem: String,
}

impl Certificate {
    /// Makes a self-signed certificate of `key` with a random 20-byte serial of exactly 40 hex digits.
    pub fn issue(
        key: &PrivateKey,
        common_name: &str,
        not_before: Instant,
        not_after: Instant,
    ) -> Result<Self, CryptoError> {
        let mut serial = random_bytes::<20>()?;
        if let Some(first) = serial.first_mut() {
            // Positive as ASN.1 sees it, and no leading zero digit.
            *first = (*first & 0x7f) | 0x10;
        }
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = at(not_before)?;
        params.not_after = at(not_after)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&key.to_pem()?, &PKCS_RSA_SHA256)
            .map_err(|_| CryptoError::PrivateKey)?;
        let made = params.self_signed(&pair).map_err(|_| CryptoError::Certificate)?;
        Self::from_pem(&made.pem())
    }

    /// Reads a `BEGIN CERTIFICATE`.
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        let (label, der) = first_block(pem).ok_or(CryptoError::Certificate)?;
        if label != "CERTIFICATE" {
            return Err(CryptoError::Certificate);
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| CryptoError::Certificate)?;
        let serial = hex::encode_upper(parsed.raw_serial());
        Ok(Self {
            serial: serial.trim_start_matches('0').to_owned(),
            public_key: PublicKey::from_pem(pem)?,
            not_before: Instant::new(parsed.validity().not_before.timestamp()),
            not_after: Instant::new(parsed.validity().not_after.timestamp()),
            pem: pem.to_owned(),
        })
    }
}

fn at(instant: Instant) -> Result<OffsetDateTime, CryptoError> {
    OffsetDateTime::from_unix_timestamp(instant.get()).map_err(|_| CryptoError::Certificate)
}
