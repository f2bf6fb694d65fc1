//! What an order declares beside its amount, as files and the record write it (`files.md`, "Text").
use std::collections::BTreeMap;
use std::fmt;

use crate::file::field;

/// Tags: ascending, joined by `,`, at most 8, none twice; empty = none.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags(String);

/// Parties: `name=receiver`, ascending by name, joined by `,`, at most 8, no name twice; empty = none.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parties(String);

impl Tags {
    /// Reads them as written; `None` when they are not in that form.
    pub fn parse(text: &str) -> Option<Self> {
        field::are_tags(text).then(|| Self(text.to_owned()))
    }

    /// [`Tags::parse`] of text that may be kept as it is.
    pub fn of_text(text: String) -> Option<Self> {
        field::are_tags(&text).then_some(Self(text))
    }

    /// Those of a list that is in order; `None` when it is not.
    pub fn of(list: &[String]) -> Option<Self> {
        let mut text = String::new();
        field::push_tags(&mut text, list);
        (field::fit_tags(list)).then_some(Self(text))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|tag| !tag.is_empty())
    }

    /// As a split takes them.
    pub fn to_list(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

impl Parties {
    /// Reads them as written; `None` when they are not in that form.
    pub fn parse(text: &str) -> Option<Self> {
        field::are_parties(text).then(|| Self(text.to_owned()))
    }

    /// [`Parties::parse`] of text that may be kept as it is.
    pub fn of_text(text: String) -> Option<Self> {
        field::are_parties(&text).then_some(Self(text))
    }

    /// Those of a map; `None` when a name or a receiver is none.
    pub fn of(map: &BTreeMap<String, String>) -> Option<Self> {
        let mut text = String::new();
        field::push_parties(&mut text, map);
        (field::fit_parties(map)).then_some(Self(text))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One by one: name and receiver.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(',').filter_map(|party| party.split_once('='))
    }

    /// As a split takes them.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(name, receiver)| (name.to_owned(), receiver.to_owned())).collect()
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Parties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
