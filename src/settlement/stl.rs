//! Rows of the database and the STL that tells them: the same bytes whenever it is written.
use std::fs::File;
use std::io::{BufWriter, Write};

use super::store::{self, Input, LineKind, SettlementLine};
use crate::clock::instant;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{ExchangedFile, broken_record};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::file::FileName;
use crate::kernel::file::stl::{StlCarried, StlHeader, StlInput, StlRecord, StlSettled, StlSums, StlWriter};
use crate::kernel::money::Fen;

/// The header of a settlement of these lines.
pub(super) fn header(
    name: FileName,
    created_at: Instant,
    approvals: Digest,
    prev: Digest,
    lines: &[SettlementLine],
) -> Result<StlHeader, Error> {
    let settled = || lines.iter().filter(|line| line.kind == LineKind::Settled);
    let total = Fen::sum(settled().map(|line| line.amount)).ok_or_else(broken)?;
    let count = settled().count();
    Ok(StlHeader {
        name,
        settled: u32::try_from(count).map_err(|_| broken())?,
        carried: u32::try_from(lines.len().saturating_sub(count)).map_err(|_| broken())?,
        total,
        created_at,
        approvals,
        prev,
    })
}

/// Writes a settlement and puts it on disk; gives its digest and size.
pub(super) fn write(
    out: File,
    header: &StlHeader,
    inputs: &[Input],
    lines: &[SettlementLine],
) -> Result<(Digest, i64), Error> {
    let mut writer = StlWriter::new(BufWriter::new(out), header.clone()).map_err(broken_record)?;
    for input in inputs {
        let record =
            StlRecord::Input(StlInput { name: input.name.clone(), digest: input.sha256, total: input.total });
        writer.record(&record).map_err(broken_record)?;
    }
    for line in lines {
        writer.record(&record(line)?).map_err(broken_record)?;
    }
    let (mut out, digest) = writer.finish().map_err(broken_record)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    let size = i64::try_from(out.get_ref().metadata()?.len()).unwrap_or(i64::MAX);
    Ok((digest, size))
}

/// Writes a recorded settlement again from its rows.
pub(super) fn write_recorded(tx: &mut Tx<'_>, file: &ExchangedFile, out: File) -> Result<Digest, Error> {
    let inputs = store::inputs(tx, file.id, file.institution_id)?;
    let mut lines = store::lines(tx, file.id)?;
    lines.sort_unstable_by(|a, b| a.receiver.cmp(&b.receiver));
    let name = FileName::parse(&file.name).ok_or_else(broken)?;
    let (approvals, prev) =
        (file.approvals_sha256.ok_or_else(broken)?, file.previous_sha256.ok_or_else(broken)?);
    let header = header(name, instant(file.created_at), approvals, prev, &lines)?;
    Ok(write(out, &header, &inputs, &lines)?.0)
}

fn record(line: &SettlementLine) -> Result<StlRecord, Error> {
    let Some(reason) = line.reason else { return settled(line).map(StlRecord::Settled) };
    Ok(StlRecord::Carried(StlCarried { receiver: line.receiver.clone(), sums: sums(line), reason }))
}

fn settled(line: &SettlementLine) -> Result<StlSettled, Error> {
    Ok(StlSettled {
        n: u32::try_from(line.n).map_err(|_| broken())?,
        receiver: line.receiver.clone(),
        inst_receiver_no: line.inst_receiver_no.clone().ok_or_else(broken)?,
        role: line.role.clone().ok_or_else(broken)?,
        sums: sums(line),
        order_count: u32::try_from(line.order_count).map_err(|_| broken())?,
        settle_date: line.settle_date.ok_or_else(broken)?,
    })
}

fn sums(line: &SettlementLine) -> StlSums {
    StlSums {
        splits: line.splits,
        returns: line.returns,
        debts: line.debts,
        carried_in: line.carried_in,
        requeued: line.requeued,
    }
}

/// The number of an S line in the file of this name.
pub(super) fn settlement_id(line: &SettlementLine, name: &FileName) -> Result<String, Error> {
    Ok(settled(line)?.settlement_id(name))
}

fn broken() -> Error {
    Error::Internal("a settlement is not stored as a file can hold it".into())
}
