//! Nonces of signed requests: each counts once while its timestamp could still pass.
//!
//! A nonce is noted in the transaction of what its request changes, so that neither is there without the other. A request
//! that changes nothing leaves none.
use super::credential_store as store;
use crate::db::Tx;
use crate::db::columns::CredentialId;
use crate::error::{Code, Error};

/// A timestamp passes from five minutes before it to five after; a minute more than that is kept, in microseconds.
const KEPT: i64 = 11 * 60 * 1_000_000;

/// The nonce of a verified request, to be spent by what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// Whose it is.
    pub credential_id: CredentialId,
    /// As the caller chose it.
    pub text: String,
}

impl Nonce {
    /// Notes it; refused as [`Code::NonceUsed`] when its credential has used it already.
    pub fn spend(&self, tx: &mut Tx<'_>, now: i64) -> Result<(), Error> {
        match first_use(tx, now, self.credential_id, &self.text)? {
            true => Ok(()),
            false => Err(Error::refused(Code::NonceUsed, "")),
        }
    }

    /// Refused as [`Code::NonceUsed`] when it was spent: for what must be known before the change.
    pub fn must_be_fresh(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match store::is_used(tx, self.credential_id, &self.text)? {
            false => Ok(()),
            true => Err(Error::refused(Code::NonceUsed, "")),
        }
    }
}

/// Notes a nonce; `false` when this credential has used it already.
pub fn first_use(tx: &mut Tx<'_>, now: i64, credential: CredentialId, nonce: &str) -> Result<bool, Error> {
    store::add_nonce(tx, credential, nonce, now)
}

/// Forgets nonces that are too old to matter, and says how many.
pub fn purge(tx: &mut Tx<'_>, now: i64) -> Result<usize, Error> {
    store::purge_nonces(tx, now.saturating_sub(KEPT))
}
