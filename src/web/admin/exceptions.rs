//! What the split could not decide: orders told as X, and differences between a bill and our record.
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use askama::Template;

use crate::app::App;
use crate::web::fault::Fault;
use crate::web::format::{COUNTED, UpTo};
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::exceptions::{DifferenceRow, UnsplitRow, difference_row, unsplit_row};
use crate::web::visitor::Visitor;
use crate::{reconciliation, splits};

/// Rows of either table; the newest come first.
const MOST: i64 = 100;

#[derive(Template)]
#[template(path = "admin/exceptions.html")]
struct ExceptionsPage {
    s: Shell,
    unsplit: Vec<UnsplitRow>,
    unsplit_count: UpTo,
    differences: Vec<DifferenceRow>,
    difference_count: UpTo,
}

#[get("/admin/exceptions")]
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    let (scope, lang) = (visitor.platform()?, visitor.lang);
    let (counts, unsplit, differences) = app
        .db
        .read(move |tx| {
            let unsplit = splits::unsplit_newest(tx, &scope, MOST)?;
            let differences = reconciliation::newest_differences(tx, &scope, MOST)?;
            let counts = (
                splits::unsplit_count(tx, &scope, COUNTED)?,
                reconciliation::difference_count(tx, &scope, COUNTED)?,
            );
            Ok((counts, unsplit, differences))
        })
        .await?;
    page(&ExceptionsPage {
        s: visitor.shell(),
        unsplit: unsplit.iter().map(|found| unsplit_row(lang, found)).collect(),
        unsplit_count: UpTo::of(&[counts.0]),
        differences: differences.iter().map(|found| difference_row(lang, found)).collect(),
        difference_count: UpTo::of(&[counts.1]),
    })
}
