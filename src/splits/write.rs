//! The third thread of a cut: stores rows, writes files, and records each file with what it was made from.
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender};

use super::cut::{Cutting, KIND, Progress};
use super::pipeline::{Plan, files_there};
use super::propose::{Batch, End};
use super::row_store::RowSink;
use super::store::{self, DayCut};
use super::unsplit_store::list_unsplit;
use crate::clock;
use crate::db::columns::FileId;
use crate::db::{Backend, Db, Tx, reserve_id};
use crate::disk::Dir;
use crate::error::Error;
use crate::exchange::{self, Desk, Direction, ExchangedFile, NewFile, broken_record};
use crate::kernel::digest::Digest;
use crate::kernel::file::spl::{SplHeader, seal};
use crate::kernel::file::{FileKind, FileName};

pub(super) struct Writer<'a> {
    pub desk: &'a Desk,
    pub plan: &'a Plan,
    pub now: i64,
    pub cutting: &'a Cutting,
    pub batches: Receiver<Result<Batch, Error>>,
    /// Takes batches that are done with, to be filled again.
    pub back: SyncSender<Batch>,
}

/// What a transaction made, and whether the run goes on.
struct Made {
    files: Vec<ExchangedFile>,
    more: bool,
}

impl Writer<'_> {
    /// On PostgreSQL one transaction for the whole run: a new day is staged, filled and attached. On SQLite one a file,
    /// so that its one writer is not held for a whole day.
    pub(super) fn run(self, db: &Db) -> Result<Vec<ExchangedFile>, Error> {
        let a_file_each = matches!(db.backend(), Backend::Sqlite(_));
        let (mut made, mut told) = (Vec::new(), 0);
        while let Some(first) = self.next()? {
            let known: Vec<FileId> =
                self.plan.known.iter().copied().chain(made.iter().map(|f: &ExchangedFile| f.id)).collect();
            let done = db.write_blocking(|tx| self.files(tx, &known, first, a_file_each, &mut told))?;
            made.extend(done.files);
            if !done.more {
                break;
            }
        }
        Ok(made)
    }

    fn next(&self) -> Result<Option<Batch>, Error> {
        self.batches.recv().ok().transpose()
    }

    fn files(
        &self,
        tx: &mut Tx<'_>,
        known: &[FileId],
        first: Batch,
        only_one: bool,
        told: &mut u64,
    ) -> Result<Made, Error> {
        let (institution, day) = (self.plan.bill.institution_id, self.plan.day);
        exchange::lock_chain(tx, institution)?;
        if files_there(tx, self.plan)? != known {
            return Err(Error::Internal(format!(
                "{day} was cut by another process at the same time: cut it again"
            )));
        }
        let sink = RowSink::open(tx, day, institution)?;
        let (mut files, mut next) = (Vec::new(), Some(first));
        let mut more = false;
        while let Some(first) = next.take() {
            let seq = known.len().saturating_add(files.len()).saturating_add(1);
            let (file, goes_on) = self.file(tx, &sink, seq, first, told)?;
            files.push(file);
            more = goes_on;
            if more && !only_one {
                next = self.next()?;
            }
        }
        self.cutting.tell(Progress::Keys);
        sink.close(tx)?;
        list_unsplit(tx, institution, day)?;
        Ok(Made { files, more })
    }

    /// One file, from its first batch to its record.
    fn file(
        &self,
        tx: &mut Tx<'_>,
        sink: &RowSink,
        seq: usize,
        first: Batch,
        told: &mut u64,
    ) -> Result<(ExchangedFile, bool), Error> {
        let name = self.name(seq)?;
        let id = FileId::new(reserve_id(tx, "exchanged_file")?);
        let mut body = Body::begin(self.desk.folder.out(self.plan.day), &name)?;
        let mut batch = first;
        let end = loop {
            self.cutting.may_go_on()?;
            sink.add(tx, id, &mut batch.rows)?;
            body.out.write_all(&batch.text)?;
            let end = batch.end;
            // Where nobody wants it, it is freed.
            let _ = self.back.try_send(batch);
            if let Some(end) = end {
                break end;
            }
            batch = self.next()?.ok_or_else(|| Error::Internal("a file of the cut has no end".into()))?;
        };
        if end.sums.split() != Some(end.total) {
            return Err(Error::Internal(format!("{name}: its lines do not add up to its orders' pools")));
        }
        let header = SplHeader {
            name,
            orders: end.orders,
            lines: end.lines,
            total: end.total,
            created_at: self.plan.created_at,
            approvals: self.plan.bundle.digest(),
            prev: exchange::last(tx, self.plan.bill.institution_id, KIND)?
                .map_or(Digest::ZERO, |last| last.sha256),
        };
        let (digest, size) = body.seal(&header)?;
        let file = self.record(tx, id, &header, &digest, size, &end)?;
        *told = told.saturating_add(u64::from(end.orders));
        self.cutting.tell(Progress::Told(*told));
        Ok((file, end.more))
    }

    /// The one place where an SPL is recorded, with what its orders add up to in `end`.
    fn record(
        &self,
        tx: &mut Tx<'_>,
        id: FileId,
        header: &SplHeader,
        digest: &Digest,
        size: i64,
        end: &End,
    ) -> Result<ExchangedFile, Error> {
        let new = NewFile {
            institution_id: self.plan.bill.institution_id,
            direction: Direction::Out,
            kind: KIND,
            name: header.name.to_string(),
            business_date: header.name.day,
            seq: i32::from(header.name.seq),
            sha256: *digest,
            size,
            orders: i64::from(header.orders),
            lines: i64::from(header.lines),
            total: header.total,
            previous_sha256: Some(header.prev),
            approvals_sha256: Some(header.approvals),
            created_at: clock::micros(header.created_at),
            recorded_at: self.now,
        };
        let file = exchange::record_ours(tx, Some(id), &new, i64::from(end.split), !end.more)?;
        let cut = DayCut {
            institution_id: self.plan.bill.institution_id,
            business_date: self.plan.day,
            seq: file.seq,
            bill_id: self.plan.bill.id,
            approvals_sha256: header.approvals,
            created_at: file.created_at,
            more: end.more,
        };
        store::add_cut(tx, &cut)?;
        Ok(file)
    }

    fn name(&self, seq: usize) -> Result<FileName, Error> {
        Ok(FileName {
            kind: FileKind::Spl,
            inst: self.desk.institution.code.clone(),
            plat: self.desk.institution.platform_code.clone(),
            day: self.plan.day,
            seq: u16::try_from(seq)
                .ok()
                .filter(|seq| *seq <= 9999)
                .ok_or_else(|| Error::Internal("too many files of a day".into()))?,
        })
    }
}

/// The body of a file beside where the file will be: its header states totals that are known at its end.
struct Body {
    dir: Dir,
    name: String,
    out: File,
}

impl Body {
    fn begin(dir: Dir, name: &FileName) -> Result<Self, Error> {
        let name = name.to_string();
        let out = exchange::stage(&dir, &format!("{name}.body"))?;
        Ok(Self { dir, name, out })
    }

    /// Stages the whole file; its digest and size. It is put on disk when it is published.
    fn seal(self, header: &SplHeader) -> Result<(Digest, i64), Error> {
        let body = exchange::staged(&format!("{}.body", self.name));
        let out = BufWriter::with_capacity(1 << 18, exchange::stage(&self.dir, &self.name)?);
        let (out, digest) = seal(header, self.dir.read(&body)?, out).map_err(broken_record)?;
        let size = i64::try_from(out.get_ref().metadata()?.len()).unwrap_or(i64::MAX);
        self.dir.remove(&body)?;
        Ok((digest, size))
    }
}
