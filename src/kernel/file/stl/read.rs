//! Reading an STL.
use std::io::BufRead;

use super::{CarryReason, StlCarried, StlHeader, StlInput, StlRecord, StlSettled, StlSums, Tally};
use crate::file::sheet::{Lines, compare, header_name, note};
use crate::file::{Check, Fault, FileKind, FileName, MAX_ORDERS, ReadError, ResultName, Seal, field};
use crate::money::Fen;
use crate::text;

/// Reads an STL from its first byte to its last.
pub struct StlReader<R> {
    lines: Lines<R>,
    header: StlHeader,
    tally: Tally,
    faults: Vec<Fault>,
    ended: bool,
}

impl<R: BufRead> StlReader<R> {
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
    pub const fn header(&self) -> &StlHeader {
        &self.header
    }

    /// The next I, S or C; `None` after the trailer. An error ends the reading.
    pub fn next_record(&mut self) -> Result<Option<StlRecord>, ReadError> {
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
        let Some(record) = parse(text, &self.header.name) else {
            return Err(self.lines.broken("an I, S, C or T line whose sums add up", text).into());
        };
        if let Some((check, expected)) = self.tally.take(&record) {
            note(&mut self.faults, Fault::new(check, self.lines.number(), expected, text));
        }
        if self.tally.settled.saturating_add(self.tally.carried) > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 receivers", "more").into());
        }
        Ok(Some(record))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<5>(text, b'|').and_then(|[_, settled, carried, total, sha256]| {
            Some((
                field::count(settled)?,
                field::count(carried)?,
                field::total(total)?,
                field::digest(sha256)?,
            ))
        });
        let Some((settled, carried, total, sha256)) = trailer else {
            return Err(self.lines.broken("T|S lines|C lines|total of S|sha256", text).into());
        };
        let head = (self.header.settled, self.header.carried, self.header.total);
        let line = self.lines.number();
        for (place, stated) in [("header", head), ("trailer", (settled, carried, total))] {
            let mut same = |what: &str, counted: i64, stated: i64| {
                compare(&mut self.faults, line, Check::V03, &format!("{place}: {what}"), &counted, &stated);
            };
            same("S lines", self.tally.settled.into(), stated.0.into());
            same("C lines", self.tally.carried.into(), stated.1.into());
            same("total", self.tally.total.get(), stated.2.get());
        }
        self.lines.close(&sha256, &mut self.faults)
    }

    /// Reads whatever is left and gives the digest and all faults.
    pub fn finish(mut self) -> Result<Seal, ReadError> {
        while self.next_record()?.is_some() {}
        Ok(self.lines.seal(self.faults))
    }
}

fn read_header<R: BufRead>(lines: &Lines<R>) -> Result<StlHeader, ReadError> {
    let text = lines.ascii()?;
    let Some([h, f, k, inst, plat, day, seq, cny, settled, carried, total, at, approvals, prev]) =
        field::split::<14>(text, b'|')
    else {
        return Err(lines.broken("a header of 14 fields", text).into());
    };
    let name = header_name(lines, FileKind::Stl, [h, f, k, inst, plat, day, seq, cny])?;
    let rest = || {
        Some(StlHeader {
            name,
            settled: field::count(settled)?,
            carried: field::count(carried)?,
            total: field::total(total)?,
            created_at: field::time(at)?,
            approvals: field::digest(approvals)?,
            prev: field::digest(prev)?,
        })
    };
    Ok(rest().ok_or_else(|| lines.broken("S lines|C lines|total|created_at|approvals|prev", text))?)
}

pub(super) fn parse(text: &str, file: &FileName) -> Option<StlRecord> {
    match text.split_once('|')?.0 {
        "I" => parse_input(text).map(StlRecord::Input),
        "S" => parse_settled(text, file).map(StlRecord::Settled),
        "C" => parse_carried(text).map(StlRecord::Carried),
        _ => None,
    }
}

fn parse_input(text: &str) -> Option<StlInput> {
    let [_, name, sha256, total] = field::split::<4>(text, b'|')?;
    let known = FileName::parse(name).is_some() || ResultName::parse(name).is_some();
    let input =
        StlInput { name: name.to_owned(), digest: field::digest(sha256)?, total: field::total(total)? };
    known.then_some(input)
}

fn parse_sums(fields: [&str; 5]) -> Option<StlSums> {
    let [splits, returns, debts, carried_in, requeued] = fields;
    Some(StlSums {
        splits: field::total(splits)?,
        returns: field::total(returns)?,
        debts: field::signed_total(debts)?,
        carried_in: field::signed_total(carried_in)?,
        requeued: field::total(requeued)?,
    })
}

fn parse_settled(text: &str, file: &FileName) -> Option<StlSettled> {
    let [
        _,
        n,
        id,
        receiver,
        inst_no,
        role,
        splits,
        returns,
        debts,
        carried_in,
        requeued,
        amount,
        orders,
        date,
    ] = field::split::<14>(text, b'|')?;
    let settled = StlSettled {
        n: field::count(n)?,
        receiver: receiver.to_owned(),
        inst_receiver_no: inst_no.to_owned(),
        role: role.to_owned(),
        sums: parse_sums([splits, returns, debts, carried_in, requeued])?,
        order_count: field::count(orders)?,
        settle_date: field::day(date)?,
    };
    let sound = text::is_receiver(receiver)
        && text::is_inst_order_no(inst_no)
        && text::is_role(role)
        && id == settled.settlement_id(file)
        && field::total(amount).is_some_and(|fen| fen > Fen::ZERO && settled.sums.net() == Some(fen));
    sound.then_some(settled)
}

fn parse_carried(text: &str) -> Option<StlCarried> {
    let [_, receiver, splits, returns, debts, carried_in, requeued, out, reason] =
        field::split::<9>(text, b'|')?;
    let carried = StlCarried {
        receiver: receiver.to_owned(),
        sums: parse_sums([splits, returns, debts, carried_in, requeued])?,
        reason: CarryReason::parse(reason)?,
    };
    let sound = text::is_receiver(receiver) && carried.sums.net() == Some(field::signed_total(out)?);
    sound.then_some(carried)
}
