//! Payment notifications and their redelivery (`channels.md` 1.7).
use actix_web::http::header::CONTENT_TYPE;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::store::{self, Attempt, Delivery};
use super::{pay, view};
use crate::kernel::calendar::Instant;
use crate::protocol::crypto::random_nonce;
use crate::protocol::wechat::notification::{Event, TRANSACTION_SUCCESS, seal};
use crate::protocol::wechat::order::OrderRequest;
use crate::protocol::wechat::sign::Stamp;
use crate::sandbox::faults::Fault;
use crate::sandbox::platform::Platform;
use crate::sandbox::store::Tx;
use crate::sandbox::{Sandbox, SandboxError};

/// Seconds to the next attempt after the first, second, … that failed; after the last it is given up.
const REDELIVERY: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];

/// How many notifications are on their way at the same time.
const WIDTH: usize = 8;

/// What one run did.
#[derive(Debug, Default, Serialize)]
pub(in crate::sandbox) struct Run {
    /// Notifications that were due.
    pub due: usize,
    /// Requests sent: more than due when they are duplicated.
    pub sent: usize,
    /// Taken by the platform.
    pub done: usize,
}

/// Puts an order's notification on its way.
pub(super) fn enqueue(tx: &mut Tx<'_>, out_trade_no: &str, now: Instant) -> Result<(), SandboxError> {
    let event_id = random_nonce(32)?;
    store::insert_delivery(tx, &event_id, out_trade_no, now.get())
}

impl Sandbox {
    /// Delivers every notification that is due now.
    pub(in crate::sandbox) async fn run_deliveries(&self) -> Result<Run, SandboxError> {
        let _one_at_a_time = self.0.delivering.lock().await;
        let now = self.now().get();
        let mut run = Run::default();
        let Some(platform) = self.platform() else { return Ok(run) };
        loop {
            // What fails is due later than now, so that this ends.
            let mut due = self.0.store.run(move |tx| store::due(tx, now)).await?;
            if due.is_empty() {
                return Ok(run);
            }
            let reorder = due.len() > 1
                && self.faults(|faults| faults.strike_notification(Fault::ReorderNotifications));
            let width = if reorder { 1 } else { WIDTH };
            if reorder {
                due.reverse();
            }
            let each = stream::iter(due).map(|delivery| self.attempt(&platform, delivery));
            for outcome in each.buffer_unordered(width).collect::<Vec<_>>().await {
                let (sent, done) = outcome?;
                run.due = run.due.saturating_add(1);
                run.sent = run.sent.saturating_add(sent);
                run.done = run.done.saturating_add(usize::from(done));
            }
        }
    }

    /// One delivery: how many requests it took, and whether the platform has it now.
    async fn attempt(&self, platform: &Platform, delivery: Delivery) -> Result<(usize, bool), SandboxError> {
        let twice = self.faults(|faults| faults.strike_notification(Fault::DuplicateNotifications));
        let mut outcome = self.deliver(platform, &delivery).await;
        if twice {
            outcome = self.deliver(platform, &delivery).await;
        }
        let done = outcome.is_ok();
        self.settle(delivery, outcome).await?;
        Ok((1_usize.saturating_add(usize::from(twice)), done))
    }

    async fn deliver(&self, platform: &Platform, delivery: &Delivery) -> Result<(), String> {
        let (url, body) = self.notification(platform, delivery).await.map_err(|error| error.to_string())?;
        let badly = self.faults(|faults| faults.strike_notification(Fault::BadSignature));
        let identity = &self.0.identity;
        let serial = identity.serial(None, platform.registration.public_key_mode);
        let signed: &[u8] = if badly { b"something else" } else { &body };
        let stamp = Stamp::sign(serial, &identity.channel_key, self.now(), signed)
            .map_err(|error| error.to_string())?;
        let mut request = self.0.http.post(url).header(CONTENT_TYPE.as_str(), "application/json");
        for (name, value) in stamp.headers() {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.map_err(|error| error.without_url().to_string())?;
        match answer.status().as_u16() {
            200 | 204 => Ok(()),
            status => Err(format!("HTTP {status}")),
        }
    }

    async fn notification(
        &self,
        platform: &Platform,
        delivery: &Delivery,
    ) -> Result<(String, Vec<u8>), SandboxError> {
        let number = delivery.out_trade_no.clone();
        let found = move |tx: &mut Tx<'_>| Ok((store::trade(tx, &number)?, store::coupon(tx, &number)?));
        let (found, coupon) = self.0.store.run(found).await?;
        let (trade, payment) = found.ok_or_else(|| SandboxError::NotFound("no such order".to_owned()))?;
        let request: OrderRequest = serde_json::from_str(&trade.body)?;
        let plain =
            serde_json::to_vec(&view(&trade, payment.as_ref(), coupon.as_ref(), delivery.created_at)?)?;
        let event = Event {
            id: &delivery.event_id,
            create_time: pay::instant(delivery.created_at),
            event_type: TRANSACTION_SUCCESS,
            summary: "支付成功",
            original_type: "transaction",
            plain: &plain,
        };
        Ok((request.notify_url, seal(&platform.apiv3_key, &event)?))
    }

    async fn settle(&self, delivery: Delivery, outcome: Result<(), String>) -> Result<(), SandboxError> {
        let now = self.now().get();
        let tried = usize::try_from(delivery.attempts).unwrap_or(REDELIVERY.len());
        let wait = REDELIVERY.get(tried).copied();
        let failed = outcome.is_err();
        let attempt = Attempt {
            attempts: delivery.attempts.saturating_add(1),
            next_at: now.saturating_add(wait.unwrap_or(0)),
            done_at: (!failed).then_some(now),
            given_up_at: (failed && wait.is_none()).then_some(now),
            last_error: outcome.err(),
        };
        self.0.store.run(move |tx| store::attempted(tx, delivery.id, &attempt)).await
    }
}
