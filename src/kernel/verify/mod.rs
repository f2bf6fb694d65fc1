//! The institution's own recomputation of a business day (`files.md`, "verify"): from its own bill and the rule versions
//! that it approved itself, every fen of the platform's files is explained or refused.
//!
//! Here are the checks of SPL, bundles and bill, V01 to V16.
mod bills;
mod bundles;
mod earlier;
mod inputs;
mod orders;
mod report;
mod totals;

use std::io::Read;

use super::calendar::BusinessDay;
use super::chain::{Chain, Link, Place};
use super::digest::Digest;
use super::file::spl::{SplHeader, SplReader};
use super::file::{Check, FileKind, FileName, ReadError};
use bills::DayBill;
use bundles::Bundles;
use orders::Day;

pub use inputs::{Bill, ChannelBill, Given, Inputs, MerchantByNo, SignatureCheck, Signer};
pub use report::{MAX_LISTED, NotChecked, Report, Violation};
pub use totals::{Group, Totals, UnsplitOrder};

/// An input that nothing can be said about.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It could not be read.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A bill that contradicts itself or states impossible facts.
    #[error("{file} line {line}: the bill is unusable: {why}; fetch it again")]
    Bill {
        /// The bill.
        file: String,
        /// The line.
        line: u64,
        /// Why.
        why: String,
    },
    /// No file's name says which day this is.
    #[error(
        "no SPL is named SPL_{{institution}}_{{platform}}_{{yyyyMMdd}}_{{seq}}.txt, so the business day is unknown"
    )]
    NoDay,
}

/// Recomputes a day. `signatures` is `None` only for trying: then nothing is authenticated.
pub fn verify(inputs: Inputs<'_>, signatures: Option<&dyn SignatureCheck>) -> Result<Report, Unusable> {
    let Inputs { mut spl, approvals, bills, previous, void, results, first } = inputs;
    spl.sort_by_key(|given| FileName::parse(&given.name));
    let names = spl.iter().filter_map(|given| FileName::parse(&given.name));
    let day = names.map(|name| name.day).next().ok_or(Unusable::NoDay)?;
    let mut run = Run { report: Report::default(), signatures, day };
    run.report.authenticated = signatures.is_some();
    run.report.day = Some(day);

    let bundles = Bundles::load(&mut run, approvals)?;
    run.report.institution = bundles.parties().map(|(institution, _)| institution.to_owned());
    run.report.platform = bundles.parties().map(|(_, platform)| platform.to_owned());
    let bill = DayBill::load(&mut run, &bundles, bills)?;
    let mut orders = Day::new(bill);
    let mut links = Vec::new();
    for given in spl {
        links.extend(read_spl(&mut run, &bundles, &mut orders, given)?);
    }
    orders.untold(&mut run.report);

    let results = earlier::results(&mut run, &bundles, results)?;
    for given in previous {
        links.extend(earlier::previous(&mut run, &bundles, &results, &orders, given, &links)?);
    }
    for given in void {
        links.extend(earlier::void(&mut run, &bundles, &results, &mut orders, given)?);
    }
    orders.silent(&mut run.report);
    for broken in Chain::new(day, &links, first).breaks() {
        run.report.file(Check::V04, &broken.name.to_string(), broken.expected, &broken.found);
    }
    run.report.leave_out("V20-V24", "no STL is given");
    Ok(run.report)
}

/// What all steps of a run share.
struct Run<'s> {
    report: Report,
    signatures: Option<&'s dyn SignatureCheck>,
    day: BusinessDay,
}

impl Run<'_> {
    /// V02.
    fn signed(&mut self, signer: Signer, file: &str, digest: &Digest, signature: Option<&[u8]>) {
        let Some(check) = self.signatures else { return };
        let whose = match signer {
            Signer::Platform => "the platform's signature over the file",
            Signer::Institution => "the institution's signature over the file",
        };
        match signature {
            None => self.report.file(Check::V02, file, whose, "no .sig beside it"),
            Some(signature) if check.ok(signer, digest, signature) => {}
            Some(_) => self.report.file(Check::V02, file, whose, "another signature"),
        }
    }

    /// V14: the name that the header states is the file's, and of the bundles' institution and platform.
    fn named(&mut self, bundles: &Bundles, given: &str, stated: &FileName) {
        if stated.to_string() != given {
            self.report.file(Check::V14, given, "a header that agrees with the name", &stated.to_string());
        }
        self.of_parties(bundles, given, stated);
    }

    /// V14: of the bundles' institution and platform.
    fn of_parties(&mut self, bundles: &Bundles, given: &str, stated: &FileName) {
        if let Some((institution, platform)) = bundles.parties()
            && (stated.inst != institution || stated.plat != platform)
        {
            let found = format!("{} and {}", stated.inst, stated.plat);
            self.report.file(
                Check::V14,
                given,
                format!("{institution} and {platform}, as the bundle"),
                &found,
            );
        }
    }
}

/// A fault of the text is told and ends the reading of this file; a failing source ends the run.
fn unreadable(run: &mut Run<'_>, file: &str, error: ReadError) -> Result<(), Unusable> {
    match error {
        ReadError::Fault(fault) => {
            run.report.fault(file, *fault);
            Ok(())
        }
        ReadError::Io(source) => Err(Unusable::Io { file: file.to_owned(), source }),
    }
}

/// One of the day's SPL, from its first byte to its last; its place in the chain, if it could be read.
fn read_spl<'b>(
    run: &mut Run<'_>,
    bundles: &'b Bundles,
    orders: &mut Day<'b>,
    given: Given<'_>,
) -> Result<Option<Link>, Unusable> {
    let Given { name: file, content, signature } = given;
    let mut reader = match SplReader::new(content) {
        Ok(reader) => reader,
        Err(error) => return unreadable(run, &file, error).map(|()| None),
    };
    let header = reader.header().clone();
    run.named(bundles, &file, &header.name);
    if header.name.day != run.day {
        let day = format!("the business day {}: one day a run", run.day);
        run.report.file(Check::V14, &file, day, &header.name.day.to_string());
    }
    let bundle = bundles.of_file(&mut run.report, &file, &header);
    let mut judge = orders.file(&file, run.day, bundle);
    loop {
        match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => judge.record(&mut run.report, &record),
            Err(error) => {
                judge.end(&mut run.report);
                return unreadable(run, &file, error).map(|()| None);
            }
        }
        judge.line = reader.line_number().saturating_add(1);
    }
    judge.end(&mut run.report);
    let seal = match reader.finish() {
        Ok(seal) => seal,
        Err(error) => return unreadable(run, &file, error).map(|()| None),
    };
    run.report.faults(&file, seal.faults);
    run.signed(Signer::Platform, &file, &seal.digest, signature.as_deref());
    Ok(Some(link(header, seal.digest)))
}

fn link(header: SplHeader, digest: Digest) -> Link {
    let place = Place { prev: header.prev, created_at: header.created_at };
    Link { name: header.name, digest, place: Some(place) }
}

/// Bundles and results are read whole; none is near this.
const MAX_WHOLE: u64 = 64 * 1024 * 1024;

fn read_whole(file: &str, content: impl Read) -> Result<Vec<u8>, Unusable> {
    let mut bytes = Vec::new();
    let read = content.take(MAX_WHOLE).read_to_end(&mut bytes);
    let source = match read.map(u64::try_from) {
        Ok(Ok(length)) if length < MAX_WHOLE => return Ok(bytes),
        Ok(_) => std::io::Error::other("it is larger than 64 MiB"),
        Err(source) => source,
    };
    Err(Unusable::Io { file: file.to_owned(), source })
}

fn is_spl(run: &mut Run<'_>, file: &str) -> bool {
    let spl = FileName::parse(file).is_some_and(|name| name.kind == FileKind::Spl);
    if !spl {
        run.report.file(Check::V14, file, "the name of an SPL", file);
    }
    spl
}
