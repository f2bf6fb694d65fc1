//! `GET /v3/certificates`: platform certificates sealed with the caller's APIv3 key (`channels.md` 1.2).
use serde::{Deserialize, Serialize};

use super::notification::{ApiV3Key, Sealed};
use crate::crypto::CryptoError;
use crate::crypto::certificate::Certificate;

/// Additional data of a sealed certificate.
pub const ASSOCIATED_DATA: &str = "certificate";
/// The most certificates that are read from one answer.
pub const MAX: usize = 16;

/// The answer's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// The platform's certificates in force.
    pub data: Vec<SealedCertificate>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCertificate {
    /// Upper-case hex without leading zero.
    pub serial_no: String,
    /// `yyyy-MM-ddTHH:mm:ss+08:00`.
    pub effective_time: String,
    /// `yyyy-MM-ddTHH:mm:ss+08:00`.
    pub expire_time: String,
    /// The PEM.
    pub encrypt_certificate: Sealed,
}

/// Makes the body for a caller that holds `key`.
pub fn seal(key: &ApiV3Key, certificates: &[Certificate]) -> Result<Vec<u8>, CryptoError> {
    let one = |certificate: &Certificate| -> Result<SealedCertificate, CryptoError> {
        Ok(SealedCertificate {
            serial_no: certificate.serial.clone(),
            effective_time: certificate.not_before.to_cst(),
            expire_time: certificate.not_after.to_cst(),
            encrypt_certificate: Sealed::seal(key, None, ASSOCIATED_DATA, certificate.pem.as_bytes())?,
        })
    };
    let data = certificates.iter().map(one).collect::<Result<_, _>>()?;
    serde_json::to_vec(&Certificates { data }).map_err(|_| CryptoError::Certificate)
}

/// Reads a body: every certificate must open and carry the serial that the body says.
pub fn open(key: &ApiV3Key, body: &[u8]) -> Result<Vec<Certificate>, CryptoError> {
    let body: Certificates = crate::json::from_slice(body).map_err(|_| CryptoError::Certificate)?;
    if body.data.len() > MAX {
        return Err(CryptoError::Certificate);
    }
    let one = |sealed: &SealedCertificate| -> Result<Certificate, CryptoError> {
        let pem =
            String::from_utf8(sealed.encrypt_certificate.open(key)?).map_err(|_| CryptoError::Certificate)?;
        let certificate = Certificate::from_pem(&pem)?;
        if super::sign::same_serial(&certificate.serial, &sealed.serial_no) {
            Ok(certificate)
        } else {
            Err(CryptoError::Certificate)
        }
    };
    body.data.iter().map(one).collect()
}
