//! Reading a RET.
use std::borrow::Cow;
use std::io::BufRead;

use encoding_rs::GB18030;

use super::{RetCode, RetEncoding, RetHeader, RetLine, RetStatus, Tally};
use crate::file::sheet::{Lines, compare, note};
use crate::file::{Check, Fault, FileKind, FileName, MAX_ORDERS, ReadError, ResultName, Seal, Stage, field};
use crate::text::is_institution;

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
            note(&mut self.faults, self.lines.unsealed());
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
        if let Some((check, expected)) = self.tally.take(&line) {
            let found = format!("n {}, amount {}", line.n, line.amount.get());
            note(&mut self.faults, Fault::new(check, self.lines.number(), expected, found));
        }
        if self.tally.lines > MAX_ORDERS {
            return Err(self.lines.broken("at most 100000 lines", "more").into());
        }
        Ok(Some(line))
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let text = self.lines.ascii()?;
        let trailer = field::split::<4>(text, b'|').and_then(|[_, lines, total, sha256]| {
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
        field::split::<12>(text, b'|')
    else {
        return Err(lines.broken("a header of 12 fields", text).into());
    };
    if h != "H" || format != "SSF1" || kind != "RET" || !is_institution(inst) || !is_institution(plat) {
        return Err(lines.broken("H|SSF1|RET|institution|platform", text).into());
    }
    let rest = || {
        let file =
            FileName::parse(file).filter(|name| name.kind != FileKind::Apr && name.kind != FileKind::Bil)?;
        Some(RetHeader {
            name: ResultName { file, stage: Stage::of_word(stage)? },
            file_digest: field::digest(sha256)?,
            code: RetCode::parse(code)?,
            lines: field::count(count)?,
            success_total: field::total(total)?,
            created_at: field::time(at)?,
        })
    };
    let header = rest().ok_or_else(|| {
        lines.broken("file name|sha256|FIRST or FINAL0001|code|lines|success total|created_at", text)
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

fn parse(text: Cow<'_, str>) -> Option<RetLine<'_>> {
    match text {
        Cow::Borrowed(text) => parse_fields(text),
        Cow::Owned(text) => parse_fields(&text).map(RetLine::into_owned),
    }
}

pub(super) fn parse_fields(text: &str) -> Option<RetLine<'_>> {
    let [mark, n, status, amount, inst_serial, path, done_at, err_code, err_msg] =
        field::split::<9>(text, b'|')?;
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
