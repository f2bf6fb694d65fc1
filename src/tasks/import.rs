//! Takes in what institutions put into their `in/` directories, once its `.ok` is there.
use std::time::Duration;

use futures_util::FutureExt;

use super::jobs::JobName;
use super::rounds::{self, TO_THE_END};
use crate::app::App;
use crate::error::Error;
use crate::exchange::{self, Folder};
use crate::inbox::{self, Taking};
use crate::institutions::Institution;

/// Takes in every file that is not known yet; how many were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    round(app, TO_THE_END).await
}

/// [`run_once`], but an institution whose folder does not answer is waited for no longer than this: it keeps its own
/// files waiting and nobody else's.
pub(super) async fn round(app: &App, patience: Duration) -> Result<usize, Error> {
    let work = |app: App, institution: Institution| {
        async move {
            let code = institution.code.clone();
            let taken = of_institution(&app, institution).await;
            Ok(taken.unwrap_or_else(|error| {
                tracing::error!(institution = code, %error, "an inbox could not be read, it is tried again");
                0
            }))
        }
        .boxed()
    };
    rounds::of_institutions(app, JobName::Import, patience, work).await
}

async fn of_institution(app: &App, institution: Institution) -> Result<usize, Error> {
    let folder = Folder::new(&app.config.data_dir, &institution.code);
    let (id, recorded) = (institution.id, app.seen.clone());
    let lying =
        inbox::on_disk(&folder, move |folder| inbox::names(&folder.inbox(), |name| recorded.has(id, name)));
    let mut names = lying.await?;
    app.seen.keep_only(id, &names);
    let asked = names.clone();
    app.seen.add(id, app.db.read(move |tx| exchange::known(tx, id, &asked)).await?);
    names.retain(|name| !app.seen.has(id, name));
    let taking = Taking { db: &app.db, guard: &app.guard, seen: &app.seen };
    let mut taken = 0_usize;
    for name in names {
        match inbox::take(&taking, &institution, &folder, &name, app.clock.now()).await {
            Ok(new) => taken = taken.saturating_add(usize::from(new)),
            // One file that cannot be taken now must not keep the others out.
            Err(error) => tracing::error!(name, %error, "a file could not be taken in, it is tried again"),
        }
    }
    Ok(taken)
}
