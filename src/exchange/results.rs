//! Results (`files.md`, "Results"): the only evidence that moves a file's or a line's state.
use super::import::{Imported, Incoming, admit, incoming_file, sound, unreadable};
use super::result_store::{self, FileResult, NewResult, ResultLine};
use super::store::{self, ExchangedFile, NewFile};
use super::{AnswerStage, Direction, row_number, standing};
use crate::clock::micros;
use crate::db::Tx;
use crate::db::columns::{As, InstitutionId, ResultId};
use crate::error::{Code, Error};
use crate::institutions::{Institution, Purpose, ResultEncoding};
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetReader};
use crate::kernel::file::{ResultName, Stage};
use crate::kernel::state::FileState;

/// A result that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedResult {
    /// The file that it answers.
    pub answered: ExchangedFile,
    /// The result.
    pub result: FileResult,
    /// Its R lines.
    pub lines: Vec<ResultLine>,
}

/// Takes a result in, of an SPL or STL of ours. What its lines mean for the answered file is the caller's to check
/// in the same transaction.
pub fn import_result(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Imported<ImportedResult>, Error> {
    let name = ResultName::parse(&incoming.name).ok_or_else(|| {
        Error::refused(Code::FileFormat, format!("E_FORMAT: {} is not the name of a result", incoming.name))
    })?;
    let asks_again = again_name(&incoming.name, &incoming.digest());
    if store::by_name(tx, institution.id, &asks_again)?.is_some() {
        return Ok(Imported::Again);
    }
    let Some(digest) = admit(tx, institution, incoming, (Purpose::Files, now))? else {
        return Ok(Imported::Again);
    };
    let answered = store::by_name(tx, institution.id, &name.file.to_string())?
        .filter(|file| file.direction == Direction::Out)
        .ok_or_else(|| {
            let detail = format!("E_FORMAT: {} answers a file that was never published", incoming.name);
            Error::refused(Code::ResultUnknownFile, detail)
        })?;
    let (header, mut lines) = read(institution, incoming)?;
    fits(&header, &name, &answered, incoming)?;
    in_turn(tx, &answered, &name, &header, &incoming.name)?;
    let mut new = NewFile {
        orders: 0,
        lines: i64::from(header.lines),
        total: header.success_total,
        created_at: micros(header.created_at),
        ..incoming_file(institution, incoming, &name.file, &digest, now)
    };
    if name.stage == Stage::First && header.code != RetCode::Accepted && !header.code.makes_void() {
        // The same bytes are asked for again: the name stays free for the answer to them.
        new.name = asks_again;
    }
    let ret = store::record(tx, &new)?;
    let seq = match name.stage {
        // Those that asked for the same bytes again come before the one that answers.
        Stage::First => row_number(result_store::results_of(tx, answered.id)?.len())?,
        Stage::Final(seq) => i32::from(seq),
    };
    let new = NewResult {
        file_id: answered.id,
        ret_file_id: ret.id,
        stage: As(AnswerStage::from(name.stage)),
        seq,
        code: As(header.code),
        lines: i64::from(header.lines),
        success_total: As(header.success_total),
        created_at: ret.created_at,
        imported_at: now,
    };
    let result = result_store::add_result(tx, &new, &mut lines)?;
    standing::weigh_again(tx, answered.id)?;
    Ok(Imported::New(ImportedResult { answered, result, lines }))
}

/// The name under which an answer is recorded that only asks for the same bytes again.
fn again_name(name: &str, digest: &Digest) -> String {
    let digest = digest.to_string();
    format!("{name}@{}", digest.get(..16).unwrap_or_default())
}

/// The name under which an incoming file is recorded, and lies in `taken/`: an answer that only asks for the same bytes
/// again leaves its own name to the answer to them.
pub(super) fn recorded_name(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    incoming: &Incoming,
) -> Result<String, Error> {
    let again = again_name(&incoming.name, &incoming.digest());
    let known = store::by_name(tx, institution, &again)?;
    Ok(known.map_or_else(|| incoming.name.clone(), |file| file.name))
}

fn read(institution: &Institution, incoming: &Incoming) -> Result<(RetHeader, Vec<ResultLine>), Error> {
    let encoding = match institution.result_encoding {
        ResultEncoding::Gb18030 => RetEncoding::Gb18030,
        ResultEncoding::Ascii => RetEncoding::Utf8,
    };
    let broken = |e| unreadable(&incoming.name, e);
    let mut reader = RetReader::new(incoming.bytes(), encoding).map_err(broken)?;
    let header = reader.header().clone();
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line().map_err(broken)? {
        lines.push(row(&line)?);
    }
    sound(&incoming.name, reader.finish())?;
    Ok((header, lines))
}

fn row(line: &RetLine<'_>) -> Result<ResultLine, Error> {
    Ok(ResultLine {
        file_result_id: ResultId::new(0),
        n: i32::try_from(line.n).map_err(|_| Error::Internal("a result line's number".into()))?,
        status: line.status,
        amount: line.amount,
        inst_serial: line.inst_serial.to_string(),
        path: line.path.to_string(),
        done_at: line.done_at.map(|at| at.to_cst()).unwrap_or_default(),
        err_code: line.err_code.to_string(),
        err_msg: line.err_msg.to_string(),
    })
}

/// Name, header and answered file agree.
fn fits(
    header: &RetHeader,
    name: &ResultName,
    answered: &ExchangedFile,
    incoming: &Incoming,
) -> Result<(), Error> {
    if header.name != *name {
        let (file, stage) = (&header.name.file, header.name.stage.word());
        let detail = format!("E_FORMAT: {}: its header names {file} {stage}", incoming.name);
        return Err(Error::refused(Code::FileFormat, detail));
    }
    if header.file_digest != answered.sha256 {
        let detail =
            format!("E_DIGEST: {} answers other bytes than the published {}", incoming.name, answered.name);
        return Err(Error::refused(Code::FileDigest, detail));
    }
    Ok(())
}

/// One FIRST, then the FINAL ones 1, 2, 3… of an accepted file.
fn in_turn(
    tx: &mut Tx<'_>,
    answered: &ExchangedFile,
    name: &ResultName,
    header: &RetHeader,
    told: &str,
) -> Result<(), Error> {
    let state = standing::file_state(tx, answered.id)?;
    let refuse = |why: &str| Err(Error::refused(Code::ResultOutOfTurn, format!("{told}: {why}")));
    match name.stage {
        Stage::First if header.lines > 0 => refuse("a FIRST has no R lines"),
        Stage::First if state != FileState::Published => refuse("the file has been answered already"),
        Stage::First => Ok(()),
        Stage::Final(_) if !state.is_taken() => refuse("the file has not been accepted"),
        Stage::Final(_) if header.code != RetCode::Accepted => refuse("a FINAL says ACCEPTED"),
        Stage::Final(seq) => {
            let finals = result_store::results_of(tx, answered.id)?
                .iter()
                .filter(|r| r.stage == AnswerStage::Final)
                .count();
            if usize::from(seq) == finals.saturating_add(1) {
                Ok(())
            } else {
                refuse("the final results before it have not been imported")
            }
        }
    }
}
