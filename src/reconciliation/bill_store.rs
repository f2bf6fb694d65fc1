//! Bills that were kept.
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::columns::{As, BillId, FileId, InstitutionId};
use crate::db::schema::bill;
use crate::error::Error;
use crate::exchange::ExchangedFile;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;

/// A bill that was kept as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = bill)]
pub struct KeptBill {
    /// Internal key.
    pub id: BillId,
    /// Whose bill.
    pub institution_id: InstitutionId,
    /// Of which day.
    pub business_date: BusinessDay,
    /// Its file.
    pub file_id: FileId,
    /// Over its bytes.
    pub sha256: Digest,
    /// Orders in it.
    pub orders: i64,
    /// What was paid.
    pub total_paid: Fen,
    /// Unix microseconds.
    pub recorded_at: i64,
}

/// Records a bill whose file is recorded, under the key that was reserved for it.
pub(super) fn add_bill(tx: &mut Tx<'_>, id: BillId, file: &ExchangedFile) -> Result<KeptBill, Error> {
    diesel::insert_into(bill::table)
        .values((
            bill::id.eq(id),
            bill::institution_id.eq(file.institution_id),
            bill::business_date.eq(As(file.business_date)),
            bill::file_id.eq(file.id),
            bill::sha256.eq(As(file.sha256)),
            bill::orders.eq(file.orders),
            bill::total_paid.eq(As(file.total)),
            bill::recorded_at.eq(file.recorded_at),
        ))
        .execute(tx.conn())?;
    bill_by_id(tx, id)
}

/// The bill of this key.
pub fn bill_by_id(tx: &mut Tx<'_>, id: BillId) -> Result<KeptBill, Error> {
    Ok(bill::table.find(id).select(KeptBill::as_select()).first(tx.conn())?)
}

/// The bills of a day, oldest first.
pub fn bills(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Vec<KeptBill>, Error> {
    Ok(bill::table
        .filter(bill::institution_id.eq(institution))
        .filter(bill::business_date.eq(As(day)))
        .order(bill::id.asc())
        .select(KeptBill::as_select())
        .load(tx.conn())?)
}
