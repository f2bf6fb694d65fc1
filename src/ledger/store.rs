//! Queries of the ledger.
use std::collections::BTreeMap;

use diesel::dsl::{max, sql};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::upsert::excluded;

use super::{Account, Kind, NewEntry};
use crate::db::columns::{As, EntryId, InstitutionId, words};
use crate::db::schema::{ledger_day, ledger_entry, ledger_link, posting};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::{bulk_rows, insert_returning_id, insert_rows, lock_class};

words!(Account, Kind);

/// Amounts by account and party.
pub(super) type Sums = BTreeMap<(Account, String), Fen>;

/// The ledger's lock, taken by this function.
macro_rules! lock_of_the_ledger {
    ($function:literal) => {
        concat!("SELECT ", $function, "(", lock_class!(ledger), ", 0)")
    };
}

/// Rows of one statement.
const BATCH: usize = 400;

/// Many may post at a time; whoever closes a day or reads how far entries go waits for them. SQLite has one writer.
pub(super) fn share(tx: &mut Tx<'_>) -> Result<(), Error> {
    lock(tx, lock_of_the_ledger!("pg_advisory_xact_lock_shared"))
}

/// Until the transaction ends nobody posts.
pub(super) fn alone(tx: &mut Tx<'_>) -> Result<(), Error> {
    lock(tx, lock_of_the_ledger!("pg_advisory_xact_lock"))
}

fn lock(tx: &mut Tx<'_>, statement: &'static str) -> Result<(), Error> {
    if let Conn::Pg(conn) = tx.conn() {
        Prepared(statement).execute(conn)?;
    }
    Ok(())
}

/// A statement of PostgreSQL that stays prepared.
struct Prepared(&'static str);

impl QueryId for Prepared {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Prepared {}

impl QueryFragment<Pg> for Prepared {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

/// Stores an entry with its postings.
pub(super) fn insert(tx: &mut Tx<'_>, entry: &NewEntry, day: BusinessDay) -> Result<EntryId, Error> {
    let id = insert_returning_id!(
        tx,
        ledger_entry,
        (
            ledger_entry::institution_id.eq(entry.institution),
            ledger_entry::business_date.eq(As(day)),
            ledger_entry::of_date.eq(As(entry.of)),
            ledger_entry::kind.eq(As(entry.kind)),
            ledger_entry::evidence.eq(entry.evidence.as_str()),
            ledger_entry::items.eq(entry.items),
            ledger_entry::created_at.eq(entry.at),
        )
    )?;
    let rows: Vec<NewPosting<'_>> = (0_i32..)
        .zip(&entry.postings)
        .map(|(idx, one)| NewPosting {
            entry_id: id,
            idx,
            account: one.account.as_str(),
            party: &one.party,
            amount: one.amount.get(),
        })
        .collect();
    NewPosting::insert(tx, &rows)?;
    Ok(EntryId::new(id))
}

bulk_rows! {
    /// One side of an entry.
    NewPosting<'a> of posting {
        entry_id: i64 as BigInt,
        idx: i32 as Integer,
        account: &'a str as Text,
        party: &'a str as Text,
        amount: i64 as BigInt,
    }
}

/// An entry as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = ledger_entry)]
pub(super) struct EntryRow {
    pub id: EntryId,
    pub institution_id: InstitutionId,
    pub business_date: BusinessDay,
    pub of_date: BusinessDay,
    pub kind: Kind,
    pub evidence: String,
    pub items: i64,
    pub created_at: i64,
}

/// A posting as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = posting)]
pub(super) struct PostingRow {
    pub entry_id: EntryId,
    pub account: Account,
    pub party: String,
    pub amount: Fen,
}

/// At most `limit` entries after a key and up to another, by key, with their postings.
pub(super) fn entries(
    tx: &mut Tx<'_>,
    (after, upto): (EntryId, EntryId),
    limit: i64,
) -> Result<Vec<(EntryRow, Vec<PostingRow>)>, Error> {
    let rows: Vec<EntryRow> = ledger_entry::table
        .filter(ledger_entry::id.gt(after))
        .filter(ledger_entry::id.le(upto))
        .order(ledger_entry::id.asc())
        .limit(limit)
        .select(EntryRow::as_select())
        .load(tx.conn())?;
    with_postings(tx, rows)
}

/// The entries of a kind that rest on a file.
pub(super) fn resting_on(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    of: BusinessDay,
    kind: Kind,
    evidence: &str,
) -> Result<Vec<(EntryRow, Vec<PostingRow>)>, Error> {
    let rows: Vec<EntryRow> = ledger_entry::table
        .filter(ledger_entry::institution_id.eq(institution))
        .filter(ledger_entry::of_date.eq(As(of)))
        .filter(ledger_entry::kind.eq(As(kind)))
        .filter(ledger_entry::evidence.eq(evidence))
        .order(ledger_entry::id.asc())
        .select(EntryRow::as_select())
        .load(tx.conn())?;
    with_postings(tx, rows)
}

fn with_postings(tx: &mut Tx<'_>, rows: Vec<EntryRow>) -> Result<Vec<(EntryRow, Vec<PostingRow>)>, Error> {
    let ids: Vec<EntryId> = rows.iter().map(|row| row.id).collect();
    let postings: Vec<PostingRow> = posting::table
        .filter(posting::entry_id.eq_any(ids))
        .order((posting::entry_id.asc(), posting::idx.asc()))
        .select(PostingRow::as_select())
        .load(tx.conn())?;
    let mut postings = postings.into_iter().peekable();
    let take = |row: EntryRow| {
        let own = std::iter::from_fn(|| postings.next_if(|posting| posting.entry_id == row.id)).collect();
        (row, own)
    };
    Ok(rows.into_iter().map(take).collect())
}

/// What entries of these kinds posted for a day's money, wherever they stand.
pub(super) fn of_day(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    of: BusinessDay,
    kinds: &[Kind],
) -> Result<Sums, Error> {
    let kinds = kinds.iter().map(|kind| As(*kind));
    let rows: Vec<(Account, String, Fen)> = posting::table
        .inner_join(ledger_entry::table)
        .filter(ledger_entry::institution_id.eq(institution))
        .filter(ledger_entry::of_date.eq(As(of)))
        .filter(ledger_entry::kind.eq_any(kinds))
        .group_by((posting::account, posting::party))
        .select((posting::account, posting::party, sql::<BigInt>("CAST(SUM(amount) AS BIGINT)")))
        .load(tx.conn())?;
    sums(rows)
}

/// Rows of account, party and amount as sums.
pub(super) fn sums(rows: impl IntoIterator<Item = (Account, String, Fen)>) -> Result<Sums, Error> {
    let mut sums = Sums::new();
    for (account, party, amount) in rows {
        let sum = sums.entry((account, party)).or_insert(Fen::ZERO);
        *sum = super::total([*sum, amount])?;
    }
    Ok(sums)
}

/// The greatest key of an entry, 0 of none.
pub(super) fn newest(tx: &mut Tx<'_>) -> Result<EntryId, Error> {
    let newest: Option<EntryId> = ledger_entry::table.select(max(ledger_entry::id)).first(tx.conn())?;
    Ok(newest.unwrap_or(EntryId::new(0)))
}

/// The greatest key of a chained entry, 0 of none.
pub(super) fn newest_linked(tx: &mut Tx<'_>) -> Result<EntryId, Error> {
    let newest: Option<EntryId> = ledger_link::table.select(max(ledger_link::entry_id)).first(tx.conn())?;
    Ok(newest.unwrap_or(EntryId::new(0)))
}

/// A link of a day's chain.
#[derive(Clone, Debug, Insertable, Queryable, Selectable)]
#[diesel(table_name = ledger_link)]
pub(super) struct Link {
    pub institution_id: InstitutionId,
    pub business_date: As<BusinessDay>,
    pub seq: i64,
    pub entry_id: EntryId,
    pub sha256: As<Digest>,
}

/// The end of a day's chain.
pub(super) fn last_link(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
) -> Result<Option<Link>, Error> {
    Ok(ledger_link::table
        .filter(ledger_link::institution_id.eq(institution))
        .filter(ledger_link::business_date.eq(As(day)))
        .order(ledger_link::seq.desc())
        .select(Link::as_select())
        .first(tx.conn())
        .optional()?)
}

/// At most `limit` links after an entry, by entry.
pub(super) fn links(tx: &mut Tx<'_>, after: EntryId, limit: i64) -> Result<Vec<Link>, Error> {
    Ok(ledger_link::table
        .filter(ledger_link::entry_id.gt(after))
        .order(ledger_link::entry_id.asc())
        .limit(limit)
        .select(Link::as_select())
        .load(tx.conn())?)
}

pub(super) fn add_links(tx: &mut Tx<'_>, links: &[Link]) -> Result<(), Error> {
    for batch in links.chunks(BATCH) {
        insert_rows!(tx, ledger_link, batch)?;
    }
    Ok(())
}

#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = ledger_day)]
struct DayRow<'a> {
    institution_id: InstitutionId,
    business_date: As<BusinessDay>,
    account: As<Account>,
    party: &'a str,
    amount: As<Fen>,
}

/// Adds to the sums of a day.
pub(super) fn add_to_day(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    sums: &Sums,
) -> Result<(), Error> {
    let rows: Vec<DayRow<'_>> = sums
        .iter()
        .map(|((account, party), amount)| DayRow {
            institution_id: institution,
            business_date: As(day),
            account: As(*account),
            party,
            amount: As(*amount),
        })
        .collect();
    let key = (ledger_day::institution_id, ledger_day::business_date, ledger_day::account, ledger_day::party);
    for row in rows {
        let insert = diesel::insert_into(ledger_day::table).values(row).on_conflict(key).do_update();
        let add = ledger_day::amount.eq(ledger_day::amount + excluded(ledger_day::amount));
        match tx.conn() {
            Conn::Sqlite(conn) => insert.set(add).execute(conn)?,
            Conn::Pg(conn) => insert.set(add).execute(conn)?,
        };
    }
    Ok(())
}

/// The sums of days after one, all days together.
pub(super) fn days_after(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    closed: Option<BusinessDay>,
) -> Result<Sums, Error> {
    // Every day comes after none.
    let closed = closed.map_or(0, BusinessDay::to_i32);
    let rows: Vec<(Account, String, Fen)> = ledger_day::table
        .filter(ledger_day::institution_id.eq(institution))
        .filter(ledger_day::business_date.gt(closed))
        .select((ledger_day::account, ledger_day::party, ledger_day::amount))
        .load(tx.conn())?;
    sums(rows)
}

/// The sums of one day.
pub(super) fn day(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<Sums, Error> {
    let rows: Vec<(Account, String, Fen)> = ledger_day::table
        .filter(ledger_day::institution_id.eq(institution))
        .filter(ledger_day::business_date.eq(As(day)))
        .select((ledger_day::account, ledger_day::party, ledger_day::amount))
        .load(tx.conn())?;
    sums(rows)
}

/// What entries that no chain has yet posted for an institution.
pub(super) fn unlinked(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Sums, Error> {
    let linked = newest_linked(tx)?;
    let rows: Vec<(Account, String, Fen)> = posting::table
        .inner_join(ledger_entry::table)
        .filter(posting::entry_id.gt(linked))
        .filter(ledger_entry::institution_id.eq(institution))
        .select((posting::account, posting::party, posting::amount))
        .load(tx.conn())?;
    sums(rows)
}

/// Replaces the sums of days by those of the chained entries; how many were not theirs.
pub(super) fn repair_days(tx: &mut Tx<'_>) -> Result<usize, Error> {
    const KEPT: &str =
        "SELECT institution_id, business_date, account, party, amount FROM ledger_day WHERE amount <> 0";
    const DUE: &str = "SELECT l.institution_id, l.business_date, p.account, p.party, CAST(SUM(p.amount) AS BIGINT) AS amount
        FROM ledger_link l JOIN posting p ON p.entry_id = l.entry_id
        GROUP BY l.institution_id, l.business_date, p.account, p.party HAVING SUM(p.amount) <> 0";
    let different = format!(
        "SELECT COUNT(*) AS v FROM (SELECT * FROM ({KEPT} EXCEPT {DUE}) AS more UNION ALL \
         SELECT * FROM ({DUE} EXCEPT {KEPT}) AS less) AS wrong"
    );
    let wrong: Counted = diesel::sql_query(different).get_result(tx.conn())?;
    if wrong.v > 0 {
        diesel::delete(ledger_day::table).execute(tx.conn())?;
        let columns = "institution_id, business_date, account, party, amount";
        diesel::sql_query(format!("INSERT INTO ledger_day ({columns}) {DUE}")).execute(tx.conn())?;
    }
    Ok(usize::try_from(wrong.v).unwrap_or(usize::MAX))
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    v: i64,
}
