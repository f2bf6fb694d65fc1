//! The character sets of names, numbers and keys (`split.md`, "Numbers, times, text"); text is compared byte by byte.

/// A rule's name: `[0-9A-Za-z_-]{1,40}`.
pub fn is_rule_name(text: &str) -> bool {
    is_word(text, 1, 40)
}

/// The role of a receiver: `[a-z]{1,20}`.
pub fn is_role(text: &str) -> bool {
    is_lower(text, 20)
}

/// A receiver key: `[a-z]+(:[0-9A-Za-z_-]{1,64})?`, at most 80 bytes, not `merchant` alone.
pub fn is_receiver(text: &str) -> bool {
    let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id)));
    text.len() <= 80 && text != "merchant" && is_lower(kind, 80) && id.is_none_or(|id| is_word(id, 1, 64))
}

/// The name of an order's party: `[a-z]{1,16}`.
pub fn is_party_name(text: &str) -> bool {
    is_lower(text, 16)
}

/// The institution's number of a payment: `[0-9A-Za-z_-]{1,64}`.
pub fn is_inst_order_no(text: &str) -> bool {
    is_word(text, 1, 64)
}

/// The platform's own number of an order: `[0-9A-Za-z_-]{6,32}`.
pub fn is_order_no(text: &str) -> bool {
    is_word(text, 6, 32)
}

/// Stands for our number where there is none: a payment that did not come through the platform.
pub const NO_ORDER_NO: &str = "-";

/// An order's number as files tell it: [`is_order_no`] or [`NO_ORDER_NO`].
pub fn is_told_order_no(text: &str) -> bool {
    text == NO_ORDER_NO || is_order_no(text)
}

/// A merchant: `[0-9A-Za-z_-]{1,32}`, not `platform`.
pub fn is_merchant(text: &str) -> bool {
    text != "platform" && is_word(text, 1, 32)
}

/// An institution: `[0-9A-Z]{1,16}`.
pub fn is_institution(text: &str) -> bool {
    is_made_of(text, 1, 16, |b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// A tag: `[0-9A-Za-z_-]{1,16}`.
pub fn is_tag(text: &str) -> bool {
    is_word(text, 1, 16)
}

/// A channel or a product: `[a-z0-9_]{1,20}`.
pub fn is_channel(text: &str) -> bool {
    is_made_of(text, 1, 20, |b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'_')
}

/// Whether people read what stands there: no control character, nothing invisible, nothing that turns the writing round.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

/// Others' words as they may be kept and shown: what [`is_plain`] refuses is a `?`.
pub fn cleaned(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '?' } else { c }).collect()
}

/// Controls, marks and overrides of direction, zero widths, line separators, annotations and tags.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_word(text: &str, least: usize, most: usize) -> bool {
    is_made_of(text, least, most, |b| b.is_ascii_alphanumeric() | (b == b'_') | (b == b'-'))
}

fn is_lower(text: &str, most: usize) -> bool {
    is_made_of(text, 1, most, |b| b.is_ascii_lowercase())
}

/// Looks at every byte, so that many are looked at at once.
fn is_made_of(text: &str, least: usize, most: usize, allowed: impl Fn(u8) -> bool) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().fold(true, |so_far, b| so_far & allowed(b))
}
