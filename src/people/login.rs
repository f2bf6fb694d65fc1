//! Login with a password: throttled, the same answer in similar time whether or not the login exists.
use super::security::{Guard, SecurityEvent, SecurityKind};
use super::sessions::{self, Token};
use super::throttle;
use super::workers::Workers;
use super::{Actor, Principal, audit, device, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Code, Error};
use crate::protocol::crypto::MasterKey;

/// After so many seconds a queue that was full is asked again.
const BUSY: i64 = 5;

/// Where a login comes from.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The client's address.
    pub ip: String,
    /// What it calls itself.
    pub user_agent: String,
    /// The id of the request.
    pub request_id: String,
    /// The session cookie that it had before; that session ends.
    pub old_token: Option<String>,
    /// Its mark of an earlier login of the same user ([`device`]).
    pub device: Option<String>,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Denied {
    /// The reason.
    pub error: Error,
    /// After so many seconds it may be tried again; none where that is known of no moment.
    pub retry_after: Option<i64>,
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Denied { error, retry_after: None }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        denied.error
    }
}

/// Where so many microseconds must pass first.
fn too_often(wait: i64) -> Denied {
    let seconds = wait.saturating_add(999_999) / 1_000_000;
    Denied { error: Error::refused(Code::LoginTooOften, ""), retry_after: Some(seconds) }
}

/// Lets users in. One per process; cheap to clone.
#[derive(Clone)]
pub struct Doorkeeper {
    master: MasterKey,
    per_minute: i64,
    workers: Workers,
    guard: Guard,
}

impl Doorkeeper {
    /// Allows so many attempts per minute to one login from one address, and five times as many to the address
    /// ([`throttle`]); starts the threads that check passwords.
    pub fn new(master: &MasterKey, attempts_per_minute: u32, guard: &Guard) -> Result<Self, Error> {
        Ok(Doorkeeper {
            master: master.clone(),
            per_minute: i64::from(attempts_per_minute.max(1)),
            workers: Workers::start()?,
            guard: guard.clone(),
        })
    }

    /// Checks login and password and begins a session. What is refused leaves a security event.
    pub async fn login(
        &self,
        db: &Db,
        clock: &Clock,
        login: &str,
        password: String,
        browser: Browser,
    ) -> Result<(Token, Principal), Denied> {
        let client = browser.ip.clone();
        let outcome = self.enter(db, clock, login, password, browser).await;
        if let Err(Denied { error: Error::Refused { code, .. }, .. }) = &outcome {
            let is_wrong = *code == Code::LoginWrong;
            let kind = if is_wrong { SecurityKind::LoginFailed } else { SecurityKind::LoginHeldBack };
            // What was typed there may be anything, a password too: only a name that we know is kept. A full queue is
            // nobody's in particular: it has cost a look at the throttle, and must not cost one at the users.
            let known = *code != Code::LoginBusy && self.hash_of(db, login).await?.is_some();
            let who = if known { format!("user:{login}") } else { String::new() };
            self.guard.note(db, clock.now(), SecurityEvent::new(kind, who, &client, code.id()));
        }
        outcome
    }

    async fn enter(
        &self,
        db: &Db,
        clock: &Clock,
        login: &str,
        password: String,
        browser: Browser,
    ) -> Result<(Token, Principal), Denied> {
        let device = browser.device.as_deref().and_then(|mark| device::of(&self.master, login, mark));
        let (now, is_known) = (clock.now(), device.is_some());
        let limits = throttle::limits(&self.master, self.per_minute, (login, &browser.ip), device);
        // Who has to wait costs a look, and neither a write nor a place that somebody else could have.
        let looked_at = limits.clone();
        let wait = db.read(move |tx| throttle::wait(tx, now, &looked_at)).await?;
        if wait > 0 {
            return Err(too_often(wait));
        }
        let Some(place) = self.workers.place(is_known) else {
            return Err(Denied { error: Error::refused(Code::LoginBusy, ""), retry_after: Some(BUSY) });
        };
        let counted = limits.clone();
        if let Err(wait) = db.write(move |tx| throttle::admit(tx, now, &counted)).await? {
            return Err(too_often(wait));
        }
        let wrong = || Error::refused(Code::LoginWrong, "");
        let stored = self.hash_of(db, login).await?;
        if !self.workers.check(place, password, stored).await? {
            return Err(wrong().into());
        }
        let (name, now) = (login.to_string(), clock.now());
        let entered = db.write(move |tx| {
            throttle::forgive(tx, &limits)?;
            let principal = store::principal(tx, &name)?.ok_or_else(wrong)?;
            let token = sessions::begin(tx, now, principal.user, &browser)?;
            let actor = Actor::user(&name, &browser.request_id, &browser.ip);
            let object = format!("user:{name}");
            let entry = audit::Entry { action: "user.login", object: &object, before: None, after: None };
            audit::record(tx, now, &actor, entry)?;
            Ok((token, principal))
        });
        Ok(entered.await?)
    }

    /// Whether a login with this password would be let in now; counted nowhere, for commands of this machine.
    pub async fn knows(&self, db: &Db, login: &str, password: String) -> Result<bool, Error> {
        let stored = self.hash_of(db, login).await?;
        let place = self.workers.place(true).ok_or_else(|| Error::refused(Code::LoginBusy, ""))?;
        self.workers.check(place, password, stored).await
    }

    /// The hash of who may log in under that name.
    async fn hash_of(&self, db: &Db, login: &str) -> Result<Option<String>, Error> {
        // No login has such characters, and not every database can be asked for them.
        if login.contains(char::is_control) {
            return Ok(None);
        }
        let name = login.to_owned();
        Ok(db.read(move |tx| store::password_hash(tx, &name)).await?.map(|(_, hash)| hash))
    }
}
