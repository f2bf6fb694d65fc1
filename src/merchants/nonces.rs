//! Nonces of signed requests: each counts once while its timestamp could still pass.
use super::credential_store as store;
use crate::db::Tx;
use crate::error::Error;

/// A timestamp passes from five minutes before it to five after; a minute more than that is kept, in microseconds.
const KEPT: i64 = 11 * 60 * 1_000_000;

/// Notes a nonce; `false` when this credential has used it already.
pub fn first_use(tx: &mut Tx<'_>, now: i64, credential: i64, nonce: &str) -> Result<bool, Error> {
    store::add_nonce(tx, credential, nonce, now)
}

/// Forgets nonces that are too old to matter, and says how many.
pub fn purge(tx: &mut Tx<'_>, now: i64) -> Result<usize, Error> {
    store::purge_nonces(tx, now.saturating_sub(KEPT))
}
