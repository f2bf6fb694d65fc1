//! Takes in what institutions put into their `in/` directories, once its `.ok` is there.
use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::app::App;
use crate::error::Error;
use crate::exchange::{self, Folder};
use crate::institutions::{self, Institution};
use crate::kernel::file::{ResultName, Stage};
use crate::settlement::{self, Received};

/// Beside a refused file, why it was: it is not looked at again until this note is removed.
const REFUSED: &str = "refused";

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
    if let Some(before) = predecessor(name) {
        let (id, before) = (institution.id, [before]);
        if app.db.read(move |tx| exchange::known(tx, id, &before)).await?.is_empty() {
            tracing::debug!(name, "a result waits for the one before it");
            return Ok(false);
        }
    }
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

/// The result that must have been taken in before this one: FIRST before the FINAL ones, these in their order.
fn predecessor(name: &str) -> Option<String> {
    let ResultName { file, stage } = ResultName::parse(name)?;
    let stage = match stage {
        Stage::First => return None,
        Stage::Final(seq) if seq <= 1 => Stage::First,
        Stage::Final(seq) => Stage::Final(seq.saturating_sub(1)),
    };
    Some(ResultName { file, stage }.to_string())
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
        // Without its bytes or its signature a file is not complete yet, whatever its `.ok` says.
        let complete = inbox.join(name).exists() && inbox.join(format!("{name}.sig")).exists();
        if complete && !inbox.join(format!("{name}.{REFUSED}")).exists() {
            names.push(name.to_owned());
        }
    }
    // A file's `.final.0001.ret` must come after its `.first.ret`.
    names.sort_by_key(|name| (name.ends_with(".ret"), name.contains(".final."), name.clone()));
    Ok(names)
}
