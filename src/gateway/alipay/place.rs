//! `alipay.trade.precreate` and `.create`: an order that is paid afterwards.
use serde::Serialize;
use serde_json::{Value, json};

use super::admitted::Admitted;
use super::fault::Fault;
use crate::app::App;
use crate::channels::alipay::Kept;
use crate::error::Error;
use crate::gateway::placing;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::merchants::SubMerchant;
use crate::orders::{self, Placed, Request};
use crate::protocol::alipay::answers::{Numbers, Precreated};
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::shapes::Order;
use crate::protocol::json;
use crate::protocol::language::Language;

/// Places an order and answers what the payer's wallet is called up with; the same request again answers the same.
pub async fn place(app: &App, admitted: &Admitted, product: Product, order: Order) -> Result<Value, Fault> {
    let notify_url = admitted.request.notify_url.clone().unwrap_or_default();
    if !notify_url.is_empty() && !placing::may_be_told(app, &notify_url) {
        let why = "notify_url: an https URL of the public internet";
        return Err(Fault::new(SubCode::InvalidParameter, why));
    }
    if product == Product::JSAPI && order.payer.is_unknown() {
        return Err(Fault::parameter("buyer_id", "missing, and buyer_open_id too"));
    }
    let merchant = merchant(admitted, &order)?;
    let (sold, now) = ((ChannelName::Alipay, &product), app.clock.instant());
    placing::may_trade(admitted.approved.as_deref(), &merchant, sold, now)
        .map_err(|why| Fault::new(SubCode::AccessForbidden, why))?;
    let at = (merchant.institution_id, ChannelName::Alipay);
    let channel = app.channel_of_version(at, admitted.channel).await.map_err(no_channel)?;
    let (tags, parties) = declared(&order)?;
    let number = order.out_trade_no.clone();
    let request = Request {
        platform_merchant_id: admitted.application.platform_merchant_id,
        credential_id: admitted.application.id,
        merchant,
        order_prefix: channel.institution().order_prefix.clone(),
        channel: channel.name(),
        product: product.clone(),
        language: Language::AlipayOpenapi,
        content_sha256: digest(admitted, &order)?,
        tags,
        parties,
        amount: order.total,
        carried: carried(&order)?,
        out_trade_no: order.out_trade_no,
        description: order.subject,
        attach: order.passback_params.unwrap_or_default(),
        notify_url,
        time_expire: order.expires_at,
    };
    let outside = orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    answer(&product, number, orders::place(&outside, request, admitted.nonce.clone()).await?)
}

/// An institution may approve a contract for a channel that nobody has set up yet.
fn no_channel(error: Error) -> Fault {
    if matches!(error, Error::NotFound) {
        return Fault::new(SubCode::AccessForbidden, "平台尚未接通该机构的支付宝渠道，请联系平台");
    }
    error.into()
}

/// Who sells: the merchant that is named, of the caller's tenant, or its only one. A foreign one is refused like one that
/// does not exist.
fn merchant(admitted: &Admitted, order: &Order) -> Result<SubMerchant, Fault> {
    let tenant = admitted.application.platform_merchant_id;
    let known = admitted.merchant.as_ref().filter(|merchant| merchant.platform_merchant_id == tenant);
    let Some(known) = known else {
        return Err(Fault::new(
            SubCode::AccessForbidden,
            match order.merchant {
                Some(_) => "sub_merchant.merchant_id 不存在或不属于该应用，请核对商户号",
                None => "平台有多个商户，请在 sub_merchant.merchant_id 注明商户号",
            },
        ));
    };
    match order.seller_id.as_deref() {
        Some(seller) if seller != known.merchant && seller != admitted.application.sp_mchid => {
            Err(Fault::parameter("seller_id", "the platform's number or the merchant's"))
        }
        Some(_) | None => Ok(known.clone()),
    }
}

fn declared(order: &Order) -> Result<(Tags, Parties), Fault> {
    let declared = order.declared.clone().unwrap_or_default();
    match (Tags::of(&declared.tags), Parties::of(&declared.parties)) {
        (Some(tags), Some(parties)) => Ok((tags, parties)),
        (None, _) | (_, None) => Err(Fault::parameter("passback_params", "tags and parties in good form")),
    }
}

/// What goes to the channel as it came, as it is stored.
fn carried(order: &Order) -> Result<Option<String>, Fault> {
    if order.payer.is_unknown() && order.payer.op_app_id.is_none() && order.carried.is_empty() {
        return Ok(None);
    }
    let kept = Kept { payer: order.payer.clone(), carried: order.carried.clone() };
    Ok(Some(serde_json::to_string(&kept).map_err(Error::internal)?))
}

/// The same for the same content, whatever the order of its keys, its spaces, and whether its amount is a text.
fn digest(admitted: &Admitted, order: &Order) -> Result<Digest, Fault> {
    let mut content = json::parse(admitted.request.biz_content.as_bytes()).map_err(Error::internal)?;
    if let Some(amount) = content.get_mut("total_amount") {
        *amount = json!(order.total.get());
    }
    let told = admitted.request.notify_url.as_deref();
    Ok(Digest::of(json!([content, told]).to_string().as_bytes()))
}

fn answer(product: &Product, number: String, placed: Placed) -> Result<Value, Fault> {
    match placed {
        Placed::Payable(prepay) if *product == Product::JSAPI => {
            given(&Numbers { out_trade_no: Some(number), trade_no: Some(prepay) })
        }
        Placed::Payable(prepay) => given(&Precreated { out_trade_no: number, qr_code: prepay }),
        Placed::Paid => Err(Fault::new(SubCode::TradeHasSuccess, "请查询订单")),
        Placed::Closed(cause) => Err(Fault::new(
            SubCode::TradeHasClose,
            format!("请更换商户订单号重新下单（{}）", placing::closed(&cause)),
        )),
        Placed::Busy => Err(Fault::busy()),
        Placed::Unknown => Err(Fault::system()),
    }
}

/// What a call gives.
pub(super) fn given(shape: &impl Serialize) -> Result<Value, Fault> {
    Ok(serde_json::to_value(shape).map_err(Error::internal)?)
}
