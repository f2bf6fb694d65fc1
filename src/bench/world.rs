//! A platform to be measured: one institution whose keys the bench holds itself, merchants, and an approved rule that
//! gives every order four lines.
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::db::{Backend, Create};
use crate::exchange::{self, Incoming};
use crate::inbox;
use crate::institutions::{self, Institution, NewInstitution, ResultEncoding};
use crate::kernel::rule;
use crate::merchants::{self, NewSubMerchant};
use crate::people::Actor;
use crate::people::credentials::{self, AnswerMode, NewCredential};
use crate::protocol::crypto::{MasterKey, PrivateKey, base64};
use crate::protocol::wechat::notification::ApiV3Key;

/// Code of the bench's institution; a database that holds another one is refused.
pub const INSTITUTION: &str = "BENCH";
/// Code of the institution beside it, where there are two.
const SECOND: &str = "BENCHB";
/// Code of the platform there.
pub const PLATFORM: &str = "LOAD";
/// Since when everything is approved.
const ALWAYS: &str = "2026-01-01T00:00:00+08:00";
/// Our number at the institution.
pub const CHANNEL_SP_MCHID: &str = "1800000001";
/// Names the institution's key on its messages.
pub const ANSWER_SERIAL: &str = "5E1F00D05E1F00D05E1F00D05E1F00D05E1F00D0";

/// The one platform merchant.
pub const SP_MCHID: &str = "1900000001";
/// Its application.
pub const SP_APPID: &str = "wx1900000001";
/// Names its key, which is the institution's: the bench is both.
pub const CALLER_SERIAL: &str = "00BB00BB";

/// The platform and the institution's side of it.
pub struct World {
    /// The platform.
    pub app: App,
    /// Where its files lie.
    pub data: PathBuf,
    /// The institution's profile.
    pub institution: Institution,
    /// The institution's key, for messages and files alike.
    pub key: PrivateKey,
    /// Seals its notifications.
    pub apiv3_key: ApiV3Key,
    /// How many merchants there are: `B000001`, known to the institution as `8000001` and so on.
    pub merchants: usize,
    /// Internal key of the one platform merchant.
    pub tenant: i64,
    /// Internal key of its credential.
    pub credential: i64,
}

impl World {
    /// Makes the platform in an empty database with this many merchants; its institution is never called.
    pub fn create(url: &str, data: &Path, merchants: usize) -> anyhow::Result<Self> {
        Self::create_before(url, data, merchants, "http://127.0.0.1:9")
    }

    /// The same with an institution that listens.
    pub fn create_before(url: &str, data: &Path, merchants: usize, channel: &str) -> anyhow::Result<Self> {
        let master_key = MasterKey::generate()?;
        let config = Config {
            database_url: url.to_owned(),
            data_dir: data.to_owned(),
            master_key: Some(Secret::new(master_key.to_hex())),
            allow_private_addresses: true,
            ..Config::default()
        };
        let clock = Clock::system();
        let db = crate::db::Db::open(url, Create::Yes)?;
        let others = db.read_blocking(institutions::all)?;
        ensure!(others.is_empty(), "{} is in use: give an empty database", Backend::of(url)?.shown());
        let app = App::new(db, clock, config, master_key)?;
        let (key, apiv3_key) = (PrivateKey::generate()?, ApiV3Key::generate()?);
        let (institution, tenant, credential) = found(&app, &key, &apiv3_key, merchants, channel)?;
        Ok(Self { app, data: data.to_owned(), institution, key, apiv3_key, merchants, tenant, credential })
    }

    /// Internal key of its first merchant.
    pub fn first_merchant(&self) -> anyhow::Result<i64> {
        let found = self.app.db.read_blocking(|tx| merchants::by_number(tx, &merchant(0)))?;
        Ok(found.context("the bench's merchants are not there")?.id)
    }

    /// Makes a second institution with as many merchants, whose work nobody does; its key and its first merchant's.
    pub fn second(&self, many: usize) -> anyhow::Result<(i64, i64)> {
        let (key_pem, public_pem) = (self.key.to_pem()?, self.key.public_key()?.to_pem()?);
        let (app, now, actor) = (&self.app, self.app.clock.now(), Actor::shell());
        let made = app.db.write_blocking(|tx| {
            let profile = profile(SECOND, "BO", "http://127.0.0.1:9", &key_pem, &public_pem, &self.apiv3_key);
            let id = institutions::create(tx, &app.master_key, now, &actor, &profile)?;
            for n in 0..many {
                let (number, inst_number) = (format!("C{n:06}"), inst_merchant_no(n));
                let new = NewSubMerchant {
                    merchant: &number,
                    platform_merchant_id: self.tenant,
                    institution_id: id,
                    inst_merchant_no: &inst_number,
                    name: &number,
                };
                merchants::create(tx, now, &actor, &new)?;
            }
            Ok((id, merchants::by_number(tx, "C000000")?))
        });
        let (id, first) = made?;
        Ok((id, first.context("the second institution's merchants are not there")?.id))
    }

    /// Which database it stands on, as reports name it.
    pub fn database(&self) -> &'static str {
        match self.app.db.backend() {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
        }
    }
}

/// Our number of the `n`th merchant, from 0.
pub fn merchant(n: usize) -> String {
    format!("B{:06}", n.saturating_add(1))
}

/// The institution's number of the `n`th merchant, from 0.
pub fn inst_merchant_no(n: usize) -> String {
    format!("8{:06}", n.saturating_add(1))
}

/// An institution of the bench.
fn profile<'a>(
    code: &'a str,
    order_prefix: &'a str,
    channel_base_url: &'a str,
    key_pem: &'a str,
    public_pem: &'a str,
    apiv3_key: &'a ApiV3Key,
) -> NewInstitution<'a> {
    NewInstitution {
        code,
        name: "压测机构",
        platform_code: PLATFORM,
        order_prefix,
        channel_base_url,
        channel_sp_mchid: CHANNEL_SP_MCHID,
        channel_sp_appid: "wx1800000001",
        channel_merchant_serial: "00AA00AA",
        channel_private_key_pem: key_pem,
        channel_apiv3_key: apiv3_key.expose(),
        channel_answer_serial: ANSWER_SERIAL,
        channel_answer_key_pem: public_pem,
        file_public_key_pem: public_pem,
        result_encoding: ResultEncoding::Ascii,
    }
}

fn found(
    app: &App,
    key: &PrivateKey,
    apiv3_key: &ApiV3Key,
    merchants: usize,
    channel: &str,
) -> anyhow::Result<(Institution, i64, i64)> {
    let (key_pem, public_pem) = (key.to_pem()?, key.public_key()?.to_pem()?);
    let caller_apiv3 = ApiV3Key::generate()?;
    let bundle = bundle(merchants)?;
    let signature = base64(&key.sign_sha256(bundle.as_bytes())?);
    let name = format!("APR_{INSTITUTION}_{PLATFORM}_20260101_0001.json");
    let incoming = Incoming::new(&name, bundle.into_bytes(), &signature)?;
    let inbox = exchange::Folder::new(&app.config.data_dir, INSTITUTION).inbox();
    exchange::stage(&inbox, &name)?.write_all(&incoming.bytes)?;
    exchange::publish(&inbox, &name, &incoming.digest(), &incoming.signature)?;
    let now = app.clock.now();
    let (master, actor) = (&app.master_key, Actor::shell());
    let made = app.db.write_blocking(|tx| {
        let institution = profile(INSTITUTION, "BN", channel, &key_pem, &public_pem, apiv3_key);
        let id = institutions::create(tx, master, now, &actor, &institution)?;
        let tenant = credentials::add_platform_merchant(tx, now, &actor, SP_MCHID, SP_APPID, "压测平台商户")?;
        let credential = NewCredential {
            platform_merchant_id: tenant,
            serial: CALLER_SERIAL,
            public_key_pem: &public_pem,
            apiv3_key: caller_apiv3.expose(),
            answer_mode: AnswerMode::Certificate,
        };
        let credential = credentials::create(tx, master, now, &actor, &credential)?;
        for n in 0..merchants {
            let (number, inst_number) = (merchant(n), inst_merchant_no(n));
            let new = NewSubMerchant {
                merchant: &number,
                platform_merchant_id: tenant,
                institution_id: id,
                inst_merchant_no: &inst_number,
                name: &number,
            };
            merchants::create(tx, now, &actor, &new)?;
        }
        let institution = institutions::by_id(tx, id)?;
        inbox::receive(tx, &institution, &incoming, now)?;
        Ok((institution, tenant, credential))
    });
    Ok(made?)
}

/// Approves every merchant, three receivers, and one rule: platform, agent and supplier beside the merchant.
pub(super) fn bundle(merchants: usize) -> anyhow::Result<String> {
    let rule = json!({
        "rule": "market", "version": 1, "institution": INSTITUTION,
        "effective_from": ALWAYS, "effective_to": null,
        "scope": {"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]},
        "priority": 0, "max_ratio_ppm": 300000, "fee_bearer": "merchant", "when_short": "in_order",
        "refund": "pro_rata",
        "shares": [
            {"to": "platform", "role": "platform", "rate_ppm": 6000, "min": 1},
            {"to": "agent:A1", "role": "agent", "rate_ppm": 3000, "min": 1},
            {"to": "supplier:S1", "role": "supplier", "rate_ppm": 120000, "min": 1},
        ],
    });
    let parsed = rule::parse(&rule.to_string()).map_err(|f| anyhow::anyhow!("the bench's rule: {f:?}"))?;
    let merchants: Vec<Value> = (0..merchants)
        .map(|n| {
            json!({
                "merchant": merchant(n), "inst_merchant_no": inst_merchant_no(n), "agreement_no": "A1",
                "active": [[ALWAYS, null]], "fees": {"wechat/native": 3800},
                "max_ratio_ppm": 300000, "min_settle": 1, "cycle": "D1",
            })
        })
        .collect();
    let receiver = |key: &str, number: &str, role: &str| {
        json!({
            "receiver": key, "inst_receiver_no": number, "role": role, "merchants": ["*"],
            "active": [[ALWAYS, null]], "min_settle": 1, "cycle": "D1",
        })
    };
    let document = json!({
        "format": "SSF1", "institution": INSTITUTION, "platform": PLATFORM, "issued_at": ALWAYS,
        "platform_cap_ppm": 100000, "merchants": merchants,
        "receivers": [
            receiver("platform", "9000001", "platform"),
            receiver("agent:A1", "9000002", "agent"),
            receiver("supplier:S1", "9000003", "supplier"),
        ],
        "rules": [{
            "digest": parsed.digest(), "approved_at": ALWAYS, "approved_by": "bench", "suspended_at": null,
            "rule": rule,
        }],
        "decisions": [], "holds": [], "calendar": {"off": [], "on": []},
    });
    Ok(format!("{document}\n"))
}
