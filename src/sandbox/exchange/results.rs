//! The institution's signed results: `{name}.first.ret`, and `{name}.final.0001.ret` of what it accepted.
use std::fs::File;
use std::io::BufReader;

use super::store::Taken;
use crate::kernel::calendar::Instant;
use crate::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetStatus, RetWriter};
use crate::kernel::file::spl::{SplReader, SplRecord};
use crate::kernel::file::stl::{StlReader, StlRecord};
use crate::kernel::file::{FileKind, FileName, ResultName, Stage};
use crate::kernel::money::Fen;
use crate::sandbox::{Sandbox, SandboxError};

/// How the sandbox pays: it books from one account of its own to another.
const BOOKED: &str = "BOOK";

/// Writes the results of an answered file that are not there yet.
pub(super) fn publish(sandbox: &Sandbox, taken: &Taken) -> Result<(), SandboxError> {
    let first = name(taken, Stage::First)?.to_string();
    if !sandbox.is_published(&first) {
        sandbox.publish(&first, &self::first(taken)?)?;
    }
    let done = name(taken, Stage::Final(1))?;
    if taken.code == RetCode::Accepted.as_str() && !sandbox.is_published(&done.to_string()) {
        let amounts = amounts(sandbox, taken, done.file.kind)?;
        sandbox.publish(&done.to_string(), &write(taken, Stage::Final(1), &amounts)?)?;
    }
    Ok(())
}

/// The FIRST result of an answered file: always the same bytes.
pub(super) fn first(taken: &Taken) -> Result<Vec<u8>, SandboxError> {
    write(taken, Stage::First, &[])
}

/// The name of a result.
pub(super) fn name(taken: &Taken, stage: Stage) -> Result<ResultName, SandboxError> {
    let file = FileName::parse(&taken.name)
        .ok_or_else(|| SandboxError::Internal(format!("{}: not a file name", taken.name)))?;
    Ok(ResultName { file, stage })
}

/// Number and amount of every line of which news is told: an SPL's orders, an STL's settlements.
fn amounts(sandbox: &Sandbox, taken: &Taken, kind: FileKind) -> Result<Vec<(u32, Fen)>, SandboxError> {
    let unreadable =
        |error: &dyn std::fmt::Display| SandboxError::Internal(format!("{}: {error}", taken.name));
    let kept = BufReader::new(File::open(sandbox.kept().join(&taken.name))?);
    let mut amounts: Vec<(u32, Fen)> = Vec::new();
    if kind == FileKind::Stl {
        let mut reader = StlReader::new(kept).map_err(|error| unreadable(&error))?;
        while let Some(record) = reader.next_record().map_err(|error| unreadable(&error))? {
            if let StlRecord::Settled(line) = record {
                let amount = line.sums.net().ok_or_else(|| unreadable(&"an amount overflows"))?;
                amounts.push((line.n, amount));
            }
        }
        return Ok(amounts);
    }
    let mut reader = SplReader::new(kept).map_err(|error| unreadable(&error))?;
    while let Some(record) = reader.next_record().map_err(|error| unreadable(&error))? {
        match record {
            SplRecord::Order(order) => amounts.push((order.n, Fen::ZERO)),
            SplRecord::Line(line) => {
                let last = amounts.last_mut().filter(|(n, _)| *n == line.n);
                let (_, sum) = last.ok_or_else(|| unreadable(&"a line without its order"))?;
                *sum = sum.checked_add(line.amount).ok_or_else(|| unreadable(&"an amount overflows"))?;
            }
            SplRecord::Unsplit(_) => {}
        }
    }
    Ok(amounts)
}

fn write(taken: &Taken, stage: Stage, amounts: &[(u32, Fen)]) -> Result<Vec<u8>, SandboxError> {
    let unwritable =
        |error: &dyn std::fmt::Display| SandboxError::Internal(format!("result of {}: {error}", taken.name));
    let (name, at) = (name(taken, stage)?, Instant::new(taken.answered_at));
    let serial = format!("SB{}{:04}", name.file.day, name.file.seq);
    let total = Fen::sum(amounts.iter().map(|(_, amount)| *amount));
    let header = RetHeader {
        name,
        file_digest: taken.sha256.parse().map_err(|_| unwritable(&"not a digest"))?,
        code: RetCode::parse(&taken.code).ok_or_else(|| unwritable(&"not a code"))?,
        lines: u32::try_from(amounts.len()).unwrap_or(u32::MAX),
        success_total: total.ok_or_else(|| unwritable(&"the total overflows"))?,
        created_at: at,
    };
    let mut writer =
        RetWriter::new(Vec::new(), RetEncoding::Utf8, header).map_err(|error| unwritable(&error))?;
    for (n, amount) in amounts {
        let line = RetLine {
            n: *n,
            status: RetStatus::Success,
            amount: *amount,
            inst_serial: format!("{serial}{n:06}").into(),
            path: BOOKED.into(),
            done_at: Some(at),
            err_code: "".into(),
            err_msg: "".into(),
        };
        writer.line(&line).map_err(|error| unwritable(&error))?;
    }
    Ok(writer.finish().map_err(|error| unwritable(&error))?.0)
}
