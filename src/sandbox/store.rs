//! The sandbox's own SQLite file: its tables, its settings, and the log of what it was asked.
//!
//! An institution shares no database with the platform; this file is the only memory that the sandbox has besides
//! the files it exchanged, and everything it promised survives being killed.
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::SqliteConnection;
use serde::Serialize;

use super::SandboxError;
use crate::disk;

diesel::table! { setting (name) { name -> Text, value -> Text, } }
diesel::table! {
    request (id) {
        id -> BigInt,
        at -> BigInt,
        method -> Text,
        target -> Text,
        operation -> Text,
        out_trade_no -> Nullable<Text>,
        fault -> Nullable<Text>,
        status -> Nullable<Integer>,
    }
}
diesel::table! {
    trade (out_trade_no) {
        out_trade_no -> Text,
        code -> Text,
        body -> Text,
        merchant -> Text,
        tags -> Text,
        parties -> Text,
        channel -> Text,
        product -> Text,
        trade_no -> Nullable<Text>,
        total -> BigInt,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        closed_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    payment (id) {
        id -> BigInt,
        out_trade_no -> Text,
        transaction_id -> Text,
        paid_at -> BigInt,
        day -> Integer,
        paid -> BigInt,
        fee -> BigInt,
        rate_ppm -> Integer,
        bill_seq -> Nullable<Integer>,
    }
}
diesel::table! {
    coupon (out_trade_no) {
        out_trade_no -> Text,
        cash -> BigInt,
        nocash -> BigInt,
        currency -> Text,
    }
}
diesel::table! {
    delivery (id) {
        id -> BigInt,
        event_id -> Text,
        out_trade_no -> Text,
        created_at -> BigInt,
        attempts -> Integer,
        next_at -> BigInt,
        done_at -> Nullable<BigInt>,
        given_up_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}
diesel::table! {
    bundle (id) {
        id -> BigInt,
        name -> Text,
        sha256 -> Text,
        issued_at -> BigInt,
        body -> Text,
    }
}
diesel::table! {
    bill (day, seq) {
        day -> Integer,
        seq -> Integer,
        name -> Text,
        created_at -> BigInt,
    }
}
diesel::table! {
    taken (id) {
        id -> BigInt,
        name -> Text,
        kind -> Text,
        day -> Integer,
        seq -> Integer,
        sha256 -> Text,
        signature_sha256 -> Text,
        code -> Text,
        answered_at -> BigInt,
    }
}
diesel::allow_tables_to_appear_in_same_query!(trade, payment, delivery, coupon);
diesel::joinable!(payment -> trade (out_trade_no));
diesel::joinable!(delivery -> trade (out_trade_no));
diesel::joinable!(coupon -> trade (out_trade_no));

const TABLES: &str = "
PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY NOT NULL, at BIGINT NOT NULL, method TEXT NOT NULL,
    target TEXT NOT NULL, operation TEXT NOT NULL, out_trade_no TEXT, fault TEXT, status INTEGER);
CREATE TABLE IF NOT EXISTS trade (out_trade_no TEXT PRIMARY KEY NOT NULL, code TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL, merchant TEXT NOT NULL, tags TEXT NOT NULL, parties TEXT NOT NULL,
    channel TEXT NOT NULL DEFAULT 'wechat', product TEXT NOT NULL DEFAULT 'native', trade_no TEXT,
    total BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, closed_at BIGINT);
CREATE TABLE IF NOT EXISTS payment (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    out_trade_no TEXT NOT NULL UNIQUE REFERENCES trade, transaction_id TEXT NOT NULL UNIQUE, paid_at BIGINT NOT NULL,
    day INTEGER NOT NULL, paid BIGINT NOT NULL, fee BIGINT NOT NULL, rate_ppm INTEGER NOT NULL, bill_seq INTEGER);
CREATE INDEX IF NOT EXISTS payment_day ON payment (day, paid_at, transaction_id);
CREATE TABLE IF NOT EXISTS coupon (out_trade_no TEXT PRIMARY KEY NOT NULL REFERENCES trade, cash BIGINT NOT NULL,
    nocash BIGINT NOT NULL, currency TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, event_id TEXT NOT NULL UNIQUE,
    out_trade_no TEXT NOT NULL REFERENCES trade, created_at BIGINT NOT NULL, attempts INTEGER NOT NULL,
    next_at BIGINT NOT NULL, done_at BIGINT, given_up_at BIGINT, last_error TEXT);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (next_at) WHERE done_at IS NULL AND given_up_at IS NULL;
CREATE TABLE IF NOT EXISTS bundle (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL, issued_at BIGINT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bill (day INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL, PRIMARY KEY (day, seq));
CREATE TABLE IF NOT EXISTS taken (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, day INTEGER NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL,
    signature_sha256 TEXT NOT NULL, code TEXT NOT NULL, answered_at BIGINT NOT NULL);
";

/// Columns of `trade` that files of older versions, which knew one product and one channel alone, do not have.
const LATER: [(&str, &str); 3] = [
    ("product", "ALTER TABLE trade ADD COLUMN product TEXT NOT NULL DEFAULT 'native'"),
    ("channel", "ALTER TABLE trade ADD COLUMN channel TEXT NOT NULL DEFAULT 'wechat'"),
    ("trade_no", "ALTER TABLE trade ADD COLUMN trade_no TEXT"),
];
const TRADE_NO: &str = "CREATE UNIQUE INDEX IF NOT EXISTS trade_trade_no ON trade (trade_no)";

/// One open transaction on the sandbox's file.
pub(super) struct Tx<'a>(pub(super) &'a mut SqliteConnection);

/// The sandbox's file. One connection: an institution in a box needs no second.
#[derive(Clone)]
pub(super) struct Store(Arc<Mutex<SqliteConnection>>);

impl From<diesel::result::Error> for SandboxError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl Store {
    /// Opens the file, making it and its tables when they are missing.
    pub(super) fn open(path: &Path) -> Result<Self, SandboxError> {
        // It holds the private keys. The files that SQLite makes beside it get its mode.
        disk::make_private(path)?;
        let mut connection = SqliteConnection::establish(&path.to_string_lossy())
            .map_err(|error| SandboxError::Internal(error.to_string()))?;
        connection.batch_execute(TABLES)?;
        for (column, add) in LATER {
            let knows = sql::<Bool>("EXISTS (SELECT 1 FROM pragma_table_info('trade') WHERE name = ");
            let knows = knows.bind::<Text, _>(column).sql(")");
            if !diesel::select(knows).get_result(&mut connection)? {
                connection.batch_execute(add)?;
            }
        }
        connection.batch_execute(TRADE_NO)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs `work` in one transaction; an error undoes it.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.immediate_transaction(|connection| work(&mut Tx(connection)))
    }

    /// The same, off the server's threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.with(work))
            .await
            .map_err(|error| SandboxError::Internal(error.to_string()))?
    }
}

/// The value of a setting.
pub(super) fn setting(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>, SandboxError> {
    Ok(setting::table.find(name).select(setting::value).first(tx.0).optional()?)
}

/// Writes a setting, replacing what it was.
pub(super) fn set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<(), SandboxError> {
    diesel::replace_into(setting::table)
        .values((setting::name.eq(name), setting::value.eq(value)))
        .execute(tx.0)?;
    Ok(())
}

/// A request that arrived, as the log tells it.
#[derive(Debug, Queryable, Selectable, Serialize)]
#[diesel(table_name = request)]
pub(super) struct Request {
    /// Order of arrival.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    pub method: String,
    pub target: String,
    pub operation: String,
    pub out_trade_no: Option<String>,
    /// The fault that was played on it.
    pub fault: Option<String>,
    /// What was answered; null when no answer was made.
    pub status: Option<i32>,
}

/// What is known of a request when it arrives.
#[derive(Debug, Insertable)]
#[diesel(table_name = request)]
pub(super) struct NewRequest<'a> {
    pub at: i64,
    pub method: &'a str,
    pub target: &'a str,
    pub operation: &'a str,
    pub out_trade_no: Option<&'a str>,
    pub fault: Option<&'a str>,
}

/// Writes a request down before anything is done with it; gives its number.
pub(super) fn log_request(tx: &mut Tx<'_>, new: &NewRequest<'_>) -> Result<i64, SandboxError> {
    Ok(diesel::insert_into(request::table).values(new).returning(request::id).get_result(tx.0)?)
}

/// Notes what was answered.
pub(super) fn log_answer(tx: &mut Tx<'_>, id: i64, status: i32) -> Result<(), SandboxError> {
    diesel::update(request::table.find(id)).set(request::status.eq(status)).execute(tx.0)?;
    Ok(())
}

/// The log, oldest first; of one order only when its number is given.
pub(super) fn requests(tx: &mut Tx<'_>, out_trade_no: Option<&str>) -> Result<Vec<Request>, SandboxError> {
    let mut query = request::table.select(Request::as_select()).order(request::id).into_boxed();
    if let Some(number) = out_trade_no {
        query = query.filter(request::out_trade_no.eq(number));
    }
    Ok(query.load(tx.0)?)
}
