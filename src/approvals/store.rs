//! Queries of the approvals room.
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::approvals_bundle;
use crate::error::Error;
use crate::exchange::ExchangedFile;
use crate::kernel::digest::Digest;

/// An approvals bundle as imported.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = approvals_bundle, check_for_backend(crate::db::MultiBackend))]
pub struct BundleRow {
    /// Who signed it.
    pub institution_id: InstitutionId,
    /// Its file.
    pub file_id: FileId,
    /// Over the whole file.
    pub sha256: Digest,
    /// The file's seq.
    pub seq: i32,
    /// Unix microseconds.
    pub issued_at: i64,
    /// The file's bytes.
    pub body: Vec<u8>,
}

pub(super) fn add_bundle(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    issued_at: i64,
    body: &[u8],
) -> Result<(), Error> {
    diesel::insert_into(approvals_bundle::table)
        .values((
            approvals_bundle::institution_id.eq(file.institution_id),
            approvals_bundle::file_id.eq(file.id),
            approvals_bundle::sha256.eq(As(file.sha256)),
            approvals_bundle::seq.eq(file.seq),
            approvals_bundle::issued_at.eq(issued_at),
            approvals_bundle::body.eq(body),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The newest bundle that was issued at or before `at` (unix microseconds).
pub fn newest(tx: &mut Tx<'_>, institution: InstitutionId, at: i64) -> Result<Option<BundleRow>, Error> {
    Ok(approvals_bundle::table
        .filter(approvals_bundle::institution_id.eq(institution))
        .filter(approvals_bundle::issued_at.le(at))
        .order((approvals_bundle::issued_at.desc(), approvals_bundle::id.desc()))
        .select(BundleRow::as_select())
        .first(tx.conn())
        .optional()?)
}

/// Digest and time of issue (unix microseconds) of the bundle that [`newest`] gives.
pub fn newest_key(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    at: i64,
) -> Result<Option<(Digest, i64)>, Error> {
    Ok(approvals_bundle::table
        .filter(approvals_bundle::institution_id.eq(institution))
        .filter(approvals_bundle::issued_at.le(at))
        .order((approvals_bundle::issued_at.desc(), approvals_bundle::id.desc()))
        .select((approvals_bundle::sha256, approvals_bundle::issued_at))
        .first(tx.conn())
        .optional()?)
}

/// The bundle of this digest.
pub fn by_digest(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    sha256: Digest,
) -> Result<Option<BundleRow>, Error> {
    Ok(approvals_bundle::table
        .filter(approvals_bundle::institution_id.eq(institution))
        .filter(approvals_bundle::sha256.eq(As(sha256)))
        .select(BundleRow::as_select())
        .first(tx.conn())
        .optional()?)
}
