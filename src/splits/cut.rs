//! `day cut`.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::pipeline::{self, Plan};
use super::store::{self, Entry};
use super::turn;
use crate::approvals;
use crate::channels::Channel;
use crate::clock::{self, Clock};
use crate::db::columns::InstitutionId;
use crate::db::{Db, Tx};
use crate::error::{Code, Error};
use crate::exchange::{self, Desk, DocumentKind, ExchangedFile, broken_record};
use crate::institutions::Documents;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::kernel::file::spl::{SplHeader, SplOrder, SplRecord, SplUnsplit, SplWriter};
use crate::kernel::file::{FileName, MAX_ORDERS};
use crate::kernel::state::FileState;
use crate::ledger;
use crate::reconciliation::{self, KeptBill};
use crate::rules;

pub(super) const KIND: DocumentKind = DocumentKind::Spl;
/// Orders of a file that are read at once when it is written again.
const PAGE: i32 = 2000;

/// What a cut found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutReport {
    /// Every SPL of the day, by seq.
    pub files: Vec<ExchangedFile>,
    /// How many of them this run made.
    pub made: usize,
    /// Orders of the bill.
    pub orders: i64,
    /// Differences between the bill and our record, as kept for the day.
    pub differences: i64,
}

/// How far a cut has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The bill is being fetched and loaded.
    Bill,
    /// The bill is loaded; it has so many orders.
    Billed(i64),
    /// So many orders stand in files of this run; the day's bill has so many.
    Told(u64),
    /// All rows are stored; they get their keys.
    Keys,
    /// Every file of this run is recorded; they are published now.
    Recorded,
    /// So many files of this run are published.
    Published(usize),
}

/// How a day is cut.
#[derive(Clone)]
pub struct Cutting {
    /// Orders of a file at most, 1 ..= 100,000; more go into the next `seq`.
    pub most: u32,
    /// Is told how far the cut has come.
    pub watch: Arc<dyn Fn(Progress) + Send + Sync>,
    /// Set by whoever wants the cut to stop. It stops between two batches, as if it had crashed there: nothing of its run
    /// is published, and the next cut of the day finishes it. Once every file is recorded it is too late.
    pub stop: Arc<AtomicBool>,
}

impl Default for Cutting {
    fn default() -> Self {
        Self { most: MAX_ORDERS, watch: Arc::new(|_| ()), stop: Arc::default() }
    }
}

impl Cutting {
    pub(super) fn tell(&self, progress: Progress) {
        (self.watch)(progress);
    }

    /// Refuses to go on once somebody wants the cut to stop.
    pub(super) fn may_go_on(&self) -> Result<(), Error> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::refused(Code::TaskCancelled, "nothing of the run was published")),
            false => Ok(()),
        }
    }
}

/// Cuts a business day, when it is its turn. What an interrupted run left is finished and what was cut before is published again, the same
/// bytes; then the bill is fetched, and orders that no valid SPL of the day lists – all at first, later ones, those of
/// a void file, those that a decision releases – go into the next files.
pub async fn cut(
    db: &Db,
    clock: &Clock,
    desk: &Desk,
    channels: &[Channel],
    day: BusinessDay,
    cutting: &Cutting,
) -> Result<CutReport, Error> {
    if clock.today() <= day {
        return Err(Error::refused(
            Code::DayNotOver,
            format!("{day} ends at {}", day.next().start().to_cst()),
        ));
    }
    let (now, institution) = (clock.now(), desk.institution.id);
    db.read(move |tx| turn::in_turn(tx, institution, day)).await?;
    let left = {
        let (db, desk, cutting) = (db.clone(), desk.clone(), cutting.clone());
        blocking(move || {
            let left = resume(&db, &desk, day, now, &cutting)?;
            db.read_blocking(|tx| publish_again(tx, &desk, day))?;
            Ok(left)
        })
        .await?
    };
    cutting.tell(Progress::Bill);
    let at = clock.instant();
    let (bill, bundle) = loaded(db, desk, channels, day, at, now).await?;
    cutting.tell(Progress::Billed(bill.orders));
    let made = {
        let (db, desk, bill, cutting) = (db.clone(), desk.clone(), bill.clone(), cutting.clone());
        blocking(move || {
            let most = cutting.most;
            let plan = db.read_blocking(|tx| Plan::new(tx, &bill, bundle, at, most))?;
            made(&db, &desk, &plan, now, &cutting)
        })
        .await?
    };
    if desk.institution.documents == Documents::Bil {
        reconciliation::fetch_documents(db, desk, channels, &bill, now).await;
    }
    db.read(move |tx| {
        Ok(CutReport {
            files: exchange::of_day(tx, institution, KIND, day)?,
            made: left.saturating_add(made),
            orders: reconciliation::order_count(tx, &bill)?,
            differences: reconciliation::day_difference_count(tx, institution, day)?,
        })
    })
    .await
}

/// The evidence of a day as the institution's profile has it: what is split is loaded and posted, and with what bundle.
async fn loaded(
    db: &Db,
    desk: &Desk,
    channels: &[Channel],
    day: BusinessDay,
    at: Instant,
    now: i64,
) -> Result<(KeptBill, Bundle), Error> {
    let fetched = match desk.institution.documents {
        Documents::Channel => Some(reconciliation::fetch_only(channels, desk, day).await?),
        Documents::Bil => None,
    };
    let here = desk.clone();
    let write = db.write(move |tx| {
        let bundle = bundle_at(tx, &here, at)?;
        let bill = match &fetched {
            Some(fetched) => reconciliation::load(tx, &here, day, fetched, &bundle, now)?,
            None => reconciliation::load_own(tx, &here, day, now)?,
        };
        told_once(tx, &bill, day)?;
        post(tx, &bill, day, now)?;
        Ok((bill, bundle))
    });
    let (bill, bundle) = write.await?;
    if desk.institution.documents == Documents::Bil {
        reconciliation::compare_kept(db, desk, &bill, now).await;
    }
    Ok((bill, bundle))
}

/// Brings the ledger to what the bill says, once it agrees with the payments that we know of.
fn post(tx: &mut Tx<'_>, bill: &KeptBill, day: BusinessDay, now: i64) -> Result<(), Error> {
    let institution = bill.institution_id;
    if let Some(broken) = ledger::day_breaks(tx, institution, day)?.first() {
        return Err(Error::refused(Code::LedgerBroken, broken.clone()));
    }
    let evidence = exchange::by_id(tx, bill.file_id)?.name;
    let billed = reconciliation::billed(tx, bill)?;
    ledger::billed(tx, institution, day, &billed, &evidence, now)?;
    ledger::cut(tx, institution, day, &evidence, now)
}

/// [`cut`] of a bill that is loaded, at a moment; how many files it made. Blocks.
pub fn cut_loaded(
    db: &Db,
    desk: &Desk,
    bill: &KeptBill,
    at: Instant,
    now: i64,
    cutting: &Cutting,
) -> Result<usize, Error> {
    let plan = db.read_blocking(|tx| {
        let bundle = bundle_at(tx, desk, at)?;
        Plan::new(tx, bill, bundle, at, cutting.most)
    })?;
    made(db, desk, &plan, now, cutting)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Internal("the cut stopped unexpectedly".into())),
    }
}

/// Makes the files of a run, then publishes them.
fn made(db: &Db, desk: &Desk, plan: &Plan, now: i64, cutting: &Cutting) -> Result<usize, Error> {
    let files = pipeline::run(db, desk, plan, now, cutting)?;
    cutting.tell(Progress::Recorded);
    for (index, file) in files.iter().enumerate() {
        desk.publish_staged(file)?;
        cutting.tell(Progress::Published(index.saturating_add(1)));
    }
    Ok(files.len())
}

/// Finishes a run that stopped between two files, with what was recorded with it. Its files come out of the records
/// only when they are all there.
fn resume(db: &Db, desk: &Desk, day: BusinessDay, now: i64, cutting: &Cutting) -> Result<usize, Error> {
    let institution = desk.institution.id;
    let plan = db.read_blocking(|tx| {
        let cuts = store::cuts(tx, institution, day)?;
        let Some(last) = cuts.last().filter(|last| last.more) else { return Ok(None) };
        let bundle = approvals::by_digest(tx, institution, last.approvals_sha256)?
            .ok_or_else(|| Error::Internal(format!("the bundle of the cut of {day} is not kept")))?;
        let bundle = approvals::parse_bundle("the bundle of the cut", &bundle.body)?;
        let bill = reconciliation::bill_by_id(tx, last.bill_id)?;
        let at = clock::instant(last.created_at);
        Ok(Some(Plan::new(tx, &bill, bundle, at, cutting.most)?))
    })?;
    match plan {
        None => Ok(0),
        Some(plan) => Ok(pipeline::run(db, desk, &plan, now, cutting)?.len()),
    }
}

/// The SPLs of a day that may be published, by seq: those whose run is recorded to its end.
pub fn recorded(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Vec<ExchangedFile>, Error> {
    let of_day = exchange::standing_of_day(tx, institution, KIND, day)?;
    let complete = of_day.into_iter().filter(|(_, standing)| standing.run_complete);
    Ok(complete.map(|(file, _)| file).collect())
}

fn publish_again(tx: &mut Tx<'_>, desk: &Desk, day: BusinessDay) -> Result<(), Error> {
    for file in recorded(tx, desk.institution.id, day)? {
        desk.publish(&file, |out| recompute(tx, &file, out))?;
    }
    Ok(())
}

fn bundle_at(tx: &mut Tx<'_>, desk: &Desk, at: Instant) -> Result<Bundle, Error> {
    rules::bundle_at(tx, desk.institution.id, at)?.ok_or_else(|| {
        let detail = format!("{} has approved nothing yet", desk.institution.code);
        Error::refused(Code::NoBundle, detail)
    })
}

/// The files of a day that count, and those that are void.
pub fn standing(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<(Vec<ExchangedFile>, Vec<ExchangedFile>), Error> {
    let of_day = exchange::standing_of_day(tx, institution, KIND, day)?;
    let (void, live): (Vec<_>, Vec<_>) =
        of_day.into_iter().partition(|(_, standing)| standing.state == FileState::Rejected);
    let files = |found: Vec<(ExchangedFile, _)>| found.into_iter().map(|(file, _)| file).collect();
    Ok((files(live), files(void)))
}

/// An order stands in the files of one day only. A payment of ours has one day, so that only orders can be told twice
/// whose bill differs from our record on one of the days.
fn told_once(tx: &mut Tx<'_>, bill: &KeptBill, day: BusinessDay) -> Result<(), Error> {
    for (other, numbers) in reconciliation::elsewhere(tx, bill)? {
        for numbers in numbers.chunks(500) {
            if let Some(twice) = store::told_on(tx, bill.institution_id, other, numbers)? {
                let detail = format!("bill of {day}: {twice} stands in the files of another day");
                return Err(Error::refused(Code::BillUnusable, detail));
            }
        }
    }
    Ok(())
}

/// Writes a recorded SPL again, from its rows.
pub fn recompute(tx: &mut Tx<'_>, file: &ExchangedFile, out: File) -> Result<Digest, Error> {
    let broken = |what: &str| Error::Internal(format!("{}: its {what} is not recorded", file.name));
    let header = SplHeader {
        name: FileName::parse(&file.name).ok_or_else(|| broken("name"))?,
        orders: u32::try_from(file.orders).map_err(Error::internal)?,
        lines: u32::try_from(file.lines).map_err(Error::internal)?,
        total: file.total,
        created_at: clock::instant(file.created_at),
        approvals: file.approvals_sha256.ok_or_else(|| broken("bundle"))?,
        prev: file.previous_sha256.ok_or_else(|| broken("prev"))?,
    };
    let mut writer = SplWriter::new(BufWriter::new(out), header).map_err(broken_record)?;
    let mut after = 0;
    loop {
        let page = store::entries(tx, file, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.order.n;
        for entry in &page {
            records(entry, |record| writer.record(record).map_err(broken_record))?;
        }
    }
    let (mut out, digest) = writer.finish().map_err(broken_record)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(digest)
}

/// The records of an order as its file tells it.
fn records(entry: &Entry, mut take: impl FnMut(&SplRecord<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let Entry { order, billed, rule } = entry;
    let lines = entry.lines()?;
    let n = u32::try_from(order.n).map_err(Error::internal)?;
    let (paid_at, paid) = (clock::instant(order.paid_at), billed.paid);
    let (order_no, inst_order_no) = (billed.order_no(), order.inst_order_no.as_str());
    match (order.reason, rule) {
        (Some(reason), _) => {
            take(&SplRecord::Unsplit(SplUnsplit { n, order_no, inst_order_no, paid_at, paid, reason }))?;
        }
        (None, Some(rule)) => take(&SplRecord::Order(SplOrder {
            n,
            order_no,
            inst_order_no,
            merchant: &billed.merchant,
            channel: &billed.channel,
            product: &billed.product,
            tags: billed.tags.as_str(),
            parties: billed.parties.as_str(),
            paid_at,
            paid,
            fee: billed.fee,
            subsidy: billed.subsidy,
            rule: &rule.rule,
            version: i64::from(rule.version),
            lines: u32::try_from(lines.len()).map_err(Error::internal)?,
        }))?,
        (None, None) => return Err(Error::Internal(format!("the rule of {inst_order_no} is not kept"))),
    }
    lines.into_iter().try_for_each(|line| take(&SplRecord::Line(line)))
}
