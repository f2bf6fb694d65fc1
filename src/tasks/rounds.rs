//! A round of the institutions: all at the same time, so that none waits for another; and of one institution's orders,
//! so that no merchant waits for another.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;

use super::jobs::JobName;
use crate::app::App;
use crate::db::columns::{MerchantId, OrderId};
use crate::error::Error;
use crate::institutions::{self, Institution};
use crate::turns::Part;

/// Orders that an institution is asked about at the same time, by all jobs together.
const CONCURRENCY: usize = 8;
/// Those of one merchant among them.
const OF_MERCHANT: usize = 4;

/// Asks about one order; whether it is settled now. One that cannot be asked about must not keep the others from it.
pub(super) type Ask = fn(App, OrderId) -> BoxFuture<'static, bool>;

/// How long a round of the jobs waits for an institution that does not come to its end; the work itself goes on.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// For whoever must see the end.
pub(super) const TO_THE_END: Duration = Duration::MAX;

/// Does `work` for every institution but those where the round before is still at it; how much was done.
pub(super) async fn of_institutions(
    app: &App,
    job: JobName,
    patience: Duration,
    work: impl Fn(App, Institution) -> BoxFuture<'static, Result<usize, Error>>,
) -> Result<usize, Error> {
    let institutions = app.db.read(institutions::all).await?;
    let parts = institutions.into_iter().map(|institution| {
        let share = (format!("{} of {}", job.as_str(), institution.code), 1);
        Part { share, work: work(app.clone(), institution) }
    });
    app.turns.round(parts.collect(), patience).await
}

/// The same for work that waits for nobody outside: all at the same time, and none is left out. A failure ends no other;
/// the first one is told at the end.
pub(super) async fn side_by_side<Work>(app: &App, work: impl Fn(Institution) -> Work) -> Result<usize, Error>
where
    Work: Future<Output = Result<usize, Error>>,
{
    let (mut done, mut failed) = (0_usize, None);
    for outcome in join_all(app.db.read(institutions::all).await?.into_iter().map(work)).await {
        match outcome {
            Ok(more) => done = done.saturating_add(more),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Asking an institution about orders: each merchant's have turns of their own.
pub(super) struct Errand<'a> {
    pub app: &'a App,
    /// For which job.
    pub job: JobName,
    /// Whom.
    pub institution: &'a Institution,
    /// Whether an order is settled; so many are counted.
    pub ask: Ask,
    /// Set when no other order is to be begun with; none is either once the process is about to end.
    pub stop: Arc<AtomicBool>,
}

impl Errand<'_> {
    /// The part of one merchant, who is left alone while its round before is at work. Its orders are read as they are
    /// asked about: none before it has its turn.
    pub(super) fn part(&self, merchant: MerchantId, orders: BoxStream<'static, OrderId>) -> Part {
        let (job, code) = (self.job.as_str(), &self.institution.code);
        let of_all = self.app.turns.line((format!("orders at {code}"), CONCURRENCY));
        let own = self.app.turns.line((format!("orders of merchant {merchant} at {code}"), OF_MERCHANT));
        let share = (format!("{job} of {code} for merchant {merchant}"), 1);
        let settled =
            some_at_a_time(self.app.clone(), orders, [own, of_all], Arc::clone(&self.stop), self.ask);
        Part { share, work: settled.map(Ok).boxed() }
    }
}

/// One merchant's orders, each when it has its turn in the merchant's own line and then in that of all.
async fn some_at_a_time(
    app: App,
    orders: BoxStream<'static, OrderId>,
    [own, of_all]: [Arc<Semaphore>; 2],
    stop: Arc<AtomicBool>,
    ask: Ask,
) -> usize {
    let turns = orders.then(|id| {
        let (own, of_all) = (Arc::clone(&own), Arc::clone(&of_all));
        async move { ([own.acquire_owned().await, of_all.acquire_owned().await], id) }
    });
    let goes_on = || !stop.load(Ordering::Relaxed) && !app.turns.are_closing();
    let turns = turns.take_while(|_| std::future::ready(goes_on()));
    let settled = turns.map(|(turn, id)| ask(app.clone(), id).inspect(move |_| drop(turn)));
    let settled = settled.buffer_unordered(OF_MERCHANT);
    settled.filter(|is_settled| std::future::ready(*is_settled)).count().await
}
