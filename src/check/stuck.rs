//! What keeps days from being settled and will not go away by itself: nothing is broken, and yet nothing goes on.
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, DocumentKind};
use crate::institutions::{self, Institution};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::state::FileState;
use crate::settlement::{self, Need};
use crate::splits;
use crate::tasks::{TaskKind, cut_subject, last_failure};

/// Void files without successor and gates that stay shut, in words, institution by institution. Blocks. What the
/// institution has still to answer is not among them, nor a day that nobody has tried to cut.
pub fn stuck(app: &App) -> Result<Vec<String>, Error> {
    let now = app.clock.instant();
    app.db.read_blocking(|tx| {
        let mut found = Vec::new();
        for institution in institutions::all(tx)? {
            found.extend(of_institution(tx, &institution, now)?);
        }
        Ok(found)
    })
}

fn of_institution(tx: &mut Tx<'_>, institution: &Institution, now: Instant) -> Result<Vec<String>, Error> {
    let (id, code) = (institution.id, &institution.code);
    let mut found = Vec::new();
    for void in splits::open_voids(tx, id)? {
        let (name, refused) = (&void.name, splits::void_code(tx, void.id)?);
        let refused = refused.map_or("", |code| code.as_str());
        found.push(format!(
            "{name} is void ({refused}) and no later file tells its orders: see `mingfen day repair --institution {code}`"
        ));
    }
    for missing in settlement::gate(tx, id, settlement::due_day(now))? {
        match missing.need {
            Need::Bill | Need::First | Need::Final | Need::Previous | Need::Repeat => {}
            Need::Failed => found.push(format!("{code}: {missing}")),
            Need::Cut => found.extend(failed_cut(tx, code, missing.day)?),
        }
    }
    let settled = exchange::last_valid(tx, id, DocumentKind::Stl)?.map(|(last, _)| last.id);
    if let Some(last) = exchange::last(tx, id, DocumentKind::Stl)?.filter(|last| Some(last.id) != settled)
        && exchange::file_state(tx, last.id)? == FileState::Rejected
    {
        let (name, day) = (last.name, last.business_date);
        found.push(format!(
            "{name} is void and no later file settles its day: find out why, then `mingfen day settle --institution {code} \
             --date {day}`"
        ));
    }
    Ok(found)
}

fn failed_cut(tx: &mut Tx<'_>, institution: &str, day: BusinessDay) -> Result<Option<String>, Error> {
    let failure = last_failure(tx, TaskKind::Cut, &cut_subject(institution, day))?;
    Ok(failure
        .map(|why| format!("{institution}: {day} could not be cut, and no later day is before it: {why}")))
}
