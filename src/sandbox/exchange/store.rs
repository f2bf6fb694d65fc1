//! Bundles given and files taken, in the sandbox's file.
use diesel::dsl::count_star;
use diesel::prelude::*;
use serde::Serialize;

use crate::sandbox::SandboxError;
use crate::sandbox::store::{Tx, bundle, taken};

/// An approvals bundle that went out.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = bundle)]
pub(in crate::sandbox) struct IssuedBundle {
    pub name: String,
    pub sha256: String,
    /// Unix seconds.
    pub issued_at: i64,
    pub body: String,
}

/// The bundle in force: the newest.
pub(in crate::sandbox) fn newest_bundle(tx: &mut Tx<'_>) -> Result<Option<IssuedBundle>, SandboxError> {
    Ok(bundle::table.order(bundle::id.desc()).select(IssuedBundle::as_select()).first(tx.0).optional()?)
}

/// Every bundle, oldest first.
pub(in crate::sandbox) fn bundles(tx: &mut Tx<'_>) -> Result<Vec<IssuedBundle>, SandboxError> {
    Ok(bundle::table.order(bundle::id).select(IssuedBundle::as_select()).load(tx.0)?)
}

/// How many bundles have names that begin so: a day's sequence.
pub(super) fn bundles_named(tx: &mut Tx<'_>, prefix: &str) -> Result<i64, SandboxError> {
    Ok(bundle::table.filter(bundle::name.like(format!("{prefix}%"))).select(count_star()).first(tx.0)?)
}

pub(super) fn insert_bundle(tx: &mut Tx<'_>, new: &IssuedBundle) -> Result<(), SandboxError> {
    diesel::insert_into(bundle::table).values(new).execute(tx.0)?;
    Ok(())
}

/// A published file that was answered.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = taken)]
pub(in crate::sandbox) struct Taken {
    pub name: String,
    pub kind: String,
    pub day: i32,
    pub seq: i32,
    pub sha256: String,
    pub signature_sha256: String,
    /// `ACCEPTED` or the code it was refused with.
    pub code: String,
    /// Unix seconds.
    pub answered_at: i64,
}

/// Every file that was answered, in the order of the answers.
pub(in crate::sandbox) fn taken(tx: &mut Tx<'_>) -> Result<Vec<Taken>, SandboxError> {
    Ok(taken::table.order(taken::id).select(Taken::as_select()).load(tx.0)?)
}

/// Writes an answer down; a second answer to the same name takes the place of the first. Gives whether there was one.
pub(super) fn insert_taken(tx: &mut Tx<'_>, new: &Taken) -> Result<bool, SandboxError> {
    let before = diesel::delete(taken::table.filter(taken::name.eq(&new.name))).execute(tx.0)?;
    diesel::insert_into(taken::table).values(new).execute(tx.0)?;
    Ok(before > 0)
}
