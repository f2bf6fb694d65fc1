//! What the platform is filled with: orders over 90 days, growing from day to day, nine in ten of one merchant; of
//! most of them a payment; exchanged files of a thousand days; the splits of one day; settlements and differences.
//!
//! One text for both databases: series, padded numbers and days are spelt by [`Dialect`].
use crate::kernel::calendar::BusinessDay;
use crate::kernel::split::MERCHANT_PATH;

/// Days over which orders are spread.
pub const DAYS: i64 = 90;
/// Days of which files were exchanged.
const FILE_DAYS: i64 = 1_000;
/// How many days ago the day is of which splits are stored.
pub const SPLIT_DAY: i64 = 3;
/// How many days ago the oldest day is of which orders stand unsplit.
const UNSPLIT_DAY: i64 = SPLIT_DAY + 60;
const DAY: i64 = 86_400_000_000;

/// Where the two databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// `t(i)` from `from` to below `to`.
    pub fn series(self, from: &str, to: &str) -> String {
        match self {
            Self::Postgres => format!("generate_series(CAST({from} AS BIGINT), ({to}) - 1) AS t(i)"),
            Self::Sqlite => format!(
                "(WITH RECURSIVE t(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM t WHERE i + 1 < {to}) \
                 SELECT i FROM t) AS t"
            ),
        }
    }

    pub fn pad(self, number: &str, width: usize) -> String {
        match self {
            Self::Postgres => format!("lpad(CAST({number} AS TEXT), {width}, '0')"),
            Self::Sqlite => format!("printf('%0{width}d', {number})"),
        }
    }

    /// The type of bytes.
    pub const fn blob(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
            Self::Postgres => "BYTEA",
        }
    }

    const fn line_end(self) -> &'static str {
        match self {
            Self::Postgres => "chr(10)",
            Self::Sqlite => "char(10)",
        }
    }

    /// The business day of unix microseconds.
    pub fn day(self, micros: &str) -> String {
        match self {
            Self::Postgres => format!(
                "CAST(to_char(to_timestamp(({micros}) / 1000000 + 28800) AT TIME ZONE 'UTC', 'YYYYMMDD') AS INTEGER)"
            ),
            Self::Sqlite => {
                format!("CAST(strftime('%Y%m%d', ({micros}) / 1000000 + 28800, 'unixepoch') AS INTEGER)")
            }
        }
    }
}

/// Who and how much.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    pub dialect: Dialect,
    pub orders: i64,
    pub merchants: i64,
    /// Internal key of the first merchant, the one with nine orders in ten; the others' follow, the last has three.
    pub first_merchant: i64,
    pub institution: i64,
    pub tenant: i64,
    pub credential: i64,
    /// When the last order was placed.
    pub now: i64,
    pub today: BusinessDay,
}

/// Tells a class of ten thousand for each order, other ones than those that choose the merchant.
const CLASS: &str = "(((o.id - 1 + (o.id - 1) / 10000 * 37) * 48271) % 10000)";

impl Fill {
    fn start_of_today(&self) -> i64 {
        crate::clock::micros(self.today.start())
    }

    /// Whether the order of this key is paid: what [`CLASS`] says of it.
    pub const fn is_paid(id: i64) -> bool {
        let place = id.saturating_sub(1);
        (place + place / 10_000 * 37) * 48_271 % 10_000 < 8_500
    }

    /// The day so many days ago.
    pub fn day(&self, ago: i64) -> BusinessDay {
        (0..ago).fold(self.today, |day, _| day.prev())
    }

    /// Statements for the orders from place `from` to below `to`, with their events and payments.
    pub fn orders(&self, from: i64, to: i64) -> Vec<String> {
        let Self { dialect: d, orders, .. } = *self;
        let below = format!("o.id > {from} AND o.id <= {to}");
        let (first, last) = (self.first_merchant, self.merchants.saturating_sub(1));
        let spread = self.merchants.saturating_sub(2);
        let (third, half, end) = (orders / 3, orders / 2, orders.saturating_sub(10));
        let start = crate::clock::micros(self.day(DAYS.saturating_sub(1)).start());
        let span = self.now.saturating_sub(start);
        let (tenant, institution, credential) = (self.tenant, self.institution, self.credential);
        let x = format!("(CAST(i AS DOUBLE PRECISION) / {orders})");
        let event = |kind: &str, after: i64, (reason, prepay): (&str, &str), which: &str| {
            format!(
                "INSERT INTO order_event (order_id, at, kind, reason, prepay) SELECT o.id, o.created_at + {after}, '{kind}', \
                 {reason}, {prepay} FROM pay_order o WHERE {below} AND {which} ORDER BY o.id"
            )
        };
        let mut all = vec![
            format!(
                "INSERT INTO pay_order (id, order_no, platform_merchant_id, out_trade_no, content_sha256, \
                 sub_merchant_id, institution_id, credential_id, channel, product, tags, parties, amount, \
                 description, attach, notify_url, time_expire, created_at) \
                 SELECT i + 1, 'BN' || {no}, {tenant}, 'T' || {out}, {zero}, {first} + CASE \
                 WHEN i IN ({third}, {half}, {end}) THEN {last} WHEN (i * 7919) % 1000 < 900 THEN 0 \
                 ELSE 1 + ((i * 104729) % {spread}) * ((i * 104729) % {spread}) / {spread} END, \
                 {institution}, {credential}, 'wechat', 'native', '', '', 1000 + (i * 7) % 50000, '商品', '', \
                 'http://127.0.0.1:9/n', NULL, {start} + CAST({span} * {x} * (1.6 - 0.6 * {x}) AS BIGINT) FROM {series}",
                no = d.pad("i + 1", 26),
                out = d.pad("i + 1", 12),
                zero = d.pad("0", 64),
                series = d.series(&from.to_string(), &to.to_string()),
            ),
            event("CREATED", 0, ("NULL", "NULL"), "1 = 1"),
            event(
                "UNKNOWN",
                500_000,
                ("'NO_ANSWER'", "NULL"),
                &format!("({CLASS} < 20 OR {CLASS} BETWEEN 9990 AND 9993)"),
            ),
            event("PAYING", 1_000_000, ("NULL", "'weixin://x'"), &format!("{CLASS} < 9990")),
            event("CLOSED", 60_000_000, ("'BY_MERCHANT'", "NULL"), &format!("{CLASS} BETWEEN 9000 AND 9004")),
        ];
        all.extend(self.payments(&below));
        all
    }

    /// Statements that pay most of the orders, with all that comes of a payment.
    fn payments(&self, below: &str) -> Vec<String> {
        let d = self.dialect;
        let paid_day = d.day("o.created_at + 20000000");
        let inst_order_no = format!("'42' || {}", d.pad("o.id", 20));
        let digest = format!("'5e' || {}", d.pad("o.id", 62));
        let paid = format!("{below} AND {CLASS} < 8500");
        vec![
            format!(
                "INSERT INTO payment_key (inst_order_no, order_id, business_date, institution_id, channel) \
                 SELECT {inst_order_no}, o.id, {paid_day}, o.institution_id, o.channel FROM pay_order o WHERE {paid}"
            ),
            format!(
                "INSERT INTO payment (business_date, order_id, inst_order_no, institution_id, sub_merchant_id, \
                 platform_merchant_id, channel, product, paid, paid_at, received_at, raw_business_date, raw_sha256) \
                 SELECT {paid_day}, o.id, {inst_order_no}, o.institution_id, o.sub_merchant_id, o.platform_merchant_id, \
                 o.channel, o.product, o.amount, o.created_at + 20000000, o.created_at + 21000000, {paid_day}, {digest} \
                 FROM pay_order o WHERE {paid}"
            ),
            format!(
                "INSERT INTO raw_message (business_date, sha256, institution_id, kind, received_at, headers, body) \
                 SELECT {paid_day}, {digest}, o.institution_id, 'NOTIFICATION', o.created_at + 21000000, '', \
                 CAST('{{}}' AS {blob}) FROM pay_order o WHERE {paid}",
                blob = d.blob(),
            ),
            format!(
                "INSERT INTO outbox (subject, subject_id, event_id, url, credential_id, created_at, attempts, next_at, \
                 done_at) SELECT 'ORDER_PAID', o.id, 'E' || {event}, o.notify_url, o.credential_id, \
                 o.created_at + 21000000, 1, o.created_at + 36000000, \
                 CASE WHEN {CLASS} < 10 THEN NULL ELSE o.created_at + 22000000 END FROM pay_order o WHERE {paid}",
                event = d.pad("o.id", 25),
            ),
        ]
    }

    /// Statements for the files of all days with the institution's answers; the two newest days wait for theirs.
    pub fn files(&self) -> Vec<String> {
        let (d, institution) = (self.dialect, self.institution);
        let today = self.start_of_today();
        let at = format!("({today} - i * {DAY})");
        let day = d.day(&at);
        let days = d.series("1", &format!("{FILE_DAYS} + 1"));
        let name = |kind: &str, end: &str| format!("'{kind}_BENCH_LOAD_' || {day} || '_0001{end}'");
        let digest = |ago: &str| d.pad(&format!("({ago}) * 10 + k"), 64);
        let answer = |k: i64, answered: &str, end: &str, stage: &str, seq: i64| {
            format!(
                "INSERT INTO file_result (file_id, ret_file_id, stage, seq, code, lines, success_total, created_at, \
                 imported_at) SELECT f.id, r.id, '{stage}', {seq}, 'ACCEPTED', 0, 0, r.created_at, r.recorded_at \
                 FROM exchanged_file f JOIN exchanged_file r ON r.institution_id = f.institution_id \
                 AND r.name = substr(f.name, 1, length(f.name) - 4) || '{end}' \
                 WHERE f.institution_id = {institution} AND f.kind = '{answered}' AND {k} = {k} ORDER BY f.id"
            )
        };
        vec![
            format!(
                "INSERT INTO exchanged_file (institution_id, direction, kind, name, business_date, seq, sha256, size, \
                 orders, lines, total, previous_sha256, created_at, recorded_at) \
                 SELECT {institution}, CASE WHEN k IN (1, 3) THEN 'OUT' ELSE 'IN' END, \
                 CASE k WHEN 0 THEN 'BIL' WHEN 1 THEN 'SPL' WHEN 3 THEN 'STL' ELSE 'RET' END, \
                 CASE k WHEN 0 THEN {bil} WHEN 1 THEN {spl} WHEN 2 THEN {spl_first} WHEN 3 THEN {stl} \
                 WHEN 4 THEN {stl_first} WHEN 5 THEN {stl_final} ELSE {spl_final} END, \
                 {day}, 1, {own}, 1000, 100, 400, 100000, CASE WHEN k IN (1, 3) THEN {previous} END, \
                 {at} + {DAY} + 36000000000 + k * 1000000, {at} + {DAY} + 36000000000 + k * 1000000 \
                 FROM {days} CROSS JOIN (SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 \
                 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6) kinds \
                 WHERE i > 2 OR k < 2 ORDER BY i DESC, k",
                bil = name("BIL", ".txt"),
                spl = name("SPL", ".txt"),
                spl_first = name("SPL", ".first.ret"),
                spl_final = name("SPL", ".final.0001.ret"),
                stl = name("STL", ".txt"),
                stl_first = name("STL", ".first.ret"),
                stl_final = name("STL", ".final.0001.ret"),
                own = digest("i"),
                previous = digest("i + 1"),
            ),
            answer(2, "SPL", ".first.ret", "FIRST", 0),
            answer(4, "STL", ".first.ret", "FIRST", 0),
            answer(5, "STL", ".final.0001.ret", "FINAL", 1),
            answer(6, "SPL", ".final.0001.ret", "FINAL", 1),
            "INSERT INTO settlement_input (file_id, name, sha256, total) SELECT s.id, f.name, f.sha256, f.total \
             FROM exchanged_file s JOIN exchanged_file f ON f.institution_id = s.institution_id \
             AND f.business_date = s.business_date AND f.kind = 'SPL' WHERE s.kind = 'STL'"
                .to_owned(),
            format!(
                "INSERT INTO bill (institution_id, business_date, file_id, sha256, orders, total_paid, recorded_at) \
                 SELECT institution_id, business_date, id, sha256, orders, total, recorded_at FROM exchanged_file \
                 WHERE institution_id = {institution} AND kind = 'BIL' ORDER BY id"
            ),
        ]
    }

    /// Statements for what every merchant was credited, 90 days long; the big one as long as there are files.
    pub fn settlements(&self) -> Vec<String> {
        let d = self.dialect;
        let since = self.day(DAYS).to_i32();
        let merchants = d.series("0", &self.merchants.to_string());
        let number = d.pad("i + 1", 6);
        let which = format!("(i = 0 OR f.business_date >= {since})");
        vec![
            format!(
                "INSERT INTO settlement_line (file_id, n, kind, settlement_id, receiver, inst_receiver_no, role, splits, \
                 returns, debts, carried_in, requeued, amount, order_count, settle_date, reason) \
                 SELECT f.id, i + 1, 'S', 'S' || f.id || '-' || {number}, 'merchant:B' || {number}, '8' || {number}, \
                 'merchant', 1000 + i, 0, 0, 0, 0, 1000 + i, 10, f.business_date, NULL \
                 FROM exchanged_file f CROSS JOIN {merchants} WHERE f.kind = 'STL' AND {which}"
            ),
            format!(
                "INSERT INTO result_line (file_result_id, n, status, amount, inst_serial, path, done_at, err_code, \
                 err_msg) SELECT r.id, i + 1, 'S', 1000 + i, 'I' || f.id || '-' || {number}, 'BANK', '', '', '' \
                 FROM file_result r JOIN exchanged_file f ON f.id = r.file_id CROSS JOIN {merchants} \
                 WHERE r.stage = 'FINAL' AND f.kind = 'STL' AND {which}"
            ),
        ]
    }

    /// Statements for the splits of one day and its result, and for orders of sixty days that could not be split.
    pub fn splits(&self) -> Vec<String> {
        let (d, institution) = (self.dialect, self.institution);
        let day = self.day(SPLIT_DAY).to_i32();
        let mut made = self.partitions();
        let billed = "INSERT INTO bill_order (business_date, institution_id, bill_id, paid_at, inst_order_no, order_no, \
             merchant, channel, product, tags, parties, paid, fee, subsidy, sub_merchant_id)";
        let split = "INSERT INTO split_order (business_date, institution_id, file_id, n, bill_id, paid_at, \
             inst_order_no, reason, rule_id, lines)";
        let lines = format!(
            "'0|platform|platform|' || (b.paid * 6 / 1000) || {line} || '1|agent|agent:A1|' || (b.paid * 3 / 1000) \
             || {line} || '2|supplier|supplier:S1|' || (b.paid * 12 / 100) || {line} \
             || '{MERCHANT_PATH}|merchant|merchant:' || b.merchant || '|' \
             || (b.paid - b.fee - b.paid * 6 / 1000 - b.paid * 3 / 1000 - b.paid * 12 / 100)",
            line = d.line_end(),
        );
        // Orders of the older days: 50 a day, which no rule could split.
        let (oldest, newest) =
            (self.day(UNSPLIT_DAY).to_i32(), self.day(SPLIT_DAY.saturating_add(1)).to_i32());
        let unsplit = format!(
            "FROM exchanged_file f JOIN bill b ON b.institution_id = f.institution_id \
             AND b.business_date = f.business_date CROSS JOIN {fifty} \
             WHERE f.kind = 'SPL' AND f.business_date BETWEEN {oldest} AND {newest}",
            fifty = d.series("0", "50"),
        );
        let (no, inst) = (d.pad("f.id * 50 + i", 26), d.pad("f.id * 50 + i", 20));
        made.extend([
            format!(
                "{billed} SELECT p.business_date, p.institution_id, (SELECT id FROM bill WHERE business_date = {day}), \
                 p.paid_at, p.inst_order_no, o.order_no, m.merchant, p.channel, p.product, '', '', p.paid, \
                 p.paid * 38 / 10000, 0, p.sub_merchant_id FROM payment p JOIN pay_order o ON o.id = p.order_id \
                 JOIN sub_merchant m ON m.id = p.sub_merchant_id WHERE p.business_date = {day}"
            ),
            format!(
                "{split} SELECT b.business_date, b.institution_id, f.id, \
                 row_number() OVER (ORDER BY b.paid_at, b.inst_order_no), b.bill_id, b.paid_at, b.inst_order_no, \
                 NULL, (SELECT max(id) FROM rule_version), {lines} FROM bill_order b \
                 JOIN exchanged_file f ON f.kind = 'SPL' AND f.business_date = b.business_date \
                 WHERE b.business_date = {day}"
            ),
            format!(
                "INSERT INTO result_line (file_result_id, n, status, amount, inst_serial, path, done_at, err_code, \
                 err_msg) SELECT r.id, s.n, 'S', b.paid, '', '', '', '', '' FROM split_order s \
                 JOIN bill_order b ON b.business_date = s.business_date AND b.institution_id = s.institution_id \
                 AND b.bill_id = s.bill_id AND b.paid_at = s.paid_at AND b.inst_order_no = s.inst_order_no \
                 JOIN file_result r ON r.file_id = s.file_id AND r.stage = 'FINAL' WHERE s.business_date = {day}"
            ),
            format!(
                "{billed} SELECT f.business_date, {institution}, b.id, f.created_at - {DAY} - i * 1000000, '43' || {inst}, 'BN' || {no}, \
                 'B000001', 'wechat', 'native', '', '', 5000, 19, 0, {big} {unsplit}",
                big = self.first_merchant,
            ),
            format!(
                "{split} SELECT f.business_date, {institution}, f.id, i + 1, b.id, f.created_at - {DAY} - i * 1000000, '43' || {inst}, \
                 'NO_RULE', NULL, '' {unsplit}"
            ),
            "INSERT INTO unsplit_order SELECT s.file_id, s.n, s.institution_id, s.business_date, b.sub_merchant_id, \
             b.order_no, s.inst_order_no, s.paid_at, b.paid, s.reason FROM split_order s \
             JOIN bill_order b ON b.business_date = s.business_date AND b.institution_id = s.institution_id \
             AND b.bill_id = s.bill_id AND b.paid_at = s.paid_at AND b.inst_order_no = s.inst_order_no \
             WHERE s.reason IS NOT NULL"
                .to_owned(),
        ]);
        made
    }

    /// Where PostgreSQL keeps the days that are cut.
    fn partitions(&self) -> Vec<String> {
        let mut made = Vec::new();
        if self.dialect == Dialect::Postgres {
            for ago in SPLIT_DAY..=UNSPLIT_DAY {
                let of_day = format!("{}, {}", self.day(ago).to_i32(), self.institution);
                for table in ["bill_order", "split_order"] {
                    for step in ["stage_partition", "attach_partition"] {
                        made.push(format!("SELECT {step}('{table}', {of_day})"));
                    }
                }
            }
        }
        made
    }

    /// Statements for differences of many days: one to a hundred orders, 50,000 at most.
    pub fn differences(&self) -> Vec<String> {
        let d = self.dialect;
        let many = (self.orders / 100).min(50_000);
        let at = format!("({} - (1 + i % {DAYS}) * {DAY})", self.start_of_today());
        vec![format!(
            "INSERT INTO difference (institution_id, business_date, kind, inst_order_no, order_no, ours, theirs, found_at) \
             SELECT {institution}, {day}, CASE i % 4 WHEN 0 THEN 'LONG' WHEN 1 THEN 'SHORT' WHEN 2 THEN 'AMOUNT' \
             ELSE 'FACTS' END, '42' || {inst}, 'BN' || {no}, 'paid=1000', 'paid=1001', {at} + {DAY} FROM {series}",
            institution = self.institution,
            day = d.day(&at),
            inst = d.pad("i + 1", 20),
            no = d.pad("i + 1", 26),
            series = d.series("0", &many.to_string()),
        )]
    }
}
