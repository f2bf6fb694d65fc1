//! What an order in the wallet states of a payment, in nobody's language (`counter.md`, "Out"). It names neither merchant
//! nor product: those stand in our order and in the institution's bill.
use serde_json::{Map, Value};

use crate::channels::{CNY, Statement, Sums};
use crate::institutions::ChannelProfile;
use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::text;
use crate::protocol::alipay::answers::Trade;
use crate::protocol::alipay::notification::Notification;
use crate::protocol::alipay::time;

/// What is told on of a payment, by its names in notifications and answers.
const TOLD_ON: [&str; 7] = [
    "buyer_id",
    "buyer_open_id",
    "buyer_logon_id",
    "buyer_user_id",
    "fund_bill_list",
    "trade_status",
    "voucher_detail_list",
];

/// The payment of a paid trade that answers our own question.
pub(super) fn of_trade(trade: Trade) -> Option<Statement> {
    let paid_at = trade.send_pay_date.as_deref().or(trade.gmt_payment.as_deref()).and_then(time)?;
    let receipt = trade.receipt_amount.map(|yuan| yuan.0);
    let payer = trade.buyer_pay_amount.map(|yuan| yuan.0);
    let sums = (trade.total_amount.0, receipt, payer);
    let mut particulars = trade.rest;
    // Answers name the payer in another way than notifications do.
    if let Some(buyer) = particulars.remove("buyer_user_id") {
        particulars.insert("buyer_id".to_owned(), buyer);
    }
    particulars.retain(|name, _| TOLD_ON.contains(&name.as_str()));
    made((trade.out_trade_no, trade.trade_no), true, sums, paid_at, particulars)
}

/// The payment that a notification tells of. It names us where it is for our application and we sell.
pub(super) fn of_notification(told: Notification, profile: &ChannelProfile) -> Option<Statement> {
    let names_us = told.app_id == profile.sp_appid && told.seller_id.as_deref() == Some(&profile.sp_mchid);
    let mut particulars = Map::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            particulars.insert(name.to_owned(), value.into());
        }
    };
    tell("buyer_id", told.buyer_id);
    tell("fund_bill_list", told.fund_bill_list);
    let sums = (told.total_amount, told.receipt_amount, told.buyer_pay_amount);
    made((told.out_trade_no, told.trade_no), names_us, sums, told.gmt_payment?, particulars)
}

/// `receipt` is 商家实收: what is not said of a payment without discounts is its total.
fn made(
    (order_no, inst_order_no): (String, String),
    names_us: bool,
    (total, receipt, payer): (Fen, Option<Fen>, Option<Fen>),
    paid_at: Instant,
    particulars: Map<String, Value>,
) -> Option<Statement> {
    let paid = receipt.unwrap_or(total);
    if total <= Fen::ZERO || total > Fen::MAX || paid < Fen::ZERO || paid > total {
        return None;
    }
    let payer_total = payer.unwrap_or(paid);
    Some(Statement {
        order_no: text::cleaned(&order_no).chars().take(64).collect(),
        inst_order_no: Some(inst_order_no).filter(|no| text::is_inst_order_no(no))?,
        merchant_no: None,
        names_us,
        product: None,
        paid,
        sums: Sums {
            currency: CNY.to_owned(),
            total,
            payer_total: Some(payer_total),
            promotions: total.checked_sub(payer_total),
        },
        paid_at,
        // A trade that was given back whole is closed there; of a part its state says nothing.
        is_refunded: false,
        particulars: serde_json::to_string(&particulars).ok()?,
    })
}
