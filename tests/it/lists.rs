//! Lists at size: no query of a page or of a job reads a large table through, whatever is looked for.
//!
//! The statements that the product really sends are recorded at its connections and explained by the database itself:
//! on PostgreSQL as generic plans, which know nothing of what is asked for and go wrong first.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use mingfen::db::columns::OrderId;
use mingfen::exchange::Folder;
use mingfen::kernel::money::Fen;
use mingfen::kernel::state::OrderState;
use mingfen::merchants;
use mingfen::orders::{self, Cursor, EVENTS, Filter, PAGE, REACH, Stuck};
use mingfen::people::{Role, Scope};
use mingfen::{exchange, settlement, tasks};

use crate::support::PASSWORD;
use crate::support::acting::Acting;
use crate::support::database::{Kind, Raw};
use crate::support::finished_day::FinishedDay;
use crate::support::shop::Shop;

const ORDERS: i64 = 24_000;
/// Tables that grow with the orders, and that the tests fill.
const LARGE: [&str; 16] = [
    "pay_order",
    "order_event",
    "payment_key",
    "payment",
    "payment_default",
    "raw_message",
    "outbox",
    "difference",
    "settlement_line",
    "unsplit_order",
    "exchanged_file",
    "file_result",
    "file_standing",
    "result_line",
    "settlement_input",
    "task",
];
/// Split files of the past, each answered and settled.
const FILES: i64 = 6_000;

/// Statements by the database that they were sent to, for those that are watched.
static SENT: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

#[derive(Default)]
struct Recorder {
    url: String,
}

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.url = url.to_owned(),
            InstrumentationEvent::StartQuery { query, .. } => {
                let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
                let watched = sent.iter_mut().flatten().find(|(url, _)| self.url.contains(url.as_str()));
                if let Some((_, statements)) = watched {
                    statements.push(query.to_string());
                }
            }
            _ => {}
        }
    }
}

/// Records at every connection that is opened from now on.
fn record() {
    set_default_instrumentation(|| Some(Box::<Recorder>::default())).unwrap();
}

fn watch(url: &str) {
    let key = url.strip_prefix("sqlite:").unwrap_or(url).to_owned();
    SENT.lock().unwrap().get_or_insert_default().insert(key, Vec::new());
}

/// Every statement that was sent to a watched database since it was last asked.
fn all_sent(url: &str) -> Vec<String> {
    let key = url.strip_prefix("sqlite:").unwrap_or(url);
    let mut all = SENT.lock().unwrap();
    std::mem::take(all.as_mut().unwrap().get_mut(key).unwrap())
}

/// [`all_sent`] that asks for something, each statement once.
fn sent(url: &str) -> Vec<String> {
    let mut statements = all_sent(url);
    for statement in &mut statements {
        statement.truncate(statement.find(" -- binds").unwrap_or(statement.len()));
    }
    statements.retain(|statement| statement.starts_with("SELECT"));
    statements.sort();
    statements.dedup();
    statements
}

/// The database's own plan, a line for each step.
fn plan(raw: &mut Raw, sql: &str) -> Vec<String> {
    match raw {
        Raw::Sqlite(_) => {
            // The steps are a table-valued function's rows; parameters need no value to be planned.
            raw.explained(&format!("EXPLAIN QUERY PLAN {sql}"))
        }
        Raw::Pg(_) => {
            let many = (1..100).take_while(|n| sql.contains(&format!("${n}"))).count();
            let values =
                if many == 0 { String::new() } else { format!("({})", vec!["NULL"; many].join(",")) };
            raw.execute("DEALLOCATE ALL; SET plan_cache_mode = force_generic_plan").unwrap();
            raw.execute(&format!("PREPARE asked AS {sql}")).unwrap();
            raw.explained(&format!("EXPLAIN (COSTS OFF) EXECUTE asked{values}"))
        }
    }
}

/// Steps that read a large table through.
fn walks(raw: &mut Raw, sql: &str) -> Vec<String> {
    let steps = plan(raw, sql);
    // SQLite tells a walk in the order of an index, or of the key, as a scan: it ends when the page is full.
    let ends = sql.contains("LIMIT") && !steps.iter().any(|step| step.contains("USE TEMP B-TREE"));
    let through = |step: &String, table: &str| {
        let of_table = |word: &str| {
            let rest = step.split(&format!("{word}{table}")).nth(1);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let walk = step.contains(" USING ") || sql.contains(&format!("ORDER BY `{table}`.`id`"));
        of_table("Seq Scan on ") || (of_table("SCAN ") && !(ends && walk))
    };
    let bad = steps.iter().filter(|step| LARGE.iter().any(|table| through(step, table)));
    let mut bad: Vec<String> = bad.map(|step| format!("{step}: {sql}")).collect();
    // To walk all events in the order of the list and drop the others is no way to find the rare ones.
    if sql.contains("order_event.kind = '") && !steps.iter().any(|step| step.contains("order_event_by_kind"))
    {
        bad.push(format!("{steps:?}: {sql}"));
    }
    bad
}

/// A platform on which one merchant takes all traffic: orders over sixty days, three in four paid; the oldest one is
/// still CREATED, the one after it UNKNOWN. Another merchant has three orders.
async fn crowded() -> Shop {
    record();
    let shop = Shop::open().await;
    let mut raw = Raw::open(shop.app.database_url());
    type Series = fn(i64) -> String;
    type Pad = fn(&str, i64) -> String;
    let (series, day, pad): (Series, _, Pad) = match Kind::of_this_run() {
        Kind::Postgres => (
            |to| format!("generate_series(CAST(1 AS BIGINT), {to}) AS t(i)"),
            "CAST(to_char(to_timestamp(created_at / 1000000 + 28800) AT TIME ZONE 'UTC', 'YYYYMMDD') AS INTEGER)",
            |number, width| format!("lpad(CAST({number} AS TEXT), {width}, '0')"),
        ),
        Kind::Sqlite => (
            |to| {
                format!(
                    "(WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < {to}) SELECT i FROM t)"
                )
            },
            "CAST(strftime('%Y%m%d', created_at / 1000000 + 28800, 'unixepoch') AS INTEGER)",
            |number, width| format!("printf('%0{width}d', {number})"),
        ),
    };
    let (now, step) = (shop.app.clock.now(), 60 * 86_400_000_000 / ORDERS);
    let (tenant, institution) = (shop.tenant_id, shop.institution_id);
    let busy = "(SELECT id FROM sub_merchant WHERE merchant = 'M1001')";
    let quiet = "(SELECT id FROM sub_merchant WHERE merchant = 'M1009')";
    let zeros = "0".repeat(64);
    for sql in [
        format!(
            "INSERT INTO pay_order (id, order_no, platform_merchant_id, out_trade_no, content_sha256, sub_merchant_id, \
             institution_id, credential_id, channel, product, tags, parties, amount, description, attach, notify_url, \
             created_at) SELECT i, 'SB' || {no}, {tenant}, 'T' || {no}, '{zeros}', \
             CASE WHEN i IN (100, 200, 300) THEN {quiet} ELSE {busy} END, {institution}, 1, 'wechat', 'native', '', '', \
             100, 'x', '', 'http://127.0.0.1:9/', {now} - ({ORDERS} - i) * {step} FROM {all}",
            no = pad("i", 26),
            all = series(ORDERS),
        ),
        "INSERT INTO order_event (order_id, at, kind) \
         SELECT id, created_at, 'CREATED' FROM pay_order ORDER BY id"
            .to_owned(),
        "INSERT INTO order_event (order_id, at, kind, reason, prepay) SELECT id, created_at + 1, \
         CASE id WHEN 2 THEN 'UNKNOWN' ELSE 'PAYING' END, CASE id WHEN 2 THEN 'NO_ANSWER' END, \
         CASE WHEN id <> 2 THEN 'x' END FROM pay_order WHERE id > 1 ORDER BY id"
            .to_owned(),
        format!(
            "INSERT INTO payment_key (inst_order_no, order_id, business_date, institution_id, channel) \
             SELECT '42' || {no}, id, {day}, institution_id, channel FROM pay_order WHERE id > 2 AND id % 4 > 0",
            no = pad("id", 20)
        ),
        format!(
            "INSERT INTO raw_message (business_date, sha256, institution_id, kind, received_at, headers, body) \
             SELECT {day}, {no}, institution_id, 'NOTIFICATION', created_at, '', CAST('x' AS {blob}) FROM pay_order \
             WHERE id > 2 AND id % 4 > 0",
            no = pad("id", 64),
            blob = if Kind::of_this_run() == Kind::Sqlite { "BLOB" } else { "BYTEA" },
        ),
        format!(
            "INSERT INTO payment (business_date, order_id, inst_order_no, institution_id, sub_merchant_id, \
             platform_merchant_id, channel, product, paid, paid_at, received_at, raw_business_date, raw_sha256) \
             SELECT {day}, id, '42' || {no}, institution_id, sub_merchant_id, {tenant}, channel, product, amount, \
             created_at, created_at, {day}, {digest} FROM pay_order WHERE id > 2 AND id % 4 > 0",
            no = pad("id", 20),
            digest = pad("id", 64),
        ),
        format!(
            "INSERT INTO outbox (subject, subject_id, event_id, url, credential_id, created_at, attempts, next_at, \
             done_at) SELECT 'ORDER_PAID', id, {no}, 'x', 1, created_at, 1, created_at, \
             created_at FROM pay_order WHERE id > 2 AND id % 4 > 0",
            no = pad("id", 26),
        ),
        format!(
            "INSERT INTO difference (institution_id, business_date, kind, inst_order_no, order_no, found_at) \
             SELECT {institution}, 20260101, 'LONG', 'D' || i, 'D' || i, 1 FROM {all}",
            all = series(9_000),
        ),
        format!(
            "INSERT INTO exchanged_file (institution_id, direction, kind, name, business_date, seq, sha256, size, orders, \
             lines, total, previous_sha256, created_at, recorded_at) SELECT {institution}, 'OUT', 'STL', 'STL_' || i, \
             {stl_day}, 1, {own}, 1, 1, 1, 1, {before}, 1, 1 FROM {all}",
            stl_day = nth_day(20_260_101, "i"),
            own = pad("i", 64),
            before = pad("i - 1", 64),
            all = series(90),
        ),
        format!(
            "INSERT INTO settlement_line (file_id, n, kind, settlement_id, receiver, splits, returns, debts, carried_in, \
             requeued, amount, order_count) SELECT f.id, i, 'S', f.id || '-' || i, \
             CASE i WHEN 1 THEN 'merchant:M1001' ELSE 'merchant:X' || i END, 1, 0, 0, 0, 0, 1, 1 \
             FROM exchanged_file f CROSS JOIN {all} WHERE f.kind = 'STL'",
            all = series(100),
        ),
        format!(
            "INSERT INTO unsplit_order SELECT f.id, i, {institution}, f.business_date, \
             CASE i WHEN 1 THEN (SELECT id FROM sub_merchant WHERE merchant = 'M1001') END, 'U' || i, 'U' || i, 1, 1, \
             'NO_RULE' FROM exchanged_file f CROSS JOIN {all} WHERE f.kind = 'STL'",
            all = series(100),
        ),
        format!(
            "INSERT INTO task (kind, subject, asked_by, asked_at, state, lease, holder, attempts, phase, done, started_at, \
             ended_at) SELECT 'CUT', 'X ' || i, 'system', 1, 'DONE', 'days of X', '', 1, 'BEGUN', 0, 1, \
             1900000000000000 + i FROM {all}",
            all = series(FILES),
        ),
    ]
    .into_iter()
    .chain(past(institution.get(), series(FILES), pad))
    {
        raw.execute(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
    if Kind::of_this_run() == Kind::Postgres {
        raw.execute("ANALYZE").unwrap();
    }
    shop
}

/// The day so many days after the first of a year, in SQL; the first 28 days of each month.
fn nth_day(first: i32, n: &str) -> String {
    format!("{first} + {n} / 28 * 100 + ({n}) % 28")
}

/// Split files that were answered, and settled by the last settlement.
fn past(institution: i64, all: String, pad: fn(&str, i64) -> String) -> Vec<String> {
    let file = |kind: &str, way: &str, end: &str, own: String, before: String| {
        format!(
            "INSERT INTO exchanged_file (institution_id, direction, kind, name, business_date, seq, sha256, size, orders, \
             lines, total, previous_sha256, created_at, recorded_at) SELECT {institution}, '{way}', '{kind}', \
             'SPL_' || i || '{end}', {day}, i % 20 + 1, {own}, 1, 1, 1, 1, {before}, 1, 1 FROM {all}",
            day = nth_day(20_240_101, "i / 20"),
        )
    };
    let of = |ret: &str| {
        format!(
            "FROM exchanged_file f JOIN exchanged_file r ON r.institution_id = f.institution_id \
             AND r.name = f.name || '{ret}' WHERE f.kind = 'SPL'"
        )
    };
    vec![
        file("SPL", "OUT", "", pad("i + 100000", 64), pad("i + 99999", 64)),
        file("RET", "IN", ".first", pad("i + 200000", 64), "NULL".to_owned()),
        file("RET", "IN", ".final", pad("i + 300000", 64), "NULL".to_owned()),
        format!(
            "INSERT INTO file_result (file_id, ret_file_id, stage, seq, code, lines, success_total, created_at, imported_at) \
             SELECT f.id, r.id, 'FIRST', 0, 'ACCEPTED', 0, 0, 1, 1 {}",
            of(".first")
        ),
        format!(
            "INSERT INTO file_result (file_id, ret_file_id, stage, seq, code, lines, success_total, created_at, imported_at) \
             SELECT f.id, r.id, 'FINAL', 1, 'ACCEPTED', 1, 1, 1, 1 {}",
            of(".final")
        ),
        "INSERT INTO result_line (file_result_id, n, status, amount, inst_serial, path, done_at, err_code, err_msg) \
         SELECT id, 1, 'S', 1, '', '', '', '', '' FROM file_result WHERE stage = 'FINAL'"
            .to_owned(),
        "INSERT INTO settlement_input (file_id, name, sha256, total) SELECT \
         (SELECT max(id) FROM exchanged_file WHERE kind = 'STL'), name, sha256, 1 FROM exchanged_file WHERE kind = 'SPL'"
            .to_owned(),
        "INSERT INTO file_standing (file_id, institution_id, kind, state, expected, succeeded, failed, pending, bounced, \
         run_complete, answered_at, settled_by) SELECT id, institution_id, kind, 'EXECUTED', 1, 1, 0, 0, 0, 1, 1, \
         (SELECT max(id) FROM exchanged_file WHERE kind = 'STL') FROM exchanged_file WHERE direction = 'OUT'"
            .to_owned(),
    ]
}

async fn scope_of(shop: &Shop, merchant: &'static str) -> Scope {
    let found = shop.app.db.read(move |tx| merchants::by_number(tx, merchant)).await.unwrap();
    Scope::Merchant(found.unwrap().id)
}

#[actix_web::test]
async fn no_page_and_no_job_reads_a_large_table_through() {
    let shop = crowded().await;
    let (busy, url) = (scope_of(&shop, "M1001").await, shop.app.database_url().to_owned());
    watch(&url);
    let mut raw = Raw::open(&url);
    let mut complaints = Vec::new();
    let filters = [
        "",
        "?after=1700000000000000-5",
        "?state=CREATED",
        "?state=PAYING",
        "?state=UNKNOWN",
        "?state=PAID",
        "?state=CLOSED",
        "?from=2026-01-01&to=2026-01-02",
        "?state=UNKNOWN&from=2020-01-01&to=2099-01-01",
        "?merchant=M1009",
        "?merchant=M1001&state=PAYING",
        "?id=T00000000000000000000000007",
        "?id=nothing",
    ];
    let order = format!("SB{:026}", 7);
    let listed = |list: &str| filters.map(|filter| format!("{list}{filter}"));
    let mut of_platform =
        vec!["/admin".to_owned(), "/admin/rules".to_owned(), "/admin/exceptions".to_owned()];
    of_platform.extend(["/admin/files".to_owned(), "/admin/files?day=2026-01-05&before=50".to_owned()]);
    of_platform.extend(listed("/admin/orders"));
    of_platform.push(format!("/admin/orders/{order}"));
    let mut of_merchant = vec!["/merchant".to_owned(), "/merchant/settlements?before=60".to_owned()];
    of_merchant.extend(listed("/merchant/orders"));
    of_merchant.push(format!("/merchant/orders/{order}"));
    let of_institution = vec!["/institution".to_owned(), "/institution?before=60".to_owned()];
    for (login, role, scope, pages) in [
        ("ops", Role::Admin, Scope::Platform, of_platform),
        ("busy", Role::Merchant, busy, of_merchant),
        ("inst", Role::InstMaker, Scope::Institution(shop.institution_id), of_institution),
    ] {
        shop.app.user(login, role, scope);
        let mut reader = Acting::at(&shop.base_url);
        assert_eq!(reader.log_in(login, PASSWORD).await.status, 303);
        sent(&url);
        for page in pages {
            assert_eq!(reader.get(&page).await.status, 200, "{page}");
            let statements = sent(&url);
            assert!(statements.len() > 1, "{page} asks {statements:?}");
            let bad = statements.iter().flat_map(|sql| walks(&mut raw, sql));
            complaints.extend(bad.map(|step| format!("{page}: {step}")));
        }
    }
    let now = shop.app.clock.now();
    let stuck = Stuck {
        institution: shop.institution_id,
        unknown_since: 0,
        created_since: now - 900_000_000,
        created_before: now,
    };
    let found = shop.app.db.read(move |tx| orders::unresolved(tx, &stuck)).await.unwrap();
    assert_eq!(found.into_values().flatten().map(OrderId::get).collect::<Vec<_>>(), [2]);
    mingfen::notices::deliver(&shop.app).await.unwrap();
    let (institution, at) = (shop.institution_id, shop.app.clock.instant());
    let folder = Folder::new(&shop.app.config.data_dir, "SANDBOX");
    let gate = move |tx: &mut mingfen::db::Tx<'_>| {
        let day = settlement::due_day(at);
        settlement::stands_still(tx, institution, at)?;
        settlement::settled(tx, institution, day)?;
        exchange::requeued(tx, institution)?;
        exchange::known(tx, institution, &["STL_7".to_owned()])?;
        assert_eq!(settlement::open_days(tx, institution, &folder, day.prev(), day)?.len(), 2);
        settlement::gate(tx, institution, day)
    };
    shop.app.db.read(gate).await.unwrap();
    tasks::forget_tasks(&shop.app).await.unwrap();
    let statements = sent(&url);
    assert!(statements.len() > 3, "{statements:?}");
    complaints.extend(statements.iter().flat_map(|sql| walks(&mut raw, sql)));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));

    // And it would be noticed.
    for bad in [
        "SELECT id FROM pay_order WHERE description = 'x'",
        "SELECT count(*) FROM order_event",
        "SELECT paid FROM payment WHERE received_at = 1",
    ] {
        assert!(!walks(&mut raw, bad).is_empty(), "{bad}");
    }
}

type Questions = BTreeMap<&'static str, Vec<String>>;

/// What jobs, gate and pages ask when nothing is open.
async fn questions(f: &FinishedDay) -> Questions {
    let (app, url) = (&f.world.app, f.world.app.config.database_url.clone());
    let (institution, at) = (f.world.institution, app.clock.instant());
    let mut asked = Questions::new();
    let mut note = |what| {
        let mut statements = all_sent(&url);
        statements.retain(|sql| sql.starts_with("SELECT") && !sql.contains("job_lease"));
        for statement in &mut statements {
            statement.truncate(statement.find(" -- binds").unwrap_or(statement.len()));
        }
        asked.insert(what, statements);
    };
    // What is new is looked at once.
    tasks::import_files(app).await.unwrap();
    note("import");
    assert_eq!(tasks::import_files(app).await.unwrap(), 0);
    note("import");
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    note("daily round");
    app.db.read_blocking(|tx| settlement::stands_still(tx, institution, at)).unwrap();
    app.db.read_blocking(|tx| settlement::gate(tx, institution, settlement::due_day(at).next())).unwrap();
    note("gate");
    for (what, role, page) in [("desk", "ADMIN", "/admin"), ("inbox", "INST_MAKER", "/institution")] {
        let who = f.world.logins.iter().find(|login| login.role == role).unwrap();
        let mut reader = Acting::at(&f.world.site_url);
        assert_eq!(reader.log_in(&who.login, &who.password).await.status, 303);
        note(what);
        assert_eq!(reader.get(page).await.status, 200);
        note(what);
    }
    asked
}

#[actix_web::test]
async fn no_more_is_asked_when_more_days_are_over() {
    record();
    let f = FinishedDay::new(4).await;
    watch(&f.world.app.config.database_url);
    let mut asked = Vec::new();
    // Enough for lists to be full at first, then more.
    for many in [5, 4] {
        for _ in 0..many {
            let day = f.world.app.clock.today();
            f.world.app.clock.set(day.next().start().plus(11 * 3600));
            mingfen::cli::demo::close(&f.world, day).await.unwrap();
        }
        asked.push(questions(&f).await);
    }
    let (few, more) = (&asked[0], &asked[1]);
    assert_eq!(few.len(), 5);
    assert!(few["daily round"].len() > 3, "{:?}", few["daily round"]);
    assert!(!few["import"].iter().any(|sql| sql.contains("exchanged_file")), "{:?}", few["import"]);
    // A list of keys is one question, however many keys: those of the days that the round reaches back.
    let shapes = |statements: &[String]| -> Vec<String> {
        statements.iter().map(|sql| sql.replace(", ?", "").replace("?, ", "")).collect()
    };
    for (what, statements) in few {
        assert_eq!(shapes(statements), shapes(&more[what]), "{what}");
    }
    f.stop().await;
}

/// Every page of a list, and how many there were.
async fn all_pages(shop: &Shop, scope: Scope, state: OrderState) -> (Vec<i64>, usize) {
    let (mut ids, mut pages, mut after): (Vec<i64>, usize, Option<Cursor>) = (Vec::new(), 0, None);
    loop {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let page = shop.app.db.read(move |tx| orders::list(tx, &scope, &filter, after)).await.unwrap();
        assert!(page.rows.iter().all(|row| row.state == state));
        assert!(!page.goes_on || (page.next.is_some() && i64::try_from(page.rows.len()).unwrap() <= PAGE));
        ids.extend(page.rows.iter().map(|row| row.order.id.get()));
        (pages, after) = (pages + 1, page.next);
        if after.is_none() {
            return (ids, pages);
        }
    }
}

#[actix_web::test]
async fn a_rare_state_is_found_at_once_by_its_events_or_by_going_on() {
    let shop = crowded().await;
    // The oldest of all: a page looks at so many orders and goes on.
    let most = usize::try_from(ORDERS).unwrap() / REACH + 1;
    let (ids, pages) = all_pages(&shop, Scope::Platform, OrderState::Created).await;
    assert_eq!(ids, [1]);
    assert!(pages > 2 && pages <= most, "{pages}");
    assert_eq!(all_pages(&shop, Scope::Platform, OrderState::Unknown).await, (vec![2], 1));
    assert_eq!(all_pages(&shop, Scope::Platform, OrderState::Closed).await, (vec![], 1));
    let (ids, _) = all_pages(&shop, Scope::Platform, OrderState::Paying).await;
    let unpaid: Vec<i64> = (3..=ORDERS).rev().filter(|id| id % 4 == 0).collect();
    assert_eq!(ids, unpaid);
    // One merchant takes all traffic: the other's list is whole on its first page.
    let quiet = scope_of(&shop, "M1009").await;
    assert_eq!(all_pages(&shop, quiet, OrderState::Paying).await, (vec![300, 200, 100], 1));
    assert_eq!(all_pages(&shop, quiet, OrderState::Paid).await, (vec![], 1));
}

#[actix_web::test]
async fn totals_say_more_than_where_they_stop() {
    let shop = crowded().await;
    let (busy, quiet) = (scope_of(&shop, "M1001").await, scope_of(&shop, "M1009").await);
    let totals = |scope: Scope, state: Option<OrderState>| {
        let filter = Filter { state, ..Filter::default() };
        shop.app.db.read_blocking(|tx| orders::totals(tx, &scope, &filter)).unwrap()
    };
    let all = totals(busy, None);
    assert_eq!((all.count, all.amount, all.bounded), (10_000, None, true));
    let few = totals(quiet, None);
    assert_eq!((few.count, few.amount, few.bounded), (3, Some(Fen::new(300)), false));
    let unknown = totals(Scope::Platform, Some(OrderState::Unknown));
    assert_eq!((unknown.count, unknown.bounded), (1, false));
    let paying = totals(Scope::Platform, Some(OrderState::Paying));
    assert!(paying.bounded && paying.count > 100 && paying.amount == Some(Fen::new(paying.count * 100)));
}

#[actix_web::test]
async fn an_order_with_ten_thousand_events_has_a_bounded_page() {
    let shop = crowded().await;
    let mut raw = Raw::open(shop.app.database_url());
    let series = match Kind::of_this_run() {
        Kind::Postgres => "generate_series(1, 10000) AS t(i)",
        Kind::Sqlite => {
            "(WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 10000) SELECT i FROM t)"
        }
    };
    raw.execute(&format!(
        "INSERT INTO order_event (order_id, at, kind, reason, words) SELECT {ORDERS}, {now} + i, 'QUERIED', 'OTHER', 'event ' || i \
         FROM {series}",
        now = shop.app.clock.now()
    ))
    .unwrap();
    shop.app.user("ops", Role::Admin, Scope::Platform);
    let mut reader = Acting::at(&shop.base_url);
    assert_eq!(reader.log_in("ops", PASSWORD).await.status, 303);
    let page = reader.get(&format!("/admin/orders/SB{ORDERS:026}")).await;
    assert_eq!(page.status, 200);
    let told = i64::try_from(page.body.matches("<small>event ").count()).unwrap();
    assert_eq!(told, EVENTS);
    assert!(page.body.contains("event 10000<") && !page.body.contains("event 9900<"));
    assert!(page.body.contains("更早的记录不在此列出"));
    assert!(page.body.len() < 200_000, "{}", page.body.len());
    // The list still knows its state.
    let list = reader.get(&format!("/admin/orders?id=SB{ORDERS:026}")).await;
    assert!(list.body.contains("待支付"), "{}", list.body);
}
