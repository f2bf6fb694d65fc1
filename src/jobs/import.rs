//! Takes in what institutions put into their `in/` directories, once its `.ok` is there.
use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::app::App;
use crate::error::Error;
use crate::institutions::exchange::{self, Folder};
use crate::institutions::{self, Institution};
use crate::settlement::{self, Received};

/// Beside a refused file, why it was: it is not looked at again until this note is removed.
const REFUSED: &str = "refused";

/// Takes in every file that is not known yet; how many were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let mut taken = 0_usize;
    for institution in app.db.read(institutions::all).await? {
        taken = taken.saturating_add(of_institution(app, institution).await?);
    }
    Ok(taken)
}

async fn of_institution(app: &App, institution: Institution) -> Result<usize, Error> {
    let inbox = Folder::new(&app.config.data_dir, &institution.code).inbox();
    let mut names = published(&inbox)?;
    let (id, asked) = (institution.id, names.clone());
    let known: HashSet<String> =
        app.db.read(move |tx| exchange::known(tx, id, &asked)).await?.into_iter().collect();
    names.retain(|name| !known.contains(name));
    let mut taken = 0_usize;
    for name in names {
        match one(app, &institution, &inbox, &name).await {
            Ok(new) => taken = taken.saturating_add(usize::from(new)),
            // One file that cannot be taken now must not keep the others out.
            Err(error) => tracing::error!(name, %error, "a file could not be taken in, it is tried again"),
        }
    }
    Ok(taken)
}

/// Takes one file in. A refusal is noted beside the file; any other failure is tried again.
async fn one(app: &App, institution: &Institution, inbox: &Path, name: &str) -> Result<bool, Error> {
    let outcome = match exchange::read_incoming(inbox, name) {
        Ok(incoming) => {
            let (institution, now) = (institution.clone(), app.clock.now());
            app.db.write(move |tx| settlement::receive(tx, &institution, &incoming, now)).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Received::Again) => Ok(false),
        Ok(Received::Approvals | Received::Bill | Received::Result(_)) => Ok(true),
        Err(Error::Refused { code, detail }) => {
            tracing::warn!(name, code = code.id(), detail, "a file of the institution was refused");
            let note = format!("{} {}: {detail}\n{}\n", code.id(), code.sentence_en(), code.advice_en());
            fs::write(inbox.join(format!("{name}.{REFUSED}")), note)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The published names in the order in which they are to be taken: bundles, then bills, then results as they answer.
fn published(inbox: &Path) -> Result<Vec<String>, Error> {
    if !inbox.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(inbox)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".ok")) else { continue };
        if !inbox.join(format!("{name}.{REFUSED}")).exists() {
            names.push(name.to_owned());
        }
    }
    // A file's `.final.0001.ret` must come after its `.first.ret`.
    names.sort_by_key(|name| (name.ends_with(".ret"), name.contains(".final."), name.clone()));
    Ok(names)
}
