//! What the merchant is credited, line by line.
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use askama::Template;
use serde::Deserialize;

use super::lines::{self, LineView};
use crate::app::App;
use crate::db::columns::FileId;
use crate::merchants;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::pager::Pager;
use crate::web::kit::visitor::Visitor;

const PAGE: i64 = 31;

#[derive(Deserialize)]
pub(in crate::web) struct Asked {
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "merchant/settlements.html")]
struct SettlementsPage {
    s: Shell,
    lines: Vec<LineView>,
    pager: Option<Pager>,
}

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (_, id) = visitor.merchant(Right::View, Resource::Settlements)?;
    let (lang, before) = (visitor.lang, FileId::new(asked.before.unwrap_or(i64::MAX)));
    let (lines, next) = app
        .db
        .read(move |tx| {
            let merchant = merchants::by_id(tx, id)?;
            let receiver = format!("merchant:{}", merchant.merchant);
            lines::lines(tx, lang, merchant.institution_id, &receiver, before, PAGE)
        })
        .await?;
    let older = next.map(|before| format!("/merchant/settlements?before={before}"));
    let s = visitor.shell();
    page(&SettlementsPage { pager: Pager::older(s.w, older), s, lines })
}
