//! What the institution's files do when they come in, and the states that follow from its results.
use std::collections::BTreeMap;

use super::{KIND, books, store};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::exchange::{self, Answer, ExchangedFile, Imported, ImportedResult, Incoming, ResultLine};
use crate::institutions::Institution;
use crate::kernel::file::{FileKind, FileName};
use crate::kernel::money::Fen;
use crate::kernel::state::{FileState, SettlementState};
use crate::{rules, splits};

/// What a file that came in was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An approvals bundle: it is in force.
    Approvals,
    /// The institution's own bill.
    Bill,
    /// A result of this file of ours.
    Result(String),
    /// The very same file again: nothing was done.
    Again,
}

/// Takes one file of the institution in, all or nothing; what it is, its name says.
pub fn receive(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Received, Error> {
    match FileName::parse(&incoming.name).map(|name| name.kind) {
        Some(FileKind::Apr) => match exchange::import_approvals(tx, institution, incoming, now)? {
            Imported::Again => Ok(Received::Again),
            Imported::New((_, bundle)) => {
                rules::keep(tx, InstitutionId::new(institution.id), &bundle)?;
                Ok(Received::Approvals)
            }
        },
        Some(FileKind::Bil) => match exchange::import_bill(tx, institution, incoming, now)? {
            Imported::Again => Ok(Received::Again),
            Imported::New(_) => Ok(Received::Bill),
        },
        Some(FileKind::Spl | FileKind::Rtn | FileKind::Stl) => {
            let detail = format!("E_FORMAT: {} is a kind of file that the platform publishes", incoming.name);
            Err(Error::refused(Code::FileFormat, detail))
        }
        None => receive_result(tx, institution, incoming, now),
    }
}

fn receive_result(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Received, Error> {
    match exchange::import_result(tx, institution, incoming, now)? {
        Imported::Again => Ok(Received::Again),
        Imported::New(imported) => {
            if imported.result.stage == "FINAL" {
                answers_lines(tx, &imported)?;
            }
            books::answered(tx, &imported, &incoming.name, now)?;
            if imported.result.stage == "FIRST" && imported.answered.kind == "SPL" {
                let day = books::business_day(imported.answered.business_date)?;
                splits::list_unsplit(tx, InstitutionId::new(institution.id), day)?;
            }
            Ok(Received::Result(imported.answered.name))
        }
    }
}

/// Every line of a FINAL answers a line of the file, with its amount, in a state that may become this one.
fn answers_lines(tx: &mut Tx<'_>, imported: &ImportedResult) -> Result<(), Error> {
    let amounts = if imported.answered.kind == KIND {
        settled_amounts(tx, imported.answered.id)?
    } else {
        splits::order_amounts(tx, &imported.answered)?
    };
    let refuse = |line: &ResultLine, why: &str| {
        let detail = format!("{}: line {} {why}", imported.answered.name, line.n);
        Err(Error::refused(Code::ResultContradicts, detail))
    };
    for line in &imported.lines {
        match amounts.get(&line.n) {
            None => return refuse(line, "is no line of it that can be executed"),
            Some(amount) if line.status == "S" && Fen::new(line.amount) != *amount => {
                return refuse(
                    line,
                    &format!("succeeded with {} instead of {} fen", line.amount, amount.get()),
                );
            }
            Some(_) => {}
        }
    }
    fold_states(tx, imported.answered.id).map(|_| ())
}

fn settled_amounts(tx: &mut Tx<'_>, stl: i64) -> Result<BTreeMap<i32, Fen>, Error> {
    let lines = store::lines(tx, stl)?;
    Ok(lines
        .into_iter()
        .filter(|line| line.kind == "S")
        .map(|line| (line.n, Fen::new(line.amount)))
        .collect())
}

/// Where a file stands.
pub fn file_state(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<FileState, Error> {
    match exchange::answer(tx, file.id)? {
        Answer::None => Ok(FileState::Published),
        Answer::Void(_) => Ok(FileState::Rejected),
        Answer::Accepted => {
            let expected = if file.kind == KIND { file.orders } else { splits::split_count(tx, file)? };
            let finals = exchange::results_of(tx, file.id)?.iter().any(|result| result.stage == "FINAL");
            let states = fold_states(tx, file.id)?;
            let answered = i64::try_from(states.len()).unwrap_or(i64::MAX);
            // Every order of an SPL must stand as succeeded; of an STL a failed line has come to its end, it is requeued.
            let ended = if file.kind == KIND {
                states.values().all(|state| !matches!(state, SettlementState::Pending))
            } else {
                states.values().all(|state| matches!(state, SettlementState::Success))
            };
            let executed = finals && answered == expected && ended;
            Ok(if executed { FileState::Executed } else { FileState::Accepted })
        }
    }
}

/// Whether the institution refused a file for good.
pub(super) fn is_void(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<bool, Error> {
    Ok(matches!(exchange::answer(tx, file.id)?, Answer::Void(_)))
}

/// Where each answered line of a file stands; a line that no FINAL speaks of is `SENT`.
pub fn line_states(tx: &mut Tx<'_>, file: i64) -> Result<BTreeMap<i32, SettlementState>, Error> {
    fold_states(tx, file)
}

fn fold_states(tx: &mut Tx<'_>, file: i64) -> Result<BTreeMap<i32, SettlementState>, Error> {
    let mut states = BTreeMap::new();
    for said in store::said(tx, file)? {
        let to = match said.status.as_str() {
            "S" => SettlementState::Success,
            "F" => SettlementState::Failed,
            "P" => SettlementState::Pending,
            "B" => SettlementState::Bounced,
            other => return Err(Error::Internal(format!("unknown status {other}"))),
        };
        let state = states.entry(said.n).or_insert(SettlementState::Sent);
        if !state.may_become(to) {
            let detail = format!("line {}: {} cannot become {}", said.n, state.as_str(), to.as_str());
            return Err(Error::refused(Code::ResultContradicts, detail));
        }
        *state = to;
    }
    Ok(states)
}
