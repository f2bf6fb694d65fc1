//! All files exchanged with the institutions, newest first.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::exchange::{self, Wanted};
use crate::web::fault::Fault;
use crate::web::format::Day;
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::file::{self, FileView};
use crate::web::visitor::Visitor;

const PAGE: i64 = 20;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    day: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "admin/files.html")]
struct FilesPage {
    s: Shell,
    day: String,
    files: Vec<FileView>,
    older: Option<String>,
}

#[get("/admin/files")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, lang) = (visitor.platform()?, visitor.lang);
    let day = Day::parse(&asked.day);
    let wanted = Wanted { day: day.map(|day| day.0), before: asked.before, ..Wanted::default() };
    let (files, last) = app
        .db
        .read(move |tx| {
            let found = exchange::newest(tx, &scope, &wanted, PAGE)?;
            let last = found.last().filter(|_| i64::try_from(found.len()) == Ok(PAGE)).map(|file| file.id);
            Ok((file::read_all(tx, lang, &found)?, last))
        })
        .await?;
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    let older = last.map(|before| format!("/admin/files?day={day}&before={before}"));
    page(&FilesPage { s: visitor.shell(), day, files, older })
}
