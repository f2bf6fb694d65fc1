//! Queries of the file pages.
use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, institution};
use crate::error::Error;
use crate::exchange::{Direction, DocumentKind, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::people::Scope;

/// Which files are looked for; all of it must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Of this business day.
    pub day: Option<BusinessDay>,
    /// What they are.
    pub kind: Option<DocumentKind>,
    /// Only what we published.
    pub published: bool,
    /// Only those recorded before this one.
    pub before: Option<FileId>,
}

/// Narrows a query over `exchanged_file` to what `scope` may see: a merchant sees no files.
macro_rules! scoped {
    ($query:expr, $scope:expr) => {
        match $scope {
            Scope::Platform => $query,
            Scope::Institution(id) => $query.filter(exchanged_file::institution_id.eq(*id)),
            Scope::Merchant(_) => $query.filter(exchanged_file::id.lt(0)),
        }
    };
}

/// The newest files, at most `limit`.
pub fn newest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<ExchangedFile>, Error> {
    let query = exchanged_file::table
        .filter(exchanged_file::id.lt(wanted.before.unwrap_or(FileId::new(i64::MAX))))
        .order(exchanged_file::id.desc())
        .limit(limit)
        .select(ExchangedFile::as_select())
        .into_boxed();
    let mut query = scoped!(query, scope);
    if let Some(day) = wanted.day {
        query = query.filter(exchanged_file::business_date.eq(As(day)));
    }
    if let Some(kind) = wanted.kind {
        query = query.filter(exchanged_file::kind.eq(As(kind)));
    }
    if wanted.published {
        query = query.filter(exchanged_file::direction.eq(As(Direction::Out)));
    }
    Ok(query.load(tx.conn())?)
}

/// The file of this name within a scope.
pub fn scoped(tx: &mut Tx<'_>, scope: &Scope, name: &str) -> Result<Option<ExchangedFile>, Error> {
    // A name is unique within an institution: there it is looked up.
    let query = exchanged_file::table
        .filter(exchanged_file::institution_id.eq_any(institution::table.select(institution::id)))
        .filter(exchanged_file::name.eq(name))
        .select(ExchangedFile::as_select())
        .into_boxed();
    Ok(scoped!(query, scope).first(tx.conn()).optional()?)
}

/// Names of files by whose they are and their digests.
pub fn names_by_digest(
    tx: &mut Tx<'_>,
    digests: &[Digest],
) -> Result<HashMap<(InstitutionId, Digest), String>, Error> {
    if digests.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(InstitutionId, Digest, String)> = exchanged_file::table
        .filter(exchanged_file::sha256.eq_any(digests.iter().copied().map(As)))
        .order(exchanged_file::id.asc())
        .select((exchanged_file::institution_id, exchanged_file::sha256, exchanged_file::name))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(institution, digest, name)| ((institution, digest), name)).collect())
}
