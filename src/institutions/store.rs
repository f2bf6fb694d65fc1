//! Queries of institutions' profiles.
use diesel::prelude::*;

use super::{Documents, Institution, NewInstitution, ResultEncoding};
use crate::db::columns::InstitutionId;
use crate::db::schema::institution;
use crate::db::{Conn, MultiBackend, Tx};
use crate::error::Error;
use crate::insert_returning_id;

#[derive(Queryable, Selectable)]
#[diesel(table_name = institution, check_for_backend(MultiBackend))]
struct Row {
    id: InstitutionId,
    code: String,
    name: String,
    platform_code: String,
    order_prefix: String,
    result_encoding: String,
    documents: String,
}

fn profile(row: Row) -> Result<Institution, Error> {
    let result_encoding = ResultEncoding::parse(&row.result_encoding)
        .ok_or_else(|| Error::Internal(format!("institution {} has no such encoding", row.id)))?;
    let documents = Documents::parse(&row.documents)
        .ok_or_else(|| Error::Internal(format!("institution {} has no such documents", row.id)))?;
    Ok(Institution {
        id: row.id,
        code: row.code,
        name: row.name,
        platform_code: row.platform_code,
        order_prefix: row.order_prefix,
        result_encoding,
        documents,
    })
}

pub(super) fn add(tx: &mut Tx<'_>, at: i64, new: &NewInstitution<'_>) -> Result<InstitutionId, Error> {
    let values = (
        institution::code.eq(new.code),
        institution::name.eq(new.name),
        institution::platform_code.eq(new.platform_code),
        institution::order_prefix.eq(new.order_prefix),
        institution::result_encoding.eq(new.result_encoding.as_str()),
        institution::documents.eq(new.documents.as_str()),
        institution::created_at.eq(at),
    );
    Ok(InstitutionId::new(insert_returning_id!(tx, institution, values)?))
}

pub(super) fn set_documents(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    documents: Documents,
) -> Result<(), Error> {
    diesel::update(institution::table.find(institution))
        .set(institution::documents.eq(documents.as_str()))
        .execute(tx.conn())?;
    Ok(())
}

pub(super) fn find(tx: &mut Tx<'_>, code: &str) -> Result<Option<Institution>, Error> {
    let found = institution::table.filter(institution::code.eq(code));
    found.select(Row::as_select()).first(tx.conn()).optional()?.map(profile).transpose()
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: InstitutionId) -> Result<Institution, Error> {
    profile(institution::table.find(id).select(Row::as_select()).first(tx.conn())?)
}

pub(super) fn all(tx: &mut Tx<'_>) -> Result<Vec<Institution>, Error> {
    let rows = institution::table.order(institution::code).select(Row::as_select()).load(tx.conn())?;
    rows.into_iter().map(profile).collect()
}

/// Holds back everyone else who would change the institution's keys or channels until the transaction ends.
pub(super) fn lock(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<(), Error> {
    match tx.conn() {
        // One writer at a time anyway.
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(conn) => {
            let row = institution::table.find(institution).select(institution::id).for_update();
            row.first::<InstitutionId>(conn)?;
            Ok(())
        }
    }
}
