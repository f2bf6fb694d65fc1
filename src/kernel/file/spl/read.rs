//! Reading an SPL.
use std::io::BufRead;

use super::{SplHeader, SplLine, SplOrder, SplRecord, SplUnsplit, Tally};
use crate::file::sheet::{Lines, compare, header_name, note};
use crate::file::{Check, Fault, FileKind, ReadError, Seal, field};
use crate::proposal::Reason;

/// Reads an SPL from its first byte to its last.
pub struct SplReader<R> {
    lines: Lines<R>,
    header: SplHeader,
    tally: Tally,
    faults: Vec<Fault>,
    ended: bool,
    /// The numbers of the last O or X; its texts stand in the line.
    head: Option<SplRecord<'static>>,
}

impl<R: BufRead> SplReader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut lines = Lines::new(input);
        if !lines.advance()? {
            return Err(lines.broken("a header", "an empty file").into());
        }
        let header = read_header(&lines)?;
        Ok(Self { lines, header, tally: Tally::default(), faults: Vec::new(), ended: false, head: None })
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
            note(&mut self.faults, self.lines.unsealed());
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
            note(&mut self.faults, fault.of_order(&self.tally.last_no));
        }
        if self.tally.is_beyond_limits() {
            return Err(self.lines.broken("at most 100000 orders of at most 51 lines", "more").into());
        }
        self.head = match record {
            SplRecord::Order(order) => Some(SplRecord::Order(order.numbers())),
            SplRecord::Unsplit(unsplit) => Some(SplRecord::Unsplit(unsplit.numbers())),
            SplRecord::Line(_) => None,
        };
        Ok(Some(record))
    }

    /// The O or X that [`Self::next_record`] gave last, for whoever had to look at other files first.
    pub fn last_head(&self) -> Option<SplRecord<'_>> {
        let line = str::from_utf8(self.lines.bytes()).ok()?;
        match self.head? {
            SplRecord::Order(numbers) => {
                let texts = field::split::<16>(line, b'|')?;
                let [
                    _,
                    _,
                    order_no,
                    inst_order_no,
                    merchant,
                    channel,
                    product,
                    tags,
                    parties,
                    ..,
                    rule,
                    _,
                    _,
                ] = texts;
                Some(SplRecord::Order(SplOrder {
                    order_no,
                    inst_order_no,
                    merchant,
                    channel,
                    product,
                    tags,
                    parties,
                    rule,
                    ..numbers
                }))
            }
            SplRecord::Unsplit(numbers) => {
                let [_, _, order_no, inst_order_no, ..] = field::split::<7>(line, b'|')?;
                Some(SplRecord::Unsplit(SplUnsplit { order_no, inst_order_no, ..numbers }))
            }
            SplRecord::Line(_) => None,
        }
    }

    /// The line of it, as it stands in the file.
    pub fn last_line(&self) -> &[u8] {
        self.lines.bytes()
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<5>(text, b'|').and_then(|[_, orders, lines, total, sha256]| {
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
        field::split::<14>(text, b'|')
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

/// The record of one line; `None` for any other line.
pub fn parse(text: &str) -> Option<SplRecord<'_>> {
    let record = match text.as_bytes().first_chunk()? {
        b"O|" => parse_order(text).map(SplRecord::Order),
        b"L|" => parse_line(text).map(SplRecord::Line),
        b"X|" => parse_unsplit(text).map(SplRecord::Unsplit),
        _ => None,
    };
    record.filter(SplRecord::is_sound)
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
    ] = field::split::<16>(text, b'|')?;
    Some(SplOrder {
        n: field::count(n)?,
        order_no,
        inst_order_no,
        merchant,
        channel,
        product,
        tags,
        parties,
        paid_at: field::time(at)?,
        paid: field::total(paid)?,
        fee: field::total(fee)?,
        subsidy: field::total(subsidy)?,
        rule,
        version: field::number(version)?,
        lines: field::count(lines)?,
    })
}

fn parse_line(text: &str) -> Option<SplLine<'_>> {
    let [_, n, path, role, receiver, amount] = field::split::<6>(text, b'|')?;
    Some(SplLine { n: field::count(n)?, path, role, receiver, amount: field::total(amount)? })
}

fn parse_unsplit(text: &str) -> Option<SplUnsplit<'_>> {
    let [_, n, order_no, inst_order_no, at, paid, reason] = field::split::<7>(text, b'|')?;
    Some(SplUnsplit {
        n: field::count(n)?,
        order_no,
        inst_order_no,
        paid_at: field::time(at)?,
        paid: field::total(paid)?,
        reason: Reason::parse(reason)?,
    })
}
