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

use crate::db::schema::{bill, split_line};
use crate::db::{Backend, Conn, Db, Tx};
use crate::error::Error;
use crate::institutions::exchange::{self, ExchangedFile, NewFile};
use crate::reconciliation::{self, BillRow};

/// Records a bill whose orders the bench makes.
pub(super) fn add_bill(
    tx: &mut Tx<'_>,
    institution: i64,
    day: i32,
    orders: u64,
    now: i64,
) -> Result<BillRow, Error> {
    let orders = i64::try_from(orders).unwrap_or(i64::MAX);
    let new = NewFile {
        institution_id: institution,
        direction: "IN",
        kind: reconciliation::KIND,
        name: format!("made-{day}.csv"),
        business_date: day,
        seq: 1,
        sha256: "0".repeat(64),
        size: 0,
        orders,
        lines: 0,
        total: 0,
        previous_sha256: None,
        approvals_sha256: None,
        created_at: now,
        recorded_at: now,
    };
    let file = exchange::record(tx, &new)?;
    diesel::insert_into(bill::table)
        .values((
            bill::institution_id.eq(institution),
            bill::business_date.eq(day),
            bill::file_id.eq(file.id),
            bill::sha256.eq(&file.sha256),
            bill::orders.eq(orders),
            bill::total_paid.eq(0),
            bill::recorded_at.eq(now),
        ))
        .execute(tx.conn())?;
    reconciliation::bills(tx, institution, day)?.pop().ok_or(Error::NotFound)
}

/// What the rows of a file add up to.
#[derive(QueryableByName)]
pub(super) struct Sums {
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    #[diesel(sql_type = BigInt)]
    pub lines: i64,
    #[diesel(sql_type = BigInt)]
    pub total: i64,
    #[diesel(sql_type = BigInt)]
    pub pools: i64,
}

pub(super) fn sums(tx: &mut Tx<'_>, file: &ExchangedFile) -> Result<Sums, Error> {
    let ExchangedFile { id, business_date, institution_id, .. } = file;
    let of = format!(
        "WHERE business_date = {business_date} AND institution_id = {institution_id} AND file_id = {id}"
    );
    let query = format!(
        "SELECT (SELECT COUNT(*) FROM split_order {of}) AS orders, (SELECT COUNT(*) FROM split_line {of}) AS lines,
           (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM split_line {of}) AS total,
           (SELECT CAST(COALESCE(SUM(paid + subsidy - fee), 0) AS BIGINT) FROM split_order {of}
             AND reason IS NULL) AS pools"
    );
    Ok(sql_query(query).get_result(tx.conn())?)
}

/// Stores the lines of a day again in simpler ways; the seconds of each.
pub(super) fn anchors(db: &Db, dir: &Path, of: &BillRow) -> Result<Vec<f64>, Error> {
    let day = format!(
        "split_line WHERE business_date = {} AND institution_id = {} ORDER BY file_id, n, idx",
        of.business_date, of.institution_id
    );
    let sqlite = db.write_blocking(|tx| match tx.conn() {
        Conn::Pg(_) => Ok(None),
        Conn::Sqlite(conn) => insert_select(conn, &day).map(Some),
    })?;
    if let Some(seconds) = sqlite {
        db.write_blocking(|tx| run(tx, "DROP TABLE anchor"))?;
        return Ok(vec![seconds]);
    }
    let mut taken = Vec::new();
    for (format, key) in [
        (CopyFormat::Binary, ""),
        (CopyFormat::Csv, ", PRIMARY KEY (file_id, n, idx, business_date, institution_id)"),
    ] {
        let path = dir.join("anchor");
        copy_out(db, &format!("(SELECT * FROM {day})"), format, &path)?;
        db.write_blocking(|tx| run(tx, &format!("CREATE TABLE anchor (LIKE split_line{key})")))?;
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
pub(super) fn forget(db: &Db, of: &BillRow) -> Result<(), Error> {
    db.write_blocking(|tx| {
        if let Conn::Sqlite(_) = tx.conn() {
            return Ok(());
        }
        for parent in ["bill_order", "split_order", "split_line"] {
            run(tx, &format!("DROP TABLE {parent}_{}_{}", of.business_date, of.institution_id))?;
        }
        Ok(())
    })
}

fn run(tx: &mut Tx<'_>, statement: &str) -> Result<(), Error> {
    sql_query(statement).execute(tx.conn())?;
    Ok(())
}

fn insert_select(conn: &mut SqliteConnection, day: &str) -> Result<f64, Error> {
    let made: Made =
        sql_query("SELECT sql AS text FROM sqlite_schema WHERE name = 'split_line'").get_result(conn)?;
    sql_query(made.text.replacen("split_line", "anchor", 1)).execute(conn)?;
    let begun = Stopwatch::now();
    sql_query(format!("INSERT INTO anchor SELECT * FROM {day}")).execute(conn)?;
    Ok(begun.elapsed().as_secs_f64())
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

thread_local! {
    static TARGET: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Named;

impl CopyTarget for Named {
    type Table = split_line::table;
    type SqlType = split_line::SqlType;

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
    diesel::copy_from(split_line::table)
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
