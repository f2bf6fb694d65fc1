//! One signed call at a time; only an answer that the institution signed counts. A new number is never made up here.
use std::fs::File;
use std::time::Duration;

use reqwest::Method as Http;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::channels::http::{Guarded, Limits, Outgoing};
use crate::channels::{Answer, Billed, Why};
use crate::clock::Clock;
use crate::error::Error;
use crate::protocol::alipay::Method;
use crate::protocol::alipay::answer::{AnswerKey, Said, open};
use crate::protocol::alipay::request::{self, Signer};

/// Where calls go.
const GATEWAY: &str = "/gateway.do";
/// Bounds of a bill download; what it unpacks to is limited again when it is read.
const BILL: Limits =
    Limits { connect: Duration::from_secs(3), total: Duration::from_secs(3600), body: 512 << 20 };

/// How to reach one institution.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://host[:port]`, without a path.
    pub base_url: String,
    /// Our application there, and its key.
    pub signer: Signer,
    /// The institution's keys.
    pub keys: Vec<AnswerKey>,
}

/// Speaks to one institution. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: Guarded,
    clock: Clock,
    gateway: Url,
    signer: Signer,
    keys: Vec<AnswerKey>,
}

impl Client {
    /// A client over the guarded HTTP client.
    pub fn new(http: Guarded, clock: Clock, settings: Settings) -> Result<Self, Error> {
        let Settings { base_url, signer, keys } = settings;
        let gateway = Url::parse(&format!("{base_url}{GATEWAY}")).map_err(Error::internal)?;
        Ok(Self { http, clock, gateway, signer, keys })
    }

    /// Calls, and gives what the answer says. An empty `notify_url` is none.
    pub async fn call<T: DeserializeOwned + Serialize>(
        &self,
        method: Method,
        notify_url: &str,
        content: &str,
    ) -> Result<Said<T>, Why> {
        Ok(self.call_kept(method, notify_url, content).await?.0)
    }

    /// [`Client::call`], with the body as it came: it holds its signature, and is evidence of what it says.
    pub async fn call_kept<T: DeserializeOwned + Serialize>(
        &self,
        method: Method,
        notify_url: &str,
        content: &str,
    ) -> Result<(Said<T>, Vec<u8>), Why> {
        let now = self.clock.instant();
        let signed = request::sign(&self.signer, now, method.as_str(), notify_url, content)?;
        let mut url = self.gateway.clone();
        url.set_query(Some(&signed.query));
        let headers = vec![("Content-Type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let outgoing = Outgoing { method: Http::POST, url, headers, body: signed.body.into_bytes() };
        let received = self.http.send(outgoing).await?;
        match received.status {
            200 => {}
            status => return Err(Why::Server(status)),
        }
        let said = open::<T>(&self.keys, method.as_str(), &received.body)?;
        Ok((said, received.body))
    }

    /// Fetches a bill from the address that a signed answer named; it must not lead from https to http all the same.
    pub async fn download(&self, address: &str, file: File) -> Answer<Billed> {
        let url = match Url::parse(address) {
            Ok(url) if url.scheme() == self.gateway.scheme() => url,
            Ok(_) | Err(_) => return Answer::Unknown(Why::Shape),
        };
        let request = Outgoing { method: Http::GET, url, headers: Vec::new(), body: Vec::new() };
        match self.http.download(request, BILL, file).await {
            Ok(received) if received.status == 200 => Answer::Known(Billed::Bill(received)),
            Ok(received) => Answer::Unknown(Why::Server(received.status)),
            Err(fault) => Answer::Unknown(fault.into()),
        }
    }
}
