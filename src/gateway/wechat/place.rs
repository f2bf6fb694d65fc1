//! `POST /v3/pay/{partner/,}transactions/{native,jsapi,app,h5}`: an order that is paid afterwards.
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::JSON;
use super::content::Content;
use super::fault::Fault;
use super::owner::{self, Owner};
use super::signed::Signed;
use crate::app::App;
use crate::error::Error;
use crate::gateway::placing;
use crate::kernel::channel::ChannelName;
use crate::kernel::declared::{Parties, Tags};
use crate::orders::{self, Placed, Request};
use crate::protocol::wechat::attach::{self, AttachFault, Declared};
use crate::protocol::wechat::carried::Carried;
use crate::protocol::wechat::direct::Form;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::order::{OrderRequest, Prepaid};
use crate::protocol::wechat::shapes::{self, OrderOwner};

/// Places an order and answers what the payer's wallet is called up with; the same request again answers the same.
pub async fn place(
    app: web::Data<App>,
    product: web::Path<String>,
    signed: Signed,
) -> Result<HttpResponse, Fault> {
    let prepaid = Prepaid::of(&product).ok_or_else(Fault::unknown)?;
    let placed = take(&app, prepaid, &signed).await.map_err(|fault| fault.in_words_of(signed.form))?;
    answer(prepaid, placed)
}

async fn take(app: &App, prepaid: Prepaid, signed: &Signed) -> Result<Placed, Fault> {
    let content = signed.content.as_ref().map_err(Fault::no_json)?;
    let (asked, owner) = asked(signed, content)?;
    asked.check(prepaid, app.clock.instant())?;
    if !placing::may_be_told(app, &asked.notify_url) {
        let issue = "须为公网 https 地址，不得带查询串";
        return Err(Fault::parameter("notify_url", issue));
    }
    let (tags, parties, mark) = declared(asked.goods_tag.as_deref())?;
    let carried = carried(&asked, mark)?;
    let merchant = owner::merchant(signed, &owner)?;
    if asked.sp_appid != signed.credential.sp_appid {
        let why = match signed.form {
            Form::Partner => "sp_appid 与 sp_mchid 不匹配，请核对应用号",
            Form::Direct => "appid 与 mchid 不匹配，请核对应用号",
        };
        return Err(Fault::new(WechatCode::AppidMchidNotMatch, why));
    }
    let (sold, now) = ((ChannelName::Wechat, &prepaid.product()), app.clock.instant());
    placing::may_trade(signed.approved.as_deref(), &merchant, sold, now)
        .map_err(|why| Fault::new(WechatCode::NoAuth, why))?;
    let channel =
        app.channel_of_version((merchant.institution_id, ChannelName::Wechat), signed.channel).await?;
    let request = Request {
        platform_merchant_id: signed.credential.platform_merchant_id,
        credential_id: signed.credential.id,
        merchant,
        order_prefix: channel.institution().order_prefix.clone(),
        channel: channel.name(),
        product: prepaid.product(),
        language: signed.form.language(),
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
    Ok(orders::place(&outside, request, signed.nonce.clone()).await?)
}

/// What is asked for, as a platform asks, and by whom.
fn asked(signed: &Signed, content: &Content) -> Result<(OrderRequest, Owner), Fault> {
    match signed.form {
        Form::Partner => {
            let asked = content.read::<OrderRequest>()?.without_empty();
            let (sp_mchid, sub_mchid) = (asked.sp_mchid.clone(), asked.sub_mchid.clone());
            Ok((asked, Owner::Partner(OrderOwner { sp_mchid, sub_mchid })))
        }
        Form::Direct => {
            // Where the tenant has not one merchant alone, its owner is refused for that afterwards.
            let only = signed.merchant.as_ref().map_or("-", |merchant| &merchant.merchant);
            let asked = content.of_direct(only).read::<OrderRequest>()?.without_empty();
            let owner = Owner::Direct(asked.sp_mchid.clone());
            Ok((asked, owner))
        }
    }
}

fn answer(prepaid: Prepaid, placed: Placed) -> Result<HttpResponse, Fault> {
    match placed {
        Placed::Payable(prepay) => {
            Ok(HttpResponse::Ok().content_type(JSON).json(json!({prepaid.answer_key(): prepay})))
        }
        Placed::Paid => Err(Fault::new(WechatCode::InvalidRequest, "该订单已支付，请查询订单")),
        Placed::Closed(cause) => Err(Fault::new(
            WechatCode::OrderClosed,
            format!("订单已关闭，请更换商户订单号重新下单（{}）", placing::closed(&cause)),
        )),
        Placed::Busy => Err(Fault::busy()),
        Placed::Unknown => Err(Fault::system()),
    }
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
fn carried(asked: &OrderRequest, mark: Option<String>) -> Result<Option<String>, Fault> {
    let carried = Carried::of(asked, mark);
    let text = serde_json::to_string(&carried).map_err(Error::internal)?;
    Ok(Some(text).filter(|_| carried != Carried::default()))
}
