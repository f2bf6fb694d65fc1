//! The order of days (`files.md`, "The day: cut, then settle"): a day is cut when it is the chain's next. A file that
//! was published out of turn would be refused by the institution, and every later one with it.
use super::{cut::standing, store, turn_store};
use crate::db::Tx;
use crate::db::columns::{FileId, InstitutionId};
use crate::error::{Code, Error};
use crate::exchange::{self, DocumentKind, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::RetCode;

/// The first day of an institution's chain: that of its first bundle, or where the chain began later, that of the first
/// file that it accepted. None before a bundle was taken in.
pub fn first_day(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Option<BusinessDay>, Error> {
    let Some(bundle) = exchange::first(tx, institution, DocumentKind::Apr)? else { return Ok(None) };
    let begun = turn_store::first_accepted(tx, institution)?;
    Ok(Some(begun.map_or(bundle.business_date, |begun| begun.max(bundle.business_date))))
}

/// The first day up to this one that was never cut. What is settled was cut, and so was every day before it.
pub fn uncut_day(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    upto: BusinessDay,
) -> Result<Option<BusinessDay>, Error> {
    let Some(first) = first_day(tx, institution)? else { return Ok(None) };
    let settled = exchange::last_valid(tx, institution, DocumentKind::Stl)?;
    let mut day = settled.map_or(first, |(last, _)| first.max(last.business_date.next()));
    let cut = turn_store::cut_since(tx, institution, day)?;
    while cut.contains(&day) {
        day = day.next();
    }
    Ok((day <= upto).then_some(day))
}

/// Void files whose orders stand in no later file of their day, oldest day first, the first one of each day. A void file
/// of a day before the chain's first has no successor and needs none: it was a mistake, and tells nothing.
pub fn open_voids(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<ExchangedFile>, Error> {
    let Some(first) = first_day(tx, institution)? else { return Ok(Vec::new()) };
    let mut open: Vec<ExchangedFile> = Vec::new();
    for void in turn_store::void_since(tx, institution, first)? {
        if open.last().is_none_or(|last| last.business_date != void.business_date) {
            open.extend(unrepeated(tx, institution, void.business_date)?);
        }
    }
    Ok(open)
}

/// The first void file of a day with an order that no valid file of the day lists: cutting again repeats it.
pub fn unrepeated(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Option<ExchangedFile>, Error> {
    let (live, void) = standing(tx, institution, day)?;
    let ids: Vec<FileId> = live.iter().map(|file| file.id).collect();
    for file in void {
        if live.is_empty() || !store::lists_all(tx, &ids, &file)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Whether a day may be cut now; the refusal says what comes first. A day that was cut may be cut again at any time: its
/// late orders come in its next file.
pub fn in_turn(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<(), Error> {
    let out_of_turn = |why: String| Err(Error::refused(Code::DayOutOfTurn, format!("{day}: {why}")));
    let Some(first) = first_day(tx, institution)? else {
        return Err(Error::refused(Code::NoBundle, "nothing was approved yet"));
    };
    if day < first {
        return out_of_turn(format!("the first day is {first}, nothing was approved before"));
    }
    let (live, void) = standing(tx, institution, day)?;
    if !live.is_empty() {
        return Ok(());
    }
    // Would the institution refuse the first day and take this one, the chain would begin here, and the orders of the
    // first day would stand in no file for good.
    if day > first && turn_store::first_accepted(tx, institution)?.is_none() {
        return out_of_turn(format!("{first} is the first day, a file of it must be accepted before"));
    }
    if let Some(void) = open_voids(tx, institution)?.into_iter().find(|void| void.business_date < day) {
        let (name, before) = (void.name, void.business_date);
        return out_of_turn(format!("{name} is void, {before} must be cut again first"));
    }
    match uncut_day(tx, institution, day)? {
        Some(next) if next < day => out_of_turn(format!("{next} comes first, it has not been cut")),
        Some(_) => Ok(()),
        // It was cut, in vain: it is told again.
        None if !void.is_empty() => Ok(()),
        None => out_of_turn("later days are settled already".to_owned()),
    }
}

/// Whether the chain before a void file is another one than when the institution refused its place: it has accepted a
/// file of an earlier day since.
pub fn chain_changed(tx: &mut Tx<'_>, void: &ExchangedFile) -> Result<bool, Error> {
    let refused = turn_store::void_code(tx, void.id)? == Some(RetCode::Chain);
    Ok(refused && turn_store::accepted_since(tx, void)?)
}
