//! An institution's first page: files that wait for it, what it answered, and where it uploads.
use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use askama::Template;
use serde::Deserialize;

use super::upload::Taken;
use crate::app::App;
use crate::db::Tx;
use crate::db::columns::FileId;
use crate::error::Error;
use crate::exchange::{self, ExchangedFile, Standing};
use crate::kernel::approvals::Bundle;
use crate::kernel::digest::Digest;
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{Count, When};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::pager::{Pager, last_of};
use crate::web::kit::visitor::Visitor;
use crate::web::view::file::{self, FileView};
use crate::web::view::still::{self, StillView};
use crate::web::words::Words;
use crate::{approvals, clock, institutions, rules, settlement};

const PAGE: i64 = 10;

#[derive(Deserialize)]
pub(in crate::web) struct Asked {
    before: Option<i64>,
    told: Option<String>,
}

struct BundleView {
    issued_at: When,
    rules: Count,
    merchants: Count,
    sha256: Digest,
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
    pager: Option<Pager>,
    command: String,
    bundle: Option<BundleView>,
}

pub(in crate::web) async fn show(
    visitor: Visitor,
    app: Data<App>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Fault> {
    let (scope, id) = visitor.institution(Right::View, Resource::Files)?;
    let (lang, now, s) = (visitor.lang, app.clock.now(), visitor.shell());
    let told = asked.told.as_deref().and_then(Taken::parse).map_or("", |told| said(s.w, told));
    let before = asked.before.map(FileId::new);
    let found = app.db.read(move |tx| {
        let institution = institutions::by_id(tx, id)?;
        let waiting = exchange::waiting(tx, &scope)?;
        let answered = exchange::answered(tx, &scope, before, PAGE)?;
        let older = last_of(&answered, PAGE, |(file, _)| format!("/institution?before={}", file.id));
        let bundle = approvals::newest_key(tx, id, now)?;
        let approved = rules::shared_bundle_at(tx, id, clock::instant(now))?;
        let newest = waiting.first().or(answered.first()).map(|(file, _)| file);
        let command = verify_command(newest, &institution.code);
        let still = still::days(tx, lang, &scope, clock::instant(now))?;
        let (waiting, answered) = (shown(tx, lang, &waiting)?, shown(tx, lang, &answered)?);
        Ok(InboxPage {
            institution: institution.name,
            told,
            waiting,
            answered,
            still,
            pager: Pager::older(s.w, older),
            command,
            bundle: bundle.zip(approved).map(|((sha256, issued_at), approved)| {
                let (rules, merchants) = bundle_counts(&approved);
                BundleView { issued_at: When(issued_at), rules, merchants, sha256 }
            }),
            s,
        })
    });
    page(&found.await?)
}

/// What became of the upload that led here.
fn said(w: &Words, told: Taken) -> &'static str {
    match told {
        Taken::Result => w.inbox.upload_result_done,
        Taken::Approvals => w.inbox.upload_bundle_done,
        Taken::Bill => w.inbox.upload_bill_done,
        Taken::Again => w.inbox.upload_again,
    }
}

/// How the institution recomputes the day of a file by itself (`files.md`, "`verify`").
fn verify_command(file: Option<&ExchangedFile>, institution: &str) -> String {
    let day = file.map_or_else(|| "yyyyMMdd".to_owned(), |file| file.business_date.to_string());
    format!(
        "mingfen verify \\\n  --spl SPL_{institution}_*_{day}_*.txt \\\n  --approvals APR_{institution}_*.json \\\n  \
         --bill BIL_{institution}_*_{day}_*.txt \\\n  --previous SPL_{institution}_*.txt \\\n  \
         --results SPL_{institution}_*.first.ret \\\n  --platform-key platform.pub.pem \\\n  \
         --institution-key {institution}.pub.pem"
    )
}

/// How many rule versions and merchants a bundle approves.
fn bundle_counts(bundle: &Bundle) -> (Count, Count) {
    let count = |n: usize| Count(i64::try_from(n).unwrap_or(i64::MAX));
    (count(bundle.rules.len()), count(bundle.merchants.len()))
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
