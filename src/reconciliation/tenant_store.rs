//! What a tenant's own orders did on a day, as the institutions' bills confirm it: its own bill is written from it
//! (`counter.md`, "In").
use std::collections::HashMap;

use diesel::dsl::exists;
use diesel::prelude::*;

use super::bill_store;
use crate::db::Tx;
use crate::db::columns::{As, BillId, InstitutionId, MerchantId, OrderId, TenantId};
use crate::db::schema::{bill_order, day_cut, pay_order, payment, sub_merchant};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::money::Fen;

/// Payments that are read at once.
const PAGE: i64 = 1000;

/// Whose payments of which day.
#[derive(Clone, Copy, Debug)]
pub struct OfTenant {
    /// Whose orders.
    pub tenant: TenantId,
    /// Those of this merchant alone.
    pub merchant: Option<MerchantId>,
    /// By whose wallet they were paid.
    pub channel: ChannelName,
    /// When.
    pub day: BusinessDay,
}

/// How far the bills of a tenant's day have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantDay {
    /// Nothing of its was paid.
    Nothing,
    /// A bill of it has not been taken in yet.
    Open,
    /// Every bill is there.
    Billed,
}

/// A payment that a bill confirms.
#[derive(Clone, Debug)]
pub struct TenantPayment {
    /// Orders them.
    pub order: OrderId,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The institution's number.
    pub inst_order_no: String,
    /// The merchant's number.
    pub out_trade_no: String,
    /// The number of the sub-merchant.
    pub merchant: String,
    /// How it was paid.
    pub product: Product,
    /// What is settled of it, fen.
    pub paid: Fen,
    /// What was ordered, fen.
    pub ordered: Fen,
    /// The channel's fee, fen.
    pub fee: Fen,
    /// What the payer read.
    pub description: String,
    /// The merchant's own.
    pub attach: String,
    /// What the institution said of payer and promotions.
    pub particulars: Option<String>,
}

#[derive(Queryable)]
struct Row {
    order: OrderId,
    institution: InstitutionId,
    paid_at: i64,
    inst_order_no: String,
    out_trade_no: String,
    merchant: String,
    product: Product,
    total: Option<Fen>,
    description: String,
    attach: String,
    particulars: Option<String>,
}

/// How far it has come.
pub fn tenant_day(tx: &mut Tx<'_>, of: &OfTenant) -> Result<TenantDay, Error> {
    let mut paid = payment::table
        .filter(payment::business_date.eq(As(of.day)))
        .filter(payment::platform_merchant_id.eq(of.tenant))
        .filter(payment::channel.eq(As(of.channel)))
        .select(payment::institution_id)
        .distinct()
        .into_boxed();
    if let Some(merchant) = of.merchant {
        paid = paid.filter(payment::sub_merchant_id.eq(merchant));
    }
    let institutions: Vec<InstitutionId> = paid.load(tx.conn())?;
    if institutions.is_empty() {
        return Ok(TenantDay::Nothing);
    }
    for institution in institutions {
        let cut = day_cut::table
            .filter(day_cut::institution_id.eq(institution))
            .filter(day_cut::business_date.eq(As(of.day)));
        if !diesel::select(exists(cut)).get_result::<bool>(tx.conn())? {
            return Ok(TenantDay::Open);
        }
    }
    Ok(TenantDay::Billed)
}

/// The next payments behind `after`, in the order in which they were placed; none at the end. Those that no bill confirms
/// are left out: they are differences, not turnover.
pub fn tenant_payments(
    tx: &mut Tx<'_>,
    of: &OfTenant,
    after: OrderId,
) -> Result<(Vec<TenantPayment>, Option<OrderId>), Error> {
    let mut query = payment::table
        .inner_join(pay_order::table.on(pay_order::id.eq(payment::order_id)))
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(payment::sub_merchant_id)))
        .filter(payment::business_date.eq(As(of.day)))
        .filter(payment::order_id.gt(after))
        .filter(payment::platform_merchant_id.eq(of.tenant))
        .filter(payment::channel.eq(As(of.channel)))
        .order(payment::order_id)
        .limit(PAGE)
        .select((
            payment::order_id,
            payment::institution_id,
            payment::paid_at,
            payment::inst_order_no,
            pay_order::out_trade_no,
            sub_merchant::merchant,
            payment::product,
            payment::total,
            pay_order::description,
            pay_order::attach,
            payment::particulars,
        ))
        .into_boxed();
    if let Some(merchant) = of.merchant {
        query = query.filter(payment::sub_merchant_id.eq(merchant));
    }
    let rows: Vec<Row> = query.load(tx.conn())?;
    let last = rows.last().map(|row| row.order);
    let billed = billed(tx, of, &rows)?;
    let confirmed = rows.into_iter().filter_map(|row| {
        let (paid, fee) = *billed.get(&(row.institution, row.inst_order_no.clone()))?;
        Some(TenantPayment {
            order: row.order,
            paid_at: row.paid_at,
            inst_order_no: row.inst_order_no,
            out_trade_no: row.out_trade_no,
            merchant: row.merchant,
            product: row.product,
            paid,
            ordered: row.total.unwrap_or(paid),
            fee,
            description: row.description,
            attach: row.attach,
            particulars: row.particulars,
        })
    });
    Ok((confirmed.collect(), last))
}

/// What is settled, and the fee, by institution and number.
type Billed = HashMap<(InstitutionId, String), (Fen, Fen)>;

/// What the bills say of these.
fn billed(tx: &mut Tx<'_>, of: &OfTenant, rows: &[Row]) -> Result<Billed, Error> {
    let numbers: Vec<&str> = rows.iter().map(|row| row.inst_order_no.as_str()).collect();
    let mut institutions: Vec<InstitutionId> = rows.iter().map(|row| row.institution).collect();
    institutions.sort_unstable();
    institutions.dedup();
    let mut billed = HashMap::new();
    for institution in institutions {
        let bills: Vec<BillId> =
            bill_store::bills(tx, institution, of.day)?.into_iter().map(|bill| bill.id).collect();
        let found: Vec<(String, Fen, Fen)> = bill_order::table
            .filter(bill_order::business_date.eq(As(of.day)))
            .filter(bill_order::institution_id.eq(institution))
            .filter(bill_order::bill_id.eq_any(&bills))
            .filter(bill_order::inst_order_no.eq_any(&numbers))
            .filter(bill_order::channel.eq(of.channel.as_str()))
            .select((bill_order::inst_order_no, bill_order::paid, bill_order::fee))
            .load(tx.conn())?;
        billed.extend(found.into_iter().map(|(number, paid, fee)| ((institution, number), (paid, fee))));
    }
    Ok(billed)
}
