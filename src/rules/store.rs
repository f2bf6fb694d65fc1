//! Queries of the rules room.
use std::collections::HashMap;

use diesel::prelude::*;

use crate::clock;
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId, RuleId};
use crate::db::schema::rule_version;
use crate::error::Error;
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::rule::RuleVersion;

/// A version as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = rule_version)]
pub struct StoredRule {
    /// Name of the rule.
    pub rule: String,
    /// Number of the version.
    pub version: i32,
    /// Over the canonical form.
    pub digest: Digest,
    /// The canonical form: `rule::parse` reads it back.
    pub canonical: String,
    /// Unix microseconds.
    pub approved_at: i64,
}

/// The version of this digest.
pub fn by_digest(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    digest: &Digest,
) -> Result<Option<StoredRule>, Error> {
    Ok(rule_version::table
        .filter(rule_version::institution_id.eq(institution))
        .filter(rule_version::digest.eq(As(*digest)))
        .select(StoredRule::as_select())
        .first(tx.conn())
        .optional()?)
}

/// Internal keys of an institution's versions, by digest.
pub fn kept(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<HashMap<Digest, RuleId>, Error> {
    let rows: Vec<(Digest, RuleId)> = rule_version::table
        .filter(rule_version::institution_id.eq(institution))
        .select((rule_version::digest, rule_version::id))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    rule: &RuleVersion,
    approved_at: Instant,
) -> Result<(), Error> {
    let version = i32::try_from(rule.version)
        .map_err(|_| Error::Internal(format!("rule {} has a version above 2147483647", rule.rule)))?;
    diesel::insert_into(rule_version::table)
        .values((
            rule_version::institution_id.eq(institution),
            rule_version::rule.eq(&*rule.rule),
            rule_version::version.eq(version),
            rule_version::digest.eq(As(rule.digest())),
            rule_version::canonical.eq(rule.canonical()),
            rule_version::approved_at.eq(clock::micros(approved_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}
