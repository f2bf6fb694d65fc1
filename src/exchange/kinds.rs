//! The words of the exchange as its tables keep them.
use crate::db::columns::words;
use crate::kernel::file::{FileKind, Stage};
use mingfen_kernel::text_enum;

text_enum! {
    /// What an exchanged file is.
    pub enum DocumentKind {
        /// Split instructions.
        Spl = "SPL",
        /// Split returns.
        Rtn = "RTN",
        /// Settlement.
        Stl = "STL",
        /// The institution's own bill.
        Bil = "BIL",
        /// Approvals bundle.
        Apr = "APR",
        /// A result.
        Ret = "RET",
        /// The bill that WeChat's channel gives.
        Wxbill = "WXBILL",
        /// The bill that Alipay's channel gives.
        Alibill = "ALIBILL",
    }
}

text_enum! {
    /// Which way a file went.
    pub enum Direction {
        /// The institution's, or its channel's.
        In = "IN",
        /// Ours.
        Out = "OUT",
    }
}

text_enum! {
    /// What a result answers.
    pub enum AnswerStage {
        /// Whether the file was taken.
        First = "FIRST",
        /// What happened to its lines.
        Final = "FINAL",
    }
}

words!(DocumentKind, Direction, AnswerStage);

impl From<FileKind> for DocumentKind {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::Apr => Self::Apr,
            FileKind::Bil => Self::Bil,
            FileKind::Spl => Self::Spl,
            FileKind::Rtn => Self::Rtn,
            FileKind::Stl => Self::Stl,
        }
    }
}

impl From<Stage> for AnswerStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::First => Self::First,
            Stage::Final(_) => Self::Final,
        }
    }
}
