//! What the institution does with payments: take orders, let them be paid, tell the platform, bill the day. Orders of
//! both channels are in one account; what is peculiar to Alipay's language is in [`alipay`].
pub(super) mod alipay;
pub(super) mod bills;
pub(super) mod cashier;
pub(super) mod notify;
pub(super) mod order;
pub(super) mod pay;
pub(super) mod store;

use crate::kernel::calendar::Instant;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::order::OrderRequest;
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, Payer, Promotion, TradeState};

use super::{Sandbox, SandboxError};
use store::{Coupon, Payment, Trade};

/// The sandbox has one payer.
const OPENID: &str = "o0sandbox-payer";
const BANK: &str = "OTHERS";

/// Where an order stands at `now` (unix seconds).
pub(super) fn state(trade: &Trade, payment: Option<&Payment>, now: i64) -> TradeState {
    match payment {
        Some(_) => TradeState::Success,
        None if trade.closed_at.is_some() || trade.expires_at.is_some_and(|at| at <= now) => {
            TradeState::Closed
        }
        None => TradeState::NotPay,
    }
}

/// What the payer sees of an order.
pub(super) fn subject(trade: &Trade) -> Result<String, SandboxError> {
    match trade.wallet()? {
        ChannelName::Wechat => Ok(serde_json::from_str::<OrderRequest>(&trade.body)?.description),
        ChannelName::Alipay => Ok(alipay::Placed::of(trade)?.order.subject),
    }
}

/// A wallet as pages name it, in Chinese and in English.
pub(super) const fn wallet_name(channel: ChannelName) -> (&'static str, &'static str) {
    match channel {
        ChannelName::Wechat => ("微信支付", "WeChat Pay"),
        ChannelName::Alipay => ("支付宝", "Alipay"),
    }
}

/// Why a merchant may not trade.
enum Barred {
    Unknown,
    Inactive,
}

/// The platform's number of the merchant with this number here, when it may trade `now`.
fn merchant(sandbox: &Sandbox, inst_merchant_no: &str, now: Instant) -> Result<String, Barred> {
    let bundle = sandbox.bundle().ok_or(Barred::Unknown)?;
    let mut merchants = bundle.merchants.values();
    let merchant = merchants.find(|merchant| merchant.inst_merchant_no == inst_merchant_no);
    let merchant = merchant.ok_or(Barred::Unknown)?;
    if !merchant.active.iter().any(|window| window.contains(now)) {
        return Err(Barred::Inactive);
    }
    Ok(merchant.merchant.clone())
}

/// The order as the platform is told of it by WeChat: by a query, and in a notification.
fn view(
    trade: &Trade,
    payment: Option<&Payment>,
    coupon: Option<&Coupon>,
    now: i64,
) -> Result<OrderView, SandboxError> {
    let request: OrderRequest = serde_json::from_str(&trade.body)?;
    let state = state(trade, payment, now);
    let description = if state == TradeState::Success {
        "支付成功"
    } else if state == TradeState::NotPay {
        "订单未支付"
    } else {
        "订单已关闭"
    };
    Ok(OrderView {
        sp_appid: request.sp_appid,
        sp_mchid: request.sp_mchid,
        sub_appid: request.sub_appid,
        sub_mchid: request.sub_mchid,
        out_trade_no: request.out_trade_no,
        transaction_id: payment.map(|payment| payment.transaction_id.clone()),
        trade_type: payment.and_then(|_| trade.trade_type()),
        trade_state: state,
        trade_state_desc: description.to_owned(),
        bank_type: payment.map(|_| BANK.to_owned()),
        attach: request.attach,
        success_time: payment.map(|payment| pay::instant(payment.paid_at).to_cst()),
        payer: payment.map(|_| request.payer.unwrap_or_else(payer)),
        promotion_detail: payment.and(coupon).map(promotions).filter(|all| !all.is_empty()),
        amount: Some(amount(trade, payment, coupon)),
    })
}

/// Who pays an order that is for nobody in particular.
fn payer() -> Payer {
    Payer { sp_openid: Some(OPENID.to_owned()), sub_openid: None }
}

fn amount(trade: &Trade, payment: Option<&Payment>, coupon: Option<&Coupon>) -> OrderAmount {
    let (cash, nocash) = coupon.map_or((0, 0), |coupon| (coupon.cash, coupon.nocash));
    let currency = coupon.map_or(CNY, |coupon| &coupon.currency);
    OrderAmount {
        total: Fen::new(payment.map_or(trade.total, |payment| payment.paid.saturating_add(nocash))),
        payer_total: payment.map(|payment| Fen::new(payment.paid.saturating_sub(cash))),
        currency: Some(currency.to_owned()),
        payer_currency: payment.map(|_| currency.to_owned()),
    }
}

fn promotions(coupon: &Coupon) -> Vec<Promotion> {
    let kinds = [("CASH", coupon.cash), ("NOCASH", coupon.nocash)].into_iter().filter(|(_, fen)| *fen > 0);
    let promotion = |(kind, fen): (&str, i64)| {
        let rest = [("coupon_id", format!("C-{kind}")), ("scope", "GLOBAL".to_owned())];
        let rest = rest.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Promotion { kind: Some(kind.to_owned()), amount: Fen::new(fen), rest }
    };
    kinds.map(promotion).collect()
}
