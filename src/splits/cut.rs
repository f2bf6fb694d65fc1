//! `day cut`.
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use super::store::{self, DayCut, Entry, SplitLine, SplitOrder};
use crate::channels::wechat::Client;
use crate::clock::{self, Clock};
use crate::db::{Db, Tx};
use crate::error::{Code, Error};
use crate::institutions::exchange::{self, Answer, BundleRow, Desk, ExchangedFile, NewFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::bill::BillOrder;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::kernel::file::spl::SplHeader;
use crate::kernel::file::{FileKind, FileName, MAX_ORDERS, field};
use crate::kernel::proposal::{Proposal, SplDraft, propose, write_spl};
use crate::ledger::{self, Billed};
use crate::reconciliation::{self, Bill, BillRow};
use crate::rules;

const KIND: &str = "SPL";

/// What a cut found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutReport {
    /// Every SPL of the day, by seq.
    pub files: Vec<ExchangedFile>,
    /// How many of them this run made.
    pub made: usize,
    /// Orders of the bill.
    pub orders: usize,
    /// Differences between the bill and our record, as found by this run.
    pub differences: usize,
}

/// What all files of one run have in common.
struct Day {
    day: BusinessDay,
    at: Instant,
    bundle: Bundle,
    bill: Bill,
    bill_row: BillRow,
    differences: usize,
}

/// Cuts a business day. What was cut before is published again, the same bytes; then the bill is fetched, and orders
/// that no valid SPL of the day lists – all at first, later ones, those of a void file – go into the next `seq`.
pub async fn cut(
    db: &Db,
    clock: &Clock,
    desk: &Desk,
    client: &Client,
    day: BusinessDay,
) -> Result<CutReport, Error> {
    if clock.today() <= day {
        return Err(Error::refused(
            Code::DayNotOver,
            format!("{day} ends at {}", day.next().start().to_cst()),
        ));
    }
    let again = desk.clone();
    db.read(move |tx| publish_again(tx, &again, day)).await?;
    let bytes = reconciliation::fetch(client, day).await?;
    let (now, at, here) = (clock.now(), clock.instant(), desk.clone());
    let common = Arc::new(db.write(move |tx| begin(tx, &here, day, &bytes, at, now)).await?);
    let mut made = 0_usize;
    loop {
        let (common, here) = (Arc::clone(&common), desk.clone());
        let Some(file) = db.write(move |tx| next_file(tx, &here, &common, now)).await? else { break };
        let here = desk.clone();
        db.read(move |tx| publish_file(tx, &here, &file)).await?;
        made = made.saturating_add(1);
    }
    let institution = desk.institution.id;
    let files = db.read(move |tx| exchange::of_day(tx, institution, KIND, day.to_i32())).await?;
    Ok(CutReport { files, made, orders: common.bill.orders.len(), differences: common.differences })
}

fn publish_again(tx: &mut Tx<'_>, desk: &Desk, day: BusinessDay) -> Result<(), Error> {
    for file in exchange::of_day(tx, desk.institution.id, KIND, day.to_i32())? {
        publish_file(tx, desk, &file)?;
    }
    Ok(())
}

fn publish_file(tx: &mut Tx<'_>, desk: &Desk, file: &ExchangedFile) -> Result<(), Error> {
    desk.publish(file, |out| recompute(tx, desk, file, out))
}

/// Keeps the bill, and notes where it differs from our record.
fn begin(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    bytes: &[u8],
    at: Instant,
    now: i64,
) -> Result<Day, Error> {
    let institution = desk.institution.id;
    let bundle = rules::bundle_at(tx, institution, at)?.ok_or_else(|| {
        let detail = format!("{} has approved nothing yet", desk.institution.code);
        Error::refused(Code::NoBundle, detail)
    })?;
    let bill = reconciliation::read(bytes, &bundle, day)?;
    let bill_row = reconciliation::keep(tx, desk, day, bytes, &bill, now)?;
    let bill = reconciliation::with_signed(tx, desk, bill, day)?;
    let differences = reconciliation::reconcile(tx, institution, day, &bill.orders, now)?;
    let evidence = exchange::by_id(tx, bill_row.file_id)?.name;
    post(tx, institution, day, &bill.orders, &evidence, now)?;
    Ok(Day { day, at, bundle, bill, bill_row, differences })
}

/// Brings the ledger to what the bill says, once it agrees with the payments that we know of.
fn post(
    tx: &mut Tx<'_>,
    institution: i64,
    day: BusinessDay,
    orders: &[BillOrder],
    evidence: &str,
    now: i64,
) -> Result<(), Error> {
    if let Some(broken) = ledger::day_breaks(tx, institution, day)?.first() {
        return Err(Error::refused(Code::LedgerBroken, broken.clone()));
    }
    let mut bill: BTreeMap<String, Billed> = BTreeMap::new();
    for BillOrder { facts, .. } in orders {
        bill.entry(facts.channel.clone()).or_default().add(facts)?;
    }
    ledger::billed(tx, institution, day, &bill, evidence, now)?;
    ledger::cut(tx, institution, day, evidence, now)
}

fn parse(row: &BundleRow) -> Result<Bundle, Error> {
    exchange::parse_bundle("the bundle in force", &row.body)
}

/// The files of a day that count, and those that are void.
pub fn standing(
    tx: &mut Tx<'_>,
    institution: i64,
    day: BusinessDay,
) -> Result<(Vec<ExchangedFile>, Vec<ExchangedFile>), Error> {
    let (mut live, mut void) = (Vec::new(), Vec::new());
    for file in exchange::of_day(tx, institution, KIND, day.to_i32())? {
        match exchange::answer(tx, file.id)? {
            Answer::Void(_) => void.push(file),
            Answer::None | Answer::Accepted => live.push(file),
        }
    }
    Ok((live, void))
}

/// Makes, stages and records the next SPL of the day; `None` when every order of the bill stands in one.
fn next_file(tx: &mut Tx<'_>, desk: &Desk, common: &Day, now: i64) -> Result<Option<ExchangedFile>, Error> {
    let institution = &desk.institution;
    exchange::lock_chain(tx, institution.id)?;
    let (live, void) = standing(tx, institution.id, common.day)?;
    let ids: Vec<i64> = live.iter().map(|file| file.id).collect();
    let mut listed = store::listed(tx, common.day.to_i32(), &ids)?;
    for released in released(tx, common, &ids)? {
        listed.remove(released);
    }
    let most = usize::try_from(MAX_ORDERS).unwrap_or(usize::MAX);
    let rest = common.bill.orders.iter().filter(|order| !listed.contains(&order.facts.inst_order_no));
    let rows = proposals(&common.bundle, rest.take(most))?;
    if rows.is_empty() && !live.is_empty() {
        return Ok(None);
    }
    listed_once(tx, institution.id, common, &rows)?;
    let seq = u16::try_from(live.len().saturating_add(void.len()).saturating_add(1))
        .map_err(|_| Error::Internal("too many files of a day".into()))?;
    let draft = SplDraft {
        name: FileName {
            kind: FileKind::Spl,
            inst: institution.code.clone(),
            plat: institution.platform_code.clone(),
            day: common.day,
            seq,
        },
        created_at: common.at,
        approvals: common.bundle.digest(),
        prev: match exchange::last(tx, institution.id, KIND)? {
            None => Digest::ZERO,
            Some(last) => digest(&last.sha256)?,
        },
    };
    let out = exchange::stage(&desk.folder.out(common.day), &draft.name.to_string())?;
    let written = write(out, &draft, &rows)?;
    let file = exchange::record(tx, &new_file(institution.id, &written, now))?;
    let entries = stored(tx, institution.id, &file, &rows)?;
    store::add_entries(tx, &entries)?;
    store::add_cut(
        tx,
        &DayCut {
            institution_id: institution.id,
            business_date: file.business_date,
            seq: file.seq,
            bill_id: common.bill_row.id,
            approvals_sha256: common.bundle.digest().to_string(),
            created_at: file.created_at,
        },
    )?;
    Ok(Some(file))
}

/// Orders that these files tell as X only, and that a decision of the institution lets be split now.
fn released<'a>(tx: &mut Tx<'_>, common: &'a Day, files: &[i64]) -> Result<Vec<&'a str>, Error> {
    let waiting = store::listed_unsplit(tx, common.day.to_i32(), files)?;
    let decided = common.bill.orders.iter().filter(|order| {
        let no = order.facts.inst_order_no.as_str();
        common.bundle.decision(no).is_some() && waiting.contains(no)
    });
    let proposed = proposals(&common.bundle, decided)?.into_iter();
    Ok(proposed
        .filter(|(_, proposal)| matches!(proposal, Proposal::Split { .. }))
        .map(|(order, _)| order.facts.inst_order_no.as_str())
        .collect())
}

fn proposals<'a>(
    bundle: &Bundle,
    orders: impl Iterator<Item = &'a BillOrder>,
) -> Result<Vec<(&'a BillOrder, Proposal)>, Error> {
    orders
        .map(|order| {
            let proposal = propose(bundle, &order.facts).map_err(|fact| {
                let detail = format!("{}: {fact} is out of bounds", order.facts.inst_order_no);
                Error::refused(Code::BillUnusable, detail)
            })?;
            Ok((order, proposal))
        })
        .collect()
}

/// An order stands in the files of one day only.
fn listed_once(
    tx: &mut Tx<'_>,
    institution: i64,
    common: &Day,
    rows: &[(&BillOrder, Proposal)],
) -> Result<(), Error> {
    for batch in rows.chunks(500) {
        let numbers: Vec<&str> = batch.iter().map(|(order, _)| order.facts.inst_order_no.as_str()).collect();
        if let Some(twice) = store::listed_elsewhere(tx, institution, common.day.to_i32(), &numbers)?.first()
        {
            let detail = format!("bill of {}: {twice} stands in the files of another day", common.day);
            return Err(Error::refused(Code::BillUnusable, detail));
        }
    }
    Ok(())
}

struct Written {
    header: SplHeader,
    digest: Digest,
    size: i64,
}

/// Writes the SPL and puts it on disk.
fn write(out: File, draft: &SplDraft, rows: &[(&BillOrder, Proposal)]) -> Result<Written, Error> {
    let rows = rows.iter().map(|(order, proposal)| (*order, proposal));
    let (mut out, header, digest) =
        write_spl(BufWriter::new(out), draft, rows).map_err(exchange::broken_record)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    let size = i64::try_from(out.get_ref().metadata()?.len()).unwrap_or(i64::MAX);
    Ok(Written { header, digest, size })
}

fn new_file(institution: i64, written: &Written, now: i64) -> NewFile {
    let Written { header, digest, size } = written;
    NewFile {
        institution_id: institution,
        direction: "OUT",
        kind: KIND,
        name: header.name.to_string(),
        business_date: header.name.day.to_i32(),
        seq: i32::from(header.name.seq),
        sha256: digest.to_string(),
        size: *size,
        orders: i64::from(header.orders),
        lines: i64::from(header.lines),
        total: header.total.get(),
        previous_sha256: Some(header.prev.to_string()),
        approvals_sha256: Some(header.approvals.to_string()),
        created_at: clock::micros(header.created_at),
        recorded_at: now,
    }
}

/// The rows that tell the file in the database.
fn stored(
    tx: &mut Tx<'_>,
    institution: i64,
    file: &ExchangedFile,
    rows: &[(&BillOrder, Proposal)],
) -> Result<Vec<Entry>, Error> {
    let merchants = store::sub_merchants(tx, institution)?;
    let mut entries = Vec::with_capacity(rows.len());
    for batch in rows.chunks(500) {
        let orders: Vec<BillOrder> = batch.iter().map(|(order, _)| (*order).clone()).collect();
        let ours = reconciliation::matching(tx, institution, &orders)?;
        for (order, proposal) in batch {
            let ours = ours.get(&order.facts.inst_order_no);
            let n = exchange::row_number(entries.len().saturating_add(1))?;
            let mut row = order_row(file, n, order, proposal)?;
            row.institution_id = institution;
            row.preview_digest = ours.and_then(|ours| ours.preview_digest.clone());
            row.sub_merchant_id = match ours {
                Some(ours) => Some(ours.sub_merchant_id),
                None => merchants.get(&order.facts.merchant).copied(),
            };
            entries.push(Entry { lines: line_rows(file, n, proposal)?, order: row });
        }
    }
    Ok(entries)
}

fn order_row(
    file: &ExchangedFile,
    n: i32,
    order: &BillOrder,
    proposal: &Proposal,
) -> Result<SplitOrder, Error> {
    let facts = &order.facts;
    let (mut tags, mut parties) = (String::new(), String::new());
    field::push_tags(&mut tags, &facts.tags);
    field::push_parties(&mut parties, &facts.parties);
    let (kind, reason, rule) = match proposal {
        Proposal::Split { rule, .. } => ("O", None, Some(rule)),
        Proposal::Unsplit(reason) => ("X", Some(reason.as_str().to_owned()), None),
    };
    Ok(SplitOrder {
        business_date: file.business_date,
        file_id: file.id,
        n,
        kind: kind.to_owned(),
        reason,
        order_no: order.order_no.clone(),
        inst_order_no: facts.inst_order_no.clone(),
        institution_id: file.institution_id,
        sub_merchant_id: None,
        merchant: facts.merchant.clone(),
        channel: facts.channel.clone(),
        product: facts.product.clone(),
        tags,
        parties,
        paid_at: clock::micros(facts.paid_at),
        paid: facts.paid.get(),
        fee: facts.fee.get(),
        subsidy: facts.subsidy.get(),
        rule: rule.map(|rule| rule.rule.to_string()),
        version: rule.map(|rule| exchange::row_number(rule.version)).transpose()?,
        rule_digest: rule.map(|rule| rule.digest().to_string()),
        preview_digest: None,
        lines: exchange::row_number(proposal.paid_lines().count())?,
    })
}

fn line_rows(file: &ExchangedFile, n: i32, proposal: &Proposal) -> Result<Vec<SplitLine>, Error> {
    let lines = proposal.paid_lines().enumerate().map(|(idx, line)| {
        Ok(SplitLine {
            business_date: file.business_date,
            file_id: file.id,
            n,
            idx: exchange::row_number(idx)?,
            path: line.path.to_string(),
            role: line.role.to_string(),
            receiver: line.receiver.to_string(),
            amount: line.amount.get(),
        })
    });
    lines.collect()
}

/// Makes a recorded SPL again from the bill, the bundle and the time that were recorded with it.
pub fn recompute(tx: &mut Tx<'_>, desk: &Desk, file: &ExchangedFile, out: File) -> Result<Digest, Error> {
    let institution = desk.institution.id;
    let broken = |what: &str| Error::Internal(format!("{}: its {what} is not recorded", file.name));
    let cuts = store::cuts(tx, institution, file.business_date)?;
    let cut = cuts.iter().find(|cut| cut.seq == file.seq).ok_or_else(|| broken("cut"))?;
    let bundle = exchange::bundle(tx, institution, &cut.approvals_sha256)?.ok_or_else(|| broken("bundle"))?;
    let bundle = parse(&bundle)?;
    let row = reconciliation::bill_by_id(tx, cut.bill_id)?;
    let bill = reconciliation::reload(tx, desk, &row, &bundle)?;
    let listed: HashSet<String> = store::listed(tx, file.business_date, &[file.id])?;
    let orders = bill.orders.iter().filter(|order| listed.contains(&order.facts.inst_order_no));
    let draft = SplDraft {
        name: FileName::parse(&file.name).ok_or_else(|| broken("name"))?,
        created_at: clock::instant(cut.created_at),
        approvals: bundle.digest(),
        prev: digest(file.previous_sha256.as_deref().unwrap_or_default())?,
    };
    Ok(write(out, &draft, &proposals(&bundle, orders)?)?.digest)
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|_| Error::Internal("a stored digest".into()))
}
