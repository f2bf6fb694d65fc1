//! The calls, and what each kind of answer means.
//!
//! Only an answer that the institution signed counts. Without one the outcome is unknown: a query finds out, or the
//! same call again with the same `order_no`; a new number is never made up here.
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fs::File;
use std::time::Duration;
use thiserror::Error;
use url::Url;

use crate::channels::http::{Guarded, Limits, Outgoing, Received};
use crate::channels::{Answer, Billed, Why};
use crate::clock::Clock;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::text;
use crate::protocol::json;
use crate::protocol::wechat::errors::{ErrorBody, WechatCode};
use crate::protocol::wechat::order::{OrderRequest, Prepaid};
use crate::protocol::wechat::shapes::{self, OrderOwner, OrderView, TradeBillAnswer};
use crate::protocol::wechat::sign::{AnswerKey, Authorization, SERIAL, Signer, Stamp};

/// Bounds of a bill download; its rows are limited again when it is read.
const BILL: Limits =
    Limits { connect: Duration::from_secs(3), total: Duration::from_secs(3600), body: 8 << 30 };

/// The longest thing that a wallet is called up with, in bytes.
const PREPAY: usize = 1024;

/// A signed answer that proves something: to be kept raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence<T> {
    /// What it says.
    pub value: T,
    /// Its signature headers.
    pub stamp: Stamp,
    /// Its raw body, as signed.
    pub body: Vec<u8>,
}

/// How to reach one institution.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://host[:port]`, without a path.
    pub base_url: String,
    /// The platform's merchant number at the institution, and its key.
    pub signer: Signer,
    /// The institution's keys; the first is the one we ask it to sign with.
    pub answer_keys: Vec<AnswerKey>,
}

/// Settings that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSettings {
    /// The base URL.
    #[error("channel base URL must be http(s)://host[:port] without a path")]
    BaseUrl,
    /// No key to verify answers with.
    #[error("the institution's answer key is missing")]
    AnswerKey,
}

/// Speaks to one institution. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: Guarded,
    clock: Clock,
    base: Url,
    signer: Signer,
    answer_keys: Vec<AnswerKey>,
}

impl Client {
    /// A client over the guarded HTTP client.
    pub fn new(http: Guarded, clock: Clock, settings: Settings) -> Result<Self, BadSettings> {
        let base = Url::parse(&settings.base_url).map_err(|_| BadSettings::BaseUrl)?;
        let plain = matches!(base.scheme(), "http" | "https")
            && base.path() == "/"
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !plain {
            return Err(BadSettings::BaseUrl);
        }
        if settings.answer_keys.is_empty() {
            return Err(BadSettings::AnswerKey);
        }
        let (signer, answer_keys) = (settings.signer, settings.answer_keys);
        Ok(Self { http, clock, base, signer, answer_keys })
    }

    /// Places an order, and gives what the payer's wallet is called up with. `request.out_trade_no` is our `order_no` and
    /// stays the same at every retry.
    pub async fn place(&self, prepaid: Prepaid, request: &OrderRequest) -> Answer<String> {
        let Ok(body) = serde_json::to_vec(request) else { return Answer::Unknown(Why::Shape) };
        let answer = self.call(Method::POST, &prepaid.path(), body).await;
        answer.and_then(|received| read::<Map<String, Value>>(&received)).and_then(|answer| {
            let prepay = answer.get(prepaid.answer_key()).and_then(Value::as_str);
            let usable = prepay.filter(|text| (1..=PREPAY).contains(&text.len()) && text::is_plain(text));
            usable.map_or(Answer::Unknown(Why::Shape), |text| Answer::Known(text.to_owned()))
        })
    }

    /// Asks for an order by our number. The answer is evidence of a payment.
    pub async fn query(&self, order_no: &str, owner: &OrderOwner) -> Answer<Evidence<OrderView>> {
        let target = shapes::order_path(order_no) + &owner.query();
        self.call(Method::GET, &target, Vec::new()).await.and_then(|received| {
            let stamp = match Stamp::read(|name| received.header(name)) {
                Ok(stamp) => stamp,
                Err(fault) => return Answer::Unknown(fault.into()),
            };
            read::<OrderView>(&received).and_then(|value| {
                if value.out_trade_no == order_no && value.sp_mchid == owner.sp_mchid {
                    Answer::Known(Evidence { value, stamp, body: received.body })
                } else {
                    Answer::Unknown(Why::Shape)
                }
            })
        })
    }

    /// Closes an order that is not paid.
    pub async fn close(&self, order_no: &str, owner: &OrderOwner) -> Answer<()> {
        let Ok(body) = serde_json::to_vec(owner) else { return Answer::Unknown(Why::Shape) };
        let target = shapes::order_path(order_no) + "/close";
        self.call(Method::POST, &target, body).await.and_then(|_| Answer::Known(()))
    }

    /// Fetches the trade bill (ALL) of a day into a file; its bytes are those whose hash was signed. What is in the file
    /// otherwise counts for nothing.
    pub async fn trade_bill(&self, day: BusinessDay, file: File) -> Answer<Billed> {
        let target = format!("{}?bill_date={}&bill_type=ALL", shapes::TRADE_BILL_PATH, day.date());
        let answer = self.believed(Method::GET, &target, Vec::new()).await;
        if let Answer::Known(received) = &answer
            && has_no_statement(received)
        {
            return said(received);
        }
        let described = answer.and_then(done_or_refused);
        match described.and_then(|received| read::<TradeBillAnswer>(&received)) {
            Answer::Known(bill) => self.download(&bill, file).await,
            Answer::Refused { status, code, message } => Answer::Refused { status, code, message },
            Answer::Busy => Answer::Busy,
            Answer::Unknown(why) => Answer::Unknown(why),
        }
    }

    async fn download(&self, bill: &TradeBillAnswer, file: File) -> Answer<Billed> {
        let url = match Url::parse(&bill.download_url) {
            // The answer that names the URL is signed; it must not lead from https to http all the same.
            Ok(url) if url.scheme() == self.base.scheme() => url,
            Ok(_) | Err(_) => return Answer::Unknown(Why::Shape),
        };
        let request = match self.outgoing(Method::GET, url, Vec::new()) {
            Ok(request) => request,
            Err(why) => return Answer::Unknown(why),
        };
        let received = match self.http.download(request, BILL, file).await {
            Ok(received) => received,
            Err(fault) => return Answer::Unknown(fault.into()),
        };
        match received.status {
            200 => {}
            429 => return Answer::Busy,
            status => return Answer::Unknown(Why::Server(status)),
        }
        let sha1 = bill.hash_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("SHA1"));
        match &bill.hash_value {
            Some(hash) if sha1 && !hash.eq_ignore_ascii_case(&received.sha1) => {
                Answer::Unknown(Why::BillHash)
            }
            Some(_) if !sha1 => Answer::Unknown(Why::Shape),
            Some(_) | None => Answer::Known(Billed::Bill(received)),
        }
    }

    /// One signed call whose answer must be signed; `Ok` is a believed 2xx.
    async fn call(&self, method: Method, target: &str, body: Vec<u8>) -> Answer<Received> {
        self.believed(method, target, body).await.and_then(done_or_refused)
    }

    /// One signed call; an answer of 2xx or 4xx that is signed.
    async fn believed(&self, method: Method, target: &str, body: Vec<u8>) -> Answer<Received> {
        let Ok(url) = self.base.join(target) else { return Answer::Unknown(Why::Shape) };
        let received = match self.signed(method, url, body).await {
            Ok(received) => received,
            Err(why) => return Answer::Unknown(why),
        };
        match received.status {
            429 => return Answer::Busy,
            200..=299 | 400..=499 => {}
            status => return Answer::Unknown(Why::Server(status)),
        }
        match self.believe(&received) {
            Ok(()) => Answer::Known(received),
            Err(why) => Answer::Unknown(why),
        }
    }

    /// Sends a signed request once.
    async fn signed(&self, method: Method, url: Url, body: Vec<u8>) -> Result<Received, Why> {
        Ok(self.http.send(self.outgoing(method, url, body)?).await?)
    }

    /// Signs a request over exactly the bytes that go out.
    fn outgoing(&self, method: Method, url: Url, body: Vec<u8>) -> Result<Outgoing, Why> {
        let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let now = self.clock.instant();
        let authorization = Authorization::sign(&self.signer, now, method.as_str(), &target, &body)?;
        let mut headers = vec![
            ("Authorization", authorization.to_string()),
            ("Accept", "application/json".to_owned()),
            ("Content-Type", "application/json; charset=utf-8".to_owned()),
        ];
        if let Some(first) = self.answer_keys.first() {
            headers.push((SERIAL, first.serial.clone()));
        }
        Ok(Outgoing { method, url, headers, body })
    }

    fn believe(&self, received: &Received) -> Result<(), Why> {
        let stamp = Stamp::read(|name| received.header(name))?;
        Ok(stamp.check(&self.answer_keys, self.clock.instant(), &received.body)?)
    }
}

fn done_or_refused(received: Received) -> Answer<Received> {
    if received.status < 300 { Answer::Known(received) } else { refused(&received) }
}

/// Whether it says for certain that the day has no bill.
fn has_no_statement(received: &Received) -> bool {
    let says = |body: ErrorBody| body.code == WechatCode::NoStatementExist.as_str();
    received.status >= 300 && json::from_slice(&received.body).is_ok_and(says)
}

/// A signed statement that there is none, as it is kept: the signature's headers, an empty line, the body.
fn said(received: &Received) -> Answer<Billed> {
    let stamp = match Stamp::read(|name| received.header(name)) {
        Ok(stamp) => stamp,
        Err(fault) => return Answer::Unknown(fault.into()),
    };
    let mut said: Vec<u8> = Vec::new();
    for (name, value) in stamp.headers() {
        said.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    said.push(b'\n');
    said.extend_from_slice(&received.body);
    Answer::Known(Billed::Nothing(said))
}

fn read<T: DeserializeOwned + Serialize>(received: &Received) -> Answer<T> {
    json::from_slice(&received.body).map_or(Answer::Unknown(Why::Shape), Answer::Known)
}

fn refused(received: &Received) -> Answer<Received> {
    match json::from_slice::<ErrorBody>(&received.body) {
        Ok(body) => Answer::Refused {
            status: received.status,
            code: text::cleaned(&body.code),
            message: text::cleaned(&body.message),
        },
        Err(_) => Answer::Unknown(Why::Shape),
    }
}
