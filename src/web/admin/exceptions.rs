//! What the split could not decide: orders told as X, and differences between a bill and our record.
use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use crate::app::App;
use crate::kernel::money::Fen;
use crate::people::rights::{Resource, Right};
use crate::reconciliation::{DifferenceKind, Found};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{COUNTED, Day, Ident, UpTo, Yuan};
use crate::web::kit::page::{Shell, page};
use crate::web::kit::visitor::Visitor;
use crate::web::view::unsplit::{self, UnsplitRow};
use crate::web::words::Words;
use crate::{reconciliation, splits};

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
}

#[derive(Template)]
#[template(path = "admin/exceptions.html")]
struct ExceptionsPage {
    s: Shell,
    unsplit: Vec<UnsplitRow>,
    unsplit_count: UpTo,
    differences: Vec<DifferenceRow>,
    difference_count: UpTo,
}

/// Both tables, newest first.
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let scope = visitor.platform(Right::View, Resource::Exceptions)?;
    let s = visitor.shell();
    let found = app.db.read(move |tx| {
        let unsplit = splits::unsplit_newest(tx, &scope, MOST)?;
        let differences = reconciliation::newest_differences(tx, &scope, MOST)?;
        Ok(ExceptionsPage {
            unsplit: unsplit.iter().map(|found| unsplit::row(s.w, found)).collect(),
            unsplit_count: UpTo::of(&[splits::unsplit_count(tx, &scope, COUNTED)?]),
            differences: differences.iter().map(|found| difference(s.w, found)).collect(),
            difference_count: UpTo::of(&[reconciliation::difference_count(tx, &scope, COUNTED)?]),
            s,
        })
    });
    page(&found.await?)
}

fn difference(w: &Words, found: &Found) -> DifferenceRow {
    let said = w.exceptions;
    let (kind, why, todo) = match found.difference.kind {
        DifferenceKind::Long => (said.long, said.long_why, said.long_todo),
        DifferenceKind::Short => (said.short, said.short_why, said.short_todo),
        DifferenceKind::Amount => (said.amount, said.amount_why, said.amount_todo),
        DifferenceKind::Facts => (said.facts, said.facts_why, said.facts_todo),
    };
    DifferenceRow {
        kind,
        why,
        todo,
        order_no: Ident(found.difference.order_no.clone()),
        known: found.difference.kind != DifferenceKind::Long,
        inst_order_no: Ident(found.difference.inst_order_no.clone()),
        day: Day(found.business_date),
        ours: side(found.difference.ours.as_deref()),
        theirs: side(found.difference.theirs.as_deref()),
    }
}

/// What one side has: `paid=` stands for an amount, everything else is told as it is.
fn side(said: Option<&str>) -> String {
    let Some(said) = said else { return "—".to_owned() };
    let fen = said.strip_prefix("paid=").and_then(|fen| fen.parse().ok());
    fen.map_or_else(|| said.to_owned(), |fen| Yuan(Fen::new(fen)).to_string())
}
