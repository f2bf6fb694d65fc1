//! The one HTTP client for everything that goes out: no redirects, no proxy, bounded in time and size, and
//! checked at connect time against addresses that are not public ([`super::address`]).
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use url::Host;

use super::address;
use crate::kernel::digest::{Digest, Hasher};
use crate::protocol::crypto::Sha1;

/// `User-Agent` of every request.
const USER_AGENT: &str = concat!("Mingfen/", env!("CARGO_PKG_VERSION"));

/// Bounds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the first byte sent to the last byte received.
    pub total: Duration,
    /// The longest body read, in bytes.
    pub body: usize,
}

impl Default for Limits {
    /// Three seconds to connect, ten in all, one mebibyte.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10), body: 1 << 20 }
    }
}

/// Why there is no answer. Only for [`SendFault::Address`] is it certain that nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendFault {
    /// The address is not one that the platform may call.
    #[error("address not allowed: {0}")]
    Address(String),
    /// No complete answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection could not be made or was lost.
    #[error("connection failed or lost")]
    Connection,
    /// The answer is longer than allowed.
    #[error("answer too large")]
    TooLarge,
    /// The answer could not be kept.
    #[error("the answer could not be written: {0}")]
    Disk(String),
}

/// A request.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, may be empty.
    pub body: Vec<u8>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Received {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's raw bytes.
    pub body: Vec<u8>,
}

impl Received {
    /// A header's value, where it is there once and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        }
    }
}

/// A body that went to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The HTTP status; a body of another one than 200 is not kept.
    pub status: u16,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha1: String,
    /// For our own record.
    pub sha256: Digest,
}

/// The guarded client. Cheap to clone; connections are shared between clones.
#[derive(Debug, Clone)]
pub struct Guarded {
    client: reqwest::Client,
    allow_private: bool,
    limits: Limits,
}

impl Guarded {
    /// A client for public addresses, or for any where `allow_private` (demo, tests, an institution behind a
    /// leased line). Fails only when TLS cannot be set up.
    pub fn new(limits: Limits, allow_private: bool) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // A proxy would connect for us, past the check of the address.
            .no_proxy()
            .retry(reqwest::retry::never())
            .user_agent(USER_AGENT)
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .build()?;
        Ok(Self { client, allow_private, limits })
    }

    /// The client's own limits.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends one request, once, within the client's limits.
    pub async fn send(&self, request: Outgoing) -> Result<Received, SendFault> {
        let mut response = self.begin(request, self.limits).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| fault(&e))? {
            if body.len().saturating_add(chunk.len()) > self.limits.body {
                return Err(SendFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Received { status, headers, body })
    }

    /// Sends one request, once, and writes the body to `file` as it comes: it may be longer than memory.
    pub async fn download(
        &self,
        request: Outgoing,
        limits: Limits,
        file: File,
    ) -> Result<Downloaded, SendFault> {
        let mut response = self.begin(request, limits).await?;
        let status = response.status().as_u16();
        let (pieces, mut coming) = mpsc::channel::<Vec<u8>>(16);
        let writing = tokio::task::spawn_blocking(move || {
            let (mut out, mut sha1, mut sha256, mut size) =
                (BufWriter::new(file), Sha1::default(), Hasher::new(), 0_u64);
            while let Some(piece) = coming.blocking_recv() {
                sha1.update(&piece);
                sha256.update(&piece);
                size = size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                out.write_all(&piece)?;
            }
            out.flush()?;
            out.get_ref().sync_all()?;
            Ok::<_, std::io::Error>(Downloaded { status, size, sha1: sha1.hex(), sha256: sha256.finish() })
        });
        let mut total = 0_usize;
        while status == 200
            && let Some(chunk) = response.chunk().await.map_err(|e| fault(&e))?
        {
            total = total.saturating_add(chunk.len());
            if total > limits.body {
                return Err(SendFault::TooLarge);
            }
            // A writer that is gone tells why below.
            if pieces.send(chunk.to_vec()).await.is_err() {
                break;
            }
        }
        drop(pieces);
        match writing.await {
            Ok(Ok(downloaded)) => Ok(downloaded),
            Ok(Err(error)) => Err(SendFault::Disk(error.to_string())),
            Err(_) => Err(SendFault::Disk("the writer stopped unexpectedly".to_owned())),
        }
    }

    async fn begin(&self, request: Outgoing, limits: Limits) -> Result<reqwest::Response, SendFault> {
        self.check(&request.url)?;
        let mut builder =
            self.client.request(request.method, request.url).timeout(limits.total).body(request.body);
        for (name, value) in request.headers {
            let value = HeaderValue::try_from(value).map_err(|_| SendFault::Connection)?;
            builder = builder.header(name, value);
        }
        builder.send().await.map_err(|e| fault(&e))
    }

    /// Scheme, and the address where it stands in the URL itself: those never reach the resolver.
    fn check(&self, url: &Url) -> Result<(), SendFault> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SendFault::Address(format!("scheme {}", url.scheme())));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(SendFault::Address("no host".to_owned())),
        };
        if self.allow_private || address::is_public(literal) {
            Ok(())
        } else {
            Err(SendFault::Address(literal.to_string()))
        }
    }
}

fn fault(error: &reqwest::Error) -> SendFault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPublic>() {
            return SendFault::Address(refused.0.clone());
        }
        cause = inner.source();
    }
    if error.is_timeout() { SendFault::Timeout } else { SendFault::Connection }
}

/// A name none of whose addresses is public.
#[derive(Debug, Error)]
#[error("{0} has no public address")]
struct NotPublic(String);

/// Resolves names and drops what may not be called: the connection goes to exactly what was checked.
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open: Vec<SocketAddr> =
                all.filter(|to| allow_private || address::is_public(to.ip())).collect();
            if open.is_empty() {
                return Err(NotPublic(name.as_str().to_owned()).into());
            }
            let addresses: Addrs = Box::new(open.into_iter());
            Ok(addresses)
        })
    }
}
