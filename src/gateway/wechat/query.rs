//! `GET /v3/pay/partner/transactions/{id,out-trade-no}/…`: where an order stands.
use actix_web::{HttpRequest, HttpResponse, web};

use super::JSON;
use super::fault::Fault;
use super::owner;
use super::signed::{Claim, admit};
use crate::app::App;
use crate::channels::Channel;
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::channel::ChannelName;
use crate::merchants::SubMerchant;
use crate::notices::wechat::order_view;
use crate::orders::{self, Order, Standing};

/// By the number under which the merchant knows the payment.
pub async fn by_transaction_id(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    claim: Claim,
) -> Result<HttpResponse, Fault> {
    let find = move |tx: &mut Tx<'_>, merchant: &SubMerchant| {
        let id = merchant.id;
        let order = if owner::is_number(&number) { orders::by_inst_order_no(tx, id, &number)? } else { None };
        order.map(|order| orders::standing(tx, order)).transpose()
    };
    answer(&app, &request, claim, find).await
}

/// By the merchant's own number.
pub async fn by_out_trade_no(
    app: web::Data<App>,
    request: HttpRequest,
    number: web::Path<String>,
    claim: Claim,
) -> Result<HttpResponse, Fault> {
    answer(&app, &request, claim, move |tx, merchant| find(tx, merchant, &number)).await
}

/// The merchant's order of this number.
pub fn find(tx: &mut Tx<'_>, merchant: &SubMerchant, number: &str) -> Result<Option<Standing>, Error> {
    let found = match owner::is_number(number) {
        true => orders::by_out_trade_no(tx, merchant.platform_merchant_id, number)?,
        false => None,
    };
    let order = found.filter(|order| order.sub_merchant_id == merchant.id);
    order.map(|order| orders::standing(tx, order)).transpose()
}

/// Asks the institution first when the order is not settled in our record.
async fn answer(
    app: &App,
    request: &HttpRequest,
    claim: Claim,
    find: impl Fn(&mut Tx<'_>, &SubMerchant) -> Result<Option<Standing>, Error> + Send + 'static,
) -> Result<HttpResponse, Fault> {
    let look = move |tx: &mut Tx<'_>, named: Option<&SubMerchant>| match named {
        Some(merchant) => find(tx, merchant),
        None => Ok(None),
    };
    let (signed, found) = admit(request, claim, look).await?;
    let owner = owner::in_query(request.query_string(), signed.form)?;
    let merchant = owner::merchant(&signed, &owner)?;
    let mut known = found.ok_or(Error::NotFound)?;
    if !known.is_settled() {
        Fault::unless(app.asking.may(&known.order, app.clock.now()))?;
        let channel = carrier(app, &known.order, signed.channel).await?;
        let outside =
            orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
        known = orders::refresh(&outside, known).await?.ok_or_else(Fault::system)?;
    }
    let numbers = (signed.credential.sp_mchid.as_str(), signed.credential.sp_appid.as_str());
    let view = order_view(&known, &merchant, numbers, signed.form)?;
    Ok(HttpResponse::Ok().content_type(JSON).json(view))
}

/// The channel that carries an order; of WeChat's the version was just read.
pub(super) async fn carrier(app: &App, order: &Order, version: Option<i64>) -> Result<Channel, Error> {
    match order.channel {
        ChannelName::Wechat => app.channel_of_version((order.institution_id, order.channel), version).await,
        ChannelName::Alipay => app.channel(order.institution_id, order.channel).await,
    }
}
