//! A day that stands still: what it waits for, line by line, and who can do something about it.
use super::file::waiting_line;
use crate::db::Tx;
use crate::error::Error;
use crate::institutions;
use crate::kernel::calendar::Instant;
use crate::people::Scope;
use crate::settlement::{self, Missing, Who};
use crate::web::kit::format::{Count, Day};
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::say::Waits;

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
            let more = if more.0 == 0 { String::new() } else { Waits::More(more).say(lang) };
            days.push(StillView { institution: institution.name, day: Day(still.day), waits, more });
        }
    }
    Ok(days)
}

fn wait(lang: Lang, missing: &Missing) -> WaitView {
    let said = lang.words().files;
    let who = match missing.need.who() {
        Who::Institution => Tag::new(Mood::Waits, said.by_institution),
        Who::Platform => Tag::new(Mood::Waits, said.by_platform),
        Who::Both => Tag::new(Mood::Bad, said.by_both),
    };
    WaitView {
        day: Day(missing.day),
        file: missing.file.clone().unwrap_or_default(),
        what: Waits::For(missing.need, Count(missing.open)).say(lang),
        lines: missing.lines.iter().map(|line| waiting_line(lang, line)).collect(),
        who,
    }
}
