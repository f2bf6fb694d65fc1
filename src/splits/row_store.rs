//! Storing the rows of split files.
use diesel::prelude::*;

use crate::db::schema::{split_line, split_order};
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
    /// Fen.
    pub paid: i64,
    /// Fen.
    pub fee: i64,
    /// Fen.
    pub subsidy: i64,
    /// Why it could not be split, of an X.
    pub reason: Option<String>,
    /// The rule version that split it, of an O.
    pub rule_id: Option<i64>,
    /// Lines that follow.
    pub lines: i32,
}

/// One receiver's part of an order.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = split_line, treat_none_as_default_value = false)]
pub struct SplitLine {
    /// yyyymmdd.
    pub business_date: i32,
    /// Whose day.
    pub institution_id: i64,
    /// The SPL.
    pub file_id: i64,
    /// Its order's place in the SPL.
    pub n: i32,
    /// Its place among the order's lines, from 0.
    pub idx: i32,
    /// Place of the share in its rule.
    pub path: String,
    /// Role.
    pub role: String,
    /// Receiver key.
    pub receiver: String,
    /// Fen, above 0.
    pub amount: i64,
}

const ORDER_COLUMNS: &[&str] = &[
    "business_date",
    "institution_id",
    "file_id",
    "n",
    "bill_id",
    "paid_at",
    "inst_order_no",
    "paid",
    "fee",
    "subsidy",
    "reason",
    "rule_id",
    "lines",
];
const LINE_COLUMNS: &[&str] =
    &["business_date", "institution_id", "file_id", "n", "idx", "path", "role", "receiver", "amount"];

/// The order of a row to be stored; its file is known when it is stored.
pub(super) struct NewOrder<'a> {
    pub business_date: i32,
    pub institution_id: i64,
    pub n: i32,
    pub bill_id: i64,
    pub paid_at: i64,
    pub inst_order_no: &'a str,
    pub paid: i64,
    pub fee: i64,
    pub subsidy: i64,
    pub reason: Option<&'static str>,
    pub rule_id: Option<i64>,
    pub lines: i32,
}

/// A line of a row to be stored.
pub(super) struct NewLine<'a> {
    pub business_date: i32,
    pub institution_id: i64,
    pub n: i32,
    pub idx: i32,
    pub path: &'a str,
    pub role: &'a str,
    pub receiver: &'a str,
    pub amount: i64,
}

/// Rows in the form that the database takes fastest.
pub(super) enum Rows {
    Copied { orders: BinaryRows, lines: BinaryRows },
    Inserted { orders: Vec<SplitRow>, lines: Vec<SplitLine> },
}

impl Rows {
    pub(super) fn new(backend: &Backend) -> Self {
        match backend {
            Backend::Sqlite(_) => Rows::Inserted { orders: Vec::new(), lines: Vec::new() },
            Backend::Postgres(_) => {
                Rows::Copied { orders: BinaryRows::default(), lines: BinaryRows::default() }
            }
        }
    }

    /// Forgets all rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        match self {
            Rows::Copied { orders, lines } => {
                orders.clear();
                lines.clear();
            }
            Rows::Inserted { orders, lines } => {
                orders.clear();
                lines.clear();
            }
        }
    }

    pub(super) fn order(&mut self, new: &NewOrder<'_>) {
        match self {
            Rows::Copied { orders: rows, .. } => {
                rows.row(13);
                rows.int(new.business_date);
                rows.big(new.institution_id);
                rows.big_later();
                rows.int(new.n);
                rows.big(new.bill_id);
                rows.big(new.paid_at);
                rows.text(new.inst_order_no);
                rows.big(new.paid);
                rows.big(new.fee);
                rows.big(new.subsidy);
                rows.maybe_text(new.reason);
                rows.maybe_big(new.rule_id);
                rows.int(new.lines);
            }
            Rows::Inserted { orders, .. } => orders.push(SplitRow {
                business_date: new.business_date,
                institution_id: new.institution_id,
                file_id: 0,
                n: new.n,
                bill_id: new.bill_id,
                paid_at: new.paid_at,
                inst_order_no: new.inst_order_no.to_owned(),
                paid: new.paid,
                fee: new.fee,
                subsidy: new.subsidy,
                reason: new.reason.map(str::to_owned),
                rule_id: new.rule_id,
                lines: new.lines,
            }),
        }
    }

    pub(super) fn line(&mut self, new: &NewLine<'_>) {
        match self {
            Rows::Copied { lines: rows, .. } => {
                rows.row(9);
                rows.int(new.business_date);
                rows.big(new.institution_id);
                rows.big_later();
                rows.int(new.n);
                rows.int(new.idx);
                rows.text(new.path);
                rows.text(new.role);
                rows.text(new.receiver);
                rows.big(new.amount);
            }
            Rows::Inserted { lines, .. } => lines.push(SplitLine {
                business_date: new.business_date,
                institution_id: new.institution_id,
                file_id: 0,
                n: new.n,
                idx: new.idx,
                path: new.path.to_owned(),
                role: new.role.to_owned(),
                receiver: new.receiver.to_owned(),
                amount: new.amount,
            }),
        }
    }
}

/// Where the rows of a day go.
pub(super) struct RowSink(Option<(Bulk, Bulk)>);

impl RowSink {
    pub(super) fn open(tx: &mut Tx<'_>, day: i32, institution: i64) -> Result<Self, Error> {
        match tx.conn() {
            Conn::Sqlite(_) => Ok(Self(None)),
            Conn::Pg(conn) => {
                let orders = Bulk::open(conn, "split_order", day, institution)?;
                Ok(Self(Some((orders, Bulk::open(conn, "split_line", day, institution)?))))
            }
        }
    }

    /// Stores rows of a file.
    pub(super) fn add(&self, tx: &mut Tx<'_>, file_id: i64, rows: &mut Rows) -> Result<(), Error> {
        match (tx.conn(), &self.0, rows) {
            (Conn::Sqlite(conn), _, Rows::Inserted { orders, lines }) => {
                orders.iter_mut().for_each(|row| row.file_id = file_id);
                lines.iter_mut().for_each(|row| row.file_id = file_id);
                insert_chunks!(conn, split_order, orders.as_slice());
                insert_chunks!(conn, split_line, lines.as_slice());
                Ok(())
            }
            (Conn::Pg(conn), Some((to_orders, to_lines)), Rows::Copied { orders, lines }) => {
                orders.fill(file_id);
                lines.fill(file_id);
                to_orders.copy(conn, ORDER_COLUMNS, orders)?;
                Ok(to_lines.copy(conn, LINE_COLUMNS, lines)?)
            }
            (Conn::Sqlite(_) | Conn::Pg(_), _, _) => Err(Error::Internal("rows for another database".into())),
        }
    }

    /// Makes a new day part of the tables.
    pub(super) fn close(self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if let (Conn::Pg(conn), Some((orders, lines))) = (tx.conn(), self.0) {
            orders.close(conn)?;
            lines.close(conn)?;
        }
        Ok(())
    }
}
