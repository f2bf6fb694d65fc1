//! The platform that is visited: made and filled at the first run, opened again at later ones.
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use super::fill::Fill;
use super::store::{self, Filler};
use crate::app::App;
use crate::bench::Args;
use crate::bench::world::{self, World};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::db::columns::{InstitutionId, MerchantId};
use crate::db::{Backend, Create};
use crate::people::{Actor, Role, Scope, password, users};
use crate::{exchange, institutions, merchants};

/// Orders when nothing else is asked for.
const ORDERS: u64 = 10_000_000;
/// Merchants, where there are orders enough for them.
const MERCHANTS: u64 = 10_000;
/// Of all who log in; they exist in the bench's own database alone.
pub const PASSWORD: &str = "a page a minute";
/// Who reads the pages: the platform, the big merchant, the one with three orders, the institution.
pub const LOGINS: [&str; 4] = ["ops", "big", "small", "inst"];

/// A filled platform.
pub struct Platform {
    /// Its application.
    pub app: App,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// How it was filled.
    pub fill: Fill,
    /// Removed when the bench ends.
    _data: Option<Scratch>,
}

/// Opens the platform of an earlier run by the key in its directory, or makes it in an empty database.
pub fn stand(args: &Args) -> anyhow::Result<Platform> {
    let orders = args.orders.unwrap_or(ORDERS);
    let many = usize::try_from((orders / 100).clamp(10, MERCHANTS))?;
    let scratch = if args.data.is_some() { None } else { Some(Scratch::new()?) };
    let data = args.data.clone().or(scratch.as_ref().map(|own| own.0.clone())).context("no directory")?;
    let key_file = data.join("pages.key");
    let known = fs::read_to_string(&key_file).ok();
    let app = match &known {
        Some(key) => {
            let config = Config {
                database_url: args.database.clone(),
                data_dir: data,
                master_key: Some(Secret::new(key.trim().to_owned())),
                ..Config::default()
            };
            App::open(config, Clock::system(), Create::No)?
        }
        None => {
            let world = World::create(&args.database, &data, many)?;
            fs::create_dir_all(&data)?;
            fs::write(&key_file, world.app.master_key.to_hex())?;
            world.app
        }
    };
    let fill = plan(&app, &args.database, i64::try_from(orders)?, i64::try_from(many)?)?;
    if known.is_none() {
        Filler::open(app.db.backend())?.fill(&fill)?;
        app.db.write_blocking(exchange::repair_standing)?;
        let (hash, at) = (password::hash(PASSWORD)?, app.clock.now());
        for (login, role, scope) in people(&fill) {
            let user = users::NewUser { login, name: login, role, scope, password_hash: &hash };
            app.db.write_blocking(|tx| users::add(tx, at, &Actor::shell(), &user))?;
        }
    }
    let database = match app.db.backend() {
        Backend::Sqlite(_) => "sqlite",
        Backend::Postgres(_) => "postgres",
    };
    Ok(Platform { app, database, fill, _data: scratch })
}

fn people(fill: &Fill) -> [(&'static str, Role, Scope); 4] {
    let [ops, big, small, inst] = LOGINS;
    let last = fill.first_merchant.saturating_add(fill.merchants).saturating_sub(1);
    [
        (ops, Role::Admin, Scope::Platform),
        (big, Role::Merchant, Scope::Merchant(MerchantId::new(fill.first_merchant))),
        (small, Role::Merchant, Scope::Merchant(MerchantId::new(last))),
        (inst, Role::InstMaker, Scope::Institution(InstitutionId::new(fill.institution))),
    ]
}

fn plan(app: &App, url: &str, orders: i64, many: i64) -> anyhow::Result<Fill> {
    let backend = Backend::of(url)?;
    let (institution, first) = app.db.read_blocking(|tx| {
        let institution = institutions::by_code(tx, world::INSTITUTION)?;
        Ok((institution, merchants::by_number(tx, &world::merchant(0))?))
    })?;
    let first = first.context("the bench's merchants are not there")?;
    Ok(Fill {
        dialect: store::dialect(&backend),
        orders,
        merchants: many,
        first_merchant: first.id.get(),
        institution: institution.id.get(),
        tenant: first.platform_merchant_id.get(),
        credential: 1,
        now: app.clock.now(),
        today: app.clock.today(),
    })
}

/// A directory that goes with the bench.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("mingfen-bench-pages-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "a directory of the bench stays");
        }
    }
}
