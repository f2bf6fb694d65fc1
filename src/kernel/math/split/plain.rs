//! A line that borrows from its rule and order: what the cut and `verify` compute by the million.
use std::fmt;
use std::sync::Arc;

use super::{Line, MERCHANT_PATH};
use crate::money::Fen;

/// Who receives a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver<'a> {
    /// As the rule names it.
    Named(&'a Arc<str>),
    /// The order's own party.
    Party(&'a str),
    /// `merchant:` and the order's merchant.
    Merchant(&'a str),
}

impl<'a> Receiver<'a> {
    /// The key of a receiver other than the order's merchant.
    pub fn key(&self) -> Option<&'a str> {
        match self {
            Self::Named(key) => Some(key),
            Self::Party(key) => Some(key),
            Self::Merchant(_) => None,
        }
    }

    /// Whether this is its key.
    pub fn is(&self, key: &str) -> bool {
        match self {
            Self::Named(own) => own.as_ref() == key,
            Self::Party(own) => *own == key,
            Self::Merchant(own) => key.strip_prefix("merchant:") == Some(own),
        }
    }
}

impl fmt::Display for Receiver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(key) => f.write_str(key),
            Self::Party(key) => f.write_str(key),
            Self::Merchant(merchant) => write!(f, "merchant:{merchant}"),
        }
    }
}

/// A [`Line`] without anything of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainLine<'a> {
    /// As of [`Line`].
    pub path: &'a Arc<str>,
    /// As of [`Line`].
    pub role: &'a Arc<str>,
    /// Who receives it.
    pub receiver: Receiver<'a>,
    /// The amount in fen, `0 ..= 10^12`.
    pub amount: Fen,
}

impl PlainLine<'_> {
    /// Whether it is the merchant's.
    pub fn is_merchants(&self) -> bool {
        self.path.as_ref() == MERCHANT_PATH
    }

    /// The same line, on its own.
    pub fn to_line(&self) -> Line {
        let receiver = match self.receiver {
            Receiver::Named(key) => Arc::clone(key),
            Receiver::Party(key) => Arc::from(key),
            Receiver::Merchant(_) => Arc::from(self.receiver.to_string()),
        };
        Line { path: Arc::clone(self.path), role: Arc::clone(self.role), receiver, amount: self.amount }
    }
}

impl fmt::Display for PlainLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, role, receiver, amount } = self;
        write!(f, "{path}|{role}|{receiver}|{}", amount.get())
    }
}
