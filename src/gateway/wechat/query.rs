//! `GET /v3/pay/partner/transactions/{id,out-trade-no}/…`: where an order stands.
use actix_web::{HttpRequest, HttpResponse, web};

use super::JSON;
use super::fault::Fault;
use super::owner;
use super::signed::Signed;
use crate::app::App;
use crate::error::Error;
use crate::merchants::SubMerchant;
use crate::orders::{self, Standing};

/// By the number under which the merchant knows the payment.
pub async fn by_transaction_id(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let merchant = caller(&app, &request, &signed).await?;
    let id = merchant.id;
    if !owner::is_number(&number) {
        return Err(Error::NotFound.into());
    }
    let found = app
        .db
        .read(move |tx| {
            let order = orders::by_inst_order_no(tx, id, &number)?.ok_or(Error::NotFound)?;
            orders::standing(tx, order)
        })
        .await?;
    answer(&app, found, merchant).await
}

/// By the merchant's own number.
pub async fn by_out_trade_no(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let merchant = caller(&app, &request, &signed).await?;
    let found = find(&app, &merchant, number.into_inner()).await?;
    answer(&app, found, merchant).await
}

/// The merchant's order of this number, or not found.
pub async fn find(app: &App, merchant: &SubMerchant, number: String) -> Result<Standing, Fault> {
    if !owner::is_number(&number) {
        return Err(Error::NotFound.into());
    }
    let (tenant, id) = (merchant.platform_merchant_id, merchant.id);
    let read = move |tx: &mut crate::db::Tx<'_>| {
        let order = orders::by_out_trade_no(tx, tenant, &number)?;
        let order = order.filter(|order| order.sub_merchant_id == id).ok_or(Error::NotFound)?;
        orders::standing(tx, order)
    };
    Ok(app.db.read(read).await?)
}

async fn caller(app: &App, request: &HttpRequest, signed: &Signed) -> Result<SubMerchant, Fault> {
    owner::merchant(app, signed, &owner::in_query(request.query_string())?).await
}

/// Asks the institution first when the order is not settled in our record.
async fn answer(app: &App, found: Standing, merchant: SubMerchant) -> Result<HttpResponse, Fault> {
    let channel = app.channel(merchant.institution_id).await?;
    let outside = orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    let known = orders::refresh(&outside, found).await?.ok_or_else(Fault::system)?;
    let view = app.db.read(move |tx| orders::view(tx, &known, &merchant)).await?;
    Ok(HttpResponse::Ok().content_type(JSON).json(view))
}
