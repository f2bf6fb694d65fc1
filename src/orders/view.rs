//! An order as its merchant sees it: the answer of a query, and what a notification carries.
use super::{Order, Standing};
use crate::clock;
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::state::OrderState;
use crate::merchants::SubMerchant;
use crate::merchants::tenants::{self, PlatformMerchant};
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, TradeState};

/// The order in WeChat's shape, under the merchant's own numbers.
pub fn view(tx: &mut Tx<'_>, standing: &Standing, merchant: &SubMerchant) -> Result<OrderView, Error> {
    let tenant = tenants::by_id(tx, standing.order.platform_merchant_id)?;
    Ok(seen(standing, merchant, &tenant))
}

fn seen(standing: &Standing, merchant: &SubMerchant, tenant: &PlatformMerchant) -> OrderView {
    let Standing { order, state, payment, .. } = standing;
    let (trade_state, words) = match state {
        OrderState::Paid => (TradeState::Success, "支付成功"),
        OrderState::Closed => (TradeState::Closed, "订单已关闭"),
        OrderState::Created | OrderState::Paying | OrderState::Unknown => (TradeState::NotPay, "订单未支付"),
    };
    let paid = payment.as_ref();
    OrderView {
        sp_appid: tenant.sp_appid.clone(),
        sp_mchid: tenant.sp_mchid.clone(),
        sub_appid: None,
        sub_mchid: merchant.merchant.clone(),
        out_trade_no: order.out_trade_no.clone(),
        transaction_id: paid.map(|paid| paid.inst_order_no.clone()),
        trade_type: paid.map(|_| order.product.to_ascii_uppercase()),
        trade_state,
        trade_state_desc: words.to_owned(),
        bank_type: paid.map(|_| "OTHERS".to_owned()),
        attach: Some(order.attach.clone()).filter(|attach| !attach.is_empty()),
        success_time: paid.map(|paid| clock::instant(paid.paid_at).to_cst()),
        payer: None,
        amount: Some(amount(order, standing)),
    }
}

fn amount(order: &Order, standing: &Standing) -> OrderAmount {
    let paid = standing.payment.as_ref().map(|payment| payment.paid);
    OrderAmount {
        total: order.amount,
        payer_total: paid,
        currency: Some(CNY.to_owned()),
        payer_currency: paid.map(|_| CNY.to_owned()),
    }
}

/// The resource of the notification that tells a merchant of its payment.
pub(super) fn notification(
    standing: &Standing,
    merchant: &SubMerchant,
    tenant: &PlatformMerchant,
) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&seen(standing, merchant, tenant)).map_err(Error::internal)
}
