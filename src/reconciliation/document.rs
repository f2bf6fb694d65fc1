//! Days whose evidence is the institution's own bill (`counter.md`, "Bills out of both worlds"): what the BIL says is split,
//! and what its channels' own documents say otherwise is work for people. Nothing of a document keeps a day from being cut.
use std::collections::BTreeMap;
use std::fs::File;

use super::bill::{Fetched, fetch, record, says_nothing, signed_rows, unusable};
use super::bill_store::{self, KeptBill};
use super::document_store::{self as documents, After};
use super::{Difference, DifferenceKind, order_store, store};
use crate::channels::{Channel, Vouched, document_kind, read_document};
use crate::db::columns::{BillId, InstitutionId};
use crate::db::{Db, Tx, reserve_id};
use crate::error::{Code, Error};
use crate::exchange::{self, Desk, DocumentKind, ExchangedFile};
use crate::institutions::{self, Institution};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::file::{FileKind, FileName};
use crate::kernel::money::Fen;

/// Payments of a document that are looked up in one query.
const BATCH: usize = 1000;
/// Payments of a bill that are looked for in one reading of a document.
const WINDOW: i64 = 100_000;

/// The institution's bill of a day, once it has been taken in; until then [`Code::BillUnavailable`] names it.
pub fn own_bill(
    tx: &mut Tx<'_>,
    institution: &Institution,
    day: BusinessDay,
) -> Result<ExchangedFile, Error> {
    let bills = exchange::of_day(tx, institution.id, DocumentKind::Bil, day)?;
    bills.into_iter().find(|bill| bill.seq == 1).ok_or_else(|| {
        let (inst, plat) = (institution.code.clone(), institution.platform_code.clone());
        let name = FileName { kind: FileKind::Bil, inst, plat, day, seq: 1 };
        Error::refused(Code::BillUnavailable, format!("{name} has not come"))
    })
}

/// Loads what the institution's own bills of a day tell. What is loaded already stays; a bill with an order of another day
/// or an order twice is unusable as a whole. Differences from our own record are noted.
pub fn load_own(tx: &mut Tx<'_>, desk: &Desk, day: BusinessDay, now: i64) -> Result<KeptBill, Error> {
    let twice = |error: Error| match error.is_duplicate() {
        true => unusable(day, "an order or its number stands twice"),
        false => error,
    };
    let id = desk.institution.id;
    exchange::lock_chain(tx, id)?;
    let first = own_bill(tx, &desk.institution, day)?;
    let known = bill_store::bills(tx, id, day)?.into_iter().find(|bill| bill.file_id == first.id);
    let row = match known {
        Some(known) => known,
        None => {
            let id = BillId::new(reserve_id(tx, "bill")?);
            bill_store::add_bill(tx, id, &first)?
        }
    };
    for file in exchange::of_day(tx, id, DocumentKind::Bil, day)? {
        if !order_store::has_source(tx, row.id, file.id)? {
            signed_rows(tx, desk, day, &file, &row, now).map_err(twice)?;
            order_store::add_source(tx, row.id, file.id)?;
        }
    }
    super::note_missing(tx, &row, now)?;
    Ok(row)
}

/// Compares the documents of a bill's day that are kept already with what the bill says now. What cannot be is logged.
pub async fn compare_kept(db: &Db, desk: &Desk, bill: &KeptBill, now: i64) {
    for channel in ChannelName::ALL.iter().copied() {
        let (here, row) = (desk.clone(), bill.clone());
        let compared = db.write(move |tx| {
            let kind = document_kind(channel);
            let Some(kept) = exchange::of_day(tx, row.institution_id, kind, row.business_date)?.pop() else {
                return Ok(());
            };
            let document = Document { channel, bill: &row, now };
            let is_nothing = says_nothing(&kept);
            let gone = || Error::Internal(format!("{} is not on disk", kept.name));
            let open =
                || if is_nothing { Ok(None) } else { here.folder.open(&kept)?.ok_or_else(gone).map(Some) };
            document.compare(tx, open)?;
            Ok(())
        });
        tell(desk, bill, channel, compared.await);
    }
}

/// Fetches the documents of a bill's day that are not there yet, keeps each as evidence and notes what it says otherwise.
/// What cannot be had or read is logged, and fetched again when this is called again.
pub async fn fetch_documents(db: &Db, desk: &Desk, channels: &[Channel], bill: &KeptBill, now: i64) {
    for channel in channels {
        let fetched = fetch_document(db, desk, channel, bill, now).await;
        tell(desk, bill, channel.name(), fetched);
    }
}

fn tell(desk: &Desk, bill: &KeptBill, channel: ChannelName, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        let (institution, day) = (&desk.institution.code, bill.business_date);
        tracing::warn!(institution, %day, %channel, %error, "a channel's own document is not there or not compared");
    }
}

async fn fetch_document(
    db: &Db,
    desk: &Desk,
    channel: &Channel,
    bill: &KeptBill,
    now: i64,
) -> Result<(), Error> {
    let (institution, day, kind) = (bill.institution_id, bill.business_date, channel.bill_kind());
    let is_there = move |tx: &mut Tx<'_>| Ok(!exchange::of_day(tx, institution, kind, day)?.is_empty());
    if db.read(is_there).await? {
        return Ok(());
    }
    let fetched = fetch(channel, desk, day).await?;
    let (here, row) = (desk.clone(), bill.clone());
    db.write(move |tx| {
        exchange::lock_chain(tx, institution)?;
        if is_there(tx)? { Ok(()) } else { keep(tx, &here, &row, &fetched, now) }
    })
    .await
}

fn keep(tx: &mut Tx<'_>, desk: &Desk, bill: &KeptBill, fetched: &Fetched, now: i64) -> Result<(), Error> {
    let document = Document { channel: fetched.channel(), bill, now };
    let sums = document.compare(tx, || fetched.open())?;
    record(tx, desk, bill.business_date, fetched, (1, sums), now)?;
    Ok(())
}

/// A channel's document, as it is compared.
struct Document<'a> {
    channel: ChannelName,
    bill: &'a KeptBill,
    now: i64,
}

impl Document<'_> {
    /// Notes how the document and the bill differ; its payments and what was paid in them. `open` gives it anew for each
    /// reading, and nothing where the channel says that there is none.
    fn compare(
        &self,
        tx: &mut Tx<'_>,
        open: impl Fn() -> Result<Option<File>, Error>,
    ) -> Result<(i64, Fen), Error> {
        let day = self.bill.business_date;
        let (mut orders, mut total, mut batch) = (0_i64, Fen::ZERO, Vec::with_capacity(BATCH));
        if let Some(file) = open()? {
            read_document(self.channel, day, file, &mut |row| {
                orders = orders.saturating_add(1);
                let sum = total.checked_add(row.paid);
                total = sum.ok_or_else(|| unusable(day, "its total is beyond 64 bits"))?;
                batch.push(row);
                if batch.len() < BATCH { Ok(()) } else { self.differing(tx, std::mem::take(&mut batch)) }
            })?;
        }
        self.differing(tx, batch)?;
        let mut after: Option<After> = None;
        while let Some((page, end)) = documents::page(tx, self.bill, self.channel, after.as_ref(), WINDOW)? {
            self.absent(tx, page, &open)?;
            after = Some(end);
        }
        Ok((orders, total))
    }

    /// Payments of the document of which the bill says something else, or nothing.
    fn differing(&self, tx: &mut Tx<'_>, batch: Vec<Vouched>) -> Result<(), Error> {
        let numbers: Vec<&str> = batch.iter().map(|row| row.inst_order_no.as_str()).collect();
        let billed = documents::billed_as(tx, self.bill, self.channel, &numbers)?;
        let found = batch.iter().filter_map(|theirs| match billed.get(&theirs.inst_order_no) {
            None => Some(difference(theirs, None, Some(said(theirs)))),
            Some(ours) if (ours.paid, ours.fee) == (theirs.paid, theirs.fee) => None,
            Some(ours) => Some(difference(ours, Some(said(ours)), Some(said(theirs)))),
        });
        self.note(tx, &found.collect::<Vec<_>>())
    }

    /// Payments of the bill that the document lacks.
    fn absent(
        &self,
        tx: &mut Tx<'_>,
        page: Vec<Vouched>,
        open: &impl Fn() -> Result<Option<File>, Error>,
    ) -> Result<(), Error> {
        let mut left: BTreeMap<String, Vouched> =
            page.into_iter().map(|row| (row.inst_order_no.clone(), row)).collect();
        if let Some(file) = open()? {
            read_document(self.channel, self.bill.business_date, file, &mut |row| {
                left.remove(&row.inst_order_no);
                Ok(())
            })?;
        }
        let found: Vec<Difference> =
            left.values().map(|ours| difference(ours, Some(said(ours)), None)).collect();
        self.note(tx, &found)
    }

    fn note(&self, tx: &mut Tx<'_>, found: &[Difference]) -> Result<(), Error> {
        let bill = self.bill;
        store::add_differences(tx, bill.institution_id, bill.business_date, self.now, found)
    }
}

/// What a side has of a payment.
fn said(of: &Vouched) -> String {
    format!("paid={} fee={}", of.paid.get(), of.fee.get())
}

fn difference(of: &Vouched, ours: Option<String>, theirs: Option<String>) -> Difference {
    let (inst_order_no, order_no) = (of.inst_order_no.clone(), of.order_no.clone());
    Difference { kind: DifferenceKind::Document, inst_order_no, order_no, ours, theirs }
}

/// The days since one that are cut from the institution's own bill while a document of a channel of its has not come, oldest
/// first.
pub fn undocumented(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    since: BusinessDay,
) -> Result<Vec<(KeptBill, ChannelName)>, Error> {
    let bills = documents::own_bills(tx, institution, since)?;
    let mut found = Vec::new();
    for channel in institutions::channels(tx, institution)? {
        let days = documents::days_with(tx, institution, document_kind(channel.name), since)?;
        let lack = bills.iter().filter(|bill| !days.contains(&bill.business_date));
        found.extend(lack.map(|bill| (bill.clone(), channel.name)));
    }
    found.sort_by_key(|(bill, channel)| (bill.business_date, channel.as_str()));
    Ok(found)
}
