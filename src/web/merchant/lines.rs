//! What a receiver is credited: the lines of settlement files, whose states only the institution's results change.
use crate::db::Tx;
use crate::error::Error;
use crate::exchange;
use crate::kernel::money::Fen;
use crate::settlement::{self, SettlementLine};
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

/// A line with what the institution's results say of it.
fn read(tx: &mut Tx<'_>, lang: Lang, line: &SettlementLine) -> Result<LineView, Error> {
    let w = lang.words();
    let file = exchange::by_id(tx, line.file_id)?;
    let answer = if line.kind == "S" { exchange::line_answer(tx, line.file_id, line.n)? } else { None };
    let status = answer.as_ref().map(|answer| answer.status.clone()).unwrap_or_default();
    let state = state(w, &line.kind, &status);
    let carried = [line.carried_in, line.requeued, line.debts.saturating_neg()];
    Ok(LineView {
        day: Day(file.business_date),
        number: line.settlement_id.clone().or_else(|| line.reason.clone()).unwrap_or_default(),
        orders: Count(line.order_count),
        splits: Yuan(Fen::new(line.splits)),
        returns: Yuan(Fen::new(line.returns.saturating_neg())),
        carried: Yuan(Fen::sum(carried.map(Fen::new)).unwrap_or(Fen::ZERO)),
        amount: Yuan(Fen::new(line.amount)),
        settle_date: line.settle_date.map_or_else(|| "—".to_owned(), |day| Day(day).to_string()),
        state,
        note: answer.map(|answer| said(&answer)).unwrap_or_default(),
    })
}

/// How a line stands: its kind, and the status in the newest result about it.
fn state(w: &Words, kind: &str, status: &str) -> Tag {
    match (kind, status) {
        ("C", _) => Tag::new(Mood::Plain, w.settlements.settle_carried),
        (_, "S") => Tag::new(Mood::Ok, w.settlements.settle_success),
        (_, "F") => Tag::new(Mood::Bad, w.settlements.settle_failed),
        (_, "B") => Tag::new(Mood::Bad, w.settlements.settle_bounced),
        (_, "P") => Tag::new(Mood::Waits, w.settlements.settle_pending),
        _ => Tag::new(Mood::Waits, w.settlements.settle_sent),
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
    institution: i64,
    receiver: &str,
    before: i64,
    limit: i64,
) -> Result<(Vec<LineView>, Option<i64>), Error> {
    let found = settlement::lines_of(tx, institution, receiver, before, limit)?;
    let next = last_of(&found, limit, |line| line.file_id);
    let lines: Result<Vec<LineView>, Error> = found.iter().map(|line| read(tx, lang, line)).collect();
    Ok((lines?, next))
}
