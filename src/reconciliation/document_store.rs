//! Queries of what channels' own documents are compared with.
use std::collections::HashMap;

use diesel::prelude::*;

use super::KeptBill;
use super::order_store::told_no;
use crate::channels::Vouched;
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId};
use crate::db::schema::{bill, bill_order, exchanged_file};
use crate::error::Error;
use crate::exchange::DocumentKind;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;

/// `paid_at`, both numbers, amount, fee.
type Row = (i64, String, String, Fen, Fen);

/// A payment of a bill as a document would state it.
fn stated((_, inst_order_no, order_no, paid, fee): Row) -> Vouched {
    Vouched { inst_order_no, order_no: told_no(&order_no).to_owned(), paid, fee }
}

/// A bill's orders of one channel.
macro_rules! of_channel {
    ($bill:expr, $channel:expr) => {
        bill_order::table
            .filter(bill_order::business_date.eq(As($bill.business_date)))
            .filter(bill_order::institution_id.eq($bill.institution_id))
            .filter(bill_order::bill_id.eq($bill.id))
            .filter(bill_order::channel.eq($channel.as_str()))
            .select((
                bill_order::paid_at,
                bill_order::inst_order_no,
                bill_order::order_no,
                bill_order::paid,
                bill_order::fee,
            ))
    };
}

/// What a bill says of these payments of a channel, by the institution's number.
pub(super) fn billed_as(
    tx: &mut Tx<'_>,
    bill: &KeptBill,
    channel: ChannelName,
    numbers: &[&str],
) -> Result<HashMap<String, Vouched>, Error> {
    let some = of_channel!(bill, channel).filter(bill_order::inst_order_no.eq_any(numbers));
    let rows: Vec<Row> = some.load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.1.clone(), stated(row))).collect())
}

/// Where a page of payments ends: `paid_at` in microseconds, and the institution's number.
pub(super) type After = (i64, String);

/// At most `limit` payments of a channel in a bill after a place, and where they end; none when there are no more.
pub(super) fn page(
    tx: &mut Tx<'_>,
    bill: &KeptBill,
    channel: ChannelName,
    after: Option<&After>,
    limit: i64,
) -> Result<Option<(Vec<Vouched>, After)>, Error> {
    let (at, number) = after.map_or((i64::MIN, ""), |(at, number)| (*at, number.as_str()));
    let rows: Vec<Row> = of_channel!(bill, channel)
        .filter(bill_order::paid_at.ge(at))
        .filter(bill_order::paid_at.gt(at).or(bill_order::inst_order_no.gt(number)))
        .order((bill_order::paid_at.asc(), bill_order::inst_order_no.asc()))
        .limit(limit)
        .load(tx.conn())?;
    let Some(end) = rows.last().map(|row| (row.0, row.1.clone())) else { return Ok(None) };
    Ok(Some((rows.into_iter().map(stated).collect(), end)))
}

/// The bills since a day that are the institution's own, oldest first.
pub(super) fn own_bills(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    since: BusinessDay,
) -> Result<Vec<KeptBill>, Error> {
    Ok(bill::table
        .inner_join(exchanged_file::table)
        .filter(bill::institution_id.eq(institution))
        .filter(bill::business_date.ge(As(since)))
        .filter(exchanged_file::kind.eq(As(DocumentKind::Bil)))
        .order((bill::business_date.asc(), bill::id.asc()))
        .select(KeptBill::as_select())
        .load(tx.conn())?)
}

/// The days since one whose document of this kind is kept.
pub(super) fn days_with(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    kind: DocumentKind,
    since: BusinessDay,
) -> Result<Vec<BusinessDay>, Error> {
    Ok(exchanged_file::table
        .filter(exchanged_file::institution_id.eq(institution))
        .filter(exchanged_file::kind.eq(As(kind)))
        .filter(exchanged_file::business_date.ge(As(since)))
        .select(exchanged_file::business_date)
        .distinct()
        .load(tx.conn())?)
}
