//! `POST /v3/pay/partner/transactions/native`: a QR code order.
use actix_web::{HttpResponse, web};

use super::JSON;
use super::fault::Fault;
use super::owner;
use super::signed::Signed;
use crate::app::App;
use crate::kernel::calendar::Instant;
use crate::kernel::channel::Product;
use crate::kernel::declared::{Parties, Tags};
use crate::merchants::SubMerchant;
use crate::orders::{self, Cause, EventReason, Placed, Request};
use crate::protocol::wechat::attach::{self, Declared};
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::shapes::{NativeAnswer, NativeRequest, OrderOwner};

/// Places an order and answers its code_url; the same request again answers the same.
pub async fn native(app: web::Data<App>, signed: Signed) -> Result<HttpResponse, Fault> {
    let content = signed.content.as_ref().map_err(unreadable)?;
    let asked: NativeRequest = content.read().map_err(|error| unreadable(&error))?;
    asked.check(app.clock.instant())?;
    check_notify_url(&app, &asked.notify_url)?;
    let (tags, parties) = declared(&asked)?;
    let owner = OrderOwner { sp_mchid: asked.sp_mchid.clone(), sub_mchid: asked.sub_mchid.clone() };
    let merchant = owner::merchant(&signed, &owner)?;
    if asked.sp_appid != signed.credential.sp_appid {
        return Err(Fault::new(WechatCode::AppidMchidNotMatch, "sp_appid 与 sp_mchid 不匹配，请核对应用号"));
    }
    may_trade(&signed, &merchant, app.clock.instant())?;
    let channel = app.channel_of_version(merchant.institution_id, signed.channel).await?;
    let request = Request {
        platform_merchant_id: signed.credential.platform_merchant_id,
        credential_id: signed.credential.id,
        merchant,
        order_prefix: channel.institution().order_prefix.clone(),
        channel: channel.name(),
        product: Product::NATIVE,
        out_trade_no: asked.out_trade_no,
        content_sha256: content.digest(),
        tags,
        parties,
        amount: asked.amount.total,
        description: asked.description,
        attach: asked.attach.unwrap_or_default(),
        notify_url: asked.notify_url,
        time_expire: asked.time_expire.as_deref().and_then(Instant::parse),
    };
    let outside = orders::Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    answer(orders::place(&outside, request, signed.nonce).await?)
}

fn answer(placed: Placed) -> Result<HttpResponse, Fault> {
    match placed {
        Placed::CodeUrl(code_url) => {
            Ok(HttpResponse::Ok().content_type(JSON).json(NativeAnswer { code_url }))
        }
        Placed::Paid => Err(Fault::new(WechatCode::InvalidRequest, "该订单已支付，请查询订单")),
        Placed::Closed(cause) => Err(Fault::new(
            WechatCode::OrderClosed,
            format!("订单已关闭，请更换商户订单号重新下单（{}）", closed(&cause)),
        )),
        Placed::Busy => Err(Fault::new(WechatCode::FrequencyLimited, "请求过于频繁，请用相同的单号稍后重试")),
        Placed::Unknown => Err(Fault::system()),
    }
}

/// Why an order is closed, for its merchant.
fn closed(cause: &Cause) -> String {
    let sentence = match cause.reason {
        EventReason::Refused | EventReason::SentAgainRefused | EventReason::Barred => "机构拒绝了该订单",
        EventReason::ClosedThere => "机构已关闭该订单",
        EventReason::Absent => "机构没有该订单",
        EventReason::Expired => "订单已过期",
        EventReason::ByMerchant => "商户已关闭该订单",
        EventReason::NoAnswer
        | EventReason::ServerFailed
        | EventReason::NotBelieved
        | EventReason::NotSent
        | EventReason::NotAsked
        | EventReason::Busy
        | EventReason::Paid
        | EventReason::PaidOtherAmount
        | EventReason::AfterClose
        | EventReason::Other => "订单已关闭",
    };
    let theirs: Vec<&str> = [&cause.code, &cause.words].into_iter().flatten().map(String::as_str).collect();
    if theirs.is_empty() { sentence.to_owned() } else { format!("{sentence}：{}", theirs.join(" ")) }
}

fn unreadable(error: &serde_json::Error) -> Fault {
    Fault::parameter("body", &format!("JSON as documented, amounts in whole fen: {error}"))
}

fn declared(asked: &NativeRequest) -> Result<(Tags, Parties), Fault> {
    let declared = Declared::parse(asked.goods_tag.as_deref().unwrap_or_default())
        .map_err(|fault| Fault::parameter("goods_tag", &fault.to_string()))?;
    attach::join(&declared, asked.attach.as_deref().unwrap_or_default())
        .map_err(|fault| Fault::parameter("attach", &fault.to_string()))?;
    match (Tags::of(&declared.tags), Parties::of(&declared.parties)) {
        (Some(tags), Some(parties)) => Ok((tags, parties)),
        (None, _) | (_, None) => Err(Fault::parameter("goods_tag", "tags and parties in good form")),
    }
}

/// Plain http only where the configuration allows private addresses.
fn check_notify_url(app: &App, url: &str) -> Result<(), Fault> {
    if url.starts_with("https://") || app.config.allow_private_addresses {
        return Ok(());
    }
    Err(Fault::parameter("notify_url", "an https URL without query"))
}

/// Whether the institution's approvals in force let the merchant trade.
fn may_trade(signed: &Signed, merchant: &SubMerchant, now: Instant) -> Result<(), Fault> {
    let approved = signed.approved.as_ref().and_then(|bundle| bundle.merchant_at(&merchant.merchant, now));
    match approved {
        Some(approved) if approved.inst_merchant_no == merchant.inst_merchant_no => Ok(()),
        Some(_) | None => {
            Err(Fault::new(WechatCode::NoAuth, "该特约商户未获机构批准或已暂停交易，请联系机构"))
        }
    }
}
