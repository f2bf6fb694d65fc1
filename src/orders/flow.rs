//! Asking the institution about an order, closing it, and leaving `UNKNOWN`.
use super::intake::{Intake, Outcome, PaymentFact, RawKind, RawMessage};
use super::place::{Placed, advance, resume};
use super::{Event, Order, Standing, standing, store};
use crate::channels::http::Guarded;
use crate::channels::wechat::{Answer, Client, Evidence, Settings};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::institutions::{self, Institution, Keys};
use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::merchants::{self, SubMerchant};
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::notification::ApiV3Key;
use crate::protocol::wechat::product_of;
use crate::protocol::wechat::shapes::{OrderOwner, OrderView, TradeState};
use crate::protocol::wechat::sign::{AnswerKey, Signer};

/// How long an order may be paid when its merchant does not say, in microseconds: two hours.
const DEFAULT_LIFE: i64 = 2 * 3600 * 1_000_000;

/// What a command needs that talks to the institution between two transactions.
#[derive(Clone)]
pub struct Outside<'a> {
    /// Our record.
    pub db: &'a Db,
    /// The time.
    pub clock: &'a Clock,
    /// Takes the payments that the institution tells of.
    pub intake: &'a Intake,
    /// The institution's channel.
    pub channel: &'a Channel,
}

/// An institution's channel: how we speak to it, and by which keys we know it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Whose it is.
    pub institution: Institution,
    /// How it is spoken to.
    pub profile: institutions::Channel,
    /// Speaks to it.
    pub client: Client,
    /// Verifies its notifications.
    pub answer_keys: Vec<AnswerKey>,
    /// Open its notifications, the newest first.
    pub apiv3_keys: Vec<ApiV3Key>,
    /// Where it notifies us of payments.
    pub notify_url: String,
}

impl Channel {
    /// The channel of an institution that reaches us at `public_url`.
    pub fn open(
        institution: Institution,
        profile: institutions::Channel,
        keys: Keys,
        http: &Guarded,
        clock: &Clock,
        public_url: &str,
    ) -> Result<Self, Error> {
        let answer_keys = keys.answer_keys;
        let own = keys.own;
        let signer = Signer { mchid: profile.sp_mchid.clone(), serial: own.serial, key: own.private_key };
        let base_url = profile.base_url.clone();
        let settings = Settings { base_url, signer, answer_keys: answer_keys.clone() };
        let client = Client::new(http.clone(), clock.clone(), settings).map_err(Error::internal)?;
        let notify_url = format!("{public_url}/notify/{}/wechat", institution.code);
        Ok(Self { institution, profile, client, answer_keys, apiv3_keys: keys.apiv3_keys, notify_url })
    }

    /// The owner of an order of `merchant`, in the institution's numbers.
    pub(super) fn owner(&self, merchant: &SubMerchant) -> OrderOwner {
        let sp_mchid = self.profile.sp_mchid.clone();
        OrderOwner { sp_mchid, sub_mchid: merchant.inst_merchant_no.clone() }
    }
}

/// What the institution says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Paid; our record has the payment now.
    Paid,
    /// It has the order, not paid.
    NotPaid,
    /// It does not have the order.
    Absent,
    /// It will not take a payment for it; its words.
    Closed(String),
    /// It could not be asked.
    Unknown,
}

/// What became of a wish to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Closed, now or before.
    Done,
    /// Too late: it is paid.
    Paid,
    /// The institution asks to slow down.
    Busy,
    /// The institution's answer is not known.
    Unknown,
}

/// Asks the institution. A paid answer is a payment fact like a notification, its raw bytes are the evidence.
pub(super) async fn ask(outside: &Outside<'_>, order: &Order, merchant: &SubMerchant) -> Result<Told, Error> {
    let owner = outside.channel.owner(merchant);
    let answer = match outside.channel.client.query(&order.order_no, &owner).await {
        Answer::Ok(answer) => answer,
        Answer::Refused { code, .. } if code == WechatCode::OrderNotExist.as_str() => {
            return Ok(Told::Absent);
        }
        Answer::Refused { .. } | Answer::Busy | Answer::Unknown(_) => return Ok(Told::Unknown),
    };
    match answer.value.trade_state {
        TradeState::Success | TradeState::Refund => {
            let Some(fact) = fact_of(outside, answer) else {
                return Ok(Told::Unknown);
            };
            match outside.intake.submit(fact).await? {
                Outcome::Stored | Outcome::Known => Ok(Told::Paid),
                Outcome::Orphan | Outcome::Conflict => Ok(Told::Unknown),
            }
        }
        TradeState::NotPay | TradeState::UserPaying | TradeState::Accept => Ok(Told::NotPaid),
        TradeState::Closed | TradeState::Revoked | TradeState::PayError => {
            Ok(Told::Closed(answer.value.trade_state_desc))
        }
    }
}

fn fact_of(outside: &Outside<'_>, answer: Evidence<OrderView>) -> Option<PaymentFact> {
    let raw = RawMessage {
        kind: RawKind::QueryAnswer,
        received_at: outside.clock.now(),
        headers: answer.stamp.to_text(),
        body: answer.body,
    };
    payment_fact(&outside.channel.profile, answer.value, raw)
}

/// The payment that a channel's verified order view tells of; `None` when it lacks what a payment must have.
pub fn payment_fact(
    channel: &institutions::Channel,
    view: OrderView,
    raw: RawMessage,
) -> Option<PaymentFact> {
    let paid =
        view.amount.map(|amount| amount.total).filter(|paid| *paid > Fen::ZERO && *paid <= Fen::MAX)?;
    Some(PaymentFact {
        institution_id: channel.institution.get(),
        channel: channel.word,
        order_no: view.out_trade_no,
        inst_order_no: view.transaction_id.filter(|no| is_inst_order_no(no))?,
        inst_merchant_no: view.sub_mchid,
        product: product_of(&view.trade_type?)?,
        paid,
        paid_at: Instant::parse(&view.success_time?)?,
        raw,
    })
}

/// `split.md`, Numbers, times, text: the institution's order numbers.
fn is_inst_order_no(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
}

/// What is known of an order after asking the institution, when it is not settled yet.
/// `None` when the institution could not be asked.
pub async fn refresh(outside: &Outside<'_>, known: Standing) -> Result<Option<Standing>, Error> {
    if matches!(known.state, OrderState::Paid | OrderState::Closed) {
        return Ok(Some(known));
    }
    let order = known.order.clone();
    let merchant = merchant_of(outside, &order).await?;
    match ask(outside, &order, &merchant).await? {
        Told::Unknown => Ok(None),
        Told::Absent => Ok(Some(known)),
        Told::Paid => Ok(Some(outside.db.read(move |tx| standing(tx, order)).await?)),
        Told::Closed(reason) => Ok(Some(advance(outside, order, Event::Closed(reason)).await?)),
        Told::NotPaid => back_to_paying(outside, known).await.map(Some),
    }
}

/// Who is paid by an order, at the institution that carries it.
async fn merchant_of(outside: &Outside<'_>, order: &Order) -> Result<SubMerchant, Error> {
    let (id, institution) = (order.sub_merchant_id, order.institution_id);
    outside.db.read(move |tx| merchants::enrolled(tx, id, institution)).await
}

/// An order that had a code_url before its state became unknown can be paid by it again.
async fn back_to_paying(outside: &Outside<'_>, known: Standing) -> Result<Standing, Error> {
    let id = known.order.id;
    match outside.db.read(move |tx| store::last_code_url(tx, id)).await? {
        Some(code_url) => advance(outside, known.order, Event::Paying(code_url)).await,
        None => Ok(known),
    }
}

/// Closes an order at the institution, then in our record.
pub async fn close(outside: &Outside<'_>, known: Standing) -> Result<Closed, Error> {
    match known.state {
        OrderState::Paid => return Ok(Closed::Paid),
        OrderState::Closed => return Ok(Closed::Done),
        OrderState::Created | OrderState::Paying | OrderState::Unknown => {}
    }
    let merchant = merchant_of(outside, &known.order).await?;
    let owner = outside.channel.owner(&merchant);
    match outside.channel.client.close(&known.order.order_no, &owner).await {
        Answer::Ok(()) => closed(outside, known.order, "closed by the merchant").await,
        Answer::Busy => Ok(Closed::Busy),
        Answer::Refused { .. } => match ask(outside, &known.order, &merchant).await? {
            Told::Paid => Ok(Closed::Paid),
            Told::Absent => closed(outside, known.order, "the institution never had it").await,
            Told::Closed(reason) => closed(outside, known.order, &reason).await,
            Told::NotPaid | Told::Unknown => Ok(Closed::Unknown),
        },
        Answer::Unknown(why) => {
            advance(outside, known.order, Event::Unknown(why.to_string())).await?;
            Ok(Closed::Unknown)
        }
    }
}

async fn closed(outside: &Outside<'_>, order: Order, reason: &str) -> Result<Closed, Error> {
    let after = advance(outside, order, Event::Closed(reason.to_owned())).await?;
    Ok(if after.state == OrderState::Paid { Closed::Paid } else { Closed::Done })
}

/// Leaves `UNKNOWN` (or a `CREATED` that was never sent): asks, and goes on with what the institution says.
/// Whether the state is known now.
pub async fn resolve(outside: &Outside<'_>, order: Order) -> Result<bool, Error> {
    let merchant = merchant_of(outside, &order).await?;
    let expires = order.time_expire.unwrap_or_else(|| order.created_at.saturating_add(DEFAULT_LIFE));
    if expires > outside.clock.now() {
        let placed = resume(outside, order, &merchant).await?;
        return Ok(!matches!(placed, Placed::Unknown | Placed::Busy));
    }
    match ask(outside, &order, &merchant).await? {
        Told::Unknown => Ok(false),
        Told::Paid => Ok(true),
        Told::Absent => closed(outside, order, "expired, the institution never had it").await.map(|_| true),
        Told::Closed(reason) => closed(outside, order, &reason).await.map(|_| true),
        Told::NotPaid => {
            let known = outside.db.read(move |tx| standing(tx, order)).await?;
            close(outside, known).await.map(|closed| matches!(closed, Closed::Done | Closed::Paid))
        }
    }
}
