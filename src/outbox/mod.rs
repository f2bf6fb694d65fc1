//! What goes out: rows that any room below writes in its own transaction, and that `notices` delivers later.
//!
//! A row says what it is about, never how it reads: it is rendered when it is delivered, in the language of whoever is
//! told. Its id stays the same at every delivery.
mod store;

use crate::db::Tx;
use crate::db::columns::{CredentialId, OrderId, OutboxId};
use crate::error::Error;
use crate::kernel::text_enum;
use crate::protocol::language::Language;

pub use store::{Passed, again, done, due, due_after, failed, take_up};

text_enum! {
    /// The kinds of what a row is about, as they are stored.
    pub enum Subject {
        /// An order was paid: its merchant is told.
        OrderPaid = "ORDER_PAID",
    }
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// This order was paid.
    OrderPaid(OrderId),
}

impl About {
    /// What kind it is.
    pub const fn subject(self) -> Subject {
        match self {
            Self::OrderPaid(_) => Subject::OrderPaid,
        }
    }

    /// The key in the subject's own table.
    const fn key(self) -> i64 {
        match self {
            Self::OrderPaid(order) => order.get(),
        }
    }

    /// Of a row as it is stored.
    const fn of(subject: Subject, key: i64) -> Self {
        match subject {
            Subject::OrderPaid => Self::OrderPaid(OrderId::new(key)),
        }
    }
}

/// Something to be told to a merchant's system, from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote<'a> {
    /// What about.
    pub about: About,
    /// Where to.
    pub url: &'a str,
    /// Whose credential asked for it.
    pub credential_id: CredentialId,
    /// The language of whoever is told.
    pub language: Language,
    /// Unix microseconds.
    pub created_at: i64,
}

/// A note that is to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Internal key.
    pub id: OutboxId,
    /// What about.
    pub about: About,
    /// The id that every delivery carries.
    pub event_id: String,
    /// Where to.
    pub url: String,
    /// Whose credential asked for it.
    pub credential_id: CredentialId,
    /// The language of whoever is told.
    pub language: Language,
    /// Unix microseconds.
    pub created_at: i64,
    /// How often it was delivered before.
    pub attempts: i32,
}

impl Due {
    /// Scheme, host and port of where it goes, as they are written there.
    pub fn origin(&self) -> &str {
        origin(&self.url)
    }
}

fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme.saturating_add(3));
    let path = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    path.and_then(|path| url.get(..host.saturating_add(path))).unwrap_or(url)
}

/// How far a note has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Internal key.
    pub id: OutboxId,
    /// The id that every delivery carries.
    pub event_id: String,
    /// Where to.
    pub url: String,
    /// How often it was sent.
    pub attempts: i32,
    /// When it is sent next, unix microseconds; counts only while it is neither taken nor given up.
    pub next_at: i64,
    /// When the other side took it, unix microseconds.
    pub done_at: Option<i64>,
    /// When it was given up, unix microseconds.
    pub given_up_at: Option<i64>,
    /// Why the last delivery failed.
    pub last_error: Option<String>,
}

/// Puts notes on their way, each under an id of its own.
pub fn add(tx: &mut Tx<'_>, notes: &[NewNote<'_>]) -> Result<(), Error> {
    let rows: Vec<store::NoteRow<'_>> = notes.iter().map(store::NoteRow::of).collect();
    store::NoteRow::insert(tx, &rows)
}

/// How far the first note about something has come, if there is one.
pub fn delivery(tx: &mut Tx<'_>, about: About) -> Result<Option<Delivery>, Error> {
    store::delivery(tx, about)
}
