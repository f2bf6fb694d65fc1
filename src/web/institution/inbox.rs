//! An institution's first page: files that wait for it, what it answered, and where it uploads.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::db::columns::InstitutionId;
use crate::web::fault::Fault;
use crate::web::format::{Count, When};
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::file::{self, FileView};
use crate::web::visitor::Visitor;
use crate::{clock, rules};
use crate::{exchange, institutions};

const PAGE: i64 = 10;

#[derive(Deserialize)]
struct Asked {
    before: Option<i64>,
    told: Option<String>,
}

struct BundleView {
    issued_at: When,
    rules: Count,
    merchants: Count,
    sha256: String,
}

#[derive(Template)]
#[template(path = "institution/inbox.html")]
struct InboxPage {
    s: Shell,
    institution: String,
    told: &'static str,
    waiting: Vec<FileView>,
    answered: Vec<FileView>,
    older: Option<String>,
    command: String,
    bundle: Option<BundleView>,
}

#[get("/institution")]
pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, id) = visitor.institution()?;
    let (lang, now, s) = (visitor.lang, app.clock.now(), visitor.shell());
    let told = match asked.told.as_deref() {
        Some("result") => s.w.upload_result_done,
        Some("approvals") => s.w.upload_bundle_done,
        Some("bill") => s.w.upload_bill_done,
        Some("again") => s.w.upload_again,
        _ => "",
    };
    let before = asked.before;
    let found = app.db.read(move |tx| {
        let institution = institutions::by_id(tx, id)?;
        let waiting = exchange::waiting(tx, &scope)?;
        let answered = exchange::answered(tx, &scope, before, PAGE)?;
        let last = answered.last().filter(|_| i64::try_from(answered.len()) == Ok(PAGE)).map(|file| file.id);
        let bundle = exchange::newest_bundle_key(tx, id, now)?;
        let approved = rules::shared_bundle_at(tx, InstitutionId::new(id), clock::instant(now))?;
        let command = file::verify_command(waiting.first().or(answered.first()), &institution.code);
        let waiting: Result<Vec<_>, _> = waiting.iter().map(|found| file::read(tx, lang, found)).collect();
        let answered: Result<Vec<_>, _> = answered.iter().map(|found| file::read(tx, lang, found)).collect();
        Ok(InboxPage {
            s,
            institution: institution.name,
            told,
            waiting: waiting?,
            answered: answered?,
            older: last.map(|before| format!("/institution?before={before}")),
            command,
            bundle: bundle.zip(approved).map(|((sha256, issued_at), approved)| {
                let (rules, merchants) = file::bundle_counts(&approved);
                BundleView { issued_at: When(issued_at), rules, merchants, sha256 }
            }),
        })
    });
    page(&found.await?)
}
