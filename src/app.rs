//! What handlers and jobs share; `serve`, `demo` and the tests put it together in the same way.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channels::Channel;
use crate::channels::http::{Guarded, Limits};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::{Create, Db, Lane, Leases, OpenError, Tx};
use crate::error::Error;
use crate::exchange::{Desk, Folder};
use crate::inbox::Taken;
use crate::institutions;
use crate::orders::{Intake, Pace};
use crate::people::credentials::Unwrapped;
use crate::people::keys::PlatformKeys;
use crate::people::login::Doorkeeper;
use crate::protocol::crypto::MasterKey;
use crate::settlement::Waits;

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
    /// The platform's own keys.
    pub keys: Arc<PlatformKeys>,
    /// Credentials whose keys are unwrapped.
    pub credentials: Unwrapped,
    /// Lets users in.
    pub doorkeeper: Doorkeeper,
    /// The guarded client for everything that goes out.
    pub http: Guarded,
    /// Keeps jobs that run in several processes from doing the same at the same time.
    pub leases: Leases,
    /// What was last told of days that stand still.
    pub waits: Waits,
    /// Files of the institutions' folders that are recorded.
    pub taken: Taken,
    channels: Arc<Mutex<Channels>>,
}

/// Opened channels by their institutions' keys, and those by their codes.
#[derive(Default)]
struct Channels {
    opened: HashMap<i64, Channel>,
    codes: HashMap<String, i64>,
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
    #[error("{0}: is this the master key that the database was begun with?")]
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
        let doorkeeper = Doorkeeper::new(config.login_attempts_per_minute);
        let (config, keys) = (Arc::new(config), Arc::new(keys));
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
            doorkeeper,
            http,
            leases,
            waits,
            taken: Taken::default(),
            channels,
        })
    }

    /// The same for requests, which must be answered in time.
    #[must_use]
    pub fn for_requests(&self) -> Self {
        App { db: self.db.lane(Lane::Requests), ..self.clone() }
    }

    /// The channel of an institution; its keys are unwrapped once in the life of a process.
    pub async fn channel(&self, institution: i64) -> Result<Channel, Error> {
        if let Some(known) = self.channels().opened.get(&institution) {
            return Ok(known.clone());
        }
        let master = self.master_key.clone();
        let read = move |tx: &mut Tx<'_>| {
            let profile = institutions::by_id(tx, institution)?;
            let keys = institutions::keys(tx, &master, &profile)?;
            Ok((profile, keys))
        };
        let (profile, keys) = self.db.read(read).await?;
        let opened = Channel::open(profile, keys, &self.http, &self.clock, &self.config.public_url)?;
        let mut channels = self.channels();
        channels.codes.insert(opened.institution().code.clone(), institution);
        channels.opened.insert(institution, opened.clone());
        Ok(opened)
    }

    /// The channel of an institution by its code.
    pub async fn channel_of(&self, code: &str) -> Result<Channel, Error> {
        let known = self.channels().codes.get(code).copied();
        let institution = match known {
            Some(id) => id,
            None => {
                let code = code.to_owned();
                self.db.read(move |tx| Ok(institutions::by_code(tx, &code)?.id)).await?
            }
        };
        self.channel(institution).await
    }

    /// What publishing for an institution needs.
    pub async fn desk(&self, institution: i64) -> Result<Desk, Error> {
        let institution = self.db.read(move |tx| institutions::by_id(tx, institution)).await?;
        let folder = Folder::new(&self.config.data_dir, &institution.code);
        Ok(Desk { institution, folder, key: self.keys.files.private_key.clone() })
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
