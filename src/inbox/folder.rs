//! An institution's `in/` folder: which files lie there complete, and how one of them is taken in.
use std::collections::HashSet;
use std::io::Write;

use super::seen::Look;
use super::{Received, Seen, take_in};
use crate::db::Db;
use crate::db::columns::InstitutionId;
use crate::disk::Dir;
use crate::error::Error;
use crate::exchange::{self, Folder};
use crate::institutions::Institution;
use crate::kernel::digest::Digest;
use crate::kernel::file::{ResultName, Stage};
use crate::people::security::{Guard, SecurityEvent, SecurityKind};

/// Beside a refused file, why it was: it is not looked at again until this note is removed.
const REFUSED: &str = "refused";
/// Bytes of the longest name that a file may have.
const NAME_MAX: usize = 255;

/// What taking files in rests on.
pub struct Taking<'a> {
    /// Where they are recorded.
    pub db: &'a Db,
    /// Who is told of refusals.
    pub guard: &'a Guard,
    /// What is known of the files already.
    pub seen: &'a Seen,
}

/// Takes one file in; whether it was new. A refusal is noted beside the file; any other failure is tried again. What came
/// before under another name, and what was refused where no note can be written, is left alone until it changes.
pub async fn take(
    Taking { db, guard, seen }: &Taking<'_>,
    institution: &Institution,
    folder: &Folder,
    name: &str,
    now: i64,
) -> Result<bool, Error> {
    // Looked at before it is read: one that changes meanwhile is read again.
    let wanted = name.to_owned();
    let look = on_disk(folder, move |folder| look(&folder.inbox(), &wanted)).await?;
    if seen.is_left(institution.id, name, &look) {
        return Ok(false);
    }
    if let Some(before) = predecessor(name) {
        let (id, before) = (institution.id, [before]);
        if db.read(move |tx| exchange::known(tx, id, &before)).await?.is_empty() {
            tracing::debug!(name, "a result waits for the one before it");
            return Ok(false);
        }
    }
    let wanted = name.to_owned();
    let read = on_disk(folder, move |folder| exchange::read_incoming(&folder.inbox(), &wanted));
    let outcome = match read.await {
        Ok(incoming) => {
            let (institution, folder) = (institution.clone(), folder.clone());
            db.write(move |tx| take_in(tx, &folder, &institution, &incoming, now)).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Received::Again) => {
            seen.leave(institution.id, name, look);
            Ok(false)
        }
        Ok(Received::Approvals | Received::Bill | Received::Result(_)) => Ok(true),
        Err(Error::Refused { code, detail }) => {
            tracing::warn!(name, code = code.id(), detail, "a file of the institution was refused");
            let who = format!("institution:{}", institution.code);
            guard.note(db, now, SecurityEvent::new(SecurityKind::ImportRefused, who, "", code.id()));
            let note = format!("{} {}: {detail}\n{}\n", code.id(), code.sentence_en(), code.advice_en());
            let beside = note_name(name);
            let noted = on_disk(folder, move |folder| {
                Ok(folder.inbox().create(&beside)?.write_all(note.as_bytes())?)
            });
            if let Err(error) = noted.await {
                tracing::warn!(name, %error, "no note could be laid beside it, it is left alone until it changes");
                seen.leave(institution.id, name, look);
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A file and its signature as they lie there now. Blocks.
fn look(inbox: &Dir, name: &str) -> Result<Look, Error> {
    Ok([inbox.stamp(name)?, inbox.stamp(&format!("{name}.sig"))?])
}

/// The name of the note beside a refused file. Where the file's own name leaves no room, its end is the digest's.
fn note_name(name: &str) -> String {
    let note = format!("{name}.{REFUSED}");
    if note.len() <= NAME_MAX {
        return note;
    }
    let ending = format!("~{}.{REFUSED}", Digest::of(name.as_bytes()));
    let room = NAME_MAX.saturating_sub(ending.len());
    format!("{}{ending}", name.get(..name.floor_char_boundary(room)).unwrap_or_default())
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
/// as they answer. Blocks.
pub fn names(inbox: &Dir, known: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let lying: HashSet<String> = inbox.names()?.into_iter().collect();
    let is_complete = |name: &&str| {
        // Without its bytes or its signature a file is not complete yet, whatever its `.ok` says.
        lying.contains(*name) && lying.contains(&format!("{name}.sig")) && !lying.contains(&note_name(name))
    };
    let said = lying.iter().filter_map(|name| name.strip_suffix(".ok"));
    let mut names: Vec<String> =
        said.filter(|name| !known(name)).filter(is_complete).map(str::to_owned).collect();
    // A file's `.final.0001.ret` must come after its `.first.ret`.
    names.sort_by_key(|name| (name.ends_with(".ret"), name.contains(".final."), name.clone()));
    Ok(names)
}

/// Those of the names that were not left alone as they lie there now. Blocks.
pub fn changed(
    seen: &Seen,
    institution: InstitutionId,
    inbox: &Dir,
    mut names: Vec<String>,
) -> Result<Vec<String>, Error> {
    let mut failed = None;
    names.retain(|name| match look(inbox, name) {
        Ok(look) => !seen.is_left(institution, name, &look),
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    failed.map_or(Ok(names), Err)
}

/// Looks at the folder where waiting for a disk keeps nobody else waiting.
pub async fn on_disk<T: Send + 'static>(
    folder: &Folder,
    look: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || look(&folder)).await.map_err(Error::internal)?
}
