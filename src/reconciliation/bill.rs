//! The channel's bill of a day: fetched to disk, read as a stream, and kept with its digest and its orders' rows.
use std::fs::File;
use std::io::{BufReader, Read, Write};

use super::bill_store::{self, KeptBill};
use super::load::Loader;
use super::order_store;
use super::store;
use crate::channels::{Answer, Billed, Channel, ReadBill};
use crate::db::columns::{BillId, InstitutionId};
use crate::db::{Tx, reserve_id};
use crate::disk::Dir;
use crate::error::{Code, Error};
use crate::exchange::{self, Desk, Direction, DocumentKind, ExchangedFile, NewFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::bill;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::digest::Digest;
use crate::kernel::file::bil::BilReader;
use crate::kernel::money::Fen;
use crate::protocol::crypto::random_nonce;

/// A bill as it came, on disk and not yet read. It is gone when this is dropped, unless [`load`] kept it.
#[derive(Debug)]
pub struct Fetched {
    /// Whose bill it is.
    channel: Channel,
    dir: Dir,
    name: String,
    /// Held while the bill is ours: what nobody holds is a leftover of a crash.
    held: File,
    sha256: Digest,
    size: u64,
    /// It is the channel's signed word that there is no bill.
    is_nothing: bool,
}

/// How the name of the evidence ends that a day has no bill.
const NOTHING: &str = ".none";
/// Bytes that tell whether something can be a bill.
const BEGINS: u64 = 12;

impl Fetched {
    /// Whether it says what this one that is kept says. That there is no bill is signed anew at every request.
    pub fn says_the_same(&self, tx: &mut Tx<'_>, kept: &KeptBill) -> Result<bool, Error> {
        let same = kept.sha256 == self.sha256;
        Ok(same || self.is_nothing && says_nothing(&exchange::by_id(tx, kept.file_id)?))
    }
}

impl Fetched {
    /// Whose wallet's it is.
    pub(super) fn channel(&self) -> ChannelName {
        self.channel.name()
    }

    /// Its bytes; none where the channel says that there is no bill.
    pub(super) fn open(&self) -> Result<Option<File>, Error> {
        if self.is_nothing { Ok(None) } else { Ok(Some(self.dir.read(&self.name)?)) }
    }
}

/// Whether a file that was kept is a channel's word that there is no bill.
pub(super) fn says_nothing(kept: &ExchangedFile) -> bool {
    kept.name.ends_with(NOTHING)
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // After it was kept there is nothing under this name.
        let _ = self.dir.remove(&self.name);
    }
}

/// [`fetch`] from the one channel of an institution whose days are that channel's bill.
pub async fn fetch_only(channels: &[Channel], desk: &Desk, day: BusinessDay) -> Result<Fetched, Error> {
    match channels {
        [only] => fetch(only, desk, day).await,
        _ => {
            let why = format!("bill of {day}: {} has {} channels", desk.institution.code, channels.len());
            Err(Error::refused(Code::BillUnavailable, why))
        }
    }
}

/// Fetches the bill of a day from the institution's channel; never inside a transaction.
pub async fn fetch(channel: &Channel, desk: &Desk, day: BusinessDay) -> Result<Fetched, Error> {
    let dir = desk.folder.taken();
    let (name, file) = staged(&dir, channel.bill_kind().as_str(), day)?;
    let (channel, held) = (channel.clone(), file.try_clone()?);
    let mut fetched = Fetched { channel, dir, name, held, sha256: Digest::ZERO, size: 0, is_nothing: false };
    let why = match fetched.channel.fetch_bill(day, file).await {
        Answer::Known(Billed::Bill(downloaded)) => {
            (fetched.sha256, fetched.size) = (downloaded.sha256, downloaded.size);
            match not_a_bill(&fetched)? {
                None => return Ok(fetched),
                Some(why) => why.to_owned(),
            }
        }
        Answer::Known(Billed::Nothing(said)) => {
            fetched.held.write_all(&said)?;
            fetched.held.sync_all()?;
            (fetched.sha256, fetched.is_nothing) = (Digest::of(&said), true);
            fetched.size = u64::try_from(said.len()).unwrap_or(u64::MAX);
            return Ok(fetched);
        }
        Answer::Refused { code, message, .. } => format!("{code} {message}"),
        Answer::Busy => "too many requests".to_owned(),
        Answer::Unknown(why) => why.to_string(),
    };
    Err(Error::refused(Code::BillUnavailable, format!("bill of {day}: {why}")))
}

/// Why what came is no bill at all, so that it is to be fetched again.
fn not_a_bill(fetched: &Fetched) -> Result<Option<&'static str>, Error> {
    let mut begins = Vec::new();
    fetched.dir.read(&fetched.name)?.take(BEGINS).read_to_end(&mut begins)?;
    Ok(match fetched.channel.may_be_bill(&begins) {
        true => None,
        false if begins.is_empty() => Some("what came is empty"),
        false => Some("what came is no bill: another encoding, or an error page"),
    })
}

/// A file of its own to download to; what crashes have left of the day goes.
fn staged(dir: &Dir, kind: &str, day: BusinessDay) -> Result<(String, File), Error> {
    dir.make()?;
    let begin = format!(".{kind}_{day}.");
    for left in dir.names()?.into_iter().filter(|name| name.starts_with(&begin)) {
        if dir.read(&left).is_ok_and(|file| file.try_lock().is_ok()) {
            dir.remove(&left)?;
        }
    }
    let name = format!("{begin}{}.part", random_nonce(12).map_err(Error::internal)?);
    let file = dir.create(&name)?;
    file.try_lock().map_err(|e| Error::Io(e.into()))?;
    Ok((name, file))
}

/// Keeps a bill as evidence, its bytes beside the institution's files, its digest and its orders in the database, with
/// what only the institution's own signed bills of the day tell: the channel's bill of a day never changes, late rows
/// come in a BIL. What is loaded already stays; a bill with a fault, an order of another day or an order twice is
/// unusable as a whole. Differences from our own record are noted.
pub fn load(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    fetched: &Fetched,
    bundle: &Bundle,
    now: i64,
) -> Result<KeptBill, Error> {
    let twice = |error: Error| match error.is_duplicate() {
        true => unusable(day, "an order or its number stands twice"),
        false => error,
    };
    let institution = desk.institution.id;
    exchange::lock_chain(tx, institution)?;
    let known = bill_store::bills(tx, institution, day)?;
    let mut same = None;
    for row in &known {
        if same.is_none() && fetched.says_the_same(tx, row)? {
            same = Some(row);
        }
    }
    if fetched.is_nothing {
        nothing_was_paid(tx, institution, day, fetched)?;
    }
    let row = match same {
        Some(same) => {
            if !order_store::has_source(tx, same.id, same.file_id)? {
                channel_rows(tx, desk, day, fetched, bundle, same.id, now).map_err(twice)?;
                order_store::add_source(tx, same.id, same.file_id)?;
            }
            same.clone()
        }
        None => keep(tx, desk, day, fetched, bundle, known.len(), now).map_err(twice)?,
    };
    for file in exchange::of_day(tx, institution, DocumentKind::Bil, day)? {
        if !order_store::has_source(tx, row.id, file.id)? {
            signed_rows(tx, desk, day, &file, &row, now).map_err(twice)?;
            order_store::add_source(tx, row.id, file.id)?;
        }
    }
    super::note_missing(tx, &row, now)?;
    Ok(row)
}

/// That a channel has no bill of a day is believed only where we know of nothing either.
fn nothing_was_paid(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    fetched: &Fetched,
) -> Result<(), Error> {
    match store::payments_of(tx, institution, day, fetched.channel.name().as_str())? {
        0 => Ok(()),
        ours => Err(unusable(
            day,
            &format!("the channel says that there is none, and we have {ours} payments of it"),
        )),
    }
}

fn keep(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    fetched: &Fetched,
    bundle: &Bundle,
    before: usize,
    now: i64,
) -> Result<KeptBill, Error> {
    let id = BillId::new(reserve_id(tx, "bill")?);
    let sums = channel_rows(tx, desk, day, fetched, bundle, id, now)?;
    let file = record(tx, desk, day, fetched, (before.saturating_add(1), sums), now)?;
    let row = bill_store::add_bill(tx, id, &file)?;
    order_store::add_source(tx, row.id, file.id)?;
    Ok(row)
}

/// Gives what was fetched its name among the evidence and records it, with its place among the day's, its orders and what
/// was paid in them.
pub(super) fn record(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    fetched: &Fetched,
    (seq, (orders, total)): (usize, (i64, Fen)),
    now: i64,
) -> Result<ExchangedFile, Error> {
    let institution = &desk.institution;
    let kind = fetched.channel.bill_kind();
    let end = if fetched.is_nothing { NOTHING } else { fetched.channel.bill_end() };
    let name = format!("{kind}_{}_{}_{day}_{seq:04}{end}", institution.code, institution.platform_code);
    // A name that was never recorded is free: whatever a crash left under it is written over.
    fetched.dir.rename(&fetched.name, &name)?;
    fetched.dir.sync()?;
    let new = NewFile {
        institution_id: institution.id,
        direction: Direction::In,
        kind,
        name,
        business_date: day,
        seq: i32::try_from(seq).map_err(|_| Error::Internal("too many bills of a day".into()))?,
        sha256: fetched.sha256,
        size: i64::try_from(fetched.size).unwrap_or(i64::MAX),
        orders,
        lines: 0,
        total,
        previous_sha256: None,
        approvals_sha256: None,
        created_at: now,
        recorded_at: now,
    };
    exchange::record(tx, &new)
}

/// Loads the orders of the channel's bill; merchants are named by the bundle. Their number, and what was paid.
fn channel_rows(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    fetched: &Fetched,
    bundle: &Bundle,
    bill_id: BillId,
    now: i64,
) -> Result<(i64, Fen), Error> {
    if fetched.is_nothing {
        return Ok((0, Fen::ZERO));
    }
    let broken = |fault: String| unusable(day, &fault);
    let merchant = |number: &str| bundle.merchant_by_inst_no(number).map(str::to_owned);
    let source = BufReader::with_capacity(1 << 17, fetched.dir.read(&fetched.name)?);
    let mut loader = Loader::open(tx, desk.institution.id, day, bill_id, now)?;
    let mut reader = fetched.channel.read_bill(source, &merchant).map_err(broken)?;
    take_all(tx, &mut loader, reader.as_mut(), broken)?;
    loader.close(tx)
}

/// Hands the orders of a bill to the loader, to the bill's end.
fn take_all(
    tx: &mut Tx<'_>,
    loader: &mut Loader,
    bill: &mut dyn ReadBill,
    broken: impl Fn(String) -> Error,
) -> Result<(), Error> {
    while let Some(row) = bill.next_row().map_err(&broken)? {
        match row {
            bill::BillRow::Order(order) => loader.take(tx, order, bill.ordered())?,
            bill::BillRow::Refund(_) => {}
        }
    }
    Ok(())
}

/// Loads what an imported BIL tells and the bill does not.
pub(super) fn signed_rows(
    tx: &mut Tx<'_>,
    desk: &Desk,
    day: BusinessDay,
    file: &ExchangedFile,
    row: &KeptBill,
    now: i64,
) -> Result<(), Error> {
    let broken = |fault: String| unusable(day, &format!("{}: {fault}", file.name));
    let source = desk.folder.open(file)?.ok_or_else(|| broken("is not on disk".to_owned()))?;
    let reader = BilReader::new(BufReader::with_capacity(1 << 17, source));
    let mut reader = reader.map_err(|fault| broken(fault.to_string()))?;
    let mut loader = Loader::open(tx, desk.institution.id, day, row.id, now)?;
    take_all(tx, &mut loader, &mut reader, broken)?;
    loader.close(tx)?;
    let seal = reader.finish().map_err(|fault| broken(fault.to_string()))?;
    if seal.digest == file.sha256 {
        return Ok(());
    }
    let name = &file.name;
    Err(Error::Internal(format!("{name} on disk is not the bill that was kept; run `mingfen check`")))
}

/// The refusal of a bill that cannot be used.
pub(super) fn unusable(day: BusinessDay, why: &str) -> Error {
    Error::refused(Code::BillUnusable, format!("bill of {day}: {why}"))
}
