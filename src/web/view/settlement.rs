//! What a receiver is credited: the lines of settlement files, whose states only the institution's results change.
use super::{Mood, Tag};
use crate::db::Tx;
use crate::error::Error;
use crate::exchange;
use crate::kernel::money::Fen;
use crate::settlement::{self, SettlementLine};
use crate::web::format::{Count, Day, Yuan};
use crate::web::lang::Lang;

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
pub fn read(tx: &mut Tx<'_>, lang: Lang, line: &SettlementLine) -> Result<LineView, Error> {
    let w = lang.words();
    let file = exchange::by_id(tx, line.file_id)?;
    let answer = if line.kind == "S" { exchange::line_answer(tx, line.file_id, line.n)? } else { None };
    let status = answer.as_ref().map(|answer| answer.status.clone()).unwrap_or_default();
    let state = match (line.kind.as_str(), status.as_str()) {
        ("C", _) => Tag::new(Mood::Plain, w.settle_carried),
        (_, "S") => Tag::new(Mood::Ok, w.settle_success),
        (_, "F") => Tag::new(Mood::Bad, w.settle_failed),
        (_, "B") => Tag::new(Mood::Bad, w.settle_bounced),
        (_, "P") => Tag::new(Mood::Waits, w.settle_pending),
        _ => Tag::new(Mood::Waits, w.settle_sent),
    };
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

fn said(answer: &exchange::ResultLine) -> String {
    let parts = [&answer.inst_serial, &answer.path, &answer.err_code, &answer.err_msg];
    parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" · ")
}

/// A receiver's newest lines before the settlement file `before`.
pub fn lines(
    tx: &mut Tx<'_>,
    lang: Lang,
    institution: i64,
    receiver: &str,
    before: i64,
    limit: i64,
) -> Result<(Vec<LineView>, Option<i64>), Error> {
    let found = settlement::lines_of(tx, institution, receiver, before, limit)?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n == limit);
    let next = found.last().filter(|_| full).map(|line| line.file_id);
    let lines: Result<Vec<LineView>, Error> = found.iter().map(|line| read(tx, lang, line)).collect();
    Ok((lines?, next))
}
