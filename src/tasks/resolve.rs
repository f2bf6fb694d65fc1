//! Leaves `UNKNOWN`: orders whose answer never came back are asked for at their institution.
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::jobs::JobName;
use super::rounds::{self, TO_THE_END};
use crate::app::App;
use crate::db::columns::{InstitutionId, OrderId};
use crate::error::Error;
use crate::institutions::Institution;
use crate::orders::{self, Order, Outside, Stuck};

/// Orders of an institution asked for at the same time.
const CONCURRENCY: usize = 8;
/// Orders read at a time.
const PAGE: i64 = 200;
/// How far back orders are looked for, in microseconds: seven days. Older ones are the bill's business.
const REACH: i64 = 7 * 24 * 3600 * 1_000_000;
/// An order that was stored but not sent for this long, in microseconds, was left behind by a crash: one minute.
const LEFT_BEHIND: i64 = 60 * 1_000_000;
/// While the process runs, left-behind orders are looked for in this window, in microseconds: a quarter of an hour.
const WINDOW: i64 = 15 * 60 * 1_000_000;

/// Asks for every order that hangs now; how many are settled.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    round(app, JobName::Resolve, TO_THE_END).await
}

/// The same after a start, when an earlier process may have left orders behind at any time.
pub async fn after_start(app: &App) -> Result<usize, Error> {
    round(app, JobName::LeftBehind, TO_THE_END).await
}

/// Either of them, but an institution that does not answer is waited for no longer than this: its own orders are asked
/// for on and on, and those of the others meanwhile.
pub(super) async fn round(app: &App, job: JobName, patience: Duration) -> Result<usize, Error> {
    let created_reach = if job == JobName::LeftBehind { REACH } else { WINDOW };
    let work =
        move |app: App, institution: Institution| of_institution(app, institution.id, created_reach).boxed();
    rounds::of_institutions(app, job, patience, work).await
}

/// Page after page, so many orders at the same time; the next page does not wait for the slowest order of this one.
async fn of_institution(app: App, institution: InstitutionId, created_reach: i64) -> Result<usize, Error> {
    let (mut after, mut settled, mut asking) = (OrderId::new(0), 0_usize, FuturesUnordered::new());
    let mut count = |done: bool| settled = settled.saturating_add(usize::from(done));
    loop {
        let page = page(&app, institution, created_reach, after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for order in page {
            if asking.len() >= CONCURRENCY {
                asking.next().await.into_iter().for_each(&mut count);
            }
            asking.push(resolve(&app, order));
        }
    }
    while let Some(done) = asking.next().await {
        count(done);
    }
    Ok(settled)
}

async fn page(
    app: &App,
    institution: InstitutionId,
    created_reach: i64,
    after: OrderId,
) -> Result<Vec<Order>, Error> {
    let now = app.clock.now();
    let stuck = Stuck {
        institution,
        after,
        unknown_since: now.saturating_sub(REACH),
        created_since: now.saturating_sub(created_reach),
        created_before: now.saturating_sub(LEFT_BEHIND),
        limit: PAGE,
    };
    app.db.read(move |tx| orders::unresolved(tx, &stuck)).await
}

/// One order that cannot be settled must not keep the others from it.
async fn resolve(app: &App, order: Order) -> bool {
    let order_no = order.order_no.clone();
    let outcome = async {
        let channel = app.channel(order.institution_id, order.channel).await?;
        let outside = Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        orders::resolve(&outside, order).await
    };
    outcome.await.unwrap_or_else(|error| {
        tracing::error!(order_no, %error, "an order could not be resolved, it is tried again");
        false
    })
}
