//! `POST /v3/pay/partner/transactions/out-trade-no/{number}/close`.
use actix_web::{HttpResponse, web};

use super::fault::Fault;
use super::signed::Signed;
use super::{owner, query};
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::orders::{self, Closed};
use crate::protocol::wechat::errors::WechatCode;

/// Closes an unpaid order; doing it again is fine.
pub async fn close(
    app: web::Data<App>,
    number: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let content = signed.content.as_ref().map_err(Fault::no_json)?;
    let merchant = owner::merchant(&signed, &owner::in_body(content, signed.form)?)?;
    let nonce = signed.nonce.clone();
    let find = move |tx: &mut Tx<'_>| {
        nonce.must_be_fresh(tx)?;
        query::find(tx, &merchant, &number)?.ok_or(Error::NotFound)
    };
    let found = app.db.look(find).await?;
    Fault::unless(found.is_settled() || app.asking.may(&found.order, app.clock.now()))?;
    let channel = query::carrier(&app, &found.order, signed.channel).await?;
    let outside = orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    match orders::close(&outside, found, Some(signed.nonce)).await? {
        Closed::Done => Ok(HttpResponse::NoContent().finish()),
        Closed::Paid => Err(Fault::new(WechatCode::InvalidRequest, "该订单已支付，不能关闭")),
        Closed::Apart => Err(Fault::new(
            WechatCode::InvalidRequest,
            "机构收到的付款与该订单不符，平台正在核对，暂不能关闭",
        )),
        Closed::Busy => Err(Fault::busy()),
        Closed::Unknown => Err(Fault::system()),
    }
}
