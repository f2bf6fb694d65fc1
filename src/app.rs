//! What handlers and jobs share; `serve`, `demo` and the tests put it together in the same way.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;

use crate::channels::Channel;
use crate::channels::http::{Guarded, Limits};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::columns::InstitutionId;
use crate::db::{Create, Db, DbError, Lane, Leases, OpenError, Tx};
use crate::error::{Code, Error};
use crate::exchange::{Desk, Folder};
use crate::inbox::Seen;
use crate::institutions::{self, Documents, Institution, PlatformKeys};
use crate::kernel::channel::ChannelName;
use crate::merchants::credentials::Unwrapped;
use crate::orders::{Ages, Asking, Intake, Pace};
use crate::people::address;
use crate::people::login::Doorkeeper;
use crate::people::security::{Guard, SecurityEvent, SecurityKind};
use crate::protocol::crypto::MasterKey;
use crate::settlement::Waits;
use crate::turns::Turns;

/// The state handed to every handler and every job. Clones share it.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Takes payments in.
    pub intake: Intake,
    /// The settings.
    pub config: Arc<Config>,
    /// Wraps private keys and secrets at rest, and makes tokens.
    pub master_key: MasterKey,
    /// Credentials whose keys are unwrapped.
    pub credentials: Unwrapped,
    /// How often merchants may make us ask.
    pub asking: Asking,
    /// Which orders of an age are still to be asked about.
    pub ages: Ages,
    /// Lets users in.
    pub doorkeeper: Doorkeeper,
    /// Takes down what is refused.
    pub guard: Guard,
    /// The guarded client for everything that goes out.
    pub http: Guarded,
    /// Keeps jobs that run in several processes from doing the same at the same time.
    pub leases: Leases,
    /// What was last told of days that stand still.
    pub waits: Waits,
    /// Whose turn it is, of all that is done for many parties side by side.
    pub turns: Turns,
    /// Files of the institutions' folders that are recorded, or were looked at and left alone.
    pub seen: Seen,
    keys: Arc<Mutex<Arc<PlatformKeys>>>,
    channels: Arc<Mutex<Channels>>,
}

/// Opened channels by their institutions' keys and names, and those keys by the institutions' codes.
#[derive(Default)]
struct Channels {
    opened: HashMap<(InstitutionId, ChannelName), Opened>,
    codes: HashMap<String, InstitutionId>,
}

/// A channel as it was at a version of it.
#[derive(Clone)]
struct Opened {
    channel: Channel,
    version: i64,
    /// When the first of its keys ends.
    until: Option<i64>,
}

/// Why a platform does not start; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The platform's keys cannot be read or made, or the outgoing client.
    #[error(transparent)]
    Parts(#[from] Error),
}

impl App {
    /// Opens what the settings name and puts the parts together. Blocks.
    pub fn open(config: Config, clock: Clock, create: Create) -> Result<Self, StartError> {
        let master_key = config.master_key()?;
        let db = Db::open(&config.database_url, create)?;
        Ok(App::new(db, clock, config, master_key)?)
    }

    /// Puts the parts together: makes the platform's keys at the first start; the outgoing client refuses private
    /// addresses unless the settings allow them. Blocks.
    pub fn new(db: Db, clock: Clock, config: Config, master_key: MasterKey) -> Result<Self, Error> {
        let ensure = || db.write_blocking(|tx| PlatformKeys::ensure(tx, &master_key, clock.instant()));
        let keys = match ensure() {
            // Another process started for the first time as well: its keys are there now.
            Err(error) if error.is_duplicate() => ensure()?,
            keys => keys?,
        };
        let http =
            Guarded::new(Limits::default(), config.allow_private_addresses).map_err(Error::internal)?;
        let guard = Guard::default();
        let doorkeeper = Doorkeeper::new(&master_key, config.login_attempts_per_minute, &guard)?;
        let (config, keys) = (Arc::new(config), Arc::new(Mutex::new(Arc::new(keys))));
        let intake = Intake::start(&db.lane(Lane::Intake), Pace::of(&db))?;
        let (leases, waits, channels) = (Leases::default(), Waits::default(), Arc::default());
        Ok(App {
            db,
            clock,
            intake,
            config,
            master_key,
            keys,
            credentials: Unwrapped::default(),
            asking: Asking::default(),
            ages: Ages::default(),
            doorkeeper,
            guard,
            http,
            leases,
            waits,
            turns: Turns::default(),
            seen: Seen::default(),
            channels,
        })
    }

    /// The same for requests, which must be answered in time.
    #[must_use]
    pub fn for_requests(&self) -> Self {
        App { db: self.db.lane(Lane::Requests), ..self.clone() }
    }

    /// The address of the client that a request comes from, as everything notes and counts it; empty where it came by no
    /// network.
    pub fn client(&self, request: &HttpRequest) -> String {
        let Some(peer) = request.peer_addr() else { return String::new() };
        let Some(header) = self.config.proxy_header else { return peer.ip().to_canonical().to_string() };
        let trusted = &self.config.trusted_proxies;
        let lines = request.headers().get_all(header.name());
        let told: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        address::client(peer.ip(), header, &told, trusted).to_string()
    }

    /// Takes a security event down: somebody was refused something by this request.
    pub fn note(&self, request: &HttpRequest, kind: SecurityKind, who: String, what: &'static str) {
        let event = SecurityEvent::new(kind, who, &self.client(request), what);
        self.guard.note(&self.db, self.clock.now(), event);
    }

    /// The platform's own keys as they count now: another process may have replaced one, so each use looks at their few
    /// rows first. A database that does not answer leaves what is known.
    pub async fn keys(&self) -> Result<Arc<PlatformKeys>, Error> {
        let (known, master, at) = (self.known_keys(), self.master_key.clone(), self.clock.now());
        let held = known.clone();
        let read = move |tx: &mut Tx<'_>| match held.are_current(tx, at)? {
            true => Ok(None),
            false => PlatformKeys::read(tx, &master, at).map(Some),
        };
        match self.db.read(read).await {
            Ok(None) | Err(Error::Db(DbError::Unavailable)) => Ok(known),
            Ok(Some(newer)) => {
                let newer = Arc::new(newer);
                self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&newer);
                Ok(newer)
            }
            Err(error) => Err(error),
        }
    }

    /// [`App::keys`] where the number of the newest of them was just read.
    pub async fn keys_of(&self, newest: Option<i64>) -> Result<Arc<PlatformKeys>, Error> {
        let known = self.known_keys();
        if known.are_of(newest, self.clock.now()) { Ok(known) } else { self.keys().await }
    }

    /// The platform's own keys as this process used them last.
    pub fn known_keys(&self) -> Arc<PlatformKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A channel of an institution. Its keys are unwrapped once a version: each use looks first whether they still count.
    pub async fn channel(&self, institution: InstitutionId, name: ChannelName) -> Result<Channel, Error> {
        let (master, at, id) = (self.master_key.clone(), self.clock.now(), institution);
        let known = self.opened((institution, name), at);
        let version = known.as_ref().map(|opened| opened.version);
        let read = move |tx: &mut Tx<'_>| {
            if version == Some(institutions::version(tx, id, name)?) {
                return Ok(None);
            }
            let profile = institutions::channel(tx, id, name)?;
            let keys = institutions::open_channel(tx, &master, &profile, at)?;
            Ok(Some((institutions::by_id(tx, institution)?, profile, keys)))
        };
        let (profile, keys, institution_row) = match (self.db.read(read).await?, known) {
            (None, Some(known)) => return Ok(known.channel),
            (None, None) => return Err(Error::Internal("a channel that nobody opened".to_owned())),
            (Some((row, profile, keys)), _) => (profile, keys, row),
        };
        if keys.answer_keys.is_empty() {
            let why =
                format!("no key that signs {name} answers of {} counts now: enter one", institution_row.code);
            return Err(Error::refused(Code::InstitutionInvalid, why));
        }
        let (until, version) = (keys.until, profile.version);
        let channel =
            Channel::open(institution_row, profile, keys, &self.http, &self.clock, &self.config.public_url)?;
        let mut channels = self.channels();
        channels.codes.insert(channel.institution().code.clone(), institution);
        channels.opened.insert((institution, name), Opened { channel: channel.clone(), version, until });
        Ok(channel)
    }

    /// Every channel of an institution that is needed to cut its days. Where a day waits for none of them, one that cannot
    /// be used now is left out, and logged.
    pub async fn channels_of(&self, institution: &Institution) -> Result<Vec<Channel>, Error> {
        let id = institution.id;
        let mut channels = Vec::new();
        for profile in self.db.read(move |tx| institutions::channels(tx, id)).await? {
            match (self.channel(id, profile.name).await, institution.documents) {
                (Ok(channel), _) => channels.push(channel),
                (Err(error), Documents::Channel) => return Err(error),
                (Err(error), Documents::Bil) => {
                    let (institution, channel) = (&institution.code, profile.name);
                    tracing::warn!(institution, %channel, %error, "a channel cannot be used");
                }
            }
        }
        Ok(channels)
    }

    /// [`App::channel`] where its version was just read.
    pub async fn channel_of_version(
        &self,
        (institution, name): (InstitutionId, ChannelName),
        version: Option<i64>,
    ) -> Result<Channel, Error> {
        match self.opened((institution, name), self.clock.now()) {
            Some(opened) if Some(opened.version) == version => Ok(opened.channel),
            Some(_) | None => self.channel(institution, name).await,
        }
    }

    /// A channel as it was opened last, while its keys count.
    fn opened(&self, of: (InstitutionId, ChannelName), at: i64) -> Option<Opened> {
        let known = self.channels().opened.get(&of).cloned();
        known.filter(|opened| institutions::counts(opened.until, at))
    }

    /// A channel of an institution by its code.
    pub async fn channel_of(&self, code: &str, name: ChannelName) -> Result<Channel, Error> {
        let known = self.channels().codes.get(code).copied();
        let institution = match known {
            Some(id) => id,
            None => {
                let code = code.to_owned();
                self.db.read(move |tx| Ok(institutions::by_code(tx, &code)?.id)).await?
            }
        };
        self.channel(institution, name).await
    }

    /// What publishing for an institution needs.
    pub async fn desk(&self, institution: InstitutionId) -> Result<Desk, Error> {
        let institution = self.db.read(move |tx| institutions::by_id(tx, institution)).await?;
        let folder = Folder::new(&self.config.data_dir, &institution.code);
        Ok(Desk { institution, folder, key: self.keys().await?.files.private_key.clone() })
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
