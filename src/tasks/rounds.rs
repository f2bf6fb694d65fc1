//! A round of the institutions: all at the same time, so that none waits for another; and of one institution's orders,
//! so that no merchant waits for another.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Semaphore;

use super::jobs::JobName;
use crate::app::App;
use crate::db::columns::{MerchantId, OrderId};
use crate::error::Error;
use crate::institutions::{self, Institution};
use crate::orders::Order;
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

/// Orders of an institution that are to be asked about: each merchant's have turns of their own.
#[derive(Default)]
pub(super) struct ByMerchant(BTreeMap<MerchantId, Vec<OrderId>>);

impl ByMerchant {
    /// Adds orders; each must come once.
    pub(super) fn add(&mut self, orders: Vec<Order>) {
        for order in orders {
            self.0.entry(order.sub_merchant_id).or_default().push(order.id);
        }
    }

    /// The parts of a round, a merchant each, who is left alone while its round before is at work. `ask` says whether
    /// an order is settled; so many are counted.
    pub(super) fn parts(self, app: &App, job: JobName, institution: &Institution, ask: Ask) -> Vec<Part> {
        let (job, code) = (job.as_str(), &institution.code);
        let of_all = app.turns.line((format!("orders at {code}"), CONCURRENCY));
        let part = |(merchant, orders)| {
            let share = (format!("{job} of {code} for merchant {merchant}"), 1);
            let own = app.turns.line((format!("orders of merchant {merchant} at {code}"), OF_MERCHANT));
            let settled = some_at_a_time(app.clone(), orders, [own, Arc::clone(&of_all)], ask);
            Part { share, work: settled.map(Ok).boxed() }
        };
        self.0.into_iter().map(part).collect()
    }
}

/// One merchant's orders, each when it has its turn in the merchant's own line and then in that of all.
async fn some_at_a_time(
    app: App,
    orders: Vec<OrderId>,
    [own, of_all]: [Arc<Semaphore>; 2],
    ask: Ask,
) -> usize {
    let turns = stream::iter(orders).then(|id| {
        let (own, of_all) = (Arc::clone(&own), Arc::clone(&of_all));
        async move { ([own.acquire_owned().await, of_all.acquire_owned().await], id) }
    });
    let settled = turns.map(|(turn, id)| ask(app.clone(), id).inspect(move |_| drop(turn)));
    let settled = settled.buffer_unordered(OF_MERCHANT);
    settled.filter(|is_settled| std::future::ready(*is_settled)).count().await
}
