//! Writing a RET.
use std::io::Write;

use encoding_rs::GB18030;

use super::read::parse_fields;
use super::{RetEncoding, RetHeader, RetLine, Tally};
use crate::digest::Digest;
use crate::file::sheet::{Sheet, require};
use crate::file::{FileKind, FileName, MAX_ORDERS, Stage, WriteError};

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
        require(name.stage != Stage::Final(0), "a final result has a number")?;
        let stage = name.stage.word();
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
        if let Some((_, expected)) = self.tally.take(line) {
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

fn encode_gb18030(text: &str) -> Option<Vec<u8>> {
    let (bytes, _, lossy) = GB18030.encode(text);
    (!lossy).then(|| bytes.into_owned())
}

fn encode_utf8(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}
