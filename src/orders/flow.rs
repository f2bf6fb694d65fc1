//! Asking the institution about an order, closing it, and leaving `UNKNOWN`.
use super::event::{Cause, EventReason};
use super::intake::{Intake, Outcome, PaymentFact};
use super::place::{Placed, advance, advance_by, resume};
use super::{Event, Order, Standing, apart_store, standing, store};
use crate::channels::{Answer, Channel, Closing, Queried};
use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::kernel::state::OrderState;
use crate::merchants::nonces::Nonce;
use crate::merchants::{self, SubMerchant};

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

/// What the institution says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Paid; our record has the payment now.
    Paid,
    /// It has a payment that does not pay the order: people look at it, and to its merchant it is not paid.
    Apart,
    /// It has payments that do not pay the order, and all of them were put right elsewhere.
    Ended,
    /// It has the order, not paid.
    NotPaid,
    /// It does not have the order.
    Absent,
    /// It will not take a payment for it; in its words.
    Closed(Cause),
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
    /// Something was paid that is not what the order asks for: people look at it.
    Apart,
    /// The institution asks to slow down.
    Busy,
    /// The institution's answer is not known.
    Unknown,
}

/// Asks the institution. A paid answer is a payment fact like a notification, its raw bytes are the evidence.
pub(super) async fn ask(outside: &Outside<'_>, order: &Order, merchant: &SubMerchant) -> Result<Said, Error> {
    let queried = match outside.channel.query(&order.order_no, &merchant.inst_merchant_no).await {
        Answer::Known(queried) => queried,
        Answer::Refused { .. } | Answer::Busy | Answer::Unknown(_) => return Ok(Said::Unknown),
    };
    match queried {
        Queried::Paid(notice) => {
            let fact = PaymentFact::of(outside.channel, *notice);
            match outside.intake.submit(fact).await? {
                Outcome::Stored => Ok(Said::Paid),
                // What was kept apart before is known, too.
                Outcome::Known => {
                    let (id, order_no) = (order.id, order.order_no.clone());
                    let kept = move |tx: &mut Tx<'_>| {
                        Ok(match store::is_paid(tx, id)? {
                            true => Said::Paid,
                            false if apart_store::is_work(tx, &order_no)? => Said::Apart,
                            false => Said::Ended,
                        })
                    };
                    outside.db.read(kept).await
                }
                Outcome::Orphan => Ok(Said::Apart),
                Outcome::Conflict => Ok(Said::Unknown),
            }
        }
        Queried::NotPaid => Ok(Said::NotPaid),
        Queried::Closed(words) => Ok(Said::Closed(Cause::closed_there(words))),
        Queried::Absent => Ok(Said::Absent),
    }
}

/// What is known of an order after asking the institution, when it is not settled yet.
/// `None` when the institution could not be asked.
pub async fn refresh(outside: &Outside<'_>, known: Standing) -> Result<Option<Standing>, Error> {
    if known.is_settled() {
        return Ok(Some(known));
    }
    let order = known.order.clone();
    let merchant = merchant_of(outside, &order).await?;
    match ask(outside, &order, &merchant).await? {
        Said::Unknown => Ok(None),
        Said::Absent | Said::Apart | Said::Ended => Ok(Some(known)),
        Said::Paid => Ok(Some(outside.db.read(move |tx| standing(tx, order)).await?)),
        Said::Closed(cause) => Ok(Some(advance(outside, order, Event::Closed(cause)).await?)),
        Said::NotPaid if known.state == OrderState::Paying => Ok(Some(known)),
        Said::NotPaid => back_to_paying(outside, known).await.map(Some),
    }
}

/// Who is paid by an order, at the institution that carries it.
async fn merchant_of(outside: &Outside<'_>, order: &Order) -> Result<SubMerchant, Error> {
    let (id, institution) = (order.sub_merchant_id, order.institution_id);
    outside.db.look(move |tx| merchants::enrolled(tx, id, institution)).await
}

/// An order that could be paid before its state became unknown can be paid by the same again.
async fn back_to_paying(outside: &Outside<'_>, known: Standing) -> Result<Standing, Error> {
    let id = known.order.id;
    match outside.db.look(move |tx| store::last_prepay(tx, id)).await? {
        Some(prepay) => advance(outside, known.order, Event::Paying(prepay)).await,
        None => Ok(known),
    }
}

/// Closes an order at the institution, then in our record, where the request's nonce is spent with it.
pub async fn close(outside: &Outside<'_>, known: Standing, nonce: Option<Nonce>) -> Result<Closed, Error> {
    close_because(outside, known, EventReason::ByMerchant, nonce).await
}

async fn close_because(
    outside: &Outside<'_>,
    known: Standing,
    why: EventReason,
    nonce: Option<Nonce>,
) -> Result<Closed, Error> {
    match known.state {
        OrderState::Paid => return Ok(Closed::Paid),
        OrderState::Closed => return Ok(Closed::Done),
        OrderState::Created | OrderState::Paying | OrderState::Unknown => {}
    }
    let merchant = merchant_of(outside, &known.order).await?;
    match outside.channel.close(&known.order.order_no, &merchant.inst_merchant_no).await {
        Answer::Known(Closing) => closed(outside, known.order, Cause::of(why), nonce).await,
        Answer::Busy => Ok(Closed::Busy),
        Answer::Refused { .. } => match ask(outside, &known.order, &merchant).await? {
            Said::Paid => {
                // The payment stands already; the request that found it counts once all the same.
                if let Some(nonce) = nonce {
                    let now = outside.clock.now();
                    outside.db.write(move |tx| nonce.spend(tx, now)).await?;
                }
                Ok(Closed::Paid)
            }
            Said::Absent => closed(outside, known.order, Cause::of(EventReason::Absent), nonce).await,
            Said::Closed(cause) => closed(outside, known.order, cause, nonce).await,
            Said::Apart => Ok(Closed::Apart),
            Said::Ended => closed(outside, known.order, Cause::of(EventReason::ApartEnded), nonce).await,
            Said::NotPaid | Said::Unknown => Ok(Closed::Unknown),
        },
        Answer::Unknown(why) => {
            advance_by(outside, known.order, Event::Unknown(why.into()), nonce).await?;
            Ok(Closed::Unknown)
        }
    }
}

async fn closed(
    outside: &Outside<'_>,
    order: Order,
    cause: Cause,
    nonce: Option<Nonce>,
) -> Result<Closed, Error> {
    let after = advance_by(outside, order, Event::Closed(cause), nonce).await?;
    Ok(if after.state == OrderState::Paid { Closed::Paid } else { Closed::Done })
}

/// Leaves `UNKNOWN` (or a `CREATED` that was never sent): asks, and goes on with what the institution says.
/// Whether the state is known now.
pub async fn resolve(outside: &Outside<'_>, order: Order) -> Result<bool, Error> {
    let merchant = merchant_of(outside, &order).await?;
    if expires_at(&order) > outside.clock.now() {
        let placed = resume(outside, order, &merchant).await?;
        return Ok(!matches!(placed, Placed::Unknown | Placed::Busy));
    }
    match ask(outside, &order, &merchant).await? {
        Said::Unknown | Said::Apart => Ok(false),
        Said::Paid => Ok(true),
        Said::Ended => closed(outside, order, Cause::of(EventReason::ApartEnded), None).await.map(|_| true),
        Said::Absent => closed(outside, order, Cause::of(EventReason::Expired), None).await.map(|_| true),
        Said::Closed(cause) => closed(outside, order, cause, None).await.map(|_| true),
        Said::NotPaid => {
            let known = outside.db.read(move |tx| standing(tx, order)).await?;
            let closed = close_because(outside, known, EventReason::Expired, None).await?;
            Ok(matches!(closed, Closed::Done | Closed::Paid))
        }
    }
}

/// Asks about an order that was to be paid and of which nobody told: whether it is paid or closed now. One whose time is
/// over is closed when it is not paid.
pub async fn follow_up(outside: &Outside<'_>, order: Order) -> Result<bool, Error> {
    let known = outside.db.read(move |tx| standing(tx, order)).await?;
    if known.is_settled() {
        return Ok(true);
    }
    if expires_at(&known.order) <= outside.clock.now() {
        return resolve(outside, known.order).await;
    }
    Ok(refresh(outside, known).await?.is_some_and(|after| after.is_settled()))
}

/// Until when an order may be paid, unix microseconds.
fn expires_at(order: &Order) -> i64 {
    order.time_expire.unwrap_or_else(|| order.created_at.saturating_add(DEFAULT_LIFE))
}
