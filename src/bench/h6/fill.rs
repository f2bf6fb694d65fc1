//! Years behind a platform: for each day and institution a bill, split files, their settlement, and all answers; the
//! orders spread evenly over them. Keys follow the days, as if it had all come in order.
use crate::bench::pages::Dialect;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::split::MERCHANT_PATH;

const DAY: i64 = 86_400_000_000;
/// Keys below this one belong to the founding.
const FIRST_KEY: i64 = 1_000;
/// Merchants that take the orders.
pub const MERCHANTS: i64 = 10;

/// How much there is behind.
#[derive(Clone, Debug)]
pub struct Past {
    pub dialect: Dialect,
    /// Days, the oldest is 1.
    pub days: i64,
    /// Split files a day and institution.
    pub files: i64,
    /// Orders of a file.
    pub orders: i64,
    /// Both institutions, with the key of the first merchant of each.
    pub institutions: [(i64, i64); 2],
    pub tenant: i64,
    pub credential: i64,
    /// The day after the newest of them.
    pub end: BusinessDay,
}

impl Past {
    /// Files of a day and institution.
    const fn span(&self) -> i64 {
        self.files.saturating_mul(3).saturating_add(4)
    }

    /// Keys that the past takes: what the product records gets greater ones.
    pub const fn keys(&self) -> i64 {
        FIRST_KEY.saturating_add(self.days.saturating_mul(2).saturating_mul(self.span()))
    }

    /// Orders of all days.
    pub const fn all_orders(&self) -> i64 {
        self.days.saturating_mul(2).saturating_mul(self.per_day())
    }

    const fn per_day(&self) -> i64 {
        self.files.saturating_mul(self.orders)
    }

    /// The number of an order of the newest day.
    pub fn newest_order(&self, n: i64) -> String {
        format!("BN{:026}", self.all_orders().saturating_sub(n.rem_euclid(self.per_day())))
    }

    /// The statements for the days from `from` to `to`, oldest first, of both institutions.
    pub fn days(&self, from: i64, to: i64) -> Vec<String> {
        let mut all = Vec::new();
        for (which, (institution, merchant)) in (0_i64..).zip(self.institutions) {
            all.extend(self.partitions(from, to, institution));
            all.extend(Of { past: self, which, institution, merchant, from, to }.statements());
        }
        all
    }

    fn date(&self, day: i64) -> BusinessDay {
        (day..=self.days).fold(self.end, |day, _| day.prev())
    }

    fn partitions(&self, from: i64, to: i64, institution: i64) -> Vec<String> {
        if self.dialect == Dialect::Sqlite {
            return Vec::new();
        }
        let mut date = self.date(from);
        let mut made = Vec::new();
        for _ in from..=to {
            for table in ["bill_order", "split_order"] {
                for step in ["stage_partition", "attach_partition"] {
                    made.push(format!("SELECT {step}('{table}', {}, {institution})", date.to_i32()));
                }
            }
            date = date.next();
        }
        made
    }
}

/// Some days of one institution.
struct Of<'a> {
    past: &'a Past,
    which: i64,
    institution: i64,
    merchant: i64,
    from: i64,
    to: i64,
}

impl Of<'_> {
    /// `d.i` is a day: its first microsecond.
    fn start(&self) -> String {
        let end = crate::clock::micros(self.past.end.start());
        format!("({end} - ({} - d.i) * {DAY})", self.past.days.saturating_add(1))
    }

    fn date(&self) -> String {
        self.past.dialect.day(&self.start())
    }

    /// The first key of a day's files.
    fn base(&self) -> String {
        let span = self.past.span();
        format!("({FIRST_KEY} + ((d.i - 1) * 2 + {}) * {span})", self.which)
    }

    fn series(&self, name: &str, from: i64, to: i64) -> String {
        let below = to.saturating_add(1).to_string();
        let series = self.past.dialect.series(&from.to_string(), &below);
        format!("(SELECT i FROM {series}) AS {name}")
    }

    fn all_days(&self) -> String {
        self.series("d", self.from, self.to)
    }

    /// The place of an order among all: `k.i` is its file, `n.i` its place there.
    fn order(&self) -> String {
        let (day, file) = (self.past.per_day(), self.past.orders);
        format!("(((d.i - 1) * 2 + {}) * {day} + (k.i - 1) * {file} + n.i)", self.which)
    }

    fn all_orders(&self) -> String {
        let (files, orders) = (self.series("k", 1, self.past.files), self.series("n", 1, self.past.orders));
        format!("{} CROSS JOIN {files} CROSS JOIN {orders}", self.all_days())
    }

    fn statements(&self) -> Vec<String> {
        let mut all = vec![self.file_rows()];
        all.extend(self.answers());
        all.extend(self.placed());
        all.extend(self.cut());
        all.extend(self.settled());
        all
    }

    /// One row a file: the bill, split files, their answers, the settlement and its answers.
    fn file_rows(&self) -> String {
        let (d, files, institution) = (self.past.dialect, self.past.files, self.institution);
        let (date, base, start) = (self.date(), self.base(), self.start());
        let seq = |of: &str| d.pad(of, 4);
        let (spl, stl) = (
            format!("'SPL_B{institution}_LOAD_' || {date}"),
            format!("'STL_B{institution}_LOAD_' || {date} || '_0001.txt'"),
        );
        let split = |from: i64| format!("{spl} || '_' || {} || '.txt'", seq(&format!("(k.i - {from})")));
        let name = format!(
            "CASE WHEN k.i = 0 THEN 'BIL_B{institution}_LOAD_' || {date} || '_0001.txt' \
             WHEN k.i <= {files} THEN {} WHEN k.i <= {files} * 2 THEN {} || '.first.ret' \
             WHEN k.i <= {files} * 3 THEN {} || '.final.0001.ret' WHEN k.i = {files} * 3 + 1 THEN {stl} \
             WHEN k.i = {files} * 3 + 2 THEN {stl} || '.first.ret' ELSE {stl} || '.final.0001.ret' END",
            split(0),
            split(files),
            split(files.saturating_mul(2)),
        );
        let last = self.past.files.saturating_mul(3).saturating_add(3);
        format!(
            "INSERT INTO exchanged_file (id, institution_id, direction, kind, name, business_date, seq, sha256, size, \
             orders, lines, total, previous_sha256, created_at, recorded_at) \
             SELECT {base} + k.i, {institution}, CASE WHEN k.i BETWEEN 1 AND {files} OR k.i = {files} * 3 + 1 THEN 'OUT' \
             ELSE 'IN' END, CASE WHEN k.i = 0 THEN 'BIL' WHEN k.i <= {files} THEN 'SPL' WHEN k.i = {files} * 3 + 1 \
             THEN 'STL' ELSE 'RET' END, {name}, {date}, CASE WHEN k.i BETWEEN 1 AND {files} THEN k.i ELSE 1 END, \
             {own}, 1000, CASE WHEN k.i = {files} * 3 + 1 THEN {MERCHANTS} ELSE {orders} END, {orders} * 4, 100000, \
             CASE WHEN k.i BETWEEN 1 AND {files} OR k.i = {files} * 3 + 1 THEN {before} END, \
             {start} + {DAY} + 36000000000 + k.i, {start} + {DAY} + 36000000000 + k.i FROM {days} CROSS JOIN {kinds}",
            own = d.pad(&format!("({base} + k.i)"), 64),
            before = d.pad(&format!("({base} + k.i - 1)"), 64),
            orders = self.past.orders,
            days = self.all_days(),
            kinds = self.series("k", 0, last),
        )
    }

    fn answers(&self) -> Vec<String> {
        let (files, base, start, days) = (self.past.files, self.base(), self.start(), self.all_days());
        let (orders, spls) = (self.past.orders, self.series("k", 1, files));
        let result = |answered: &str, ret: &str, stage: &str, seq: i64, lines: i64, of: &str| {
            format!(
                "INSERT INTO file_result (id, file_id, ret_file_id, stage, seq, code, lines, success_total, created_at, \
                 imported_at) SELECT {base} + {ret}, {base} + {answered}, {base} + {ret}, '{stage}', {seq}, 'ACCEPTED', \
                 {lines}, 0, {start} + {DAY} + 37000000000, {start} + {DAY} + 37000000000 FROM {of}"
            )
        };
        let each = format!("{days} CROSS JOIN {spls}");
        let (stl, first, last) =
            (format!("{files} * 3 + 1"), format!("{files} * 3 + 2"), format!("{files} * 3 + 3"));
        vec![
            result("k.i", &format!("{files} + k.i"), "FIRST", 0, 0, &each),
            result("k.i", &format!("{files} * 2 + k.i"), "FINAL", 1, orders, &each),
            result(&stl, &first, "FIRST", 0, 0, &days),
            result(&stl, &last, "FINAL", 1, MERCHANTS, &days),
            format!(
                "INSERT INTO result_line (file_result_id, n, status, amount, inst_serial, path, done_at, err_code, err_msg) \
                 SELECT {base} + {files} * 2 + k.i, n.i, 'S', 0, '', '', '', '', '' FROM {}",
                self.all_orders()
            ),
            format!(
                "INSERT INTO result_line (file_result_id, n, status, amount, inst_serial, path, done_at, err_code, err_msg) \
                 SELECT {base} + {last}, k.i, 'S', 1000, '', '', '', '', '' FROM {days} CROSS JOIN {}",
                self.series("k", 1, MERCHANTS)
            ),
        ]
    }

    /// Orders, placed and paid.
    fn placed(&self) -> Vec<String> {
        let (d, order, start, date, from) =
            (self.past.dialect, self.order(), self.start(), self.date(), self.all_orders());
        let (tenant, credential, institution) = (self.past.tenant, self.past.credential, self.institution);
        let merchant = format!("{} + {order} % {MERCHANTS}", self.merchant);
        let paid_at = format!("({start} + (k.i * 1000 + n.i) * 1000000)");
        let (inst_no, digest) = (format!("'42' || {}", d.pad(&order, 20)), d.pad(&order, 64));
        vec![
            format!(
                "INSERT INTO pay_order (id, order_no, platform_merchant_id, out_trade_no, content_sha256, sub_merchant_id, \
                 institution_id, credential_id, channel, product, tags, parties, amount, description, attach, notify_url, \
                 created_at) SELECT {order}, 'BN' || {no}, {tenant}, 'T' || {no}, {digest}, {merchant}, {institution}, \
                 {credential}, 'wechat', 'native', '', '', 1000, '商品', '', 'http://127.0.0.1:9/n', {paid_at} FROM {from}",
                no = d.pad(&order, 26),
            ),
            format!(
                "INSERT INTO order_event (order_id, at, kind) SELECT {order}, {paid_at}, 'CREATED' FROM {from}"
            ),
            format!(
                "INSERT INTO payment_key (inst_order_no, order_id, business_date, institution_id, channel) \
                 SELECT {inst_no}, {order}, {date}, {institution}, 'wechat' FROM {from}"
            ),
            format!(
                "INSERT INTO raw_message (business_date, sha256, institution_id, kind, received_at, headers, body) \
                 SELECT {date}, {digest}, {institution}, 'NOTIFICATION', {paid_at}, '', CAST('{{}}' AS {}) FROM {from}",
                d.blob()
            ),
            format!(
                "INSERT INTO payment (business_date, order_id, inst_order_no, institution_id, sub_merchant_id, \
                 platform_merchant_id, channel, product, paid, paid_at, received_at, raw_business_date, raw_sha256) \
                 SELECT {date}, {order}, {inst_no}, {institution}, {merchant}, {tenant}, 'wechat', 'native', 1000, \
                 {paid_at}, {paid_at}, {date}, {digest} FROM {from}"
            ),
        ]
    }

    /// The bill and the splits of every order.
    fn cut(&self) -> Vec<String> {
        let (d, order, start, date, from, base) =
            (self.past.dialect, self.order(), self.start(), self.date(), self.all_orders(), self.base());
        let (institution, files) = (self.institution, self.past.files);
        let paid_at = format!("({start} + (k.i * 1000 + n.i) * 1000000)");
        let inst_no = format!("'42' || {}", d.pad(&order, 20));
        let number = d.pad(&format!("({order} % {MERCHANTS} + 1)"), 6);
        let every = format!("{} CROSS JOIN {}", self.all_days(), self.series("k", 1, files));
        vec![
            format!(
                "INSERT INTO bill (id, institution_id, business_date, file_id, sha256, orders, total_paid, recorded_at) \
                 SELECT {base}, {institution}, {date}, {base}, {}, {}, 100000, {start} + {DAY} FROM {}",
                d.pad(&base, 64),
                self.past.per_day(),
                self.all_days(),
            ),
            format!(
                "INSERT INTO bill_order (business_date, institution_id, bill_id, paid_at, inst_order_no, order_no, merchant, \
                 channel, product, tags, parties, paid, fee, subsidy, sub_merchant_id) \
                 SELECT {date}, {institution}, {base}, {paid_at}, {inst_no}, 'BN' || {no}, 'B' || {number}, 'wechat', \
                 'native', '', '', 1000, 4, 0, {merchant} + {order} % {MERCHANTS} FROM {from}",
                no = d.pad(&order, 26),
                merchant = self.merchant,
            ),
            format!(
                "INSERT INTO split_order (business_date, institution_id, file_id, n, bill_id, paid_at, inst_order_no, reason, \
                 rule_id, lines) SELECT {date}, {institution}, {base} + k.i, n.i, {base}, {paid_at}, {inst_no}, NULL, \
                 (SELECT max(id) FROM rule_version), '{MERCHANT_PATH}|merchant|merchant:B' || {number} || '|996' FROM {from}"
            ),
            format!(
                "INSERT INTO day_cut (institution_id, business_date, seq, bill_id, approvals_sha256, created_at, more) \
                 SELECT {institution}, {date}, k.i, {base}, {}, {start} + {DAY}, CASE WHEN k.i < {files} THEN 1 ELSE 0 END \
                 FROM {every}",
                d.pad("0", 64)
            ),
        ]
    }

    /// What was settled, and where the files stand.
    fn settled(&self) -> Vec<String> {
        let (d, date, base, start, days) =
            (self.past.dialect, self.date(), self.base(), self.start(), self.all_days());
        let (institution, files, orders) = (self.institution, self.past.files, self.past.orders);
        let number = d.pad("k.i", 6);
        let merchants = self.series("k", 1, MERCHANTS);
        let mut all = vec![
            format!(
                "INSERT INTO settlement_input (file_id, name, sha256, total) SELECT {base} + {files} * 3 + 1, f.name, f.sha256, \
                 f.total FROM {days} CROSS JOIN {} JOIN exchanged_file f ON f.id = {base} + k.i",
                self.series("k", 1, files)
            ),
            format!(
                "INSERT INTO settlement_line (file_id, n, kind, settlement_id, receiver, inst_receiver_no, role, splits, \
                 returns, debts, carried_in, requeued, amount, order_count, settle_date) \
                 SELECT {base} + {files} * 3 + 1, k.i, 'S', 'S' || ({base} + {files} * 3 + 1) || '-' || {number}, \
                 'merchant:B' || {number}, '8' || {number}, 'merchant', 1000, 0, 0, 0, 0, 1000, 10, {date} \
                 FROM {days} CROSS JOIN {merchants}"
            ),
            format!(
                "INSERT INTO file_standing (file_id, institution_id, kind, state, expected, succeeded, failed, pending, \
                 bounced, run_complete, answered_at, settled_by) SELECT {base} + k.i, {institution}, 'SPL', 'EXECUTED', \
                 {orders}, {orders}, 0, 0, 0, 1, {start} + {DAY} + 37000000000, {base} + {files} * 3 + 1 \
                 FROM {days} CROSS JOIN {}",
                self.series("k", 1, files)
            ),
            format!(
                "INSERT INTO file_standing (file_id, institution_id, kind, state, expected, succeeded, failed, pending, \
                 bounced, run_complete, answered_at, settled_by) SELECT {base} + {files} * 3 + 1, {institution}, 'STL', \
                 'EXECUTED', {MERCHANTS}, {MERCHANTS}, 0, 0, 0, 1, {start} + {DAY} + 37000000000, {base} + {files} * 3 + 1 \
                 FROM {days}"
            ),
        ];
        for state in ["CUT", "CLOSED"] {
            all.push(format!(
                "INSERT INTO custody_day (institution_id, business_date, state, evidence, at) \
                 SELECT {institution}, {date}, '{state}', 'past', {start} + {DAY} FROM {days}"
            ));
        }
        all
    }
}
