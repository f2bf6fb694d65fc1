//! What a merchant's system is told in WeChat's language: the order view, sealed and signed (`channels.md` 1.3, 1.7).
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::Failure;
use crate::app::App;
use crate::channels::http::{Outgoing, Received};
use crate::clock;
use crate::db::Tx;
use crate::error::Error;
use crate::kernel::state::OrderState;
use crate::merchants::credentials::{self, AnswerMode, Credential};
use crate::merchants::tenants;
use crate::merchants::{self, SubMerchant};
use crate::orders::{self, Order, Standing};
use crate::outbox::{About, Due};
use crate::protocol::wechat::direct;
pub use crate::protocol::wechat::direct::Form;
use crate::protocol::wechat::notification::{self, Event, TRANSACTION_SUCCESS};
use crate::protocol::wechat::shapes::{OrderAmount, OrderView, Particulars, TradeState};
use crate::protocol::wechat::sign::Stamp;
use crate::protocol::wechat::{CNY, trade_type_of};

/// Seconds from one delivery to the next; after the last of them the notification is given up.
pub const SCHEDULE: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];

/// The order under the merchant's own numbers and those of its tenant, in the form in which the merchant asks: the answer
/// of a query, and what a notification carries.
pub fn order_view(
    standing: &Standing,
    merchant: &SubMerchant,
    (sp_mchid, sp_appid): (&str, &str),
    form: Form,
) -> Result<Value, Error> {
    let view = partner_view(standing, merchant, (sp_mchid, sp_appid));
    match form {
        Form::Partner => serde_json::to_value(&view),
        Form::Direct => direct::from_partner(&view),
    }
    .map_err(Error::internal)
}

fn partner_view(
    standing: &Standing,
    merchant: &SubMerchant,
    (sp_mchid, sp_appid): (&str, &str),
) -> OrderView {
    let Standing { order, state, payment, .. } = standing;
    let (trade_state, words) = match state {
        OrderState::Paid => (TradeState::Success, "支付成功"),
        OrderState::Closed => (TradeState::Closed, "订单已关闭"),
        OrderState::Created | OrderState::Paying | OrderState::Unknown => (TradeState::NotPay, "订单未支付"),
    };
    let paid = payment.as_ref();
    let said = particulars(standing);
    OrderView {
        sp_appid: sp_appid.to_owned(),
        sp_mchid: sp_mchid.to_owned(),
        sub_appid: None,
        sub_mchid: merchant.merchant.clone(),
        out_trade_no: order.out_trade_no.clone(),
        transaction_id: paid.map(|paid| paid.inst_order_no.clone()),
        trade_type: paid.map(|paid| trade_type_of(&paid.product)),
        trade_state,
        trade_state_desc: words.to_owned(),
        bank_type: said.bank_type,
        attach: Some(order.attach.clone()).filter(|attach| !attach.is_empty()),
        success_time: paid.map(|paid| clock::instant(paid.paid_at).to_cst()),
        payer: said.payer,
        amount: Some(amount(order, standing)),
        promotion_detail: said.promotion_detail,
    }
}

/// What the institution said of payer and promotions; nothing of a payment that an older version took.
fn particulars(standing: &Standing) -> Particulars {
    let said = standing.payment.as_ref().and_then(|paid| paid.particulars.as_deref());
    said.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default()
}

/// The statement's own sums once it is paid, never a mixture with ours.
fn amount(order: &Order, standing: &Standing) -> OrderAmount {
    let (total, payer_total) = match &standing.payment {
        None => (order.amount, None),
        Some(paid) => match paid.total {
            Some(total) => (total, paid.payer_total),
            None => (order.amount, Some(paid.paid)),
        },
    };
    OrderAmount {
        total,
        payer_total,
        currency: Some(CNY.to_owned()),
        payer_currency: payer_total.map(|_| CNY.to_owned()),
    }
}

/// A note as a notification: the view sealed with the APIv3 key and signed in the answer mode of the credential that
/// asked for it, or of the one that is in force in its place.
pub(super) async fn render(app: &App, note: &Due, form: Form) -> Result<Outgoing, Error> {
    let (master, about) = (app.master_key.clone(), note.clone());
    let read = move |tx: &mut Tx<'_>| {
        let credential = credentials::in_force(tx, &master, about.credential_id)?;
        Ok((credential, plain(tx, &about, form)?))
    };
    let (credential, plain) = app.db.read(read).await?;
    let (keys, now, note) = (app.keys().await?, app.clock.instant(), note.clone());
    let sealed = tokio::task::spawn_blocking(move || {
        let Credential { apiv3_key, answer_mode, .. } = credential;
        let event = Event {
            id: &note.event_id,
            create_time: clock::instant(note.created_at),
            event_type: TRANSACTION_SUCCESS,
            summary: "支付成功",
            original_type: "transaction",
            plain: &plain,
        };
        let body = notification::seal(&apiv3_key, &event).map_err(Error::internal)?;
        let key = &keys.wechat;
        let serial = match answer_mode {
            AnswerMode::Certificate => &key.serial,
            AnswerMode::PublicKey => &key.public_key_id,
        };
        let stamp = Stamp::sign(serial, &key.private_key, now, &body).map_err(Error::internal)?;
        let mut headers = stamp.headers().to_vec();
        headers.push(("Content-Type", "application/json; charset=utf-8".to_owned()));
        let url = Url::parse(&note.url).map_err(Error::internal)?;
        Ok(Outgoing { method: Method::POST, url, headers, body })
    });
    sealed.await.map_err(Error::internal)?
}

/// Whether the other side has it: its status says so.
pub(super) fn is_taken(answer: &Received) -> Result<(), Failure> {
    match answer.status {
        200 | 204 => Ok(()),
        status => Err(Failure::Answered(status)),
    }
}

/// The resource before it is sealed: the same facts give the same bytes.
fn plain(tx: &mut Tx<'_>, note: &Due, form: Form) -> Result<Vec<u8>, Error> {
    match note.about {
        About::OrderPaid(order) => {
            let order = orders::by_id(tx, order)?;
            let merchant = merchants::by_id(tx, order.sub_merchant_id)?;
            let tenant = tenants::by_id(tx, order.platform_merchant_id)?;
            let standing = orders::standing(tx, order)?;
            let numbers = (tenant.sp_mchid.as_str(), tenant.sp_appid.as_str());
            let view = order_view(&standing, &merchant, numbers, form)?;
            serde_json::to_vec(&view).map_err(Error::internal)
        }
    }
}
