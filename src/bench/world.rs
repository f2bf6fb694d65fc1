//! A platform to be measured: one institution whose keys the bench holds itself, merchants, and an approved rule that
//! gives every order four lines.
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::db::columns::{CredentialId, InstitutionId, MerchantId, TenantId};
use crate::db::{Backend, Create};
use crate::error::Error;
use crate::exchange::{self, Incoming};
use crate::inbox;
use crate::institutions::{self, Documents, Institution, ResultEncoding};
use crate::kernel::rule;
use crate::merchants::credentials::{self, AnswerMode, NewCredential};
use crate::merchants::founding::{ChannelPart, Founding, InstitutionPart, MerchantPart, TenantPart};
use crate::merchants::{self, tenants};
use crate::people::Actor;
use crate::protocol::crypto::{MasterKey, PrivateKey, base64};
use crate::protocol::wechat::notification::ApiV3Key;

/// Code of the bench's institution; a database that holds another one is refused.
pub const INSTITUTION: &str = "BENCH";
/// Where no institution listens.
const NOBODY: &str = "http://127.0.0.1:9";
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
    pub tenant: TenantId,
    /// Internal key of its credential.
    pub credential: CredentialId,
}

impl World {
    /// Makes the platform in an empty database with this many merchants; its institution is never called.
    pub fn create(url: &str, data: &Path, merchants: usize) -> anyhow::Result<Self> {
        Self::create_before(url, data, merchants, NOBODY)
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
    pub fn first_merchant(&self) -> anyhow::Result<MerchantId> {
        let found = self.app.db.read_blocking(|tx| merchants::by_number(tx, &merchant(0)))?;
        Ok(found.context("the bench's merchants are not there")?.id)
    }

    /// Makes a second institution with as many merchants, whose work nobody does; its key and its first merchant's.
    pub fn second(&self, many: usize) -> anyhow::Result<(InstitutionId, MerchantId)> {
        let (app, actor) = (&self.app, Actor::shell());
        let founding = document(&Side::SECOND, NOBODY, &self.key, &self.apiv3_key, many)?;
        let made = app.db.write_blocking(|tx| {
            founding.establish(tx, &app.master_key, app.clock.now(), &actor)?;
            let first = merchants::by_number(tx, &(Side::SECOND.merchant)(0))?;
            Ok((institutions::by_code(tx, Side::SECOND.code)?.id, first))
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

/// What tells the bench's institutions apart.
struct Side {
    code: &'static str,
    order_prefix: &'static str,
    merchant: fn(usize) -> String,
}

impl Side {
    const FIRST: Self = Self { code: INSTITUTION, order_prefix: "BN", merchant };
    const SECOND: Self = Self { code: "BENCHB", order_prefix: "BO", merchant: |n| format!("C{n:06}") };
}

fn found(
    app: &App,
    key: &PrivateKey,
    apiv3_key: &ApiV3Key,
    merchants: usize,
    channel: &str,
) -> anyhow::Result<(Institution, TenantId, CredentialId)> {
    let public_pem = key.public_key()?.to_pem()?;
    let caller_apiv3 = ApiV3Key::generate()?;
    let bundle = bundle(merchants)?;
    let signature = base64(&key.sign_sha256(bundle.as_bytes())?);
    let name = format!("APR_{INSTITUTION}_{PLATFORM}_20260101_0001.json");
    let incoming = Incoming::new(&name, bundle.into_bytes(), &signature)?;
    let folder = exchange::Folder::new(&app.config.data_dir, INSTITUTION);
    let now = app.clock.now();
    let (master, actor) = (&app.master_key, Actor::shell());
    let founding = document(&Side::FIRST, channel, key, apiv3_key, merchants)?;
    let made = app.db.write_blocking(|tx| {
        founding.establish(tx, master, app.clock.now(), &actor)?;
        let tenant = tenants::by_number(tx, SP_MCHID)?.ok_or(Error::NotFound)?.id;
        let credential = NewCredential {
            platform_merchant_id: tenant,
            serial: CALLER_SERIAL,
            public_key_pem: &public_pem,
            apiv3_key: caller_apiv3.expose(),
            answer_mode: AnswerMode::Certificate,
        };
        let credential = credentials::create(tx, master, now, &actor, &credential)?;
        let institution = institutions::by_code(tx, INSTITUTION)?;
        inbox::take_in(tx, &folder, &institution, &incoming, now)?;
        Ok((institution, tenant, credential))
    });
    Ok(made?)
}

/// What the bench's platform is founded with.
fn document(
    side: &Side,
    channel: &str,
    key: &PrivateKey,
    apiv3_key: &ApiV3Key,
    merchants: usize,
) -> anyhow::Result<Founding> {
    let public_pem = key.public_key()?.to_pem()?;
    let founding = Founding {
        institution: Some(InstitutionPart {
            code: side.code.to_owned(),
            name: "压测机构".to_owned(),
            platform_code: PLATFORM.to_owned(),
            order_prefix: side.order_prefix.to_owned(),
            result_encoding: ResultEncoding::Ascii.as_str().to_owned(),
            documents: Documents::Channel.as_str().to_owned(),
        }),
        channel: vec![ChannelPart {
            institution: None,
            channel: "wechat".to_owned(),
            language: "wechat_v3".to_owned(),
            base_url: channel.to_owned(),
            sp_mchid: CHANNEL_SP_MCHID.to_owned(),
            sp_appid: "wx1800000001".to_owned(),
            serial: Some("00AA00AA".to_owned()),
            private_key: Some(key.to_pem()?),
            apiv3_key: Some(apiv3_key.expose().to_owned()),
        }],
        tenant: vec![TenantPart {
            sp_mchid: SP_MCHID.to_owned(),
            sp_appid: SP_APPID.to_owned(),
            name: "压测平台商户".to_owned(),
        }],
        merchant: (0..merchants)
            .map(|n| MerchantPart {
                merchant: (side.merchant)(n),
                name: (side.merchant)(n),
                tenant: SP_MCHID.to_owned(),
                institution: None,
                inst_merchant_no: inst_merchant_no(n),
            })
            .collect(),
        ..Founding::default()
    };
    Ok(founding.with_keys(&public_pem, (ANSWER_SERIAL, &public_pem)))
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
