//! The platform's first page: today, how far the latest day has come, and what waits for a person.
use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, DocumentKind, ExchangedFile, Standing, Wanted};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::state::{FileState, OrderState};
use crate::orders::{self, Filter};
use crate::people::Scope;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{COUNTED, Count, Day, UpTo, When, Yuan};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::visitor::Visitor;
use crate::web::view::file::{self, FileView};
use crate::web::view::notice::{self, UntoldRow};
use crate::web::view::orders::{how_many, how_much};
use crate::web::view::still::{self, StillView};
use crate::web::view::unsplit::{self, UnsplitRow};
use crate::web::words::say::{Counted, Deadline, Stands};
use crate::{clock, institutions, reconciliation, splits};

const SHORT_LIST: i64 = 5;
/// The hour of the next day, in Asia/Shanghai, from which the channel gives its bill of a day.
const BILL_HOUR: i64 = 10;

/// One step of a day, proven by the files that exist and their answers.
struct Step {
    is_done: bool,
    /// The first that is not done.
    is_now: bool,
    title: &'static str,
    /// What proves it.
    note: String,
}

#[derive(Template)]
#[template(path = "admin/desk.html")]
struct DeskPage {
    s: Shell,
    today: Day,
    now: When,
    count: String,
    amount: String,
    exceptions: UpTo,
    unknown: UpTo,
    files_waiting: Count,
    untold_count: UpTo,
    untold: Vec<UntoldRow>,
    deadline: String,
    deadline_note: String,
    day: Option<Day>,
    steps: Vec<Step>,
    unsplit: Vec<UnsplitRow>,
    files: Vec<FileView>,
    still: Vec<StillView>,
}

/// The desk, read in one look.
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let (scope, lang) = (visitor.platform(Right::View, Resource::Desk)?, visitor.lang);
    let (today, now, instant) = (app.clock.today(), app.clock.now(), app.clock.instant());
    let s = visitor.shell();
    let found = app.db.read(move |tx| {
        let paid = orders::paid_on(tx, &scope, today)?;
        let unknown = Filter { state: Some(OrderState::Unknown), ..Filter::default() };
        let unknown = orders::totals(tx, &scope, &unknown)?;
        let differences = reconciliation::difference_count(tx, &scope, COUNTED)?;
        let apart = orders::kept_apart_count(tx, &scope, COUNTED)?;
        let exceptions = UpTo::of(&[splits::unsplit_count(tx, &scope, COUNTED)?, differences, apart]);
        let unsplit = splits::unsplit_newest(tx, &scope, SHORT_LIST)?;
        let out = Wanted { published: true, ..Wanted::default() };
        let newest = exchange::newest(tx, &scope, &out, SHORT_LIST)?;
        let files = file::read_all(tx, lang, &newest)?;
        let (day, steps) = latest_day(tx, lang, &scope)?;
        let files_waiting = exchange::waiting_count(tx, &scope)?;
        let (deadline, deadline_note) = deadline(tx, lang, now)?;
        let s = s.waiting("/admin/exceptions", exceptions.count);
        Ok(DeskPage {
            today: Day(today),
            now: When(now),
            count: how_many(lang, &paid),
            amount: how_much(&paid),
            exceptions,
            unknown: UpTo { count: unknown.count, more: unknown.bounded },
            files_waiting: Count(files_waiting),
            untold_count: UpTo::of(&[orders::untold_count(tx, &scope, now, COUNTED)?]),
            untold: notice::rows(lang, orders::untold(tx, &scope, now, SHORT_LIST)?),
            deadline,
            deadline_note,
            day,
            steps,
            unsplit: unsplit.iter().map(|found| unsplit::row(s.w, found)).collect(),
            files,
            still: still::days(tx, lang, &scope, instant)?,
            s,
        })
    });
    page(&found.await?)
}

/// The newest day that was cut, and its steps: each is done only when all files of the day have come that far.
fn latest_day(tx: &mut Tx<'_>, lang: Lang, scope: &Scope) -> Result<(Option<Day>, Vec<Step>), Error> {
    let wanted = Wanted { kind: Some(DocumentKind::Spl), ..Wanted::default() };
    let Some(newest) = exchange::newest(tx, scope, &wanted, 1)?.pop() else {
        return Ok((None, Vec::new()));
    };
    let w = lang.words();
    let (institution, day) = (newest.institution_id, newest.business_date);
    let bill = reconciliation::bills(tx, institution, day)?.pop();
    let mut live = |kind| -> Result<Vec<(ExchangedFile, Standing)>, Error> {
        let mut files = exchange::standing_of_day(tx, institution, kind, day)?;
        files.retain(|(_, standing)| standing.state != FileState::Rejected);
        Ok(files)
    };
    let (spls, stl) = (live(DocumentKind::Spl)?, live(DocumentKind::Stl)?.pop());
    let sum = |of: fn(&ExchangedFile) -> i64| spls.iter().map(|(file, _)| of(file)).sum::<i64>();
    let orders = |n: i64| Counted::Orders(Count(n), "").say(lang);
    let total = Fen::sum(spls.iter().map(|(file, _)| file.total)).unwrap_or(Fen::ZERO);
    let split = Counted::Split(Count(sum(|file| file.orders)), Count(sum(|file| file.lines))).say(lang);
    let published = format!("{} · {}", When(newest.created_at).short(), Yuan(total));
    let taken = spls.iter().filter(|(_, standing)| standing.state.is_taken()).count();
    let verified = (taken > 0 && taken == spls.len()).then(|| w.files.accepted.to_owned());
    let executed =
        stl.as_ref().filter(|(_, standing)| standing.state.is_taken() && !standing.state.is_open());
    let settled =
        stl.as_ref().map(|(stl, _)| format!("{} · {}", When(stl.created_at).short(), Yuan(stl.total)));
    let billed = bill.map(|bill| format!("{} · {}", orders(bill.orders), Yuan(bill.total_paid)));
    let notes = [
        (w.desk.step_bill, billed),
        (w.desk.step_split, Some(split)),
        (w.desk.step_publish, Some(published)),
        (w.desk.step_verify, verified),
        (w.desk.step_settle, settled),
        (w.desk.step_execute, executed.map(|(_, standing)| outcome(lang, standing))),
    ];
    let mut reached = true;
    let steps = notes.into_iter().map(|(title, note)| {
        let (is_done, is_now) = (note.is_some(), note.is_none() && reached);
        reached = is_done;
        Step { is_done, is_now, title, note: note.unwrap_or_default() }
    });
    Ok((Some(Day(day)), steps.collect()))
}

/// How a settlement that came to its end was executed.
fn outcome(lang: Lang, standing: &Standing) -> String {
    let without = standing.failed.saturating_add(standing.bounced);
    Stands::Outcome(Count(standing.succeeded), Count(without)).say(lang)
}

/// When the next bill can be fetched, and of which day: yesterday's, unless every institution's yesterday is cut already.
fn deadline(tx: &mut Tx<'_>, lang: Lang, now: i64) -> Result<(String, String), Error> {
    let today = clock::instant(now).business_day();
    let ready = |day: BusinessDay| clock::micros(day.start().plus(BILL_HOUR * 3600));
    let mut is_open = false;
    if now < ready(today) {
        for institution in institutions::all(tx)? {
            is_open |= splits::uncut_day(tx, institution.id, today.prev())?.is_some();
        }
    }
    let on = if is_open { today } else { today.next() };
    let of = Day(on.prev());
    Ok((When(ready(on)).short(), Deadline::Bill(of).say(lang)))
}
