//! The cut of a day as a task.
use std::sync::Arc;

use super::day_lease;
use super::work::{self, NewTask, TaskKind, TaskPhase};
use crate::app::App;
use crate::channels::Channel;
use crate::error::Error;
use crate::exchange::Desk;
use crate::kernel::calendar::BusinessDay;
use crate::people::Actor;
use crate::splits::{self, CutReport, Cutting, Progress};

/// What a cut's task is about.
pub fn cut_subject(institution: &str, day: BusinessDay) -> String {
    format!("{institution} {day}")
}

/// Cuts a day as a task that can be watched and stopped. The caller holds [`day_lease`].
pub async fn cut_as_task(
    app: &App,
    desk: &Desk,
    channels: &[Channel],
    day: BusinessDay,
    cutting: Cutting,
    actor: &Actor,
) -> Result<CutReport, Error> {
    let code = &desk.institution.code;
    let id = desk.institution.id;
    let new = NewTask {
        kind: TaskKind::Cut,
        subject: cut_subject(code, day),
        asked_by: actor.name.clone(),
        lease: day_lease(code),
    };
    work::run(app, new, async |watch| {
        // What is refused anyway is no reason to ask the institution about hundreds of orders.
        if app.db.read(move |tx| splits::in_turn(tx, id, day)).await.is_ok() {
            super::ask::before_cut(app, id, day, &watch).await?;
            // Whoever goes on with this task sees by its phase that they were asked, and asks no more.
            watch.phase(TaskPhase::Bill);
        }
        let (told, also) = (watch.clone(), Arc::clone(&cutting.watch));
        let tell = move |progress| {
            note(&told, progress);
            also(progress);
        };
        let cutting = Cutting { most: cutting.most, watch: Arc::new(tell), stop: Arc::clone(&watch.stop) };
        let report = splits::cut(&app.db, &app.clock, desk, channels, day, &cutting).await?;
        // A run that finishes another counted its own part only.
        watch.total(report.orders);
        watch.done(report.orders);
        if let Some(last) = report.files.last() {
            watch.made(&last.name);
        }
        Ok(report)
    })
    .await
}

fn note(watch: &work::Watch, progress: Progress) {
    match progress {
        Progress::Bill => watch.phase(TaskPhase::Bill),
        Progress::Billed(orders) => {
            watch.total(orders);
            watch.phase(TaskPhase::Splitting);
        }
        Progress::Told(orders) => watch.done(i64::try_from(orders).unwrap_or(i64::MAX)),
        Progress::Keys => watch.phase(TaskPhase::Keys),
        Progress::Recorded | Progress::Published(_) => watch.phase(TaskPhase::Publishing),
    }
}
