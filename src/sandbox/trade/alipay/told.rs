//! What the platform is told of an order: by a query, and in a notification (`channels.md` 2.2 and 2.4).
use serde_json::{Map, Value, json};

use super::{Placed, refused};
use crate::kernel::money::Fen;
use crate::protocol::alipay::answers::{self, TradeStatus, Yuan};
use crate::protocol::alipay::errors::SubCode;
use crate::protocol::alipay::notification::{self, Notification};
use crate::protocol::alipay::write_time;
use crate::protocol::wechat::shapes::TradeState;
use crate::sandbox::platform::Platform;
use crate::sandbox::trade::notify::Message;
use crate::sandbox::trade::store::{Coupon, Delivery, Payment, Trade};
use crate::sandbox::trade::{self, pay};
use crate::sandbox::{Sandbox, SandboxError};

/// The sandbox has one payer.
const BUYER: &str = "2088000000000001";
const LOGON: &str = "san***@sandbox";

/// An order and what became of it.
#[derive(Clone, Copy)]
pub(in crate::sandbox::trade) struct Told<'a> {
    pub trade: &'a Trade,
    pub payment: Option<&'a Payment>,
    pub coupon: Option<&'a Coupon>,
}

/// What was ordered, 商家实收, and what the payer paid; nothing of the last two before the payment.
struct Amounts {
    total: Fen,
    receipt: Fen,
    payer: Fen,
}

impl Told<'_> {
    fn amounts(self) -> Amounts {
        let Some(payment) = self.payment else {
            return Amounts { total: Fen::new(self.trade.total), receipt: Fen::ZERO, payer: Fen::ZERO };
        };
        let (cash, nocash) = self.coupon.map_or((0, 0), |coupon| (coupon.cash, coupon.nocash));
        Amounts {
            total: Fen::new(payment.paid.saturating_add(nocash)),
            receipt: Fen::new(payment.paid),
            payer: Fen::new(payment.paid.saturating_sub(cash)),
        }
    }

    /// What it was paid with: the payer's balance, and what a funder gave.
    fn funds(self) -> Vec<(&'static str, Fen)> {
        let Amounts { receipt, payer, .. } = self.amounts();
        let given = receipt.checked_sub(payer).unwrap_or(Fen::ZERO);
        let all = [("ALIPAYACCOUNT", payer), ("COUPON", given)];
        all.into_iter().filter(|(_, fen)| *fen > Fen::ZERO).collect()
    }

    /// The answer to a query at `now` (unix seconds); none while the wallet does not know the order.
    pub fn view(self, now: i64) -> Result<Option<answers::Trade>, SandboxError> {
        let Some(trade_no) = self.trade.trade_no.clone() else { return Ok(None) };
        let state = trade::state(self.trade, self.payment, now);
        let status = if state == TradeState::Success {
            TradeStatus::Success
        } else if state == TradeState::NotPay {
            TradeStatus::WaitBuyerPay
        } else {
            TradeStatus::Closed
        };
        let payer = Placed::of(self.trade)?.order.payer;
        let mut rest = Map::from_iter([("buyer_logon_id".to_owned(), Value::from(LOGON))]);
        match payer.buyer_open_id {
            Some(open_id) => rest.insert("buyer_open_id".to_owned(), open_id.into()),
            None => {
                let buyer = payer.buyer_id.unwrap_or_else(|| BUYER.to_owned());
                rest.insert("buyer_user_id".to_owned(), buyer.into())
            }
        };
        if self.payment.is_some() {
            let funds = self.funds().into_iter();
            let funds = funds.map(|(fund, fen)| json!({"fund_channel": fund, "amount": fen.yuan()}));
            rest.insert("fund_bill_list".to_owned(), funds.collect());
        }
        let Amounts { total, receipt, payer } = self.amounts();
        Ok(Some(answers::Trade {
            out_trade_no: self.trade.out_trade_no.clone(),
            trade_no,
            trade_status: Some(status),
            total_amount: Yuan(total),
            receipt_amount: Some(Yuan(receipt)),
            buyer_pay_amount: Some(Yuan(payer)),
            gmt_payment: None,
            send_pay_date: self.payment.map(|payment| write_time(pay::instant(payment.paid_at))),
            rest,
        }))
    }
}

/// The notification of a payment, to where its order wants it.
pub(in crate::sandbox::trade) fn message(
    sandbox: &Sandbox,
    platform: &Platform,
    delivery: &Delivery,
    told: &Told<'_>,
    badly: bool,
) -> Result<Message, SandboxError> {
    let Placed { order, notify_url } = Placed::of(told.trade)?;
    let nowhere = || refused(SubCode::InvalidParameter, "notify_url");
    let funds = told.funds().into_iter();
    let funds: Value = funds.map(|(fund, fen)| json!({"amount": fen.yuan(), "fundChannel": fund})).collect();
    let Amounts { total, receipt, payer } = told.amounts();
    let named =
        order.payer.buyer_id.or_else(|| order.payer.buyer_open_id.is_none().then(|| BUYER.to_owned()));
    let notification = Notification {
        notify_id: delivery.event_id.clone(),
        notify_time: sandbox.now(),
        app_id: platform.registration.sp_appid.clone(),
        trade_no: told.trade.trade_no.clone().unwrap_or_default(),
        out_trade_no: told.trade.out_trade_no.clone(),
        trade_status: TradeStatus::Success,
        total_amount: total,
        receipt_amount: Some(receipt),
        buyer_pay_amount: Some(payer),
        refund_fee: None,
        seller_id: Some(platform.registration.sp_mchid.clone()),
        buyer_id: named,
        subject: Some(order.subject),
        gmt_create: Some(pay::instant(told.trade.created_at)),
        gmt_payment: told.payment.map(|payment| pay::instant(payment.paid_at)),
        out_biz_no: None,
        passback_params: order.passback_params,
        fund_bill_list: Some(funds.to_string()),
    };
    let body = notification::sign(sandbox.0.identity.alipay_signer(badly), &notification)?;
    let form = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
    Ok(Message {
        url: notify_url.ok_or_else(nowhere)?,
        headers: vec![("Content-Type", form)],
        body: body.into_bytes(),
    })
}
