//! Queries of the outbox.
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::{About, Delivery, Due, NewNote, Subject};
use crate::bulk_rows;
use crate::db::columns::words;
use crate::db::columns::{As, CredentialId, OutboxId};
use crate::db::schema::outbox;
use crate::db::{MultiBackend, Tx};
use crate::error::Error;
use crate::protocol::language::Language;

words!(Subject, Language);

bulk_rows! {
    /// A note on its way.
    NoteRow<'a> of outbox {
        subject: As<Subject> as Text,
        subject_id: i64 as BigInt,
        event_id: String as Text,
        url: &'a str as Text,
        credential_id: CredentialId as BigInt,
        language: As<Language> as Text,
        created_at: i64 as BigInt,
        attempts: i32 as Integer,
        next_at: i64 as BigInt,
    }
}

impl<'a> NoteRow<'a> {
    pub(super) fn of(note: &NewNote<'a>) -> Self {
        Self {
            subject: As(note.about.subject()),
            subject_id: note.about.key(),
            event_id: ulid::Ulid::generate().to_string(),
            url: note.url,
            credential_id: note.credential_id,
            language: As(note.language),
            created_at: note.created_at,
            attempts: 0,
            next_at: note.created_at,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(MultiBackend))]
struct DueRow {
    id: OutboxId,
    subject: Subject,
    subject_id: i64,
    event_id: String,
    url: String,
    credential_id: CredentialId,
    language: Language,
    created_at: i64,
    attempts: i32,
}

impl From<DueRow> for Due {
    fn from(row: DueRow) -> Self {
        let DueRow { id, subject, subject_id, event_id, url, credential_id, language, created_at, attempts } =
            row;
        let about = About::of(subject, subject_id);
        Self { id, about, event_id, url, credential_id, language, created_at, attempts }
    }
}

/// Whose notes are passed over, because whoever is told has no turn left.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    credentials: Vec<CredentialId>,
    hosts: Vec<String>,
}

impl Passed {
    /// How many are named.
    pub fn count(&self) -> usize {
        self.credentials.len().saturating_add(self.hosts.len())
    }

    /// Those of the credential of this note.
    pub fn credential(&mut self, note: &Due) {
        if !self.credentials.contains(&note.credential_id) {
            self.credentials.push(note.credential_id);
        }
    }

    /// Those to the host of this note.
    pub fn host(&mut self, note: &Due) {
        let origin = note.origin();
        let mut like = origin.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        if let Some(next) = note.url.get(origin.len()..).and_then(|rest| rest.chars().next()) {
            like.extend([next, '%']);
        }
        if !self.hosts.contains(&like) {
            self.hosts.push(like);
        }
    }
}

/// What is due at `now`, the longest waiting first, but for what is passed over.
pub fn due(tx: &mut Tx<'_>, now: i64, passed: &Passed, limit: i64) -> Result<Vec<Due>, Error> {
    let mut query = outbox::table
        .filter(outbox::next_at.le(now))
        .filter(outbox::done_at.is_null())
        .filter(outbox::given_up_at.is_null())
        .order((outbox::next_at, outbox::id))
        .limit(limit)
        .select(DueRow::as_select())
        .into_boxed();
    if !passed.credentials.is_empty() {
        query = query.filter(outbox::credential_id.ne_all(&passed.credentials));
    }
    for host in &passed.hosts {
        query = query.filter(outbox::url.not_like(host).escape('\\'));
    }
    let rows: Vec<DueRow> = query.load(tx.conn())?;
    Ok(rows.into_iter().map(Due::from).collect())
}

/// What is put off beyond `after`, the nearest first.
pub fn due_after(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Due>, Error> {
    let rows: Vec<DueRow> = outbox::table
        .filter(outbox::next_at.gt(after))
        .filter(outbox::done_at.is_null())
        .filter(outbox::given_up_at.is_null())
        .order((outbox::next_at, outbox::id))
        .limit(limit)
        .select(DueRow::as_select())
        .load(tx.conn())?;
    Ok(rows.into_iter().map(Due::from).collect())
}

/// Counts a delivery before it is tried. `false` when another process took it up meanwhile.
pub fn take_up(tx: &mut Tx<'_>, note: &Due, next_at: i64) -> Result<bool, Error> {
    let changed = diesel::update(outbox::table.find(note.id))
        .filter(outbox::attempts.eq(note.attempts))
        .filter(outbox::done_at.is_null())
        .set((outbox::attempts.eq(note.attempts.saturating_add(1)), outbox::next_at.eq(next_at)))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// The other side took it.
pub fn done(tx: &mut Tx<'_>, id: OutboxId, now: i64) -> Result<(), Error> {
    diesel::update(outbox::table.find(id))
        .set((outbox::done_at.eq(now), outbox::last_error.eq(None::<String>)))
        .execute(tx.conn())?;
    Ok(())
}

/// The other side did not take it; after the last delivery it is given up.
pub fn failed(tx: &mut Tx<'_>, id: OutboxId, why: &str, given_up_at: Option<i64>) -> Result<(), Error> {
    diesel::update(outbox::table.find(id))
        .filter(outbox::done_at.is_null())
        .set((outbox::last_error.eq(why), outbox::given_up_at.eq(given_up_at)))
        .execute(tx.conn())?;
    Ok(())
}

/// Sends a note once more, now: one that was given up, waits for its next time, or was taken and got lost there. Its id
/// stays the same, and where it fails the schedule goes on where it was.
pub fn again(tx: &mut Tx<'_>, id: OutboxId, now: i64) -> Result<(), Error> {
    diesel::update(outbox::table.find(id))
        .set((outbox::next_at.eq(now), outbox::done_at.eq(None::<i64>), outbox::given_up_at.eq(None::<i64>)))
        .execute(tx.conn())?;
    Ok(())
}

type DeliveryRow = (OutboxId, String, String, i32, i64, Option<i64>, Option<i64>, Option<String>);

pub(super) fn delivery(tx: &mut Tx<'_>, about: About) -> Result<Option<Delivery>, Error> {
    let row: Option<DeliveryRow> = outbox::table
        .filter(outbox::subject_id.eq(about.key()))
        .filter(outbox::subject.eq(As(about.subject())))
        .order(outbox::id)
        .select((
            outbox::id,
            outbox::event_id,
            outbox::url,
            outbox::attempts,
            outbox::next_at,
            outbox::done_at,
            outbox::given_up_at,
            outbox::last_error,
        ))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(id, event_id, url, attempts, next_at, done_at, given_up_at, last_error)| Delivery {
        id,
        event_id,
        url,
        attempts,
        next_at,
        done_at,
        given_up_at,
        last_error,
    }))
}
