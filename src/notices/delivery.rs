//! Delivery of what the outbox holds, again and again as each language documents it until it is taken.
//!
//! The next delivery is written down before this one is sent: a crash in between costs a delivery, never the
//! notification.
//!
//! Merchants have their turns: whose system hangs or has a thousand notifications waiting keeps its own turns only, and
//! what is due for the others is taken up meanwhile.
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::task::JoinHandle;

use super::{Failure, is_taken, render, schedule};
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::outbox::{self, Due, Passed};
use crate::protocol::language::Language;
use crate::turns::{Share, Turn, Turns};

/// An hour for processes whose clocks differ, in seconds.
const APART: i64 = 3600;
/// The turns of all deliveries.
const ALL: &str = "notifications";
/// Deliveries at the same time, in all…
const CONCURRENCY: usize = 128;
/// … of one merchant's credential, while half of all are free: else one, so that a turn is left for whoever has none …
const OF_ONE: usize = 8;
/// … and to one host, which several merchants may share.
const TO_ONE: usize = 8;
/// Notifications looked at in one statement.
const PAGE: i64 = 200;
/// How long what is due waits at most for what is under way, when it could begin.
const TICK: Duration = Duration::from_secs(1);
/// Deliveries that end this soon after another are followed by one statement, not by one each.
const TOGETHER: Duration = Duration::from_millis(10);
/// When the last delivery is made again if nobody wrote down how it ended, in seconds.
const LAST: i64 = 60;

/// Delivers what is due now, to the end; how many deliveries were tried.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    deliver_due(app, true).await
}

/// [`run_once`], but what is still under way when nothing else can begin goes on by itself.
pub async fn round(app: &App) -> Result<usize, Error> {
    deliver_due(app, false).await
}

async fn deliver_due(app: &App, to_the_end: bool) -> Result<usize, Error> {
    let (mut tried, mut under_way) = (0_usize, FuturesUnordered::<JoinHandle<()>>::new());
    loop {
        let (turns, now) = (app.turns.clone(), app.clock.now());
        let taken = app.db.write(move |tx| take_up(tx, &turns, now)).await?;
        if taken.is_empty() && (!to_the_end || under_way.is_empty()) {
            return Ok(tried);
        }
        tried = tried.saturating_add(taken.len());
        for (note, turn) in taken {
            let app = app.clone();
            under_way.push(tokio::spawn(async move {
                deliver(&app, note).await;
                drop(turn);
            }));
        }
        if tokio::time::timeout(TICK, under_way.next()).await.is_ok() {
            tokio::time::sleep(TOGETHER).await;
            while under_way.next().now_or_never().flatten().is_some() {}
        }
    }
}

/// Takes up what is due and has its turn, and writes down when it is due again.
fn take_up(tx: &mut Tx<'_>, turns: &Turns, now: i64) -> Result<Vec<(Due, Turn)>, Error> {
    let (mut taken, mut passed) = (Vec::new(), Passed::default());
    loop {
        let mut due = outbox::due(tx, now, &passed, PAGE)?;
        let before = (taken.len(), passed.count());
        if due.is_empty() && before == (0, 0) {
            // No delivery is ever put off for longer: the clock was set back, and they would wait for it.
            due = outbox::due_after(tx, now.saturating_add(longest().saturating_mul(1_000_000)), PAGE)?;
        }
        if due.is_empty() {
            return Ok(taken);
        }
        for note in due {
            let [all, of_one, to_one] = shares(turns, &note);
            match turns.take(&[all.clone(), of_one.clone(), to_one]) {
                Ok(turn) => {
                    let pause = pause_after(note.language, note.attempts).unwrap_or(LAST);
                    let next_at = now.saturating_add(pause.saturating_mul(1_000_000));
                    if outbox::take_up(tx, &note, next_at)? {
                        taken.push((note, turn));
                    }
                }
                Err(full) if full == all.0 => return Ok(taken),
                Err(full) if full == of_one.0 => passed.credential(&note),
                Err(_) => passed.host(&note),
            }
        }
        if before == (taken.len(), passed.count()) {
            return Ok(taken);
        }
    }
}

/// Whose turns a delivery takes.
fn shares(turns: &Turns, note: &Due) -> [Share; 3] {
    let of_one = if turns.at_work(ALL) < CONCURRENCY / 2 { OF_ONE } else { 1 };
    [
        (ALL.to_owned(), CONCURRENCY),
        (format!("notifications of {}", note.credential_id), of_one),
        (format!("notifications to {}", note.origin().to_ascii_lowercase()), TO_ONE),
    ]
}

/// The longest pause of any schedule, and for clocks that differ, in seconds.
fn longest() -> i64 {
    let pauses = Language::ALL.iter().flat_map(|language| schedule(*language));
    pauses.copied().max().unwrap_or(0).saturating_add(APART)
}

/// Seconds until the delivery after the one that follows `attempts` earlier ones; none after the last.
fn pause_after(language: Language, attempts: i32) -> Option<i64> {
    let index = usize::try_from(attempts).unwrap_or(usize::MAX);
    schedule(language).get(index).copied()
}

async fn deliver(app: &App, note: Due) {
    let outcome = send(app, &note).await;
    let (id, attempt, now) = (note.id, note.attempts.saturating_add(1), app.clock.now());
    let last = pause_after(note.language, note.attempts).is_none();
    if let Err(why) = &outcome {
        let (event_id, to) = (&note.event_id, note.origin());
        tracing::warn!(
            event_id,
            to,
            attempt,
            given_up = last,
            %why,
            "a merchant did not take its notification"
        );
    }
    let written = app
        .db
        .write(move |tx| match outcome {
            Ok(()) => outbox::done(tx, id, now),
            Err(why) => outbox::failed(tx, id, &why.to_string(), last.then_some(now)),
        })
        .await;
    if let Err(error) = written {
        tracing::error!(event_id = note.event_id, attempt, %error, "a delivery's outcome was not written");
    }
}

/// One delivery; why it failed.
async fn send(app: &App, note: &Due) -> Result<(), Failure> {
    let rendered = render(app, note).await;
    let outgoing = rendered.map_err(|error| Failure::Other(error.to_string()))?;
    let answer = app.http.send(outgoing).await?;
    is_taken(note.language, &answer)
}
