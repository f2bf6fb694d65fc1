//! A file that an institution's user uploads: taken in like one that arrives in its folder, and kept there.
use std::path::Path;

use serde_json::json;

use super::{Received, take_in};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{Folder, Incoming};
use crate::institutions;
use crate::people::{Actor, audit};

/// Takes an uploaded file in, all or nothing; its bytes are kept beside those that came by themselves.
pub fn upload(
    tx: &mut Tx<'_>,
    data_dir: &Path,
    institution: InstitutionId,
    incoming: &Incoming,
    actor: &Actor,
    now: i64,
) -> Result<Received, Error> {
    let institution = institutions::by_id(tx, institution)?;
    let folder = Folder::new(data_dir, &institution.code);
    let received = take_in(tx, &folder, &institution, incoming, now)?;
    let (digest, object) = (incoming.digest(), format!("file:{}/{}", institution.code, incoming.name));
    let after = Some(json!({"sha256": digest.to_string()}));
    audit::record(
        tx,
        now,
        actor,
        audit::Entry { action: "file.upload", object: &object, before: None, after },
    )?;
    Ok(received)
}
