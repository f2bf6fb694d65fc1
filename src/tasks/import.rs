//! Takes in what institutions put into their `in/` directories, once its `.ok` is there.
use crate::app::App;
use crate::error::Error;
use crate::exchange::{self, Folder};
use crate::inbox;
use crate::institutions::{self, Institution};

/// Takes in every file that is not known yet; how many were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let mut taken = 0_usize;
    for institution in app.db.read(institutions::all).await? {
        let code = institution.code.clone();
        match of_institution(app, institution).await {
            Ok(new) => taken = taken.saturating_add(new),
            // One institution whose folder cannot be read must not keep the others out.
            Err(error) => {
                tracing::error!(institution = code, %error, "an inbox could not be read, it is tried again")
            }
        }
    }
    Ok(taken)
}

async fn of_institution(app: &App, institution: Institution) -> Result<usize, Error> {
    let folder = Folder::new(&app.config.data_dir, &institution.code).inbox();
    let id = institution.id;
    let mut names = inbox::names(&folder, |name| app.taken.has(id, name))?;
    let asked = names.clone();
    app.taken.add(id, app.db.read(move |tx| exchange::known(tx, id, &asked)).await?);
    names.retain(|name| !app.taken.has(id, name));
    let mut taken = 0_usize;
    for name in names {
        match inbox::take(&app.db, &app.guard, &institution, &folder, &name, app.clock.now()).await {
            Ok(new) => taken = taken.saturating_add(usize::from(new)),
            // One file that cannot be taken now must not keep the others out.
            Err(error) => tracing::error!(name, %error, "a file could not be taken in, it is tried again"),
        }
    }
    Ok(taken)
}
