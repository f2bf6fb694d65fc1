//! The lines that a file waits for, told one by one: the first few of each kind.
use std::fmt;

use super::{KIND, store};
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, ExchangedFile, Standing};
use crate::kernel::file::ret::RetStatus;
use crate::kernel::state::{FileState, SettlementState};
use crate::splits;

/// Lines that are told of a file.
const TOLD: i64 = 3;

/// A line that has no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingLine {
    /// Its number in the file.
    pub n: i32,
    /// Our number of the order, or the receiver of a settlement line.
    pub of: String,
    /// How it stands; `SENT` while no FINAL speaks of it.
    pub state: SettlementState,
}

impl fmt::Display for WaitingLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} ({}) is {}", self.n, self.of, self.state.as_str())
    }
}

/// The first lines of a file that have no success, at most three; none where all have.
pub fn waiting_lines(
    tx: &mut Tx<'_>,
    file: &ExchangedFile,
    standing: &Standing,
) -> Result<Vec<WaitingLine>, Error> {
    let mut found: Vec<(i32, SettlementState)> = Vec::new();
    for (status, state, count) in [
        (RetStatus::Bounced, SettlementState::Bounced, standing.bounced),
        (RetStatus::Failed, SettlementState::Failed, standing.failed),
        (RetStatus::Pending, SettlementState::Pending, standing.pending),
    ] {
        if count > 0 && room(&found) > 0 {
            let lines = exchange::lines_standing(tx, standing.file_id, status, room(&found))?;
            found.extend(lines.into_iter().map(|n| (n, state)));
        }
    }
    // Before its first FINAL all are, and nothing is to be told of one of them.
    let begun = standing.state == FileState::PartlyAnswered;
    if begun && standing.counts().unanswered() > 0 && room(&found) > 0 {
        let lines = if file.kind == KIND {
            store::unanswered(tx, file.id, room(&found))?
        } else {
            splits::unanswered(tx, file, room(&found))?
        };
        found.extend(lines.into_iter().map(|n| (n, SettlementState::Sent)));
    }
    let mut told = Vec::with_capacity(found.len());
    for (n, state) in found {
        let of = if file.kind == KIND {
            store::line(tx, file.id, n)?.receiver
        } else {
            splits::entry(tx, file, n)?.map(|entry| entry.billed.order_no().to_owned()).unwrap_or_default()
        };
        told.push(WaitingLine { n, of, state });
    }
    Ok(told)
}

fn room(found: &[(i32, SettlementState)]) -> i64 {
    TOLD.saturating_sub(i64::try_from(found.len()).unwrap_or(TOLD))
}
