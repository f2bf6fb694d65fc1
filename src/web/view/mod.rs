//! Plain data for the templates, filled from what the rooms answer. Several roles show the same view in their own scope.
pub mod day;
pub mod drawn;
pub mod exceptions;
pub mod explain;
pub mod file;
pub mod flow;
pub mod order;
pub mod orders;
pub mod rule;
pub mod settlement;
pub mod split;
pub mod still;

/// The colour of a state: green agrees, amber waits, red needs a person (`ux.md`, section 7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It agrees.
    Ok,
    /// It waits.
    Waits,
    /// It needs a person.
    Bad,
    /// Neither.
    Plain,
}

impl Mood {
    /// The class of the style sheet.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waits => "warn",
            Self::Bad => "bad",
            Self::Plain => "",
        }
    }
    /// The symbol beside the text, because colour alone says nothing to many.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            Self::Ok => "check",
            Self::Waits => "clock",
            Self::Bad => "alert-triangle",
            Self::Plain => "",
        }
    }
}

/// A state in a word or two.
#[derive(Clone)]
pub struct Tag {
    /// How it stands.
    pub kind: Mood,
    /// The word.
    pub text: String,
}

impl Tag {
    /// A state in a word.
    #[must_use]
    pub fn new(kind: Mood, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}
