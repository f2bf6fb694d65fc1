//! WeChat Pay APIv3, partner mode: the neutral asking and saying in its shapes (`channels.md` 1).
mod client;
mod statement;

pub use client::{BadSettings, Client, Evidence, Settings};

use std::io::BufRead;

use self::statement::statement;
use super::http::Guarded;
use super::{
    Answer, Closing, Notice, NoticeFault, Payable, Placing, Queried, RawKind, RawMessage, ReadBill,
    Statement, Why,
};
use crate::clock::Clock;
use crate::error::Error;
use crate::institutions::{ChannelKeys, ChannelProfile, Institution};
use crate::kernel::calendar::Instant;
use crate::kernel::text;
use crate::protocol::json;
use crate::protocol::wechat::CNY;
use crate::protocol::wechat::attach::{self, Declared};
use crate::protocol::wechat::bill::{Reader, may_begin, unpacked};
use crate::protocol::wechat::carried::Carried;
use crate::protocol::wechat::errors::WechatCode;
use crate::protocol::wechat::notification::{self, ApiV3Key, Envelope, TRANSACTION_SUCCESS};
use crate::protocol::wechat::order::{OrderRequest, Prepaid, RequestAmount, SettleInfo};
use crate::protocol::wechat::shapes::{OrderOwner, OrderView, TradeState};
use crate::protocol::wechat::sign::{AnswerKey, Signer, Stamp};

/// How we speak to an institution in this language, and by which keys we know it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Whose it is.
    pub institution: Institution,
    profile: ChannelProfile,
    /// Speaks to it.
    pub client: Client,
    clock: Clock,
    /// Verifies its notifications.
    answer_keys: Vec<AnswerKey>,
    /// Open its notifications, the newest first.
    apiv3_keys: Vec<ApiV3Key>,
    /// Where it notifies us of payments.
    notify_url: String,
}

impl Channel {
    /// The channel of an institution that reaches us at `public_url`.
    pub fn open(
        institution: Institution,
        profile: ChannelProfile,
        keys: ChannelKeys,
        http: &Guarded,
        clock: &Clock,
        public_url: &str,
    ) -> Result<Self, Error> {
        let ChannelKeys { own, apiv3_keys, answer_keys, .. } = keys;
        let signer = Signer { mchid: profile.sp_mchid.clone(), serial: own.serial, key: own.private_key };
        let base_url = profile.base_url.clone();
        let settings = Settings { base_url, signer, answer_keys: answer_keys.clone() };
        let client = Client::new(http.clone(), clock.clone(), settings).map_err(Error::internal)?;
        let notify_url = format!("{public_url}/notify/{}/wechat", institution.code);
        let clock = clock.clone();
        Ok(Self { institution, profile, client, clock, answer_keys, apiv3_keys, notify_url })
    }

    pub(super) async fn place(&self, order: &Payable<'_>) -> Answer<Placing> {
        let (prepaid, request) = match self.request(order) {
            Ok(made) => made,
            Err(why) => return Answer::Unknown(why),
        };
        match self.client.place(prepaid, &request).await {
            Answer::Known(prepay) => Answer::Known(Placing::Payable(prepay)),
            Answer::Refused { status: 401 | 403, code, message } => {
                Answer::Known(Placing::Barred { code, words: message })
            }
            Answer::Refused { status, code, message } => Answer::Refused { status, code, message },
            Answer::Busy => Answer::Busy,
            Answer::Unknown(why) => Answer::Unknown(why),
        }
    }

    /// The order in the institution's numbers, tags and parties as its attach (`files.md`).
    fn request(&self, order: &Payable<'_>) -> Result<(Prepaid, OrderRequest), Why> {
        let prepaid = Prepaid::of(order.product.as_str());
        let prepaid = prepaid.ok_or_else(|| Why::Unwritable(format!("product {}", order.product)))?;
        let declared = Declared { tags: order.tags.to_list(), parties: order.parties.to_map() };
        let attach = attach::join(&declared, "").map_err(|fault| Why::Unwritable(fault.to_string()))?;
        let carried = match order.carried {
            Some(carried) => {
                serde_json::from_str(carried).map_err(|fault| Why::Unwritable(fault.to_string()))?
            }
            None => Carried::default(),
        };
        let request = OrderRequest {
            sp_appid: self.profile.sp_appid.clone(),
            sp_mchid: self.profile.sp_mchid.clone(),
            sub_appid: carried.sub_appid,
            sub_mchid: order.merchant_no.to_owned(),
            description: order.description.to_owned(),
            out_trade_no: order.order_no.to_owned(),
            notify_url: self.notify_url.clone(),
            time_expire: order.expires.map(Instant::to_cst),
            attach: Some(attach),
            goods_tag: carried.goods_tag,
            amount: RequestAmount { total: order.amount, currency: Some(CNY.to_owned()) },
            settle_info: Some(SettleInfo { profit_sharing: Some(true), subsidy_amount: None }),
            support_fapiao: carried.support_fapiao,
            limit_pay: carried.limit_pay,
            scene_info: carried.scene_info,
            payer: carried.payer,
            detail: carried.detail,
        };
        Ok((prepaid, request))
    }

    pub(super) async fn query(&self, order_no: &str, merchant_no: &str) -> Answer<Queried> {
        match self.client.query(order_no, &self.owner(merchant_no)).await {
            Answer::Refused { code, .. } if code == WechatCode::OrderNotExist.as_str() => {
                Answer::Known(Queried::Absent)
            }
            Answer::Known(seen) => self.queried(seen),
            Answer::Refused { status, code, message } => Answer::Refused { status, code, message },
            Answer::Busy => Answer::Busy,
            Answer::Unknown(why) => Answer::Unknown(why),
        }
    }

    fn queried(&self, seen: Evidence<OrderView>) -> Answer<Queried> {
        match seen.value.trade_state {
            TradeState::Success | TradeState::Refund => {
                let raw = RawMessage {
                    kind: RawKind::QueryAnswer,
                    received_at: self.clock.now(),
                    headers: seen.stamp.to_text(),
                    body: seen.body,
                };
                match statement(seen.value, &self.profile) {
                    Some(statement) => Answer::Known(Queried::Paid(Box::new(Notice { statement, raw }))),
                    None => Answer::Unknown(Why::Shape),
                }
            }
            TradeState::NotPay | TradeState::UserPaying | TradeState::Accept => {
                Answer::Known(Queried::NotPaid)
            }
            TradeState::Closed | TradeState::Revoked | TradeState::PayError => {
                Answer::Known(Queried::Closed(text::cleaned(&seen.value.trade_state_desc)))
            }
        }
    }

    pub(super) async fn close(&self, order_no: &str, merchant_no: &str) -> Answer<Closing> {
        let answer = self.client.close(order_no, &self.owner(merchant_no)).await;
        answer.and_then(|()| Answer::Known(Closing))
    }

    /// The owner of an order, in the institution's numbers.
    fn owner(&self, merchant_no: &str) -> OrderOwner {
        let sp_mchid = self.profile.sp_mchid.clone();
        OrderOwner { sp_mchid, sub_mchid: merchant_no.to_owned() }
    }

    /// Checking a signature and opening a message take some 30 microseconds, less than it takes to hand them to another
    /// thread.
    pub(super) fn notice<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
    ) -> Result<Notice, NoticeFault> {
        let stamp = Stamp::read(header)
            .map_err(|_| NoticeFault::Forged("signature headers are missing or malformed"))?;
        stamp.check(&self.answer_keys, self.clock.instant(), body).map_err(|fault| {
            tracing::warn!(%fault, institution = self.institution.code, "a notification is not the institution's");
            NoticeFault::Forged("not signed by the institution now")
        })?;
        let (envelope, plain) = opened(&self.apiv3_keys, body)
            .ok_or(NoticeFault::Unusable("the message does not open with the APIv3 key"))?;
        if envelope.event_type != TRANSACTION_SUCCESS {
            return Err(NoticeFault::Unusable("event_type is not TRANSACTION.SUCCESS"));
        }
        let statement = self.paid(&plain).ok_or(NoticeFault::Unusable("the resource is not a paid order"))?;
        let raw = RawMessage {
            kind: RawKind::Notification,
            received_at: self.clock.now(),
            headers: stamp.to_text(),
            body: body.to_vec(),
        };
        Ok(Notice { statement, raw })
    }

    /// What the resource of a notification states.
    fn paid(&self, plain: &[u8]) -> Option<Statement> {
        let view: OrderView = json::from_slice(plain).ok()?;
        if view.sp_mchid != self.profile.sp_mchid || view.trade_state != TradeState::Success {
            return None;
        }
        statement(view, &self.profile)
    }
}

/// What a message states that was kept as evidence.
pub(super) fn reopen(
    profile: &ChannelProfile,
    keys: &[ApiV3Key],
    kind: RawKind,
    body: &[u8],
) -> Option<Statement> {
    let view = match kind {
        RawKind::Notification => json::from_slice(&opened(keys, body)?.1),
        RawKind::QueryAnswer => json::from_slice(body),
    };
    statement(view.ok()?, profile)
}

/// The message, by whichever of these keys opens it.
fn opened(keys: &[ApiV3Key], body: &[u8]) -> Option<(Envelope, Vec<u8>)> {
    keys.iter().find_map(|key| notification::open(key, body).ok())
}

/// Whether these can be the first bytes of a trade bill.
pub(super) fn may_be_bill(begins: &[u8]) -> bool {
    may_begin(begins)
}
/// Reads a trade bill of type ALL.
pub(super) fn read_bill<'a>(
    source: impl BufRead + 'a,
    merchant: &'a dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn ReadBill + 'a>, String> {
    let text = unpacked(source).map_err(|error| error.to_string())?;
    match Reader::new(text, merchant) {
        Ok(reader) => Ok(Box::new(reader)),
        Err(fault) => Err(fault.to_string()),
    }
}
