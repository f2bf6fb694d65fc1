//! A merchant's first page: today, and when the money comes.
use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use super::lines::{self, LineView};
use super::store;
use crate::app::App;
use crate::db::columns::FileId;
use crate::kernel::money::Fen;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{COUNTED, Day, UpTo, Yuan};
use crate::web::kit::page::{Shell, page};
use crate::web::kit::visitor::Visitor;
use crate::web::view::notice::{self, UntoldRow};
use crate::web::view::orders::{how_many, how_much};
use crate::{institutions, merchants, orders, splits};

const SHORT_LIST: i64 = 7;

#[derive(Template)]
#[template(path = "merchant/desk.html")]
struct DeskPage {
    s: Shell,
    merchant: String,
    merchant_name: String,
    institution: String,
    today: Day,
    count: String,
    amount: String,
    waiting: Yuan,
    settled: Yuan,
    settled_note: String,
    exceptions: UpTo,
    untold_count: UpTo,
    untold: Vec<UntoldRow>,
    lines: Vec<LineView>,
}

pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let (scope, id) = visitor.merchant(Right::View, Resource::Desk)?;
    let (lang, today, now, s) = (visitor.lang, app.clock.today(), app.clock.now(), visitor.shell());
    let found = app.db.read(move |tx| {
        let merchant = merchants::by_id(tx, id)?;
        let institution = institutions::by_id(tx, merchant.institution_id)?;
        let of = institution.id;
        let paid = orders::paid_on(tx, &scope, today)?;
        let receiver = format!("merchant:{}", merchant.merchant);
        let (lines, _) = lines::lines(tx, lang, of, &receiver, FileId::new(i64::MAX), SHORT_LIST)?;
        let waiting = store::waiting(tx, of, &receiver)?;
        let last = store::last_credit(tx, of, &receiver)?;
        Ok(DeskPage {
            s,
            merchant: merchant.merchant,
            merchant_name: merchant.name,
            institution: institution.name,
            today: Day(today),
            count: how_many(lang, &paid),
            amount: how_much(&paid),
            waiting: Yuan(Fen::sum(waiting).unwrap_or(Fen::ZERO)),
            settled: Yuan(last.map_or(Fen::ZERO, |(amount, _)| amount)),
            settled_note: last
                .and_then(|(_, day)| day)
                .map_or_else(|| "—".to_owned(), |day| Day(day).to_string()),
            exceptions: UpTo::of(&[splits::unsplit_count(tx, &scope, COUNTED)?]),
            untold_count: UpTo::of(&[orders::untold_count(tx, &scope, now, COUNTED)?]),
            untold: notice::rows(lang, orders::untold(tx, &scope, now, SHORT_LIST)?),
            lines,
        })
    });
    page(&found.await?)
}
