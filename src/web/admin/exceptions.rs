//! What the split could not decide: orders told as X, differences between a bill and our record, and payments that pay
//! no order.
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use askama::Template;

use super::apart::{self, ApartRow};
use crate::app::App;
use crate::error::Error;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::kernel::text;
use crate::orders::{self, ApartEnd, KeptApart};
use crate::people::rights::{Resource, Right};
use crate::reconciliation::{DifferenceKind, Found};
use crate::web::kit::fault::Fault;
use crate::web::kit::form::Pressed;
use crate::web::kit::format::{COUNTED, Day, Ident, UpTo, Yuan};
use crate::web::kit::page::{Shell, page};
use crate::web::kit::visitor::Visitor;
use crate::web::view::apart::how_ended;
use crate::web::view::awaited::{self, AwaitedRow};
use crate::web::view::orders::state_name;
use crate::web::view::unsplit::{self, UnsplitRow};
use crate::web::words::Words;
use crate::{reconciliation, splits, tasks};

/// Rows of either table; the newest come first.
const MOST: i64 = 100;

/// A difference between the bill and our record.
struct DifferenceRow {
    kind: &'static str,
    why: &'static str,
    todo: &'static str,
    /// Our number, as far as known.
    order_no: Ident,
    /// Whether we know the order ourselves.
    known: bool,
    inst_order_no: Ident,
    day: Day,
    ours: String,
    theirs: String,
    /// Whether a button to ask the institution stands here.
    may_ask: bool,
}

#[derive(Template)]
#[template(path = "admin/exceptions.html")]
struct ExceptionsPage {
    s: Shell,
    unsplit: Vec<UnsplitRow>,
    unsplit_count: UpTo,
    differences: Vec<DifferenceRow>,
    difference_count: UpTo,
    apart: Vec<ApartRow>,
    awaited: Vec<AwaitedRow>,
    apart_count: UpTo,
    ended: Vec<ApartRow>,
    /// What a person may say was done: the word of the record, and ours.
    ends: [(&'static str, &'static str); 3],
}

/// All its tables, newest first.
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform(Right::View, Resource::Exceptions)?;
    let manages = visitor.principal.role.may(Right::Manage, Resource::Exceptions);
    let (s, now) = (visitor.shell(), app.clock.instant());
    let found = app.db.read(move |tx| {
        let rows = |all: Vec<KeptApart>| all.into_iter().map(|one| apart::row(s.w, one, manages)).collect();
        let unsplit = splits::unsplit_newest(tx, &scope, MOST)?;
        let differences = reconciliation::newest_differences(tx, &scope, MOST)?;
        Ok(ExceptionsPage {
            unsplit: unsplit.iter().map(|found| unsplit::row(s.w, found)).collect(),
            unsplit_count: UpTo::of(&[splits::unsplit_count(tx, &scope, COUNTED)?]),
            differences: differences.iter().map(|found| difference(s.w, found, manages)).collect(),
            difference_count: UpTo::of(&[reconciliation::difference_count(tx, &scope, COUNTED)?]),
            awaited: awaited::rows(tx, &scope, now)?,
            apart: rows(orders::kept_apart(tx, &scope, MOST)?),
            ended: rows(orders::ended_apart(tx, &scope, MOST)?),
            ends: [ApartEnd::Refunded, ApartEnd::Belongs, ApartEnd::Other]
                .map(|how| (how.as_str(), how_ended(s.w, how))),
            apart_count: UpTo::of(&[orders::kept_apart_count(tx, &scope, COUNTED)?]),
            s,
        })
    });
    page(&found.await?)
}

/// Asks the institution about an order whose payment only its bill tells.
pub(in crate::web) async fn ask(
    visitor: Visitor,
    pressed: Result<Pressed, Fault>,
    app: Data<App>,
    order_no: Path<String>,
) -> Result<HttpResponse, Fault> {
    visitor.platform(Right::Manage, Resource::Exceptions)?;
    pressed?;
    // Not every database can be asked for any text.
    let order_no = Some(order_no.into_inner()).filter(|no| text::is_order_no(no)).ok_or(Error::NotFound)?;
    let found = app.db.read(move |tx| orders::by_order_no(tx, &order_no)).await?;
    tasks::ask_about(&app, found.ok_or(Error::NotFound)?).await?;
    Ok(apart::back())
}

fn difference(w: &Words, found: &Found, manages: bool) -> DifferenceRow {
    let said = w.exceptions;
    let (kind, why, todo) = match found.difference.kind {
        DifferenceKind::Long if found.is_paid => (said.long, said.long_second_why, said.long_second_todo),
        DifferenceKind::Long if found.difference.ours.is_some() => {
            (said.long, said.long_differs_why, said.long_differs_todo)
        }
        DifferenceKind::Long => (said.long, said.long_why, said.long_todo),
        DifferenceKind::Short => (said.short, said.short_why, said.short_todo),
        DifferenceKind::Amount if found.difference.is_of_the_order() => {
            (said.amount, said.ordered_why, said.ordered_todo)
        }
        DifferenceKind::Amount => (said.amount, said.amount_why, said.amount_todo),
        DifferenceKind::Facts => (said.facts, said.facts_why, said.facts_todo),
        DifferenceKind::Document => (said.document, said.document_why, said.document_todo),
    };
    DifferenceRow {
        kind,
        why,
        todo,
        order_no: Ident(found.difference.order_no.clone()),
        known: found.is_known,
        may_ask: manages && found.is_known && !found.is_paid && found.difference.kind == DifferenceKind::Long,
        inst_order_no: Ident(found.difference.inst_order_no.clone()),
        day: Day(found.business_date),
        ours: side(w, found.difference.ours.as_deref()),
        theirs: side(w, found.difference.theirs.as_deref()),
    }
}

/// What one side has: sums are told by their names and in yuan, a state in words, everything else as it is.
fn side(w: &Words, said: Option<&str>) -> String {
    let Some(said) = said else { return "—".to_owned() };
    let sums = [("paid=", w.terms.paid), ("ordered=", w.exceptions.apart_asked), ("fee=", w.terms.fee)];
    let sum = |part: &str| {
        let found = sums.iter().find_map(|(begin, name)| Some((name, part.strip_prefix(begin)?)));
        let (name, fen) = found?;
        Some(format!("{name} {}", Yuan(Fen::new(fen.parse().ok()?))))
    };
    let state = |part: &str| Some(state_name(OrderState::parse(part.strip_prefix("state=")?)?, w).to_owned());
    let told = |part: &str| sum(part).or_else(|| state(part)).unwrap_or_else(|| part.to_owned());
    said.split(' ').map(told).collect::<Vec<_>>().join(" · ")
}
