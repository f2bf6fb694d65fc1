//! A licensed institution in a box, for the demo and for tests: not a part of the platform.
//!
//! It has its own keys, its own store and its own view of every payment, shares only [`crate::kernel`] and
//! [`crate::protocol`] with the platform, and meets it as a real institution would: over HTTP (a partner channel of
//! WeChat Pay APIv3 and one of Alipay's `gateway.do`, with one account of orders) and over files in the exchange
//! directory (`files.md`). What it answers to a published file is its own recomputation, from its own bill and the
//! bundles it issued itself.
//!
//! Its control API under `/sandbox/…` has no login and moves its clock: bind it to loopback only.
mod calls;
mod control;
mod exchange;
mod faults;
mod front;
mod gateway;
mod identity;
mod platform;
mod store;
mod trade;
mod v3;

use std::future::Future;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use thiserror::Error;

use crate::clock::Clock;
use crate::disk::private_dir;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::Instant;
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::crypto::CryptoError;
use crate::protocol::wechat::errors::{ErrorBody, WechatCode};

use faults::Faults;
use identity::Identity;
pub use identity::PublicIdentity;
use platform::Registered;
pub use platform::Registration;
use store::Store;

/// How often the sandbox looks whether a notification is due.
const TICK: Duration = Duration::from_millis(200);
/// How long it waits for the answer to a notification.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request body it reads, bytes.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// Where the sandbox lives and who it is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its own directory: store, kept files, public keys.
    pub data: PathBuf,
    /// The exchange directory; it reads `{exchange}/{institution}/out` and writes `{exchange}/{institution}/in`.
    pub exchange: PathBuf,
    /// Its own code, for example `SANDBOX`.
    pub institution: String,
    /// The platform's code, for example `DEMO`.
    pub platform: String,
    /// Where it is reached, without a slash at the end.
    pub public_url: String,
    /// Nothing goes out by itself: notifications wait for `POST /sandbox/deliveries/run`.
    pub manual: bool,
}

/// Why the sandbox refuses, or could not do, something.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A channel call that is refused in WeChat's shape.
    #[error("{}", .1.message)]
    Wechat(WechatCode, Box<ErrorBody>),
    /// A channel call that is refused in Alipay's shape; with what exactly is wrong.
    #[error("{}: {}", .0.message(), .1)]
    Alipay(SubCode, String),
    /// A control call that cannot be done as asked.
    #[error("{0}")]
    Refused(String),
    /// No such thing.
    #[error("{0}")]
    NotFound(String),
    /// A file could not be read or written.
    #[error("sandbox file: {0}")]
    Io(#[from] std::io::Error),
    /// A key or sealed text is unusable.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Anything else.
    #[error("sandbox: {0}")]
    Internal(String),
}

impl From<serde_json::Error> for SandboxError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl SandboxError {
    fn wechat(code: WechatCode, message: impl Into<String>) -> Self {
        Self::Wechat(code, Box::new(ErrorBody::new(code, message)))
    }

    fn parameter(field: &str, issue: &str) -> Self {
        Self::Wechat(WechatCode::ParamError, Box::new(ErrorBody::parameter(field, issue)))
    }
}

struct Inner {
    settings: Settings,
    clock: Clock,
    store: Store,
    identity: Identity,
    faults: Mutex<Faults>,
    registered: RwLock<Registered>,
    bundle: RwLock<Option<Arc<Bundle>>>,
    http: reqwest::Client,
    /// Deliveries are worked on by one at a time.
    delivering: tokio::sync::Mutex<()>,
    /// Published files, too.
    answering: tokio::sync::Mutex<()>,
}

/// A sandbox institution. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

impl Sandbox {
    /// Opens the directory, making store and keys on the first start, and goes on from where it was.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, SandboxError> {
        private_dir(&settings.data)?;
        let store = Store::open(&settings.data.join("sandbox.db"))?;
        let identity = Identity::open(&store, &settings)?;
        let registered = Registered::load(&store)?;
        let bundle = exchange::approvals::load(&store)?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(NOTIFY_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| SandboxError::Internal(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            settings,
            clock,
            store,
            identity,
            faults: Mutex::default(),
            registered: RwLock::new(registered),
            bundle: RwLock::new(bundle),
            http,
            delivering: tokio::sync::Mutex::default(),
            answering: tokio::sync::Mutex::default(),
        })))
    }

    /// What the platform needs to know of this institution.
    pub fn identity(&self) -> Result<PublicIdentity, SandboxError> {
        self.0.identity.public(&self.0.settings)
    }

    /// Serves until `shutdown` is ready.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let sandbox = self.clone();
        let mut server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(sandbox.clone()))
                .app_data(web::PayloadConfig::new(BODY_MAX))
                .app_data(web::JsonConfig::default().limit(BODY_MAX))
                .wrap(from_fn(calls::uncoded))
                .configure(control::routes)
                .default_service(web::to(v3::serve))
        })
        .workers(2)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::select! {
            ended = &mut server => return ended,
            () = self.deliver_by_itself() => {}
            () = shutdown => {}
        }
        tokio::join!(handle.stop(true), server).1
    }

    /// Goes on with the clock as it was set before the last end: for a sandbox that has a process of its own.
    pub fn restore_clock(&self) -> Result<(), SandboxError> {
        if let Some(text) = self.0.store.with(|tx| store::setting(tx, control::CLOCK_OFFSET))? {
            let micros: i64 = text.parse().map_err(|_| SandboxError::Internal("clock offset".to_owned()))?;
            self.0.clock.advance(micros / 1_000_000);
        }
        Ok(())
    }

    async fn deliver_by_itself(&self) {
        if self.0.settings.manual {
            std::future::pending::<()>().await;
        }
        loop {
            if let Err(error) = self.run_deliveries().await {
                tracing::warn!(%error, "sandbox could not work on its deliveries");
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn now(&self) -> Instant {
        self.0.clock.instant()
    }

    fn faults<T>(&self, work: impl FnOnce(&mut Faults) -> T) -> T {
        work(&mut self.0.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The bundle in force.
    fn bundle(&self) -> Option<Arc<Bundle>> {
        self.0.bundle.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
