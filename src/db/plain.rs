//! A libpq without TLS falls back to plain text without a word, also where the server would speak TLS: such a build
//! refuses every server that is not on this machine, unless the URL itself says that plain text is meant.
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use super::open::OpenError;

/// Whether this program's libpq speaks TLS.
const TLS: bool =
    cfg!(all(not(feature = "bundled-libpq"), any(feature = "system-libpq", feature = "vendored-tls")));

/// Refuses a URL that would send passwords and payments over a network in plain text.
pub(super) fn refuse_far(url: &str) -> Result<(), OpenError> {
    let far = if TLS { None } else { far_host(url, |name| std::env::var(name).ok()) };
    far.map_or(Ok(()), |host| Err(OpenError::Plain(host)))
}

/// What libpq takes from a URL that decides where it goes, and the values that it would take from its environment.
#[derive(Default)]
struct Target {
    host: Option<String>,
    hostaddr: Option<String>,
    service: Option<String>,
    sslmode: Option<String>,
}

/// The first host that a URL leads to and that is not this machine, `variable` giving libpq's environment; `None` where
/// there is none, or where the URL says `sslmode=disable`. Text before an `@` may be of a password and is left out.
pub fn far_host(url: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let target = Target::of(url);
    if target.sslmode.as_deref() == Some("disable") {
        return None;
    }
    let or =
        |given: Option<String>, name: &str| given.or_else(|| variable(name)).filter(|text| !text.is_empty());
    // A service file can name any address, also beside a host that the URL names.
    if let Some(service) = or(target.service, "PGSERVICE") {
        return Some(format!("of the service {service}"));
    }
    let hosts = or(target.host, "PGHOST").unwrap_or_default();
    let addresses = or(target.hostaddr, "PGHOSTADDR").unwrap_or_default();
    let mut hosts = hosts.split(',');
    if addresses.is_empty() {
        return hosts.find(|host| !is_here(host)).map(shown);
    }
    // An address goes before the host at its place.
    let places = addresses.split(',').map(|address| {
        let host = hosts.next().unwrap_or_default();
        if address.is_empty() { host } else { address }
    });
    places.into_iter().find(|place| !is_here(place)).map(shown)
}

fn shown(host: &str) -> String {
    host.rsplit('@').next().unwrap_or_default().to_owned()
}

/// A socket, by its directory, abstract or libpq's own choice; or a loopback address in its plain form.
fn is_here(host: &str) -> bool {
    host.is_empty()
        || host.starts_with(['/', '@'])
        || host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

impl Target {
    /// Reads a URL as libpq does: what is named last counts, and names are decoded before a list is taken apart.
    fn of(url: &str) -> Self {
        let mut target = Target::default();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        // libpq looks for `@` up to the first slash, even past a question mark.
        let rest = match rest.split_once(['@', '/']) {
            Some((user, after)) if rest.as_bytes().get(user.len()) == Some(&b'@') => after,
            _ => rest,
        };
        let (hosts, query) = match rest.find(['/', '?']).and_then(|at| rest.split_at_checked(at)) {
            Some((hosts, rest)) => (hosts, rest.split_once('?').map_or("", |(_, query)| query)),
            None => (rest, ""),
        };
        let names: Vec<&str> = hosts.split(',').map(without_port).collect();
        target.take("host", &names.join(","));
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            target.take(&decoded(name), value);
        }
        target
    }

    fn take(&mut self, name: &str, value: &str) {
        let value = decoded(value);
        match name {
            "host" => self.host = Some(value).filter(|value| !value.is_empty()),
            "hostaddr" => self.hostaddr = Some(value),
            "service" => self.service = Some(value),
            "sslmode" => self.sslmode = Some(value),
            "ssl" if value == "true" => self.sslmode = Some("require".to_owned()),
            _ => {}
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
