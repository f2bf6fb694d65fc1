//! Queries of the file pages.
use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::{exchanged_file, file_result, institution, result_line};
use crate::error::Error;
use crate::exchange::{ExchangedFile, ResultLine};
use crate::people::Scope;

/// Which files are looked for; all of it must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// yyyymmdd.
    pub day: Option<i32>,
    /// `SPL`, `STL` …
    pub kind: Option<&'static str>,
    /// Only what we published.
    pub published: bool,
    /// Only those recorded before this one.
    pub before: Option<i64>,
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
        .filter(exchanged_file::id.lt(wanted.before.unwrap_or(i64::MAX)))
        .order(exchanged_file::id.desc())
        .limit(limit)
        .select(ExchangedFile::as_select())
        .into_boxed();
    let mut query = scoped!(query, scope);
    if let Some(day) = wanted.day {
        query = query.filter(exchanged_file::business_date.eq(day));
    }
    if let Some(kind) = wanted.kind {
        query = query.filter(exchanged_file::kind.eq(kind));
    }
    if wanted.published {
        query = query.filter(exchanged_file::direction.eq("OUT"));
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

/// The newest file of these bytes.
pub fn by_digest(tx: &mut Tx<'_>, institution: i64, sha256: &str) -> Result<Option<ExchangedFile>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::sha256.eq(sha256))
        .order(exchanged_file::id.desc())
        .select(ExchangedFile::as_select())
        .first(tx.conn())
        .optional()?)
}

/// Published files that the institution has still to answer, newest first: without a FIRST, or taken but not executed.
pub fn waiting(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<ExchangedFile>, Error> {
    let answered = |stage: &'static str| {
        file_result::table
            .filter(file_result::file_id.eq(exchanged_file::id))
            .filter(file_result::stage.eq(stage))
    };
    let refused = answered("FIRST").filter(file_result::code.ne_all(["ACCEPTED", "E_SIGN", "E_DIGEST"]));
    let query = exchanged_file::table
        .filter(exchanged_file::direction.eq("OUT"))
        .filter(not(exists(answered("FINAL"))))
        .filter(not(exists(refused)))
        .order(exchanged_file::id.desc())
        .limit(MOST_WAITING)
        .select(ExchangedFile::as_select())
        .into_boxed();
    Ok(scoped!(query, scope).load(tx.conn())?)
}

/// More than these are not listed as waiting; an institution that far behind has another problem.
const MOST_WAITING: i64 = 100;

/// Published files that the institution has answered for good, newest first.
pub fn answered(
    tx: &mut Tx<'_>,
    scope: &Scope,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<ExchangedFile>, Error> {
    let ended = file_result::stage
        .eq("FINAL")
        .or(file_result::stage.eq("FIRST").and(file_result::code.ne_all(["ACCEPTED", "E_SIGN", "E_DIGEST"])));
    let ended = file_result::table.filter(file_result::file_id.eq(exchanged_file::id)).filter(ended);
    let query = exchanged_file::table
        .filter(exchanged_file::direction.eq("OUT"))
        .filter(exchanged_file::id.lt(before.unwrap_or(i64::MAX)))
        .filter(exists(ended))
        .order(exchanged_file::id.desc())
        .limit(limit)
        .select(ExchangedFile::as_select())
        .into_boxed();
    Ok(scoped!(query, scope).load(tx.conn())?)
}

/// What the newest FINAL that speaks of a line said of it.
pub fn line_answer(tx: &mut Tx<'_>, file: i64, n: i32) -> Result<Option<ResultLine>, Error> {
    Ok(result_line::table
        .inner_join(file_result::table.on(file_result::id.eq(result_line::file_result_id)))
        .filter(file_result::file_id.eq(file))
        .filter(file_result::stage.eq("FINAL"))
        .filter(result_line::n.eq(n))
        .order(file_result::seq.desc())
        .select(ResultLine::as_select())
        .first(tx.conn())
        .optional()?)
}
