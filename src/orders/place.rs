//! Placing an order: stored first, then sent, then its answer recorded; never two numbers for one request.
use super::flow::{Channel, Outside, Told, ask};
use super::{CHANNEL, Event, NATIVE, Order, Standing, record, standing, store};
use crate::channels::wechat::Answer;
use crate::clock;
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::merchants::SubMerchant;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::attach::{self, Declared};
use crate::protocol::wechat::shapes::{NativeRequest, RequestAmount, SettleInfo};

/// A merchant's request, its form already checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The tenant.
    pub platform_merchant_id: i64,
    /// The credential that signed it.
    pub credential_id: i64,
    /// Who is to be paid; belongs to the tenant and may trade.
    pub merchant: SubMerchant,
    /// First characters of our number, the institution's.
    pub order_prefix: String,
    /// The merchant's number.
    pub out_trade_no: String,
    /// Digest of the whole content, lower-case hex.
    pub content_sha256: String,
    /// In the files' text form.
    pub tags: String,
    /// In the files' text form.
    pub parties: String,
    /// In fen.
    pub amount: Fen,
    /// What the payer reads.
    pub description: String,
    /// The caller's own, without prefix.
    pub attach: String,
    /// Where the merchant wants to be told.
    pub notify_url: String,
    /// Until when it may be paid.
    pub time_expire: Option<Instant>,
}

/// What became of a request to place an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// To be shown to the payer.
    CodeUrl(String),
    /// It is paid already.
    Paid,
    /// It will not be paid any more; why.
    Closed(String),
    /// The institution asks to slow down; the same request later goes on.
    Busy,
    /// The institution's answer is not known; the same request later asks first.
    Unknown,
}

/// Places an order, or answers again what was answered before. The same number with other content is refused.
pub async fn place(outside: &Outside<'_>, request: Request) -> Result<Placed, Error> {
    let now = outside.clock.now();
    let merchant = request.merchant.clone();
    let (standing, fresh) = create_once(outside, request, now).await?;
    if fresh {
        return send(outside, standing.order, &merchant).await;
    }
    match standing.state {
        OrderState::Created | OrderState::Unknown => resume(outside, standing.order, &merchant).await,
        OrderState::Paying | OrderState::Paid | OrderState::Closed => Ok(placed(standing)),
    }
}

/// Goes on with an order whose answer is not known: asks first, and sends again only under the same number.
pub(super) async fn resume(
    outside: &Outside<'_>,
    order: Order,
    merchant: &SubMerchant,
) -> Result<Placed, Error> {
    match ask(outside, &order, merchant).await? {
        Told::Absent => send_again(outside, order, merchant).await,
        Told::NotPaid => {
            let id = order.id;
            match outside.db.read(move |tx| store::last_code_url(tx, id)).await? {
                Some(code_url) => Ok(placed(advance(outside, order, Event::Paying(code_url)).await?)),
                None => send_again(outside, order, merchant).await,
            }
        }
        Told::Paid => Ok(Placed::Paid),
        Told::Closed(reason) => Ok(placed(advance(outside, order, Event::Closed(reason)).await?)),
        Told::Unknown => {
            let why = Event::Unknown("the institution could not be asked".to_owned());
            Ok(placed(advance(outside, order, why).await?))
        }
    }
}

async fn create_once(outside: &Outside<'_>, request: Request, now: i64) -> Result<(Standing, bool), Error> {
    let again = request.clone();
    match outside.db.write(move |tx| create(tx, &request, now)).await {
        // Two copies of one request met: the other one's order is there now.
        Err(error) if error.is_duplicate() => outside.db.write(move |tx| create(tx, &again, now)).await,
        other => other,
    }
}

/// Stores the order, or finds the one of the same number and content. The flag says whether it is new.
pub fn create(tx: &mut Tx<'_>, request: &Request, now: i64) -> Result<(Standing, bool), Error> {
    if let Some(order) = store::by_out_trade_no(tx, request.platform_merchant_id, &request.out_trade_no)? {
        if order.content_sha256 != request.content_sha256 {
            return Err(Error::refused(Code::OutTradeNoUsed, "the number stands for another order"));
        }
        return Ok((standing(tx, order)?, false));
    }
    let order_no = order_no(&request.order_prefix, now);
    let order = store::insert(
        tx,
        &store::NewOrder {
            order_no: &order_no,
            platform_merchant_id: request.platform_merchant_id,
            out_trade_no: &request.out_trade_no,
            content_sha256: &request.content_sha256,
            sub_merchant_id: request.merchant.id,
            institution_id: request.merchant.institution_id,
            credential_id: request.credential_id,
            channel: CHANNEL,
            product: NATIVE,
            tags: &request.tags,
            parties: &request.parties,
            amount: request.amount.get(),
            description: &request.description,
            attach: &request.attach,
            notify_url: &request.notify_url,
            time_expire: request.time_expire.map(clock::micros),
            created_at: now,
        },
    )?;
    record(tx, order.id, now, &Event::Created)?;
    Ok((standing(tx, order)?, true))
}

/// The institution's prefix and a ULID: sorted by time, never used twice.
fn order_no(prefix: &str, now: i64) -> String {
    let millis = u64::try_from(now.div_euclid(1000)).unwrap_or_default();
    format!("{prefix}{}", ulid::Ulid::from_parts(millis, rand::random()))
}

async fn send(outside: &Outside<'_>, order: Order, merchant: &SubMerchant) -> Result<Placed, Error> {
    match attempt(outside, &order, merchant).await? {
        Sent::Known(event) => Ok(placed(advance(outside, order, event).await?)),
        Sent::Refused(reason) => Ok(placed(advance(outside, order, Event::Closed(reason)).await?)),
        Sent::Busy => busy(outside, order).await,
    }
}

/// Sends an order that may have arrived before: a refusal may then be about the number being taken, so the
/// institution is asked before anything is called closed.
async fn send_again(outside: &Outside<'_>, order: Order, merchant: &SubMerchant) -> Result<Placed, Error> {
    let reason = match attempt(outside, &order, merchant).await? {
        Sent::Known(event) => return Ok(placed(advance(outside, order, event).await?)),
        Sent::Busy => return busy(outside, order).await,
        Sent::Refused(reason) => reason,
    };
    let event = match ask(outside, &order, merchant).await? {
        Told::Paid => return Ok(Placed::Paid),
        Told::Absent => Event::Closed(reason),
        Told::Closed(reason) => Event::Closed(reason),
        Told::NotPaid | Told::Unknown => Event::Unknown(format!("sent again, refused: {reason}")),
    };
    Ok(placed(advance(outside, order, event).await?))
}

async fn busy(outside: &Outside<'_>, order: Order) -> Result<Placed, Error> {
    advance(outside, order, Event::Unknown("the institution asks to slow down".to_owned())).await?;
    Ok(Placed::Busy)
}

/// What came of sending an order once.
enum Sent {
    /// It is payable, or nobody knows.
    Known(Event),
    /// The institution will not take it; its words.
    Refused(String),
    /// The institution asks to slow down.
    Busy,
}

async fn attempt(outside: &Outside<'_>, order: &Order, merchant: &SubMerchant) -> Result<Sent, Error> {
    let request = native_request(outside.channel, order, merchant)?;
    Ok(match outside.channel.client.native(&request).await {
        Answer::Ok(answer) => Sent::Known(Event::Paying(answer.code_url)),
        // It refuses us, not the order: our key, number or rights there are to be put right, then the order goes on.
        Answer::Refused { status: 401 | 403, code, message } => {
            tracing::error!(code, message, "the institution does not let the platform place orders");
            Sent::Known(Event::Unknown(format!("{code}: {message}")))
        }
        Answer::Refused { code, message, .. } => Sent::Refused(format!("{code}: {message}")),
        Answer::Busy => Sent::Busy,
        Answer::Unknown(why) => Sent::Known(Event::Unknown(why.to_string())),
    })
}

/// The order in the institution's numbers, tags and parties before the caller's own attach (`files.md`).
fn native_request(channel: &Channel, order: &Order, merchant: &SubMerchant) -> Result<NativeRequest, Error> {
    let declared = Declared { tags: order.tag_list(), parties: order.party_map() };
    let attach = attach::join(&declared, &order.attach).map_err(Error::internal)?;
    Ok(NativeRequest {
        sp_appid: channel.profile.sp_appid.clone(),
        sp_mchid: channel.profile.sp_mchid.clone(),
        sub_appid: None,
        sub_mchid: merchant.inst_merchant_no.clone(),
        description: order.description.clone(),
        out_trade_no: order.order_no.clone(),
        notify_url: channel.notify_url.clone(),
        time_expire: order.time_expire.map(|at| clock::instant(at).to_cst()),
        attach: Some(attach),
        goods_tag: None,
        amount: RequestAmount { total: order.amount, currency: Some(CNY.to_owned()) },
        settle_info: Some(SettleInfo { profit_sharing: Some(true) }),
    })
}

/// Records what the institution answered, unless the order went on meanwhile; the standing afterwards.
pub(super) async fn advance(outside: &Outside<'_>, order: Order, event: Event) -> Result<Standing, Error> {
    let now = outside.clock.now();
    outside
        .db
        .write(move |tx| {
            store::lock(tx, order.id)?;
            let before = standing(tx, order)?;
            // The answer to one request may be overtaken by another's.
            if !event.state().is_some_and(|state| before.state.may_become(state)) {
                return Ok(before);
            }
            record(tx, before.order.id, now, &event)?;
            standing(tx, before.order)
        })
        .await
}

fn placed(standing: Standing) -> Placed {
    match standing.state {
        OrderState::Paying => Placed::CodeUrl(standing.detail),
        OrderState::Paid => Placed::Paid,
        OrderState::Closed => Placed::Closed(standing.detail),
        OrderState::Created | OrderState::Unknown => Placed::Unknown,
    }
}
