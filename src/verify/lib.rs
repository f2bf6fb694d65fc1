//! The institution's own recomputation of a day, from files alone (`files.md`, "verify"): what `mingfen verify` and the
//! program `mingfen-verify` both run. No database, no network.
pub mod evidence;
mod print;
pub mod scratch;
#[cfg(feature = "signatures")]
mod signed;
#[cfg(not(feature = "signatures"))]
mod unsigned;

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use mingfen_kernel::channel::ChannelName;
use mingfen_kernel::verify::{Bill, Given, Inputs, verify};

use crate::scratch::ScratchDir;

#[cfg(feature = "signatures")]
use signed as keys;
#[cfg(feature = "signatures")]
pub use signed::public_key;
#[cfg(not(feature = "signatures"))]
use unsigned as keys;

const EXAMPLE: &str = "Example, on what `mingfen demo` left for the very first day:

  mingfen verify --first --spl files/SANDBOX/out/20260101/SPL_SANDBOX_DEMO_20260101_0001.txt \\
    --approvals files/SANDBOX/in/APR_SANDBOX_DEMO_20260101_0001.json \\
    --bill files/SANDBOX/in/BIL_SANDBOX_DEMO_20260101_0001.txt \\
    --platform-key keys/platform.pub.pem --institution-key keys/SANDBOX.pub.pem

A later day gives --previous (the SPL back to the 0001 of the day before) and --results (their FIRST results).
Each file's signature is read from FILE.sig beside it.
Exit status: 0 every fen is explained, 1 violations, 2 an input is unusable.";

/// Recompute a day's split files from the institution's own bill and approvals; no database, no network
#[derive(clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Every SPL of the day that is not void
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    spl: Vec<PathBuf>,
    /// The institution's approvals bundles, up to the newest
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    approvals: Vec<PathBuf>,
    /// The institution's bill of the day: BIL files or WeChat's trade bill ALL
    #[arg(long, required_unless_present = "no_statement", num_args = 1.., value_name = "FILE")]
    bill: Vec<PathBuf>,
    /// Channels that said that the day has no statement at all, so that there is nothing to give for them
    #[arg(long, num_args = 1.., value_name = "CHANNEL", value_parser = channel)]
    no_statement: Vec<String>,
    /// Earlier accepted SPL, back to the 0001 of the day before
    #[arg(long, num_args = 1.., value_name = "FILE")]
    previous: Vec<PathBuf>,
    /// SPL that the institution answered with a code that makes them void
    #[arg(long, num_args = 1.., value_name = "FILE")]
    void: Vec<PathBuf>,
    /// The institution's signed results over --previous and --void files
    #[arg(long, num_args = 1.., value_name = "FILE")]
    results: Vec<PathBuf>,
    /// The chain begins on this day: nothing of an earlier one was published, but for void files of days before the
    /// first bundle
    #[arg(long)]
    first: bool,
    /// The platform's public key for files
    #[arg(long, value_name = "PEM", required_unless_present = "no_signatures")]
    platform_key: Option<PathBuf>,
    /// The institution's public key for files
    #[arg(long, value_name = "PEM", required_unless_present = "no_signatures")]
    institution_key: Option<PathBuf>,
    /// For trying: check no signatures at all
    #[arg(long, conflicts_with_all = ["platform_key", "institution_key"])]
    no_signatures: bool,
    /// Where what does not fit in memory is put, at most as much as the files themselves; nothing stays there
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    temp: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Recomputes the day and prints what was found. Exit status 0 = every fen is explained, 1 = violations.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let keys = keys::of(&args)?;
    let inputs = Inputs {
        spl: open_all(&args.spl)?,
        approvals: open_all(&args.approvals)?,
        bills: args.bill.iter().map(|path| bill(path)).collect::<anyhow::Result<_>>()?,
        previous: open_all(&args.previous)?,
        void: open_all(&args.void)?,
        results: open_all(&args.results)?,
        no_statement: args.no_statement.clone(),
        first: args.first,
    };
    let scratch = ScratchDir::new(args.temp.clone());
    scratch.check()?;
    let report = verify(inputs, keys.check(), &scratch)?;
    let by_hand = keys.by_hand();
    if args.json {
        print::json(&report, &by_hand)?
    } else {
        print::text(&report, &by_hand)?
    }
    Ok(ExitCode::from(if report.is_sound() { 0 } else { 1 }))
}

/// A channel by its name in files.
fn channel(text: &str) -> Result<String, String> {
    let known = ChannelName::parse(text).ok_or_else(|| "it is wechat or alipay".to_owned())?;
    Ok(known.as_str().to_owned())
}

/// Opens files with what stands beside them.
pub fn open_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Given<'static>>> {
    paths.iter().map(|path| open(path)).collect()
}

/// Opens a bill, whichever of the two kinds it is.
pub fn bill(path: &Path) -> anyhow::Result<Bill<'static>> {
    evidence::bill(open(path)?).with_context(|| format!("cannot read {}", path.display()))
}

fn open(path: &Path) -> anyhow::Result<Given<'static>> {
    let shown = path.display();
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{shown} is not the name of a file"))?.to_owned();
    let file = File::open(path).with_context(|| format!("cannot open {shown}; check the path"))?;
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    let content: Box<dyn Read> =
        if is_file { Box::new(Reopened { path: path.to_owned(), at: 0 }) } else { Box::new(file) };
    let content = Box::new(BufReader::with_capacity(64 * 1024, content));
    Ok(Given { name, content, signature: signature(path)? })
}

/// A file that is opened anew for every piece that is read of it: a day may have more files than a process may hold
/// open. One that is exchanged meanwhile has another digest than it says.
struct Reopened {
    path: PathBuf,
    at: u64,
}

impl Read for Reopened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

/// What stands in `FILE.sig`; text that is no base64 is a signature that fits nothing.
fn signature(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    match std::fs::read(&beside) {
        Ok(bytes) => Ok(Some(keys::decoded(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", beside.display())),
    }
}
