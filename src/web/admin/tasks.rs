//! What runs by itself and how late it is, work that takes its time with its progress, and what was refused.
use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use askama::Template;

use crate::app::App;
use crate::db::columns::TaskId;
use crate::error::Code;
use crate::people::rights::{Resource, Right};
use crate::people::security::{self, SecurityKind, SecurityRow};
use crate::tasks::{self, JOBS, Job, JobName, JobRun, RunBy, Task, TaskKind, TaskPhase, TaskState};
use crate::web::kit::fault::Fault;
use crate::web::kit::form::Pressed;
use crate::web::kit::format::{Count, When};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::tag::{Mood, Tag};
use crate::web::kit::visitor::Visitor;
use crate::web::words::Words;
use crate::web::words::say::{Pace, Refusal};

/// Tasks, and events, that are shown; the newest come first.
const MOST: i64 = 50;

#[derive(Template)]
#[template(path = "admin/tasks.html")]
struct TasksPage {
    s: Shell,
    jobs: Vec<JobRow>,
    tasks: Vec<TaskRow>,
    events: Vec<EventRow>,
}

struct EventRow {
    kind: &'static str,
    who: String,
    origin: String,
    what: String,
    times: Count,
    last: When,
}

struct JobRow {
    what: &'static str,
    name: &'static str,
    often: String,
    by: &'static str,
    state: Tag,
    last: Option<When>,
    runs: Count,
    done: Count,
    failure: Option<(When, String)>,
}

struct TaskRow {
    id: TaskId,
    kind: &'static str,
    subject: String,
    asked_by: String,
    asked_at: When,
    state: Tag,
    progress: String,
    ended_at: Option<When>,
    file: Option<String>,
    why: Option<String>,
    /// Whether a button to stop it stands here.
    may_cancel: bool,
}

/// All lists, read in one look.
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    visitor.platform(Right::View, Resource::Tasks)?;
    let (lang, now) = (visitor.lang, app.clock.now());
    // Who only looks on finds no button.
    let manages = visitor.principal.role.may(Right::Manage, Resource::Tasks);
    let found =
        app.db.read(|tx| Ok((tasks::job_runs(tx)?, tasks::newest(tx, MOST)?, security::newest(tx, MOST)?)));
    let (runs, tasks, events) = found.await?;
    let mut runs: HashMap<JobName, JobRun> = runs.into_iter().map(|run| (run.job, run)).collect();
    page(&TasksPage {
        s: visitor.shell(),
        jobs: JOBS.iter().map(|job| job_row(lang, job, runs.remove(&job.name), now)).collect(),
        tasks: tasks.into_iter().map(|task| task_row(lang, task, manages)).collect(),
        events: events.into_iter().map(|event| event_row(lang.words(), event)).collect(),
    })
}

/// Asks a task to stop.
pub(in crate::web) async fn cancel(
    visitor: Visitor,
    pressed: Result<Pressed, Fault>,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Fault> {
    // Who may not is told so before anybody looks at the form.
    visitor.platform(Right::Manage, Resource::Tasks)?;
    let Pressed(visitor) = pressed?;
    let (id, actor, now) = (TaskId::new(id.into_inner()), visitor.actor(), app.clock.now());
    app.db.write(move |tx| tasks::cancel(tx, id, &actor, now)).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/admin/tasks")).finish())
}

fn job_row(lang: Lang, job: &Job, run: Option<JobRun>, now: i64) -> JobRow {
    let said = lang.words().tasks;
    let seconds = job.every.map(|pause| pause.as_secs());
    let state = match run.as_ref().map(|run| (tasks::lag(run, now), run)) {
        None => Tag::new(Mood::Plain, said.job_never),
        Some((Some(late), _)) => Tag::new(Mood::Bad, Pace::Late(late / 60_000_000).say(lang)),
        Some((None, run)) if run.failed_at == Some(run.ended_at) => Tag::new(Mood::Bad, said.job_failed),
        Some((None, _)) => Tag::new(Mood::Ok, said.job_in_time),
    };
    JobRow {
        what: job_words(lang.words(), job.name),
        name: job.name.as_str(),
        often: match seconds {
            Some(seconds) => Pace::Every(seconds).say(lang),
            None => said.job_once.to_owned(),
        },
        by: match job.by {
            RunBy::Each => said.job_by_each,
            RunBy::One => said.job_by_one,
        },
        state,
        last: run.as_ref().map(|run| When(run.ended_at)),
        runs: Count(run.as_ref().map_or(0, |run| run.runs)),
        done: Count(run.as_ref().map_or(0, |run| run.done)),
        failure: run.and_then(|run| Some((When(run.failed_at?), run.last_error?))),
    }
}

fn event_row(w: &Words, event: SecurityRow) -> EventRow {
    let said = w.tasks;
    EventRow {
        kind: match event.kind {
            SecurityKind::LoginFailed => said.event_login_failed,
            SecurityKind::LoginHeldBack => said.event_login_held_back,
            SecurityKind::FormForged => said.event_form_forged,
            SecurityKind::RequestUnsigned => said.event_request_unsigned,
            SecurityKind::NoticeUnsigned => said.event_notice_unsigned,
            SecurityKind::UploadRefused => said.event_upload_refused,
            SecurityKind::ImportRefused => said.event_import_refused,
        },
        who: event.who,
        origin: event.origin,
        what: event.what,
        times: Count(event.times),
        last: When(event.last_at),
    }
}

/// What a job does, in a sentence.
fn job_words(w: &Words, job: JobName) -> &'static str {
    let said = w.tasks;
    match job {
        JobName::Outbox => said.does_outbox,
        JobName::Daily => said.does_daily,
        JobName::LeftBehind => said.does_left_behind,
        JobName::Resolve => said.does_resolve,
        JobName::Ask => said.does_ask,
        JobName::Import => said.does_import,
        JobName::Ledger => said.does_ledger,
        JobName::Forget => said.does_forget,
        JobName::Tasks => said.does_tasks,
    }
}

fn task_row(lang: Lang, task: Task, manages: bool) -> TaskRow {
    let said = lang.words().tasks;
    let stops = task.cancel_asked_by.is_some();
    let (mood, word) = match task.state {
        TaskState::Queued => (Mood::Waits, said.task_queued),
        TaskState::Running if stops => (Mood::Waits, said.task_stopping),
        TaskState::Running => (Mood::Waits, said.task_running),
        TaskState::Done => (Mood::Ok, said.task_done),
        TaskState::Failed => (Mood::Bad, said.task_failed),
        TaskState::Cancelled => (Mood::Plain, said.task_cancelled),
    };
    let open = matches!(task.state, TaskState::Queued | TaskState::Running);
    TaskRow {
        id: task.id,
        kind: match task.kind {
            TaskKind::Cut => said.task_cut,
        },
        asked_at: When(task.asked_at),
        state: Tag::new(mood, word),
        progress: progress(lang, &task),
        ended_at: task.ended_at.map(When),
        why: why(lang, &task),
        may_cancel: manages && open && !stops,
        subject: task.subject,
        asked_by: task.asked_by,
        file: task.result_file,
    }
}

/// What it is at, and how much of it is done.
fn progress(lang: Lang, task: &Task) -> String {
    let said = lang.words().tasks;
    let phase = match task.phase {
        TaskPhase::Begun => said.task_phase_begun,
        TaskPhase::Bill => said.task_phase_bill,
        TaskPhase::Splitting => said.task_phase_splitting,
        TaskPhase::Keys => said.task_phase_keys,
        TaskPhase::Publishing => said.task_phase_publishing,
    };
    match task.total {
        Some(total) => format!("{phase} · {} / {}", Count(task.done), Count(total)),
        None => phase.to_owned(),
    }
}

/// Why it failed: the stable code with its sentence, and what exactly.
fn why(lang: Lang, task: &Task) -> Option<String> {
    let detail = task.error_detail.as_deref().unwrap_or_default();
    let code = task.error_code.as_deref();
    let known = code.and_then(|id| Code::ALL.iter().find(|code| code.id() == id));
    match (known, detail) {
        (None, "") => None,
        (None, detail) => Some(detail.to_owned()),
        (Some(code), detail) => {
            let why =
                if detail.is_empty() { Refusal::Why(*code) } else { Refusal::WhyExactly(*code, detail) };
            Some(format!("{} {}", code.id(), why.say(lang)))
        }
    }
}
