//! The gate of a custody day: nothing is settled before it is cut in the ledger and the institution has executed its
//! split files.
use std::collections::{BTreeSet, HashSet};
use std::fmt;

use super::results::{file_state, is_void};
use super::{KIND, store};
use crate::db::Tx;
use crate::db::columns::{FileId, InstitutionId};
use crate::error::Error;
use crate::exchange::{self, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::state::{CustodyState, FileState};
use crate::{ledger, splits};

/// What must happen before a day can be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The day has not been cut.
    Cut,
    /// The institution has not answered this file.
    First(String),
    /// The institution has not executed this file to its end.
    Final(String),
    /// This file is void and its orders stand in no later one.
    Repeat(String),
    /// The institution has not answered the settlement before.
    Previous(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => write!(f, "the day has not been cut"),
            Self::First(name) => write!(f, "{name} waits for its FIRST result"),
            Self::Final(name) => write!(f, "{name} waits for FINAL results of all its orders"),
            Self::Repeat(name) => write!(f, "{name} is void: cut the day again"),
            Self::Previous(name) => write!(f, "{name} waits for its FIRST result"),
        }
    }
}

/// What is missing; the gate is open when nothing is. A settlement takes in every file up to its day that none
/// before it lists, so each of these must be executed: an earlier day that is closed keeps the later ones closed.
pub fn gate(tx: &mut Tx<'_>, institution: i64, day: BusinessDay) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    if ledger::state(tx, InstitutionId::new(institution), day)? == CustodyState::Open {
        missing.push(Missing::Cut);
    }
    let mut void_days = BTreeSet::new();
    for file in unsettled(tx, institution, day)? {
        match file_state(tx, &file)? {
            FileState::Published => missing.push(Missing::First(file.name)),
            FileState::Accepted => missing.push(Missing::Final(file.name)),
            FileState::Rejected => void_days.extend(BusinessDay::from_i32(file.business_date)),
            FileState::Executed => {}
        }
    }
    for day in void_days {
        let (live, void) = splits::standing(tx, InstitutionId::new(institution), day)?;
        missing.extend(unrepeated(tx, &live, &void)?.map(|file| Missing::Repeat(file.name.clone())));
    }
    if let Some(last) = last_valid(tx, institution)?
        && file_state(tx, &last)? == FileState::Published
    {
        missing.push(Missing::Previous(last.name));
    }
    Ok(missing)
}

/// Every SPL up to the day that no valid settlement lists, in order of publication.
pub(super) fn unsettled(
    tx: &mut Tx<'_>,
    institution: i64,
    day: BusinessDay,
) -> Result<Vec<ExchangedFile>, Error> {
    let settlements: Vec<i64> = valid(tx, institution)?.iter().map(|stl| stl.id).collect();
    let listed: HashSet<String> = store::listed(tx, &settlements)?.into_iter().collect();
    let mut files = exchange::chain(tx, institution, "SPL")?;
    files.retain(|file| file.business_date <= day.to_i32() && !listed.contains(&file.name));
    Ok(files)
}

/// Whether orders of a void file stand in no valid file of the day yet: cutting again repeats them.
pub fn must_repeat(tx: &mut Tx<'_>, institution: i64, day: BusinessDay) -> Result<bool, Error> {
    let (live, void) = splits::standing(tx, InstitutionId::new(institution), day)?;
    Ok(unrepeated(tx, &live, &void)?.is_some())
}

/// The first void file with an order that no valid file of the day lists.
fn unrepeated<'a>(
    tx: &mut Tx<'_>,
    live: &[ExchangedFile],
    void: &'a [ExchangedFile],
) -> Result<Option<&'a ExchangedFile>, Error> {
    let ids: Vec<FileId> = live.iter().map(|file| FileId::new(file.id)).collect();
    for file in void {
        if live.is_empty() || !splits::lists_all(tx, &ids, file)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The last settlement that is not void.
pub(super) fn last_valid(tx: &mut Tx<'_>, institution: i64) -> Result<Option<ExchangedFile>, Error> {
    Ok(valid(tx, institution)?.pop())
}

/// All settlements that are not void, in order of publication.
pub fn valid(tx: &mut Tx<'_>, institution: i64) -> Result<Vec<ExchangedFile>, Error> {
    let mut valid = Vec::new();
    for file in exchange::chain(tx, institution, KIND)? {
        if !is_void(tx, &file)? {
            valid.push(file);
        }
    }
    Ok(valid)
}
