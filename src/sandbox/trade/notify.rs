//! Payment notifications and their redelivery (`channels.md` 1.7 and 2.4).
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::store::{self, Attempt, Delivery, Trade};
use super::{alipay, pay, view};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::protocol::alipay::notification::RECEIVED;
use crate::protocol::crypto::random_nonce;
use crate::protocol::wechat::notification::{Event, TRANSACTION_SUCCESS, seal};
use crate::protocol::wechat::order::OrderRequest;
use crate::protocol::wechat::shapes::OrderView;
use crate::protocol::wechat::sign::Stamp;
use crate::sandbox::faults::Fault;
use crate::sandbox::platform::Platform;
use crate::sandbox::store::Tx;
use crate::sandbox::{Sandbox, SandboxError};

/// Seconds to the next attempt after the first, second, … that failed; after the last it is given up.
const fn redelivery(channel: ChannelName) -> &'static [i64] {
    match channel {
        ChannelName::Wechat => {
            &[15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]
        }
        ChannelName::Alipay => &[240, 600, 600, 3600, 7200, 21600, 54000],
    }
}

/// How many notifications are on their way at the same time.
const WIDTH: usize = 8;

/// The longest answer to a notification that is read, bytes; no word that counts is longer.
const ANSWER_MAX: usize = 64;

/// A notification as it goes out.
pub(super) struct Message {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

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
            let each = stream::iter(due).map(|(delivery, trade)| self.attempt(delivery, trade));
            for outcome in each.buffer_unordered(width).collect::<Vec<_>>().await {
                let (sent, done) = outcome?;
                run.due = run.due.saturating_add(1);
                run.sent = run.sent.saturating_add(sent);
                run.done = run.done.saturating_add(usize::from(done));
            }
        }
    }

    /// One delivery: how many requests it took, and whether the platform has it now.
    async fn attempt(&self, delivery: Delivery, trade: Trade) -> Result<(usize, bool), SandboxError> {
        let twice = self.faults(|faults| faults.strike_notification(Fault::DuplicateNotifications));
        let mut outcome = self.deliver(&delivery, &trade).await;
        if twice {
            outcome = self.deliver(&delivery, &trade).await;
        }
        let done = outcome.is_ok();
        self.settle(delivery, trade.wallet()?, outcome).await?;
        Ok((1_usize.saturating_add(usize::from(twice)), done))
    }

    async fn deliver(&self, delivery: &Delivery, trade: &Trade) -> Result<(), String> {
        let message = self.message(delivery, trade).await.map_err(|error| error.to_string())?;
        let mut request = self.0.http.post(message.url);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let sent = request.body(message.body).send().await;
        let mut answer = sent.map_err(|error| error.without_url().to_string())?;
        let (status, mut said) = (answer.status().as_u16(), Vec::new());
        while said.len() <= ANSWER_MAX {
            match answer.chunk().await.map_err(|error| error.without_url().to_string())? {
                Some(chunk) => said.extend_from_slice(&chunk),
                None => break,
            }
        }
        match (trade.wallet().map_err(|error| error.to_string())?, status) {
            (ChannelName::Wechat, 200 | 204) => Ok(()),
            (ChannelName::Alipay, 200) if said == RECEIVED.as_bytes() => Ok(()),
            (ChannelName::Alipay, 200) => Err(format!("answered otherwise than {RECEIVED}")),
            (ChannelName::Wechat | ChannelName::Alipay, status) => Err(format!("HTTP {status}")),
        }
    }

    async fn message(&self, delivery: &Delivery, trade: &Trade) -> Result<Message, SandboxError> {
        let number = trade.out_trade_no.clone();
        let work = move |tx: &mut Tx<'_>| Ok((store::trade(tx, &number)?, store::coupon(tx, &number)?));
        let (found, coupon) = self.0.store.run(work).await?;
        let payment = found.and_then(|(_, payment)| payment);
        let payment = payment.ok_or_else(|| SandboxError::NotFound("no such payment".to_owned()))?;
        let channel = trade.wallet()?;
        let platform = self.platform(channel);
        let platform = platform.ok_or_else(|| SandboxError::NotFound("no such platform".to_owned()))?;
        let badly = self.faults(|faults| faults.strike_notification(Fault::BadSignature));
        match channel {
            ChannelName::Wechat => {
                let plain = view(trade, Some(&payment), coupon.as_ref(), delivery.created_at)?;
                self.wechat_message(&platform, delivery, (trade, &plain), badly)
            }
            ChannelName::Alipay => {
                let told = alipay::told::Told { trade, payment: Some(&payment), coupon: coupon.as_ref() };
                alipay::told::message(self, &platform, delivery, &told, badly)
            }
        }
    }

    fn wechat_message(
        &self,
        platform: &Platform,
        delivery: &Delivery,
        (trade, plain): (&Trade, &OrderView),
        badly: bool,
    ) -> Result<Message, SandboxError> {
        let request: OrderRequest = serde_json::from_str(&trade.body)?;
        let plain = serde_json::to_vec(plain)?;
        let event = Event {
            id: &delivery.event_id,
            create_time: pay::instant(delivery.created_at),
            event_type: TRANSACTION_SUCCESS,
            summary: "支付成功",
            original_type: "transaction",
            plain: &plain,
        };
        let body = seal(&platform.apiv3_key, &event)?;
        let identity = &self.0.identity;
        let serial = identity.serial(None, platform.registration.public_key_mode);
        let signed: &[u8] = if badly { b"something else" } else { &body };
        let stamp = Stamp::sign(serial, &identity.channel_key, self.now(), signed)?;
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        headers.extend(stamp.headers());
        Ok(Message { url: request.notify_url, headers, body })
    }

    async fn settle(
        &self,
        delivery: Delivery,
        channel: ChannelName,
        outcome: Result<(), String>,
    ) -> Result<(), SandboxError> {
        let now = self.now().get();
        let tried = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
        let wait = redelivery(channel).get(tried).copied();
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
