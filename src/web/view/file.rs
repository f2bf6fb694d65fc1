//! Files exchanged with an institution: digest, place in the chain, and what the institution answered.
use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web;

use crate::app::App;
use crate::db::Tx;
use crate::db::columns::FileId;
use crate::error::Error;
use crate::exchange::{AnswerStage, Direction, DocumentKind, ExchangedFile, FileResult, Folder, Standing};
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::RetCode;
use crate::kernel::state::{FileState, SettlementState};
use crate::people::Scope;
use crate::settlement::WaitingLine;
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{Count, Day, When, Yuan};
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::Words;
use crate::web::words::say::{Brief, Counted, Stands};
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
    /// Over all of it.
    pub sha256: Digest,
    /// The digest of the file before it; none without a chain.
    pub previous: Option<Digest>,
    /// That file's name.
    pub previous_name: String,
    /// The bundle it was made under.
    pub bundle: Option<Digest>,
    /// Whether it was taken.
    pub first: Tag,
    /// How far it was executed.
    pub last: Option<Tag>,
    /// How its lines stand, where not all of them succeeded.
    pub counts: String,
    /// The first lines without success, where they are asked for.
    pub lines: Vec<String>,
    /// In order.
    pub results: Vec<ResultView>,
}

/// Files with their answers, in words; of those that are ours with where they stand. Asks the same number of queries for
/// any number of files.
pub fn read_all(tx: &mut Tx<'_>, lang: Lang, files: &[ExchangedFile]) -> Result<Vec<FileView>, Error> {
    let ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    let before: Vec<Digest> = files.iter().filter_map(|file| file.previous_sha256).collect();
    let names = exchange::names_by_digest(tx, &before)?;
    let standings = exchange::standings(tx, &ids)?;
    let mut results: HashMap<FileId, Vec<(FileResult, String)>> = HashMap::new();
    for (result, name) in exchange::results_of_all(tx, &ids)? {
        results.entry(result.file_id).or_default().push((result, name));
    }
    let mut view = |file: &ExchangedFile| {
        let previous_name = match file.previous_sha256 {
            Some(Digest::ZERO) => lang.words().files.chain_first.to_owned(),
            Some(before) => names.get(&(file.institution_id, before)).cloned().unwrap_or_default(),
            None => String::new(),
        };
        let answers = results.remove(&file.id).unwrap_or_default();
        view_of(lang, file, previous_name, standings.get(&file.id), answers)
    };
    Ok(files.iter().map(&mut view).collect())
}

fn view_of(
    lang: Lang,
    file: &ExchangedFile,
    previous_name: String,
    standing: Option<&Standing>,
    answers: Vec<(FileResult, String)>,
) -> FileView {
    let w = lang.words();
    let codes = answers.iter().rev().filter(|(answer, _)| answer.stage == AnswerStage::First);
    let code = codes.map(|(answer, _)| answer.code).next();
    FileView {
        anchor: format!("f{}", file.id),
        name: file.name.clone(),
        signed: !matches!(file.kind, DocumentKind::Wxbill | DocumentKind::Alibill),
        icon: match file.direction {
            Direction::Out => "file-text",
            Direction::In => "inbox",
        },
        brief: brief(lang, file),
        at: When(file.created_at),
        sha256: file.sha256,
        previous: file.previous_sha256,
        previous_name,
        bundle: file.approvals_sha256,
        first: first_tag(w, standing, code),
        last: standing.and_then(|standing| last_tag(w, standing)),
        counts: standing.map(|standing| counted(lang, standing)).unwrap_or_default(),
        lines: Vec::new(),
        results: answers.into_iter().map(|(answer, ret)| result_view(lang, &answer, ret)).collect(),
    }
}

fn result_view(lang: Lang, answer: &FileResult, file: String) -> ResultView {
    let w = lang.words();
    let (lines, total) = (Count(answer.lines), Yuan(answer.success_total));
    let first = answer.stage == AnswerStage::First;
    let note = Counted::Result(lines, total).say(lang);
    ResultView {
        stage: if first { w.files.first_result } else { w.files.final_result },
        code: answer.code.as_str().to_owned(),
        note: if first { String::new() } else { note },
        file,
        at: When(answer.imported_at),
    }
}

fn brief(lang: Lang, file: &ExchangedFile) -> String {
    let (day, orders, lines) = (Day(file.business_date), Count(file.orders), Count(file.lines));
    let total = Yuan(file.total);
    let brief = match file.kind {
        DocumentKind::Spl | DocumentKind::Rtn => Brief::Splits(day, orders, lines, total),
        DocumentKind::Stl => Brief::Settlement(day, orders, total),
        DocumentKind::Apr => Brief::Approvals(day),
        DocumentKind::Ret => Brief::Result(day),
        DocumentKind::Bil | DocumentKind::Wxbill | DocumentKind::Alibill => Brief::Bill(day, orders, total),
    };
    brief.say(lang)
}

/// Whether the file was taken: by its standing, and the code of its newest FIRST.
fn first_tag(w: &Words, standing: Option<&Standing>, code: Option<RetCode>) -> Tag {
    let Some(standing) = standing else { return Tag::new(Mood::Ok, w.files.received) };
    match (standing.state.is_taken(), code) {
        (true, _) => Tag::new(Mood::Ok, w.files.accepted),
        (false, None) => Tag::new(Mood::Waits, w.files.waiting_first),
        (false, Some(code)) => Tag::new(Mood::Bad, code.as_str()),
    }
}

fn last_tag(w: &Words, standing: &Standing) -> Option<Tag> {
    Some(match standing.state {
        FileState::Published | FileState::Rejected => return None,
        FileState::Accepted => Tag::new(Mood::Waits, w.files.waiting_final),
        FileState::PartlyAnswered => Tag::new(Mood::Waits, w.files.partly_answered),
        FileState::Executed => Tag::new(Mood::Ok, w.files.executed),
        FileState::ExecutedWithFailures => Tag::new(Mood::Bad, w.files.executed_failures),
        FileState::Bounced => Tag::new(Mood::Bad, w.files.bounced_later),
    })
}

/// How the lines of a file stand, part by part; nothing before its first FINAL and once all succeeded.
fn counted(lang: Lang, standing: &Standing) -> String {
    let told = match standing.state {
        FileState::PartlyAnswered | FileState::ExecutedWithFailures | FileState::Bounced => true,
        FileState::Published | FileState::Accepted | FileState::Rejected | FileState::Executed => false,
    };
    if !told {
        return String::new();
    }
    let counts = standing.counts();
    let parts = [
        (SettlementState::Success, counts.succeeded),
        (SettlementState::Failed, counts.failed),
        (SettlementState::Pending, counts.pending),
        (SettlementState::Bounced, counts.bounced),
        (SettlementState::Sent, counts.unanswered()),
    ];
    let said = parts.into_iter().filter(|(_, count)| *count > 0);
    let said: Vec<String> = said.map(|(state, count)| Stands::Part(state, Count(count)).say(lang)).collect();
    Stands::Whole(Count(counts.expected), &said.join(lang.words().kit.comma)).say(lang)
}

/// A line that has no success, in words.
#[must_use]
pub fn waiting_line(lang: Lang, line: &WaitingLine) -> String {
    Stands::Line(line.n, &line.of, line.state).say(lang)
}

/// The bytes of a recorded file, or of its signature (`{name}.sig`), for whoever may see it.
pub async fn download(app: &App, scope: Scope, name: String) -> Result<HttpResponse, Fault> {
    if name.contains(char::is_control) {
        return Err(Fault::NotFound);
    }
    let whole = name.strip_suffix(".sig").unwrap_or(&name).to_owned();
    let of_signature = whole != name;
    let found = app.db.read(move |tx| {
        let Some(file) = exchange::scoped(tx, &scope, &whole)? else { return Ok(None) };
        Ok(Some((institutions::by_id(tx, file.institution_id)?, file)))
    });
    let found = found.await?;
    let (institution, file) = found.ok_or(Fault::NotFound)?;
    let folder = Folder::new(&app.config.data_dir, &institution.code);
    let read = web::block(move || folder.bytes(&file, of_signature)).await;
    let bytes = read.map_err(|e| Error::Internal(e.to_string()))??.ok_or(Fault::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/octet-stream"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes))
}
