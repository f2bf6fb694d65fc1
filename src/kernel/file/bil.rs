//! BIL: what the institution itself saw of a business day (`files.md`, "The institution's bill").
use std::fmt::Write as _;
use std::io::{BufRead, Write};

use super::sheet::{Lines, Sheet, compare, header_name, note, require};
use super::{Check, Fault, FileKind, FileName, MAX_ORDERS, ReadError, Seal, WriteError, field};
use crate::bill::{BillOrder, BillRefund, BillRow};
use crate::calendar::Instant;
use crate::digest::Digest;
use crate::money::Fen;
use crate::split::OrderFacts;
use crate::text;

/// `H` of a BIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilHeader {
    /// Institution, platform, day and seq, as the file's name says them.
    pub name: FileName,
    /// B lines.
    pub orders: u32,
    /// F lines.
    pub refunds: u32,
    /// Σ paid of B in fen.
    pub total_paid: Fen,
    /// When the institution made it.
    pub created_at: Instant,
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    orders: u32,
    refunds: u32,
    total: Fen,
    last: Option<(bool, Instant)>,
    last_no: String,
}

impl Tally {
    fn order(&mut self, order: &BillOrder) -> Option<&'static str> {
        self.orders = self.orders.saturating_add(1);
        self.total = self.total.checked_add(order.facts.paid).unwrap_or(self.total);
        self.next((false, order.facts.paid_at), &order.facts.inst_order_no)
    }

    fn refund(&mut self, refund: &BillRefund) -> Option<&'static str> {
        self.refunds = self.refunds.saturating_add(1);
        self.next((true, refund.refunded_at), &refund.inst_refund_no)
    }

    /// What was expected instead of a row that does not belong here.
    fn next(&mut self, place: (bool, Instant), no: &str) -> Option<&'static str> {
        let ascending = self.last.is_none_or(|last| (last, self.last_no.as_str()) < (place, no));
        self.last = Some(place);
        self.last_no.clear();
        self.last_no.push_str(no);
        (!ascending).then_some("B lines, then F lines, each ascending by time and number")
    }
}

/// What [`BilReader::next_into`] met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BilRow {
    /// A B line.
    Order,
    /// An F line.
    Refund(BillRefund),
}

/// Reads a BIL from its first byte to its last.
pub struct BilReader<R> {
    lines: Lines<R>,
    header: BilHeader,
    tally: Tally,
    faults: Vec<Fault>,
    ended: bool,
}

impl<R: BufRead> BilReader<R> {
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
    pub const fn header(&self) -> &BilHeader {
        &self.header
    }

    /// Number of the line that [`Self::next_row`] gave last.
    pub const fn line_number(&self) -> u64 {
        self.lines.number()
    }

    /// The next B or F; `None` after the trailer. An error ends the reading.
    pub fn next_row(&mut self) -> Result<Option<BillRow>, ReadError> {
        let mut order = BillOrder::blank();
        let row = self.next_into(&mut order)?;
        Ok(row.map(|row| match row {
            BilRow::Order => BillRow::Order(order),
            BilRow::Refund(refund) => BillRow::Refund(refund),
        }))
    }

    /// [`Self::next_row`] with the room of an earlier order used again: a B's order is put in there.
    pub fn next_into(&mut self, order: &mut BillOrder) -> Result<Option<BilRow>, ReadError> {
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
        let (row, unexpected) = if parse_order(text, order).is_some() {
            (BilRow::Order, self.tally.order(order))
        } else if let Some(refund) = parse_refund(text) {
            let unexpected = self.tally.refund(&refund);
            (BilRow::Refund(refund), unexpected)
        } else {
            return Err(self.lines.broken("a B, F or T line", text).into());
        };
        if let Some(expected) = unexpected {
            note(&mut self.faults, self.lines.broken(expected, text));
        }
        if self.tally.orders.max(self.tally.refunds) > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 orders", "more").into());
        }
        Ok(Some(row))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<5>(text, b'|').and_then(|[_, orders, refunds, total, sha256]| {
            Some((
                field::count(orders)?,
                field::count(refunds)?,
                field::total(total)?,
                field::digest(sha256)?,
            ))
        });
        let Some((orders, refunds, total, sha256)) = trailer else {
            return Err(self.lines.broken("T|B lines|F lines|total paid|sha256", text).into());
        };
        let head = (self.header.orders, self.header.refunds, self.header.total_paid);
        let line = self.lines.number();
        for (place, stated) in [("header", head), ("trailer", (orders, refunds, total))] {
            let mut same = |what: &str, counted: i64, stated: i64| {
                compare(&mut self.faults, line, Check::V03, &format!("{place}: {what}"), &counted, &stated);
            };
            same("B lines", self.tally.orders.into(), stated.0.into());
            same("F lines", self.tally.refunds.into(), stated.1.into());
            same("total paid", self.tally.total.get(), stated.2.get());
        }
        self.lines.close(&sha256, &mut self.faults)
    }

    /// Reads whatever is left and gives the digest and all faults.
    pub fn finish(mut self) -> Result<Seal, ReadError> {
        while self.next_row()?.is_some() {}
        Ok(self.lines.seal(self.faults))
    }
}

fn read_header<R: BufRead>(lines: &Lines<R>) -> Result<BilHeader, ReadError> {
    let text = lines.ascii()?;
    let Some([h, f, k, inst, plat, day, seq, cny, orders, refunds, total, at]) =
        field::split::<12>(text, b'|')
    else {
        return Err(lines.broken("a header of 12 fields", text).into());
    };
    let name = header_name(lines, FileKind::Bil, [h, f, k, inst, plat, day, seq, cny])?;
    let rest = || {
        Some(BilHeader {
            name,
            orders: field::count(orders)?,
            refunds: field::count(refunds)?,
            total_paid: field::total(total)?,
            created_at: field::time(at)?,
        })
    };
    Ok(rest().ok_or_else(|| lines.broken("B lines|F lines|total paid|created_at", text))?)
}

/// In the place of the tags of a payment that did not come through the platform.
const UNDECLARED: &str = "?";

fn parse_order(text: &str, order: &mut BillOrder) -> Option<()> {
    read_order(text, order)?;
    is_sound(order).then_some(())
}

/// Reads what [`push_order`] wrote into the room of an earlier order. `None` for any other text, and then the order is
/// a mixture of both.
pub fn read_order(text: &str, order: &mut BillOrder) -> Option<()> {
    let [b, no, order_no, merchant, channel, product, tags, parties, at, paid, fee, subsidy] =
        field::split::<12>(text, b'|')?;
    let BillOrder { facts, order_no: own } = order;
    for (room, text) in [
        (&mut facts.inst_order_no, no),
        (&mut facts.merchant, merchant),
        (&mut facts.channel, channel),
        (&mut facts.product, product),
        (own, order_no),
    ] {
        room.clear();
        room.push_str(text);
    }
    if tags == UNDECLARED {
        // Its number is whatever its payer's own system sent, and nothing rests on it.
        own.clear();
        own.push_str(text::NO_ORDER_NO);
        facts.tags.clear();
        facts.parties.clear();
    } else {
        field::read_tags(tags, &mut facts.tags)?;
        field::read_parties(parties, &mut facts.parties)?;
    }
    facts.paid_at = field::time(at)?;
    facts.paid = field::total(paid)?;
    facts.fee = field::total(fee)?;
    facts.subsidy = field::total(subsidy)?;
    (b == "B").then_some(())
}

/// Appends an order as a B line without its LF.
pub fn push_order(out: &mut String, order: &BillOrder) {
    let BillOrder { facts, order_no } = order;
    let OrderFacts { inst_order_no, merchant, channel, product, .. } = facts;
    for text in ["B", inst_order_no, order_no, merchant, channel, product] {
        out.push_str(text);
        out.push('|');
    }
    if order.is_declared() {
        field::push_tags(out, &facts.tags);
    } else {
        out.push_str(UNDECLARED);
    }
    out.push('|');
    field::push_parties(out, &facts.parties);
    let (paid, fee, subsidy) = (facts.paid.get(), facts.fee.get(), facts.subsidy.get());
    // Text that grows never fails to.
    let _ = write!(out, "|{}|{paid}|{fee}|{subsidy}", facts.paid_at);
}

/// Whether the texts of an order are what a reader takes in their places; tags and parties apart.
fn is_sound(order: &BillOrder) -> bool {
    let BillOrder { facts, order_no } = order;
    // Without a number of ours there is nothing declared either.
    (text::is_order_no(order_no) || !order.is_declared() && facts.tags.is_empty() && facts.parties.is_empty())
        && text::is_inst_order_no(&facts.inst_order_no)
        && text::is_merchant(&facts.merchant)
        && text::is_channel(&facts.channel)
        && text::is_channel(&facts.product)
}

fn parse_refund(text: &str) -> Option<BillRefund> {
    let [f, inst_refund_no, refund_no, inst_order_no, day, at, refund, fee_back] =
        field::split::<8>(text, b'|')?;
    let sound = f == "F"
        && text::is_inst_order_no(inst_refund_no)
        && text::is_order_no(refund_no)
        && text::is_inst_order_no(inst_order_no);
    let refund = BillRefund {
        inst_refund_no: inst_refund_no.to_owned(),
        refund_no: refund_no.to_owned(),
        inst_order_no: inst_order_no.to_owned(),
        order_day: Some(field::day(day)?),
        refunded_at: field::time(at)?,
        amount: field::amount(refund)?,
        fee_back: field::amount(fee_back)?,
    };
    sound.then_some(refund)
}

/// Writes a BIL. The header, written first, states counts and total; [`Self::finish`] refuses when they were wrong.
pub struct BilWriter<W> {
    sheet: Sheet<W>,
    header: BilHeader,
    tally: Tally,
    text: String,
}

impl<W: Write> BilWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: BilHeader) -> Result<Self, WriteError> {
        let BilHeader { name, orders, refunds, total_paid, created_at } = &header;
        let FileName { kind, inst, plat, day, seq } = name;
        require(*kind == FileKind::Bil, "not the name of a BIL")?;
        require(
            (*orders).max(*refunds) <= MAX_ORDERS,
            "more than 100000 orders: the rest goes into the next seq",
        )?;
        let mut sheet = Sheet::new(out);
        let total = total_paid.get();
        sheet.line(
            format_args!(
                "H|SSF1|BIL|{inst}|{plat}|{day}|{seq:04}|CNY|{orders}|{refunds}|{total}|{created_at}"
            ),
            |_| true,
        )?;
        Ok(Self { sheet, header, tally: Tally::default(), text: String::new() })
    }

    /// Writes one B or F. Refuses what a reader would refuse.
    pub fn row(&mut self, row: &BillRow) -> Result<(), WriteError> {
        let unexpected = match row {
            BillRow::Order(order) => self.tally.order(order),
            BillRow::Refund(refund) => self.tally.refund(refund),
        };
        if let Some(expected) = unexpected {
            return Err(WriteError::Refused(format!("expected {expected}")));
        }
        match row {
            BillRow::Order(order) => {
                let facts = &order.facts;
                self.text.clear();
                push_order(&mut self.text, order);
                let sound = |_: &str| {
                    is_sound(order)
                        && field::fit_tags(&facts.tags)
                        && field::fit_parties(&facts.parties)
                        && facts.paid_at.is_writable()
                        && [facts.paid, facts.fee, facts.subsidy].iter().all(|fen| *fen >= Fen::ZERO)
                };
                self.sheet.line(format_args!("{}", self.text), sound)
            }
            BillRow::Refund(f) => {
                let BillRefund { inst_refund_no, refund_no, inst_order_no, order_day, refunded_at, .. } = f;
                let Some(day) = order_day else {
                    return Err(WriteError::Refused("a BIL names the refunded order's day".to_owned()));
                };
                let (amount, fee_back) = (f.amount.get(), f.fee_back.get());
                self.sheet.line(
                    format_args!(
                        "F|{inst_refund_no}|{refund_no}|{inst_order_no}|{day}|{refunded_at}|{amount}|{fee_back}"
                    ),
                    |text| parse_refund(text).as_ref() == Some(f),
                )
            }
        }
    }

    /// Writes the trailer; gives the sink back and the digest of the whole file.
    pub fn finish(self) -> Result<(W, Digest), WriteError> {
        let Tally { orders, refunds, total, .. } = self.tally;
        let stated = (self.header.orders, self.header.refunds, self.header.total_paid);
        require(stated == (orders, refunds, total), "the header states other counts or totals")?;
        self.sheet.finish(format_args!("{orders}|{refunds}|{}", total.get()))
    }
}
