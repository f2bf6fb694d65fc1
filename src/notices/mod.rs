//! Who is told what: delivery of what the outbox holds, each note in the language of whoever is told.
mod delivery;
pub mod wechat;

pub use delivery::{round, run_once as deliver};

use crate::app::App;
use crate::channels::http::Outgoing;
use crate::error::Error;
use crate::outbox::Due;

/// A language in which merchants' systems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// WeChat Pay APIv3.
    Wechat,
}

impl Language {
    /// Every language.
    const ALL: [Self; 1] = [Self::Wechat];

    /// The language of whoever is told: so far every credential's.
    const fn of(_: &Due) -> Self {
        Self::Wechat
    }

    /// Seconds from one delivery to the next; after the last of them the note is given up.
    const fn schedule(self) -> &'static [i64] {
        match self {
            Self::Wechat => &wechat::SCHEDULE,
        }
    }

    /// The note as it goes out now. Its id and what it says are the same at every delivery.
    async fn render(self, app: &App, note: &Due) -> Result<Outgoing, Error> {
        match self {
            Self::Wechat => wechat::render(app, note).await,
        }
    }
}
