//! A file that an institution's user uploads: taken in like one that arrives in its folder, and kept there.
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::{Received, receive};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, Folder, Incoming, publish, stage};
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
    let id = institution;
    let institution = institutions::by_id(tx, institution)?;
    let received = receive(tx, &institution, incoming, now)?;
    let (digest, object) = (incoming.digest(), format!("file:{}/{}", institution.code, incoming.name));
    let after = Some(json!({"sha256": digest.to_string()}));
    audit::record(
        tx,
        now,
        actor,
        audit::Entry { action: "file.upload", object: &object, before: None, after },
    )?;
    let inbox = Folder::new(data_dir, &institution.code).inbox();
    if received == Received::Again {
        // It lies there already, and this signature was not looked at.
        return Ok(received);
    }
    let name = exchange::place(tx, id, &inbox, incoming)?;
    let mut file = stage(&inbox, &name)?;
    file.write_all(&incoming.bytes)?;
    publish(&inbox, &name, &digest, &incoming.signature)?;
    Ok(received)
}
