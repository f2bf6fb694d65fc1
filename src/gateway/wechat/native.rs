//! `POST /v3/pay/partner/transactions/native`: a QR code order.
use actix_web::{HttpResponse, web};
use url::{Host, Url};

use super::JSON;
use super::fault::Fault;
use super::owner;
use super::signed::Signed;
use crate::app::App;
use crate::channels::address;
use crate::error::Error;
use crate::kernel::calendar::Instant;
use crate::kernel::channel::Product;
use crate::kernel::declared::{Parties, Tags};
use crate::merchants::SubMerchant;
use crate::orders::{self, Cause, EventReason, Placed, Request};
use crate::protocol::wechat::attach::{self, AttachFault, Declared};
use crate::protocol::wechat::carried::Carried;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::shapes::{self, NativeAnswer, NativeRequest, OrderOwner};

/// Places an order and answers its code_url; the same request again answers the same.
pub async fn native(app: web::Data<App>, signed: Signed) -> Result<HttpResponse, Fault> {
    let content = signed.content.as_ref().map_err(Fault::no_json)?;
    let asked = content.read::<NativeRequest>()?.without_empty();
    asked.check(app.clock.instant())?;
    check_notify_url(&app, &asked.notify_url)?;
    let (tags, parties, mark) = declared(asked.goods_tag.as_deref())?;
    let carried = carried(&asked, mark)?;
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
        carried,
        notify_url: asked.notify_url,
        time_expire: asked.time_expire.as_deref().and_then(shapes::rfc3339),
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
        Placed::Busy => Err(Fault::busy()),
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
        EventReason::ApartEnded => "收到的付款与订单不符，已另行处理",
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

/// What the caller declares of the order, and its mark for the channel's coupons; it is one of the two.
fn declared(goods_tag: Option<&str>) -> Result<(Tags, Parties, Option<String>), Fault> {
    let wrong = |fault| Fault::parameter("goods_tag", undeclarable(fault));
    let declared = goods_tag.map(Declared::of_goods_tag).transpose().map_err(wrong)?.flatten();
    let carried = goods_tag.filter(|_| declared.is_none()).map(str::to_owned);
    let declared = declared.unwrap_or_default();
    // With it goes all that the channel's attach holds.
    attach::join(&declared, "").map_err(wrong)?;
    match (Tags::of(&declared.tags), Parties::of(&declared.parties)) {
        (Some(tags), Some(parties)) => Ok((tags, parties, carried)),
        (None, _) | (_, None) => Err(Fault::parameter("goods_tag", "标签或参与方的格式不正确")),
    }
}

/// What is wrong with what the caller declares.
fn undeclarable(fault: AttachFault) -> &'static str {
    match fault {
        AttachFault::TooLong => "标签与参与方合计超过 128 字节",
        AttachFault::Character => "含控制字符或反引号",
        AttachFault::Tag => "标签须为 1 至 16 个字符，仅限 0-9 A-Z a-z _ -",
        AttachFault::Party => "参与方须写作 名称=接收方，名称为 1 至 16 个小写字母",
        AttachFault::Order => "标签与参与方须按升序排列，不得重复",
        AttachFault::TooMany => "标签与参与方各不超过 8 个",
        AttachFault::NoPrefix => "缺少标签与参与方的前缀",
    }
}

/// What goes to the channel as it came, as it is stored.
fn carried(asked: &NativeRequest, mark: Option<String>) -> Result<Option<String>, Fault> {
    let carried = Carried::of(asked, mark);
    let text = serde_json::to_string(&carried).map_err(Error::internal)?;
    Ok(Some(text).filter(|_| carried != Carried::default()))
}

/// Where the configuration allows no private addresses: https, and no address that is one. What a name stands for is
/// looked up when it is called, each time.
fn check_notify_url(app: &App, url: &str) -> Result<(), Fault> {
    if app.config.allow_private_addresses {
        return Ok(());
    }
    let parsed = Url::parse(url).ok().filter(|url| url.scheme() == "https");
    let is_open = match parsed.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address::is_public(address.into()),
        Some(Host::Ipv6(address)) => address::is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
        None => false,
    };
    if is_open {
        Ok(())
    } else {
        Err(Fault::parameter("notify_url", "须为公网 https 地址，不得带查询串"))
    }
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
