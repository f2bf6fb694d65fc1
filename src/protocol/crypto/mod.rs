//! Keys, signatures, sealing and randomness, all on aws-lc-rs.
//!
//! RSA is PKCS#1 v1.5 with SHA-256 everywhere (WeChat Pay APIv3 messages and the `.sig` beside a file);
//! secrets are sealed with AES-256-GCM.
#[cfg(feature = "messages")]
pub mod certificate;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKey as RsaPublicKey};
use aws_lc_rs::signature::{KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use aws_lc_rs::{constant_time, digest as hash, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

use mingfen_kernel::digest::Digest;

/// Bytes of an AES-GCM nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of an AES-256 key.
pub const KEY_LEN: usize = 32;

/// What can go wrong with keys and sealed bytes. Carries no secret and no plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CryptoError {
    /// Not a PKCS#8 RSA private key in PEM of at least 2048 bits.
    #[error("not a PKCS#8 RSA private key of at least 2048 bits in PEM")]
    PrivateKey,
    /// Not an RSA public key or certificate in PEM of at least 2048 bits.
    #[error("not an RSA public key or certificate of at least 2048 bits in PEM")]
    PublicKey,
    /// Not an X.509 certificate in PEM.
    #[error("not an X.509 certificate in PEM")]
    Certificate,
    /// A symmetric key that is not 32 bytes.
    #[error("not a 32-byte key")]
    SymmetricKey,
    /// A nonce that is not 12 bytes.
    #[error("not a 12-byte nonce")]
    Nonce,
    /// Sealed bytes that this key, nonce or purpose does not open.
    #[error("sealed bytes do not open: wrong key, wrong purpose, or changed")]
    Sealed,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Random,
}

/// An RSA private key of at least 2048 bits. Cheap to clone; never printed.
#[derive(Clone)]
pub struct PrivateKey(Arc<RsaKeyPair>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PrivateKey {
    /// A new key of 2048 bits.
    pub fn generate() -> Result<Self, CryptoError> {
        RsaKeyPair::generate(KeySize::Rsa2048).map(|k| Self(Arc::new(k))).map_err(|_| CryptoError::Random)
    }

    /// Reads a PKCS#8 PEM (`BEGIN PRIVATE KEY`).
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        let (label, der) = first_block(pem).ok_or(CryptoError::PrivateKey)?;
        if label != "PRIVATE KEY" {
            return Err(CryptoError::PrivateKey);
        }
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| CryptoError::PrivateKey)?;
        if pair.public_modulus_len() < KeySize::Rsa2048.len() {
            return Err(CryptoError::PrivateKey);
        }
        Ok(Self(Arc::new(pair)))
    }

    /// The key as PKCS#8 PEM: to be wrapped by a [`MasterKey`] or kept in a file of mode 600.
    pub fn to_pem(&self) -> Result<String, CryptoError> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| CryptoError::PrivateKey)?;
        Ok(pem_block("PRIVATE KEY", der.as_ref()))
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, CryptoError> {
        PublicKey::from_der(self.0.public_key().as_ref())
    }

    /// RSA-PKCS#1-v1.5-SHA-256 over a message held in memory.
    pub fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.sign_hash(&hash::digest(&hash::SHA256, message))
    }

    /// The same over a message of which only the SHA-256 digest is at hand (files are streamed).
    pub fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, CryptoError> {
        self.sign_hash(&imported(digest).ok_or(CryptoError::PrivateKey)?)
    }

    fn sign_hash(&self, digest: &hash::Digest) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature).map_err(|_| CryptoError::PrivateKey)?;
        Ok(signature)
    }
}

/// An RSA public key of at least 2048 bits. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<ParsedPublicKey>);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

impl PublicKey {
    /// Reads `BEGIN PUBLIC KEY` (SubjectPublicKeyInfo) or takes the key out of a `BEGIN CERTIFICATE` (where messages are
    /// spoken: whoever only checks files has no need of a certificate's parser).
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        let (label, der) = first_block(pem).ok_or(CryptoError::PublicKey)?;
        match label.as_str() {
            "PUBLIC KEY" => Self::from_der(&der),
            #[cfg(feature = "messages")]
            "CERTIFICATE" => {
                let (_, parsed) =
                    x509_parser::parse_x509_certificate(&der).map_err(|_| CryptoError::PublicKey)?;
                Self::from_der(parsed.public_key().raw)
            }
            _ => Err(CryptoError::PublicKey),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let key =
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| CryptoError::PublicKey)?;
        let spki: PublicKeyX509Der<'_> = key.as_der().map_err(|_| CryptoError::PublicKey)?;
        let public = RsaPublicKey::from_der(spki.as_ref()).map_err(|_| CryptoError::PublicKey)?;
        if public.modulus_len() < KeySize::Rsa2048.len() {
            return Err(CryptoError::PublicKey);
        }
        Ok(Self(Arc::new(key)))
    }

    /// The key as SubjectPublicKeyInfo PEM.
    pub fn to_pem(&self) -> Result<String, CryptoError> {
        let der: PublicKeyX509Der<'_> = self.0.as_der().map_err(|_| CryptoError::PublicKey)?;
        Ok(pem_block("PUBLIC KEY", der.as_ref()))
    }

    /// Whether `signature` is RSA-PKCS#1-v1.5-SHA-256 over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    /// Whether `signature` is RSA-PKCS#1-v1.5-SHA-256 over the message of this SHA-256 digest.
    #[must_use]
    pub fn verify_digest(&self, digest: &Digest, signature: &[u8]) -> bool {
        imported(digest).is_some_and(|d| self.0.verify_digest_sig(&d, signature).is_ok())
    }
}

fn imported(digest: &Digest) -> Option<hash::Digest> {
    hash::Digest::import_less_safe(digest.as_bytes(), &hash::SHA256).ok()
}

/// AES-256-GCM; the 16-byte tag is appended to the ciphertext. A (key, nonce) pair must never be used twice.
pub fn aes_gcm_seal(key: &[u8], nonce: &[u8], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let (key, nonce) = aead(key, nonce)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).map_err(|_| CryptoError::Sealed)?;
    Ok(sealed)
}

/// Opens what [`aes_gcm_seal`] made; any changed byte of nonce, `aad` or ciphertext is refused.
pub fn aes_gcm_open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let (key, nonce) = aead(key, nonce)?;
    let mut bytes = sealed.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut bytes).map_err(|_| CryptoError::Sealed)?.len();
    bytes.truncate(plain);
    Ok(bytes)
}

fn aead(key: &[u8], nonce: &[u8]) -> Result<(LessSafeKey, Nonce), CryptoError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| CryptoError::SymmetricKey)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::Nonce)?;
    Ok((LessSafeKey::new(key), nonce))
}

/// Random bytes from the system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

/// A random text of `len` characters of `0-9A-Za-z`, unbiased: nonces of WeChat messages and envelopes.
pub fn random_nonce(len: usize) -> Result<String, CryptoError> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(len);
    while text.len() < len {
        for byte in random_bytes::<32>()? {
            // 248 = 4 × 62: bytes above it would favour the first letters.
            if byte < 248 && text.len() < len {
                text.extend(ALPHABET.get(usize::from(byte % 62)).map(|c| char::from(*c)));
            }
        }
    }
    Ok(text)
}

/// Compares in a time that depends on the lengths only.
#[must_use]
pub fn constant_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// SHA-1 as lower-case hex: WeChat's `hash_value` of a bill file. Never for anything that needs security.
#[must_use]
pub fn sha1_hex(bytes: &[u8]) -> String {
    hex::encode(hash::digest(&hash::SHA1_FOR_LEGACY_USE_ONLY, bytes))
}

/// [`sha1_hex`] of what streams by.
pub struct Sha1(hash::Context);

impl Default for Sha1 {
    fn default() -> Self {
        Self(hash::Context::new(&hash::SHA1_FOR_LEGACY_USE_ONLY))
    }
}

impl Sha1 {
    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Lower-case hex over all bytes taken in.
    #[must_use]
    pub fn hex(self) -> String {
        hex::encode(self.0.finish())
    }
}

/// Standard base64, strict: padding required, no white space.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads [`base64`]; anything else is `None`.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The installation's key under which private keys and credentials are wrapped at rest.
#[derive(Clone)]
pub struct MasterKey(Arc<[u8; KEY_LEN]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl From<[u8; KEY_LEN]> for MasterKey {
    fn from(key: [u8; KEY_LEN]) -> Self {
        Self(Arc::new(key))
    }
}

impl MasterKey {
    /// First byte of wrapped bytes, so that another way of wrapping can come later.
    const FORMAT: u8 = 1;

    /// A new random key.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(Arc::new(random_bytes()?)))
    }

    /// Reads 64 hex digits, white space around them allowed (a file's last line end).
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let bytes = hex::decode(text.trim()).map_err(|_| CryptoError::SymmetricKey)?;
        let key = bytes.try_into().map_err(|_| CryptoError::SymmetricKey)?;
        Ok(Self(Arc::new(key)))
    }

    /// The key as 64 hex digits, for the file in which the operator keeps it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_slice())
    }

    /// Seals a secret for the database. `purpose` (for example `credential.apiv3`) is bound to it, so that a
    /// wrapped secret cannot be moved to another column.
    pub fn wrap(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let nonce = random_bytes::<NONCE_LEN>()?;
        let sealed = aes_gcm_seal(self.0.as_slice(), &nonce, purpose.as_bytes(), secret)?;
        Ok([&[Self::FORMAT], nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what [`MasterKey::wrap`] made for the same purpose.
    pub fn unwrap(&self, purpose: &str, wrapped: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (format, rest) = wrapped.split_first().ok_or(CryptoError::Sealed)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(CryptoError::Sealed)?;
        if *format != Self::FORMAT {
            return Err(CryptoError::Sealed);
        }
        aes_gcm_open(self.0.as_slice(), nonce, purpose.as_bytes(), sealed)
    }

    /// HMAC-SHA-256 under a key derived for `purpose`: tokens that only this installation can make.
    #[must_use]
    pub fn hmac(&self, purpose: &str, message: &[u8]) -> Vec<u8> {
        use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
        let derived = sign(&Key::new(HMAC_SHA256, self.0.as_slice()), purpose.as_bytes());
        sign(&Key::new(HMAC_SHA256, derived.as_ref()), message).as_ref().to_vec()
    }
}

/// The first PEM block of a text: its label and bytes.
fn first_block(text: &str) -> Option<(String, Vec<u8>)> {
    let block = pem::parse(text).ok()?;
    Some((block.tag().to_owned(), block.into_contents()))
}

fn pem_block(label: &str, der: &[u8]) -> String {
    pem::encode_config(
        &pem::Pem::new(label, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}
