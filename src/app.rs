//! What handlers and jobs share, and how the site is put together; `serve` and the tests use the same.
use crate::channels::http::{Guarded, Limits};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::Error;
use crate::protocol::crypto::MasterKey;

/// The state handed to every handler and every job. Clones share it.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The settings.
    pub config: Config,
    /// Wraps private keys and secrets at rest.
    pub master_key: MasterKey,
    /// The guarded client for everything that goes out.
    pub http: Guarded,
}

impl App {
    /// Puts the parts together; the outgoing client refuses private addresses unless the settings allow them.
    pub fn new(db: Db, clock: Clock, config: Config, master_key: MasterKey) -> Result<Self, Error> {
        let http = Guarded::new(Limits::default(), config.allow_private_addresses)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self { db, clock, config, master_key, http })
    }
}
