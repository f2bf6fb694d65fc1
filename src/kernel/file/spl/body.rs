//! Writing an SPL whose totals are known last: its body first, then header, body and trailer in one pass.
use std::io::{Read, Write};

use super::shares::push_share;
use super::{SplHeader, SplLine, SplOrder, SplRecord, SplUnsplit, Tally};
use crate::calendar::Instant;
use crate::digest::{Digest, Hasher};
use crate::file::{FileKind, FileName, MAX_LINE_BYTES, MAX_ORDERS, WriteError};
use crate::money::Fen;

/// Writes records between header and trailer, and counts them. Refuses what a reader would refuse.
#[derive(Default)]
pub struct SplBody {
    tally: Tally,
    times: Times,
}

impl SplBody {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// O and X so far.
    pub const fn orders(&self) -> u32 {
        self.tally.orders
    }

    /// L so far.
    pub const fn lines(&self) -> u32 {
        self.tally.lines
    }

    /// Σ L so far, fen.
    pub const fn total(&self) -> Fen {
        self.tally.total
    }

    /// Appends one O, L or X to `out`.
    pub fn record(&mut self, out: &mut Vec<u8>, record: &SplRecord<'_>) -> Result<(), WriteError> {
        let total = self.tally.total;
        if let Some((_, expected)) = self.tally.take(record) {
            return Err(WriteError::Refused(format!("expected {expected}")));
        }
        if let SplRecord::Line(line) = record
            && total.checked_add(line.amount).is_none()
        {
            return Err(WriteError::Refused("a total beyond 64 bits".to_owned()));
        }
        let begin = out.len();
        if !record.is_sound() || self.tally.is_beyond_limits() {
            return Err(WriteError::Refused(format!("a field does not fit its place: {record:?}")));
        }
        match record {
            SplRecord::Order(order) => push_order(out, order, &mut self.times),
            SplRecord::Line(line) => push_line(out, line),
            SplRecord::Unsplit(unsplit) => push_unsplit(out, unsplit, &mut self.times),
        }
        if out.len().saturating_sub(begin) > MAX_LINE_BYTES {
            return Err(WriteError::Refused(format!("a line of more than {MAX_LINE_BYTES} bytes")));
        }
        out.push(b'\n');
        Ok(())
    }

    /// Whether the last order has all the lines that it announced.
    pub const fn is_whole(&self) -> bool {
        self.tally.missing == 0
    }
}

/// Writes header, the body as [`SplBody`] made it, and trailer; gives the sink back and the digest of the whole file.
pub fn seal<W: Write>(
    header: &SplHeader,
    mut body: impl Read,
    mut out: W,
) -> Result<(W, Digest), WriteError> {
    let SplHeader { name, orders, lines, total, created_at, approvals, prev } = header;
    let FileName { kind, inst, plat, day, seq } = name;
    if *kind != FileKind::Spl || *orders > MAX_ORDERS {
        return Err(WriteError::Refused("not an SPL of at most 100000 orders".to_owned()));
    }
    let (mut hasher, total) = (Hasher::new(), total.get());
    let head = format!(
        "H|SSF1|SPL|{inst}|{plat}|{day}|{seq:04}|CNY|{orders}|{lines}|{total}|{created_at}|{approvals}|{prev}\n"
    );
    hasher.update(head.as_bytes());
    out.write_all(head.as_bytes())?;
    let mut piece = vec![0; 1 << 18];
    loop {
        let read = body.read(&mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        out.write_all(bytes)?;
    }
    let tail = format!("T|{orders}|{lines}|{total}|{}\n", hasher.clone().finish());
    hasher.update(tail.as_bytes());
    out.write_all(tail.as_bytes())?;
    out.flush()?;
    Ok((out, hasher.finish()))
}

fn push_order(out: &mut Vec<u8>, o: &SplOrder<'_>, times: &mut Times) {
    out.extend_from_slice(b"O|");
    push_number(out, i64::from(o.n));
    for text in [o.order_no, o.inst_order_no, o.merchant, o.channel, o.product, o.tags, o.parties] {
        push_text(out, text);
    }
    times.push(out, o.paid_at);
    for fen in [o.paid, o.fee, o.subsidy] {
        out.push(b'|');
        push_number(out, fen.get());
    }
    push_text(out, o.rule);
    out.push(b'|');
    push_number(out, o.version);
    out.push(b'|');
    push_number(out, i64::from(o.lines));
}

fn push_line(out: &mut Vec<u8>, l: &SplLine<'_>) {
    out.extend_from_slice(b"L|");
    push_number(out, i64::from(l.n));
    out.push(b'|');
    push_share(out, l);
}

fn push_unsplit(out: &mut Vec<u8>, x: &SplUnsplit<'_>, times: &mut Times) {
    out.extend_from_slice(b"X|");
    push_number(out, i64::from(x.n));
    push_text(out, x.order_no);
    push_text(out, x.inst_order_no);
    times.push(out, x.paid_at);
    out.push(b'|');
    push_number(out, x.paid.get());
    push_text(out, x.reason.as_str());
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'|');
    out.extend_from_slice(text.as_bytes());
}

/// A number that is not negative, in digits.
pub(super) fn push_number(out: &mut Vec<u8>, number: i64) {
    let (mut digits, mut rest, mut at) = ([b'0'; 20], number.unsigned_abs(), 20_usize);
    loop {
        at = at.saturating_sub(1);
        if let (Some(place), Ok(digit)) = (digits.get_mut(at), u8::try_from(rest % 10)) {
            *place = b'0'.saturating_add(digit);
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Writes times; the date is worked out once for all orders of its day.
#[derive(Default)]
struct Times {
    midnight: Option<Instant>,
    date: Vec<u8>,
}

impl Times {
    /// `|yyyy-MM-ddTHH:mm:ss+08:00`.
    fn push(&mut self, out: &mut Vec<u8>, at: Instant) {
        let since = |midnight: Instant| at.get().saturating_sub(midnight.get());
        let of_today = |midnight: &Instant| (0..86_400).contains(&since(*midnight));
        let midnight = self.midnight.filter(of_today).unwrap_or_else(|| {
            self.date.clear();
            self.date.extend_from_slice(at.to_cst().as_bytes().get(..11).unwrap_or_default());
            at.business_day().start()
        });
        self.midnight = Some(midnight);
        let seconds = since(midnight);
        out.push(b'|');
        out.extend_from_slice(&self.date);
        for (i, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
            if i > 0 {
                out.push(b':');
            }
            if part < 10 {
                out.push(b'0');
            }
            push_number(out, part);
        }
        out.extend_from_slice(b"+08:00");
    }
}
