//! A bill that is not sorted, put in the order of the day's files: runs as large as the bound, sorted, and merged.
use std::io::{self, BufRead, Cursor, Write};

use super::bills::Row;
use super::front::{Key, Stream};
use super::pile::{length, read_record, records};
use super::{Bounds, Scratch};
use crate::file::bil;

/// Takes orders in any order.
pub(super) struct Sorter<'s> {
    scratch: &'s dyn Scratch,
    bounds: Bounds,
    memory: Vec<u8>,
    text: String,
    runs: Vec<Box<dyn BufRead>>,
}

impl<'s> Sorter<'s> {
    pub fn new(scratch: &'s dyn Scratch, bounds: Bounds) -> Self {
        Self { scratch, bounds, memory: Vec::new(), text: String::new(), runs: Vec::new() }
    }

    /// Takes an order in.
    pub fn push(&mut self, row: &Row) -> io::Result<()> {
        self.text.clear();
        bil::push_order(&mut self.text, &row.order);
        let head =
            Head { paid_at: row.order.facts.paid_at.get(), bill: row.bill, line: row.line, late: row.late };
        let head = head.bytes();
        self.memory.extend_from_slice(&length(head.len().saturating_add(self.text.len())));
        self.memory.extend_from_slice(&head);
        self.memory.extend_from_slice(self.text.as_bytes());
        if self.memory.len() <= self.bounds.memory {
            return Ok(());
        }
        let mut piece = self.scratch.piece()?;
        write_sorted(&self.memory, &mut piece)?;
        self.memory.clear();
        self.runs.push(piece.read()?);
        Ok(())
    }

    /// The runs, each sorted in itself and standing at its first order.
    pub fn finish(mut self) -> io::Result<Vec<Rows>> {
        let mut rest = Vec::with_capacity(self.memory.len());
        write_sorted(&self.memory, &mut rest)?;
        self.runs.push(Box::new(Cursor::new(rest)));
        let rows = |source| {
            let mut rows = Rows { source, record: Vec::new(), row: Row::blank(0, false), ended: false };
            rows.advance().map(|()| rows)
        };
        self.runs.into_iter().map(rows).collect()
    }
}

fn write_sorted(memory: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<(i64, &[u8])> = records(memory)
        .filter_map(|record| Head::read(record).map(|(head, _)| (head.paid_at, record)))
        .collect();
    let number = |record| Head::read(record).and_then(|(_, text)| text.split(|b| *b == b'|').nth(1));
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| number(a.1).cmp(&number(b.1))));
    for (_, record) in all {
        out.write_all(&length(record.len()))?;
        out.write_all(record)?;
    }
    out.flush()
}

/// What stands before an order's text.
struct Head {
    paid_at: i64,
    bill: u32,
    line: u64,
    late: bool,
}

impl Head {
    fn bytes(&self) -> [u8; 21] {
        let mut bytes = [0; 21];
        let (paid_at, bill, line) =
            (self.paid_at.to_le_bytes(), self.bill.to_le_bytes(), self.line.to_le_bytes());
        let all = paid_at.into_iter().chain(bill).chain(line).chain([u8::from(self.late)]);
        bytes.iter_mut().zip(all).for_each(|(byte, value)| *byte = value);
        bytes
    }

    fn read(record: &[u8]) -> Option<(Self, &[u8])> {
        let (paid_at, rest) = record.split_first_chunk()?;
        let (bill, rest) = rest.split_first_chunk()?;
        let (line, rest) = rest.split_first_chunk()?;
        let (late, text) = rest.split_first()?;
        let head = Self {
            paid_at: i64::from_le_bytes(*paid_at),
            bill: u32::from_le_bytes(*bill),
            line: u64::from_le_bytes(*line),
            late: *late == 1,
        };
        Some((head, text))
    }
}

/// The orders of one run.
pub(super) struct Rows {
    source: Box<dyn BufRead>,
    record: Vec<u8>,
    row: Row,
    ended: bool,
}

impl Rows {
    /// The order at which it stands.
    pub fn row(&self) -> Option<&Row> {
        (!self.ended).then_some(&self.row)
    }

    /// Goes to the next order.
    pub fn advance(&mut self) -> io::Result<()> {
        self.ended = !read_record(&mut self.source, &mut self.record)?;
        if self.ended {
            return Ok(());
        }
        let changed = || io::Error::new(io::ErrorKind::InvalidData, "what was put aside is changed");
        let (head, text) = Head::read(&self.record).ok_or_else(changed)?;
        let text = str::from_utf8(text).map_err(|_| changed())?;
        bil::read_order(text, &mut self.row.order).ok_or_else(changed)?;
        (self.row.bill, self.row.line, self.row.late) = (head.bill, head.line, head.late);
        Ok(())
    }
}

impl Stream for Rows {
    fn key(&self) -> Option<Key<'_>> {
        self.row().map(|row| (row.order.facts.paid_at, row.order.facts.inst_order_no.as_str()))
    }
}
