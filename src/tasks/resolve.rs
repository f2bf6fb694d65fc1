//! Leaves `UNKNOWN`: orders whose answer never came back are asked for at their institution.
use futures_util::StreamExt;
use futures_util::stream;

use crate::app::App;
use crate::db::columns::OrderId;
use crate::error::Error;
use crate::orders::{self, Order, Outside, Stuck};

/// Orders asked for at the same time.
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
    run(app, WINDOW).await
}

/// The same after a start, when an earlier process may have left orders behind at any time.
pub async fn after_start(app: &App) -> Result<usize, Error> {
    run(app, REACH).await
}

async fn run(app: &App, created_reach: i64) -> Result<usize, Error> {
    let (mut after, mut settled) = (OrderId::new(0), 0_usize);
    loop {
        let now = app.clock.now();
        let stuck = Stuck {
            after,
            unknown_since: now.saturating_sub(REACH),
            created_since: now.saturating_sub(created_reach),
            created_before: now.saturating_sub(LEFT_BEHIND),
            limit: PAGE,
        };
        let page = app.db.read(move |tx| orders::unresolved(tx, &stuck)).await?;
        let Some(last) = page.last() else { return Ok(settled) };
        after = last.id;
        let outcomes: Vec<bool> =
            stream::iter(page).map(|order| resolve(app, order)).buffer_unordered(CONCURRENCY).collect().await;
        settled = settled.saturating_add(outcomes.into_iter().filter(|done| *done).count());
    }
}

/// One order that cannot be settled must not keep the others from it.
async fn resolve(app: &App, order: Order) -> bool {
    let order_no = order.order_no.clone();
    let outcome = async {
        let channel = app.channel(order.institution_id).await?;
        let outside = Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        orders::resolve(&outside, order).await
    };
    outcome.await.unwrap_or_else(|error| {
        tracing::error!(order_no, %error, "an order could not be resolved, it is tried again");
        false
    })
}
