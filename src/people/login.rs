//! Login with a password: throttled, the same answer in similar time whether or not the login exists.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::sessions::{self, Token};
use super::{Actor, Principal, audit, password, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Code, Error};

/// Passwords checked at once: each takes 19 MiB.
const AT_ONCE: usize = 2;
const MINUTE: i64 = 60 * 1_000_000;
/// An address may stand for an office full of people: it gets more attempts than one login at it.
const ADDRESS_FACTOR: i64 = 5;

/// Where a login comes from.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Its address.
    pub ip: String,
    /// What it calls itself.
    pub user_agent: String,
    /// The id of the request.
    pub request_id: String,
    /// The session cookie that it had before; that session ends.
    pub old_token: Option<String>,
}

/// Lets users in. One per process; cheap to clone.
#[derive(Clone)]
pub struct Doorkeeper {
    attempts: Arc<Mutex<HashMap<String, i64>>>,
    per_minute: i64,
    checking: Arc<Semaphore>,
}

impl Doorkeeper {
    /// Allows so many attempts per minute to one login from one address, and five times as many to the address.
    pub fn new(attempts_per_minute: u32) -> Self {
        Doorkeeper {
            attempts: Arc::default(),
            per_minute: i64::from(attempts_per_minute.max(1)),
            checking: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Checks login and password and begins a session.
    pub async fn login(
        &self,
        db: &Db,
        clock: &Clock,
        login: &str,
        password: String,
        browser: Browser,
    ) -> Result<(Token, Principal), Error> {
        self.admit(clock.now(), login, &browser.ip)?;
        let name = login.to_string();
        // No login has such characters, and not every database can be asked for them.
        let found = match name.contains(char::is_control) {
            true => None,
            false => db.read(move |tx| store::password_hash(tx, &name)).await?,
        };
        let matches = self.check(password, found.map(|(_, hash)| hash)).await?;
        let wrong = || Error::refused(Code::LoginWrong, "");
        if !matches {
            return Err(wrong());
        }
        let (name, now) = (login.to_string(), clock.now());
        db.write(move |tx| {
            let principal = store::principal(tx, &name)?.ok_or_else(wrong)?;
            let token = sessions::begin(tx, now, principal.user, &browser)?;
            let actor = Actor::user(&name, &browser.request_id, &browser.ip);
            let object = format!("user:{name}");
            let entry = audit::Entry { action: "user.login", object: &object, before: None, after: None };
            audit::record(tx, now, &actor, entry)?;
            Ok((token, principal))
        })
        .await
    }

    async fn check(&self, password: String, stored: Option<String>) -> Result<bool, Error> {
        let gone = || Error::Internal("a password check stopped".into());
        let _permit = self.checking.acquire().await.map_err(|_| gone())?;
        tokio::task::spawn_blocking(move || password::matches(&password, stored.as_deref()))
            .await
            .map_err(|_| gone())
    }

    /// One attempt of each key costs an even share of a minute; whoever is a whole minute ahead waits.
    fn admit(&self, now: i64, login: &str, ip: &str) -> Result<(), Error> {
        let mut ahead = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        // More than a minute ahead: the clock was set back.
        ahead.retain(|_, until| *until > now && *until <= now.saturating_add(MINUTE));
        let each = MINUTE / self.per_minute;
        for (key, cost) in [(format!("{ip} {login}"), each), (ip.to_string(), each / ADDRESS_FACTOR)] {
            let until = ahead.entry(key).or_insert(now);
            if until.saturating_add(cost) > now.saturating_add(MINUTE) {
                return Err(Error::refused(Code::LoginTooOften, ""));
            }
            *until = until.saturating_add(cost);
        }
        Ok(())
    }
}
