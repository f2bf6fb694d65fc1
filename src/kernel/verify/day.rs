//! The day's files and the bill, merged: both are sorted by (`paid_at`, `inst_order_no`), so that an order is judged when
//! both stand at it. Whatever stands alone is put aside by its `inst_order_no`, and so is the number of every order.
use std::io::BufRead;

use super::bills::{BillStream, Row};
use super::bundles::Bundles;
use super::front::{Front, Key, Stream};
use super::orders::{DayFile, Judge, Known, Told};
use super::pile::{Entry, Pile};
use super::report::{Part, Step};
use super::{Given, Report, Run, Signer, Unusable, link, place, unreadable};
use crate::bill::BillOrder;
use crate::calendar::Instant;
use crate::chain::Link;
use crate::file::spl::{SplHeader, SplLine, SplReader, SplRecord};
use crate::file::{Check, FileName};
use crate::proposal::Reason;

/// Kinds of entries by `inst_order_no`, their first number the place. An order of the bill that a file told; its numbers
/// are places of both, time, and two flags.
pub(super) const MATCHED: u8 = 0;
/// An order of the bill that stood alone; its text is the order.
pub(super) const ALONE: u8 = 1;
/// An order of a file that stood alone; its text is the order and its lines.
pub(super) const STRAY: u8 = 2;
/// An order of an earlier file.
pub(super) const EARLIER: u8 = 3;

/// One of the day's SPL as it streams by.
pub(super) struct SplStream<'a> {
    file: u32,
    name: String,
    /// `None` when it has ended.
    reader: Option<SplReader<Box<dyn BufRead + 'a>>>,
    header: SplHeader,
    signature: Option<Vec<u8>>,
    paid_at: Instant,
    no: String,
    /// The line at which it stands.
    line: u64,
    /// Its place in the chain, once it was read to its end.
    link: Option<Link>,
}

impl Stream for SplStream<'_> {
    fn key(&self) -> Option<Key<'_>> {
        self.reader.is_some().then_some((self.paid_at, self.no.as_str()))
    }
}

/// Opens the day's files, ascending by name.
pub(super) fn open<'a, 'b>(
    run: &mut Run<'_>,
    bundles: &'b Bundles,
    spl: Vec<Given<'a>>,
) -> Result<(Vec<SplStream<'a>>, Vec<DayFile<'b>>), Unusable> {
    let (mut streams, mut files) = (Vec::new(), Vec::new());
    for (file, Given { name, content, signature }) in (0_u32..).zip(spl) {
        run.report.at((Step::Spl, file, Part::Head));
        let seq = FileName::parse(&name).map_or(0, |name| name.seq);
        let mut known = DayFile { name: name.clone(), seq, bundle: None };
        match SplReader::new(content) {
            Err(error) => unreadable(run, &name, error)?,
            Ok(reader) => {
                let header = reader.header().clone();
                run.named(bundles, &name, &header.name);
                if header.name.day != run.day {
                    let day = format!("the business day {}: one day a run", run.day);
                    run.report.file(Check::V14, &name, day, &header.name.day.to_string());
                }
                known.bundle = bundles.of_file(&mut run.report, &name, &header);
                let (paid_at, no, line) = (Instant::new(0), String::new(), 1);
                let reader = Some(reader);
                streams.push(SplStream {
                    file,
                    name,
                    reader,
                    header,
                    signature,
                    paid_at,
                    no,
                    line,
                    link: None,
                });
            }
        }
        files.push(known);
    }
    Ok((streams, files))
}

impl SplStream<'_> {
    /// Goes to the next order; `each` gets the lines before it, with their numbers.
    fn advance(
        &mut self,
        run: &mut Run<'_>,
        mut each: impl FnMut(&mut Report, u64, &SplLine<'_>),
    ) -> Result<(), Unusable> {
        while let Some(reader) = &mut self.reader {
            self.line = reader.line_number().saturating_add(1);
            let (paid_at, no) = match reader.next_record() {
                Ok(Some(SplRecord::Line(line))) => {
                    each(&mut run.report, self.line, &line);
                    continue;
                }
                Ok(Some(SplRecord::Order(order))) => (order.paid_at, order.inst_order_no),
                Ok(Some(SplRecord::Unsplit(unsplit))) => (unsplit.paid_at, unsplit.inst_order_no),
                Ok(None) => return self.finish(run),
                Err(error) => {
                    run.report.at((Step::Spl, self.file, Part::Orders));
                    self.reader = None;
                    return unreadable(run, &self.name, error);
                }
            };
            self.paid_at = paid_at;
            self.no.clear();
            self.no.push_str(no);
            break;
        }
        Ok(())
    }

    fn finish(&mut self, run: &mut Run<'_>) -> Result<(), Unusable> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        run.report.at((Step::Spl, self.file, Part::Seal));
        let seal = match reader.finish() {
            Ok(seal) => seal,
            Err(error) => return unreadable(run, &self.name, error),
        };
        run.report.faults(&self.name, seal.faults);
        run.signed(Signer::Platform, &self.name, &seal.digest, self.signature.as_deref());
        self.link = Some(link(self.header.clone(), seal.digest));
        Ok(())
    }

    /// The order at which it stands, judged with its lines; where and how it was told.
    fn judge(
        &mut self,
        run: &mut Run<'_>,
        judge: &mut Judge<'_, '_>,
        known: Known<'_>,
        before: Option<Told>,
    ) -> Result<Option<(Told, Option<Reason>)>, Unusable> {
        let told = Told { file: self.file, line: self.line, split: true };
        match self.reader.as_ref().and_then(SplReader::last_head) {
            Some(SplRecord::Order(order)) => {
                let mut current = judge.order(&mut run.report, (told, &order), known, before)?;
                self.advance(run, |report, at, line| judge.line(report, at, &mut current, line))?;
                judge.end(&mut run.report, self.line, &current);
                Ok(Some((told, None)))
            }
            Some(SplRecord::Unsplit(unsplit)) => {
                let (told, reason) = (Told { split: false, ..told }, unsplit.reason);
                judge.unsplit(&mut run.report, (told, &unsplit), known, before)?;
                // Lines after an X are a fault of the file already; here they only count.
                let current = &mut judge.nobodys(told);
                self.advance(run, |report, at, line| judge.line(report, at, current, line))?;
                Ok(Some((told, Some(reason))))
            }
            Some(SplRecord::Line(_)) | None => self.advance(run, |_, _, _| {}).map(|()| None),
        }
    }

    /// Puts the order at which it stands aside, with its lines.
    fn put_aside(&mut self, run: &mut Run<'_>, pile: &mut Pile<'_>) -> Result<(), Unusable> {
        let (at, no) = (place(self.file, self.line), self.no.clone());
        let line = self.reader.as_ref().map(SplReader::last_line).unwrap_or_default();
        let mut text = String::from_utf8_lossy(line).into_owned();
        self.advance(run, |_, _, SplLine { n, path, role, receiver, amount }| {
            text.push_str(&format!("\nL|{n}|{path}|{role}|{receiver}|{}", amount.get()));
        })?;
        pile.push(&Entry { key: &no, kind: STRAY, numbers: [at, 0, 0, 0], text: &text })
    }
}

/// Judges all orders that stand in the bill and in a file at the same time; all others, and all numbers, go to `pile`.
/// Gives the files' places in the chain.
pub(super) fn merge(
    run: &mut Run<'_>,
    judge: &mut Judge<'_, '_>,
    mut bills: Front<BillStream<'_>>,
    mut spl: Vec<SplStream<'_>>,
    pile: &mut Pile<'_>,
) -> Result<Vec<Link>, Unusable> {
    for stream in &mut spl {
        let nobodys = &mut judge.nobodys(Told { file: stream.file, line: 1, split: false });
        stream.advance(run, |report, at, line| judge.line(report, at, nobodys, line))?;
    }
    let mut spl = Front::new(spl);
    loop {
        let order = match (bills.key(), spl.key()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(bill), Some(file)) => bill.cmp(&file),
        };
        if order.is_gt() {
            if let Some(stream) = spl.first_mut() {
                stream.put_aside(run, pile)?;
            }
            spl.moved();
            continue;
        }
        if let Some(row) = bills.first().and_then(BillStream::row) {
            let told = tellings(run, judge, row, &mut spl)?;
            number(pile, row, told)?;
        }
        if let Some(stream) = bills.first_mut() {
            stream.advance(run)?;
        }
        bills.moved();
    }
    Ok(spl.into_streams().into_iter().filter_map(|stream| stream.link).collect())
}

/// Every telling of an order of the bill that stands at the same time; the last one.
fn tellings(
    run: &mut Run<'_>,
    judge: &mut Judge<'_, '_>,
    row: &Row,
    spl: &mut Front<SplStream<'_>>,
) -> Result<Option<Told>, Unusable> {
    let BillOrder { facts, .. } = &row.order;
    let key = (facts.paid_at, facts.inst_order_no.as_str());
    let mut last = None;
    while spl.key() == Some(key) {
        let Some(stream) = spl.first_mut() else { break };
        let before = last.map(|(told, _)| told);
        last = stream.judge(run, judge, Known::Bill(&row.order, row.late), before)?.or(last);
        spl.moved();
    }
    if let Some(last) = last {
        judge.last(&mut run.report, &row.order, last);
    }
    Ok(last.map(|(told, _)| told))
}

/// Puts the number of an order of the bill aside, and the whole order if no file told it yet.
fn number(pile: &mut Pile<'_>, row: &Row, told: Option<Told>) -> Result<(), Unusable> {
    let BillOrder { facts, .. } = &row.order;
    let (key, at, late) = (&facts.inst_order_no, place(row.bill, row.line), u64::from(row.late));
    let Some(told) = told else {
        let mut text = String::new();
        crate::file::bil::push_order(&mut text, &row.order);
        return pile.push(&Entry { key, kind: ALONE, numbers: [at, late, 0, 0], text: &text });
    };
    let flags = late | u64::from(told.split) << 1;
    let numbers = [at, flags, place(told.file, told.line), facts.paid_at.get().cast_unsigned()];
    pile.push(&Entry { key, kind: MATCHED, numbers, text: "" })
}
