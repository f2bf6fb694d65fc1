//! Delivery of what the outbox holds, again and again as each language documents it until it is taken.
//!
//! The next delivery is written down before this one is sent: a crash in between costs a delivery, never the
//! notification.
use futures_util::StreamExt;
use futures_util::stream;

use super::Language;
use crate::app::App;
use crate::error::Error;
use crate::outbox::{self, Due};

/// An hour for processes whose clocks differ, in seconds.
const APART: i64 = 3600;
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
    let mut due = outbox::due(tx, now, PAGE)?;
    if due.is_empty() {
        // No delivery is ever put off for longer: the clock was set back, and they would wait for it.
        due = outbox::due_after(tx, now.saturating_add(longest().saturating_mul(1_000_000)), PAGE)?;
    }
    let mut taken = Vec::new();
    for note in due {
        let pause = pause_after(Language::of(&note), note.attempts).unwrap_or(0);
        let next_at = now.saturating_add(pause.saturating_mul(1_000_000));
        if outbox::take_up(tx, &note, next_at)? {
            taken.push(note);
        }
    }
    Ok(taken)
}

/// The longest pause of any schedule, and for clocks that differ, in seconds.
fn longest() -> i64 {
    let pauses = Language::ALL.iter().flat_map(|language| language.schedule());
    pauses.copied().max().unwrap_or(0).saturating_add(APART)
}

/// Seconds until the delivery after the one that follows `attempts` earlier ones; none after the last.
fn pause_after(language: Language, attempts: i32) -> Option<i64> {
    let index = usize::try_from(attempts).unwrap_or(usize::MAX);
    language.schedule().get(index).copied()
}

async fn deliver(app: &App, note: Due) {
    let outcome = send(app, &note).await;
    let (id, attempt, now) = (note.id, note.attempts.saturating_add(1), app.clock.now());
    let last = pause_after(Language::of(&note), note.attempts).is_none();
    let written = app
        .db
        .write(move |tx| match outcome {
            Ok(()) => outbox::done(tx, id, now),
            Err(why) => outbox::failed(tx, id, &why, last.then_some(now)),
        })
        .await;
    if let Err(error) = written {
        tracing::error!(event_id = note.event_id, attempt, %error, "a delivery's outcome was not written");
    }
}

/// One delivery; why it failed.
async fn send(app: &App, note: &Due) -> Result<(), String> {
    let outgoing = Language::of(note).render(app, note).await.map_err(|error| error.to_string())?;
    let answer = app.http.send(outgoing).await.map_err(|fault| fault.to_string())?;
    match answer.status {
        200 | 204 => Ok(()),
        status => Err(format!("answered {status}")),
    }
}
