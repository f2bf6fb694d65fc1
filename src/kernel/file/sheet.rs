//! One line at a time, hashed on the way: what all kinds of file share.
use std::fmt::{self, Write as _};
use std::io::{BufRead, Write};

use super::{Check, Fault, FileName, MAX_LINE_BYTES, ReadError, Seal, WriteError, field};
use crate::digest::{Digest, Hasher};

/// Most faults noted of one file.
const MAX_FAULTS: usize = 1000;

/// Bytes hashed at once: a hash of many short pieces costs more than one of few long ones.
const BATCH: usize = 16 * 1024;

/// Lines of a file as they stream by. Holds a few lines that wait to be hashed, never more than [`BATCH`] and one line of
/// [`MAX_LINE_BYTES`] and its LF.
pub(super) struct Lines<R> {
    input: R,
    /// Bytes not hashed yet; the current line is the last of them, from `start` on, its LF included.
    buffer: Vec<u8>,
    start: usize,
    number: u64,
    hasher: Hasher,
    before: Option<Digest>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), start: 0, number: 0, hasher: Hasher::new(), before: None }
    }

    /// Goes to the next line; false at the end of the file.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        if self.buffer.len() > BATCH {
            self.hash();
        }
        self.start = self.buffer.len();
        self.number = self.number.saturating_add(1);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let (taken, ends) = match memchr::memchr(b'\n', chunk) {
                Some(at) => (at.saturating_add(1), true),
                None => (chunk.len(), false),
            };
            let held = self.buffer.len().saturating_sub(self.start);
            if held.saturating_add(taken) > MAX_LINE_BYTES.saturating_add(usize::from(ends)) {
                return Err(self.broken("a line of at most 1024 bytes, ended by LF", "a longer one").into());
            }
            self.buffer.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            self.input.consume(taken);
            if ends {
                self.at_trailer();
                return Ok(true);
            }
        }
        if self.buffer.len() == self.start {
            return Ok(false);
        }
        Err(self.broken("a line ended by LF", "the end of the file inside a line").into())
    }

    fn hash(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
        self.start = 0;
    }

    fn at_trailer(&mut self) {
        if self.bytes().starts_with(b"T|") {
            let (before, _) = self.buffer.split_at_checked(self.start).unwrap_or_default();
            self.hasher.update(before);
            self.buffer.drain(..self.start);
            self.start = 0;
            self.before = Some(self.hasher.clone().finish());
        }
    }

    /// The current line's bytes, without its LF.
    pub fn bytes(&self) -> &[u8] {
        let line = self.buffer.get(self.start..).unwrap_or_default();
        line.strip_suffix(b"\n").unwrap_or(line)
    }

    /// The current line as printable ASCII without `\`.
    pub fn ascii(&self) -> Result<&str, ReadError> {
        let line = self.bytes();
        match str::from_utf8(line) {
            Ok(text) if is_printable(line) => Ok(text),
            _ => Err(self.broken("printable ASCII without `\\`", &String::from_utf8_lossy(line)).into()),
        }
    }

    /// The current line's number, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// V13 on the current line.
    pub fn broken(&self, expected: &str, found: &str) -> Fault {
        Fault::new(Check::V13, self.number, expected, found)
    }

    /// After the trailer line: its digest against the bytes, and nothing may follow.
    pub fn close(&mut self, stated: &Digest, faults: &mut Vec<Fault>) -> Result<(), ReadError> {
        let actual = self.before.unwrap_or(Digest::ZERO);
        compare(faults, self.number, Check::V01, "sha256", &actual, stated);
        let trailing = !self.input.fill_buf()?.is_empty();
        if trailing { Err(self.broken("nothing after the trailer", "more bytes").into()) } else { Ok(()) }
    }

    /// At the end of a file that has no trailer.
    pub fn unsealed(&self) -> Fault {
        Fault::new(Check::V01, self.number, "a trailer", "the end of the file")
    }

    /// What the file was, once read to its end.
    pub fn seal(mut self, faults: Vec<Fault>) -> Seal {
        self.hash();
        Seal { digest: self.hasher.finish(), faults }
    }
}

/// Whether all bytes are printable ASCII and none is `\`. Looks at every byte, so that many are looked at at once.
fn is_printable(line: &[u8]) -> bool {
    line.iter().fold(true, |so_far, b| so_far & matches!(b, b' '..=b'~') & (*b != b'\\'))
}

/// Notes a fault when `expected` and `found` differ.
pub(super) fn compare<T: PartialEq + fmt::Display>(
    faults: &mut Vec<Fault>,
    line: u64,
    check: Check,
    what: &str,
    expected: &T,
    found: &T,
) {
    if expected != found {
        note(faults, Fault::new(check, line, format!("{what} {expected}"), format!("{what} {found}")));
    }
}

/// Notes a fault; beyond [`MAX_FAULTS`] only that there are some matters, not memory.
pub(super) fn note(faults: &mut Vec<Fault>, fault: Fault) {
    if faults.len() < MAX_FAULTS {
        faults.push(fault);
    }
}

/// Lines going out, hashed on the way.
pub(super) struct Sheet<W> {
    out: W,
    line: String,
    hasher: Hasher,
}

impl<W: Write> Sheet<W> {
    pub fn new(out: W) -> Self {
        Self { out, line: String::with_capacity(MAX_LINE_BYTES), hasher: Hasher::new() }
    }

    /// Writes one line of printable ASCII that `reads_back` recognises as what was meant.
    pub fn line(
        &mut self,
        content: fmt::Arguments<'_>,
        reads_back: impl FnOnce(&str) -> bool,
    ) -> Result<(), WriteError> {
        self.fill(content)?;
        if !is_printable(self.line.as_bytes()) || !reads_back(&self.line) {
            let text = self.line.escape_debug();
            return Err(WriteError::Refused(format!("a field does not fit its place: {text}")));
        }
        self.flush_line()
    }

    /// Writes one line of any text without control characters and `\` that `reads_back` recognises; `encode` makes
    /// its bytes.
    pub fn text_line(
        &mut self,
        content: fmt::Arguments<'_>,
        reads_back: impl FnOnce(&str) -> bool,
        encode: fn(&str) -> Option<Vec<u8>>,
    ) -> Result<(), WriteError> {
        self.fill(content)?;
        let sound = !self.line.chars().any(|c| c.is_control() || c == '\\' || c == '\u{feff}');
        let encoded = encode(&self.line).filter(|_| sound && reads_back(&self.line));
        let Some(mut bytes) = encoded else {
            let text = self.line.escape_debug();
            return Err(WriteError::Refused(format!("a field does not fit its place: {text}")));
        };
        check_length(bytes.len())?;
        bytes.push(b'\n');
        self.hasher.update(&bytes);
        Ok(self.out.write_all(&bytes)?)
    }

    fn fill(&mut self, content: fmt::Arguments<'_>) -> Result<(), WriteError> {
        self.line.clear();
        self.line.write_fmt(content).map_err(|_| WriteError::Refused("a field has no text form".into()))
    }

    fn flush_line(&mut self) -> Result<(), WriteError> {
        check_length(self.line.len())?;
        self.line.push('\n');
        self.hasher.update(self.line.as_bytes());
        Ok(self.out.write_all(self.line.as_bytes())?)
    }

    /// Writes the trailer `T|{counts}|{sha256}` and gives the sink back with the whole file's digest.
    pub fn finish(mut self, counts: fmt::Arguments<'_>) -> Result<(W, Digest), WriteError> {
        let before = self.hasher.clone().finish();
        self.line(format_args!("T|{counts}|{before}"), |_| true)?;
        self.out.flush()?;
        Ok((self.out, self.hasher.finish()))
    }
}

fn check_length(bytes: usize) -> Result<(), WriteError> {
    if bytes > MAX_LINE_BYTES {
        return Err(WriteError::Refused(format!("a line of {bytes} bytes; at most {MAX_LINE_BYTES}")));
    }
    Ok(())
}

/// Refuses what a writer may not write.
pub(super) fn require(holds: bool, otherwise: &str) -> Result<(), WriteError> {
    if holds { Ok(()) } else { Err(WriteError::Refused(otherwise.to_owned())) }
}

/// `H|SSF1|{kind}|{inst}|{plat}|{yyyyMMdd}|{seq}|CNY`: the name that a header states. Currency and format apart, the
/// header is only read here; whether it agrees with the file's real name is for whoever knows that (V14).
pub(super) fn header_name<R: BufRead>(
    lines: &Lines<R>,
    kind: super::FileKind,
    [mark, format, stated_kind, inst, plat, day, seq, currency]: [&str; 8],
) -> Result<FileName, ReadError> {
    use crate::text::is_institution;
    let wrong = |expected: &str, found: &str| Err(Fault::new(Check::V14, lines.number(), expected, found));
    if mark != "H" {
        return Err(lines.broken("a header", mark).into());
    }
    if format != "SSF1" || stated_kind != kind.as_str() {
        return Ok(wrong(&format!("SSF1|{}", kind.as_str()), &format!("{format}|{stated_kind}"))?);
    }
    if currency != "CNY" {
        return Ok(wrong("CNY", currency)?);
    }
    let (Some(day), Some(seq)) = (field::day(day), field::seq(seq)) else {
        return Err(lines.broken("a day yyyyMMdd and a seq of four digits", &format!("{day}|{seq}")).into());
    };
    if !is_institution(inst) || !is_institution(plat) {
        return Err(lines.broken("codes of institution and platform", &format!("{inst}|{plat}")).into());
    }
    Ok(FileName { kind, inst: inst.to_owned(), plat: plat.to_owned(), day, seq })
}
