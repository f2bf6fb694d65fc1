//! Looking at what the platform published, in the order of its chain, and answering it.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::judge::{self, Published};
use super::store::{self, Taken};
use crate::disk::private_dir;
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::RetCode;
use crate::kernel::file::{FileKind, FileName};
use crate::protocol::crypto::from_base64;
use crate::sandbox::{Sandbox, SandboxError};

/// How a file was answered.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct Answered {
    pub name: String,
    /// `ACCEPTED` or the code it was refused with.
    pub code: String,
    /// Why.
    pub findings: Vec<String>,
}

impl Sandbox {
    /// Answers every published file that is not answered yet.
    pub(in crate::sandbox) async fn process_published(&self) -> Result<Vec<Answered>, SandboxError> {
        let _one_at_a_time = self.0.answering.lock().await;
        self.blocking(Self::process).await
    }

    fn process(&self) -> Result<Vec<Answered>, SandboxError> {
        self.publish_missing()?;
        let (mut waiting, mut answered) = self.waiting()?;
        while let Some(file) = self.next_in_chain(&mut waiting)? {
            answered.push(self.answer(&file, &waiting)?);
        }
        Ok(answered)
    }

    /// Published SPL and STL that need an answer. Other bytes under a name that was answered for good get none: the
    /// file that was answered stands, and the name of its result is used.
    fn waiting(&self) -> Result<(Vec<Published>, Vec<Answered>), SandboxError> {
        let taken = self.0.store.with(store::taken)?;
        let taken: BTreeMap<&str, &Taken> = taken.iter().map(|t| (t.name.as_str(), t)).collect();
        let (mut waiting, mut duplicates) = (Vec::new(), Vec::new());
        for path in published_below(&self.outbox())? {
            let Some(file) = read(&path)? else { continue };
            let name = file.name.to_string();
            let known = taken.get(name.as_str());
            if known.is_none_or(|known| asks_again(known, &file)) {
                waiting.push(file);
            } else if known.is_some_and(|known| known.sha256 != file.digest.to_string()) {
                let findings = vec!["another file under this name was answered before".to_owned()];
                duplicates.push(Answered { name, code: RetCode::Dup.as_str().to_owned(), findings });
            }
        }
        waiting.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((waiting, duplicates))
    }

    /// Takes out the file that continues its chain; when none does, the first by name.
    fn next_in_chain(&self, waiting: &mut Vec<Published>) -> Result<Option<Published>, SandboxError> {
        let taken = self.0.store.with(store::taken)?;
        let place = waiting.iter().position(|file| judge::is_next(&taken, file)).unwrap_or(0);
        Ok((!waiting.is_empty()).then(|| waiting.remove(place)))
    }

    fn answer(&self, file: &Published, later: &[Published]) -> Result<Answered, SandboxError> {
        let (code, findings) = judge::judge(self, file, later)?;
        let name = file.name.to_string();
        private_dir(&self.kept())?;
        super::write(&self.kept(), &name, &file.bytes)?;
        super::write(&self.kept(), &format!("{name}.sig"), &file.signature)?;
        let taken = Taken {
            name: name.clone(),
            kind: file.name.kind.as_str().to_owned(),
            day: file.name.day.to_i32(),
            seq: i32::from(file.name.seq),
            sha256: file.digest.to_string(),
            signature_sha256: Digest::of(&file.signature).to_string(),
            code: code.as_str().to_owned(),
            answered_at: self.now().get(),
        };
        let again = self.0.store.with(|tx| store::insert_taken(tx, &taken))?;
        if again {
            // Only an answer that asked for the same bytes again is given anew.
            let _ = fs::remove_file(self.inbox().join(format!("{name}.first.ret.ok")));
        }
        self.publish_missing()?;
        Ok(Answered { name, code: code.as_str().to_owned(), findings })
    }
}

/// Whether a file that was answered is to be looked at again: its signature or bytes were asked for again, and came.
fn asks_again(known: &Taken, file: &Published) -> bool {
    let asked = matches!(RetCode::parse(&known.code), Some(RetCode::Sign | RetCode::Digest));
    let changed = known.sha256 != file.digest.to_string()
        || known.signature_sha256 != Digest::of(&file.signature).to_string();
    asked && changed
}

/// Every `.ok` below the folder.
fn published_below(folder: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(published_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "ok") {
            found.push(path.with_extension(""));
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Option<Published>, SandboxError> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(FileName::parse);
    let Some(name) = name.filter(|name| matches!(name.kind, FileKind::Spl | FileKind::Stl)) else {
        return Ok(None);
    };
    let bytes = fs::read(path)?;
    let signature = fs::read_to_string(format!("{}.sig", path.display())).unwrap_or_default();
    let signature = from_base64(signature.trim()).unwrap_or_default();
    let (digest, prev) = (Digest::of(&bytes), judge::prev(&name, &bytes));
    Ok(Some(Published { name, bytes, digest, prev, signature }))
}
