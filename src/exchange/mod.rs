//! The file exchange with an institution (`files.md`): files out, published so that a crash leaves no half of one;
//! results and bills in, each all or nothing; and where each of our files stands.
mod import;
mod kinds;
mod list;
mod publish;
mod result_store;
mod results;
mod standing;
mod store;

pub use import::{Imported, Incoming, admit, import_bill, incoming_file, keep, own_name, read_incoming};
pub use kinds::{AnswerStage, Direction, DocumentKind};
pub use list::{Wanted, names_by_digest, newest, scoped};
pub use publish::{Folder, digest_of, is_published, parse_signature, publish, signature_of, stage, staged};
pub use result_store::{FileResult, ResultLine, result_line, result_lines, results_of, results_of_all};
pub use results::{ImportedResult, import_result};
pub use standing::{
    Counts, Requeued, Standing, answered, file_state, last_valid, line_states, lines_standing, of_days,
    record_ours, repair_standing, requeued, settled, standing, standing_breaks, standing_of_day, standings,
    unsettled, valid, waiting, waiting_count,
};
pub use store::{
    ExchangedFile, NewFile, all, by_id, by_name, chain, first, known, last, lock_chain, of_day, record,
};

use std::fs::File;

use crate::error::Error;
use crate::institutions::Institution;
use crate::kernel::digest::Digest;
use crate::kernel::file::WriteError;
use crate::protocol::crypto::PrivateKey;

/// What publishing for an institution needs: whose files, where they lie, and the platform's `files` key.
#[derive(Clone)]
pub struct Desk {
    /// The institution.
    pub institution: Institution,
    /// Its exchange directory.
    pub folder: Folder,
    /// The key that signs what is published.
    pub key: PrivateKey,
}

impl Desk {
    /// Publishes a recorded file; where its bytes are not on disk (any more), `rewrite` makes them again.
    pub fn publish(
        &self,
        file: &ExchangedFile,
        rewrite: impl FnOnce(File) -> Result<Digest, Error>,
    ) -> Result<(), Error> {
        let dir = self.folder.out(file.business_date);
        let digest = file.sha256;
        let there = |name: &str| Ok::<_, Error>(dir.has(name)? && digest_of(&dir, name)? == digest);
        if is_published(&dir, &file.name) || there(&file.name)? {
            return publish(&dir, &file.name, &digest, &self.signature(&digest)?);
        }
        if !there(&staged(&file.name))? && rewrite(stage(&dir, &file.name)?)? != digest {
            return Err(publish::other_bytes(&file.name));
        }
        publish::put_out(&dir, &file.name, &self.signature(&digest)?)
    }

    /// Publishes a recorded file that this very process has just staged.
    pub fn publish_staged(&self, file: &ExchangedFile) -> Result<(), Error> {
        let dir = self.folder.out(file.business_date);
        publish::put_out(&dir, &file.name, &self.signature(&file.sha256)?)
    }

    fn signature(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        self.key.sign_digest(digest).map_err(|e| Error::Internal(e.to_string()))
    }
}

/// A number as the database keeps it.
pub fn row_number<T>(number: T) -> Result<i32, Error>
where
    i32: TryFrom<T>,
{
    i32::try_from(number).map_err(|_| Error::Internal("a number is out of range".into()))
}

/// A record that a file cannot hold, or a disk that refused.
pub fn broken_record(error: WriteError) -> Error {
    match error {
        WriteError::Io(error) => Error::Io(error),
        WriteError::Refused(why) => Error::Internal(why),
    }
}
