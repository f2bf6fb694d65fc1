//! What runs by itself, and work with progress: what is kept of it, who sees it, who may stop it, what a crash leaves.
use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::web::Data;
use mingfen::db::Leases;
use mingfen::error::{Code, Error};
use mingfen::people::{Actor, Role, Scope};
use mingfen::tasks::{self, JOBS, JobName, JobRun, NewTask, Task, TaskKind, TaskPhase, TaskState};

use crate::support::TestApp;
use crate::support::acting::Site;
use crate::support::sandbox_process::eventually;

fn cut(subject: &str) -> NewTask {
    let (subject, asked_by, lease) = (subject.to_owned(), "system".to_owned(), "days of X".to_owned());
    NewTask { kind: TaskKind::Cut, subject, asked_by, lease }
}

fn newest(app: &TestApp) -> Vec<Task> {
    app.db.read_blocking(|tx| tasks::newest(tx, 100)).unwrap()
}

fn run_of(app: &TestApp, job: JobName) -> Option<JobRun> {
    app.db.read_blocking(tasks::job_runs).unwrap().into_iter().find(|run| run.job == job)
}

#[test]
fn every_job_stands_in_the_table_once() {
    let names: BTreeSet<JobName> = JOBS.iter().map(|job| job.name).collect();
    assert_eq!(names, JobName::ALL.iter().copied().collect());
    assert_eq!(names.len(), JOBS.len());
}

#[actix_web::test]
async fn what_came_of_a_jobs_runs_is_kept_in_one_row_and_says_when_it_is_late() {
    let app = TestApp::new();
    let state = Data::new(mingfen::app::App::clone(&app));
    assert_eq!(run_of(&app, JobName::Forget), None);
    assert_eq!(tasks::run_job(&state, JobName::Forget).await.unwrap(), Some(0));
    let first = run_of(&app, JobName::Forget).unwrap();
    assert_eq!((first.runs, first.failures, first.done, first.last_error.as_deref()), (1, 0, 0, None));
    assert!(first.started_at <= first.ended_at);
    assert_eq!(first.next_due, Some(first.ended_at + 60_000_000));
    assert_eq!(tasks::lag(&first, first.ended_at), None);
    assert_eq!(tasks::lag(&first, first.ended_at + 60_000_000), None);
    let hour = 3600 * 1_000_000;
    assert_eq!(tasks::lag(&first, first.ended_at + 60_000_000 + hour), Some(hour));

    app.raw().execute("ALTER TABLE request_nonce RENAME TO gone").unwrap();
    tasks::run_job(&state, JobName::Forget).await.unwrap_err();
    let failed = run_of(&app, JobName::Forget).unwrap();
    assert_eq!((failed.runs, failed.failures, failed.failed_at), (2, 1, Some(failed.ended_at)));
    let why = failed.last_error.clone().unwrap();
    assert!(why.contains("request_nonce"), "{why}");
    app.raw().execute("ALTER TABLE gone RENAME TO request_nonce").unwrap();
    app.clock.advance(90);
    tasks::run_job(&state, JobName::Forget).await.unwrap();
    // A process of another version has other jobs.
    let other = "INSERT INTO job_run (job, started_at, ended_at, runs, failures, done) VALUES ('nonces', 1, 1, 1, 0, 0)";
    app.raw().execute(other).unwrap();
    let well = run_of(&app, JobName::Forget).unwrap();
    app.raw().execute("DELETE FROM job_run WHERE job = 'nonces'").unwrap();
    assert_eq!(
        (well.runs, well.failures, well.failed_at, well.last_error),
        (3, 1, failed.failed_at, Some(why))
    );
    assert!(well.ended_at > failed.ended_at);
    assert_eq!(app.raw().count("job_run"), 1);
}

#[actix_web::test]
async fn work_shows_its_progress_and_stops_when_somebody_wants_it() {
    let app = TestApp::new();
    let work = tasks::run_task(&app, cut("X 20260101"), async |watch| {
        watch.total(10);
        watch.done(3);
        watch.phase(TaskPhase::Splitting);
        let task = eventually("progress is written", async || {
            Some(newest(&app).remove(0)).filter(|task| task.done == 3)
        });
        let task = task.await;
        assert_eq!((task.state, task.phase), (TaskState::Running, TaskPhase::Splitting));
        assert_eq!((task.total, task.attempts, task.ended_at), (Some(10), 1, None));
        for _ in 0..2 {
            app.db.write_blocking(|tx| tasks::cancel(tx, task.id, &Actor::shell(), 5)).unwrap();
        }
        let stopped = eventually("it is told to stop", async || {
            watch.stop.load(std::sync::atomic::Ordering::SeqCst).then_some(())
        });
        stopped.await;
        watch.done(4);
        Err::<(), _>(Error::refused(Code::TaskCancelled, "as asked"))
    });
    work.await.unwrap_err();
    let task = newest(&app).remove(0);
    assert_eq!((task.state, task.done), (TaskState::Cancelled, 4));
    assert_eq!(task.cancel_asked_by.as_deref(), Some("shell"));
    let audit = app
        .raw()
        .texts("SELECT actor || ' ' || action || ' ' || object AS v FROM audit WHERE action LIKE 'task%'");
    assert_eq!(audit, [format!("shell task.cancel task:{}", task.id)]);

    // What was cancelled stays as it is; the same work anew is another task.
    tasks::run_task(&app, cut("X 20260101"), async |watch| {
        watch.made("a file");
        Ok(())
    })
    .await
    .unwrap();
    let all = newest(&app);
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].state, all[0].result_file.as_deref()), (TaskState::Done, Some("a file")));
}

#[actix_web::test]
async fn what_the_platform_tries_again_and_again_has_one_row() {
    let app = TestApp::new();
    for attempt in 1..=3 {
        let refused = async |_| Err::<(), _>(Error::refused(Code::BillUnavailable, "not yet"));
        tasks::run_task(&app, cut("X 20260101"), refused).await.unwrap_err();
        let task = newest(&app).remove(0);
        assert_eq!((task.state, task.attempts), (TaskState::Failed, attempt));
        assert_eq!(
            (task.error_code.as_deref(), task.error_detail.as_deref()),
            (Some("DAY-102"), Some("not yet"))
        );
    }
    tasks::run_task(&app, cut("X 20260101"), async |_| Ok(())).await.unwrap();
    let all = newest(&app);
    assert_eq!((all.len(), all[0].state, all[0].error_code.as_deref()), (1, TaskState::Done, None));
}

#[actix_web::test]
async fn what_a_crash_leaves_is_taken_over_or_marked() {
    let mut app = TestApp::new();
    let still = Duration::from_millis(1500);
    // Two processes die in the middle of their work: their leases stay held.
    for subject in ["X 20260101", "X 20260102"] {
        app.leases = Leases::giving_up_after(still);
        let never =
            tasks::run_task(&app, cut(subject), async |_| std::future::pending::<Result<(), Error>>().await);
        let held = app.leases.hold(&app.db, "days of X", never);
        assert!(tokio::time::timeout(Duration::from_millis(300), held).await.is_err());
        app.raw().execute("UPDATE job_lease SET holder = ''").unwrap();
    }
    app.raw().execute("UPDATE job_lease SET holder = 'gone'").unwrap();
    assert!(newest(&app).iter().all(|task| task.state == TaskState::Running));
    // Nobody knows yet that they are gone.
    app.leases = Leases::giving_up_after(still);
    assert_eq!(tasks::mark_abandoned(&app).await.unwrap(), 0);
    let again = async || {
        let run = tasks::run_task(&app, cut("X 20260101"), async |_| Ok(()));
        app.leases.hold(&app.db, "days of X", run).await.unwrap()
    };
    eventually("the work is taken over", again).await;
    let all = newest(&app);
    let [second, first] = &all[..] else { panic!("{all:?}") };
    assert_eq!((first.state, first.attempts), (TaskState::Done, 2));
    assert_eq!(second.state, TaskState::Running);
    // The other is nobody's.
    assert_eq!(tasks::mark_abandoned(&app).await.unwrap(), 1);
    let second = newest(&app).remove(0);
    assert_eq!((second.state, second.error_code.as_deref()), (TaskState::Failed, Some("TSK-102")));
    assert_eq!(tasks::mark_abandoned(&app).await.unwrap(), 0);
}

#[actix_web::test]
async fn what_somebody_stopped_is_not_begun_again_when_its_process_died_before_it_saw() {
    let mut app = TestApp::new();
    app.leases = Leases::giving_up_after(Duration::from_millis(1500));
    for (subject, lease) in [("X 20260101", "days of X"), ("Y 20260101", "days of Y")] {
        let new = NewTask { lease: lease.to_owned(), ..cut(subject) };
        let never = tasks::run_task(&app, new, async |_| std::future::pending::<Result<(), Error>>().await);
        let held = app.leases.hold(&app.db, lease, never);
        assert!(tokio::time::timeout(Duration::from_millis(300), held).await.is_err());
    }
    app.raw().execute("UPDATE job_lease SET holder = ''").unwrap();
    app.raw().execute("UPDATE task SET cancel_asked_by = 'ops', cancel_asked_at = 1").unwrap();
    // One is taken over, the other is nobody's.
    let refused =
        tasks::run_task(&app, cut("X 20260101"), async |_| -> Result<(), Error> { panic!("begun") });
    assert!(matches!(refused.await, Err(Error::Refused { code: Code::TaskCancelled, .. })));
    assert_eq!(tasks::mark_abandoned(&app).await.unwrap(), 1);
    assert!(newest(&app).iter().all(|task| task.state == TaskState::Cancelled && task.attempts == 1));
    // Who asks for it anew gets a row of its own.
    tasks::run_task(&app, cut("X 20260101"), async |_| Ok(())).await.unwrap();
    assert_eq!(newest(&app).len(), 3);
}

#[actix_web::test]
async fn what_ended_ninety_days_ago_is_forgotten_and_what_is_younger_or_at_work_is_not() {
    let app = TestApp::new();
    let (now, day) = (app.clock.now(), 86_400_000_000);
    let row = |count: i64, state: &str, ended_at: Option<i64>| {
        let ended_at = ended_at.map_or("NULL".to_owned(), |at| at.to_string());
        let insert = format!(
            "INSERT INTO task (kind, subject, asked_by, asked_at, state, lease, holder, attempts, phase, done, ended_at) \
             VALUES ('CUT', 'X 20260101', 'system', 1, '{state}', 'free', 'x', 1, 'BEGUN', 0, {ended_at})"
        );
        for _ in 0..count {
            app.raw().execute(&insert).unwrap();
        }
    };
    // More than one bite of what is old.
    row(501, "DONE", Some(now - 91 * day));
    row(2, "CANCELLED", Some(now - 90 * day - 1));
    row(1, "FAILED", Some(now - 100 * day));
    row(3, "DONE", Some(now - 89 * day));
    row(1, "QUEUED", None);
    // One that nobody is at work on ends now, whenever it began.
    row(1, "RUNNING", None);
    let state = Data::new(mingfen::app::App::clone(&app));
    assert_eq!(tasks::run_job(&state, JobName::Tasks).await.unwrap(), Some(505));
    let left: Vec<TaskState> = newest(&app).iter().rev().map(|task| task.state).collect();
    assert_eq!(
        left,
        [TaskState::Done, TaskState::Done, TaskState::Done, TaskState::Queued, TaskState::Failed]
    );
    assert_eq!(tasks::forget_tasks(&app).await.unwrap(), 0);
    app.clock.advance(91 * 86_400);
    assert_eq!(tasks::forget_tasks(&app).await.unwrap(), 4);
    assert_eq!(newest(&app).iter().map(|task| task.state).collect::<Vec<_>>(), [TaskState::Queued]);
}

#[actix_web::test]
async fn only_who_manages_may_stop_work() {
    let app = TestApp::new();
    let site = Site::of(app).await;
    let mut admin = site.acting("admin", Role::Admin, Scope::Platform).await;
    let empty = admin.get("/admin/tasks?lang=zh").await;
    assert!(empty.body.contains("还没有任务") && empty.body.contains("尚未运行"), "{}", empty.body);
    let app = &site.app;
    let state = Data::new(mingfen::app::App::clone(app));
    app.raw().execute("ALTER TABLE request_nonce RENAME TO gone").unwrap();
    tasks::run_job(&state, JobName::Forget).await.unwrap_err();
    app.raw().execute("ALTER TABLE gone RENAME TO request_nonce").unwrap();
    let never =
        tasks::run_task(app, cut("X 20260101"), async |_| std::future::pending::<Result<(), Error>>().await);
    assert!(tokio::time::timeout(Duration::from_millis(300), never).await.is_err());
    let id = newest(app).remove(0).id;
    let address = format!("/admin/tasks/{id}/cancel");

    let seen = admin.get("/admin/tasks?lang=en").await;
    for text in ["X 20260101", "Running", "Last run failed", "request_nonce", &address] {
        assert!(seen.body.contains(text), "{text}: {}", seen.body);
    }
    let mut checker = site.acting("checker", Role::Checker, Scope::Platform).await;
    let seen = checker.get("/admin/tasks?lang=en").await;
    assert!(seen.status == 200 && seen.body.contains("X 20260101") && !seen.body.contains(&address));
    assert_eq!(checker.post(&address, &[]).await.status, 404);
    assert_eq!(newest(app).remove(0).cancel_asked_by, None);
    assert_eq!(admin.post(&address, &[]).await.status, 303);
    assert_eq!(newest(app).remove(0).cancel_asked_by.as_deref(), Some("user:admin"));
    let seen = admin.get("/admin/tasks?lang=en").await;
    assert!(seen.body.contains("Stopping") && !seen.body.contains(&address));
    assert_eq!(admin.post("/admin/tasks/999999/cancel", &[]).await.status, 404);
}
