//! All files exchanged with the institutions, newest first.
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::db::columns::FileId;
use crate::exchange::{self, Wanted};
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::Day;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::pager::{Pager, last_of};
use crate::web::kit::visitor::Visitor;
use crate::web::view::file::{self, FileView};

const PAGE: i64 = 20;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::web) struct Asked {
    day: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "admin/files.html")]
struct FilesPage {
    s: Shell,
    day: String,
    files: Vec<FileView>,
    pager: Option<Pager>,
}

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, lang) = (visitor.platform(Right::View, Resource::Files)?, visitor.lang);
    let day = Day::parse(&asked.day);
    let wanted =
        Wanted { day: day.map(|day| day.0), before: asked.before.map(FileId::new), ..Wanted::default() };
    let (files, last) = app
        .db
        .read(move |tx| {
            let found = exchange::newest(tx, &scope, &wanted, PAGE)?;
            let last = last_of(&found, PAGE, |file| file.id);
            Ok((file::read_all(tx, lang, &found)?, last))
        })
        .await?;
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    let older = last.map(|before| format!("/admin/files?day={day}&before={before}"));
    let s = visitor.shell();
    page(&FilesPage { pager: Pager::older(s.w, older), s, day, files })
}
