//! Many rows of one business day of one institution at once.
//!
//! On PostgreSQL they go in as binary COPY: those of a new day into a staged table without index, which then gets its
//! key and is attached; those of a day that is attached already into the parent. A day that is attached is never
//! touched again but by inserts. On SQLite rows go in by statements of sixteen rows that stay prepared
//! ([`insert_chunks!`](crate::insert_chunks)).
use std::cell::RefCell;
use std::io::Write;

use diesel::pg::{CopyFormat, CopyTarget, Pg, PgConnection};
use diesel::query_builder::AstPass;
use diesel::result::{Error as Diesel, QueryResult};
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::conn::Conn;
use super::schema::bill_order;
use super::transaction::Tx;
use crate::error::Error;

/// Inserts rows in statements of sixteen that stay prepared, the rest one by one: `insert_chunks!(conn, table, rows)`
/// with a SQLite connection.
#[macro_export]
macro_rules! insert_chunks {
    ($conn:expr, $table:ident, $rows:expr) => {{
        use diesel::RunQueryDsl;
        let (chunks, rest) = $rows.as_chunks::<16>();
        for chunk in chunks {
            diesel::insert_into($table::table).values(chunk).execute($conn)?;
        }
        for row in rest {
            diesel::insert_into($table::table).values(row).execute($conn)?;
        }
    }};
}

/// Rows in PostgreSQL's binary COPY form. Fields are pushed in the order of the columns that [`Bulk::copy`] names.
#[derive(Debug, Default)]
pub struct BinaryRows {
    bytes: Vec<u8>,
    slots: Vec<usize>,
}

impl BinaryRows {
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a row of so many fields.
    pub fn row(&mut self, fields: i16) {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
    }

    /// A 32-bit number.
    pub fn int(&mut self, value: i32) {
        self.bytes.extend_from_slice(&4_i32.to_be_bytes());
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit number.
    pub fn big(&mut self, value: i64) {
        self.bytes.extend_from_slice(&8_i32.to_be_bytes());
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit number that is known later; [`BinaryRows::fill`] puts it into every place that waits for it.
    pub fn big_later(&mut self) {
        self.bytes.extend_from_slice(&8_i32.to_be_bytes());
        self.slots.push(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 8]);
    }

    /// Text; longer than any field of ours is cut nowhere but refused by its length.
    pub fn text(&mut self, value: &str) {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Nothing.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A 64-bit number or nothing.
    pub fn maybe_big(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.big(value),
            None => self.null(),
        }
    }

    /// Text or nothing.
    pub fn maybe_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// Puts the number into every place of [`BinaryRows::big_later`].
    pub fn fill(&mut self, value: i64) {
        for at in self.slots.drain(..) {
            if let Some(place) = self.bytes.get_mut(at..at.saturating_add(8)) {
                place.copy_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
    }
}

/// Where the rows of one day and institution go on PostgreSQL.
#[derive(Debug)]
pub struct Bulk {
    parent: &'static str,
    staged: Option<String>,
    business_date: i32,
    institution_id: i64,
}

#[derive(QueryableByName)]
struct Staged {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

#[derive(QueryableByName)]
struct Reserved {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl Bulk {
    /// Stages a table where the day is not attached yet.
    pub fn open(
        conn: &mut PgConnection,
        parent: &'static str,
        business_date: i32,
        institution_id: i64,
    ) -> QueryResult<Self> {
        let staged: Staged = sql_query("SELECT stage_partition($1, $2, $3) AS name")
            .bind::<Text, _>(parent)
            .bind::<Integer, _>(business_date)
            .bind::<BigInt, _>(institution_id)
            .get_result(conn)?;
        Ok(Self { parent, staged: staged.name, business_date, institution_id })
    }

    /// Whether the day is new: its rows are nowhere else.
    pub const fn is_new(&self) -> bool {
        self.staged.is_some()
    }

    /// Copies the rows.
    pub fn copy(
        &self,
        conn: &mut PgConnection,
        columns: &'static [&'static str],
        rows: &BinaryRows,
    ) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        match &self.staged {
            // Nobody else sees the table before it is committed: its rows need no look at who may see them, ever.
            Some(staged) => copy(conn, staged, columns, rows, true),
            None => copy(conn, self.parent, columns, rows, false),
        }
    }

    /// Gives a staged table its key and indexes and attaches it.
    pub fn close(self, conn: &mut PgConnection) -> QueryResult<()> {
        if self.staged.is_none() {
            return Ok(());
        }
        sql_query("SELECT attach_partition($1, $2, $3)")
            .bind::<Text, _>(self.parent)
            .bind::<Integer, _>(self.business_date)
            .bind::<BigInt, _>(self.institution_id)
            .execute(conn)?;
        Ok(())
    }
}

/// The next key of `bill` or `exchanged_file`, for rows that name it before it is written.
pub fn reserve_id(tx: &mut Tx<'_>, table: &'static str) -> Result<i64, Error> {
    let reserved: Reserved = match tx.conn() {
        // The one writer holds the file, and nothing is ever deleted from these tables.
        Conn::Sqlite(conn) => {
            sql_query(format!("SELECT COALESCE(MAX(id), 0) + 1 AS id FROM {table}")).get_result(conn)?
        }
        Conn::Pg(conn) => sql_query("SELECT reserve_id($1) AS id").bind::<Text, _>(table).get_result(conn)?,
    };
    Ok(reserved.id)
}

thread_local! {
    /// Table and columns of the COPY that this thread is about to send: Diesel's targets are types, and a staged
    /// table has no type.
    static TARGET: RefCell<(String, &'static [&'static str])> = const { RefCell::new((String::new(), &[])) };
}

struct NamedTarget;

impl CopyTarget for NamedTarget {
    // Which table stands here matters to Diesel's types only.
    type Table = bill_order::table;
    type SqlType = bill_order::SqlType;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        TARGET.with_borrow(|(table, columns)| {
            pass.push_identifier(table)?;
            for (i, column) in columns.iter().enumerate() {
                pass.push_sql(if i == 0 { " (" } else { ", " });
                pass.push_identifier(column)?;
            }
            pass.push_sql(")");
            Ok(())
        })
    }
}

/// Signature, flags and length of the header's extension, then the rows, then the trailer.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TAIL: &[u8] = b"\xff\xff";

/// Copies rows into a table by name.
pub fn copy_into(
    conn: &mut PgConnection,
    table: &str,
    columns: &'static [&'static str],
    rows: &BinaryRows,
) -> QueryResult<()> {
    copy(conn, table, columns, rows, false)
}

fn copy(
    conn: &mut PgConnection,
    table: &str,
    columns: &'static [&'static str],
    rows: &BinaryRows,
    freeze: bool,
) -> QueryResult<()> {
    use diesel::ExecuteCopyFromDsl;
    TARGET.set((table.to_owned(), columns));
    diesel::copy_from(bill_order::table)
        .from_raw_data(NamedTarget, |out: &mut dyn Write| -> Result<(), Diesel> {
            let mut send = |bytes: &[u8]| out.write_all(bytes);
            let sent = send(HEAD).and_then(|()| send(&rows.bytes)).and_then(|()| send(TAIL));
            sent.map_err(|e| Diesel::DeserializationError(Box::new(e)))
        })
        .with_format(CopyFormat::Binary)
        .with_freeze(freeze)
        .execute(conn)?;
    Ok(())
}
