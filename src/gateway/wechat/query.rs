//! `GET /v3/pay/partner/transactions/{id,out-trade-no}/…`: where an order stands.
use actix_web::{HttpRequest, HttpResponse, web};

use super::JSON;
use super::fault::Fault;
use super::owner;
use super::signed::Signed;
use crate::app::App;
use crate::db::Tx;
use crate::db::columns::{MerchantId, TenantId};
use crate::error::Error;
use crate::merchants::SubMerchant;
use crate::notices::wechat::order_view;
use crate::orders::{self, Standing};

/// By the number under which the merchant knows the payment.
pub async fn by_transaction_id(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let find = move |tx: &mut Tx<'_>, merchant: &SubMerchant| {
        let id = MerchantId::new(merchant.id);
        let order = if owner::is_number(&number) { orders::by_inst_order_no(tx, id, &number)? } else { None };
        orders::standing(tx, order.ok_or(Error::NotFound)?)
    };
    answer(&app, caller(&request, &signed)?, find).await
}

/// By the merchant's own number.
pub async fn by_out_trade_no(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let find = move |tx: &mut Tx<'_>, merchant: &SubMerchant| find(tx, merchant, &number);
    answer(&app, caller(&request, &signed)?, find).await
}

/// The merchant's order of this number, or not found.
pub fn find(tx: &mut Tx<'_>, merchant: &SubMerchant, number: &str) -> Result<Standing, Error> {
    let found = match owner::is_number(number) {
        true => orders::by_out_trade_no(tx, TenantId::new(merchant.platform_merchant_id), number)?,
        false => None,
    };
    let order =
        found.filter(|order| order.sub_merchant_id == MerchantId::new(merchant.id)).ok_or(Error::NotFound)?;
    orders::standing(tx, order)
}

fn caller(request: &HttpRequest, signed: &Signed) -> Result<SubMerchant, Fault> {
    owner::merchant(signed, &owner::in_query(request.query_string())?)
}

/// Asks the institution first when the order is not settled in our record.
async fn answer(
    app: &App,
    merchant: SubMerchant,
    find: impl FnOnce(&mut Tx<'_>, &SubMerchant) -> Result<Standing, Error> + Send + 'static,
) -> Result<HttpResponse, Fault> {
    let whose = merchant.clone();
    let read = move |tx: &mut Tx<'_>| {
        let found = find(tx, &whose)?;
        let view = order_view(tx, &found, &whose)?;
        Ok((found, view))
    };
    let (found, mut view) = app.db.read(read).await?;
    if !found.is_settled() {
        let channel = app.channel(merchant.institution_id).await?;
        let outside =
            orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        let before = found.clone();
        let known = orders::refresh(&outside, found).await?.ok_or_else(Fault::system)?;
        if known != before {
            view = app.db.read(move |tx| order_view(tx, &known, &merchant)).await?;
        }
    }
    Ok(HttpResponse::Ok().content_type(JSON).json(view))
}
