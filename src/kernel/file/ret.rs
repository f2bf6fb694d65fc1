//! RET: the institution's signed results (`files.md`, "Results"). The only evidence that moves a state to "money moved".
use std::borrow::Cow;
use std::io::{BufRead, Write};

use encoding_rs::GB18030;

use super::sheet::{Lines, Sheet, compare, require};
use super::{
    Check, Fault, FileKind, FileName, MAX_ORDERS, ReadError, ResultName, Seal, Stage, WriteError, field,
};
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::text::is_institution;

/// How an institution writes its results, by its profile. Digest and signature are over the bytes as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetEncoding {
    /// UTF-8, ASCII included.
    Utf8,
    /// GB18030.
    Gb18030,
}

/// Whether a file was taken, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetCode {
    /// Taken.
    Accepted,
    /// Signature missing or wrong; asks for the same bytes again.
    Sign,
    /// Digest wrong; asks for the same bytes again.
    Digest,
    /// Counts or totals.
    Total,
    /// Place in the chain.
    Chain,
    /// Another institution or platform.
    Inst,
    /// Another file under the same name.
    Dup,
    /// Malformed.
    Format,
    /// Approvals bundle.
    Approval,
    /// The recomputation found a difference.
    Verify,
}

impl RetCode {
    const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Sign,
        Self::Digest,
        Self::Total,
        Self::Chain,
        Self::Inst,
        Self::Dup,
        Self::Format,
        Self::Approval,
        Self::Verify,
    ];

    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Sign => "E_SIGN",
            Self::Digest => "E_DIGEST",
            Self::Total => "E_TOTAL",
            Self::Chain => "E_CHAIN",
            Self::Inst => "E_INST",
            Self::Dup => "E_DUP",
            Self::Format => "E_FORMAT",
            Self::Approval => "E_APPROVAL",
            Self::Verify => "E_VERIFY",
        }
    }

    /// The code of this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether the answered file is void: its orders count nowhere and the next seq repeats them.
    pub const fn makes_void(self) -> bool {
        match self {
            Self::Accepted | Self::Sign | Self::Digest => false,
            Self::Total
            | Self::Chain
            | Self::Inst
            | Self::Dup
            | Self::Format
            | Self::Approval
            | Self::Verify => true,
        }
    }
}

/// What happened to one line's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetStatus {
    /// S: success.
    Success,
    /// F: failed; the whole amount is requeued.
    Failed,
    /// P: pending.
    Pending,
    /// B: bounced after success (退票); the whole amount is requeued.
    Bounced,
}

impl RetStatus {
    /// The letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "S",
            Self::Failed => "F",
            Self::Pending => "P",
            Self::Bounced => "B",
        }
    }

    /// The status of this letter.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failed, Self::Pending, Self::Bounced].into_iter().find(|s| s.as_str() == text)
    }
}

/// `H` of a RET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetHeader {
    /// The answered file and the stage; a FINAL's number is in the result's name only and reads as 1.
    pub name: ResultName,
    /// SHA-256 of the answered file.
    pub file_digest: Digest,
    /// Taken, or why not.
    pub code: RetCode,
    /// R lines.
    pub lines: u32,
    /// Σ amount of the S lines in fen.
    pub success_total: Fen,
    /// When the institution answered.
    pub created_at: Instant,
}

/// `R`: news of one line of the answered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetLine<'a> {
    /// `n` of the answered line; ascending.
    pub n: u32,
    /// What happened.
    pub status: RetStatus,
    /// Amount done, fen.
    pub amount: Fen,
    /// The institution's own serial, may be empty.
    pub inst_serial: Cow<'a, str>,
    /// How it paid (own book, HVPS, BEPS, IBPS, UnionPay), its own word, may be empty.
    pub path: Cow<'a, str>,
    /// When it was done; empty while it is not.
    pub done_at: Option<Instant>,
    /// The institution's error code, may be empty.
    pub err_code: Cow<'a, str>,
    /// Its error message, may be empty.
    pub err_msg: Cow<'a, str>,
}

/// Counts and order as they stream by, the same for reading and writing.
#[derive(Default)]
struct Tally {
    lines: u32,
    success: Fen,
    last_n: u32,
}

impl Tally {
    fn take(&mut self, line: &RetLine<'_>) -> Option<String> {
        self.lines = self.lines.saturating_add(1);
        if line.status == RetStatus::Success {
            self.success = self.success.checked_add(line.amount).unwrap_or(self.success);
        }
        let last = std::mem::replace(&mut self.last_n, line.n);
        (line.n <= last).then(|| format!("n above {last}"))
    }
}

/// Reads a RET from its first byte to its last.
pub struct RetReader<R> {
    lines: Lines<R>,
    encoding: RetEncoding,
    header: RetHeader,
    tally: Tally,
    faults: Vec<Fault>,
    ended: bool,
}

impl<R: BufRead> RetReader<R> {
    /// Reads the header.
    pub fn new(input: R, encoding: RetEncoding) -> Result<Self, ReadError> {
        let mut lines = Lines::new(input);
        if !lines.advance()? {
            return Err(lines.broken("a header", "an empty file").into());
        }
        let header = read_header(&lines)?;
        Ok(Self { lines, encoding, header, tally: Tally::default(), faults: Vec::new(), ended: false })
    }

    /// The header.
    pub const fn header(&self) -> &RetHeader {
        &self.header
    }

    /// The next R; `None` after the trailer. An error ends the reading.
    pub fn next_line(&mut self) -> Result<Option<RetLine<'_>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        if !self.lines.advance()? {
            self.ended = true;
            self.faults.push(self.lines.unsealed());
            return Ok(None);
        }
        if self.lines.bytes().starts_with(b"T|") {
            self.ended = true;
            self.trailer()?;
            return Ok(None);
        }
        let bytes = self.lines.bytes();
        let Some(line) = decode(bytes, self.encoding).and_then(parse) else {
            return Err(self.lines.broken("an R or T line", &String::from_utf8_lossy(bytes)).into());
        };
        if let Some(expected) = self.tally.take(&line) {
            self.faults.push(self.lines.broken(&expected, &line.n.to_string()));
        }
        if self.tally.lines > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 lines", "more").into());
        }
        Ok(Some(line))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<4>(text, '|').and_then(|[_, lines, total, sha256]| {
            Some((field::count(lines)?, field::total(total)?, field::digest(sha256)?))
        });
        let Some((lines, total, sha256)) = trailer else {
            return Err(self.lines.broken("T|lines|success total|sha256", text).into());
        };
        let head = (self.header.lines, self.header.success_total);
        let line = self.lines.number();
        for (place, stated) in [("header", head), ("trailer", (lines, total))] {
            let mut same = |what: &str, counted: i64, stated: i64| {
                compare(&mut self.faults, line, Check::V03, &format!("{place}: {what}"), &counted, &stated);
            };
            same("lines", self.tally.lines.into(), stated.0.into());
            same("success total", self.tally.success.get(), stated.1.get());
        }
        self.lines.close(&sha256, &mut self.faults)
    }

    /// Reads whatever is left and gives the digest and all faults.
    pub fn finish(mut self) -> Result<Seal, ReadError> {
        while self.next_line()?.is_some() {}
        Ok(self.lines.seal(self.faults))
    }
}

fn read_header<R: BufRead>(lines: &Lines<R>) -> Result<RetHeader, ReadError> {
    let text = lines.ascii()?;
    let Some([h, format, kind, inst, plat, file, sha256, stage, code, count, total, at]) =
        field::split::<12>(text, '|')
    else {
        return Err(lines.broken("a header of 12 fields", text).into());
    };
    if h != "H" || format != "SSF1" || kind != "RET" || !is_institution(inst) || !is_institution(plat) {
        return Err(lines.broken("H|SSF1|RET|institution|platform", text).into());
    }
    let stage = match stage {
        "FIRST" => Some(Stage::First),
        "FINAL" => Some(Stage::Final(1)),
        _ => None,
    };
    let rest = || {
        let file =
            FileName::parse(file).filter(|name| name.kind != FileKind::Apr && name.kind != FileKind::Bil)?;
        Some(RetHeader {
            name: ResultName { file, stage: stage? },
            file_digest: field::digest(sha256)?,
            code: RetCode::parse(code)?,
            lines: field::count(count)?,
            success_total: field::total(total)?,
            created_at: field::time(at)?,
        })
    };
    let header = rest().ok_or_else(|| {
        lines.broken("file name|sha256|FIRST or FINAL|code|lines|success total|created_at", text)
    })?;
    let named = &header.name.file;
    if named.inst != inst || named.plat != plat {
        let (expected, found) = (format!("{}|{}", named.inst, named.plat), format!("{inst}|{plat}"));
        return Err(Fault::new(Check::V14, lines.number(), expected, found).into());
    }
    Ok(header)
}

/// Decoded before it is split, because `|` can be the second byte of a GB18030 character.
fn decode(bytes: &[u8], encoding: RetEncoding) -> Option<Cow<'_, str>> {
    let text = match encoding {
        RetEncoding::Utf8 => Cow::Borrowed(str::from_utf8(bytes).ok()?),
        RetEncoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes)?,
    };
    (!text.chars().any(|c| c.is_control() || c == '\\' || c == '\u{feff}')).then_some(text)
}

fn encode_gb18030(text: &str) -> Option<Vec<u8>> {
    let (bytes, _, lossy) = GB18030.encode(text);
    (!lossy).then(|| bytes.into_owned())
}

fn encode_utf8(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn parse(text: Cow<'_, str>) -> Option<RetLine<'_>> {
    match text {
        Cow::Borrowed(text) => parse_fields(text),
        Cow::Owned(text) => parse_fields(&text).map(RetLine::into_owned),
    }
}

fn parse_fields(text: &str) -> Option<RetLine<'_>> {
    let [mark, n, status, amount, inst_serial, path, done_at, err_code, err_msg] =
        field::split::<9>(text, '|')?;
    let done_at = if done_at.is_empty() { None } else { Some(field::time(done_at)?) };
    let line = RetLine {
        n: field::count(n).filter(|n| *n > 0)?,
        status: RetStatus::parse(status)?,
        amount: field::total(amount)?,
        inst_serial: inst_serial.into(),
        path: path.into(),
        done_at,
        err_code: err_code.into(),
        err_msg: err_msg.into(),
    };
    (mark == "R").then_some(line)
}

impl RetLine<'_> {
    /// The same line, owning its text.
    pub fn into_owned<'b>(self) -> RetLine<'b> {
        RetLine {
            n: self.n,
            status: self.status,
            amount: self.amount,
            inst_serial: Cow::Owned(self.inst_serial.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
            done_at: self.done_at,
            err_code: Cow::Owned(self.err_code.into_owned()),
            err_msg: Cow::Owned(self.err_msg.into_owned()),
        }
    }
}

/// Writes a RET. The header, written first, states count and total; [`Self::finish`] refuses when they were wrong.
pub struct RetWriter<W> {
    sheet: Sheet<W>,
    encoding: RetEncoding,
    header: RetHeader,
    tally: Tally,
}

impl<W: Write> RetWriter<W> {
    /// Writes the header.
    pub fn new(out: W, encoding: RetEncoding, header: RetHeader) -> Result<Self, WriteError> {
        let RetHeader { name, file_digest, code, lines, success_total, created_at } = &header;
        let FileName { kind, inst, plat, .. } = &name.file;
        require(*kind != FileKind::Apr && *kind != FileKind::Bil, "only SPL, RTN and STL are answered")?;
        require(*lines <= MAX_ORDERS, "more than 100000 lines")?;
        let stage = match name.stage {
            Stage::First => "FIRST",
            Stage::Final(_) => "FINAL",
        };
        let (file, code, total) = (&name.file, code.as_str(), success_total.get());
        let mut sheet = Sheet::new(out);
        sheet.line(
            format_args!(
                "H|SSF1|RET|{inst}|{plat}|{file}|{file_digest}|{stage}|{code}|{lines}|{total}|{created_at}"
            ),
            |_| true,
        )?;
        Ok(Self { sheet, encoding, header, tally: Tally::default() })
    }

    /// Writes one R. Refuses what a reader would refuse.
    pub fn line(&mut self, line: &RetLine<'_>) -> Result<(), WriteError> {
        if let Some(expected) = self.tally.take(line) {
            return Err(WriteError::Refused(format!("expected {expected}")));
        }
        let encode = match self.encoding {
            RetEncoding::Utf8 => encode_utf8,
            RetEncoding::Gb18030 => encode_gb18030,
        };
        let RetLine { n, status, amount, inst_serial, path, done_at, err_code, err_msg } = line;
        let (status, amount) = (status.as_str(), amount.get());
        let done_at = done_at.map(|at| at.to_cst()).unwrap_or_default();
        self.sheet.text_line(
            format_args!("R|{n}|{status}|{amount}|{inst_serial}|{path}|{done_at}|{err_code}|{err_msg}"),
            |text| parse_fields(text).as_ref() == Some(line),
            encode,
        )
    }

    /// Writes the trailer; gives the sink back and the digest of the whole file.
    pub fn finish(self) -> Result<(W, Digest), WriteError> {
        let Tally { lines, success, .. } = self.tally;
        let stated = (self.header.lines, self.header.success_total);
        require(stated == (lines, success), "the header states another count or total")?;
        self.sheet.finish(format_args!("{lines}|{}", success.get()))
    }
}
