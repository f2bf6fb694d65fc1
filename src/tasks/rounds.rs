//! A round of the institutions: all at the same time, so that none waits for another.
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::jobs::JobName;
use crate::app::App;
use crate::error::Error;
use crate::institutions::{self, Institution};
use crate::turns::Part;

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
