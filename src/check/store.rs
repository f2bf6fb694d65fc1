//! What `check` asks the database.
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;

use crate::channels::{RawKind, document_kind};
use crate::db::columns::InstitutionId;
use crate::db::schema::{approvals_bundle, enrolment, pay_order, payment, raw_message};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::file::FileKind;
use crate::kernel::file::ret::RetStatus;
use crate::kernel::money::Fen;
use crate::ledger::{self, Account};
use crate::orders::{ApartEnd, Awaits, EventKind};
use crate::reconciliation::DifferenceKind;

/// Tables whose rows never change; the database refuses it by triggers.
const APPEND_ONLY: [&str; 26] = [
    "audit",
    "exchanged_file",
    "file_result",
    "result_line",
    "approvals_bundle",
    "rule_version",
    "pay_order",
    "order_event",
    "raw_message",
    "payment_key",
    "payment",
    "orphan_payment",
    "orphan_end",
    "bill",
    "difference",
    "day_cut",
    "bill_order",
    "bill_source",
    "split_order",
    "settlement_input",
    "settlement_line",
    "ledger_entry",
    "posting",
    "ledger_link",
    "ledger_balance",
    "custody_day",
];

/// Statements that must find nothing: what is broken, and a query that names each broken object in column `v`.
const MUST_FIND_NOTHING: [(&str, &str); 16] = [
    ("a payment is not the one of its number", "SELECT p.inst_order_no AS v FROM payment p
      LEFT JOIN payment_key k ON k.inst_order_no = p.inst_order_no AND k.institution_id = p.institution_id
        AND k.channel = p.channel
      WHERE k.order_id IS NULL OR k.order_id <> p.order_id OR k.business_date <> p.business_date"),
    ("a payment's number has no payment", "SELECT k.inst_order_no AS v FROM payment_key k
      LEFT JOIN payment p ON p.business_date = k.business_date AND p.order_id = k.order_id
      WHERE p.order_id IS NULL OR p.inst_order_no <> k.inst_order_no OR p.institution_id <> k.institution_id
         OR p.channel <> k.channel"),
    ("a payment that was kept apart is taken and not said to be, or said to be and not taken", "SELECT o.inst_order_no AS v
      FROM orphan_payment o
      LEFT JOIN orphan_end e ON e.inst_order_no = o.inst_order_no AND e.institution_id = o.institution_id
        AND e.channel = o.channel AND e.how = '{entered}'
      LEFT JOIN payment_key k ON k.inst_order_no = o.inst_order_no AND k.institution_id = o.institution_id
        AND k.channel = o.channel
      WHERE (e.at IS NULL) <> (k.order_id IS NULL)"),
    ("a payment has no raw evidence", "SELECT p.inst_order_no AS v FROM payment p
      LEFT JOIN raw_message r ON r.business_date = p.raw_business_date AND r.sha256 = p.raw_sha256
      WHERE r.sha256 IS NULL"),
    ("payments do not add up to their ledger entry", "SELECT CAST(e.id AS TEXT) AS v FROM ledger_entry e
      LEFT JOIN (SELECT entry_id, COUNT(*) AS orders, SUM(paid) AS total FROM payment
        WHERE entry_id IS NOT NULL GROUP BY entry_id) p ON p.entry_id = e.id
      LEFT JOIN posting r ON r.entry_id = e.id AND r.account = '{receivable}'
      WHERE e.kind = '{paid}' AND (COALESCE(p.orders, 0) <> e.items OR COALESCE(p.total, 0) <> COALESCE(r.amount, 0))"),
    ("a payment is not of its order", "SELECT p.inst_order_no AS v FROM payment p
      LEFT JOIN pay_order o ON o.id = p.order_id
      WHERE o.id IS NULL OR o.sub_merchant_id <> p.sub_merchant_id OR o.institution_id <> p.institution_id
         OR o.channel <> p.channel OR o.product <> p.product"),
    ("an order was paid with another amount, and nothing says so", "SELECT p.inst_order_no AS v FROM payment p
      JOIN pay_order o ON o.id = p.order_id
      LEFT JOIN order_event e ON e.order_id = o.id AND e.kind = '{differs}'
      WHERE COALESCE(p.total, p.paid) <> o.amount AND e.id IS NULL"),
    ("a split order is not in its bill", "SELECT s.inst_order_no AS v FROM split_order s
      LEFT JOIN bill_order b ON b.business_date = s.business_date AND b.institution_id = s.institution_id
        AND b.bill_id = s.bill_id AND b.paid_at = s.paid_at AND b.inst_order_no = s.inst_order_no
      WHERE b.paid IS NULL"),
    ("a bill's order is of no bill", "SELECT o.inst_order_no AS v FROM bill_order o
      LEFT JOIN bill b ON b.id = o.bill_id
      WHERE b.id IS NULL OR b.institution_id <> o.institution_id OR b.business_date <> o.business_date"),
    ("an order's rule is not kept", "SELECT s.inst_order_no AS v FROM split_order s
      LEFT JOIN rule_version r ON r.institution_id = s.institution_id AND r.id = s.rule_id
      WHERE s.reason IS NULL AND r.id IS NULL"),
    ("a result's lines do not fit its totals", "SELECT f.name AS v FROM file_result r
      JOIN exchanged_file f ON f.id = r.ret_file_id
      LEFT JOIN (SELECT file_result_id, COUNT(*) AS lines, SUM(CASE WHEN status = '{success}' THEN amount ELSE 0 END) AS total
        FROM result_line GROUP BY file_result_id) l ON l.file_result_id = r.id
      WHERE COALESCE(l.lines, 0) <> r.lines OR COALESCE(l.total, 0) <> r.success_total
         OR f.lines <> r.lines OR f.total <> r.success_total"),
    ("a cut's bill or bundle is not kept", "SELECT CAST(c.business_date AS TEXT) AS v FROM day_cut c
      LEFT JOIN bill b ON b.id = c.bill_id
      LEFT JOIN approvals_bundle a ON a.institution_id = c.institution_id AND a.sha256 = c.approvals_sha256
      LEFT JOIN exchanged_file f ON f.institution_id = c.institution_id AND f.kind = '{spl}'
        AND f.business_date = c.business_date AND f.seq = c.seq
      WHERE b.id IS NULL OR a.id IS NULL OR f.id IS NULL OR f.created_at <> c.created_at
         OR f.approvals_sha256 <> c.approvals_sha256"),
    ("a bill is not the file that was kept", "SELECT f.name AS v FROM bill b
      JOIN exchanged_file f ON f.id = b.file_id
      WHERE f.sha256 <> b.sha256 OR f.orders <> b.orders OR f.total <> b.total_paid"),
    ("a document is said to differ that is not kept", "SELECT d.inst_order_no AS v FROM difference d
      LEFT JOIN exchanged_file f ON f.institution_id = d.institution_id AND f.business_date = d.business_date
        AND f.kind IN ({documents})
      WHERE d.kind = '{document}' AND f.id IS NULL"),
    ("a settlement input is not the file of its name", "SELECT i.name AS v FROM settlement_input i
      JOIN exchanged_file s ON s.id = i.file_id
      LEFT JOIN exchanged_file f ON f.institution_id = s.institution_id AND f.name = i.name
      WHERE f.id IS NULL OR f.sha256 <> i.sha256"),
    ("a settlement line does not add up", "SELECT l.receiver AS v FROM settlement_line l
      WHERE l.amount <> l.splits - l.returns - l.debts + l.carried_in + l.requeued"),
];

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    v: String,
}

/// A statement with the words of the record, each of which is spelt where it is declared.
fn spelt(query: &str) -> String {
    let documents: Vec<String> =
        ChannelName::ALL.iter().map(|name| format!("'{}'", document_kind(*name))).collect();
    let documents = documents.join(", ");
    let words = [
        ("{receivable}", Account::ChannelReceivable.as_str()),
        ("{differs}", EventKind::AmountDiffers.as_str()),
        ("{entered}", ApartEnd::Entered.as_str()),
        ("{paid}", ledger::Kind::Paid.as_str()),
        ("{success}", RetStatus::Success.as_str()),
        ("{spl}", FileKind::Spl.as_str()),
        ("{documents}", documents.as_str()),
        ("{document}", DifferenceKind::Document.as_str()),
    ];
    words.iter().fold(query.to_owned(), |query, (name, word)| query.replace(name, word))
}

/// What the statements find, told for people; of each kind the first few.
pub(super) fn contradictions(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut breaks = Vec::new();
    for (what, query) in MUST_FIND_NOTHING {
        let found: Vec<Named> = sql_query(format!("{} LIMIT 5", spelt(query))).load(tx.conn())?;
        breaks.extend(found.into_iter().map(|one| format!("{what}: {}", one.v)));
    }
    Ok(breaks)
}

/// Append-only tables that the database does not protect.
pub(super) fn unprotected(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let (query, suffixes) = match tx.conn() {
        Conn::Sqlite(_) => (
            "SELECT name AS v FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT%'",
            ["no_update", "no_delete"],
        ),
        Conn::Pg(_) => (
            "SELECT t.tgname::text AS v FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
             WHERE t.tgenabled IN ('O', 'A') AND p.proname = 'refuse_change'",
            ["no_change", "no_truncate"],
        ),
    };
    let there: Vec<Named> = sql_query(query).load(tx.conn())?;
    let missing = APPEND_ONLY.iter().flat_map(|table| suffixes.map(|suffix| format!("{table}_{suffix}")));
    let mut missing: Vec<String> = missing
        .filter(|trigger| !there.iter().any(|one| one.v == *trigger))
        .map(|trigger| format!("the trigger {trigger} is missing or switched off"))
        .collect();
    if let Conn::Pg(conn) = tx.conn() {
        let bare: Vec<Named> = sql_query(UNPROTECTED_PARTITIONS).load(conn)?;
        missing.extend(bare.iter().map(|part| format!("the partition {} can be truncated", part.v)));
    }
    Ok(missing)
}

/// Row triggers reach partitions, those of TRUNCATE do not.
const UNPROTECTED_PARTITIONS: &str = "SELECT c.relname::text AS v FROM pg_class c
    WHERE c.relispartition AND c.relkind = 'r' AND NOT EXISTS (
      SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE t.tgrelid = c.oid AND t.tgname = c.relname || '_no_truncate' AND t.tgenabled IN ('O', 'A')
        AND p.proname = 'refuse_change')";

/// A message as it was kept.
pub(super) struct Raw {
    pub business_date: i32,
    pub sha256: String,
    pub body: Vec<u8>,
}

/// At most `limit` messages after a key.
pub(super) fn raw_messages(tx: &mut Tx<'_>, after: (i32, &str), limit: i64) -> Result<Vec<Raw>, Error> {
    let rows: Vec<(i32, String, Vec<u8>)> = raw_message::table
        .filter(
            raw_message::business_date
                .gt(after.0)
                .or(raw_message::business_date.eq(after.0).and(raw_message::sha256.gt(after.1))),
        )
        .order((raw_message::business_date.asc(), raw_message::sha256.asc()))
        .limit(limit)
        .select((raw_message::business_date, raw_message::sha256, raw_message::body))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(business_date, sha256, body)| Raw { business_date, sha256, body }).collect())
}

/// A payment beside the message that it rests on.
#[derive(Queryable)]
pub(super) struct Proven {
    pub order_id: i64,
    pub order_no: String,
    pub channel: ChannelName,
    pub inst_order_no: String,
    pub product: Product,
    pub amount: Fen,
    pub merchant_no: String,
    pub paid: Fen,
    pub total: Option<Fen>,
    pub payer_total: Option<Fen>,
    pub particulars: Option<String>,
    pub paid_at: i64,
    pub kind: RawKind,
    pub body: Vec<u8>,
}

impl Proven {
    /// What its order awaits.
    pub(super) fn awaits(&self, institution: InstitutionId) -> Awaits<'_> {
        Awaits {
            order_no: &self.order_no,
            institution_id: institution,
            channel: self.channel,
            product: &self.product,
            merchant_no: &self.merchant_no,
            amount: self.amount,
        }
    }
}

/// At most `limit` payments of an institution after an order's key, with their evidence.
pub(super) fn payments(
    tx: &mut Tx<'_>,
    institution: InstitutionId,
    after: i64,
    limit: i64,
) -> Result<Vec<Proven>, Error> {
    Ok(payment::table
        .inner_join(pay_order::table.on(pay_order::id.eq(payment::order_id)))
        .inner_join(
            raw_message::table.on(raw_message::business_date
                .eq(payment::raw_business_date)
                .and(raw_message::sha256.eq(payment::raw_sha256))),
        )
        .inner_join(
            enrolment::table.on(enrolment::sub_merchant_id
                .eq(pay_order::sub_merchant_id)
                .and(enrolment::institution_id.eq(pay_order::institution_id))),
        )
        .filter(payment::institution_id.eq(institution))
        .filter(payment::order_id.gt(after))
        .order(payment::order_id.asc())
        .limit(limit)
        .select((
            payment::order_id,
            pay_order::order_no,
            payment::channel,
            payment::inst_order_no,
            pay_order::product,
            pay_order::amount,
            enrolment::inst_merchant_no,
            payment::paid,
            payment::total,
            payment::payer_total,
            payment::particulars,
            payment::paid_at,
            raw_message::kind,
            raw_message::body,
        ))
        .load(tx.conn())?)
}

/// Digest and bytes of an institution's bundles.
pub(super) fn bundles(tx: &mut Tx<'_>, institution: InstitutionId) -> Result<Vec<(String, Vec<u8>)>, Error> {
    Ok(approvals_bundle::table
        .filter(approvals_bundle::institution_id.eq(institution))
        .order(approvals_bundle::id.asc())
        .select((approvals_bundle::sha256, approvals_bundle::body))
        .load(tx.conn())?)
}
