//! Walking a document and noting every finding at its place.
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::calendar::Instant;
use crate::money::Fen;
use crate::rate::{MILLION, Ppm};
use crate::rule::Finding;

use super::Json;

/// A value and its place in the document.
#[derive(Clone, Debug)]
pub struct At<'a> {
    /// The value.
    pub json: &'a Json,
    /// Its place: `shares[0].rate_ppm`; empty for the whole document.
    pub path: String,
}

impl<'a> At<'a> {
    /// The whole document.
    pub fn root(json: &'a Json) -> At<'a> {
        At { json, path: String::new() }
    }
}

/// An object whose keys were found to be the allowed ones.
#[derive(Debug)]
pub struct Entries<'a> {
    map: &'a BTreeMap<String, Json>,
    path: String,
}

impl<'a> Entries<'a> {
    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        self.map.get(key).map(|json| At { json, path: self.place(key) })
    }

    /// Where `key` stands or would stand.
    pub fn place(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether `key` is there.
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }
}

/// Collects the findings of one document. Each method answers `None` after it has noted why.
#[derive(Debug, Default)]
pub struct Check {
    findings: Vec<Finding>,
}

impl Check {
    /// Nothing found yet.
    pub fn new() -> Check {
        Check::default()
    }

    /// Notes a finding.
    pub fn note(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.findings.push(Finding { path: path.into(), why: why.into() });
    }

    /// Takes over what another check found.
    pub fn extend(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }

    /// Everything found.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Whether nothing was found so far.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// An object with all of the `required` keys and none beside these and the `optional` ones.
    pub fn object<'a>(&mut self, at: &At<'a>, required: &[&str], optional: &[&str]) -> Option<Entries<'a>> {
        let Some(map) = at.json.as_object() else {
            return self.refuse(at, "must be an object");
        };
        let entries = Entries { map, path: at.path.clone() };
        for key in map.keys().map(String::as_str) {
            if !required.contains(&key) && !optional.contains(&key) {
                self.note(entries.place(key), "is not a known key");
            }
        }
        for key in required.iter().filter(|key| !entries.has(key)) {
            self.note(entries.place(key), "is missing");
        }
        Some(entries)
    }

    /// The entries of an object whose keys are free, by key.
    pub fn entries<'a>(&mut self, at: &At<'a>) -> Option<Vec<(&'a str, At<'a>)>> {
        let Some(map) = at.json.as_object() else {
            return self.refuse(at, "must be an object");
        };
        let place = |(key, json): (&'a String, &'a Json)| {
            (key.as_str(), At { json, path: format!("{}.{key}", at.path) })
        };
        Some(map.iter().map(place).collect())
    }

    /// A list with a length in `count`.
    pub fn list<'a>(&mut self, at: &At<'a>, count: RangeInclusive<usize>) -> Option<Vec<At<'a>>> {
        let Json::List(items) = at.json else {
            return self.refuse(at, "must be a list");
        };
        if !count.contains(&items.len()) {
            let bound = if items.len() < *count.start() {
                format!("needs at least {}", count.start())
            } else {
                format!("has more than {}", count.end())
            };
            self.note(&at.path, format!("{bound} entries"));
        }
        let place = |(i, json)| At { json, path: format!("{}[{i}]", at.path) };
        Some(items.iter().enumerate().map(place).collect())
    }

    /// A string that `allowed` accepts; `what` says in words what that is.
    pub fn text<'a>(&mut self, at: &At<'a>, allowed: fn(&str) -> bool, what: &str) -> Option<&'a str> {
        let text = at.json.as_text().filter(|text| allowed(text));
        text.or_else(|| self.refuse(at, &format!("must be {what}")))
    }

    /// A whole number in `range`.
    pub fn integer(&mut self, at: &At<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let number = at.json.as_integer().filter(|number| range.contains(number));
        let (from, to) = range.into_inner();
        number.or_else(|| self.refuse(at, &format!("must be a whole number from {from} to {to}")))
    }

    /// An amount of `0 ..= 10^12` fen.
    pub fn fen(&mut self, at: &At<'_>) -> Option<Fen> {
        self.integer(at, 0..=Fen::MAX.get()).map(Fen::new)
    }

    /// A rate of `0 ..= 1_000_000` ppm.
    pub fn ppm(&mut self, at: &At<'_>) -> Option<Ppm> {
        let ppm = self.integer(at, 0..=i64::from(MILLION))?;
        Ppm::new(u32::try_from(ppm).ok()?)
    }

    /// A moment, as [`Instant::parse`] reads it.
    pub fn instant(&mut self, at: &At<'_>) -> Option<Instant> {
        let parsed = at.json.as_text().and_then(Instant::parse);
        parsed.or_else(|| self.refuse(at, "must be a time like 2026-01-01T00:00:00+08:00"))
    }

    /// A moment or `null`, which is `Some(None)`.
    pub fn instant_or_null(&mut self, at: &At<'_>) -> Option<Option<Instant>> {
        if *at.json == Json::Null { Some(None) } else { self.instant(at).map(Some) }
    }

    fn refuse<T>(&mut self, at: &At<'_>, why: &str) -> Option<T> {
        self.note(&at.path, why);
        None
    }
}
