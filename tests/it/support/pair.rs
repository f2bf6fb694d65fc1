//! The platform of one test with the sandbox institution behind it, in a process of its own.
use std::collections::BTreeMap;

use diesel::prelude::*;
use mingfen::db::schema::{channel, institution_key};
use mingfen::institutions;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::channel::ChannelName;
use mingfen::orders::Payment;
use mingfen::sandbox::Registration;
use mingfen::tasks;
use serde_json::{Value, json};

use super::sandbox_process::SandboxProcess;
use super::shop::{Answered, Shop};

/// What of the outside world and of our own record a fault must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Rows of every table of the platform.
    pub rows: BTreeMap<String, i64>,
    /// Requests that reached the institution, by kind.
    pub requests: BTreeMap<String, u64>,
}

impl Facts {
    /// The same with so many rows and requests more.
    pub fn plus(mut self, rows: &[(&str, i64)], requests: &[(&str, u64)]) -> Self {
        for (table, more) in rows {
            *self.rows.get_mut(*table).unwrap_or_else(|| panic!("no table {table}")) += more;
        }
        for (kind, more) in requests {
            *self.requests.entry((*kind).to_owned()).or_default() += more;
        }
        self
    }
}

/// Both of them.
pub struct Pair {
    pub shop: Shop,
    pub sandbox: SandboxProcess,
}

impl Pair {
    /// A platform with usual patience.
    pub async fn open() -> Self {
        Self::behind(Shop::open().await).await
    }

    /// A platform that gives the institution half a second.
    pub async fn open_impatient() -> Self {
        Self::behind(Shop::open_impatient().await).await
    }

    async fn behind(shop: Shop) -> Self {
        let dir = shop.app.dir();
        let (master, now) = (shop.app.master_key.clone(), shop.app.clock.now());
        let sandbox = SandboxProcess::start(&dir.join("sandbox"), &dir.join("files")).await;
        let registration = shop.app.db.read(move |tx| {
            institutions::registration(tx, &master, ("SANDBOX", ChannelName::Wechat), None, now)
        });
        let registration = serde_json::to_value(registration.await.unwrap()).unwrap();
        let registration: Registration = serde_json::from_value(registration).unwrap();
        let notify_base_url = Some(shop.base_url.clone());
        sandbox.register(&Registration { notify_base_url, ..registration }).await;
        sandbox.follow(&shop.app.clock).await;
        let merchant = json!({"merchant": shop.sub_mchid, "inst_merchant_no": shop.inst_merchant_no});
        sandbox.post("proposals", json!({"merchants": [merchant]})).await;
        let pair = Self { shop, sandbox };
        pair.point_the_channel_at_it().await;
        pair
    }

    /// Moves the channel, and believes this institution's keys from now on, as if it had been set up so.
    async fn point_the_channel_at_it(&self) {
        let (id, it) = (self.shop.institution_id, self.sandbox.identity.clone());
        let point = self.shop.app.db.write(move |tx| {
            diesel::update(channel::table.filter(channel::institution_id.eq(id)))
                .set((channel::base_url.eq(&it.base_url), channel::version.eq(channel::version + 1)))
                .execute(tx.conn())?;
            let keys = institution_key::table.filter(institution_key::institution_id.eq(id));
            diesel::update(keys.filter(institution_key::purpose.eq("channel")))
                .set((
                    institution_key::key_id.eq(&it.serial),
                    institution_key::public_key_pem.eq(&it.public_key),
                ))
                .execute(tx.conn())?;
            diesel::update(keys.filter(institution_key::purpose.ne("channel")))
                .set(institution_key::public_key_pem.eq(&it.file_public_key))
                .execute(tx.conn())?;
            Ok(())
        });
        point.await.unwrap();
    }

    /// Places a good order.
    pub async fn place(&self, number: &str) -> Answered {
        self.shop.place(&self.shop.order(number)).await
    }

    /// Places a good order that must succeed; our number of it.
    pub async fn placed(&self, number: &str) -> String {
        let answer = self.place(number).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        self.shop.order_no(number).await
    }

    /// Moves both clocks on.
    pub async fn advance(&self, seconds: i64) {
        self.shop.app.clock.advance(seconds);
        self.sandbox.follow(&self.shop.app.clock).await;
    }

    /// Lets the platform ask for every order whose outcome it does not know; how many were settled.
    pub async fn resolve(&self) -> usize {
        tasks::resolve(&self.shop.app).await.unwrap()
    }

    /// Everything that is counted. How many entries of the ledger there are depends on which payments came together.
    pub async fn facts(&self) -> Facts {
        let log = self.sandbox.get("requests").await;
        let requests = serde_json::from_value(log["counts"].clone()).unwrap();
        let mut rows = self.shop.rows().await;
        rows.retain(|table, _| !["ledger_entry", "posting"].contains(&table.as_str()));
        Facts { rows, requests }
    }

    /// The payment as the platform recorded it.
    pub async fn payment(&self, number: &str) -> Payment {
        self.shop.detail(number).await.standing.payment.unwrap()
    }

    /// What the platform recorded is what the institution itself knows of the payment.
    pub async fn assert_recorded_as_it_was(&self, number: &str) {
        let (order_no, ours) = (self.shop.order_no(number).await, self.payment(number).await);
        let theirs: Value = self.sandbox.order(&order_no).await;
        let paid_at = Instant::new(ours.paid_at / 1_000_000).to_cst();
        assert_eq!(self.shop.state(number).await, "PAID");
        assert_eq!(
            (ours.inst_order_no.as_str(), ours.paid.get(), paid_at.as_str()),
            (
                theirs["transaction_id"].as_str().unwrap(),
                theirs["paid"].as_i64().unwrap(),
                theirs["paid_at"].as_str().unwrap()
            )
        );
    }
}
