//! Placing an order: stored first, then sent, then its answer recorded; never two numbers for one request.
use super::event::{Cause, EventReason};
use super::flow::{Outside, Said, ask};
use super::{Event, Order, Standing, at_once_store, record, standing, store};
use crate::channels::{Answer, Payable, Placing};
use crate::clock;
use crate::db::columns::{CredentialId, OrderId, TenantId};
use crate::db::{Backend, Tx};
use crate::error::{Code, Error};
use crate::kernel::calendar::Instant;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::merchants::SubMerchant;
use crate::merchants::nonces::Nonce;
use crate::protocol::language::Language;

/// A merchant's request, its form already checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The tenant.
    pub platform_merchant_id: TenantId,
    /// The credential that signed it.
    pub credential_id: CredentialId,
    /// Who is to be paid; belongs to the tenant and may trade.
    pub merchant: SubMerchant,
    /// First characters of our number, the institution's.
    pub order_prefix: String,
    /// Whose wallet is to pay.
    pub channel: ChannelName,
    /// How.
    pub product: Product,
    /// In which language it was asked for.
    pub language: Language,
    /// The merchant's number.
    pub out_trade_no: String,
    /// Digest of the whole content.
    pub content_sha256: Digest,
    /// Declared with it.
    pub tags: Tags,
    /// Declared with it.
    pub parties: Parties,
    /// In fen.
    pub amount: Fen,
    /// What the payer reads.
    pub description: String,
    /// The caller's own; it stays with us.
    pub attach: String,
    /// What goes to the channel as it came ([`Payable::carried`]).
    pub carried: Option<String>,
    /// Where the merchant wants to be told; empty where nowhere.
    pub notify_url: String,
    /// Until when it may be paid.
    pub time_expire: Option<Instant>,
}

/// What became of a request to place an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The payer's wallet is called up with this.
    Payable(String),
    /// It is paid already.
    Paid,
    /// It will not be paid any more; why.
    Closed(Cause),
    /// The institution asks to slow down; the same request later goes on.
    Busy,
    /// The institution's answer is not known; the same request later asks first.
    Unknown,
}

/// Places an order, or answers again what was answered before. The same number with other content is refused, and so is
/// a request whose nonce was spent: it is spent in the transaction that stores the order.
pub async fn place(outside: &Outside<'_>, request: Request, nonce: Nonce) -> Result<Placed, Error> {
    let now = outside.clock.now();
    let merchant = request.merchant.clone();
    if let Some(order) = create_at_once(outside, &request, &nonce, now).await? {
        return send(outside, order, &merchant).await;
    }
    let create = move |tx: &mut Tx<'_>| {
        nonce.spend(tx, now)?;
        create(tx, &request, now)
    };
    let (standing, fresh) = outside.db.write(create).await?;
    if fresh {
        return send(outside, standing.order, &merchant).await;
    }
    match standing.state {
        OrderState::Created | OrderState::Unknown => resume(outside, standing.order, &merchant).await,
        OrderState::Paying | OrderState::Paid | OrderState::Closed => Ok(placed(standing)),
    }
}

/// On PostgreSQL a new order is stored by one statement. `None` where that is not known to be right: on SQLite, and when
/// the number or the nonce stands already; nothing is stored then.
async fn create_at_once(
    outside: &Outside<'_>,
    request: &Request,
    nonce: &Nonce,
    now: i64,
) -> Result<Option<Order>, Error> {
    if matches!(outside.db.backend(), Backend::Sqlite(_)) {
        return Ok(None);
    }
    let (request, nonce) = (request.clone(), nonce.clone());
    let create = move |tx: &mut Tx<'_>| {
        let order_no = order_no(&request.order_prefix, now);
        let id = at_once_store::insert(tx, row(&request, &order_no, now), &nonce)?;
        Ok(stored(id, order_no, request, now))
    };
    match outside.db.write_at_once(create).await {
        Err(error) if error.is_duplicate() => Ok(None),
        done => done.map(Some),
    }
}

/// Goes on with an order whose answer is not known: asks first, and sends again only under the same number.
pub(super) async fn resume(
    outside: &Outside<'_>,
    order: Order,
    merchant: &SubMerchant,
) -> Result<Placed, Error> {
    match ask(outside, &order, merchant).await? {
        Said::Absent => send_again(outside, order, merchant).await,
        Said::NotPaid => {
            let id = order.id;
            match outside.db.look(move |tx| store::last_prepay(tx, id)).await? {
                Some(prepay) => Ok(placed(advance(outside, order, Event::Paying(prepay)).await?)),
                None => send_again(outside, order, merchant).await,
            }
        }
        Said::Paid => Ok(Placed::Paid),
        Said::Apart | Said::Ended => Ok(Placed::Unknown),
        Said::Closed(cause) => Ok(placed(advance(outside, order, Event::Closed(cause)).await?)),
        Said::Unknown => {
            let why = Event::Unknown(Cause::of(EventReason::NotAsked));
            Ok(placed(advance(outside, order, why).await?))
        }
    }
}

/// Stores the order, or finds the one of the same number and content. The flag says whether it is new.
pub fn create(tx: &mut Tx<'_>, request: &Request, now: i64) -> Result<(Standing, bool), Error> {
    let order_no = order_no(&request.order_prefix, now);
    if let Some(id) = store::insert(tx, row(request, &order_no, now))? {
        record(tx, id, now, &Event::Created)?;
        let order = stored(id, order_no, request.clone(), now);
        let (state, event) = (OrderState::Created, Some(Event::Created));
        return Ok((Standing { order, state, event, payment: None }, true));
    }
    // The number stands already; a copy of the request that came at the same moment has been waited for.
    let order = store::by_out_trade_no(tx, request.platform_merchant_id, &request.out_trade_no)?;
    let order = order.ok_or_else(|| Error::Internal(format!("the number {order_no} stands already")))?;
    let same = order.product == request.product && order.language == request.language;
    if !same || order.content_sha256 != request.content_sha256 {
        return Err(Error::refused(Code::OutTradeNoUsed, "the number stands for another order"));
    }
    Ok((standing(tx, order)?, false))
}

/// The row that a request becomes.
fn row<'a>(request: &'a Request, order_no: &'a str, now: i64) -> store::NewOrder<'a> {
    store::NewOrder {
        order_no,
        platform_merchant_id: request.platform_merchant_id,
        out_trade_no: &request.out_trade_no,
        content_sha256: request.content_sha256,
        sub_merchant_id: request.merchant.id,
        institution_id: request.merchant.institution_id,
        credential_id: request.credential_id,
        channel: request.channel,
        product: request.product.as_str(),
        language: request.language.as_str(),
        tags: request.tags.as_str(),
        parties: request.parties.as_str(),
        amount: request.amount,
        description: &request.description,
        attach: &request.attach,
        carried: request.carried.as_deref(),
        notify_url: &request.notify_url,
        time_expire: request.time_expire.map(clock::micros),
        created_at: now,
    }
}

/// The same once it is stored.
fn stored(id: OrderId, order_no: String, request: Request, now: i64) -> Order {
    Order {
        id,
        order_no,
        platform_merchant_id: request.platform_merchant_id,
        out_trade_no: request.out_trade_no,
        content_sha256: request.content_sha256,
        sub_merchant_id: request.merchant.id,
        institution_id: request.merchant.institution_id,
        credential_id: request.credential_id,
        channel: request.channel,
        product: request.product,
        language: request.language,
        tags: request.tags,
        parties: request.parties,
        amount: request.amount,
        description: request.description,
        attach: request.attach,
        carried: request.carried,
        notify_url: request.notify_url,
        time_expire: request.time_expire.map(clock::micros),
        created_at: now,
    }
}

/// The institution's prefix and a ULID: sorted by time, never used twice.
fn order_no(prefix: &str, now: i64) -> String {
    let millis = u64::try_from(now.div_euclid(1000)).unwrap_or_default();
    format!("{prefix}{}", ulid::Ulid::from_parts(millis, rand::random()))
}

async fn send(outside: &Outside<'_>, order: Order, merchant: &SubMerchant) -> Result<Placed, Error> {
    match attempt(outside, &order, merchant).await {
        Sent::Known(event) => Ok(placed(advance(outside, order, event).await?)),
        Sent::Refused(cause) => Ok(placed(advance(outside, order, Event::Closed(cause)).await?)),
        Sent::Busy => busy(outside, order).await,
    }
}

/// Sends an order that may have arrived before: a refusal may then be about the number being taken, so the
/// institution is asked before anything is called closed.
async fn send_again(outside: &Outside<'_>, order: Order, merchant: &SubMerchant) -> Result<Placed, Error> {
    let refused = match attempt(outside, &order, merchant).await {
        Sent::Known(event) => return Ok(placed(advance(outside, order, event).await?)),
        Sent::Busy => return busy(outside, order).await,
        Sent::Refused(cause) => cause,
    };
    let event = match ask(outside, &order, merchant).await? {
        Said::Paid => return Ok(Placed::Paid),
        Said::Absent => Event::Closed(refused),
        Said::Closed(cause) => Event::Closed(cause),
        Said::NotPaid | Said::Unknown | Said::Apart | Said::Ended => {
            Event::Unknown(Cause { reason: EventReason::SentAgainRefused, ..refused })
        }
    };
    Ok(placed(advance(outside, order, event).await?))
}

async fn busy(outside: &Outside<'_>, order: Order) -> Result<Placed, Error> {
    advance(outside, order, Event::Unknown(Cause::of(EventReason::Busy))).await?;
    Ok(Placed::Busy)
}

/// What came of sending an order once.
enum Sent {
    /// It is payable, or nobody knows.
    Known(Event),
    /// The institution will not take it.
    Refused(Cause),
    /// The institution asks to slow down.
    Busy,
}

async fn attempt(outside: &Outside<'_>, order: &Order, merchant: &SubMerchant) -> Sent {
    let payable = Payable {
        order_no: &order.order_no,
        merchant_no: &merchant.inst_merchant_no,
        product: &order.product,
        amount: order.amount,
        description: &order.description,
        tags: &order.tags,
        parties: &order.parties,
        carried: order.carried.as_deref(),
        expires: order.time_expire.map(clock::instant),
    };
    match outside.channel.place(&payable).await {
        Answer::Known(Placing::Payable(prepay)) => Sent::Known(Event::Paying(prepay)),
        Answer::Known(Placing::Barred { code, words }) => {
            tracing::error!(code, words, "the institution does not let the platform place orders");
            Sent::Known(Event::Unknown(Cause::told(EventReason::Barred, code, words)))
        }
        Answer::Refused { code, message, .. } => {
            Sent::Refused(Cause::told(EventReason::Refused, code, message))
        }
        Answer::Busy => Sent::Busy,
        Answer::Unknown(why) => {
            tracing::warn!(order_no = order.order_no, %why, "an order was sent, its answer is not known");
            Sent::Known(Event::Unknown(why.into()))
        }
    }
}

/// Records what the institution answered, unless the order went on meanwhile; the standing afterwards.
pub(super) async fn advance(outside: &Outside<'_>, order: Order, event: Event) -> Result<Standing, Error> {
    advance_by(outside, order, event, None).await
}

/// [`advance`] by a request whose nonce is spent with it.
pub(super) async fn advance_by(
    outside: &Outside<'_>,
    order: Order,
    event: Event,
    nonce: Option<Nonce>,
) -> Result<Standing, Error> {
    let now = outside.clock.now();
    let advance = move |tx: &mut Tx<'_>| {
        if let Some(nonce) = nonce {
            nonce.spend(tx, now)?;
        }
        store::lock(tx, order.id)?;
        if let Some(state) = event.state()
            && at_once_store::add_first(tx, order.id, now, &event)?
        {
            return Ok(Standing { order, state, event: Some(event), payment: None });
        }
        let before = standing(tx, order)?;
        // The answer to one request may be overtaken by another's.
        match event.state() {
            Some(state) if before.state.may_become(state) => {
                record(tx, before.order.id, now, &event)?;
                Ok(Standing { state, event: Some(event), ..before })
            }
            Some(_) | None => Ok(before),
        }
    };
    outside.db.write(advance).await
}

fn placed(standing: Standing) -> Placed {
    match (standing.state, standing.event) {
        (_, Some(Event::Paying(prepay))) => Placed::Payable(prepay),
        (_, Some(Event::Closed(cause))) => Placed::Closed(cause),
        (OrderState::Paid, _) => Placed::Paid,
        (OrderState::Created | OrderState::Unknown | OrderState::Paying | OrderState::Closed, _) => {
            Placed::Unknown
        }
    }
}
