//! `passback_params`: what the caller declares at its head, and what of an order travels in it (`counter.md`, `files.md`).
use crate::wechat::attach::{self, AttachFault, Declared};

/// What begins a declaration; anything else is the caller's own.
const OURS: &str = "mingfen:";
/// Longest `passback_params` that a caller may give, in characters.
pub const MAX: usize = 512;

/// The declaration at the head of a caller's `passback_params`, `mingfen:{tags};{parties};` or, with nothing behind it,
/// `mingfen:{tags};`. Callers may have encoded it, as Alipay asks for: it is read either way.
pub fn declared(passback: &str) -> Result<Option<Declared>, AttachFault> {
    let plain = decoded(passback);
    let ours = [Some(passback), plain.as_deref()].into_iter().flatten();
    let Some(head) = ours.filter_map(|text| text.strip_prefix(OURS)).next() else { return Ok(None) };
    let (tags, rest) = head.split_once(';').ok_or(AttachFault::NoPrefix)?;
    let parties = match rest.split_once(';') {
        Some((parties, _)) => parties,
        None if rest.is_empty() => "",
        // A party or a text of the caller's own: nobody knows.
        None => return Err(AttachFault::NoPrefix),
    };
    let declared = Declared::parse(&format!("{tags};{parties}"))?;
    // What cannot travel to the channel is refused here.
    attach::join(&declared, "")?;
    Ok(Some(declared))
}

/// Tags and parties as they travel to the channel: `{tags};{parties};`, encoded.
pub fn written(declared: &Declared) -> Result<String, AttachFault> {
    let text = attach::join(declared, "")?;
    Ok(url::form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

/// What [`written`] sent, as a channel gives it back: decoded once with the message that carries it, or not at all.
pub fn read(passback: &str) -> Result<Declared, AttachFault> {
    let plain = decoded(passback);
    let (declared, own) = attach::cut(plain.as_deref().unwrap_or(passback))?;
    if own.is_empty() { Ok(declared) } else { Err(AttachFault::NoPrefix) }
}

/// The text that an encoded one stands for; `None` when it is not encoded.
fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let plain = super::form::decoded(text.as_bytes()).ok()?;
    String::from_utf8(plain).ok()
}
