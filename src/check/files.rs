//! Files on disk against the database: bytes, signatures, chains, and the rows that re-reading an SPL or STL gives.
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::BufReader;

use crate::clock::instant;
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, Desk, Direction, DocumentKind, ExchangedFile};
use crate::institutions::{self, InstitutionKey, Purpose};
use crate::kernel::digest::Digest;
use crate::kernel::file::ReadError;
use crate::kernel::file::spl::{SplReader, SplRecord};
use crate::kernel::file::stl::{StlReader, StlRecord};
use crate::kernel::money::Fen;
use crate::protocol::crypto::PublicKey;
use crate::settlement::{self, LineKind, SettlementLine};
use crate::splits::{self, Entry};

/// Every break of an institution's files.
pub(super) fn breaks(tx: &mut Tx<'_>, desk: &Desk, platform: &[PublicKey]) -> Result<Vec<String>, Error> {
    let institution = desk.institution.id;
    let theirs = TheirKeys::read(tx, institution)?;
    let mut breaks = Vec::new();
    for file in exchange::all(tx, institution)? {
        let signers = if file.direction == Direction::Out { platform.to_vec() } else { theirs.of(&file)? };
        breaks.extend(on_disk(desk, &file, &signers)?.map(|why| format!("{}: {why}", file.name)));
    }
    for kind in [DocumentKind::Spl, DocumentKind::Stl] {
        let mut before = Digest::ZERO;
        for file in exchange::chain(tx, institution, kind)? {
            if file.previous_sha256 != Some(before) {
                breaks.push(format!("{}: its prev is not the file before it", file.name));
            }
            before = file.sha256;
            let dir = desk.folder.out(file.business_date);
            if !dir.has(&file.name)? {
                continue;
            }
            let input = BufReader::new(dir.read(&file.name)?);
            let found = match kind {
                DocumentKind::Spl => spl(tx, &file, input)?,
                DocumentKind::Stl => stl(tx, &file, input)?,
                DocumentKind::Apr
                | DocumentKind::Bil
                | DocumentKind::Rtn
                | DocumentKind::Ret
                | DocumentKind::Wxbill
                | DocumentKind::Alibill => None,
            };
            breaks.extend(found.map(|why| format!("{}: {why}", file.name)));
        }
    }
    breaks.extend(carried(tx, institution)?);
    breaks.extend(unknown(tx, desk)?);
    Ok(breaks)
}

/// An institution's keys for what it sends, ended ones too: a file was signed by one that counted when it came.
struct TheirKeys {
    approvals: Vec<InstitutionKey>,
    files: Vec<InstitutionKey>,
}

impl TheirKeys {
    fn read(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Self, Error> {
        let approvals = institutions::keys(tx, institution, Purpose::Approvals)?;
        Ok(Self { approvals, files: institutions::keys(tx, institution, Purpose::Files)? })
    }

    fn of(&self, file: &ExchangedFile) -> Result<Vec<PublicKey>, Error> {
        let keys = if file.kind == DocumentKind::Apr { &self.approvals } else { &self.files };
        let counted = keys.iter().filter(|key| institutions::counts(key.valid_to, file.recorded_at));
        counted.map(|key| PublicKey::from_pem(&key.public_key_pem).map_err(Error::internal)).collect()
    }
}

/// What lies there as published and is recorded nowhere: after a restore, what was published since the backup.
fn unknown(tx: &mut Tx<'_>, desk: &Desk) -> Result<Vec<String>, Error> {
    let known: HashSet<String> =
        exchange::all(tx, desk.institution.id)?.into_iter().map(|file| file.name).collect();
    let names = desk.folder.published()?;
    let unknown = names.into_iter().filter(|name| !known.contains(name));
    Ok(unknown.map(|name| format!("{name}: is published, and not recorded")).collect())
}

/// The bytes, their signature and `.ok`.
fn on_disk(desk: &Desk, file: &ExchangedFile, keys: &[PublicKey]) -> Result<Option<&'static str>, Error> {
    let dir = desk.folder.of(file)?;
    if !dir.lies(&file.name)? {
        // Before there was `taken/`, an answer that asked for the same bytes again gave its name away.
        return Ok((!file.name.contains('@')).then_some("is not on disk"));
    }
    if !dir.has(&file.name)? {
        return Ok(Some("is no plain file on disk"));
    }
    let digest = exchange::digest_of(&dir, &file.name)?;
    if digest != file.sha256 {
        return Ok(Some("its bytes on disk are not those that were recorded"));
    }
    if matches!(file.kind, DocumentKind::Wxbill | DocumentKind::Alibill) {
        return Ok(None);
    }
    if !exchange::is_published(&dir, &file.name) {
        return Ok(Some("its .ok is missing"));
    }
    let signed = exchange::signature_of(&dir, &file.name)
        .is_ok_and(|text| keys.iter().any(|key| key.verify_digest(&digest, &text)));
    Ok((!signed).then_some("its .sig is missing or wrong"))
}

fn told(error: ReadError) -> Result<Option<String>, Error> {
    match error {
        ReadError::Fault(fault) => Ok(Some(fault.to_string())),
        ReadError::Io(error) => Err(Error::Io(error)),
    }
}

/// An SPL says what the rows say, line by line.
fn spl(tx: &mut Tx<'_>, file: &ExchangedFile, input: BufReader<File>) -> Result<Option<String>, Error> {
    let mut reader = match SplReader::new(input) {
        Ok(reader) => reader,
        Err(error) => return told(error),
    };
    let header = reader.header();
    let same = i64::from(header.orders) == file.orders
        && i64::from(header.lines) == file.lines
        && header.total == file.total
        && header.created_at == instant(file.created_at)
        && Some(header.approvals) == file.approvals_sha256
        && header.name.to_string() == file.name;
    if !same {
        return Ok(Some("its header is not what was recorded".to_owned()));
    }
    let mut rows = Rows { file, after: 0, ready: VecDeque::new() };
    loop {
        match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => {
                let read = flat_record(&record);
                if rows.next(tx)?.as_deref() != Some(read.as_str()) {
                    return Ok(Some(format!("line {} is not what is stored", reader.line_number())));
                }
            }
            Err(error) => return told(error),
        }
    }
    match reader.finish().map(|seal| seal.sound()) {
        Ok(Ok(_)) => {}
        Ok(Err(fault)) => return Ok(Some(fault.to_string())),
        Err(error) => return told(error),
    }
    Ok(rows.next(tx)?.map(|_| "more lines are stored than it has".to_owned()))
}

/// The rows of an SPL as they stream by.
struct Rows<'a> {
    file: &'a ExchangedFile,
    after: i32,
    ready: VecDeque<String>,
}

impl Rows<'_> {
    fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
        if self.ready.is_empty() {
            let page = splits::entries(tx, self.file, self.after, 2000)?;
            self.after = page.last().map_or(self.after, |last| last.order.n);
            self.ready.extend(page.iter().flat_map(flat));
        }
        Ok(self.ready.pop_front())
    }
}

/// The fields of a record in one text, from a row and from the file alike; no record where the row is no whole one.
fn flat(entry: &Entry) -> Vec<String> {
    let Entry { order: o, billed, rule } = entry;
    let Ok(lines) = entry.lines() else { return vec![format!("the lines of order {} are broken", o.n)] };
    let due = match o.reason {
        Some(_) => Some(Fen::ZERO),
        None => billed.paid.checked_add(billed.subsidy).and_then(|gross| gross.checked_sub(billed.fee)),
    };
    if Fen::sum(lines.iter().map(|line| line.amount)) != due {
        return vec![format!("the lines of order {} are not its pool", o.n)];
    }
    let at = instant(o.paid_at).to_cst();
    let head = match &o.reason {
        Some(reason) => {
            format!("X|{}|{}|{}|{at}|{}|{reason}", o.n, billed.order_no(), o.inst_order_no, billed.paid.get())
        }
        None => format!(
            "O|{}|{}|{}|{}|{}|{}|{}|{}|{at}|{}|{}|{}|{}|{}|{}",
            o.n,
            billed.order_no(),
            o.inst_order_no,
            billed.merchant,
            billed.channel,
            billed.product,
            billed.tags,
            billed.parties,
            billed.paid.get(),
            billed.fee.get(),
            billed.subsidy.get(),
            rule.as_ref().map(|rule| rule.rule.as_str()).unwrap_or_default(),
            rule.as_ref().map(|rule| rule.version).unwrap_or_default(),
            lines.len()
        ),
    };
    let lines =
        lines.iter().map(|l| format!("L|{}|{}|{}|{}|{}", l.n, l.path, l.role, l.receiver, l.amount.get()));
    std::iter::once(head).chain(lines).collect()
}

fn flat_record(record: &SplRecord<'_>) -> String {
    match record {
        SplRecord::Unsplit(x) => {
            let (at, paid, reason) = (x.paid_at.to_cst(), x.paid.get(), x.reason.as_str());
            format!("X|{}|{}|{}|{at}|{paid}|{reason}", x.n, x.order_no, x.inst_order_no)
        }
        SplRecord::Order(o) => format!(
            "O|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            o.n,
            o.order_no,
            o.inst_order_no,
            o.merchant,
            o.channel,
            o.product,
            o.tags,
            o.parties,
            o.paid_at.to_cst(),
            o.paid.get(),
            o.fee.get(),
            o.subsidy.get(),
            o.rule,
            o.version,
            o.lines
        ),
        SplRecord::Line(l) => format!("L|{}|{}|{}|{}|{}", l.n, l.path, l.role, l.receiver, l.amount.get()),
    }
}

/// An STL says what the rows say, and its splits are those of the files it lists.
fn stl(tx: &mut Tx<'_>, file: &ExchangedFile, input: BufReader<File>) -> Result<Option<String>, Error> {
    let mut reader = match StlReader::new(input) {
        Ok(reader) => reader,
        Err(error) => return told(error),
    };
    let header = reader.header();
    let same = i64::from(header.settled) == file.orders
        && i64::from(header.carried) == file.lines
        && header.total == file.total
        && header.created_at == instant(file.created_at)
        && Some(header.approvals) == file.approvals_sha256;
    if !same {
        return Ok(Some("its header is not what was recorded".to_owned()));
    }
    let mut lines = settlement::lines(tx, file.id)?;
    lines.sort_unstable_by(|a, b| a.receiver.cmp(&b.receiver));
    let mut stored = lines.iter();
    loop {
        match reader.next_record() {
            Ok(None) => break,
            Ok(Some(StlRecord::Input(_))) => {}
            Ok(Some(record)) => {
                if !stored.next().is_some_and(|line| says(line, &record)) {
                    return Ok(Some("its lines are not what is stored".to_owned()));
                }
            }
            Err(error) => return told(error),
        }
    }
    match reader.finish().map(|seal| seal.sound()) {
        Ok(Ok(_)) if stored.next().is_none() => {}
        Ok(Ok(_)) => return Ok(Some("more lines are stored than it has".to_owned())),
        Ok(Err(fault)) => return Ok(Some(fault.to_string())),
        Err(error) => return told(error),
    }
    let mut listed = Some(Fen::ZERO);
    for input in settlement::inputs(tx, file.id, file.institution_id)? {
        if let Some(spl) =
            exchange::by_name(tx, file.institution_id, &input.name)?.filter(|f| f.kind == DocumentKind::Spl)
        {
            listed = listed.and_then(|sum| sum.checked_add(spl.total));
        }
    }
    let splits = Fen::sum(lines.iter().map(|line| line.splits));
    Ok((splits != listed).then(|| "its splits are not those of the files that it lists".to_owned()))
}

fn says(line: &SettlementLine, record: &StlRecord) -> bool {
    let (receiver, sums, reason, date) = match record {
        StlRecord::Input(_) => return false,
        StlRecord::Settled(s) => (&s.receiver, &s.sums, None, Some(s.settle_date)),
        StlRecord::Carried(c) => (&c.receiver, &c.sums, Some(c.reason), None),
    };
    let stored = [line.splits, line.returns, line.debts, line.carried_in, line.requeued];
    let read = [sums.splits, sums.returns, sums.debts, sums.carried_in, sums.requeued];
    line.receiver == *receiver
        && stored == read
        && line.reason == reason
        && line.settle_date == date
        && sums.net() == Some(line.amount)
}

/// What one settlement carries out the next one carries in.
fn carried(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    let mut out: Vec<(String, Fen)> = Vec::new();
    for file in settlement::valid(tx, institution)? {
        let lines = settlement::lines(tx, file.id)?;
        let mut into: Vec<(String, Fen)> = lines
            .iter()
            .filter(|l| l.carried_in != Fen::ZERO)
            .map(|l| (l.receiver.clone(), l.carried_in))
            .collect();
        into.sort_unstable();
        if into != out {
            breaks
                .push(format!("{}: it does not carry in what the settlement before carried out", file.name));
        }
        let carried = lines.into_iter().filter(|l| l.kind == LineKind::Carried && l.amount != Fen::ZERO);
        out = carried.map(|l| (l.receiver, l.amount)).collect();
        out.sort_unstable();
    }
    Ok(breaks)
}
