//! Earlier and void files: they count only with the institution's own signed result over their digest.
use std::collections::BTreeMap;

use super::bundles::Bundles;
use super::day::EARLIER;
use super::orders::Judge;
use super::pile::{Entry, Pile};
use super::report::{Part, Step};
use super::told::PREVIOUSLY;
use super::{Given, Run, Signer, Unusable, is_spl, link, place, read_whole, unreadable};
use crate::chain::{Link, Place};
use crate::digest::{Digest, Hashed};
use crate::file::ret::{RetCode, RetEncoding, RetReader};
use crate::file::spl::{SplReader, SplRecord};
use crate::file::{Check, FileName, ResultName, Stage};
use crate::text::NO_ORDER_NO;

/// FIRST results by the answered file's digest. Where one file was answered twice (the same bytes asked for again), an
/// answer that settles its fate goes before one that does not.
pub(super) type Results = BTreeMap<Digest, RetCode>;

pub(super) fn results(
    run: &mut Run<'_>,
    bundles: &Bundles,
    given: Vec<Given<'_>>,
) -> Result<Results, Unusable> {
    let mut results = Results::new();
    for (index, Given { name: file, content, signature }) in (0..).zip(given) {
        run.report.at((Step::Results, index, Part::Head));
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

/// An earlier accepted SPL.
pub(super) struct Earlier {
    pub name: String,
    /// Whether it could be read to its end, and is of another day and none of the day's files: then none of the day's
    /// payments may be in it (V08).
    pub counts: bool,
}

/// Reads an earlier accepted SPL: its place in the chain, and its payments into the piles.
pub(super) fn previous(
    run: &mut Run<'_>,
    bundles: &Bundles,
    results: &Results,
    (numbers, judge): (&mut Pile<'_>, &mut Judge<'_, '_>),
    (index, given): (u32, Given<'_>),
    known: &[Link],
) -> Result<(Earlier, Option<Link>), Unusable> {
    let Given { name, content, signature } = given;
    run.report.at((Step::Previous, index, Part::Head));
    let mut earlier = Earlier { name, counts: false };
    let file = earlier.name.as_str();
    let mut reader = match SplReader::new(content) {
        Ok(reader) => reader,
        Err(error) => return unreadable(run, file, error).map(|()| (earlier, None)),
    };
    let header = reader.header().clone();
    run.named(bundles, file, &header.name);
    let own = header.name.day == run.day;
    loop {
        let at = place(index, reader.line_number().saturating_add(1));
        let record = match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => record,
            Err(error) => return unreadable(run, file, error).map(|()| (earlier, None)),
        };
        let (inst_order_no, order_no) = match record {
            SplRecord::Order(o) => (o.inst_order_no, o.order_no),
            SplRecord::Unsplit(x) => (x.inst_order_no, x.order_no),
            SplRecord::Line(_) => continue,
        };
        if !own {
            let (at, text) = ([at, 0, 0, 0], inst_order_no);
            numbers.push(&Entry { key: inst_order_no, kind: EARLIER, numbers: at, text: "" })?;
            if order_no != NO_ORDER_NO {
                judge.order_nos.push(&Entry { key: order_no, kind: PREVIOUSLY, numbers: at, text })?;
            }
        }
    }
    run.report.at((Step::Previous, index, Part::Seal));
    let seal = match reader.finish() {
        Ok(seal) => seal,
        Err(error) => return unreadable(run, file, error).map(|()| (earlier, None)),
    };
    if known.iter().any(|link| link.digest == seal.digest) {
        return Ok((earlier, None));
    }
    run.report.faults(file, seal.faults);
    run.signed(Signer::Platform, file, &seal.digest, signature.as_deref());
    if own {
        run.report.file(Check::V04, file, "all files of the day under --spl", "one under --previous");
    }
    let accepted = answered(run, results, file, &seal.digest, "ACCEPTED", |code| code == RetCode::Accepted);
    earlier.counts = !own;
    Ok((earlier, accepted.then(|| link(header, seal.digest))))
}

/// A void SPL: only its name and bytes count, and which orders it told as X as far as it can be read.
pub(super) fn void(
    run: &mut Run<'_>,
    bundles: &Bundles,
    results: &Results,
    judge: &mut Judge<'_, '_>,
    (index, given): (u32, Given<'_>),
) -> Result<Option<Link>, Unusable> {
    let Given { name: file, content, signature } = given;
    run.report.at((Step::Void, index, Part::Head));
    if !is_spl(run, &file) {
        return Ok(None);
    }
    let Some(name) = FileName::parse(&file) else { return Ok(None) };
    run.of_parties(bundles, &file, &name);
    let (mut bytes, mut prev) = (Hashed::new(content), None);
    if let Ok(mut reader) = SplReader::new(&mut bytes) {
        prev = Some(reader.header().prev);
        while let Ok(Some(record)) = reader.next_record() {
            if let SplRecord::Unsplit(unsplit) = record {
                judge.told_by_void(&name, unsplit.inst_order_no);
            }
        }
    }
    // Nothing needs to be in order in there, but every byte is in the digest.
    let digest = bytes.finish().map_err(|source| Unusable::Io { file: file.clone(), source })?;
    run.signed(Signer::Platform, &file, &digest, signature.as_deref());
    let void = answered(run, results, &file, &digest, "a code that makes it void", RetCode::makes_void);
    Ok(void.then_some(Link { name, digest, place: Place::Void { prev } }))
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
