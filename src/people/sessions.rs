//! Server-side sessions (`ux.md` 4): the browser holds 256 random bits, the database their digest.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Principal, store};
use crate::clock::Clock;
use crate::db::columns::UserId;
use crate::db::{Db, Tx};
use crate::error::{Code, Error};
use crate::kernel::digest::Digest;
use crate::protocol::crypto::{MasterKey, random_bytes};

/// A session ends after this many microseconds without a request: 30 minutes.
pub const IDLE: i64 = 30 * 60 * 1_000_000;
/// And after this many in any case: 12 hours.
pub const ABSOLUTE: i64 = 12 * 3600 * 1_000_000;
/// A request within this time of the last one noted is not noted again, so that reading pages seldom writes.
const NOTED_EVERY: i64 = 60 * 1_000_000;

/// A live session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is logged in.
    pub principal: Principal,
    token_sha256: String,
}

/// What the browser gets at login, once.
pub struct Token(String);

impl Token {
    /// The cookie's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Session {
    /// The token that every form of this session carries.
    pub fn csrf_token(&self, master: &MasterKey) -> String {
        hex::encode(master.hmac("session.csrf", self.token_sha256.as_bytes()))
    }
}

/// Begins a session of a user and ends the one that the browser had before, if any.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    now: i64,
    user: UserId,
    browser: &super::login::Browser,
) -> Result<Token, Error> {
    if let Some(old) = &browser.old_token {
        end(tx, old)?;
    }
    store::end_sessions_before(tx, now)?;
    let random =
        random_bytes::<32>().map_err(|_| Error::Internal("the system's random source failed".into()))?;
    let token = Token(URL_SAFE_NO_PAD.encode(random));
    store::add_session(tx, &digest_of(&token.0), user, now, now.saturating_add(ABSOLUTE), browser)?;
    Ok(token)
}

/// The live session of a cookie. Notes that it is in use.
pub async fn find(db: &Db, clock: &Clock, cookie: &str) -> Result<Session, Error> {
    let now = clock.now();
    let token_sha256 = digest_of(cookie);
    let key = token_sha256.clone();
    let found = db.read(move |tx| store::session(tx, &key)).await?;
    let ended = || Error::refused(Code::SessionEnded, "");
    let (principal, last_seen_at, expires_at) = found.ok_or_else(ended)?;
    let idle = now.saturating_sub(last_seen_at);
    // Seen well after now: the clock was set back, and nobody knows how long ago that was.
    if !(-NOTED_EVERY..IDLE).contains(&idle) || now >= expires_at {
        return Err(ended());
    }
    if idle >= NOTED_EVERY {
        let key = token_sha256.clone();
        db.write(move |tx| store::touch_session(tx, &key, now)).await?;
    }
    Ok(Session { principal, token_sha256 })
}

/// Ends the session of a cookie (logout). One that is over already is no error.
pub fn end(tx: &mut Tx<'_>, cookie: &str) -> Result<(), Error> {
    store::end_session(tx, &digest_of(cookie))
}

fn digest_of(cookie: &str) -> String {
    Digest::of(cookie.as_bytes()).to_string()
}
