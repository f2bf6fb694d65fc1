//! File names: `SPL_{INST}_{PLAT}_{yyyyMMdd}_{SEQ4}.txt`, `APR_….json`, `{name}.first.ret`, `{name}.final.{SEQ4}.ret`.
use std::fmt;

use super::field;
use crate::calendar::BusinessDay;
use crate::text::is_institution;
use crate::text_enum;

text_enum! {
    /// Kind of an exchanged file: the first part of its name.
    pub enum FileKind {
        /// Approvals bundle.
        Apr = "APR",
        /// The institution's bill.
        Bil = "BIL",
        /// Split instructions.
        Spl = "SPL",
        /// Split returns.
        Rtn = "RTN",
        /// Settlement.
        Stl = "STL",
    }
}

impl FileKind {
    const fn extension(self) -> &'static str {
        match self {
            Self::Apr => "json",
            Self::Bil | Self::Spl | Self::Rtn | Self::Stl => "txt",
        }
    }
}

/// A file's name; its text form includes the extension, and so do `{name}.sig` and `{name}.ok` beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// What it is.
    pub kind: FileKind,
    /// The institution's code.
    pub inst: String,
    /// The platform's code.
    pub plat: String,
    /// Business day.
    pub day: BusinessDay,
    /// 1 ..= 9999 within kind and day.
    pub seq: u16,
}

impl FileName {
    /// The name of this text, extension included; a folder is not part of it.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.rsplit_once('.')?;
        let [kind, inst, plat, day, seq] = field::split::<5>(stem, b'_')?;
        let kind = FileKind::parse(kind)?;
        if extension != kind.extension() || !is_institution(inst) || !is_institution(plat) {
            return None;
        }
        let (day, seq) = (field::day(day)?, field::seq(seq)?);
        Some(Self { kind, inst: inst.to_owned(), plat: plat.to_owned(), day, seq })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, extension) = (self.kind.as_str(), self.kind.extension());
        write!(f, "{kind}_{}_{}_{}_{:04}.{extension}", self.inst, self.plat, self.day, self.seq)
    }
}

/// Which answer a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Was the file taken?
    First,
    /// What happened to the money? Told as often as there is news; the number counts from 1. A header that was written
    /// before headers stated it has 0.
    Final(u16),
}

impl Stage {
    /// The word of a result's header.
    pub fn word(self) -> String {
        match self {
            Self::First => FIRST.to_owned(),
            Self::Final(0) => FINAL.to_owned(),
            Self::Final(seq) => format!("{FINAL}{seq:04}"),
        }
    }

    /// Reads [`Stage::word`].
    pub fn of_word(text: &str) -> Option<Self> {
        match text.strip_prefix(FINAL) {
            Some("") => Some(Self::Final(0)),
            Some(seq) => Some(Self::Final(field::seq(seq)?)),
            None => (text == FIRST).then_some(Self::First),
        }
    }
}

const FIRST: &str = "FIRST";
const FINAL: &str = "FINAL";

/// Name of a result: the answered file's name and the stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultName {
    /// The file it answers: SPL, RTN or STL.
    pub file: FileName,
    /// First or final.
    pub stage: Stage,
}

impl ResultName {
    /// The result's name of this text.
    pub fn parse(text: &str) -> Option<Self> {
        let stem = text.strip_suffix(".ret")?;
        let (file, stage) = match stem.strip_suffix(".first") {
            Some(file) => (file, Stage::First),
            None => {
                let (file, seq) = stem.rsplit_once(".final.")?;
                (file, Stage::Final(field::seq(seq)?))
            }
        };
        let file = FileName::parse(file)?;
        match file.kind {
            FileKind::Spl | FileKind::Rtn | FileKind::Stl => Some(Self { file, stage }),
            FileKind::Apr | FileKind::Bil => None,
        }
    }
}

impl fmt::Display for ResultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::First => write!(f, "{}.first.ret", self.file),
            Stage::Final(seq) => write!(f, "{}.final.{seq:04}.ret", self.file),
        }
    }
}
