//! The orders that stand unsplit: X of a file that is not void, told as O by no other. They are few of many days, so that
//! they are listed apart; the list follows from the files, day by day, and `check` compares.
use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Integer, Text};

use crate::db::columns::{As, FileId, InstitutionId};
use crate::db::schema::{exchanged_file, pay_order, unsplit_order};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::state::FileState;
use crate::lock_class;
use crate::people::Scope;

/// An order that no file of its day could split, with the file that tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsplit {
    /// Our number, as the bill has it.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// Whether the order is one of ours.
    pub known: bool,
    /// Unix microseconds.
    pub paid_at: i64,
    /// What was paid.
    pub paid: Fen,
    /// The reason in the file.
    pub reason: Reason,
    /// The file.
    pub file: String,
}

const COLUMNS: &str = "file_id, n, institution_id, business_date, sub_merchant_id, order_no, inst_order_no, paid_at, paid, reason";

/// What the files say: of all days, or of one of an institution.
fn standing(of: Option<(InstitutionId, BusinessDay)>) -> String {
    let of = of.map_or_else(String::new, |(institution, day)| {
        format!("AND x.institution_id = {institution} AND x.business_date = {day}")
    });
    let rejected = FileState::Rejected.as_str();
    let void = |file: &str| {
        format!("EXISTS (SELECT 1 FROM file_standing s WHERE s.file_id = {file} AND s.state = '{rejected}')")
    };
    format!(
        "SELECT x.file_id, x.n, x.institution_id, x.business_date, b.sub_merchant_id,
           CASE WHEN b.order_no LIKE '?%' THEN '-' ELSE b.order_no END, x.inst_order_no,
           x.paid_at, b.paid, x.reason
         FROM split_order x
         JOIN bill_order b ON b.business_date = x.business_date AND b.institution_id = x.institution_id
           AND b.bill_id = x.bill_id AND b.paid_at = x.paid_at AND b.inst_order_no = x.inst_order_no
         WHERE x.reason IS NOT NULL {of} AND NOT {void}
           AND NOT EXISTS (SELECT 1 FROM split_order o WHERE o.business_date = x.business_date
             AND o.institution_id = x.institution_id AND o.paid_at = x.paid_at
             AND o.inst_order_no = x.inst_order_no AND o.reason IS NULL AND NOT {released_in_void})",
        void = void("x.file_id"),
        released_in_void = void("o.file_id"),
    )
}

/// Until the transaction ends nobody else lists this day. A cut and a result that comes in meanwhile do not see each
/// other's rows: both would list the same order, or leave one listed that the other released. SQLite has one writer.
fn lock(tx: &mut Tx<'_>, day: BusinessDay) -> Result<(), Error> {
    if let Conn::Pg(conn) = tx.conn() {
        let lock = sql_query(concat!("SELECT pg_advisory_xact_lock(", lock_class!(unsplit), ", $1)"));
        lock.bind::<Integer, _>(day.to_i32()).execute(conn)?;
    }
    Ok(())
}

/// Lists anew what stands unsplit of a day; after its files or what the institution answered to them changed, as the
/// last thing of their transaction.
pub fn list_unsplit(tx: &mut Tx<'_>, institution: InstitutionId, day: BusinessDay) -> Result<(), Error> {
    lock(tx, day)?;
    let of_day = unsplit_order::table
        .filter(unsplit_order::institution_id.eq(institution))
        .filter(unsplit_order::business_date.eq(As(day)));
    diesel::delete(of_day).execute(tx.conn())?;
    let standing = standing(Some((institution, day)));
    sql_query(format!("INSERT INTO unsplit_order ({COLUMNS}) {standing}")).execute(tx.conn())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    inst_order_no: String,
}

/// Where the list is not what the files say, in words; the first few.
pub fn unsplit_breaks(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let (standing, listed) = (standing(None), format!("SELECT {COLUMNS} FROM unsplit_order"));
    let mut breaks = Vec::new();
    for (what, query) in [
        ("an unsplit order is not listed", format!("{standing} EXCEPT {listed} LIMIT 5")),
        ("what is listed as unsplit is not", format!("{listed} EXCEPT {standing} LIMIT 5")),
    ] {
        let found: Vec<Named> = sql_query(query).load(tx.conn())?;
        breaks.extend(found.into_iter().map(|one| format!("{what}: {}", one.inst_order_no)));
    }
    Ok(breaks)
}

/// Lists anew what stands unsplit of all days; how many rows were not what the files say.
pub fn repair_unsplit(tx: &mut Tx<'_>) -> Result<usize, Error> {
    if let Conn::Pg(conn) = tx.conn() {
        sql_query("LOCK TABLE unsplit_order IN SHARE ROW EXCLUSIVE MODE").execute(conn)?;
    }
    let wrong = unsplit_breaks(tx)?.len();
    if wrong > 0 {
        diesel::delete(unsplit_order::table).execute(tx.conn())?;
        let standing = standing(None);
        sql_query(format!("INSERT INTO unsplit_order ({COLUMNS}) {standing}")).execute(tx.conn())?;
    }
    Ok(wrong)
}

macro_rules! within {
    ($query:expr, $scope:expr) => {{
        let query = $query.into_boxed();
        match $scope {
            Scope::Platform => query,
            Scope::Institution(id) => query.filter(unsplit_order::institution_id.eq(*id)),
            Scope::Merchant(id) => query.filter(unsplit_order::sub_merchant_id.eq(*id)),
        }
    }};
}

/// How many orders stand unsplit, counted up to `most`.
pub fn unsplit_count(tx: &mut Tx<'_>, scope: &Scope, most: i64) -> Result<i64, Error> {
    let some: Vec<i32> = within!(unsplit_order::table.select(unsplit_order::n), scope)
        .order(unsplit_order::business_date.desc())
        .limit(most)
        .load(tx.conn())?;
    Ok(i64::try_from(some.len()).unwrap_or(most))
}

/// The orders that stand unsplit, newest first, at most `limit`. They are found first and their names by keys: a join that
/// is planned while hardly any stands unsplit begins with every file that ever was.
pub fn unsplit_newest(tx: &mut Tx<'_>, scope: &Scope, limit: i64) -> Result<Vec<Unsplit>, Error> {
    type Row = (String, String, FileId, i64, Fen, Reason);
    let query = unsplit_order::table.select((
        unsplit_order::order_no,
        unsplit_order::inst_order_no,
        unsplit_order::file_id,
        unsplit_order::paid_at,
        unsplit_order::paid,
        unsplit_order::reason,
    ));
    let rows: Vec<Row> = within!(query, scope)
        .order((unsplit_order::business_date.desc(), unsplit_order::file_id.desc(), unsplit_order::n.desc()))
        .limit(limit)
        .load(tx.conn())?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let files: BTreeSet<FileId> = rows.iter().map(|row| row.2).collect();
    let files: HashMap<FileId, String> = exchanged_file::table
        .filter(exchanged_file::id.eq_any(files))
        .select((exchanged_file::id, exchanged_file::name))
        .load(tx.conn())?
        .into_iter()
        .collect();
    let known: HashSet<String> = pay_order::table
        .filter(pay_order::order_no.eq_any(rows.iter().map(|row| &row.0)))
        .select(pay_order::order_no)
        .load(tx.conn())?
        .into_iter()
        .collect();
    let found = rows.into_iter().map(|(order_no, inst_order_no, file, paid_at, paid, reason)| {
        let (known, file) = (known.contains(&order_no), files.get(&file).cloned().unwrap_or_default());
        Unsplit { order_no, inst_order_no, known, paid_at, paid, reason, file }
    });
    Ok(found.collect())
}
