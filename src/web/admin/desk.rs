//! The platform's first page: today, how far the latest day has come, and what waits for a person.
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use askama::Template;

use crate::app::App;
use crate::exchange::{self, Wanted};
use crate::kernel::state::OrderState;
use crate::orders::{self, Filter};
use crate::web::fault::Fault;
use crate::web::format::{COUNTED, Count, Day, UpTo, When};
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::day::{self, Step};
use crate::web::view::exceptions::{UnsplitRow, unsplit_row};
use crate::web::view::file::{self, FileView};
use crate::web::view::orders::{how_many, how_much};
use crate::web::view::still::{self, StillView};
use crate::web::visitor::Visitor;
use crate::{reconciliation, splits};

const SHORT_LIST: i64 = 5;

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
    deadline: String,
    deadline_note: String,
    day: Option<Day>,
    steps: Vec<Step>,
    unsplit: Vec<UnsplitRow>,
    files: Vec<FileView>,
    still: Vec<StillView>,
}

#[get("/admin")]
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let (scope, lang) = (visitor.platform()?, visitor.lang);
    let (today, now, instant) = (app.clock.today(), app.clock.now(), app.clock.instant());
    let s = visitor.shell();
    let found = app.db.read(move |tx| {
        let paid = orders::paid_on(tx, &scope, today)?;
        let unknown = Filter { state: Some(OrderState::Unknown), ..Filter::default() };
        let unknown = orders::totals(tx, &scope, &unknown)?;
        let differences = reconciliation::difference_count(tx, &scope, COUNTED)?;
        let exceptions = UpTo::of(&[splits::unsplit_count(tx, &scope, COUNTED)?, differences]);
        let unsplit = splits::unsplit_newest(tx, &scope, SHORT_LIST)?;
        let out = Wanted { published: true, ..Wanted::default() };
        let newest = exchange::newest(tx, &scope, &out, SHORT_LIST)?;
        let files = file::read_all(tx, lang, &newest)?;
        let (day, steps) = day::latest(tx, lang, &scope)?;
        let files_waiting = exchange::waiting_count(tx, &scope)?;
        let (deadline, deadline_note) = day::deadline(lang, now);
        Ok(DeskPage {
            s: s.waiting("/admin/exceptions", exceptions.count),
            today: Day(today.to_i32()),
            now: When(now),
            count: how_many(lang, &paid),
            amount: how_much(&paid),
            exceptions,
            unknown: UpTo { count: unknown.count, more: unknown.bounded },
            files_waiting: Count(files_waiting),
            deadline,
            deadline_note,
            day,
            steps,
            unsplit: unsplit.iter().map(|found| unsplit_row(lang, found)).collect(),
            files,
            still: still::days(tx, lang, &scope, instant)?,
        })
    });
    page(&found.await?)
}
