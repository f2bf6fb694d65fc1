//! THE state of a file: what the institution's results make of it. One function says it; it is kept in `file_standing`,
//! written in the transaction that records the evidence, so that no page and no gate reads the results of all days.
mod evidence_store;
mod open_store;
mod store;

pub use evidence_store::{Requeued, requeued};
pub use open_store::{
    answered, last_valid, lines_standing, of_days, standing_of_day, standings, unsettled, valid, waiting,
    waiting_count,
};
pub use store::Standing;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::evidence_store::{self as asked, Evidence};
use super::{DocumentKind, ExchangedFile, NewFile};
use crate::db::Tx;
use crate::db::columns::{FileId, InstitutionId};
use crate::error::{Code, Error};
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::state::{FileState, SettlementState};

/// How the lines of a file that a FINAL answers stand now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that a FINAL answers: O lines of an SPL, S lines of an STL.
    pub expected: i64,
    /// Succeeded.
    pub succeeded: i64,
    /// Failed.
    pub failed: i64,
    /// The institution has them in hand.
    pub pending: i64,
    /// Came back after success.
    pub bounced: i64,
}

impl Counts {
    /// Lines of which no FINAL speaks yet.
    #[must_use]
    pub const fn unanswered(&self) -> i64 {
        let Self { expected, succeeded, failed, pending, bounced } = *self;
        expected
            .saturating_sub(succeeded.saturating_add(failed).saturating_add(pending).saturating_add(bounced))
    }

    /// Counts lines as they stand.
    #[must_use]
    pub fn of(expected: i64, lines: impl IntoIterator<Item = SettlementState>) -> Self {
        let mut counts = Self { expected, ..Self::default() };
        for state in lines {
            let count = match state {
                SettlementState::Sent => continue,
                SettlementState::Success => &mut counts.succeeded,
                SettlementState::Failed => &mut counts.failed,
                SettlementState::Pending => &mut counts.pending,
                SettlementState::Bounced => &mut counts.bounced,
            };
            *count = count.saturating_add(1);
        }
        counts
    }
}

/// Where a file stands, by the codes of its FIRST results, whether a FINAL came, and how its lines stand. A FIRST that
/// asks for the same bytes again answers nothing.
#[must_use]
pub fn standing(firsts: &[RetCode], finals: bool, counts: &Counts) -> FileState {
    let taken = firsts.contains(&RetCode::Accepted);
    if !taken {
        let refused = firsts.iter().any(|code| code.makes_void());
        return if refused { FileState::Rejected } else { FileState::Published };
    }
    if !finals {
        FileState::Accepted
    } else if counts.pending > 0 || counts.unanswered() > 0 {
        FileState::PartlyAnswered
    } else if counts.bounced > 0 {
        FileState::Bounced
    } else if counts.failed > 0 {
        FileState::ExecutedWithFailures
    } else {
        FileState::Executed
    }
}

/// Where each answered line of a file stands; a line that no FINAL speaks of is not there. A FINAL that takes back what
/// is final is refused.
pub fn line_states(tx: &mut Tx<'_>, file: FileId) -> Result<BTreeMap<i32, SettlementState>, Error> {
    let mut states = BTreeMap::new();
    for (n, status) in asked::said(tx, file)? {
        let to = match status {
            RetStatus::Success => SettlementState::Success,
            RetStatus::Failed => SettlementState::Failed,
            RetStatus::Pending => SettlementState::Pending,
            RetStatus::Bounced => SettlementState::Bounced,
        };
        let state = states.entry(n).or_insert(SettlementState::Sent);
        if !state.may_become(to) {
            let detail = format!("line {n}: {} cannot become {}", state.as_str(), to.as_str());
            return Err(Error::refused(Code::ResultContradicts, detail));
        }
        *state = to;
    }
    Ok(states)
}

/// Where a file of ours stands.
pub fn file_state(tx: &mut Tx<'_>, file: FileId) -> Result<FileState, Error> {
    Ok(store::kept(tx, file)?.state)
}

/// Records a file of ours, under the key that was reserved for it, with the number of lines to be answered. A file that
/// completes its run completes those before it: until then none of them may be published.
pub fn record_ours(
    tx: &mut Tx<'_>,
    reserved: Option<FileId>,
    new: &NewFile,
    expected: i64,
    completes: bool,
) -> Result<ExchangedFile, Error> {
    let file = match reserved {
        Some(id) => super::store::record_as(tx, id, new)?,
        None => super::store::record(tx, new)?,
    };
    let begun = Standing {
        file_id: file.id,
        institution_id: file.institution_id,
        kind: file.kind,
        state: standing(&[], false, &Counts { expected, ..Counts::default() }),
        expected,
        succeeded: 0,
        failed: 0,
        pending: 0,
        bounced: 0,
        run_complete: completes,
        answered_at: None,
        settled_by: (file.kind == DocumentKind::Stl).then_some(file.id),
        requeues: None,
    };
    store::insert(tx, &begun)?;
    if completes {
        store::complete_run(tx, &file)?;
    }
    Ok(file)
}

/// A result of a file was recorded: where it stands now. A settlement that turns out void gives back what it took in.
pub(super) fn weigh_again(tx: &mut Tx<'_>, file: FileId) -> Result<(), Error> {
    // Locked before the evidence is read: of two transactions that change it the second one sees the first one's.
    let kept = store::lock(tx, file)?;
    let evidence = asked::evidence(tx, file, kept.expected, kept.run_complete)?;
    let requeues = asked::requeues(tx, &kept)?;
    let now = weigh(tx, &evidence, requeues, kept.settled_by)?;
    store::update(tx, &now)?;
    if now.kind == DocumentKind::Stl && now.state == FileState::Rejected {
        for stl in store::give_back(tx, &now)? {
            recount(tx, stl)?;
        }
    }
    Ok(())
}

/// A settlement was made: the split files that it lists and the void ones that it was made over are settled, and so are
/// the results that it lists of these settlements.
pub fn settled(
    tx: &mut Tx<'_>,
    stl: &ExchangedFile,
    over: &[FileId],
    requeued: &[FileId],
) -> Result<(), Error> {
    store::settle(tx, stl.id, over)?;
    for answered in requeued {
        recount(tx, *answered)?;
    }
    Ok(())
}

/// Counts the results of a settlement anew that no other one lists.
fn recount(tx: &mut Tx<'_>, stl: FileId) -> Result<(), Error> {
    let kept = store::lock(tx, stl)?;
    let requeues = asked::requeues(tx, &kept)?;
    store::update(tx, &Standing { requeues, ..kept })
}

/// Everything that is kept of a file.
fn weigh(
    tx: &mut Tx<'_>,
    evidence: &Evidence,
    requeues: Option<i64>,
    settled_by: Option<FileId>,
) -> Result<Standing, Error> {
    let states = line_states(tx, evidence.file_id)?;
    let counts = Counts::of(evidence.expected, states.into_values());
    let firsts: Vec<RetCode> = evidence.firsts.iter().map(|(code, _)| *code).collect();
    let state = standing(&firsts, evidence.finals > 0, &counts);
    Ok(Standing {
        file_id: evidence.file_id,
        institution_id: evidence.institution_id,
        kind: evidence.kind,
        state,
        expected: counts.expected,
        succeeded: counts.succeeded,
        failed: counts.failed,
        pending: counts.pending,
        bounced: counts.bounced,
        run_complete: evidence.run_complete,
        answered_at: evidence.last_at.filter(|_| !state.is_open()),
        settled_by,
        requeues,
    })
}

/// Where the kept standings are not what the results say, in words; the first few.
pub fn standing_breaks(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    const TOLD: usize = 5;
    let mut kept = store::all(tx)?;
    let mut breaks = Vec::new();
    for due in due(tx)? {
        if kept.remove(&due.file_id).as_ref() != Some(&due) {
            breaks.push(format!("the standing of file {} is not what its results say", due.file_id));
        }
    }
    breaks.extend(kept.into_keys().map(|file| format!("a standing is kept of {file}, no file of ours")));
    breaks.truncate(TOLD);
    Ok(breaks)
}

/// Makes the standings anew; how many were not what the results say.
pub fn repair_standing(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let mut kept = store::lock_all(tx)?;
    let due = due(tx)?;
    let wrong = due.iter().filter(|one| kept.remove(&one.file_id).as_ref() != Some(*one)).count();
    let wrong = wrong.saturating_add(kept.len());
    if wrong > 0 {
        store::replace_all(tx, &due)?;
    }
    Ok(wrong)
}

/// What must be kept of every file of ours, from evidence alone: first how each stands, then what the settlements that
/// count took in.
fn due(tx: &mut Tx<'_>) -> Result<Vec<Standing>, Error> {
    let all = asked::all_evidence(tx)?;
    let mut due = Vec::with_capacity(all.len());
    for evidence in &all {
        due.push(weigh(tx, evidence, None, None)?);
    }
    let counts = |one: &Standing| one.kind == DocumentKind::Stl && one.state != FileState::Rejected;
    let valid: HashSet<FileId> = due.iter().filter(|one| counts(one)).map(|one| one.file_id).collect();
    let mut listed: HashMap<(InstitutionId, String), FileId> = HashMap::new();
    for (stl, institution, name) in asked::all_inputs(tx)? {
        if valid.contains(&stl) {
            let first = listed.entry((institution, name)).or_insert(stl);
            *first = (*first).min(stl);
        }
    }
    let mut requeue: HashMap<FileId, i64> = HashMap::new();
    for (stl, institution, name) in asked::all_requeueing(tx)? {
        if !listed.contains_key(&(institution, name)) {
            *requeue.entry(stl).or_default() += 1;
        }
    }
    for (one, evidence) in due.iter_mut().zip(&all) {
        if one.kind == DocumentKind::Stl {
            one.settled_by = Some(one.file_id);
            one.requeues = requeue.get(&one.file_id).copied();
        } else if one.state == FileState::Rejected {
            one.settled_by = made_over(evidence, &all, &valid);
        } else {
            one.settled_by = listed.get(&(one.institution_id, evidence.name.clone())).copied();
        }
    }
    Ok(due)
}

/// The first settlement that counts and was made after a file of its days was refused.
fn made_over(void: &Evidence, all: &[Evidence], valid: &HashSet<FileId>) -> Option<FileId> {
    let (_, refused) = void.firsts.iter().find(|(code, _)| code.makes_void())?;
    all.iter()
        .filter(|stl| valid.contains(&stl.file_id) && stl.institution_id == void.institution_id)
        .filter(|stl| stl.file_id > *refused && stl.business_date >= void.business_date)
        .map(|stl| stl.file_id)
        .min()
}
