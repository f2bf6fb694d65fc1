//! How fields are written in the files (`files.md`, "Text").
use std::collections::BTreeMap;

use crate::calendar::{BusinessDay, Instant};
use crate::digest::Digest;
use crate::money::Fen;
use crate::text::{is_party_name, is_receiver, is_tag};

/// Exactly `N` parts of `line` between `separator`; no more, no fewer.
pub fn split<const N: usize>(line: &str, separator: u8) -> Option<[&str; N]> {
    let mut parts = [""; N];
    let mut ends = memchr::memchr_iter(separator, line.as_bytes()).chain([line.len()]);
    let mut start = 0;
    for part in &mut parts {
        let end = ends.next()?;
        *part = line.get(start..end)?;
        start = end.saturating_add(1);
    }
    ends.next().is_none().then_some(parts)
}

/// `0|[1-9][0-9]*` within i64.
pub fn number(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    text.bytes().try_fold(0_i64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

/// [`number`] with an optional leading `-`; there is no `-0`.
pub fn signed_number(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        None => number(text),
        Some(digits) => number(digits).filter(|n| *n > 0).and_then(i64::checked_neg),
    }
}

/// A count within u32.
pub fn count(text: &str) -> Option<u32> {
    number(text).and_then(|n| u32::try_from(n).ok())
}

/// An amount that can be a fact: 0 ..= 10^12 fen.
pub fn amount(text: &str) -> Option<Fen> {
    number(text).map(Fen::new).filter(|fen| fen.is_fact_range())
}

/// A total in fen, ≥ 0, of any size.
pub fn total(text: &str) -> Option<Fen> {
    number(text).map(Fen::new)
}

/// A sum in fen that may be negative.
pub fn signed_total(text: &str) -> Option<Fen> {
    signed_number(text).map(Fen::new)
}

/// Four digits, 0001 ..= 9999.
pub fn seq(text: &str) -> Option<u16> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok().filter(|n| *n > 0) } else { None }
}

/// `yyyyMMdd`.
pub fn day(text: &str) -> Option<BusinessDay> {
    BusinessDay::parse(text)
}

/// Exactly `yyyy-MM-ddTHH:mm:ss+08:00`.
pub fn time(text: &str) -> Option<Instant> {
    Instant::parse_cst(text)
}

/// 64 lower-case hex digits.
pub fn digest(text: &str) -> Option<Digest> {
    let lower = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if lower { text.parse().ok() } else { None }
}

/// The place of a line in its rule: `m`, or digits with `.` and `#`.
pub fn is_path(text: &str) -> bool {
    text == "m"
        || ((1..=16).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'#'))
}

/// Whether these are tags as a file writes them: ascending, joined by `,`, at most 8, none twice; empty = none.
pub fn are_tags(text: &str) -> bool {
    let tags = || text.split(',');
    text.is_empty() || tags().count() <= 8 && tags().all(is_tag) && tags().is_sorted_by(|a, b| a < b)
}

/// Whether these tags can be written: see [`are_tags`].
pub fn fit_tags(tags: &[String]) -> bool {
    tags.len() <= 8 && tags.iter().all(|tag| is_tag(tag)) && tags.is_sorted_by(|a, b| a < b)
}

/// Whether these parties can be written: see [`are_parties`].
pub fn fit_parties(parties: &BTreeMap<String, String>) -> bool {
    parties.len() <= 8 && parties.iter().all(|(name, key)| is_party_name(name) && is_receiver(key))
}

/// Tags as written in a file; see [`are_tags`].
pub fn tags(text: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    read_tags(text, &mut tags).map(|()| tags)
}

/// Reads tags into the room of earlier ones; see [`are_tags`].
pub fn read_tags(text: &str, tags: &mut Vec<String>) -> Option<()> {
    if !are_tags(text) {
        return None;
    }
    let listed = || text.split(',').filter(|tag| !tag.is_empty());
    tags.truncate(listed().count());
    let mut listed = listed();
    for (room, tag) in tags.iter_mut().zip(&mut listed) {
        room.clear();
        room.push_str(tag);
    }
    tags.extend(listed.map(str::to_owned));
    Some(())
}

fn party(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=').filter(|(name, receiver)| is_party_name(name) && is_receiver(receiver))
}

/// Whether these are parties as a file writes them: `name=receiver`, ascending by name, joined by `,`, at most 8, no
/// name twice; empty = none.
pub fn are_parties(text: &str) -> bool {
    let names = || text.split(',').map(|pair| party(pair).map(|(name, _)| name));
    text.is_empty()
        || names().count() <= 8 && names().all(|name| name.is_some()) && names().is_sorted_by(|a, b| a < b)
}

/// Parties as written in a file; see [`are_parties`].
pub fn parties(text: &str) -> Option<BTreeMap<String, String>> {
    let mut parties = BTreeMap::new();
    read_parties(text, &mut parties).map(|()| parties)
}

/// Reads parties in place of earlier ones; see [`are_parties`].
pub fn read_parties(text: &str, parties: &mut BTreeMap<String, String>) -> Option<()> {
    if !are_parties(text) {
        return None;
    }
    parties.clear();
    let listed = text.split(',').filter_map(party);
    parties.extend(listed.map(|(name, key)| (name.to_owned(), key.to_owned())));
    Some(())
}

/// Appends tags as a file writes them.
pub fn push_tags(out: &mut String, tags: &[String]) {
    for (i, tag) in tags.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(tag);
    }
}

/// Appends parties as a file writes them.
pub fn push_parties(out: &mut String, parties: &BTreeMap<String, String>) {
    for (i, (name, receiver)) in parties.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(receiver);
    }
}
