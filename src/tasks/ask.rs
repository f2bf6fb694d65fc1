//! A notification can be lost for good: orders that could be paid are asked about by themselves, ever more seldom, until
//! they are paid or closed; and all that are open before their day is cut (`channels.md` 3).
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

use super::jobs::JobName;
use super::rounds::{self, Errand, TO_THE_END};
use super::store;
use super::work::{StopsOnDrop, TaskPhase, Watch};
use crate::app::App;
use crate::clock::micros;
use crate::db::columns::{InstitutionId, MerchantId, OrderId};
use crate::error::{Code, Error};
use crate::institutions::{self, Institution};
use crate::kernel::calendar::BusinessDay;
use crate::orders::{self, Open, Order, Outside};
use crate::turns::{self, Part};

/// How old an order is when it is asked about, in seconds. Where nothing else is said it may be paid for two hours: the
/// first time after that it is closed.
const AGES: [i64; 13] =
    [60, 180, 600, 1_800, 3_600, 7_260, 14_400, 28_800, 57_600, 86_400, 172_800, 345_600, 604_800];
/// How far back the first run of a process looks, and any other at most, in microseconds: a day.
const REACH: i64 = 86_400 * 1_000_000;
/// Orders of one merchant that are read at a time.
const PAGE: i64 = 200;
/// How long before a cut its day's orders are asked about at most: the bill comes all the same.
const BEFORE_CUT: Duration = Duration::from_secs(120);
/// Between two looks whether that must end.
const LOOK: Duration = Duration::from_millis(200);

/// Asks about every order that has come of an age since the last run; how many are paid or closed now. A merchant whose
/// orders get no answer is waited for no longer than this, and asked about further when its turn is over.
pub(super) async fn round(app: &App, patience: Duration) -> Result<usize, Error> {
    let now = app.clock.now();
    let furthest = now.saturating_sub(REACH);
    // Who has just begun does not know at what the process before was when it ended. Of what several processes do by
    // turns, each notes what came since the last one's run.
    let since = match app.ages.noted() {
        None => furthest,
        Some(noted) => {
            let runs = app.db.read(store::job_runs).await?;
            let before = runs.iter().find(|run| run.job == JobName::Ask).map(|run| run.started_at);
            before.map_or(noted, |before| before.max(noted)).max(furthest)
        }
    };
    let placed = AGES.map(|seconds| seconds.saturating_mul(1_000_000));
    let placed = placed.map(|age| since.saturating_sub(age)..now.saturating_sub(age));
    for institution in app.db.read(institutions::all).await? {
        app.ages.owe((institution.id, None), placed.to_vec());
    }
    app.ages.note(now);
    rounds::side_by_side(app, |institution| of_institution(app, institution, patience)).await
}

async fn of_institution(app: &App, institution: Institution, patience: Duration) -> Result<usize, Error> {
    let id = institution.id;
    let mut times = app.ages.take((id, None));
    while let Some(placed) = times.pop() {
        let time = placed.clone();
        match app.db.read(move |tx| orders::merchants_awaiting(tx, id, &time)).await {
            Ok(some) => {
                some.into_iter().for_each(|one| app.ages.owe((id, Some(one)), vec![placed.clone()]));
            }
            Err(error) => {
                times.push(placed);
                app.ages.owe((id, None), times);
                return Err(error);
            }
        }
    }
    let errand = errand(app, JobName::Ask, &institution, Arc::default());
    let parts = app.ages.merchants(id).into_iter().map(|merchant| {
        let ages = app.ages.clone();
        errand.part(merchant, awaiting(app, id, merchant, move || ages.take((id, Some(merchant)))))
    });
    app.turns.round(parts.collect(), patience).await
}

fn errand<'a>(app: &'a App, job: JobName, institution: &'a Institution, stop: Arc<AtomicBool>) -> Errand<'a> {
    Errand { app, job, institution, ask: |app, id| ask(app, id).boxed(), stop }
}

/// A merchant's open orders of these times, which are known when the first one is wanted; page by page. What cannot be
/// read is left to the next round.
fn awaiting(
    app: &App,
    institution: InstitutionId,
    merchant: MerchantId,
    times: impl FnOnce() -> Vec<Range<i64>> + Send + 'static,
) -> BoxStream<'static, OrderId> {
    let app = app.clone();
    let pages = async move {
        stream::unfold((app, times(), OrderId::new(0)), move |(app, mut times, mut after)| async move {
            while let Some(placed) = times.last().cloned() {
                let open = Open { placed, institution, merchant, after, limit: PAGE };
                match app.db.read(move |tx| orders::awaiting(tx, &open)).await {
                    Ok(page) => match page.last() {
                        Some(last) => {
                            after = *last;
                            return Some((stream::iter(page), (app, times, after)));
                        }
                        None => {
                            times.pop();
                            after = OrderId::new(0);
                        }
                    },
                    Err(error) => {
                        tracing::error!(%merchant, %error, "open orders could not be read, they are asked about later");
                        app.ages.owe((institution, Some(merchant)), times);
                        return None;
                    }
                }
            }
            None
        })
    };
    pages.flatten_stream().flatten().boxed()
}

/// Asks about every order of an institution that is still open and may have been paid by the end of a day. What could not
/// be asked is no reason not to cut: what only the bill tells is a difference. Once is enough: while the bill keeps the
/// cut waiting, they are asked about as they come of age. An error where there shall be no cut now.
pub(super) async fn before_cut(
    app: &App,
    institution: InstitutionId,
    day: BusinessDay,
    watch: &Watch,
) -> Result<(), Error> {
    if watch.before.is_some_and(|phase| phase != TaskPhase::Begun) {
        return Ok(());
    }
    let oldest = AGES.last().copied().unwrap_or_default();
    let placed = micros(day.start().plus(-oldest))..micros(day.next().start());
    let stop = Arc::default();
    // However this ends, nobody is asked about for it any more.
    let _stops = StopsOnDrop(Arc::clone(&stop));
    let asked = async {
        let time = placed.clone();
        let (institution, merchants) = app
            .db
            .read(move |tx| {
                let merchants = orders::merchants_awaiting(tx, institution, &time)?;
                Ok((institutions::by_id(tx, institution)?, merchants))
            })
            .await?;
        let errand = errand(app, JobName::Daily, &institution, stop);
        let parts = merchants.into_iter().map(|merchant| {
            let time = placed.clone();
            errand.part(merchant, awaiting(app, institution.id, merchant, move || vec![time]))
        });
        ask_all(app, parts.collect()).await
    };
    let asked = tokio::select! {
        asked = tokio::time::timeout(BEFORE_CUT, asked) => asked,
        code = must_end(app, watch) => return Err(Error::refused(code, format!("{day}: before its cut"))),
    };
    // Then nobody is begun with any more, so that asking may seem to be done.
    if let Some(code) = ends(app, watch) {
        return Err(Error::refused(code, format!("{day}: before its cut")));
    }
    match asked {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%day, %error, "open orders could not be asked about before the cut"),
        Err(_) => tracing::warn!(%day, "not every open order could be asked about before the cut"),
    }
    Ok(())
}

/// Returns when somebody stops the task, or when the process is about to end.
async fn must_end(app: &App, watch: &Watch) -> Code {
    loop {
        if let Some(code) = ends(app, watch) {
            return code;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Why the task has to end now, if it has.
fn ends(app: &App, watch: &Watch) -> Option<Code> {
    let stopped = watch.stop.load(Ordering::Relaxed).then_some(Code::TaskCancelled);
    stopped.or_else(|| app.turns.are_closing().then_some(Code::TaskAbandoned))
}

/// Nobody is left out: whose turn is taken has one when it is given back. A day that was cut before may have stopped while
/// an answer was awaited.
async fn ask_all(app: &App, parts: Vec<Part>) -> Result<usize, Error> {
    let (mut begun, mut left) = app.turns.begin(parts);
    while !left.is_empty() {
        tokio::time::sleep(LOOK).await;
        let (more, still) = app.turns.begin(left);
        begun.extend(more);
        left = still;
    }
    turns::over(begun, TO_THE_END).await
}

async fn ask(app: App, id: OrderId) -> bool {
    let asked = async {
        let order = app.db.read(move |tx| orders::by_id(tx, id)).await?;
        about(&app, order).await
    };
    asked.await.unwrap_or_else(|error| {
        tracing::error!(order = %id, %error, "an order could not be asked about, it is asked about again");
        false
    })
}

/// Asks the institution about one order; whether it is paid or closed now.
pub async fn about(app: &App, order: Order) -> Result<bool, Error> {
    let channel = app.channel(order.institution_id, order.channel).await?;
    let outside = Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    orders::follow_up(&outside, order).await
}
