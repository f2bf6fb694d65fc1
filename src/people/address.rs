//! Where a request comes from: the one answer for throttles, sessions, the audit trail and the log.
//!
//! Only a proxy of our own may say for whom it asks, and only in the header that it writes: another one may have come
//! from the client and been passed on. Its header grows at the right end: the first address from there that
//! is none of our proxies is the client's, and what stands left of it is the client's own tale.
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::config::ProxyHeader;

/// The client's address: the peer's own, unless that is one of `trusted`. Then `header` tells it, the one that our proxies
/// write; `told` are its values in the order of its lines.
pub fn client(peer: IpAddr, header: ProxyHeader, told: &[&str], trusted: &[IpNet]) -> IpAddr {
    let mut at = peer.to_canonical();
    let hops = match header {
        ProxyHeader::XForwardedFor => plain_hops(told),
        ProxyHeader::Forwarded => forwarded_hops(told),
    };
    for hop in hops.into_iter().rev() {
        match hop.filter(|_| is_ours(at, trusted)) {
            Some(before) => at = before,
            None => break,
        }
    }
    at
}

/// Whether an address is one of our own proxies'.
pub fn is_ours(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// Whom an address stands for: an IPv4 address, or the first address of an IPv6 subscriber's /64, who else would have
/// 2⁶⁴ addresses to come from.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// What stands for a client where attempts are counted: its [`subscriber`], of IPv6 as a network. Text that is no address
/// stands for itself.
pub fn network(address: &str) -> String {
    match address.parse().map(subscriber) {
        Ok(IpAddr::V6(first)) => format!("{first}/64"),
        Ok(IpAddr::V4(_)) | Err(_) => address.to_owned(),
    }
}

/// `client, proxy, proxy`; `None` where one is no address.
fn plain_hops(lines: &[&str]) -> Vec<Option<IpAddr>> {
    let parts = lines.iter().flat_map(|line| line.split(','));
    parts.map(|part| read(part.trim())).collect()
}

/// `for=client;proto=https, for="[2001:db8::1]:4711"`; `None` where one is hidden, unknown or missing.
fn forwarded_hops(lines: &[&str]) -> Vec<Option<IpAddr>> {
    let elements = lines.iter().flat_map(|line| line.split(','));
    let node = |element: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("for").then(|| read(value.trim_matches('"')))?
        })
    };
    elements.map(node).collect()
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()));
    found.map(|ip| ip.to_canonical())
}
