//! Passwords: argon2id, 19 MiB, two passes (OWASP's minimum). Slow on purpose: never call it inside a transaction.
use std::sync::LazyLock;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::error::{Code, Error};
use crate::protocol::crypto::constant_eq;

const MIN_CHARS: usize = 12;
const MAX_BYTES: usize = 1024;

/// A password's salted hash in PHC text form.
pub fn hash(password: &str) -> Result<String, Error> {
    if password.chars().count() < MIN_CHARS || password.len() > MAX_BYTES {
        return Err(Error::refused(Code::PasswordWeak, format!("at least {MIN_CHARS} characters")));
    }
    hash_any(password)
}

/// Checks passwords, one after the other, in memory of its own: who takes 19 MiB anew for each check keeps a good part of
/// it from the system for ever.
#[derive(Default)]
pub struct Checker {
    memory: Vec<Block>,
}

impl Checker {
    /// Whether the password is the one that was hashed. Without a user it takes the same time and says no.
    pub fn matches(&mut self, password: &str, stored: Option<&str>) -> bool {
        static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_any("nobody has this password").ok());
        if password.len() > MAX_BYTES {
            return false;
        }
        let fits = stored.or(NOBODY.as_deref()).and_then(|phc| self.fits(password, phc));
        fits == Some(true) && stored.is_some()
    }

    /// `None` when the text is no hash that can be made again.
    fn fits(&mut self, password: &str, phc: &str) -> Option<bool> {
        let phc = PasswordHash::new(phc).ok()?;
        let params = Params::try_from(&phc).ok()?;
        let algorithm = Algorithm::try_from(phc.algorithm.as_str()).ok()?;
        let version = phc.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let (salt, expected) = (phc.salt?, phc.hash?);
        if self.memory.len() < params.block_count() {
            self.memory.resize(params.block_count(), Block::new());
        }
        let mut made = vec![0; expected.len()];
        Argon2::new(algorithm, version, params)
            .hash_password_into_with_memory(password.as_bytes(), &salt, &mut made, &mut self.memory)
            .ok()?;
        Some(constant_eq(&made, expected.as_bytes()))
    }
}

fn hash_any(password: &str) -> Result<String, Error> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(Error::internal)?;
    let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(password.as_bytes());
    hashed.map(|phc| phc.to_string()).map_err(|e| Error::Internal(format!("argon2: {e}")))
}
