//! Placing, querying and closing orders (`channels.md` 2.2). An order that is only precreated does not exist in the wallet
//! until somebody scans it: it has no number there, cannot be asked for and cannot be closed.
use serde_json::Value;

use super::told::Told;
use super::{Sent, Verified, fault, refused};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::text;
use crate::protocol::alipay::answer::Answer;
use crate::protocol::alipay::answers::{Numbers, Precreated};
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::passback;
use crate::protocol::alipay::shapes::{Order, Which};
use crate::protocol::crypto::random_nonce;
use crate::protocol::wechat::shapes::TradeState;
use crate::sandbox::store::{self as settings, Tx};
use crate::sandbox::trade::order::code_url;
use crate::sandbox::trade::store::{self, Payment, Trade};
use crate::sandbox::trade::{self, Barred, pay};
use crate::sandbox::{Sandbox, SandboxError};

/// The channel of these orders.
const CHANNEL: &str = ChannelName::Alipay.as_str();
/// The setting that counts the orders which the wallet knows.
const NUMBERED: &str = "alipay_trades";

/// Places an order: the same number with the same content gives the same answer, with other content it is refused.
pub(in crate::sandbox) fn place(
    tx: &mut Tx<'_>,
    call: &Verified<'_>,
    product: &Product,
) -> Result<Answer<Value>, SandboxError> {
    let sent = Sent::of(call.request)?;
    let (body, now) = (serde_json::to_string(&sent)?, call.sandbox.now());
    let number = Which::read(&call.request.biz_content).map_err(fault)?.out_trade_no.unwrap_or_default();
    if let Some((trade, payment)) = store::trade(tx, &number)? {
        if trade.body != body || trade.channel != CHANNEL || trade.product != product.as_str() {
            return Err(refused(SubCode::ContextInconsistent, "out_trade_no"));
        }
        return repeated(call.sandbox, &trade, payment.as_ref());
    }
    let order = Order::read(&call.request.biz_content, now).map_err(fault)?;
    if *product == Product::JSAPI && order.payer.is_unknown() {
        return Err(refused(SubCode::BizParameter, "buyer_id: missing, and buyer_open_id too"));
    }
    let merchant = check_parties(call, &order, now)?;
    pay::contract_rate(call.sandbox, &merchant, (CHANNEL, product.as_str()))
        .map_err(|_| refused(SubCode::AccessForbidden, "sub_merchant.merchant_id"))?;
    let declared = passback::read(order.passback_params.as_deref().unwrap_or_default())
        .map_err(|unread| refused(SubCode::BizParameter, format!("passback_params: {unread}")))?;
    let mut trade = Trade {
        out_trade_no: order.out_trade_no,
        code: random_nonce(24)?,
        body,
        merchant,
        tags: declared.tags_text(),
        parties: declared.parties_text(),
        channel: CHANNEL.to_owned(),
        product: product.as_str().to_owned(),
        trade_no: None,
        total: order.total.get(),
        created_at: now.get(),
        expires_at: order.expires_at.map(Instant::get),
        closed_at: None,
    };
    store::insert_trade(tx, &trade)?;
    // A payer that is named is at it already.
    if *product == Product::JSAPI {
        trade.trade_no = Some(scanned(tx, &trade, now)?);
    }
    payable(call.sandbox, &trade)
}

/// What the payer's wallet is called up with: an address to scan, or its own number of the order.
fn payable(sandbox: &Sandbox, trade: &Trade) -> Result<Answer<Value>, SandboxError> {
    let out_trade_no = trade.out_trade_no.clone();
    let given = if trade.product == Product::NATIVE.as_str() {
        serde_json::to_value(Precreated { out_trade_no, qr_code: code_url(sandbox, &trade.code) })?
    } else {
        serde_json::to_value(numbers(trade))?
    };
    Ok(Answer::success(given))
}

fn numbers(trade: &Trade) -> Numbers {
    Numbers { out_trade_no: Some(trade.out_trade_no.clone()), trade_no: trade.trade_no.clone() }
}

fn repeated(
    sandbox: &Sandbox,
    trade: &Trade,
    payment: Option<&Payment>,
) -> Result<Answer<Value>, SandboxError> {
    if payment.is_some() {
        return Err(refused(SubCode::TradeHasSuccess, "out_trade_no"));
    }
    if trade::state(trade, payment, sandbox.now().get()) != TradeState::NotPay {
        return Err(refused(SubCode::TradeHasClose, "out_trade_no"));
    }
    payable(sandbox, trade)
}

/// Whether the order is the platform's and its merchant may trade; gives the platform's number of it.
fn check_parties(call: &Verified<'_>, order: &Order, now: Instant) -> Result<String, SandboxError> {
    let seller = &call.platform.registration.sp_mchid;
    if order.seller_id.as_ref().is_some_and(|named| named != seller) {
        return Err(refused(SubCode::PartnerError, "seller_id"));
    }
    // The number becomes a field of BIL, whose characters are fewer than the channel's.
    if !text::is_order_no(&order.out_trade_no) {
        return Err(refused(SubCode::BizParameter, "out_trade_no: 6 to 32 characters of 0-9 A-Z a-z _ -"));
    }
    if call.request.notify_url.as_deref().is_some_and(|url| !call.platform.takes(url)) {
        return Err(refused(SubCode::InvalidParameter, "notify_url"));
    }
    let number = order.merchant.as_deref().unwrap_or_default();
    trade::merchant(call.sandbox, number, now).map_err(|barred| match barred {
        Barred::Unknown => refused(SubCode::PartnerError, "sub_merchant.merchant_id"),
        Barred::Inactive => refused(SubCode::SellerBlocked, "sub_merchant.merchant_id"),
    })
}

/// A payer is at the order: from now on it has a number in the wallet. Gives that number.
pub(in crate::sandbox::trade) fn scanned(
    tx: &mut Tx<'_>,
    trade: &Trade,
    at: Instant,
) -> Result<String, SandboxError> {
    if let Some(known) = &trade.trade_no {
        return Ok(known.clone());
    }
    let last: u64 = settings::setting(tx, NUMBERED)?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let next = last.saturating_add(1);
    settings::set(tx, NUMBERED, &next.to_string())?;
    let trade_no = format!("{}22001400{next:012}", at.business_day());
    store::number(tx, &trade.out_trade_no, &trade_no)?;
    Ok(trade_no)
}

/// Tells an order by either number.
pub(in crate::sandbox) fn query(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<Answer<Value>, SandboxError> {
    let (trade, payment) = asked(tx, call)?;
    let coupon = store::coupon(tx, &trade.out_trade_no)?;
    let told = Told { trade: &trade, payment: payment.as_ref(), coupon: coupon.as_ref() };
    let view = told.view(call.sandbox.now().get())?.ok_or_else(not_exist)?;
    Ok(Answer::success(serde_json::to_value(view)?))
}

/// Closes an order that waits for its payer; no other can be closed.
pub(in crate::sandbox) fn close(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<Answer<Value>, SandboxError> {
    let (trade, payment) = asked(tx, call)?;
    let now = call.sandbox.now().get();
    if trade::state(&trade, payment.as_ref(), now) != TradeState::NotPay {
        return Err(refused(SubCode::TradeStatusError, "trade_status"));
    }
    store::close(tx, &trade.out_trade_no, now)?;
    Ok(Answer::success(serde_json::to_value(numbers(&trade))?))
}

/// The order that a call names, when the wallet knows it; its own number goes before the caller's.
fn asked(tx: &mut Tx<'_>, call: &Verified<'_>) -> Result<(Trade, Option<Payment>), SandboxError> {
    let which = Which::read(&call.request.biz_content).map_err(fault)?;
    let number = match (which.trade_no, which.out_trade_no) {
        (Some(trade_no), _) => store::number_of_trade_no(tx, &trade_no)?,
        (None, number) => number,
    };
    let found = store::trade(tx, &number.ok_or_else(not_exist)?)?;
    found.filter(|(trade, _)| trade.trade_no.is_some()).ok_or_else(not_exist)
}

fn not_exist() -> SandboxError {
    refused(SubCode::TradeNotExist, "")
}
