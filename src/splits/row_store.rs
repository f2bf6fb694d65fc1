//! Storing the rows of split files.
use diesel::prelude::*;

use crate::db::schema::split_order;
use crate::db::{Backend, BinaryRows, Bulk, Conn, Tx};
use crate::error::Error;
use crate::insert_chunks;

/// An order as an SPL tells it: O with its lines, or X with its reason. What else it says stands in its bill's row.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = split_order, treat_none_as_default_value = false)]
pub struct SplitRow {
    /// yyyymmdd.
    pub business_date: i32,
    /// Whose day.
    pub institution_id: i64,
    /// The SPL.
    pub file_id: i64,
    /// Its place in the SPL, from 1.
    pub n: i32,
    /// The bill it was made from.
    pub bill_id: i64,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The institution's number.
    pub inst_order_no: String,
    /// Why it could not be split, of an X.
    pub reason: Option<String>,
    /// The rule version that split it, of an O.
    pub rule_id: Option<i64>,
    /// Its L lines, as [`shares`](crate::kernel::file::spl::shares) reads them; empty of an X.
    pub lines: String,
}

const COLUMNS: &[&str] = &[
    "business_date",
    "institution_id",
    "file_id",
    "n",
    "bill_id",
    "paid_at",
    "inst_order_no",
    "reason",
    "rule_id",
    "lines",
];

/// A row to be stored; its file is known when it is stored.
pub(super) struct NewRow<'a> {
    pub business_date: i32,
    pub institution_id: i64,
    pub n: i32,
    pub bill_id: i64,
    pub paid_at: i64,
    pub inst_order_no: &'a str,
    pub reason: Option<&'static str>,
    pub rule_id: Option<i64>,
    pub lines: &'a str,
}

/// Rows in the form that the database takes fastest.
pub(super) enum Rows {
    Copied(BinaryRows),
    Inserted(Vec<SplitRow>),
}

impl Rows {
    pub(super) fn new(backend: &Backend) -> Self {
        match backend {
            Backend::Sqlite(_) => Rows::Inserted(Vec::new()),
            Backend::Postgres(_) => Rows::Copied(BinaryRows::default()),
        }
    }

    /// Forgets all rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        match self {
            Rows::Copied(rows) => rows.clear(),
            Rows::Inserted(rows) => rows.clear(),
        }
    }

    pub(super) fn push(&mut self, new: &NewRow<'_>) {
        match self {
            Rows::Copied(rows) => {
                rows.row(10);
                rows.int(new.business_date);
                rows.big(new.institution_id);
                rows.big_later();
                rows.int(new.n);
                rows.big(new.bill_id);
                rows.big(new.paid_at);
                rows.text(new.inst_order_no);
                rows.maybe_text(new.reason);
                rows.maybe_big(new.rule_id);
                rows.text(new.lines);
            }
            Rows::Inserted(rows) => rows.push(SplitRow {
                business_date: new.business_date,
                institution_id: new.institution_id,
                file_id: 0,
                n: new.n,
                bill_id: new.bill_id,
                paid_at: new.paid_at,
                inst_order_no: new.inst_order_no.to_owned(),
                reason: new.reason.map(str::to_owned),
                rule_id: new.rule_id,
                lines: new.lines.to_owned(),
            }),
        }
    }
}

/// Where the rows of a day go.
pub(super) struct RowSink(Option<Bulk>);

impl RowSink {
    pub(super) fn open(tx: &mut Tx<'_>, day: i32, institution: i64) -> Result<Self, Error> {
        match tx.conn() {
            Conn::Sqlite(_) => Ok(Self(None)),
            Conn::Pg(conn) => Ok(Self(Some(Bulk::open(conn, "split_order", day, institution)?))),
        }
    }

    /// Stores rows of a file.
    pub(super) fn add(&self, tx: &mut Tx<'_>, file_id: i64, rows: &mut Rows) -> Result<(), Error> {
        match (tx.conn(), &self.0, rows) {
            (Conn::Sqlite(conn), _, Rows::Inserted(rows)) => {
                rows.iter_mut().for_each(|row| row.file_id = file_id);
                insert_chunks!(conn, split_order, rows.as_slice());
                Ok(())
            }
            (Conn::Pg(conn), Some(bulk), Rows::Copied(rows)) => {
                rows.fill(file_id);
                Ok(bulk.copy(conn, COLUMNS, rows)?)
            }
            (Conn::Sqlite(_) | Conn::Pg(_), _, _) => Err(Error::Internal("rows for another database".into())),
        }
    }

    /// Makes a new day part of the table.
    pub(super) fn close(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if let (Conn::Pg(conn), Some(bulk)) = (tx.conn(), self.0) {
            bulk.close(conn)?;
        }
        Ok(())
    }
}
