//! Writing an SPL.
use std::io::Write;

use super::{SplHeader, SplRecord, Tally};
use crate::digest::Digest;
use crate::file::sheet::{Sheet, require};
use crate::file::{FileKind, FileName, MAX_ORDERS, WriteError};

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
        let sound = |_: &str| record.is_sound();
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
                sound,
            ),
            SplRecord::Line(l) => {
                let amount = l.amount.get();
                self.sheet
                    .line(format_args!("L|{}|{}|{}|{}|{amount}", l.n, l.path, l.role, l.receiver), sound)
            }
            SplRecord::Unsplit(x) => {
                let (paid, reason) = (x.paid.get(), x.reason.as_str());
                self.sheet.line(
                    format_args!(
                        "X|{}|{}|{}|{}|{paid}|{reason}",
                        x.n, x.order_no, x.inst_order_no, x.paid_at
                    ),
                    sound,
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
