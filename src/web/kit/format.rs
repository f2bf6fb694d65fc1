//! How amounts, times, rates and numbers are written on every page (`ux.md`, section 7).
use std::fmt;

use chrono::{DateTime, FixedOffset};

use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;

/// An amount as people read it: `¥1,234.56`, negative `−¥1,234.56`.
#[derive(Clone, Copy)]
pub struct Yuan(pub Fen);

impl fmt::Display for Yuan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fen = self.0.get();
        let whole = fen.unsigned_abs();
        let sign = if fen < 0 { "−" } else { "" };
        write!(f, "{sign}¥{}.{:02}", grouped(whole / 100), whole % 100)
    }
}

/// The most exceptions of a kind that pages count.
pub const COUNTED: i64 = 1_000;

/// A count that stops at a bound: `1,000+` when there may be more.
#[derive(Clone, Copy)]
pub struct UpTo {
    /// What was counted.
    pub count: i64,
    /// Whether there may be more.
    pub more: bool,
}

impl UpTo {
    /// Parts that were each counted up to [`COUNTED`].
    #[must_use]
    pub fn of(parts: &[i64]) -> Self {
        let count = parts.iter().fold(0_i64, |sum, part| sum.saturating_add(*part));
        Self { count, more: parts.iter().any(|part| *part >= COUNTED) }
    }
}

impl fmt::Display for UpTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Count(self.count), if self.more { "+" } else { "" })
    }
}

/// A count with thousands commas.
#[derive(Clone, Copy)]
pub struct Count(pub i64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "−" } else { "" };
        write!(f, "{sign}{}", grouped(self.0.unsigned_abs()))
    }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A moment (unix microseconds) in Asia/Shanghai, for `<time datetime>`.
#[derive(Clone, Copy)]
pub struct When(pub i64);

impl When {
    fn shanghai(self) -> Option<DateTime<FixedOffset>> {
        let zone = FixedOffset::east_opt(8 * 3600)?;
        Some(DateTime::from_timestamp_micros(self.0)?.with_timezone(&zone))
    }
    fn written(self, pattern: &str) -> String {
        self.shanghai().map_or_else(|| "—".to_owned(), |at| at.format(pattern).to_string())
    }
    /// Month, day and minute, where the year is plain: `11-20 10:07`.
    #[must_use]
    pub fn short(self) -> String {
        self.written("%m-%d %H:%M")
    }
    /// For machines: `2026-11-20T10:07:32+08:00`.
    #[must_use]
    pub fn iso(self) -> String {
        self.written("%Y-%m-%dT%H:%M:%S%:z")
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written("%Y-%m-%d %H:%M:%S"))
    }
}

/// A business day as `2026-11-20`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub BusinessDay);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.0.to_i32();
        write!(f, "{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100)
    }
}

impl Day {
    /// Reads `2026-11-20` (a date field's value) or `20261120`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        BusinessDay::parse(&digits).map(Self)
    }
}

/// A long number: whole in the page, so that it can be copied, its middle folded away by the style sheet.
#[derive(Clone)]
pub struct Ident(pub String);

impl Ident {
    const HEAD: usize = 8;
    const TAIL: usize = 6;
    fn is_long(&self) -> bool {
        self.0.len() > Self::HEAD + Self::TAIL + 4 && self.0.is_ascii()
    }
    fn part(&self, range: std::ops::Range<usize>) -> &str {
        self.0.get(range).unwrap_or_default()
    }
    /// What stands before the fold.
    #[must_use]
    pub fn head(&self) -> &str {
        if self.is_long() { self.part(0..Self::HEAD) } else { &self.0 }
    }
    /// What is folded away; empty for a short number.
    #[must_use]
    pub fn middle(&self) -> &str {
        if self.is_long() { self.part(Self::HEAD..self.0.len() - Self::TAIL) } else { "" }
    }
    /// What stands behind the fold.
    #[must_use]
    pub fn tail(&self) -> &str {
        if self.is_long() { self.part(self.0.len() - Self::TAIL..self.0.len()) } else { "" }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A rate in parts per million as a percentage: at least two decimals, no trailing zeros beyond.
#[must_use]
pub fn percent_of_ppm(ppm: u32) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    let mut decimals = format!("{rest:04}");
    while decimals.len() > 2 && decimals.ends_with('0') {
        decimals.pop();
    }
    format!("{whole}.{decimals}%")
}

/// What part of `whole` this is, with two decimals, for reading only.
#[must_use]
pub fn percent_of(part: Fen, whole: Fen) -> String {
    let (part, whole) = (i128::from(part.get()), i128::from(whole.get()));
    if whole <= 0 {
        return "—".to_owned();
    }
    let points = (part * 20_000 + whole) / (whole * 2);
    format!("{}.{:02}%", points / 100, points % 100)
}
