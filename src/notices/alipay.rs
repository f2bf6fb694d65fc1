//! What a merchant's system is told in Alipay's language: the order in its shape, and a signed form (`channels.md` 2.2,
//! 2.4).
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::Failure;
use crate::app::App;
use crate::channels::http::{Outgoing, Received};
use crate::clock;
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::merchants;
use crate::merchants::applications;
use crate::orders::{self, Event, Payment, Standing};
use crate::outbox::{About, Due};
use crate::protocol::alipay::answer::AnswerSigner;
use crate::protocol::alipay::answers::{TradeStatus, Yuan};
use crate::protocol::alipay::notification::{self, Notification, RECEIVED};
use crate::protocol::alipay::write_time;

/// Seconds from one delivery to the next; after the last of them the notification is given up.
pub const SCHEDULE: [i64; 7] = [240, 600, 600, 3600, 7200, 21_600, 54_000];

/// What of a payment's particulars is told on, and how a query names it.
const TOLD_ON: [(&str, &str); 4] = [
    ("buyer_id", "buyer_user_id"),
    ("buyer_open_id", "buyer_open_id"),
    ("buyer_logon_id", "buyer_logon_id"),
    (FUNDS, FUNDS),
];
/// What it was paid with: a list in answers, JSON of it in notifications.
const FUNDS: &str = "fund_bill_list";

/// An order as a query answers it. Until somebody pays, the channel may have no number of it.
#[derive(Debug, Clone, Serialize)]
pub struct Trade {
    /// The merchant's number.
    pub out_trade_no: String,
    /// The channel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_no: Option<String>,
    trade_status: TradeStatus,
    total_amount: Yuan,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_amount: Option<Yuan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_pay_amount: Option<Yuan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_pay_date: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Where an order stands in our record.
pub fn trade(standing: &Standing) -> Trade {
    let (order, paid) = (&standing.order, standing.payment.as_ref());
    let mut rest = Map::new();
    if let Some(paid) = paid {
        let said = particulars(paid);
        let told = TOLD_ON.iter().filter_map(|(name, asked)| Some((*asked, said.get(*name)?.clone())));
        rest.extend(
            told.map(|(name, value)| (name.to_owned(), if name == FUNDS { list(value) } else { value })),
        );
    }
    Trade {
        out_trade_no: order.out_trade_no.clone(),
        trade_no: trade_no(standing),
        trade_status: match standing.state {
            OrderState::Paid => TradeStatus::Success,
            OrderState::Closed => TradeStatus::Closed,
            OrderState::Created | OrderState::Paying | OrderState::Unknown => TradeStatus::WaitBuyerPay,
        },
        total_amount: Yuan(paid.and_then(|paid| paid.total).unwrap_or(order.amount)),
        receipt_amount: paid.map(|paid| Yuan(paid.paid)),
        buyer_pay_amount: paid.map(|paid| Yuan(payer_paid(paid))),
        send_pay_date: paid.map(|paid| write_time(clock::instant(paid.paid_at))),
        rest,
    }
}

/// An order that was created for its payer has its number before it is paid.
fn trade_no(standing: &Standing) -> Option<String> {
    let order = &standing.order;
    match (&standing.payment, &standing.event) {
        (Some(paid), _) => Some(paid.inst_order_no.clone()),
        (None, Some(Event::Paying(prepay)))
            if order.channel == ChannelName::Alipay && order.product == Product::JSAPI =>
        {
            Some(prepay.clone())
        }
        (None, _) => None,
    }
}

/// Of a payment that an older version took, what the merchant is owed is all that is known.
fn payer_paid(paid: &Payment) -> Fen {
    paid.payer_total.unwrap_or(paid.paid)
}

/// What the institution said besides; nothing of it where another channel's form holds it.
fn particulars(paid: &Payment) -> Map<String, Value> {
    paid.particulars.as_deref().and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default()
}

/// A list, which notifications carry as a text.
fn list(value: Value) -> Value {
    let read = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    read.unwrap_or(value)
}

/// A note as a notification: a form under the application that asked for it, or the one that is in force in its place.
pub(super) async fn render(app: &App, note: &Due) -> Result<Outgoing, Error> {
    let (about, now) = (note.clone(), app.clock.instant());
    let read = move |tx: &mut Tx<'_>| {
        let application = applications::in_force(tx, about.credential_id)?;
        let About::OrderPaid(order) = about.about;
        let order = orders::by_id(tx, order)?;
        let merchant = merchants::enrolled(tx, order.sub_merchant_id, order.institution_id)?;
        Ok((application.app_id, orders::standing(tx, order)?, merchant.merchant))
    };
    let (app_id, standing, seller_id) = app.db.read(read).await?;
    let paid = standing.payment.as_ref().ok_or_else(|| Error::Internal("a note of no payment".to_owned()))?;
    let (order, said) = (&standing.order, particulars(paid));
    let text =
        |name: &str| said.get(name).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let told = Notification {
        notify_id: note.event_id.clone(),
        notify_time: now,
        app_id,
        trade_no: paid.inst_order_no.clone(),
        out_trade_no: order.out_trade_no.clone(),
        trade_status: TradeStatus::Success,
        total_amount: paid.total.unwrap_or(order.amount),
        receipt_amount: Some(paid.paid),
        buyer_pay_amount: Some(payer_paid(paid)),
        refund_fee: None,
        seller_id: Some(seller_id),
        buyer_id: text("buyer_id"),
        subject: Some(order.description.clone()),
        gmt_create: Some(clock::instant(order.created_at)),
        gmt_payment: Some(clock::instant(paid.paid_at)),
        out_biz_no: None,
        passback_params: Some(order.attach.clone()).filter(|text| !text.is_empty()),
        fund_bill_list: text(FUNDS),
    };
    let (keys, url) = (app.keys().await?, Url::parse(&note.url).map_err(Error::internal)?);
    let signed = tokio::task::spawn_blocking(move || {
        let signer = AnswerSigner { key: &keys.wechat.private_key, certificate: None };
        notification::sign(signer, &told).map_err(Error::internal)
    });
    let body = signed.await.map_err(Error::internal)??.into_bytes();
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    Ok(Outgoing { method: Method::POST, url, headers: vec![("Content-Type", form.to_owned())], body })
}

/// Whether the other side has it: it says so and nothing else.
pub(super) fn is_taken(answer: &Received) -> Result<(), Failure> {
    match answer.status {
        200 if answer.body.trim_ascii() == RECEIVED.as_bytes() => Ok(()),
        200 => Err(Failure::Unsaid),
        status => Err(Failure::Answered(status)),
    }
}
