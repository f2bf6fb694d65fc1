//! Statements of the H2 bench: what the product never does.
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant as Stopwatch;

use diesel::pg::{CopyFormat, CopyTarget, Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use diesel::result::Error as Diesel;
use diesel::sql_query;
use diesel::sql_types::BigInt;

use crate::db::columns::{As, InstitutionId};
use crate::db::schema::{bill, split_order};
use crate::db::{Backend, BinaryRows, Conn, Db, Tx, copy_into};
use crate::error::Error;
use crate::exchange::{self, Direction, DocumentKind, ExchangedFile, NewFile};
use crate::insert_chunks;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::digest::Digest;
use crate::kernel::file::spl::shares;
use crate::kernel::money::Fen;
use crate::reconciliation::{self, KeptBill};

/// Records a bill whose orders the bench makes.
pub fn add_bill(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    day: BusinessDay,
    orders: u64,
    now: i64,
) -> Result<KeptBill, Error> {
    let orders = i64::try_from(orders).unwrap_or(i64::MAX);
    let new = NewFile {
        institution_id: institution,
        direction: Direction::In,
        kind: DocumentKind::Wxbill,
        name: format!("made-{day}.csv"),
        business_date: day,
        seq: 1,
        sha256: Digest::ZERO,
        size: 0,
        orders,
        lines: 0,
        total: Fen::ZERO,
        previous_sha256: None,
        approvals_sha256: None,
        created_at: now,
        recorded_at: now,
    };
    let file = exchange::record(tx, &new)?;
    diesel::insert_into(bill::table)
        .values((
            bill::institution_id.eq(institution),
            bill::business_date.eq(As(day)),
            bill::file_id.eq(file.id),
            bill::sha256.eq(As(file.sha256)),
            bill::orders.eq(orders),
            bill::total_paid.eq(0),
            bill::recorded_at.eq(now),
        ))
        .execute(tx.conn())?;
    reconciliation::bills(tx, institution, day)?.pop().ok_or(Error::NotFound)
}

/// What the bill gives the orders of a file to be split.
pub(super) fn pools(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<Fen, Error> {
    let ExchangedFile { id, business_date, institution_id, .. } = file;
    let day = business_date.to_i32();
    let pools: Sum = sql_query(format!(
        "SELECT CAST(COALESCE(SUM(b.paid + b.subsidy - b.fee), 0) AS BIGINT) AS v FROM split_order s
         JOIN bill_order b ON b.business_date = s.business_date AND b.institution_id = s.institution_id
           AND b.bill_id = s.bill_id AND b.paid_at = s.paid_at AND b.inst_order_no = s.inst_order_no
         WHERE s.business_date = {day} AND s.institution_id = {institution_id} AND s.file_id = {id}
           AND s.reason IS NULL"
    ))
    .get_result(tx.conn())?;
    Ok(Fen::new(pools.v))
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    v: i64,
}

table! {
    anchor_source (file_id, n, idx) {
        business_date -> Integer,
        institution_id -> BigInt,
        file_id -> BigInt,
        n -> Integer,
        idx -> Integer,
        path -> Text,
        role -> Text,
        receiver -> Text,
        amount -> BigInt,
    }
}

/// A line as a row of its own: what the anchors store.
#[derive(Insertable)]
#[diesel(table_name = anchor_source)]
struct Line {
    business_date: i32,
    institution_id: i64,
    file_id: i64,
    n: i32,
    idx: i32,
    path: String,
    role: String,
    receiver: String,
    amount: i64,
}

const COLUMNS: &[&str] =
    &["business_date", "institution_id", "file_id", "n", "idx", "path", "role", "receiver", "amount"];
const KEY: &str = "PRIMARY KEY (file_id, n, idx, business_date, institution_id)";

/// A table for lines, as strict as the product's own.
fn create(name: &str, key: &str, sqlite: bool) -> String {
    let (text, end) = if sqlite { ("TEXT", " STRICT, WITHOUT ROWID") } else { ("TEXT COLLATE \"C\"", "") };
    let (int, big) = if sqlite { ("INT", "INTEGER") } else { ("INTEGER", "BIGINT") };
    format!(
        "CREATE TABLE {name} (business_date {int} NOT NULL, institution_id {big} NOT NULL, file_id {big} NOT NULL,
         n {int} NOT NULL, idx {int} NOT NULL, path {text} NOT NULL, role {text} NOT NULL, receiver {text} NOT NULL,
         amount {big} NOT NULL CHECK (amount > 0){key}){end}"
    )
}

/// Writes the lines of a day into `anchor_source`, a row each.
fn lay_out(tx: &mut Tx<'_>, of: &KeptBill) -> Result<(), Error> {
    let sqlite = matches!(tx.conn(), Conn::Sqlite(_));
    run(tx, &create("anchor_source", if sqlite { ", PRIMARY KEY (file_id, n, idx)" } else { "" }, sqlite))?;
    for file in exchange::of_day(tx, of.institution_id, DocumentKind::Spl, of.business_date)? {
        let mut after = 0;
        loop {
            let page = page(tx, &file, after)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            add(tx, &lines_of(&file, &page)?)?;
        }
    }
    Ok(())
}

/// Orders by place, with their lines.
fn page(tx: &mut Tx<'_>, file: &ExchangedFile, after: i32) -> Result<Vec<(i32, String)>, Error> {
    Ok(split_order::table
        .filter(split_order::business_date.eq(As(file.business_date)))
        .filter(split_order::institution_id.eq(file.institution_id))
        .filter(split_order::file_id.eq(file.id))
        .filter(split_order::n.gt(after))
        .order(split_order::n.asc())
        .limit(5000)
        .select((split_order::n, split_order::lines))
        .load(tx.conn())?)
}

fn lines_of(file: &ExchangedFile, page: &[(i32, String)]) -> Result<Vec<Line>, Error> {
    let mut rows = Vec::new();
    for (n, lines) in page {
        let lines = shares(1, lines).ok_or_else(|| Error::Internal("stored lines".into()))?;
        rows.extend(lines.iter().zip(0..).map(|(line, idx)| Line {
            business_date: file.business_date.to_i32(),
            institution_id: file.institution_id.get(),
            file_id: file.id.get(),
            n: *n,
            idx,
            path: line.path.to_owned(),
            role: line.role.to_owned(),
            receiver: line.receiver.to_owned(),
            amount: line.amount.get(),
        }));
    }
    Ok(rows)
}

fn add(tx: &mut Tx<'_>, lines: &[Line]) -> Result<(), Error> {
    match tx.conn() {
        Conn::Sqlite(conn) => insert_chunks!(conn, anchor_source, lines),
        Conn::Pg(conn) => {
            let mut rows = BinaryRows::default();
            for line in lines {
                rows.row(9);
                rows.int(line.business_date);
                rows.big(line.institution_id);
                rows.big(line.file_id);
                rows.int(line.n);
                rows.int(line.idx);
                rows.text(&line.path);
                rows.text(&line.role);
                rows.text(&line.receiver);
                rows.big(line.amount);
            }
            copy_into(conn, "anchor_source", COLUMNS, &rows)?;
        }
    }
    Ok(())
}

/// Stores the lines of a day again in simpler ways, a row each; the seconds of each way.
pub(super) fn anchors(db: &Db, dir: &Path, of: &KeptBill) -> Result<Vec<f64>, Error> {
    db.write_blocking(|tx| lay_out(tx, of))?;
    let taken = match db.backend() {
        Backend::Sqlite(_) => vec![insert_select(db)?],
        Backend::Postgres(_) => copies(db, dir)?,
    };
    db.write_blocking(|tx| run(tx, "DROP TABLE anchor_source"))?;
    Ok(taken)
}

fn copies(db: &Db, dir: &Path) -> Result<Vec<f64>, Error> {
    let mut taken = Vec::new();
    for (format, key) in [(CopyFormat::Binary, String::new()), (CopyFormat::Csv, format!(", {KEY}"))] {
        let path = dir.join("anchor");
        copy_out(db, "(SELECT * FROM anchor_source ORDER BY file_id, n, idx)", format, &path)?;
        db.write_blocking(|tx| run(tx, &create("anchor", &key, false)))?;
        let begun = Stopwatch::now();
        db.write_blocking(|tx| match tx.conn() {
            Conn::Pg(conn) => copy_in(conn, format, &path),
            Conn::Sqlite(_) => Ok(()),
        })?;
        taken.push(begun.elapsed().as_secs_f64());
        db.write_blocking(|tx| run(tx, "DROP TABLE anchor"))?;
        fs::remove_file(&path)?;
    }
    Ok(taken)
}

/// Drops what a round stored where that can be done at once, so that rounds need the room of one.
pub(super) fn forget(db: &Db, of: &KeptBill) -> Result<(), Error> {
    db.write_blocking(|tx| {
        if let Conn::Sqlite(_) = tx.conn() {
            return Ok(());
        }
        for parent in ["bill_order", "split_order"] {
            run(tx, &format!("DROP TABLE {parent}_{}_{}", of.business_date, of.institution_id))?;
        }
        Ok(())
    })
}

fn run(tx: &mut Tx<'_>, statement: &str) -> Result<(), Error> {
    sql_query(statement).execute(tx.conn())?;
    Ok(())
}

fn insert_select(db: &Db) -> Result<f64, Error> {
    db.write_blocking(|tx| run(tx, &create("anchor", &format!(", {KEY}"), true)))?;
    let begun = Stopwatch::now();
    db.write_blocking(|tx| {
        run(tx, "INSERT INTO anchor SELECT * FROM anchor_source ORDER BY file_id, n, idx")
    })?;
    let taken = begun.elapsed().as_secs_f64();
    db.write_blocking(|tx| run(tx, "DROP TABLE anchor"))?;
    Ok(taken)
}

thread_local! {
    static TARGET: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Named;

impl CopyTarget for Named {
    type Table = anchor_source::table;
    type SqlType = anchor_source::SqlType;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        TARGET.with_borrow(|target| pass.push_sql(target));
        Ok(())
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Diesel {
    Diesel::DeserializationError(Box::new(error))
}

/// On a connection of its own, which is given up afterwards: Diesel leaves it in the middle of the COPY.
fn copy_out(db: &Db, query: &str, format: CopyFormat, path: &Path) -> Result<(), Error> {
    let Backend::Postgres(url) = db.backend() else { return Ok(()) };
    let conn = &mut PgConnection::establish(url).map_err(Error::internal)?;
    TARGET.set(query.to_owned());
    let mut rows = diesel::copy_to(Named).with_format(format).load_raw(conn)?;
    let mut out = BufWriter::new(File::create(path)?);
    std::io::copy(&mut rows, &mut out)?;
    Ok(out.flush()?)
}

fn copy_in(conn: &mut PgConnection, format: CopyFormat, path: &Path) -> Result<(), Error> {
    use diesel::ExecuteCopyFromDsl;
    TARGET.set("anchor".to_owned());
    diesel::copy_from(anchor_source::table)
        .from_raw_data(Named, |out: &mut dyn Write| -> Result<(), Diesel> {
            let mut file = File::open(path).map_err(broken)?;
            let mut piece = vec![0; 1 << 17];
            loop {
                let read = file.read(&mut piece).map_err(broken)?;
                match piece.get(..read) {
                    Some([]) | None => return Ok(()),
                    Some(bytes) => out.write_all(bytes).map_err(broken)?,
                }
            }
        })
        .with_format(format)
        .execute(conn)?;
    Ok(())
}
