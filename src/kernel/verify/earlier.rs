//! Earlier and void files: they count only with the institution's own signed result over their digest.
use std::collections::BTreeMap;

use super::bundles::Bundles;
use super::orders::Day;
use super::{Given, Run, Signer, Unusable, is_spl, link, read_whole, unreadable};
use crate::kernel::chain::Link;
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::{RetCode, RetEncoding, RetReader};
use crate::kernel::file::spl::{SplReader, SplRecord};
use crate::kernel::file::{Check, Fault, FileName, ResultName, Stage};

/// FIRST results by the answered file's digest. Where one file was answered twice (the same bytes asked for again), an
/// answer that settles its fate goes before one that does not.
pub(super) type Results = BTreeMap<Digest, RetCode>;

pub(super) fn results(
    run: &mut Run<'_>,
    bundles: &Bundles,
    given: Vec<Given<'_>>,
) -> Result<Results, Unusable> {
    let mut results = Results::new();
    for Given { name: file, content, signature } in given {
        let bytes = read_whole(&file, content)?;
        run.signed(Signer::Institution, &file, &Digest::of(&bytes), signature.as_deref());
        let encoding = if str::from_utf8(&bytes).is_ok() { RetEncoding::Utf8 } else { RetEncoding::Gb18030 };
        let reader = match RetReader::new(bytes.as_slice(), encoding) {
            Ok(reader) => reader,
            Err(error) => {
                unreadable(run, &file, error)?;
                continue;
            }
        };
        let header = reader.header().clone();
        let first = header.name.stage == Stage::First;
        let named = ResultName::parse(&file)
            .is_some_and(|n| n.file == header.name.file && (n.stage == Stage::First) == first);
        if !named {
            run.report.file(
                Check::V14,
                &file,
                "a header that agrees with the name",
                &header.name.to_string(),
            );
        }
        run.of_parties(bundles, &file, &header.name.file);
        match reader.finish() {
            Ok(seal) => run.report.faults(&file, seal.faults),
            Err(error) => unreadable(run, &file, error)?,
        }
        let settled = |code: &RetCode| *code == RetCode::Accepted || code.makes_void();
        if first && !results.get(&header.file_digest).is_some_and(settled) {
            results.insert(header.file_digest, header.code);
        }
    }
    Ok(results)
}

/// An earlier accepted SPL: its place in the chain, and none of the day's payments in it (V08).
pub(super) fn previous(
    run: &mut Run<'_>,
    bundles: &Bundles,
    results: &Results,
    day: &Day<'_>,
    given: Given<'_>,
    known: &[Link],
) -> Result<Option<Link>, Unusable> {
    let Given { name: file, content, signature } = given;
    let mut reader = match SplReader::new(content) {
        Ok(reader) => reader,
        Err(error) => return unreadable(run, &file, error).map(|()| None),
    };
    let header = reader.header().clone();
    run.named(bundles, &file, &header.name);
    let own = header.name.day == run.day;
    let mut twice = Vec::new();
    loop {
        let record = match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => record,
            Err(error) => return unreadable(run, &file, error).map(|()| None),
        };
        let (inst_order_no, order_no) = match record {
            SplRecord::Order(o) => (o.inst_order_no, o.order_no),
            SplRecord::Unsplit(x) => (x.inst_order_no, x.order_no),
            SplRecord::Line(_) => continue,
        };
        if !own && day.tells(inst_order_no, order_no) {
            let found = "an earlier file tells it already";
            let fault = Fault::new(Check::V08, 0, "a payment that was not told before", found);
            let fault = fault.of_order(inst_order_no);
            twice.push(Fault { line: reader.line_number(), ..fault });
        }
    }
    let seal = match reader.finish() {
        Ok(seal) => seal,
        Err(error) => return unreadable(run, &file, error).map(|()| None),
    };
    if known.iter().any(|link| link.digest == seal.digest) {
        return Ok(None);
    }
    run.report.faults(&file, twice);
    run.report.faults(&file, seal.faults);
    run.signed(Signer::Platform, &file, &seal.digest, signature.as_deref());
    if own {
        run.report.file(Check::V04, &file, "all files of the day under --spl", "one under --previous");
    }
    let accepted = answered(run, results, &file, &seal.digest, "ACCEPTED", |code| code == RetCode::Accepted);
    Ok(accepted.then(|| link(header, seal.digest)))
}

/// A void SPL: only its name and bytes count, and which orders it told as X as far as it can be read.
pub(super) fn void(
    run: &mut Run<'_>,
    bundles: &Bundles,
    results: &Results,
    orders: &mut Day<'_>,
    given: Given<'_>,
) -> Result<Option<Link>, Unusable> {
    let Given { name: file, content, signature } = given;
    if !is_spl(run, &file) {
        return Ok(None);
    }
    let Some(name) = FileName::parse(&file) else { return Ok(None) };
    run.of_parties(bundles, &file, &name);
    let bytes = read_whole(&file, content)?;
    let digest = Digest::of(&bytes);
    run.signed(Signer::Platform, &file, &digest, signature.as_deref());
    let void = answered(run, results, &file, &digest, "a code that makes it void", RetCode::makes_void);
    if let Ok(mut reader) = SplReader::new(bytes.as_slice()) {
        while let Ok(Some(record)) = reader.next_record() {
            if let SplRecord::Unsplit(unsplit) = record {
                orders.told_by_void(unsplit.inst_order_no);
            }
        }
    }
    Ok(void.then_some(Link { name, digest, place: None }))
}

fn answered(
    run: &mut Run<'_>,
    results: &Results,
    file: &str,
    digest: &Digest,
    expected: &str,
    wanted: fn(RetCode) -> bool,
) -> bool {
    let code = results.get(digest).copied();
    let right = code.is_some_and(wanted);
    if !right {
        let expected = format!("the institution's FIRST result over its digest (--results): {expected}");
        run.report.file(Check::V04, file, expected, code.map_or("none", RetCode::as_str));
    }
    right
}
