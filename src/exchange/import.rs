//! Taking files in: read within bounds, signature and digest checked, then all or nothing.
use std::io::Write;

use super::publish::{Folder, parse_signature, put_out, stage};
use super::results::recorded_name;
use super::store::{self, ExchangedFile, NewFile};
use super::{Direction, DocumentKind};
use crate::clock::micros;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::disk::{self, Dir};
use crate::error::{Code, Error};
use crate::institutions::{self, Institution, Purpose};
use crate::kernel::digest::Digest;
use crate::kernel::file::bil::BilReader;
use crate::kernel::file::{FileKind, FileName, ReadError};
use crate::kernel::money::Fen;

/// Largest file that is taken in: a result of 100,000 lines of 1,024 bytes and some.
pub const MAX_BYTES: u64 = 128 << 20;

/// A file as it lies in `in/`, or as an institution's user uploaded it.
#[derive(Clone)]
pub struct Incoming {
    /// File name, without folder.
    pub name: String,
    /// Its bytes.
    bytes: Vec<u8>,
    /// The signature, decoded.
    pub signature: Vec<u8>,
    digest: Digest,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported<T> {
    /// Taken.
    New(T),
    /// The very same file had been taken before: nothing was done.
    Again,
}

impl Incoming {
    /// A file and the text of its `.sig`.
    pub fn new(name: &str, bytes: Vec<u8>, signature: &str) -> Result<Self, Error> {
        let signature = parse_signature(signature).ok_or_else(|| {
            Error::refused(Code::FileSignature, format!("E_SIGN: {name}.sig is not base64 of a signature"))
        })?;
        Ok(Self::signed(name, bytes, signature))
    }

    /// A file and its signature, decoded. Its digest is computed here, once: not within a transaction, since a long file
    /// would keep every other writer waiting.
    pub fn signed(name: &str, bytes: Vec<u8>, signature: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self { name: name.to_owned(), bytes, signature, digest }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Reads a file and its signature from the folder that the institution writes, once: everything that follows looks at
/// these bytes. A link is not followed, a pipe not waited for, an endless file refused and not read.
pub fn read_incoming(dir: &Dir, name: &str) -> Result<Incoming, Error> {
    let bytes = dir.bytes(name, MAX_BYTES).map_err(refused)?;
    let beside = format!("{name}.sig");
    if !dir.lies(&beside)? {
        return Err(Error::refused(Code::FileSignature, format!("E_SIGN: {beside} is not there")));
    }
    let signature = dir.bytes(&beside, 16 << 10).map_err(refused)?;
    Incoming::new(name, bytes, &String::from_utf8_lossy(&signature))
}

fn refused(error: std::io::Error) -> Error {
    if disk::is_not_plain(&error) || error.kind() == std::io::ErrorKind::FileTooLarge {
        return Error::refused(Code::FileFormat, format!("E_FORMAT: {error}"));
    }
    Error::Io(error)
}

/// Keeps what was taken in, in the transaction that recorded it: a copy where only we write, whatever becomes of `in/`.
pub fn keep(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    folder: &Folder,
    incoming: &Incoming,
) -> Result<(), Error> {
    let (dir, name) = (folder.taken(), recorded_name(tx, institution, incoming)?);
    let mut file = stage(&dir, &name)?;
    file.write_all(&incoming.bytes)?;
    // The name is recorded only now: whatever a crash left under it is written over.
    dir.remove(&format!("{name}.ok"))?;
    put_out(&dir, &name, &incoming.signature)
}

/// Whether the institution signed these very bytes by a key that it has for this and that counts now, and whether the
/// name is free; `None` = imported before.
pub fn admit(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    (purpose, now): (Purpose, i64),
) -> Result<Option<Digest>, Error> {
    let digest = incoming.digest();
    // The same bytes again are no news, whatever their name.
    if store::came_before(tx, institution.id, &digest)? {
        return Ok(None);
    }
    if store::by_name(tx, institution.id, &incoming.name)?.is_some() {
        let detail = format!("E_DUP: {} was imported with other content", incoming.name);
        return Err(Error::refused(Code::FileDuplicate, detail));
    }
    let keys = institutions::public_keys(tx, institution.id, purpose, now)?;
    if !keys.iter().any(|key| key.verify_digest(&digest, &incoming.signature)) {
        let (name, code) = (&incoming.name, &institution.code);
        let detail = format!("E_SIGN: {name} is not signed by a key that {code} has for {purpose} now");
        return Err(Error::refused(Code::FileSignature, detail));
    }
    Ok(Some(digest))
}

/// The name of an APR or BIL of this institution and platform.
pub fn own_name(institution: &Institution, incoming: &Incoming, kind: FileKind) -> Result<FileName, Error> {
    let name = FileName::parse(&incoming.name).filter(|name| name.kind == kind).ok_or_else(|| {
        Error::refused(
            Code::FileFormat,
            format!("E_FORMAT: {} is not the name of an {}", incoming.name, kind.as_str()),
        )
    })?;
    if name.inst != institution.code || name.plat != institution.platform_code {
        let detail = format!(
            "E_INST: {} is not between {} and {}",
            incoming.name, institution.code, institution.platform_code
        );
        return Err(Error::refused(Code::FileParty, detail));
    }
    Ok(name)
}

/// What is recorded of an incoming file of this name: a result, where the caller does not say otherwise.
pub fn incoming_file(
    institution: &Institution,
    incoming: &Incoming,
    name: &FileName,
    digest: &Digest,
    recorded_at: i64,
) -> NewFile {
    NewFile {
        institution_id: institution.id,
        direction: Direction::In,
        kind: DocumentKind::Ret,
        name: incoming.name.clone(),
        business_date: name.day,
        seq: i32::from(name.seq),
        sha256: *digest,
        size: i64::try_from(incoming.bytes.len()).unwrap_or(i64::MAX),
        orders: 0,
        lines: 0,
        total: Fen::ZERO,
        previous_sha256: None,
        approvals_sha256: None,
        created_at: 0,
        recorded_at,
    }
}

/// Takes the institution's own bill in, as evidence beside the channel's.
pub fn import_bill(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Imported<ExchangedFile>, Error> {
    let name = own_name(institution, incoming, FileKind::Bil)?;
    let Some(digest) = admit(tx, institution, incoming, (Purpose::Files, now))? else {
        return Ok(Imported::Again);
    };
    let reader = BilReader::new(incoming.bytes.as_slice()).map_err(|e| unreadable(&incoming.name, e))?;
    let header = reader.header().clone();
    sound(&incoming.name, reader.finish())?;
    if header.name != name {
        let detail = format!("E_FORMAT: {}: its header names {}", incoming.name, header.name);
        return Err(Error::refused(Code::FileFormat, detail));
    }
    let new = NewFile {
        kind: DocumentKind::Bil,
        orders: i64::from(header.orders),
        lines: i64::from(header.refunds),
        total: header.total_paid,
        created_at: micros(header.created_at),
        ..incoming_file(institution, incoming, &name, &digest, now)
    };
    Ok(Imported::New(store::record(tx, &new)?))
}

/// A file whose text, totals and digest are right, else the refusal.
pub(super) fn sound(name: &str, seal: Result<crate::kernel::file::Seal, ReadError>) -> Result<(), Error> {
    let seal = seal.map_err(|e| unreadable(name, e))?;
    seal.sound().map(|_| ()).map_err(|fault| unreadable(name, ReadError::Fault(fault)))
}

/// The refusal of a file that cannot be read, with the place.
pub(super) fn unreadable(name: &str, error: ReadError) -> Error {
    use crate::kernel::file::Check;
    match error {
        ReadError::Io(error) => Error::Io(error),
        ReadError::Fault(fault) if fault.check == Check::V01 => {
            Error::refused(Code::FileDigest, format!("E_DIGEST: {name}: {fault}"))
        }
        ReadError::Fault(fault) if fault.check == Check::V03 => {
            Error::refused(Code::FileTotals, format!("E_TOTAL: {name}: {fault}"))
        }
        ReadError::Fault(fault) => Error::refused(Code::FileFormat, format!("E_FORMAT: {name}: {fault}")),
    }
}
