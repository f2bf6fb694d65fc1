//! Storing the rows of split files.
use diesel::prelude::*;

use crate::db::columns::{As, BillId, FileId, InstitutionId, RuleId};
use crate::db::schema::split_order;
use crate::db::{Backend, BinaryRows, Bulk, Conn, Tx};
use crate::error::Error;
use crate::insert_chunks;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::proposal::Reason;

/// An order as an SPL tells it: O with its lines, or X with its reason. What else it says stands in its bill's row.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = split_order)]
pub struct SplitRow {
    /// The day.
    pub business_date: BusinessDay,
    /// Whose day.
    pub institution_id: InstitutionId,
    /// The SPL.
    pub file_id: FileId,
    /// Its place in the SPL, from 1.
    pub n: i32,
    /// The bill it was made from.
    pub bill_id: BillId,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The institution's number.
    pub inst_order_no: String,
    /// Why it could not be split, of an X.
    pub reason: Option<Reason>,
    /// The rule version that split it, of an O.
    pub rule_id: Option<RuleId>,
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
    pub business_date: BusinessDay,
    pub institution_id: InstitutionId,
    pub n: i32,
    pub bill_id: BillId,
    pub paid_at: i64,
    pub inst_order_no: &'a str,
    pub reason: Option<Reason>,
    pub rule_id: Option<RuleId>,
    pub lines: &'a str,
}

/// A row as SQLite takes it.
#[derive(Insertable)]
#[diesel(table_name = split_order, treat_none_as_default_value = false)]
pub(super) struct InsertedRow {
    business_date: As<BusinessDay>,
    institution_id: InstitutionId,
    file_id: FileId,
    n: i32,
    bill_id: BillId,
    paid_at: i64,
    inst_order_no: String,
    reason: Option<As<Reason>>,
    rule_id: Option<RuleId>,
    lines: String,
}

/// Rows in the form that the database takes fastest.
pub(super) enum Rows {
    Copied(BinaryRows),
    Inserted(Vec<InsertedRow>),
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
                rows.int(new.business_date.to_i32());
                rows.big(new.institution_id.get());
                rows.big_later();
                rows.int(new.n);
                rows.big(new.bill_id.get());
                rows.big(new.paid_at);
                rows.text(new.inst_order_no);
                rows.maybe_text(new.reason.map(Reason::as_str));
                rows.maybe_big(new.rule_id.map(RuleId::get));
                rows.text(new.lines);
            }
            Rows::Inserted(rows) => rows.push(InsertedRow {
                business_date: As(new.business_date),
                institution_id: new.institution_id,
                file_id: FileId::new(0),
                n: new.n,
                bill_id: new.bill_id,
                paid_at: new.paid_at,
                inst_order_no: new.inst_order_no.to_owned(),
                reason: new.reason.map(As),
                rule_id: new.rule_id,
                lines: new.lines.to_owned(),
            }),
        }
    }
}

/// Where the rows of a day go.
pub(super) struct RowSink(Option<Bulk>);

impl RowSink {
    pub(super) fn open(tx: &mut Tx<'_>, day: BusinessDay, institution: InstitutionId) -> Result<Self, Error> {
        match tx.conn() {
            Conn::Sqlite(_) => Ok(Self(None)),
            Conn::Pg(conn) => {
                Ok(Self(Some(Bulk::open(conn, "split_order", day.to_i32(), institution.get())?)))
            }
        }
    }

    /// Stores rows of a file.
    pub(super) fn add(&self, tx: &mut Tx<'_>, file_id: FileId, rows: &mut Rows) -> Result<(), Error> {
        match (tx.conn(), &self.0, rows) {
            (Conn::Sqlite(conn), _, Rows::Inserted(rows)) => {
                rows.iter_mut().for_each(|row| row.file_id = file_id);
                insert_chunks!(conn, split_order, rows.as_slice());
                Ok(())
            }
            (Conn::Pg(conn), Some(bulk), Rows::Copied(rows)) => {
                rows.fill(file_id.get());
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
