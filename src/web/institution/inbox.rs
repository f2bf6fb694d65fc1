//! An institution's first page: files that wait for it, what it answered, and where it uploads.
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use askama::Template;
use serde::Deserialize;

use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{ExchangedFile, Standing};
use crate::settlement;
use crate::web::fault::Fault;
use crate::web::format::{Count, When};
use crate::web::lang::Lang;
use crate::web::page;
use crate::web::shell::Shell;
use crate::web::view::file::{self, FileView};
use crate::web::view::still::{self, StillView};
use crate::web::visitor::Visitor;
use crate::{approvals, clock, exchange, institutions, rules};

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
    still: Vec<StillView>,
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
        let full = i64::try_from(answered.len()) == Ok(PAGE);
        let last = answered.last().filter(|_| full).map(|(file, _)| file.id);
        let bundle = approvals::newest_key(tx, id, now)?;
        let approved = rules::shared_bundle_at(tx, id, clock::instant(now))?;
        let newest = waiting.first().or(answered.first()).map(|(file, _)| file);
        let command = file::verify_command(newest, &institution.code);
        let still = still::days(tx, lang, &scope, clock::instant(now))?;
        let (waiting, answered) = (shown(tx, lang, &waiting)?, shown(tx, lang, &answered)?);
        Ok(InboxPage {
            s,
            institution: institution.name,
            told,
            waiting,
            answered,
            still,
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

/// Files of which lines are told that have no success.
const TOLD: usize = 3;

/// Files as they stand; of the first ones that were answered in part or failed with the lines that have no success.
fn shown(tx: &mut Tx<'_>, lang: Lang, found: &[(ExchangedFile, Standing)]) -> Result<Vec<FileView>, Error> {
    let files: Vec<ExchangedFile> = found.iter().map(|(file, _)| file.clone()).collect();
    let mut views = file::read_all(tx, lang, &files)?;
    let told = views.iter_mut().zip(found).filter(|(view, _)| !view.counts.is_empty());
    for (view, (file, standing)) in told.take(TOLD) {
        let lines = settlement::waiting_lines(tx, file, standing)?;
        view.lines = lines.iter().map(|line| file::waiting_line(lang, line)).collect();
    }
    Ok(views)
}
