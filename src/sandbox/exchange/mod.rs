//! Files between the institution and the platform (`files.md`): it writes into `in/` and reads from `out/`.
//!
//! What goes out is first decided in the store and then written, and its bytes follow from the store alone: after a
//! kill in between, [`Sandbox::publish_missing`] writes the same file.
pub(super) mod approvals;
mod judge;
pub(super) mod published;
mod recompute;
mod results;
pub(super) mod store;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::store::Tx;
use super::{Sandbox, SandboxError, trade};
use crate::disk::{Dir, private_dir};
use crate::protocol::crypto::base64;

impl Sandbox {
    /// Where the platform's system looks for this institution's files.
    fn inbox(&self) -> PathBuf {
        self.0.settings.exchange.join(&self.0.settings.institution).join("in")
    }

    /// Where the platform publishes.
    fn outbox(&self) -> PathBuf {
        self.0.settings.exchange.join(&self.0.settings.institution).join("out")
    }

    /// Where the institution keeps its own copy of what it took.
    fn kept(&self) -> PathBuf {
        self.0.settings.data.join("taken")
    }

    /// Runs blocking work of the sandbox, files included, off the server's threads.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let sandbox = self.clone();
        tokio::task::spawn_blocking(move || work(&sandbox))
            .await
            .map_err(|error| SandboxError::Internal(error.to_string()))?
    }

    /// Writes every bundle, bill and result that the store promises and the inbox has not.
    pub(super) fn publish_missing(&self) -> Result<(), SandboxError> {
        self.0.store.with(|tx| self.publish_all(tx))
    }

    fn publish_all(&self, tx: &mut Tx<'_>) -> Result<(), SandboxError> {
        for bundle in store::bundles(tx)? {
            if !self.is_published(&bundle.name) {
                self.publish(&bundle.name, bundle.body.as_bytes())?;
            }
        }
        for bill in trade::store::bills(tx)? {
            if !self.is_published(&bill.name) {
                let bytes = trade::bills::bil(self, tx, &bill)?;
                self.publish(&bill.name, &bytes)?;
            }
        }
        for taken in store::taken(tx)? {
            results::publish(self, &taken)?;
        }
        Ok(())
    }

    fn is_published(&self, name: &str) -> bool {
        self.inbox().join(format!("{name}.ok")).exists()
    }

    /// Writes a file, its signature, and `.ok` last.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let signature = base64(&self.0.identity.file_key.sign_sha256(bytes)?);
        let inbox = self.inbox();
        private_dir(&inbox)?;
        write(&inbox, name, bytes)?;
        write(&inbox, &format!("{name}.sig"), signature.as_bytes())?;
        write(&inbox, &format!("{name}.ok"), b"")?;
        Ok(())
    }
}

/// Writes a file so that it is there whole or not at all.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), SandboxError> {
    let (folder, unfinished) = (Dir::new(folder), format!(".{name}.part"));
    // A kill may have left one.
    folder.remove(&unfinished)?;
    let mut file = folder.create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    folder.rename(&unfinished, name)?;
    Ok(())
}
