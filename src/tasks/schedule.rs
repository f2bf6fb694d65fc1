//! The daily round: a day is cut when its bill is ready, and settled when its gate opens.
use std::time::Duration;

use futures_util::FutureExt;

use super::jobs::JobName;
use super::rounds::{self, TO_THE_END};
use super::{TaskKind, cut_as_task, cut_subject, was_cancelled};
use crate::app::App;
use crate::channels::Channel;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::exchange::{self, Desk, DocumentKind, ExchangedFile, Folder};
use crate::institutions::{Documents, Institution};
use crate::kernel::calendar::BusinessDay;
use crate::people::Actor;
use crate::settlement::{self, Who};
use crate::splits::{self, Cutting};
use crate::{approvals, reconciliation};

/// How many days back a day is looked after that was missed or that waits for an answer.
const REACH: usize = 31;

/// Cuts and settles what is due; how many files were made.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    round(app, TO_THE_END).await
}

/// [`run_once`], but an institution whose bill takes long is waited for no longer than this: its own days go on, and
/// those of the others with them.
pub(super) async fn round(app: &App, patience: Duration) -> Result<usize, Error> {
    let work = |app: App, institution: Institution| {
        async move {
            let lease = day_lease(&institution.code);
            // None: another process is at work on them.
            let held = app.leases.hold(&app.db, &lease, of_institution(&app, &institution)).await?;
            Ok(held.unwrap_or(0))
        }
        .boxed()
    };
    rounds::of_institutions(app, JobName::Daily, patience, work).await
}

/// Who cuts and settles the days of an institution holds this lease.
pub fn day_lease(institution: &str) -> String {
    format!("days of {institution}")
}

async fn of_institution(app: &App, institution: &Institution) -> Result<usize, Error> {
    let id = institution.id;
    let days = due(app, institution).await.unwrap_or_else(|error| {
        tracing::error!(institution = institution.code, %error, "the days that are due are not known");
        Vec::new()
    });
    let mut made = 0_usize;
    for day in days {
        match of_day(app, id, day).await {
            Ok(new) => made = made.saturating_add(new),
            // One bad bill must keep no other institution waiting; the later days of its own wait for it.
            Err(error) => {
                tracing::error!(institution = institution.code, %day, %error, "a day could not be cut or settled, it is tried again");
            }
        }
    }
    documents_again(app, institution).await?;
    tell_still(app, institution).await?;
    Ok(made)
}

/// Fetches what channels' own documents have not come of the days that were cut without them.
async fn documents_again(app: &App, institution: &Institution) -> Result<(), Error> {
    let (id, since) = (institution.id, settlement::documents_since(app.clock.instant()));
    let lack = app.db.read(move |tx| reconciliation::undocumented(tx, id, since)).await?;
    if lack.is_empty() {
        return Ok(());
    }
    let desk = app.desk(id).await?;
    let channels = app.channels_of(&desk.institution).await?;
    for (bill, name) in lack {
        let of_name: Vec<Channel> = channels.iter().filter(|one| one.name() == name).cloned().collect();
        reconciliation::fetch_documents(&app.db, &desk, &of_name, &bill, app.clock.now()).await;
    }
    Ok(())
}

/// Logs what a day waits for, each time that this changes: as a warning when more than the institution's answer is missing.
async fn tell_still(app: &App, institution: &Institution) -> Result<(), Error> {
    let (id, now) = (institution.id, app.clock.instant());
    let code = institution.code.as_str();
    let still = app.db.read(move |tx| settlement::stands_still(tx, id, now)).await?;
    if !app.waits.changes(id, still.as_ref()) {
        return Ok(());
    }
    let Some(still) = still else {
        tracing::info!(institution = code, "no day stands still any more");
        return Ok(());
    };
    for missing in &still.missing {
        let (day, what) = (still.day, missing.to_string());
        match missing.need.who() {
            Who::Institution => {
                tracing::info!(institution = code, %day, what, "a day waits for the institution")
            }
            Who::Platform | Who::Both => tracing::warn!(institution = code, %day, what, "a day stands still"),
        }
    }
    Ok(())
}

/// The days whose bill is ready and that are not done, oldest first: none before the chain's first, and none that has
/// come to its end. However long nobody was at work, the day whose turn it is is among them.
async fn due(app: &App, institution: &Institution) -> Result<Vec<BusinessDay>, Error> {
    let id = institution.id;
    let folder = Folder::new(&app.config.data_dir, &institution.code);
    let to = settlement::due_day(app.clock.instant());
    let back = (1..REACH).fold(to, |day, _| day.prev());
    let open = app.db.read(move |tx| {
        let Some(first) = splits::first_day(tx, id)? else { return Ok(Vec::new()) };
        let next = splits::uncut_day(tx, id, to)?;
        let void = splits::open_voids(tx, id)?.into_iter().next().map(|void| void.business_date);
        let from = next.into_iter().chain(void).chain([first.max(back)]).min().unwrap_or(back);
        settlement::open_days(tx, id, &folder, from, to)
    });
    open.await
}

async fn of_day(app: &App, institution: InstitutionId, day: BusinessDay) -> Result<usize, Error> {
    let desk = app.desk(institution).await?;
    let here = desk.clone();
    app.db.read(move |tx| settlement::publish_again(tx, &here, day)).await?;
    let of = desk.institution.clone();
    let (cut, settle) =
        app.db.read(move |tx| Ok((must_cut(tx, &of, day)?, must_settle(tx, institution, day)?))).await?;
    let mut made = 0_usize;
    if cut != Cut::No {
        let channels = app.channels_of(&desk.institution).await?;
        if cut == Cut::Yes || differs(app, &channels, &desk, day).await? {
            let Some(files) = cut_day(app, &desk, &channels, day).await? else { return Ok(0) };
            made = files;
        } else {
            tracing::warn!(
                institution = desk.institution.code, %day,
                "a file is void and nothing has changed since: people must look at it"
            );
        }
    }
    if settle {
        let settled = settlement::settle(&app.db, &app.clock, &desk, day).await;
        made = made.saturating_add(unless_waiting(settled.map(|report| usize::from(report.made)))?);
    }
    Ok(made)
}

/// How many files were made; none where somebody stopped the cut: such a day is not settled either.
async fn cut_day(
    app: &App,
    desk: &Desk,
    channels: &[Channel],
    day: BusinessDay,
) -> Result<Option<usize>, Error> {
    // What somebody stopped is not begun again behind their back.
    let subject = cut_subject(&desk.institution.code, day);
    if app.db.read(move |tx| was_cancelled(tx, TaskKind::Cut, &subject)).await? {
        tracing::warn!(institution = desk.institution.code, %day, "its cut was cancelled: people must cut it");
        return Ok(None);
    }
    match cut_as_task(app, desk, channels, day, Cutting::default(), &Actor::system()).await {
        Err(Error::Refused { code: Code::TaskCancelled, .. }) => {
            tracing::info!(institution = desk.institution.code, %day, "its cut was stopped, as somebody wanted");
            Ok(None)
        }
        Err(Error::Refused { code: Code::TaskAbandoned, detail }) => {
            tracing::info!(detail, "a cut is left to the next start");
            Ok(None)
        }
        outcome => unless_waiting(outcome.map(|report| report.made)).map(Some),
    }
}

/// Whether a day is to be cut now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    No,
    Yes,
    /// A void file is to be repeated: only of other evidence, else the institution would refuse the same again.
    IfChanged,
}

fn must_cut(tx: &mut Tx<'_>, of: &Institution, day: BusinessDay) -> Result<Cut, Error> {
    let institution = of.id;
    match splits::in_turn(tx, institution, day) {
        Ok(()) => {}
        Err(Error::Refused { code: Code::DayOutOfTurn, detail }) => {
            tracing::debug!(detail, "a day waits for its turn");
            return Ok(Cut::No);
        }
        Err(error) => return Err(error),
    }
    let bills = exchange::of_day(tx, institution, DocumentKind::Bil, day)?;
    if of.documents == Documents::Bil && bills.is_empty() {
        tracing::debug!(institution = of.code, %day, "a day waits for its BIL");
        return Ok(Cut::No);
    }
    let (live, void) = splits::standing(tx, institution, day)?;
    if live.is_empty() && void.is_empty() || splits::is_unfinished(tx, institution, day)? {
        return Ok(Cut::Yes);
    }
    if splits::unrepeated(tx, institution, day)?.is_some() {
        return Ok(Cut::IfChanged);
    }
    // The institution's own bill tells of more orders than stand in the day's files.
    let orders = |files: &[ExchangedFile]| files.iter().map(|file| file.orders).sum::<i64>();
    Ok(if orders(&bills) > orders(&live) { Cut::Yes } else { Cut::No })
}

/// Whether a day is to be settled once its gate is open. A void settlement is made anew only under another bundle or over
/// other split files: the institution would refuse the same again.
fn must_settle(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<bool, Error> {
    if settlement::settled(tx, institution, day)?.is_some() {
        return Ok(false);
    }
    let Some(void) = exchange::of_day(tx, institution, DocumentKind::Stl, day)?.pop() else {
        return Ok(true);
    };
    let bundle = approvals::newest(tx, institution, i64::MAX)?.map(|bundle| bundle.sha256);
    let newest = exchange::last(tx, institution, DocumentKind::Spl)?;
    Ok(bundle != void.approvals_sha256 || newest.is_some_and(|spl| spl.id > void.id))
}

/// Whether the bundle in force, a bill of the day or, where its place was refused, the chain before it is another one than
/// when the void file was cut.
async fn differs(app: &App, channels: &[Channel], desk: &Desk, day: BusinessDay) -> Result<bool, Error> {
    let institution = desk.institution.id;
    let now = app.clock.now();
    let (bill, others) = app
        .db
        .read(move |tx| {
            let (_, void) = splits::standing(tx, institution, day)?;
            let last = void.last().ok_or(Error::NotFound)?;
            let cuts = splits::cuts(tx, institution, day)?;
            let cut = cuts.into_iter().find(|cut| cut.seq == last.seq).ok_or(Error::NotFound)?;
            let bill = reconciliation::bill_by_id(tx, cut.bill_id)?;
            let bundle = approvals::newest(tx, institution, now)?;
            let own = exchange::of_day(tx, institution, DocumentKind::Bil, day)?;
            let others = own.iter().any(|bill| bill.recorded_at > last.recorded_at)
                || bundle.is_some_and(|bundle| bundle.sha256 != cut.approvals_sha256)
                || splits::chain_changed(tx, last)?;
            Ok((bill, others))
        })
        .await?;
    if others || desk.institution.documents == Documents::Bil {
        return Ok(others);
    }
    match reconciliation::fetch_only(channels, desk, day).await {
        Ok(fetched) => app.db.read(move |tx| Ok(!fetched.says_the_same(tx, &bill)?)).await,
        Err(Error::Refused { code: Code::BillUnavailable, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What must wait is tried again at the next round; it is no failure.
fn unless_waiting(outcome: Result<usize, Error>) -> Result<usize, Error> {
    match outcome {
        Err(Error::Refused {
            code:
                Code::GateClosed
                | Code::BillUnavailable
                | Code::SettledLater
                | Code::NoBundle
                | Code::DayOutOfTurn,
            detail,
        }) => {
            tracing::debug!(detail, "a day waits");
            Ok(0)
        }
        outcome => outcome,
    }
}
