//! The gate of a custody day: nothing is settled before it is cut in the ledger and the institution has executed its
//! split files. What is missing is data, with who can do something about it, so that pages and logs tell the same.
use std::fmt;

use super::KIND;
use super::awaited::bill_awaited;
use super::waiting::{WaitingLine, waiting_lines};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, DocumentKind, ExchangedFile, Standing};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::state::{CustodyState, FileState};
use crate::{institutions, ledger, splits};

/// Seconds after the end of a business day at which its bill is ready: 10:00 in Asia/Shanghai.
const BILL_READY: i64 = 10 * 3600;
/// Files of which the lines are told that are waited for.
const TOLD: usize = 3;

/// Who can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The institution answers.
    Institution,
    /// The platform cuts the day.
    Platform,
    /// Both have to find out together: no file of either alone goes on.
    Both,
}

/// What a day waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The day has not been cut.
    Cut,
    /// The BIL that the day is cut from has not come.
    Bill,
    /// The institution has not answered this file.
    First,
    /// The institution has not executed this file to its end.
    Final,
    /// Orders of this file failed or came back: nothing says yet what becomes of them.
    Failed,
    /// This file is void and its orders stand in no later one.
    Repeat,
    /// The institution has not answered the settlement before.
    Previous,
}

impl Need {
    /// Who can do something about it.
    #[must_use]
    pub const fn who(self) -> Who {
        match self {
            Self::Cut | Self::Repeat => Who::Platform,
            Self::Bill | Self::First | Self::Final | Self::Previous => Who::Institution,
            Self::Failed => Who::Both,
        }
    }
}

/// Something that must happen before a day can be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub need: Need,
    /// The business day that it is about.
    pub day: BusinessDay,
    /// The file that it is about; none of a day that was not cut.
    pub file: Option<String>,
    /// How its lines stand, of a file that is answered in part or failed.
    pub lines: Vec<WaitingLine>,
    /// How many lines are waited for.
    pub open: i64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.as_deref().unwrap_or_default();
        match self.need {
            Need::Cut => write!(f, "{} has not been cut", self.day)?,
            Need::Bill => {
                write!(f, "{} waits for the institution's bill, BIL 0001, which has not come", self.day)?
            }
            Need::First | Need::Previous => write!(f, "{name} waits for its FIRST result")?,
            Need::Final => write!(f, "{name} waits for FINAL results of all its orders")?,
            Need::Failed => {
                write!(f, "{name} waits for people: {} of its orders have no success", self.open)?
            }
            Need::Repeat => write!(f, "{name} is void: cut the day again")?,
        }
        self.lines.iter().try_for_each(|line| write!(f, ", {line}"))
    }
}

impl Missing {
    fn of(need: Need, file: &ExchangedFile) -> Self {
        let (day, file) = (file.business_date, Some(file.name.clone()));
        Self { need, day, file, lines: Vec::new(), open: 0 }
    }
}

/// A day that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    /// The newest day that could be settled by now.
    pub day: BusinessDay,
    /// What it waits for; never empty.
    pub missing: Vec<Missing>,
}

/// The newest business day whose bill is ready at a moment.
#[must_use]
pub fn due_day(now: Instant) -> BusinessDay {
    let day = now.business_day().prev();
    if now < day.next().start().plus(BILL_READY) { day.prev() } else { day }
}

/// What keeps an institution's newest due day from being settled; none where it is settled or goes on by itself.
pub fn stands_still(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    now: Instant,
) -> Result<Option<Still>, Error> {
    let day = due_day(now);
    let first = exchange::first(tx, institution, DocumentKind::Apr)?;
    if first.is_none_or(|first| first.business_date > day) {
        return Ok(None);
    }
    if let Some((last, _)) = exchange::last_valid(tx, institution, KIND)?
        && last.business_date >= day
    {
        return Ok(None);
    }
    let missing = gate(tx, institution, day)?;
    Ok((!missing.is_empty()).then_some(Still { day, missing }))
}

/// What is missing; the gate is open when nothing is. A settlement takes in every file up to its day that none
/// before it lists, so each of these must be executed: an earlier day that is closed keeps the later ones closed.
pub fn gate(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    // The bill is posted before its orders are split: a cut that was stopped in between has no file, and a day without
    // orders has one. Days are cut in order, so what is told is the day whose turn it is.
    let uncut = splits::uncut_day(tx, institution, day)?;
    if uncut.is_some()
        || ledger::state(tx, institution, day)? == CustodyState::Open
        || splits::recorded(tx, institution, day)?.is_empty()
    {
        let day = uncut.unwrap_or(day);
        let profile = institutions::by_id(tx, institution)?;
        let need = if bill_awaited(tx, &profile, day)?.is_some() { Need::Bill } else { Need::Cut };
        missing.push(Missing { need, day, file: None, lines: Vec::new(), open: 0 });
    }
    let mut told = 0_usize;
    for (file, standing) in exchange::unsettled(tx, institution, day)? {
        let need = match standing.state {
            // Void ones are looked at below: a later file may tell their orders.
            FileState::Executed | FileState::Rejected => continue,
            FileState::Published => Need::First,
            FileState::Accepted | FileState::PartlyAnswered => Need::Final,
            FileState::ExecutedWithFailures | FileState::Bounced => Need::Failed,
        };
        let mut one = Missing { open: open_of(&standing), ..Missing::of(need, &file) };
        if matches!(need, Need::Final | Need::Failed) && told < TOLD {
            told = told.saturating_add(1);
            one.lines = waiting_lines(tx, &file, &standing)?;
        }
        missing.push(one);
    }
    let voids = splits::open_voids(tx, institution)?.into_iter().filter(|void| void.business_date <= day);
    missing.extend(voids.map(|void| Missing::of(Need::Repeat, &void)));
    if let Some((last, standing)) = exchange::last_valid(tx, institution, KIND)?
        && standing.state == FileState::Published
    {
        missing.push(Missing::of(Need::Previous, &last));
    }
    Ok(missing)
}

/// Orders of a split file without success.
const fn open_of(standing: &Standing) -> i64 {
    standing.expected.saturating_sub(standing.succeeded)
}

/// The valid settlement of a day, if there is one.
pub fn settled(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Option<ExchangedFile>, Error> {
    let of_day = exchange::standing_of_day(tx, institution, KIND, day)?;
    let valid = of_day.into_iter().find(|(_, standing)| standing.state != FileState::Rejected);
    Ok(valid.map(|(file, _)| file))
}

/// All settlements that are not void, in order of publication.
pub fn valid(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<ExchangedFile>, Error> {
    exchange::valid(tx, institution, KIND)
}
