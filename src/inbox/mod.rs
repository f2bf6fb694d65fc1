//! What an institution sends, all or nothing: a bundle goes to the approvals and its rules are kept, its bill is kept as
//! evidence of the day, a result moves the state of our file and the books.
mod folder;
mod seen;
mod upload;

pub use folder::{Taking, changed, names, on_disk, take};
pub use seen::{Look, Seen};
pub use upload::upload;

use std::collections::BTreeMap;

use crate::db::Tx;
use crate::error::{Code, Error};
use crate::exchange::{
    self, AnswerStage, DocumentKind, ExchangedFile, Folder, Imported, ImportedResult, Incoming, ResultLine,
};
use crate::institutions::Institution;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::file::{FileKind, FileName};
use crate::kernel::money::Fen;
use crate::{approvals, rules, settlement, splits};

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

/// [`receive`], and keeps a copy of the file in the institution's `folder`: of what is in there, nobody has other bytes.
pub fn take_in(
    tx: &mut Tx<'_>,
    folder: &Folder,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Received, Error> {
    let received = receive(tx, institution, incoming, now)?;
    if received != Received::Again {
        exchange::keep(tx, institution.id, folder, incoming)?;
    }
    Ok(received)
}

/// Takes one file of the institution in, all or nothing; what it is, its name says.
pub fn receive(
    tx: &mut Tx<'_>,
    institution: &Institution,
    incoming: &Incoming,
    now: i64,
) -> Result<Received, Error> {
    match FileName::parse(&incoming.name).map(|name| name.kind) {
        Some(FileKind::Apr) => match approvals::import(tx, institution, incoming, now)? {
            Imported::Again => Ok(Received::Again),
            Imported::New((_, bundle)) => {
                rules::keep(tx, institution.id, &bundle)?;
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
            let ImportedResult { answered, result, .. } = &imported;
            if result.stage == AnswerStage::Final {
                answers_lines(tx, &imported)?;
            }
            settlement::answered(tx, &imported, &incoming.name, now)?;
            if result.stage == AnswerStage::First && answered.kind == DocumentKind::Spl {
                splits::list_unsplit(tx, answered.institution_id, answered.business_date)?;
            }
            Ok(Received::Result(imported.answered.name))
        }
    }
}

/// Every line of a FINAL answers a line of the file, with its amount; that its state may become this one was looked at
/// when it was recorded.
fn answers_lines(tx: &mut Tx<'_>, imported: &ImportedResult) -> Result<(), Error> {
    let amounts = amounts(tx, &imported.answered)?;
    let refuse = |line: &ResultLine, why: &str| {
        let detail = format!("{}: line {} {why}", imported.answered.name, line.n);
        Err(Error::refused(Code::ResultContradicts, detail))
    };
    for line in &imported.lines {
        match amounts.get(&line.n) {
            None => return refuse(line, "is no line of it that can be executed"),
            Some(amount) if line.status == RetStatus::Success && line.amount != *amount => {
                return refuse(
                    line,
                    &format!(
                        "succeeded with {} instead of {amount} fen",
                        line.amount.get(),
                        amount = amount.get()
                    ),
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn amounts(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<BTreeMap<i32, Fen>, Error> {
    if file.kind == DocumentKind::Stl {
        settlement::settled_amounts(tx, file.id)
    } else {
        splits::order_amounts(tx, file)
    }
}
