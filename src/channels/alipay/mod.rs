//! Alipay's `gateway.do`: the neutral asking and saying in its shapes (`channels.md` 2, `counter.md` "Out").
mod client;
mod statement;

use std::fs::File;

pub use self::client::{Client, Settings};
use self::statement::{of_notification, of_trade};
use super::http::Guarded;
use super::{
    Answer, Billed, Closing, Notice, NoticeFault, Payable, Placing, Queried, RawKind, RawMessage, Statement,
    Why,
};
use crate::clock::Clock;
use crate::error::Error;
use crate::institutions::{ChannelKeys, ChannelProfile, Institution};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::Product;
use crate::kernel::text;
use crate::protocol::alipay::answer::{AnswerKey, Head, Said, open_kept};
use crate::protocol::alipay::answers::{BillAt, Numbers, Precreated, Trade, TradeStatus};
use crate::protocol::alipay::calls::{AskBill, Named, Place, is_out_trade_no};
use crate::protocol::alipay::errors::{Code, SubCode};
use crate::protocol::alipay::fields::Carried;
use crate::protocol::alipay::notification;
use crate::protocol::alipay::request::Signer;
use crate::protocol::alipay::shapes::Payer;
use crate::protocol::alipay::{Method, passback};
use crate::protocol::wechat::attach::Declared;
use serde::{Deserialize, Serialize};

/// How we speak to an institution in this language, and by which keys we know it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Whose it is.
    pub institution: Institution,
    profile: ChannelProfile,
    /// Speaks to it.
    pub client: Client,
    clock: Clock,
    /// Verify its notifications.
    keys: Vec<AnswerKey>,
    /// Where it notifies us of payments.
    notify_url: String,
}

/// What a merchant's order carries to the channel, as it is kept with the order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Who is to pay.
    #[serde(default)]
    pub payer: Payer,
    /// What goes as it came.
    #[serde(default)]
    pub carried: Carried,
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
        let ChannelKeys { own, answer_keys, .. } = keys;
        let keys: Vec<AnswerKey> =
            answer_keys.into_iter().map(|one| AnswerKey { certificate: None, key: one.key }).collect();
        let signer = Signer { app_id: profile.sp_appid.clone(), key: own.private_key, certificates: None };
        let settings = Settings { base_url: profile.base_url.clone(), signer, keys: keys.clone() };
        let client = Client::new(http.clone(), clock.clone(), settings)?;
        let notify_url = format!("{public_url}/notify/{}/alipay", institution.code);
        Ok(Self { institution, profile, client, clock: clock.clone(), keys, notify_url })
    }

    pub(super) async fn place(&self, order: &Payable<'_>) -> Answer<Placing> {
        let (method, content) = match self.content(order) {
            Ok(made) => made,
            Err(why) => return Answer::Unknown(why),
        };
        let answer = if method == Method::Create {
            let said = self.client.call::<Numbers>(method, &self.notify_url, &content).await;
            said.map(|said| said.map(|numbers| numbers.trade_no))
        } else {
            let said = self.client.call::<Precreated>(method, &self.notify_url, &content).await;
            said.map(|said| said.map(|placed| Some(placed.qr_code)))
        };
        match answer {
            Ok(Said::Known(prepay)) => {
                let usable = prepay.filter(|text| (1..=1024).contains(&text.len()) && text::is_plain(text));
                usable.map_or(Answer::Unknown(Why::Shape), |text| Answer::Known(Placing::Payable(text)))
            }
            Ok(Said::Refused { code, head }) if is_about_us(code, &head) => {
                let (code, words) = told(head);
                Answer::Known(Placing::Barred { code, words })
            }
            other => not_known(other),
        }
    }

    /// The order in the institution's numbers, tags and parties as its passback_params (`files.md`).
    fn content(&self, order: &Payable<'_>) -> Result<(Method, String), Why> {
        let method = if *order.product == Product::NATIVE {
            Method::Precreate
        } else if *order.product == Product::JSAPI {
            Method::Create
        } else {
            return Err(Why::Unwritable(format!("product {}", order.product)));
        };
        let unwritable = |fault: &dyn std::fmt::Display| Why::Unwritable(fault.to_string());
        let declared = Declared { tags: order.tags.to_list(), parties: order.parties.to_map() };
        let passback_params = passback::written(&declared).map_err(|fault| unwritable(&fault))?;
        let kept = match order.carried {
            Some(carried) => serde_json::from_str(carried).map_err(|fault| unwritable(&fault))?,
            None => Kept::default(),
        };
        if !is_out_trade_no(order.order_no) {
            return Err(Why::Unwritable(format!("number {}", order.order_no)));
        }
        let place = Place {
            out_trade_no: order.order_no,
            total: order.amount,
            subject: order.description,
            expires_at: order.expires,
            inst_merchant_no: order.merchant_no,
            passback_params: &passback_params,
            payer: Some(&kept.payer),
            auth_code: None,
        };
        Ok((method, place.content(&kept.carried).map_err(|fault| unwritable(&fault))?))
    }

    pub(super) async fn query(&self, order_no: &str) -> Answer<Queried> {
        let content = match written(&Named { out_trade_no: order_no }) {
            Ok(content) => content,
            Err(why) => return Answer::Unknown(why),
        };
        match self.client.call_kept::<Trade>(Method::Query, "", &content).await {
            Ok((Said::Known(trade), body)) if trade.out_trade_no == order_no => self.queried(trade, body),
            Ok((Said::Known(_), _)) => Answer::Unknown(Why::Shape),
            Ok((Said::Refused { code: Some(SubCode::TradeNotExist), .. }, _)) => {
                Answer::Known(Queried::Absent)
            }
            other => not_known(other.map(|(said, _)| said)),
        }
    }

    fn queried(&self, trade: Trade, body: Vec<u8>) -> Answer<Queried> {
        match trade.trade_status {
            Some(TradeStatus::Success | TradeStatus::Finished) => match of_trade(trade) {
                Some(statement) => {
                    let raw = self.raw(RawKind::QueryAnswer, body);
                    Answer::Known(Queried::Paid(Box::new(Notice { statement, raw })))
                }
                None => Answer::Unknown(Why::Shape),
            },
            Some(TradeStatus::WaitBuyerPay) => Answer::Known(Queried::NotPaid),
            Some(TradeStatus::Closed) => Answer::Known(Queried::Closed("TRADE_CLOSED".to_owned())),
            None => Answer::Unknown(Why::Shape),
        }
    }

    /// An order that nobody has scanned is none there: what becomes of it then is asked, never cancelled, for a cancel
    /// gives back what was paid in the same moment.
    pub(super) async fn close(&self, order_no: &str) -> Answer<Closing> {
        let content = match written(&Named { out_trade_no: order_no }) {
            Ok(content) => content,
            Err(why) => return Answer::Unknown(why),
        };
        match self.client.call::<Numbers>(Method::Close, "", &content).await {
            Ok(Said::Known(_)) => Answer::Known(Closing),
            other => not_known(other),
        }
    }

    /// Fetches the 业务明细 of a day into a file.
    pub(super) async fn fetch_bill(&self, day: BusinessDay, file: File) -> Answer<Billed> {
        let content = match written(&AskBill::of(day)) {
            Ok(content) => content,
            Err(why) => return Answer::Unknown(why),
        };
        match self.client.call_kept::<BillAt>(Method::BillDownload, "", &content).await {
            Ok((Said::Known(bill), _)) => self.client.download(&bill.bill_download_url, file).await,
            Ok((Said::Refused { code: Some(SubCode::BillNotExist), .. }, body)) => {
                Answer::Known(Billed::Nothing(body))
            }
            other => not_known(other.map(|(said, _)| said)),
        }
    }

    /// Verifies and reads a notification as it arrived.
    pub(super) fn notice(&self, body: &[u8]) -> Result<Notice, NoticeFault> {
        let told = notification::open(&self.keys, body).map_err(|fault| match fault {
            notification::NotificationFault::Form(_) | notification::NotificationFault::Signature => {
                tracing::warn!(%fault, institution = self.institution.code, "a notification is not the institution's");
                NoticeFault::Forged("not signed by the institution now")
            }
            notification::NotificationFault::Parameter(_) => {
                NoticeFault::Unusable("a parameter is missing or malformed")
            }
        })?;
        if told.refund_fee.is_some() || !told.trade_status.is_paid() {
            return Err(NoticeFault::Unusable("the message does not tell of a payment"));
        }
        let statement = of_notification(told, &self.profile)
            .ok_or(NoticeFault::Unusable("the message is not about a paid order"))?;
        Ok(Notice { statement, raw: self.raw(RawKind::Notification, body.to_vec()) })
    }

    /// Its signature stands in the body.
    fn raw(&self, kind: RawKind, body: Vec<u8>) -> RawMessage {
        RawMessage { kind, received_at: self.clock.now(), headers: String::new(), body }
    }
}

/// What a message states that was kept as evidence.
pub(super) fn reopen(profile: &ChannelProfile, kind: RawKind, body: &[u8]) -> Option<Statement> {
    match kind {
        RawKind::Notification => of_notification(notification::read_kept(body).ok()?, profile),
        RawKind::QueryAnswer => of_trade(open_kept(Method::Query.as_str(), body)?),
    }
}

fn written(content: &impl Serialize) -> Result<String, Why> {
    serde_json::to_string(content).map_err(|fault| Why::Unwritable(fault.to_string()))
}

/// Whether a refusal is of us and not of the order: our key, application or rights there are to be put right.
fn is_about_us(code: Option<SubCode>, head: &Head) -> bool {
    let code = code.map(SubCode::code).or_else(|| Code::parse(&head.code));
    match code {
        Some(Code::Unauthorised | Code::Forbidden | Code::Missing | Code::Invalid) => true,
        Some(Code::Success | Code::WaitUser | Code::Unknown | Code::Failed | Code::Limited) | None => false,
    }
}

/// The code and sentence of a refusal, cleaned.
fn told(head: Head) -> (String, String) {
    let code = head.sub_code.unwrap_or(head.code);
    (text::cleaned(&code), text::cleaned(&head.sub_msg.unwrap_or(head.msg)))
}

/// What is left to say of an answer once what it states was taken.
fn not_known<T, U>(said: Result<Said<T>, Why>) -> Answer<U> {
    match said {
        Ok(Said::Known(_)) => Answer::Unknown(Why::Shape),
        // No call that is answered at once waits for a payer.
        Ok(Said::Waiting | Said::Unknown) => Answer::Unknown(Why::Server(200)),
        Ok(Said::Busy) => Answer::Busy,
        Ok(Said::Refused { head, .. }) => {
            let (code, message) = told(head);
            Answer::Refused { status: 400, code, message }
        }
        Err(why) => Answer::Unknown(why),
    }
}
