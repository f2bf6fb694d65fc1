//! Placing, querying and closing orders at the WeChat channel (`channels.md` 1.3).
use serde_json::json;

use super::store::{self, Payment, Trade};
use super::{Barred, pay, view};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::kernel::text;
use crate::protocol::crypto::random_nonce;
use crate::protocol::json;
use crate::protocol::wechat::attach;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::order::{OrderRequest, Prepaid};
use crate::protocol::wechat::shapes::{OrderOwner, TradeState};
use crate::sandbox::store::Tx;
use crate::sandbox::v3::{Answer, Verified};
use crate::sandbox::{Sandbox, SandboxError};

/// The channel of these orders.
const CHANNEL: &str = ChannelName::Wechat.as_str();

/// Places an order: the same number with the same content gives the same answer, with other content it is refused.
pub(in crate::sandbox) fn place(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    prepaid: Prepaid,
) -> Result<Answer, SandboxError> {
    let request: OrderRequest = json::from_slice(call.body)
        .map_err(|error| SandboxError::wechat(WechatCode::ParamError, error.to_string()))?;
    let body = serde_json::to_string(&request)?;
    let now = call.sandbox.now();
    if let Some((trade, payment)) = store::trade(tx, &request.out_trade_no)? {
        if trade.body != body || trade.product != prepaid.word() {
            let why = "商户订单号重复,参数与原请求不一致";
            return Err(SandboxError::wechat(WechatCode::OutTradeNoUsed, why));
        }
        return repeated(call, prepaid, &trade, payment.as_ref());
    }
    request.check(prepaid, now).map_err(|fault| SandboxError::parameter(fault.field, fault.issue))?;
    let merchant = check_parties(call, &request, now)?;
    pay::contract_rate(call.sandbox, &merchant, (CHANNEL, prepaid.word()))
        .map_err(|_| SandboxError::wechat(WechatCode::NoAuth, "特约商户未开通该产品"))?;
    let (declared, _) = attach::cut(request.attach.as_deref().unwrap_or_default())
        .map_err(|fault| SandboxError::parameter("attach", &fault.to_string()))?;
    let trade = Trade {
        out_trade_no: request.out_trade_no.clone(),
        code: random_nonce(24)?,
        body,
        merchant,
        tags: declared.tags_text(),
        parties: declared.parties_text(),
        channel: CHANNEL.to_owned(),
        product: prepaid.word().to_owned(),
        trade_no: None,
        total: request.amount.total.get(),
        created_at: now.get(),
        expires_at: request.time_expire.as_deref().and_then(Instant::parse).map(Instant::get),
        closed_at: None,
    };
    store::insert_trade(tx, &trade)?;
    payable(call.sandbox, prepaid, &trade.code)
}

/// What the payer's wallet is called up with: an address, or for the wallet's own bridge the code as an id.
fn payable(sandbox: &Sandbox, prepaid: Prepaid, code: &str) -> Result<Answer, SandboxError> {
    let prepay = match prepaid {
        Prepaid::Native | Prepaid::H5 => code_url(sandbox, code),
        Prepaid::Jsapi | Prepaid::App => format!("{}{code}", pay::PREPAY_ID),
    };
    Answer::json(&json!({prepaid.answer_key(): prepay}))
}

fn repeated(
    call: &Verified<'_>,
    prepaid: Prepaid,
    trade: &Trade,
    payment: Option<&Payment>,
) -> Result<Answer, SandboxError> {
    if payment.is_some() {
        return Err(SandboxError::wechat(WechatCode::InvalidRequest, "该订单已支付"));
    }
    if super::state(trade, payment, call.sandbox.now().get()) != TradeState::NotPay {
        return Err(SandboxError::wechat(WechatCode::OrderClosed, "订单已关闭"));
    }
    payable(call.sandbox, prepaid, &trade.code)
}

/// Whether the order is the platform's and its sub-merchant may trade; gives the platform's number of it.
fn check_parties(call: &Verified<'_>, request: &OrderRequest, now: Instant) -> Result<String, SandboxError> {
    let registered = &call.platform.registration;
    if request.sp_mchid != registered.sp_mchid || request.sp_appid != registered.sp_appid {
        return Err(SandboxError::wechat(WechatCode::AppidMchidNotMatch, "sp_mchid与sp_appid不匹配"));
    }
    // The number becomes a field of BIL, whose characters are fewer than the channel's.
    if !text::is_order_no(&request.out_trade_no) {
        return Err(SandboxError::parameter("out_trade_no", "6 to 32 characters of 0-9 A-Z a-z _ -"));
    }
    if !call.platform.takes(&request.notify_url) {
        return Err(SandboxError::parameter("notify_url", "is not under the registered address"));
    }
    super::merchant(call.sandbox, &request.sub_mchid, now).map_err(|barred| match barred {
        Barred::Unknown => SandboxError::wechat(WechatCode::MchNotExists, "特约商户不存在"),
        Barred::Inactive => SandboxError::wechat(WechatCode::NoAuth, "特约商户当前不可交易"),
    })
}

/// Where an order is paid; what the payer's application scans.
pub(in crate::sandbox) fn code_url(sandbox: &Sandbox, code: &str) -> String {
    format!("{}/sandbox/cashier/{code}", sandbox.0.settings.public_url)
}

/// Tells an order by the platform's number.
pub(in crate::sandbox) fn query(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    out_trade_no: &str,
) -> Result<Answer, SandboxError> {
    let owner = OrderOwner {
        sp_mchid: call.parameter("sp_mchid").unwrap_or_default(),
        sub_mchid: call.parameter("sub_mchid").unwrap_or_default(),
    };
    let (trade, payment) = owned(tx, call, out_trade_no, &owner)?;
    let coupon = store::coupon(tx, out_trade_no)?;
    Answer::json(&view(&trade, payment.as_ref(), coupon.as_ref(), call.sandbox.now().get())?)
}

/// Tells an order by the institution's number.
pub(in crate::sandbox) fn query_by_id(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    id: &str,
) -> Result<Answer, SandboxError> {
    match store::number_of_payment(tx, id)? {
        Some(number) => query(tx, call, &number),
        None => Err(not_exist()),
    }
}

/// Closes an order that is not paid.
pub(in crate::sandbox) fn close(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    out_trade_no: &str,
) -> Result<Answer, SandboxError> {
    let owner: OrderOwner = json::from_slice(call.body)
        .map_err(|error| SandboxError::wechat(WechatCode::ParamError, error.to_string()))?;
    let (trade, payment) = owned(tx, call, out_trade_no, &owner)?;
    if payment.is_some() {
        return Err(SandboxError::wechat(WechatCode::InvalidRequest, "该订单已支付,不能关闭"));
    }
    if trade.closed_at.is_none() {
        store::close(tx, out_trade_no, call.sandbox.now().get())?;
    }
    Ok(Answer::Done)
}

fn owned(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    out_trade_no: &str,
    owner: &OrderOwner,
) -> Result<(Trade, Option<Payment>), SandboxError> {
    let found = store::trade(tx, out_trade_no)?.filter(|(trade, _)| trade.channel == CHANNEL);
    let (trade, payment) = found.ok_or_else(not_exist)?;
    let request: OrderRequest = serde_json::from_str(&trade.body)?;
    if owner.sp_mchid != call.platform.registration.sp_mchid || owner.sub_mchid != request.sub_mchid {
        return Err(not_exist());
    }
    Ok((trade, payment))
}

fn not_exist() -> SandboxError {
    SandboxError::wechat(WechatCode::OrderNotExist, "订单不存在")
}
