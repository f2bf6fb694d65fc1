//! The mark that a browser keeps of a login that succeeded in it. It proves that and nothing else: whoever guesses
//! passwords elsewhere does not make this browser wait ([`super::throttle`]).
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;
use crate::protocol::crypto::{MasterKey, constant_eq, random_bytes};

/// Characters of a mark's random part: 16 bytes in base64.
const RANDOM: usize = 22;

/// What tells the marks of several people in one browser apart; says nothing of the login to whoever reads it.
pub fn label(master: &MasterKey, login: &str) -> String {
    let digest = hex::encode(master.hmac("login.device.label", login.as_bytes()));
    digest.chars().take(8).collect()
}

/// The mark for a browser in which this login succeeded just now: the one that it has, or a new one.
pub fn mark(master: &MasterKey, login: &str, has: Option<&str>) -> Result<String, Error> {
    if let Some(has) = has.filter(|has| of(master, login, has).is_some()) {
        return Ok(has.to_owned());
    }
    let random =
        random_bytes::<16>().map_err(|_| Error::Internal("the system's random source failed".into()))?;
    let random = URL_SAFE_NO_PAD.encode(random);
    Ok(format!("{random}.{}", seal(master, login, &random)))
}

/// The device that a mark is of, when we made it for this login.
pub(super) fn of<'a>(master: &MasterKey, login: &str, mark: &'a str) -> Option<&'a str> {
    let (random, sealed) = mark.split_once('.')?;
    let is_ours =
        random.len() == RANDOM && constant_eq(sealed.as_bytes(), seal(master, login, random).as_bytes());
    is_ours.then_some(random)
}

fn seal(master: &MasterKey, login: &str, random: &str) -> String {
    URL_SAFE_NO_PAD.encode(master.hmac("login.device", format!("{random}\n{login}").as_bytes()))
}
