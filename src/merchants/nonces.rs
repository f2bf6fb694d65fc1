//! Nonces of signed requests: each stands for one request while its timestamp could still pass. The same request sent again
//! byte for byte, as SDKs do when a connection breaks, is that request still: it changes nothing more.
//!
//! A nonce is noted in the transaction of what its request changes, so that neither is there without the other. A request
//! that changes nothing leaves none.
use super::credential_store as store;
use crate::db::Tx;
use crate::db::columns::CredentialId;
use crate::error::{Code, Error};
use crate::kernel::digest::Digest;
use crate::protocol::wechat::sign::Authorization;

/// A timestamp passes from five minutes before it to five after; a minute more than that is kept, in microseconds.
const KEPT: i64 = 11 * 60 * 1_000_000;

/// The nonce of a verified request, to be spent by what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// Whose it is.
    pub credential_id: CredentialId,
    /// As the caller chose it.
    pub text: String,
    /// Over the signature, which covers all of the request.
    pub request: Digest,
}

impl Nonce {
    /// Of a request whose signature was verified.
    pub fn of(credential_id: CredentialId, authorization: Authorization) -> Self {
        let request = Digest::of(&authorization.signature);
        Self { credential_id, text: authorization.nonce, request }
    }

    /// Of a verified request whose language has none: its signature, which nobody else can make for another request.
    pub fn of_signature(credential_id: CredentialId, signature: &[u8]) -> Self {
        let request = Digest::of(signature);
        Self { credential_id, text: request.to_string(), request }
    }

    /// Notes it; refused as [`Code::NonceUsed`] when its credential has used it for another request.
    pub fn spend(&self, tx: &mut Tx<'_>, now: i64) -> Result<(), Error> {
        if store::add_nonce(tx, self, now)? { Ok(()) } else { self.must_be_fresh(tx) }
    }

    /// Refused as [`Code::NonceUsed`] when it was spent for another request: for what must be known before the change.
    pub fn must_be_fresh(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match store::spent_for(tx, self)? {
            None => Ok(()),
            Some(request) if request == Some(self.request) => Ok(()),
            Some(_) => Err(Error::refused(Code::NonceUsed, "")),
        }
    }
}

/// Forgets nonces that are too old to matter, and says how many.
pub fn purge(tx: &mut Tx<'_>, now: i64) -> Result<usize, Error> {
    store::purge_nonces(tx, now.saturating_sub(KEPT))
}
