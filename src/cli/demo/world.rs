//! A whole platform and its sandbox institution in one process that talk only HTTP and files.
use std::collections::HashSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::found;
use super::papers::{Login, Papers};
use super::scenery::{self, INSTITUTION, PLATFORM};
use super::shop::Shop;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::db::columns::InstitutionId;
use crate::db::{Create, Tx};
use crate::institutions;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::protocol::wechat::sign::AnswerKey;
use crate::sandbox::{Sandbox, Settings};
use crate::web::door;
use crate::{notices, tasks};

/// What a world is made of.
pub struct Setup {
    /// Where everything lies.
    pub dir: PathBuf,
    /// The platform's database.
    pub database_url: String,
    /// The key that wraps its secrets.
    pub master_key: String,
    /// Where the site listens.
    pub listener: TcpListener,
    /// Where the sandbox listens.
    pub sandbox_listener: TcpListener,
    /// The one clock of platform, sandbox and merchant.
    pub clock: Clock,
    /// The first business day, when the world is new.
    pub first_day: BusinessDay,
}

/// The running servers and the merchant's system in front of them.
pub struct World {
    /// The platform.
    pub app: Data<App>,
    /// The demo merchant.
    pub shop: Shop,
    /// Base URL of the site.
    pub site_url: String,
    /// Base URL of the sandbox.
    pub sandbox_url: String,
    /// Internal id of the institution.
    pub institution: InstitutionId,
    /// Who may log in.
    pub logins: Vec<Login>,
    http: reqwest::Client,
    site: ServerHandle,
    stop_sandbox: Option<oneshot::Sender<()>>,
    running: Vec<JoinHandle<std::io::Result<()>>>,
}

impl World {
    /// Opens the directory, or begins it, and starts both servers.
    pub async fn open(setup: Setup) -> anyhow::Result<Self> {
        let papers = Papers::new(&setup.dir)?;
        let clock = setup.clock.clone();
        let new = !setup.dir.join("logins.json").exists();
        if new {
            // What is approved now counts for every order of the first day.
            clock.set(setup.first_day.start());
        }
        let site_url = format!("http://{}", setup.listener.local_addr()?);
        let sandbox_url = format!("http://{}", setup.sandbox_listener.local_addr()?);
        let app = open_app(&setup, &papers, &site_url).await?;
        let sandbox = open_sandbox(&setup.dir, &sandbox_url, &clock).await?;
        let identity = sandbox.identity()?;
        let keys = app.known_keys();
        papers.file_keys(&keys, INSTITUTION, &identity.file_public_key)?;
        let until = clock.instant().plus(5 * 365 * 86_400);
        let merchant = papers.merchant(|key| found::certify(key, "Demo Merchant", clock.instant(), until))?;
        papers.wechat(&site_url, &keys, &merchant)?;

        let server = door::open(&app, setup.listener, 2, 2)?;
        let (stop_sandbox, stopped) = oneshot::channel::<()>();
        let (handle, listener) = (server.handle(), setup.sandbox_listener);
        let mut running = vec![
            tokio::spawn(server),
            tokio::spawn(async move { sandbox.serve(listener, async { drop(stopped.await) }).await }),
        ];
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mut shop = Shop {
            signer: merchant.signer.clone(),
            apiv3_key: merchant.apiv3_key.clone(),
            platform: AnswerKey { serial: keys.wechat.serial.clone(), key: keys.wechat.public_key.clone() },
            gateway: site_url.clone(),
            till: sandbox_url.clone(),
            clock,
            http: http.clone(),
            notify_url: String::new(),
            told: Arc::new(Mutex::new(HashSet::new())),
        };
        running.push(shop.listen()?);
        let stop_sandbox = Some(stop_sandbox);
        let (institution, logins, site) = (InstitutionId::new(0), Vec::new(), handle);
        let mut world =
            Self { app, shop, site_url, sandbox_url, institution, logins, http, site, stop_sandbox, running };
        if new {
            let registration = found::platform(&world, &identity, &merchant).await?;
            world.sandbox("PUT", "/sandbox/platform", &serde_json::to_value(registration)?).await?;
            let from = setup.first_day.start().to_cst();
            world.sandbox("POST", "/sandbox/proposals", &scenery::proposal(&from)).await?;
            ensure!(tasks::import_files(&world.app).await? == 1, "the first bundle was not taken in");
            papers.write_logins(&found::logins(&world).await?)?;
        }
        world.logins = papers.logins()?;
        if !new {
            found::only_true(&world.app, &mut world.logins).await?;
            papers.write_logins(&world.logins)?;
        }
        world.institution = world.check_address().await?;
        Ok(world)
    }

    /// The institution, which must be where it was at the first start.
    async fn check_address(&self) -> anyhow::Result<InstitutionId> {
        let read = |tx: &mut Tx<'_>| {
            let id = institutions::by_code(tx, INSTITUTION)?.id;
            Ok((id, institutions::channel(tx, id, ChannelName::Wechat)?.base_url))
        };
        let (id, base_url) = self.app.db.read(read).await?;
        ensure!(
            base_url == self.sandbox_url,
            "this directory was begun with the sandbox at {base_url}: start with the same --listen, or with another \
             --data"
        );
        Ok(id)
    }

    /// One call of the sandbox's control API.
    pub async fn sandbox(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.sandbox_url);
        let request = self.http.request(method.parse()?, url).json(body);
        let answer = request.send().await.context("the sandbox does not answer")?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "the sandbox refused {path}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Lets the sandbox notify of payments, and the platform its merchant, until nothing is due.
    pub async fn settle_messages(&self) -> anyhow::Result<()> {
        self.sandbox("POST", "/sandbox/deliveries/run", &json!({})).await?;
        notices::deliver(&self.app).await?;
        Ok(())
    }

    /// Lets the sandbox look at what was published, and takes its answers in.
    pub async fn exchange(&self) -> anyhow::Result<Value> {
        let answered = self.sandbox("POST", "/sandbox/files/process", &json!({})).await?;
        tasks::import_files(&self.app).await?;
        Ok(answered)
    }

    /// Stops the servers.
    pub async fn stop(mut self) {
        self.site.stop(true).await;
        drop(self.stop_sandbox.take());
        for server in self.running.drain(..).take(2) {
            drop(server.await);
        }
    }
}

async fn open_app(setup: &Setup, papers: &Papers, site_url: &str) -> anyhow::Result<Data<App>> {
    let config = Config {
        listen: setup.listener.local_addr()?,
        public_url: site_url.to_owned(),
        database_url: setup.database_url.clone(),
        data_dir: setup.dir.clone(),
        master_key: Some(Secret::new(setup.master_key.clone())),
        allow_private_addresses: true,
        ..Config::default()
    };
    papers.settings(&config)?;
    let clock = setup.clock.clone();
    let opened = tokio::task::spawn_blocking(move || App::open(config, clock, Create::Yes)).await?;
    Ok(Data::new(opened?))
}

async fn open_sandbox(dir: &Path, url: &str, clock: &Clock) -> anyhow::Result<Sandbox> {
    let settings = Settings {
        data: dir.join("sandbox"),
        exchange: dir.join("files"),
        institution: INSTITUTION.to_owned(),
        platform: PLATFORM.to_owned(),
        public_url: url.to_owned(),
        manual: false,
    };
    let clock = clock.clone();
    Ok(tokio::task::spawn_blocking(move || Sandbox::open(settings, clock)).await??)
}
