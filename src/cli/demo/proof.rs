//! The institution's own recomputation of every finished day, from the files that the demo left.
use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::scenery::INSTITUTION;
use super::world::World;
use crate::exchange::{self, DocumentKind, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::state::FileState;
use crate::kernel::verify::Inputs;
use crate::orders;
use crate::people::Scope;
use crate::splits;
use crate::verify;
use crate::verify::evidence::FileKeys;
use crate::verify::scratch::ScratchDir;

/// The files of one day's `verify`.
struct Papers {
    spl: Vec<PathBuf>,
    approvals: Vec<PathBuf>,
    bills: Vec<PathBuf>,
    previous: Vec<PathBuf>,
    void: Vec<PathBuf>,
    results: Vec<PathBuf>,
}

/// Verifies every settled day with both keys; gives how many days those were.
pub async fn verify_all(world: &World, dir: &Path) -> anyhow::Result<usize> {
    let institution = world.institution;
    let settled = world.app.db.read(move |tx| exchange::chain(tx, institution, DocumentKind::Stl)).await?;
    let keys = FileKeys {
        platform: verify::public_key(&dir.join("keys/platform.pub.pem"))?,
        institution: verify::public_key(&dir.join(format!("keys/{INSTITUTION}.pub.pem")))?,
    };
    let first = settled.first().map(|file| file.business_date);
    for stl in &settled {
        let papers = papers(world, dir, stl).await?;
        let inputs = Inputs {
            spl: verify::open_all(&papers.spl)?,
            approvals: verify::open_all(&papers.approvals)?,
            bills: papers.bills.iter().map(|path| verify::bill(path)).collect::<anyhow::Result<_>>()?,
            previous: verify::open_all(&papers.previous)?,
            void: verify::open_all(&papers.void)?,
            results: verify::open_all(&papers.results)?,
            no_statement: Vec::new(),
            first: first == Some(stl.business_date),
        };
        let report = crate::kernel::verify::verify(inputs, Some(&keys), &ScratchDir::default())?;
        ensure!(report.is_sound(), "verify of {} found {:?}", stl.business_date, report.violations);
    }
    Ok(settled.len())
}

/// Of all split files in order of publication, those from the first of the day or of the day before to the last of the
/// day: what each of the day's files names, and the way back.
fn chain_around(all: Vec<ExchangedFile>, day: BusinessDay) -> Vec<ExchangedFile> {
    let begins = |file: &ExchangedFile| [day, day.prev()].contains(&file.business_date);
    let last =
        all.iter().rposition(|file| file.business_date == day).map_or(0, |last| last.saturating_add(1));
    all.into_iter().take(last).skip_while(|file| !begins(file)).collect()
}

async fn papers(world: &World, dir: &Path, stl: &ExchangedFile) -> anyhow::Result<Papers> {
    let (institution, day) = (world.institution, stl.business_date);
    let files = world.app.db.read(move |tx| {
        let approvals = exchange::chain(tx, institution, DocumentKind::Apr)?;
        let bills = exchange::of_day(tx, institution, DocumentKind::Bil, day)?;
        let (mut own, mut before, mut void) = (Vec::new(), Vec::new(), Vec::new());
        for file in chain_around(exchange::chain(tx, institution, DocumentKind::Spl)?, day) {
            let is_void = exchange::file_state(tx, file.id)? == FileState::Rejected;
            let of = match (is_void, file.business_date == day) {
                (true, _) => &mut void,
                (false, true) => &mut own,
                (false, false) => &mut before,
            };
            of.push(file);
        }
        Ok((own, void, before, approvals, bills))
    });
    let (live, void, before, approvals, bills) = files.await?;
    let folder = dir.join("files").join(INSTITUTION);
    let out = |file: &ExchangedFile| folder.join("out").join(file.business_date.to_string()).join(&file.name);
    let inbox = |name: &str| folder.join("in").join(name);
    let answered = before.iter().chain(&void);
    Ok(Papers {
        spl: live.iter().map(out).collect(),
        approvals: approvals.iter().map(|file| inbox(&file.name)).collect(),
        bills: bills.iter().map(|file| inbox(&file.name)).collect(),
        results: answered.map(|file| inbox(&format!("{}.first.ret", file.name))).collect(),
        previous: before.iter().map(out).collect(),
        void: void.iter().map(out).collect(),
    })
}

/// A line about a day that is finished, which holds its files against the payments.
pub async fn finished(world: &World, day: BusinessDay) -> anyhow::Result<String> {
    let institution = world.institution;
    let read = world.app.db.read(move |tx| {
        let (live, _) = splits::standing(tx, institution, day)?;
        Ok((live, orders::paid_on(tx, &Scope::Platform, day)?))
    });
    let (live, paid) = read.await?;
    let told: i64 = live.iter().map(|file| file.orders).sum();
    ensure!(
        paid.bounded || told == paid.count,
        "{day}: {} orders were paid, {told} are in the files",
        paid.count
    );
    Ok(format!("{day}: {told} orders cut, verified, settled"))
}

/// A line about a day in progress.
pub async fn paid(world: &World, day: BusinessDay) -> anyhow::Result<String> {
    let paid = world.app.db.read(move |tx| orders::paid_on(tx, &Scope::Platform, day)).await?;
    let more = if paid.bounded { "more than " } else { "" };
    Ok(format!("{day}: {more}{} orders paid", paid.count))
}

/// A line for people about every settled day.
pub async fn summary(world: &World) -> anyhow::Result<Vec<String>> {
    let institution = world.institution;
    let told = world.app.db.read(move |tx| {
        let mut lines = Vec::new();
        for file in exchange::chain(tx, institution, DocumentKind::Stl)? {
            let state = exchange::file_state(tx, file.id)?.as_str();
            let paid = file.total.yuan();
            lines.push(format!("{}  ¥{paid} to {} receivers  {state}", file.name, file.orders));
        }
        Ok(lines)
    });
    Ok(told.await?)
}
