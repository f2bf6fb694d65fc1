//! SPL: split instructions (`files.md`, "SPL").
mod body;
mod read;
mod shares;
mod write;

use super::{Check, FileName, MAX_ORDER_LINES, MAX_ORDERS, field};
use crate::calendar::Instant;
use crate::digest::Digest;
use crate::money::Fen;
use crate::proposal::Reason;
use crate::text;

pub use body::{SplBody, seal};
pub use read::{SplReader, parse};
pub use shares::{push_share, shares};
pub use write::SplWriter;

/// `H`: what the file is, its totals and its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplHeader {
    /// Institution, platform, day and seq, as the file's name says them.
    pub name: FileName,
    /// O and X lines.
    pub orders: u32,
    /// L lines.
    pub lines: u32,
    /// Σ L in fen.
    pub total: Fen,
    /// When the day was first cut.
    pub created_at: Instant,
    /// The approvals bundle it was made under.
    pub approvals: Digest,
    /// The previous SPL in the chain, [`Digest::ZERO`] for the very first.
    pub prev: Digest,
}

/// `O`: an order and the rule that split it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplOrder<'a> {
    /// 1, 2, 3… over O and X.
    pub n: u32,
    /// The platform's number.
    pub order_no: &'a str,
    /// The institution's number.
    pub inst_order_no: &'a str,
    /// Sub-merchant.
    pub merchant: &'a str,
    /// Channel.
    pub channel: &'a str,
    /// Product.
    pub product: &'a str,
    /// Tags as written; [`field::tags`] reads them.
    pub tags: &'a str,
    /// Parties as written; [`field::parties`] reads them.
    pub parties: &'a str,
    /// When the payer paid.
    pub paid_at: Instant,
    /// What the payer paid, fen.
    pub paid: Fen,
    /// The channel's fee, fen.
    pub fee: Fen,
    /// Confirmed marketing money, fen.
    pub subsidy: Fen,
    /// The rule's name.
    pub rule: &'a str,
    /// Its version.
    pub version: i64,
    /// L lines that follow.
    pub lines: u32,
}

/// `L`: one receiver's part of the order above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplLine<'a> {
    /// The order's `n`.
    pub n: u32,
    /// Place of the share in its rule, `m` for the merchant.
    pub path: &'a str,
    /// Role of the receiver.
    pub role: &'a str,
    /// Receiver key.
    pub receiver: &'a str,
    /// Fen, > 0.
    pub amount: Fen,
}

/// `X`: an order that could not be split, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplUnsplit<'a> {
    /// 1, 2, 3… over O and X.
    pub n: u32,
    /// The platform's number.
    pub order_no: &'a str,
    /// The institution's number.
    pub inst_order_no: &'a str,
    /// When the payer paid.
    pub paid_at: Instant,
    /// What the payer paid, fen.
    pub paid: Fen,
    /// Why.
    pub reason: Reason,
}

/// One line between header and trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplRecord<'a> {
    /// O.
    Order(SplOrder<'a>),
    /// L.
    Line(SplLine<'a>),
    /// X.
    Unsplit(SplUnsplit<'a>),
}

impl SplOrder<'_> {
    /// The same without its texts.
    fn numbers(self) -> SplOrder<'static> {
        let Self { n, paid_at, paid, fee, subsidy, version, lines, .. } = self;
        let (order_no, inst_order_no, merchant, channel, product) = ("", "", "", "", "");
        let (tags, parties, rule) = ("", "", "");
        SplOrder {
            n,
            order_no,
            inst_order_no,
            merchant,
            channel,
            product,
            tags,
            parties,
            paid_at,
            paid,
            fee,
            subsidy,
            rule,
            version,
            lines,
        }
    }
}

impl SplUnsplit<'_> {
    /// The same without its texts.
    fn numbers(self) -> SplUnsplit<'static> {
        let Self { n, paid_at, paid, reason, .. } = self;
        SplUnsplit { n, order_no: "", inst_order_no: "", paid_at, paid, reason }
    }
}

impl SplRecord<'_> {
    /// Whether every field is what a reader takes in its place: what the reader asks, and the writer before it writes.
    fn is_sound(&self) -> bool {
        match self {
            Self::Order(o) => {
                text::is_told_order_no(o.order_no)
                    && text::is_inst_order_no(o.inst_order_no)
                    && text::is_merchant(o.merchant)
                    && text::is_channel(o.channel)
                    && text::is_channel(o.product)
                    && field::are_tags(o.tags)
                    && field::are_parties(o.parties)
                    && o.paid_at.is_writable()
                    && [o.paid, o.fee, o.subsidy].into_iter().all(Fen::is_fact_range)
                    && text::is_rule_name(o.rule)
                    && o.version > 0
                    && o.lines <= MAX_ORDER_LINES
            }
            Self::Line(l) => {
                field::is_path(l.path)
                    && text::is_role(l.role)
                    && text::is_receiver(l.receiver)
                    && l.amount > Fen::ZERO
                    && l.amount.is_fact_range()
            }
            Self::Unsplit(x) => {
                text::is_told_order_no(x.order_no)
                    && text::is_inst_order_no(x.inst_order_no)
                    && x.paid_at.is_writable()
                    && x.paid.is_fact_range()
            }
        }
    }
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    orders: u32,
    lines: u32,
    total: Fen,
    /// L lines that the last O announces and that did not come yet.
    missing: u32,
    /// L lines since the last O or X.
    own: u32,
    last_paid_at: Option<Instant>,
    last_no: String,
}

impl Tally {
    /// More orders or lines than any file has: nothing after it is worth reading.
    fn is_beyond_limits(&self) -> bool {
        self.orders > MAX_ORDERS || self.own > MAX_ORDER_LINES
    }

    /// Takes a record in; which check it breaks and what was expected, if any.
    fn take(&mut self, record: &SplRecord<'_>) -> Option<(Check, String)> {
        match record {
            SplRecord::Order(o) => self.order(o.n, o.paid_at, o.inst_order_no, o.lines),
            SplRecord::Unsplit(x) => self.order(x.n, x.paid_at, x.inst_order_no, 0),
            SplRecord::Line(l) => self.line(l.n, l.amount),
        }
    }

    fn order(&mut self, n: u32, paid_at: Instant, no: &str, lines: u32) -> Option<(Check, String)> {
        let missing = std::mem::replace(&mut self.missing, lines);
        self.own = 0;
        self.orders = self.orders.saturating_add(1);
        let ascending = self.last_paid_at.is_none_or(|last| (last, self.last_no.as_str()) < (paid_at, no));
        self.last_paid_at = Some(paid_at);
        self.last_no.clear();
        self.last_no.push_str(no);
        if missing > 0 {
            return Some((Check::V03, format!("{missing} more lines of the order before")));
        }
        if n != self.orders {
            return Some((Check::V13, format!("n = {}", self.orders)));
        }
        (!ascending).then(|| (Check::V13, "orders ascending by paid_at, inst_order_no".to_owned()))
    }

    fn line(&mut self, n: u32, amount: Fen) -> Option<(Check, String)> {
        self.lines = self.lines.saturating_add(1);
        self.own = self.own.saturating_add(1);
        self.total = self.total.checked_add(amount).unwrap_or(self.total);
        let Some(missing) = self.missing.checked_sub(1) else {
            return Some((Check::V03, "no further line of this order".to_owned()));
        };
        self.missing = missing;
        (n != self.orders).then(|| (Check::V13, format!("n = {}", self.orders)))
    }
}
