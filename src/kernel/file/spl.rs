//! SPL: split instructions (`files.md`, "SPL").
use std::io::{BufRead, Write};

use super::sheet::{Lines, Sheet, compare, header_name, require};
use super::{
    Check, Fault, FileKind, FileName, MAX_ORDER_LINES, MAX_ORDERS, ReadError, Seal, WriteError, field,
};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::text;

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

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    orders: u32,
    lines: u32,
    total: Fen,
    missing: u32,
    last_paid_at: Option<Instant>,
    last_no: String,
}

impl Tally {
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
        self.total = self.total.checked_add(amount).unwrap_or(self.total);
        let Some(missing) = self.missing.checked_sub(1) else {
            return Some((Check::V03, "no further line of this order".to_owned()));
        };
        self.missing = missing;
        (n != self.orders).then(|| (Check::V13, format!("n = {}", self.orders)))
    }
}

/// Reads an SPL from its first byte to its last.
pub struct SplReader<R> {
    lines: Lines<R>,
    header: SplHeader,
    tally: Tally,
    faults: Vec<Fault>,
    ended: bool,
}

impl<R: BufRead> SplReader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut lines = Lines::new(input);
        if !lines.advance()? {
            return Err(lines.broken("a header", "an empty file").into());
        }
        let header = read_header(&lines)?;
        Ok(Self { lines, header, tally: Tally::default(), faults: Vec::new(), ended: false })
    }

    /// The header.
    pub const fn header(&self) -> &SplHeader {
        &self.header
    }

    /// Number of the line that [`Self::next_record`] gave last.
    pub const fn line_number(&self) -> u64 {
        self.lines.number()
    }

    /// The next O, L or X; `None` after the trailer. An error ends the reading.
    pub fn next_record(&mut self) -> Result<Option<SplRecord<'_>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        if !self.lines.advance()? {
            self.ended = true;
            self.faults.push(self.lines.unsealed());
            return Ok(None);
        }
        if self.lines.bytes().starts_with(b"T|") {
            self.ended = true;
            self.trailer()?;
            return Ok(None);
        }
        let text = self.lines.ascii()?;
        let Some(record) = parse(text) else {
            return Err(self.lines.broken("an O, L, X or T line", text).into());
        };
        if let Some((check, expected)) = self.tally.take(&record) {
            let fault = Fault::new(check, self.lines.number(), expected, text);
            self.faults.push(fault.of_order(&self.tally.last_no));
        }
        if self.tally.orders > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 orders", "more").into());
        }
        Ok(Some(record))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<5>(text, '|').and_then(|[_, orders, lines, total, sha256]| {
            Some((field::count(orders)?, field::count(lines)?, field::total(total)?, field::digest(sha256)?))
        });
        let Some((orders, lines, total, sha256)) = trailer else {
            return Err(self.lines.broken("T|orders|lines|total|sha256", text).into());
        };
        let head = (self.header.orders, self.header.lines, self.header.total);
        let line = self.lines.number();
        for (place, stated) in [("header", head), ("trailer", (orders, lines, total))] {
            let mut same = |what: &str, counted: i64, stated: i64| {
                compare(&mut self.faults, line, Check::V03, &format!("{place}: {what}"), &counted, &stated);
            };
            same("orders", self.tally.orders.into(), stated.0.into());
            same("lines", self.tally.lines.into(), stated.1.into());
            same("total", self.tally.total.get(), stated.2.get());
        }
        compare(&mut self.faults, line, Check::V03, "lines missing above:", &0, &self.tally.missing);
        self.lines.close(&sha256, &mut self.faults)
    }

    /// Reads whatever is left and gives the digest and all faults.
    pub fn finish(mut self) -> Result<Seal, ReadError> {
        while self.next_record()?.is_some() {}
        Ok(self.lines.seal(self.faults))
    }
}

fn read_header<R: BufRead>(lines: &Lines<R>) -> Result<SplHeader, ReadError> {
    let text = lines.ascii()?;
    let Some([h, f, k, inst, plat, day, seq, cny, orders, count, total, at, approvals, prev]) =
        field::split::<14>(text, '|')
    else {
        return Err(lines.broken("a header of 14 fields", text).into());
    };
    let name = header_name(lines, FileKind::Spl, [h, f, k, inst, plat, day, seq, cny])?;
    let rest = || {
        Some(SplHeader {
            name,
            orders: field::count(orders)?,
            lines: field::count(count)?,
            total: field::total(total)?,
            created_at: field::time(at)?,
            approvals: field::digest(approvals)?,
            prev: field::digest(prev)?,
        })
    };
    Ok(rest().ok_or_else(|| lines.broken("orders|lines|total|created_at|approvals|prev", text))?)
}

fn parse(text: &str) -> Option<SplRecord<'_>> {
    match text.split_once('|')?.0 {
        "O" => parse_order(text).map(SplRecord::Order),
        "L" => parse_line(text).map(SplRecord::Line),
        "X" => parse_unsplit(text).map(SplRecord::Unsplit),
        _ => None,
    }
}

fn parse_order(text: &str) -> Option<SplOrder<'_>> {
    let [
        _,
        n,
        order_no,
        inst_order_no,
        merchant,
        channel,
        product,
        tags,
        parties,
        at,
        paid,
        fee,
        subsidy,
        rule,
        version,
        lines,
    ] = field::split::<16>(text, '|')?;
    let sound = text::is_order_no(order_no)
        && text::is_inst_order_no(inst_order_no)
        && text::is_merchant(merchant)
        && text::is_channel(channel)
        && text::is_channel(product)
        && field::are_tags(tags)
        && field::are_parties(parties)
        && text::is_rule_name(rule);
    let order = SplOrder {
        n: field::count(n)?,
        order_no,
        inst_order_no,
        merchant,
        channel,
        product,
        tags,
        parties,
        paid_at: field::time(at)?,
        paid: field::amount(paid)?,
        fee: field::amount(fee)?,
        subsidy: field::amount(subsidy)?,
        rule,
        version: field::number(version).filter(|v| *v > 0)?,
        lines: field::count(lines).filter(|lines| *lines <= MAX_ORDER_LINES)?,
    };
    sound.then_some(order)
}

fn parse_line(text: &str) -> Option<SplLine<'_>> {
    let [_, n, path, role, receiver, amount] = field::split::<6>(text, '|')?;
    let sound = field::is_path(path) && text::is_role(role) && text::is_receiver(receiver);
    let amount = field::amount(amount).filter(|fen| *fen > Fen::ZERO)?;
    let line = SplLine { n: field::count(n)?, path, role, receiver, amount };
    sound.then_some(line)
}

fn parse_unsplit(text: &str) -> Option<SplUnsplit<'_>> {
    let [_, n, order_no, inst_order_no, at, paid, reason] = field::split::<7>(text, '|')?;
    let unsplit = SplUnsplit {
        n: field::count(n)?,
        order_no,
        inst_order_no,
        paid_at: field::time(at)?,
        paid: field::amount(paid)?,
        reason: Reason::parse(reason)?,
    };
    (text::is_order_no(order_no) && text::is_inst_order_no(inst_order_no)).then_some(unsplit)
}

/// Writes an SPL. The header, written first, states counts and total; [`Self::finish`] refuses when they were wrong.
pub struct SplWriter<W> {
    sheet: Sheet<W>,
    header: SplHeader,
    tally: Tally,
}

impl<W: Write> SplWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: SplHeader) -> Result<Self, WriteError> {
        let SplHeader { name, orders, lines, total, created_at, approvals, prev } = &header;
        let FileName { kind, inst, plat, day, seq } = name;
        require(*kind == FileKind::Spl, "not the name of an SPL")?;
        require(*orders <= MAX_ORDERS, "more than 100000 orders: the rest goes into the next seq")?;
        let mut sheet = Sheet::new(out);
        sheet.line(format_args!(
            "H|SSF1|SPL|{inst}|{plat}|{day}|{seq:04}|CNY|{orders}|{lines}|{}|{created_at}|{approvals}|{prev}",
            total.get()
        ), |_| true)?;
        Ok(Self { sheet, header, tally: Tally::default() })
    }

    /// Writes one O, L or X. Refuses what a reader would refuse.
    pub fn record(&mut self, record: &SplRecord<'_>) -> Result<(), WriteError> {
        if let Some((_, expected)) = self.tally.take(record) {
            return Err(WriteError::Refused(format!("expected {expected}")));
        }
        let same = |text: &str| parse(text).as_ref() == Some(record);
        match record {
            SplRecord::Order(o) => self.sheet.line(
                format_args!(
                    "O|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
                    o.n,
                    o.order_no,
                    o.inst_order_no,
                    o.merchant,
                    o.channel,
                    o.product,
                    o.tags,
                    o.parties,
                    o.paid_at,
                    o.paid.get(),
                    o.fee.get(),
                    o.subsidy.get(),
                    o.rule,
                    o.version,
                    o.lines
                ),
                same,
            ),
            SplRecord::Line(l) => {
                let amount = l.amount.get();
                self.sheet.line(format_args!("L|{}|{}|{}|{}|{amount}", l.n, l.path, l.role, l.receiver), same)
            }
            SplRecord::Unsplit(x) => {
                let (paid, reason) = (x.paid.get(), x.reason.as_str());
                self.sheet.line(
                    format_args!(
                        "X|{}|{}|{}|{}|{paid}|{reason}",
                        x.n, x.order_no, x.inst_order_no, x.paid_at
                    ),
                    same,
                )
            }
        }
    }

    /// Writes the trailer; gives the sink back and the digest of the whole file.
    pub fn finish(self) -> Result<(W, Digest), WriteError> {
        let Tally { orders, lines, total, missing, .. } = self.tally;
        let stated = (self.header.orders, self.header.lines, self.header.total);
        require(
            missing == 0 && stated == (orders, lines, total),
            "the header states other counts or totals",
        )?;
        self.sheet.finish(format_args!("{orders}|{lines}|{}", total.get()))
    }
}
