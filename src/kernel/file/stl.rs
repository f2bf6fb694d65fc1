//! STL: settlement of a business day (`files.md`, "STL").
use std::io::{BufRead, Write};

use super::sheet::{Lines, Sheet, compare, header_name, require};
use super::{Check, Fault, FileKind, FileName, MAX_ORDERS, ReadError, Seal, WriteError, field};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::text;

/// `H` of an STL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlHeader {
    /// Institution, platform, day and seq, as the file's name says them.
    pub name: FileName,
    /// S lines.
    pub settled: u32,
    /// C lines.
    pub carried: u32,
    /// Σ amount of S in fen.
    pub total: Fen,
    /// When the day was first settled.
    pub created_at: Instant,
    /// The approvals bundle it was made under.
    pub approvals: Digest,
    /// The previous STL in the chain, [`Digest::ZERO`] for the very first.
    pub prev: Digest,
}

/// `I`: a file that this settlement takes in, once for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlInput {
    /// Its name: an SPL, an RTN or a final result.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Its total in fen.
    pub total: Fen,
}

/// The five sums that make up what a receiver gets or carries, fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StlSums {
    /// Lines of accepted splits.
    pub splits: Fen,
    /// Lines of accepted returns.
    pub returns: Fen,
    /// Fees that refunds left with the merchant; may be negative.
    pub debts: Fen,
    /// `carried_out` of the previous STL; may be negative.
    pub carried_in: Fen,
    /// What the listed results answered F or B.
    pub requeued: Fen,
}

impl StlSums {
    /// `splits − returns − debts + carried_in + requeued`, `None` beyond 64 bits.
    pub fn net(&self) -> Option<Fen> {
        self.splits
            .checked_sub(self.returns)?
            .checked_sub(self.debts)?
            .checked_add(self.carried_in)?
            .checked_add(self.requeued)
    }
}

/// `S`: money that the institution is to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlSettled {
    /// 1, 2, 3… over S.
    pub n: u32,
    /// Receiver key.
    pub receiver: String,
    /// The institution's number of the receiver.
    pub inst_receiver_no: String,
    /// Role.
    pub role: String,
    /// What it is made of; their net is the amount.
    pub sums: StlSums,
    /// O lines with a line for the receiver.
    pub order_count: u32,
    /// When it is due.
    pub settle_date: BusinessDay,
}

impl StlSettled {
    /// `{yyyyMMdd}{seq}{n}` in the file of this name.
    pub fn settlement_id(&self, file: &FileName) -> String {
        format!("{}{:04}{}", file.day, file.seq, self.n)
    }
}

/// Why money is carried instead of paid; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CarryReason {
    /// Not above 0.
    Negative,
    /// The bundle holds the receiver.
    Hold,
    /// Below the receiver's least amount.
    Below,
    /// Not due yet.
    Cycle,
}

impl CarryReason {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "NEGATIVE",
            Self::Hold => "HOLD",
            Self::Below => "BELOW",
            Self::Cycle => "CYCLE",
        }
    }

    /// The reason of this text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Negative, Self::Hold, Self::Below, Self::Cycle].into_iter().find(|r| r.as_str() == text)
    }
}

/// `C`: money carried to the next settlement; the net of its sums is `carried_out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StlCarried {
    /// Receiver key.
    pub receiver: String,
    /// What it is made of.
    pub sums: StlSums,
    /// Why it is not paid.
    pub reason: CarryReason,
}

/// One line between header and trailer: all I, then S and C sorted by receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StlRecord {
    /// I.
    Input(StlInput),
    /// S.
    Settled(StlSettled),
    /// C.
    Carried(StlCarried),
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    settled: u32,
    carried: u32,
    total: Fen,
    last: Option<String>,
}

impl Tally {
    fn take(&mut self, record: &StlRecord) -> Option<String> {
        let receiver = match record {
            StlRecord::Input(_) => {
                return self.last.is_some().then(|| "I lines before all S and C".to_owned());
            }
            StlRecord::Settled(s) => {
                self.settled = self.settled.saturating_add(1);
                self.total = s.sums.net().and_then(|net| self.total.checked_add(net)).unwrap_or(self.total);
                if s.n != self.settled {
                    return Some(format!("n = {}", self.settled));
                }
                &s.receiver
            }
            StlRecord::Carried(c) => {
                self.carried = self.carried.saturating_add(1);
                &c.receiver
            }
        };
        let ascending = self.last.as_ref().is_none_or(|last| last < receiver);
        self.last = Some(receiver.clone());
        (!ascending).then(|| "each receiver once, ascending".to_owned())
    }
}

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
            self.faults.push(self.lines.unsealed());
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
        if let Some(expected) = self.tally.take(&record) {
            self.faults.push(self.lines.broken(&expected, text));
        }
        if self.tally.settled.saturating_add(self.tally.carried) > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 receivers", "more").into());
        }
        Ok(Some(record))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<5>(text, '|').and_then(|[_, settled, carried, total, sha256]| {
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
        field::split::<14>(text, '|')
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

fn parse(text: &str, file: &FileName) -> Option<StlRecord> {
    match text.split_once('|')?.0 {
        "I" => parse_input(text).map(StlRecord::Input),
        "S" => parse_settled(text, file).map(StlRecord::Settled),
        "C" => parse_carried(text).map(StlRecord::Carried),
        _ => None,
    }
}

fn parse_input(text: &str) -> Option<StlInput> {
    let [_, name, sha256, total] = field::split::<4>(text, '|')?;
    let known = FileName::parse(name).is_some() || super::ResultName::parse(name).is_some();
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
    ] = field::split::<14>(text, '|')?;
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
        field::split::<9>(text, '|')?;
    let carried = StlCarried {
        receiver: receiver.to_owned(),
        sums: parse_sums([splits, returns, debts, carried_in, requeued])?,
        reason: CarryReason::parse(reason)?,
    };
    let sound = text::is_receiver(receiver) && carried.sums.net() == Some(field::signed_total(out)?);
    sound.then_some(carried)
}

/// Writes an STL. The header, written first, states counts and total; [`Self::finish`] refuses when they were wrong.
pub struct StlWriter<W> {
    sheet: Sheet<W>,
    header: StlHeader,
    tally: Tally,
}

impl<W: Write> StlWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: StlHeader) -> Result<Self, WriteError> {
        let StlHeader { name, settled, carried, total, created_at, approvals, prev } = &header;
        let FileName { kind, inst, plat, day, seq } = name;
        require(*kind == FileKind::Stl, "not the name of an STL")?;
        require(settled.saturating_add(*carried) <= MAX_ORDERS, "more than 100000 receivers")?;
        let total = total.get();
        let mut sheet = Sheet::new(out);
        sheet.line(
            format_args!(
                "H|SSF1|STL|{inst}|{plat}|{day}|{seq:04}|CNY|{settled}|{carried}|{total}|{created_at}|{approvals}|{prev}"
            ),
            |_| true,
        )?;
        Ok(Self { sheet, header, tally: Tally::default() })
    }

    /// Writes one I, S or C. Refuses what a reader would refuse.
    pub fn record(&mut self, record: &StlRecord) -> Result<(), WriteError> {
        if let Some(expected) = self.tally.take(record) {
            return Err(WriteError::Refused(format!("expected {expected}")));
        }
        let file = &self.header.name;
        let same = |text: &str| parse(text, file).as_ref() == Some(record);
        match record {
            StlRecord::Input(StlInput { name, digest, total }) => {
                self.sheet.line(format_args!("I|{name}|{digest}|{}", total.get()), same)
            }
            StlRecord::Settled(s) => {
                let StlSettled { n, receiver, inst_receiver_no, role, sums, order_count, settle_date } = s;
                let (id, sums, net) = (s.settlement_id(file), join(sums), net(sums)?);
                self.sheet.line(
                    format_args!(
                        "S|{n}|{id}|{receiver}|{inst_receiver_no}|{role}|{sums}|{net}|{order_count}|{settle_date}"
                    ),
                    same,
                )
            }
            StlRecord::Carried(StlCarried { receiver, sums, reason }) => {
                let (sums, net, reason) = (join(sums), net(sums)?, reason.as_str());
                self.sheet.line(format_args!("C|{receiver}|{sums}|{net}|{reason}"), same)
            }
        }
    }

    /// Writes the trailer; gives the sink back and the digest of the whole file.
    pub fn finish(self) -> Result<(W, Digest), WriteError> {
        let Tally { settled, carried, total, .. } = self.tally;
        let stated = (self.header.settled, self.header.carried, self.header.total);
        require(stated == (settled, carried, total), "the header states other counts or totals")?;
        self.sheet.finish(format_args!("{settled}|{carried}|{}", total.get()))
    }
}

fn join(sums: &StlSums) -> String {
    let StlSums { splits, returns, debts, carried_in, requeued } = sums;
    [splits, returns, debts, carried_in, requeued].map(|fen| fen.get().to_string()).join("|")
}

fn net(sums: &StlSums) -> Result<i64, WriteError> {
    let net = sums.net().ok_or_else(|| WriteError::Refused("sums beyond 64 bits".to_owned()))?;
    Ok(net.get())
}
