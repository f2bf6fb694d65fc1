//! Files exchanged with an institution: digest, place in the chain, and what the institution answered.
use std::io::ErrorKind;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web;

use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{ExchangedFile, FileResult, Folder};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::people::Scope;
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{Count, Day, When, Yuan};
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::Words;
use crate::web::words::say::{Brief, Counted};
use crate::{exchange, institutions};

/// One answer to a file.
pub struct ResultView {
    /// First or final.
    pub stage: &'static str,
    /// `ACCEPTED` or the institution's code.
    pub code: String,
    /// How many lines, and what succeeded.
    pub note: String,
    /// The RET.
    pub file: String,
    /// When it was imported.
    pub at: When,
}

/// A file with its answers.
pub struct FileView {
    /// For `aria-labelledby`.
    pub anchor: String,
    /// Its name.
    pub name: String,
    /// Its symbol.
    pub icon: &'static str,
    /// Whether a signature stands beside it: the channel's own bill has none.
    pub signed: bool,
    /// What it is and holds.
    pub brief: String,
    /// Its header's time.
    pub at: When,
    /// Lower-case hex.
    pub sha256: String,
    /// The digest of the file before it; empty without a chain.
    pub previous: String,
    /// That file's name.
    pub previous_name: String,
    /// The bundle it was made under; empty without one.
    pub bundle: String,
    /// Whether it was taken.
    pub first: Tag,
    /// Whether it was executed.
    pub last: Option<Tag>,
    /// In order.
    pub results: Vec<ResultView>,
}

/// Whether this answer makes a file void: any code but those that ask for the same bytes again (`files.md`, SPL).
#[must_use]
pub fn is_void(result: &FileResult) -> bool {
    result.stage == "FIRST" && !matches!(result.code.as_str(), "ACCEPTED" | "E_SIGN" | "E_DIGEST")
}

/// A file with its answers, in words.
pub fn read(tx: &mut Tx<'_>, lang: Lang, file: &ExchangedFile) -> Result<FileView, Error> {
    let w = lang.words();
    let answers = exchange::results_of(tx, file.id)?;
    let previous = file.previous_sha256.clone().unwrap_or_default();
    let previous_name = if previous.bytes().all(|b| b == b'0') {
        if previous.is_empty() { String::new() } else { w.files.chain_first.to_owned() }
    } else {
        exchange::by_digest(tx, file.institution_id, &previous)?.map(|file| file.name).unwrap_or_default()
    };
    let mut results = Vec::with_capacity(answers.len());
    for answer in &answers {
        let ret = exchange::by_id(tx, answer.ret_file_id)?;
        results.push(result_view(lang, answer, ret.name));
    }
    Ok(FileView {
        anchor: format!("f{}", file.id),
        name: file.name.clone(),
        signed: file.kind != "WXBILL",
        icon: if file.direction == "OUT" { "file-text" } else { "inbox" },
        brief: brief(lang, file),
        at: When(file.created_at),
        sha256: file.sha256.clone(),
        previous,
        previous_name,
        bundle: file.approvals_sha256.clone().unwrap_or_default(),
        first: first_tag(w, file, &answers),
        last: last_tag(w, file, &answers),
        results,
    })
}

fn result_view(lang: Lang, answer: &FileResult, file: String) -> ResultView {
    let w = lang.words();
    let (lines, total) = (Count(answer.lines), Yuan(Fen::new(answer.success_total)));
    let first = answer.stage == "FIRST";
    let note = Counted::Result(lines, total).say(lang);
    ResultView {
        stage: if first { w.files.first_result } else { w.files.final_result },
        code: answer.code.clone(),
        note: if first { String::new() } else { note },
        file,
        at: When(answer.imported_at),
    }
}

fn brief(lang: Lang, file: &ExchangedFile) -> String {
    let (day, orders, lines) = (Day(file.business_date), Count(file.orders), Count(file.lines));
    let total = Yuan(Fen::new(file.total));
    let brief = match file.kind.as_str() {
        "SPL" => Brief::Splits(day, orders, lines, total),
        "STL" => Brief::Settlement(day, orders, total),
        "APR" => Brief::Approvals(day),
        "RET" => Brief::Result(day),
        _ => Brief::Bill(day, orders, total),
    };
    brief.say(lang)
}

/// Whether the file was taken.
fn first_tag(w: &Words, file: &ExchangedFile, answers: &[FileResult]) -> Tag {
    if file.direction == "IN" {
        return Tag::new(Mood::Ok, w.files.received);
    }
    match answers.iter().rev().find(|answer| answer.stage == "FIRST") {
        None => Tag::new(Mood::Waits, w.files.waiting_first),
        Some(answer) if answer.code == "ACCEPTED" => Tag::new(Mood::Ok, w.files.accepted),
        Some(answer) => Tag::new(Mood::Bad, answer.code.clone()),
    }
}

fn last_tag(w: &Words, file: &ExchangedFile, answers: &[FileResult]) -> Option<Tag> {
    let accepted = answers.iter().any(|answer| answer.stage == "FIRST" && answer.code == "ACCEPTED");
    if file.direction == "IN" || !accepted {
        return None;
    }
    let executed = answers.iter().any(|answer| answer.stage == "FINAL");
    Some(if executed {
        Tag::new(Mood::Ok, w.files.executed)
    } else {
        Tag::new(Mood::Waits, w.files.waiting_final)
    })
}

/// The bytes of a recorded file, or of its signature (`{name}.sig`), for whoever may see it.
pub async fn download(app: &App, scope: Scope, name: String) -> Result<HttpResponse, Fault> {
    if name.contains(char::is_control) {
        return Err(Fault::NotFound);
    }
    let whole = name.strip_suffix(".sig").unwrap_or(&name).to_owned();
    let found = app.db.read(move |tx| {
        let Some(file) = exchange::scoped(tx, &scope, &whole)? else { return Ok(None) };
        Ok(Some((institutions::by_id(tx, file.institution_id)?, file)))
    });
    let found = found.await?;
    let (institution, file) = found.ok_or(Fault::NotFound)?;
    let folder = Folder::new(&app.config.data_dir, &institution.code);
    let day = BusinessDay::from_i32(file.business_date).ok_or(Fault::NotFound)?;
    let dir = if file.direction == "OUT" { folder.out(day) } else { folder.inbox() };
    let path = dir.join(&name);
    let read = web::block(move || std::fs::read(path)).await.map_err(|e| Error::Internal(e.to_string()))?;
    let bytes = read
        .map_err(|e| if e.kind() == ErrorKind::NotFound { Fault::NotFound } else { Error::Io(e).into() })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes))
}
