//! What the merchant is credited, line by line.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::merchants;
use crate::web::fault::Fault;
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::settlement::{self, LineView};
use crate::web::visitor::Visitor;

const PAGE: i64 = 31;

#[derive(Deserialize)]
struct Asked {
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "merchant/settlements.html")]
struct SettlementsPage {
    s: Shell,
    lines: Vec<LineView>,
    older: Option<String>,
}

#[get("/merchant/settlements")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (_, id) = visitor.merchant()?;
    let (lang, before) = (visitor.lang, asked.before.unwrap_or(i64::MAX));
    let (lines, next) = app
        .db
        .read(move |tx| {
            let merchant = merchants::by_id(tx, id)?;
            let receiver = format!("merchant:{}", merchant.merchant);
            settlement::lines(tx, lang, merchant.institution_id, &receiver, before, PAGE)
        })
        .await?;
    let older = next.map(|before| format!("/merchant/settlements?before={before}"));
    page(&SettlementsPage { s: visitor.shell(), lines, older })
}
