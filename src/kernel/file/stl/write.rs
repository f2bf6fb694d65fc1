//! Writing an STL.
use std::io::Write;

use super::read::parse;
use super::{StlCarried, StlHeader, StlInput, StlRecord, StlSettled, StlSums, Tally};
use crate::digest::Digest;
use crate::file::sheet::{Sheet, require};
use crate::file::{FileKind, FileName, MAX_ORDERS, WriteError};

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
        if let Some((_, expected)) = self.tally.take(record) {
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
