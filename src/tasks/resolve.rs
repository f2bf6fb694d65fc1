//! Leaves `UNKNOWN`: orders whose answer never came back are asked for at their institution.
//! Each merchant has turns of its own: however many orders of one hang, another's is asked for beside them.
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};

use super::jobs::JobName;
use super::rounds::{self, Errand, TO_THE_END};
use crate::app::App;
use crate::db::columns::OrderId;
use crate::error::Error;
use crate::institutions::Institution;
use crate::orders::{self, Outside, Stuck};

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

/// Either of them, but a merchant whose orders get no answer is waited for no longer than this: they are asked for on and
/// on, and those of all others meanwhile. No institution waits until another one's are known.
pub(super) async fn round(app: &App, job: JobName, patience: Duration) -> Result<usize, Error> {
    rounds::side_by_side(app, |institution| of_institution(app, job, institution, patience)).await
}

async fn of_institution(
    app: &App,
    job: JobName,
    institution: Institution,
    patience: Duration,
) -> Result<usize, Error> {
    let now = app.clock.now();
    let created_reach = if job == JobName::LeftBehind { REACH } else { WINDOW };
    let stuck = Stuck {
        institution: institution.id,
        unknown_since: now.saturating_sub(REACH),
        created_since: now.saturating_sub(created_reach),
        created_before: now.saturating_sub(LEFT_BEHIND),
    };
    let hanging = app.db.read(move |tx| orders::unresolved(tx, &stuck)).await?;
    let ask = |app, id| resolve(app, id).boxed();
    let errand = Errand { app, job, institution: &institution, ask, stop: Arc::default() };
    let parts = hanging.into_iter().map(|(merchant, ids)| errand.part(merchant, stream::iter(ids).boxed()));
    app.turns.round(parts.collect(), patience).await
}

async fn resolve(app: App, id: OrderId) -> bool {
    let outcome = async {
        // It may have waited for long.
        let known = app
            .db
            .read(move |tx| {
                let order = orders::by_id(tx, id)?;
                orders::standing(tx, order)
            })
            .await?;
        if known.is_settled() {
            return Ok(false);
        }
        let order = known.order;
        let channel = app.channel(order.institution_id, order.channel).await?;
        let outside = Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        orders::resolve(&outside, order).await
    };
    outcome.await.unwrap_or_else(|error| {
        tracing::error!(order = %id, %error, "an order could not be resolved, it is tried again");
        false
    })
}
