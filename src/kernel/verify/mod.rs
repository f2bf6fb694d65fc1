//! The institution's own recomputation of a business day (`files.md`, "verify"): from its own bill and the rule versions
//! that it approved itself, every fen of the platform's files is explained or refused.
//!
//! Here are the checks of SPL, bundles and bill, V01 to V16. However large the day is, memory stays bounded: files and
//! bill are sorted alike and merged ([`day`]), a bill that is not is sorted first ([`sort`]), and what can only be found
//! by its number is put aside by that number ([`pile`]) and joined at the end ([`apart`]).
mod apart;
mod bills;
mod bundles;
mod day;
mod earlier;
mod front;
mod inputs;
mod orders;
mod pile;
mod report;
mod sort;
mod told;
mod totals;

use std::io::Read;

use super::calendar::BusinessDay;
use super::chain::{Beginning, Chain, Link, Place};
use super::digest::Digest;
use super::file::spl::SplHeader;
use super::file::{Check, FileKind, FileName, ReadError};
use bills::Bills;
use bundles::Bundles;
use orders::Judge;
use pile::Pile;
use report::{Part, Step};

pub use inputs::{
    Bill, Bounds, ChannelBill, Given, Inputs, MerchantByNo, Piece, Scratch, SignatureCheck, Signer,
};
pub use report::{MAX_LISTED, NotChecked, Report, Violation};
pub use totals::{Group, MAX_GROUPS, MAX_UNSPLIT, Totals, UnsplitOrder};

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
    /// What was put aside could not be written or read.
    #[error("there must be room for what does not fit in memory: {0}")]
    Scratch(std::io::Error),
    /// No file's name says which day this is.
    #[error(
        "no SPL is named SPL_{{institution}}_{{platform}}_{{yyyyMMdd}}_{{seq}}.txt, so the business day is unknown"
    )]
    NoDay,
}

impl Unusable {
    /// What was put aside is not there as it was written.
    fn changed() -> Self {
        Self::Scratch(std::io::Error::new(std::io::ErrorKind::InvalidData, "what was put aside is changed"))
    }
}

/// Recomputes a day. `signatures` is `None` only for trying: then nothing is authenticated. However large the day is,
/// a bounded part of it is in memory, and the rest in `scratch`.
pub fn verify(
    inputs: Inputs<'_>,
    signatures: Option<&dyn SignatureCheck>,
    scratch: &dyn Scratch,
) -> Result<Report, Unusable> {
    verify_within(Bounds::default(), inputs, signatures, scratch)
}

/// [`verify`] with other bounds.
pub fn verify_within(
    bounds: Bounds,
    inputs: Inputs<'_>,
    signatures: Option<&dyn SignatureCheck>,
    scratch: &dyn Scratch,
) -> Result<Report, Unusable> {
    let Inputs { mut spl, approvals, bills, previous, void, results, no_statement, first } = inputs;
    spl.sort_by_key(|given| FileName::parse(&given.name));
    let names = spl.iter().filter_map(|given| FileName::parse(&given.name));
    let day = names.map(|name| name.day).next().ok_or(Unusable::NoDay)?;
    let mut run = Run { report: Report::default(), signatures, day, bills: Bills::default() };
    run.report.authenticated = signatures.is_some();
    run.report.not_authenticated.extend(no_statement.iter().map(|c| format!("{c} has no statement")));
    run.report.day = Some(day);

    let bundles = Bundles::load(&mut run, approvals)?;
    run.report.institution = bundles.parties().map(|(institution, _)| institution.to_owned());
    run.report.platform = bundles.parties().map(|(_, platform)| platform.to_owned());
    let bills = bills::open(&mut run, &bundles, bills, (scratch, bounds))?;
    let (streams, files) = day::open(&mut run, &bundles, spl)?;
    let mut judge = Judge::new(day, files, Pile::new(scratch, bounds));
    let mut numbers = Pile::new(scratch, bounds);
    let mut links = day::merge(&mut run, &mut judge, bills, streams, &mut numbers)?;

    let results = earlier::results(&mut run, &bundles, results)?;
    let mut earlier = Vec::new();
    for given in (0..).zip(previous) {
        let piles = (&mut numbers, &mut judge);
        let (file, link) = earlier::previous(&mut run, &bundles, &results, piles, given, &links)?;
        earlier.push(file);
        links.extend(link);
    }
    apart::join(&mut run, &mut judge, numbers, &earlier)?;
    for given in (0..).zip(void) {
        links.extend(earlier::void(&mut run, &bundles, &results, &mut judge, given)?);
    }
    judge.silent(&mut run.report);
    let beginning = if first { Beginning::Here { since: bundles.oldest_day() } } else { Beginning::Earlier };
    run.chain(&Chain::new(day, &links, beginning));
    Ok(run.close())
}

/// A place that can be put aside: the number of a file and a line in it.
fn place(file: u32, line: u64) -> u64 {
    u64::from(file) << LINE_BITS | line
}

/// What [`place`] was made of.
fn place_of(place: u64) -> (u32, u64) {
    (u32::try_from(place >> LINE_BITS).unwrap_or(u32::MAX), place & ((1 << LINE_BITS) - 1))
}

/// A file has at most 2^40 lines, and there are at most 2^24 files.
const LINE_BITS: u32 = 40;

/// What all steps of a run share.
struct Run<'s> {
    report: Report,
    signatures: Option<&'s dyn SignatureCheck>,
    day: BusinessDay,
    bills: Bills,
}

impl Run<'_> {
    fn close(mut self) -> Report {
        let Self { report, bills, .. } = &mut self;
        if bills.broken {
            report.leave_out("V05-V12", "orders that only a broken bill tells");
        }
        if bills.refunds > 0 {
            let why = format!("{} refunds of the bill: no RTN is given", bills.refunds);
            report.leave_out("V17-V19", why);
        }
        report.close();
        self.report
    }

    /// V04, but for what each file says of itself.
    fn chain(&mut self, chain: &Chain<'_>) {
        for (index, broken) in (0..).zip(chain.breaks()) {
            self.report.at((Step::Chain, index, Part::Head));
            self.report.file(Check::V04, &broken.name.to_string(), broken.expected, &broken.found);
        }
        for question in chain.open_questions() {
            self.report.reserve("V04", question);
        }
    }

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

fn link(header: SplHeader, digest: Digest) -> Link {
    let place = Place::Counts { prev: header.prev, created_at: header.created_at };
    Link { name: header.name, digest, place }
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
