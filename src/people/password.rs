//! Passwords: argon2id, 19 MiB, two passes (OWASP's minimum). Slow on purpose: never call it inside a transaction.
use std::sync::LazyLock;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::{Code, Error};

const MIN_CHARS: usize = 12;
const MAX_BYTES: usize = 1024;

/// A password's salted hash in PHC text form.
pub fn hash(password: &str) -> Result<String, Error> {
    if password.chars().count() < MIN_CHARS || password.len() > MAX_BYTES {
        return Err(Error::refused(Code::PasswordWeak, format!("at least {MIN_CHARS} characters")));
    }
    hash_any(password)
}

/// Whether the password is the one that was hashed. Without a user it takes the same time and says no.
pub fn matches(password: &str, stored: Option<&str>) -> bool {
    static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_any("nobody has this password").ok());
    if password.len() > MAX_BYTES {
        return false;
    }
    let Some(phc) = stored.or(NOBODY.as_deref()).and_then(|text| PasswordHash::new(text).ok()) else {
        return false;
    };
    let fits = hasher().is_ok_and(|argon| argon.verify_password(password.as_bytes(), &phc).is_ok());
    fits && stored.is_some()
}

fn hash_any(password: &str) -> Result<String, Error> {
    let hashed = hasher()?.hash_password(password.as_bytes());
    hashed.map(|phc| phc.to_string()).map_err(|e| Error::Internal(format!("argon2: {e}")))
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|e| Error::Internal(format!("argon2: {e}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
