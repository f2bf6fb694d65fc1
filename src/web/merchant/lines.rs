//! What a receiver is credited: the lines of settlement files, whose states only the institution's results change.
use crate::db::Tx;
use crate::db::columns::{FileId, InstitutionId};
use crate::error::Error;
use crate::exchange;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::money::Fen;
use crate::kernel::state::FileState;
use crate::settlement::{self, LineKind, SettlementLine};
use crate::web::kit::format::{Count, Day, Yuan};
use crate::web::kit::lang::Lang;
use crate::web::kit::pager::last_of;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::Words;

/// One settlement line.
pub struct LineView {
    /// The business day it is about.
    pub day: Day,
    /// Its number, or why nothing is credited now.
    pub number: String,
    /// How many orders.
    pub orders: Count,
    /// From splits.
    pub splits: Yuan,
    /// Given back for refunds.
    pub returns: Yuan,
    /// Carried in and requeued, less debts.
    pub carried: Yuan,
    /// What is due.
    pub amount: Yuan,
    /// When it is credited.
    pub settle_date: String,
    /// How it stands.
    pub state: Tag,
    /// The institution's own words.
    pub note: String,
}

/// A line of a business day in a file of this state, with what the institution's results say of it.
fn read(
    w: &Words,
    (line, day, file): (SettlementLine, BusinessDay, FileState),
    answer: Option<&exchange::ResultLine>,
) -> LineView {
    let negated = |fen: Fen| Fen::new(fen.get().saturating_neg());
    let carried = [line.carried_in, line.requeued, negated(line.debts)];
    LineView {
        day: Day(day),
        state: state(w, line.kind, file, answer),
        number: line.settlement_id.or(line.reason.map(|reason| reason.to_string())).unwrap_or_default(),
        orders: Count(line.order_count),
        splits: Yuan(line.splits),
        returns: Yuan(negated(line.returns)),
        carried: Yuan(Fen::sum(carried).unwrap_or(Fen::ZERO)),
        amount: Yuan(line.amount),
        settle_date: line.settle_date.map_or_else(|| "—".to_owned(), |day| Day(day).to_string()),
        note: answer.map(said).unwrap_or_default(),
    }
}

fn state(w: &Words, kind: LineKind, file: FileState, answer: Option<&exchange::ResultLine>) -> Tag {
    match (kind, file, answer.map(|answer| answer.status)) {
        (_, FileState::Rejected, _) => Tag::new(Mood::Plain, w.settlements.settle_void),
        (LineKind::Carried, _, _) => Tag::new(Mood::Plain, w.settlements.settle_carried),
        (LineKind::Settled, _, None) => Tag::new(Mood::Waits, w.settlements.settle_sent),
        (LineKind::Settled, _, Some(RetStatus::Success)) => Tag::new(Mood::Ok, w.settlements.settle_success),
        (LineKind::Settled, _, Some(RetStatus::Failed)) => Tag::new(Mood::Bad, w.settlements.settle_failed),
        (LineKind::Settled, _, Some(RetStatus::Bounced)) => Tag::new(Mood::Bad, w.settlements.settle_bounced),
        (LineKind::Settled, _, Some(RetStatus::Pending)) => {
            Tag::new(Mood::Waits, w.settlements.settle_pending)
        }
    }
}

fn said(answer: &exchange::ResultLine) -> String {
    let parts = [&answer.inst_serial, &answer.path, &answer.err_code, &answer.err_msg];
    parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" · ")
}

/// A receiver's newest lines before the settlement file `before`.
pub(super) fn lines(
    tx: &mut Tx<'_>,
    lang: Lang,
    institution: InstitutionId,
    receiver: &str,
    before: FileId,
    limit: i64,
) -> Result<(Vec<LineView>, Option<FileId>), Error> {
    let found = settlement::lines_of(tx, institution, receiver, before, limit)?;
    let next = last_of(&found, limit, |(line, ..)| line.file_id);
    let stls: Vec<FileId> = found.iter().map(|(line, ..)| line.file_id).collect();
    let answers = settlement::answers_to(tx, receiver, &stls)?;
    let view = |found: (SettlementLine, BusinessDay, FileState)| {
        let answer = answers.get(&found.0.file_id);
        read(lang.words(), found, answer)
    };
    Ok((found.into_iter().map(view).collect(), next))
}
