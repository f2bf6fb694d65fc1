//! Delivery of merchants' notifications, again and again as documented until they are taken (`channels.md` 1.7).
//!
//! The next delivery is written down before this one is sent: a crash in between costs a delivery, never the
//! notification. The id stays the same at every delivery; the signature and the seal are made anew.
use futures_util::StreamExt;
use futures_util::stream;
use reqwest::Method;
use url::Url;

use super::store::{self, Due};
use crate::app::App;
use crate::channels::http::Outgoing;
use crate::clock;
use crate::error::Error;
use crate::merchants::credentials::{self, AnswerMode};
use crate::protocol::wechat::notification::{self, Event, TRANSACTION_SUCCESS};
use crate::protocol::wechat::sign::Stamp;

/// Seconds from one delivery to the next; after the last of them the notification is given up.
pub const SCHEDULE: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];
/// The longest pause of [`SCHEDULE`], and an hour for processes whose clocks differ, in seconds.
const LONGEST: i64 = 21600 + 3600;
/// Deliveries at the same time.
const CONCURRENCY: usize = 16;
/// Notifications taken up at a time.
const PAGE: i64 = 200;

/// Delivers what is due now; how many deliveries were tried.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let mut tried = 0_usize;
    loop {
        let now = app.clock.now();
        let due = app.db.write(move |tx| take_up(tx, now)).await?;
        if due.is_empty() {
            return Ok(tried);
        }
        tried = tried.saturating_add(due.len());
        stream::iter(due)
            .map(|note| deliver(app, note))
            .buffer_unordered(CONCURRENCY)
            .for_each(|()| async {})
            .await;
    }
}

/// Takes up what is due and writes down when it is due again.
fn take_up(tx: &mut crate::db::Tx<'_>, now: i64) -> Result<Vec<Due>, Error> {
    let mut due = store::due(tx, now, PAGE)?;
    if due.is_empty() {
        // No delivery is ever put off for longer: the clock was set back, and they would wait for it.
        due = store::due_after(tx, now.saturating_add(LONGEST.saturating_mul(1_000_000)), PAGE)?;
    }
    let mut taken = Vec::new();
    for note in due {
        let next_at = now.saturating_add(pause_after(note.attempts).saturating_mul(1_000_000));
        if store::take_up(tx, &note, next_at)? {
            taken.push(note);
        }
    }
    Ok(taken)
}

/// Seconds until the delivery after the one that follows `attempts` earlier ones.
fn pause_after(attempts: i32) -> i64 {
    let index = usize::try_from(attempts).unwrap_or(usize::MAX);
    SCHEDULE.get(index).copied().unwrap_or(0)
}

async fn deliver(app: &App, note: Due) {
    let outcome = send(app, &note).await;
    let (id, attempt, now) = (note.id, note.attempts.saturating_add(1), app.clock.now());
    let last = usize::try_from(note.attempts).unwrap_or(usize::MAX) >= SCHEDULE.len();
    let written = app
        .db
        .write(move |tx| match outcome {
            Ok(()) => store::done(tx, id, now),
            Err(why) => store::failed(tx, id, &why, last.then_some(now)),
        })
        .await;
    if let Err(error) = written {
        tracing::error!(event_id = note.event_id, attempt, %error, "a delivery's outcome was not written");
    }
}

/// One delivery; why it failed.
async fn send(app: &App, note: &Due) -> Result<(), String> {
    let outgoing = seal(app, note).await.map_err(|error| error.to_string())?;
    let answer = app.http.send(outgoing).await.map_err(|fault| fault.to_string())?;
    match answer.status {
        200 | 204 => Ok(()),
        status => Err(format!("answered {status}")),
    }
}

/// Seals the resource with the merchant's APIv3 key and signs the message in the credential's answer mode.
async fn seal(app: &App, note: &Due) -> Result<Outgoing, Error> {
    let (master, id) = (app.master_key.clone(), note.credential_id);
    let credential = app.db.read(move |tx| credentials::by_id(tx, &master, id)).await?;
    let (keys, now, note) = (app.keys().await?, app.clock.instant(), note.clone());
    let sealed = tokio::task::spawn_blocking(move || {
        let event = Event {
            id: &note.event_id,
            create_time: clock::instant(note.created_at),
            event_type: TRANSACTION_SUCCESS,
            summary: "支付成功",
            original_type: "transaction",
            plain: &note.body,
        };
        let body = notification::seal(&credential.apiv3_key, &event).map_err(Error::internal)?;
        let key = &keys.wechat;
        let serial = match credential.answer_mode {
            AnswerMode::Certificate => &key.serial,
            AnswerMode::PublicKey => &key.public_key_id,
        };
        let stamp = Stamp::sign(serial, &key.private_key, now, &body).map_err(Error::internal)?;
        let mut headers = stamp.headers().to_vec();
        headers.push(("Content-Type", "application/json; charset=utf-8".to_owned()));
        let url = Url::parse(&note.url).map_err(Error::internal)?;
        Ok(Outgoing { method: Method::POST, url, headers, body })
    });
    sealed.await.map_err(Error::internal)?
}
