//! A notification can be lost for good: orders that could be paid are asked about by themselves, ever more seldom, until
//! they are paid or closed; and all that are open before their day is cut (`channels.md` 3).
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;

use super::jobs::JobName;
use super::rounds::{ByMerchant, TO_THE_END};
use super::store;
use super::work::{TaskPhase, Watch};
use crate::app::App;
use crate::clock::micros;
use crate::db::columns::{InstitutionId, OrderId};
use crate::error::{Code, Error};
use crate::institutions;
use crate::kernel::calendar::BusinessDay;
use crate::orders::{self, Open, Order, Outside};

/// How old an order is when it is asked about, in seconds. Where nothing else is said it may be paid for two hours: the
/// first time after that it is closed.
const AGES: [i64; 13] =
    [60, 180, 600, 1_800, 3_600, 7_260, 14_400, 28_800, 57_600, 86_400, 172_800, 345_600, 604_800];
/// How far back a run looks that no other came before, in microseconds: a day.
const REACH: i64 = 86_400 * 1_000_000;
/// The most orders of one age that a run asks about; the others are asked about at the next age.
const MOST: i64 = 1_000;
/// How long before a cut its day's orders are asked about at most: the bill comes all the same.
const BEFORE_CUT: Duration = Duration::from_secs(120);
/// Between two looks whether that must end.
const LOOK: Duration = Duration::from_millis(200);

/// Asks about every order that has come of an age since the last run; how many are paid or closed now. A merchant whose
/// orders get no answer is waited for no longer than this.
pub(super) async fn round(app: &App, patience: Duration) -> Result<usize, Error> {
    let now = app.clock.now();
    let before = app.db.read(store::job_runs).await?;
    let before = before.iter().find(|run| run.job == JobName::Ask).map(|run| run.started_at);
    let since = before.unwrap_or_else(|| now.saturating_sub(REACH)).max(now.saturating_sub(REACH));
    let mut parts = Vec::new();
    for institution in app.db.read(institutions::all).await? {
        let open = come_of_age(app, institution.id, since, now).await?;
        parts.extend(open.parts(app, JobName::Ask, &institution, |app, id| ask(app, id).boxed()));
    }
    app.turns.round(parts, patience).await
}

async fn come_of_age(
    app: &App,
    institution: InstitutionId,
    since: i64,
    now: i64,
) -> Result<ByMerchant, Error> {
    let mut open: BTreeMap<OrderId, Order> = BTreeMap::new();
    for age in AGES.map(|seconds| seconds.saturating_mul(1_000_000)) {
        let placed = since.saturating_sub(age)..now.saturating_sub(age);
        let some = awaiting(app, placed, institution, OrderId::new(0)).await?;
        open.extend(some.into_iter().map(|order| (order.id, order)));
    }
    let mut asked = ByMerchant::default();
    asked.add(open.into_values().collect());
    Ok(asked)
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
    let asked = async {
        let (mut after, mut open) = (OrderId::new(0), ByMerchant::default());
        loop {
            let page = awaiting(app, placed.clone(), institution, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            open.add(page);
        }
        let institution = app.db.read(move |tx| institutions::by_id(tx, institution)).await?;
        let parts = open.parts(app, JobName::Daily, &institution, |app, id| ask(app, id).boxed());
        app.turns.round(parts, TO_THE_END).await
    };
    let asked = tokio::select! {
        asked = tokio::time::timeout(BEFORE_CUT, asked) => asked,
        code = must_end(app, watch) => return Err(Error::refused(code, format!("{day}: before its cut"))),
    };
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
        if watch.stop.load(Ordering::Relaxed) {
            return Code::TaskCancelled;
        }
        if app.turns.are_closing() {
            return Code::TaskAbandoned;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn awaiting(
    app: &App,
    placed: Range<i64>,
    institution: InstitutionId,
    after: OrderId,
) -> Result<Vec<Order>, Error> {
    let open = Open { placed, institution, after, limit: MOST };
    app.db.read(move |tx| orders::awaiting(tx, &open)).await
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
