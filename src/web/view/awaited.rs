//! Documents of a day that have not come, where the institution's own bill is what is split.
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::DocumentKind;
use crate::institutions;
use crate::kernel::calendar::Instant;
use crate::people::Scope;
use crate::settlement;
use crate::web::kit::format::Day;

/// What is shown of an institution.
const MOST: usize = 12;

/// A document that has not come.
pub struct AwaitedRow {
    /// The institution's name.
    pub institution: String,
    /// Of which day.
    pub day: Day,
    /// What.
    pub kind: DocumentKind,
    /// Whether it is the institution's bill, for which the day waits.
    pub is_bill: bool,
}

/// What has not come, by institution; nothing for a merchant.
pub fn rows(tx: &mut Tx<'_>, scope: &Scope, now: Instant) -> Result<Vec<AwaitedRow>, Error> {
    let of = match scope {
        Scope::Platform => institutions::all(tx)?,
        Scope::Institution(id) => vec![institutions::by_id(tx, *id)?],
        Scope::Merchant(_) => Vec::new(),
    };
    let mut rows = Vec::new();
    for institution in of {
        for one in settlement::awaited(tx, &institution, now)?.into_iter().take(MOST) {
            let (name, day, kind) = (institution.name.clone(), Day(one.day), one.kind);
            rows.push(AwaitedRow { institution: name, day, kind, is_bill: kind == DocumentKind::Bil });
        }
    }
    Ok(rows)
}
