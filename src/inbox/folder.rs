//! An institution's `in/` folder: which files lie there complete, and how one of them is taken in.
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{Received, receive};
use crate::db::Db;
use crate::error::Error;
use crate::exchange;
use crate::institutions::Institution;
use crate::kernel::file::{ResultName, Stage};
use crate::people::security::{Guard, SecurityEvent, SecurityKind};

/// Beside a refused file, why it was: it is not looked at again until this note is removed.
const REFUSED: &str = "refused";

/// Takes one file in; whether it was new. A refusal is noted beside the file; any other failure is tried again.
pub async fn take(
    db: &Db,
    guard: &Guard,
    institution: &Institution,
    inbox: &Path,
    name: &str,
    now: i64,
) -> Result<bool, Error> {
    if let Some(before) = predecessor(name) {
        let (id, before) = (institution.id, [before]);
        if db.read(move |tx| exchange::known(tx, id, &before)).await?.is_empty() {
            tracing::debug!(name, "a result waits for the one before it");
            return Ok(false);
        }
    }
    let (folder, wanted) = (inbox.to_owned(), name.to_owned());
    let read = tokio::task::spawn_blocking(move || exchange::read_incoming(&folder, &wanted));
    let outcome = match read.await.map_err(Error::internal)? {
        Ok(incoming) => {
            let institution = institution.clone();
            db.write(move |tx| receive(tx, &institution, &incoming, now)).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Received::Again) => Ok(false),
        Ok(Received::Approvals | Received::Bill | Received::Result(_)) => Ok(true),
        Err(Error::Refused { code, detail }) => {
            tracing::warn!(name, code = code.id(), detail, "a file of the institution was refused");
            let who = format!("institution:{}", institution.code);
            guard.note(db, now, SecurityEvent::new(SecurityKind::ImportRefused, who, "", code.id()));
            let note = format!("{} {}: {detail}\n{}\n", code.id(), code.sentence_en(), code.advice_en());
            // A new file: whoever writes this folder may have laid a link in its place.
            let mut beside = File::create_new(inbox.join(format!("{name}.{REFUSED}")))?;
            beside.write_all(note.as_bytes())?;
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

/// The complete names that are not `known`, in the order in which they are to be taken: bundles, then bills, then results
/// as they answer.
pub fn names(inbox: &Path, known: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    if !inbox.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(inbox)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".ok")) else { continue };
        if known(name) {
            continue;
        }
        // Without its bytes or its signature a file is not complete yet, whatever its `.ok` says.
        let complete = inbox.join(name).exists() && inbox.join(format!("{name}.sig")).exists();
        if complete && fs::symlink_metadata(inbox.join(format!("{name}.{REFUSED}"))).is_err() {
            names.push(name.to_owned());
        }
    }
    // A file's `.final.0001.ret` must come after its `.first.ret`.
    names.sort_by_key(|name| (name.ends_with(".ret"), name.contains(".final."), name.clone()));
    Ok(names)
}
