//! A day that stands still: what it waits for, line by line, and who can do something about it.
use super::file::waiting_line;
use super::{Mood, Tag};
use crate::db::Tx;
use crate::error::Error;
use crate::institutions;
use crate::kernel::calendar::Instant;
use crate::people::Scope;
use crate::settlement::{self, Missing, Need, Who};
use crate::web::format::{Count, Day};
use crate::web::lang::Lang;

/// What is shown of a day; an institution that far behind has another problem.
const MOST: usize = 12;

/// One thing that is missing.
pub struct WaitView {
    /// The business day that it is about.
    pub day: Day,
    /// The file; empty of a day that was not cut.
    pub file: String,
    /// What is missing.
    pub what: String,
    /// The first lines that are waited for.
    pub lines: Vec<String>,
    /// Who can do something.
    pub who: Tag,
}

/// A day of an institution that stands still.
pub struct StillView {
    /// The institution's name.
    pub institution: String,
    /// The newest day that could be settled.
    pub day: Day,
    /// What it waits for, the first of it.
    pub waits: Vec<WaitView>,
    /// What else it waits for; empty where that was all.
    pub more: String,
}

/// The days that stand still, an institution each; nothing for a merchant.
pub fn days(tx: &mut Tx<'_>, lang: Lang, scope: &Scope, now: Instant) -> Result<Vec<StillView>, Error> {
    let of = match scope {
        Scope::Platform => institutions::all(tx)?,
        Scope::Institution(id) => vec![institutions::by_id(tx, *id)?],
        Scope::Merchant(_) => Vec::new(),
    };
    let mut days = Vec::new();
    for institution in of {
        if let Some(still) = settlement::stands_still(tx, institution.id, now)? {
            let waits = still.missing.iter().take(MOST).map(|missing| wait(lang, missing)).collect();
            let more = Count(i64::try_from(still.missing.len().saturating_sub(MOST)).unwrap_or(i64::MAX));
            let more = match more.0 {
                0 => String::new(),
                _ => lang.pick(format!("另有 {more} 项"), format!("and {more} more")),
            };
            days.push(StillView { institution: institution.name, day: Day(still.day.to_i32()), waits, more });
        }
    }
    Ok(days)
}

fn wait(lang: Lang, missing: &Missing) -> WaitView {
    let open = Count(missing.open);
    let what = match missing.need {
        Need::Cut => lang.pick("尚未切日".to_owned(), "The day has not been cut".to_owned()),
        Need::First => lang.pick("等首次回盘".to_owned(), "Waits for its FIRST result".to_owned()),
        Need::Final => lang.pick(
            format!("等最终回盘，{open} 笔未成功"),
            format!("Waits for FINAL results, {open} orders without success"),
        ),
        Need::Failed => lang.pick(
            format!("{open} 笔失败或退票，不能结算"),
            format!("{open} orders failed or came back: it cannot be settled"),
        ),
        Need::Repeat => lang.pick(
            "文件作废，订单尚未重新发出".to_owned(),
            "The file is void and its orders are not told anew".to_owned(),
        ),
        Need::Previous => lang.pick(
            "上一结算文件等首次回盘".to_owned(),
            "The settlement before waits for its FIRST result".to_owned(),
        ),
    };
    let who = match missing.need.who() {
        Who::Institution => Tag::new(Mood::Waits, lang.pick("机构处理", "The institution")),
        Who::Platform => Tag::new(Mood::Waits, lang.pick("平台处理", "The platform")),
        Who::Both => Tag::new(Mood::Bad, lang.pick("双方核对", "Both together")),
    };
    WaitView {
        day: Day(missing.day.to_i32()),
        file: missing.file.clone().unwrap_or_default(),
        what,
        lines: missing.lines.iter().map(|line| waiting_line(lang, line)).collect(),
        who,
    }
}
