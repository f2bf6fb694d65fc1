//! The cut at size: several files a day, the same bytes on both databases, and whatever interrupts it, the next run
//! finishes with the same bytes.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Stopwatch};

use mingfen::app::App;
use mingfen::approvals;
use mingfen::check;
use mingfen::clock::Clock;
use mingfen::config::{Config, Secret};
use mingfen::db::columns::{BillId, FileId, InstitutionId, MerchantId};
use mingfen::db::{Create, Db};
use mingfen::error::{Code, Error};
use mingfen::exchange::{self, DocumentKind, ExchangedFile, Incoming};
use mingfen::inbox;
use mingfen::institutions;
use mingfen::kernel::bill::{BillOrder, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::bil::{BilHeader, BilWriter};
use mingfen::kernel::file::spl::{SplBody, SplLine, SplRecord, SplUnsplit};
use mingfen::kernel::file::{FileKind, FileName};
use mingfen::kernel::money::Fen;
use mingfen::kernel::proposal::Reason;
use mingfen::kernel::split::OrderFacts;
use mingfen::kernel::verify::{Given, Inputs, verify};
use mingfen::people::{Actor, Scope};
use mingfen::protocol::crypto::{MasterKey, base64};
use mingfen::protocol::wechat::bill::{Entry, Reader, Settled, Writer};
use mingfen::splits::{self, CutReport, Cutting, Progress};
use mingfen::tasks::{self, TaskPhase, TaskState};
use mingfen::verify::evidence;
use mingfen::verify::scratch::ScratchDir;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::MASTER_KEY;
use crate::support::bundle::approve;
use crate::support::database::{Kind, Raw, TestDatabase};
use crate::support::institution::Institution;
use crate::support::sandbox_process::eventually;
use crate::support::shop::{set_up_institution, sub_merchant, tenant};

const DAY: &str = "20260101";
/// Long after the day.
const NOW: &str = "2026-01-02T11:00:00+08:00";
const MERCHANTS: [(&str, &str); 3] = [("M1001", "190001"), ("M1002", "190002"), ("M1009", "190009")];

fn day() -> BusinessDay {
    BusinessDay::parse(DAY).unwrap()
}

/// What is logged meanwhile on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Orders of the day in no order; the last merchant may not trade any more.
fn orders(seed: u64, count: usize) -> Vec<BillOrder> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|index| {
            let facts = OrderFacts {
                inst_order_no: format!("42000{:08}{index:06}", random.random_range(0..100_000_000)),
                merchant: MERCHANTS[random.random_range(0..20_usize).saturating_sub(17)].0.to_owned(),
                channel: "wechat".to_owned(),
                product: "native".to_owned(),
                tags: Vec::new(),
                parties: BTreeMap::new(),
                paid_at: day().start().plus(random.random_range(0..86_400)),
                paid: Fen::new(random.random_range(1..1_000_000)),
                fee: Fen::ZERO,
                subsidy: Fen::ZERO,
            };
            BillOrder { facts, order_no: format!("SB{index:026}") }
        })
        .collect()
}

/// What the number of a payment begins with that did not come through the platform.
const STRANGER: &str = "99000";

fn channel_bill(orders: &[BillOrder]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for BillOrder { facts, order_no } in orders {
        let number = MERCHANTS.iter().find(|(merchant, _)| *merchant == facts.merchant).unwrap().1;
        let entry = Entry {
            at: facts.paid_at,
            appid: "wx1",
            mchid: "1",
            sub_mchid: number,
            inst_order_no: &facts.inst_order_no,
            order_no,
            openid: "o",
            trade_type: "NATIVE",
            bank: "OTHERS",
            description: "x",
            attach: if facts.inst_order_no.starts_with(STRANGER) { "Tea, table 7" } else { ";;" },
            fee: facts.fee,
            rate: "0.00%",
            settled: Settled::Paid { paid: facts.paid, ordered: facts.paid },
        };
        writer.write(&entry).unwrap();
    }
    writer.finish().unwrap()
}

/// A platform whose institution tells of these orders.
struct Platform {
    app: App,
    institution: Institution,
    id: InstitutionId,
    database: TestDatabase,
}

impl Platform {
    async fn new(kind: Kind, orders: &[BillOrder]) -> Self {
        let database = TestDatabase::new(kind);
        let config = Config {
            database_url: database.url().to_owned(),
            data_dir: database.dir().join("data"),
            master_key: Some(Secret::new(hex::encode(MASTER_KEY))),
            allow_private_addresses: true,
            ..Config::default()
        };
        let db = Db::open(&config.database_url, Create::No).unwrap();
        let app = App::new(db, Clock::system(), config, MasterKey::from(MASTER_KEY)).unwrap();
        let institution = Institution::start(&app.clock).await;
        institution.set_bill(channel_bill(orders));
        let id = set_up_institution(&app, &institution);
        let owner = tenant(&app, "1900000001");
        for (merchant, number) in MERCHANTS {
            sub_merchant(&app, id, merchant, owner, number);
        }
        approve(&app, &institution, id, &MERCHANTS);
        // The bundle lies where it would have come in.
        let platform = Self { app, institution, id, database };
        platform.lay_in("APR_SANDBOX_DEMO_20260101_0001.json", &platform.bundle());
        platform
    }

    fn bundle(&self) -> Vec<u8> {
        let read = self.app.db.read_blocking(|tx| approvals::newest(tx, self.id, i64::MAX));
        read.unwrap().unwrap().body
    }

    fn lay_in(&self, name: &str, bytes: &[u8]) -> Incoming {
        let inbox = self.files().join("in");
        fs::create_dir_all(&inbox).unwrap();
        let signature = base64(&self.institution.key.sign_sha256(bytes).unwrap());
        fs::write(inbox.join(name), bytes).unwrap();
        fs::write(inbox.join(format!("{name}.sig")), &signature).unwrap();
        fs::write(inbox.join(format!("{name}.ok")), b"").unwrap();
        Incoming::new(name, bytes.to_vec(), &signature).unwrap()
    }

    fn files(&self) -> PathBuf {
        self.app.config.data_dir.join("files/SANDBOX")
    }

    fn out(&self) -> PathBuf {
        self.files().join("out").join(DAY)
    }

    async fn cut(&self, most: u32) -> Result<CutReport, Error> {
        let desk = self.app.desk(self.id).await?;
        let channel = self.app.channel(self.id, mingfen::kernel::channel::ChannelName::Wechat).await?;
        let cutting = Cutting { most, ..Cutting::default() };
        splits::cut(&self.app.db, &self.app.clock, &desk, std::slice::from_ref(&channel), day(), &cutting)
            .await
    }

    /// `mingfen day cut` in a process of its own, under a shell's limits.
    fn process(&self, most: u32, limits: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .arg("-c")
            .arg(format!(
                "{limits} exec \"$0\" day cut --institution SANDBOX --date {DAY} --most {most} --json"
            ))
            .arg(env!("CARGO_BIN_EXE_mingfen"))
            .env("MINGFEN_DATABASE_URL", self.database.url())
            .env("MINGFEN_DATA_DIR", &self.app.config.data_dir)
            .env("MINGFEN_MASTER_KEY", hex::encode(MASTER_KEY))
            .env("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true")
            .env("MINGFEN_LOG_FILTER", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Lets it end by itself; the institution answers meanwhile.
    async fn ended(&self, most: u32, limits: &str) -> Output {
        let mut command = self.process(most, limits);
        actix_web::rt::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn spls(&self) -> Vec<ExchangedFile> {
        self.app.db.read_blocking(|tx| exchange::of_day(tx, self.id, DocumentKind::Spl, day())).unwrap()
    }

    /// Every file of the day by name, `.sig` and `.ok` too; what is only staged has no place here.
    fn published(&self) -> BTreeMap<String, Vec<u8>> {
        read_all(&self.out())
    }

    /// How many files the institution's inbox shows.
    fn offered(&self) -> usize {
        let scope = Scope::Institution(self.id);
        self.app.db.read_blocking(|tx| exchange::waiting(tx, &scope)).unwrap().len()
    }

    fn check(&self) {
        assert_eq!(check::breaks(&self.app).unwrap(), Vec::<String>::new());
    }
}

fn read_all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

/// What an undisturbed cut makes of these orders when it is begun at that moment.
async fn undisturbed(kind: Kind, orders: &[BillOrder], most: u32, at: Instant) -> BTreeMap<String, Vec<u8>> {
    let platform = Platform::new(kind, orders).await;
    platform.app.clock.set(at);
    platform.cut(most).await.unwrap();
    platform.published()
}

/// The same names with the same bytes; what a killed process had only staged may lie beside them.
fn same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, when: &str) {
    let digests = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        let published = files.iter().filter(|(name, _)| !name.starts_with('.'));
        published.map(|(name, bytes)| format!("{name} {}", Digest::of(bytes))).collect()
    };
    assert_eq!(digests(found), digests(expected), "{when}");
}

fn created_at(platform: &Platform) -> Instant {
    mingfen::clock::instant(platform.spls()[0].created_at)
}

#[actix_web::test]
async fn a_day_of_several_files_has_the_same_bytes_at_every_run_and_on_every_database() {
    let orders = orders(1, 950);
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for kind in Kind::all() {
        let platform = Platform::new(kind, &orders).await;
        platform.app.clock.set(Instant::parse(NOW).unwrap());
        let report = platform.cut(200).await.unwrap();
        assert_eq!((report.files.len(), report.made, report.orders), (5, 5, 950));
        assert_eq!(report.files.iter().map(|f| f.orders).collect::<Vec<_>>(), [200, 200, 200, 200, 150]);
        let published = platform.published();
        assert_eq!(published.len(), 15, "{:?}", published.keys());
        let text: String = report
            .files
            .iter()
            .map(|file| String::from_utf8(published[&file.name].clone()).unwrap())
            .collect();
        let told = |kind: &str| text.lines().filter(|line| line.starts_with(kind)).count();
        assert!(told("X|") > 10 && told("O|") > 500);
        assert_eq!(told("O|") + told("X|"), 950);
        platform.check();
        // Again: nothing new. With its bytes lost: the same, from the rows.
        assert_eq!(platform.cut(200).await.unwrap().made, 0);
        fs::remove_dir_all(platform.out()).unwrap();
        assert_eq!(platform.cut(200).await.unwrap().made, 0);
        same(&platform.published(), &published, "from the rows");
        let files: BTreeMap<_, _> =
            published.into_iter().filter(|(name, _)| name.ends_with(".txt")).collect();
        match &first {
            None => first = Some(files),
            Some(first) => same(&files, first, &format!("{kind:?}")),
        }
    }
}

#[actix_web::test]
async fn late_orders_come_in_the_next_files_and_an_attached_day_is_never_touched() {
    let all = orders(2, 330);
    let (in_time, late) = all.split_at(300);
    let platform = Platform::new(Kind::of_this_run(), in_time).await;
    platform.app.clock.set(Instant::parse(NOW).unwrap());
    assert_eq!(platform.cut(100).await.unwrap().made, 3);
    let before = platform.published();
    let stored = |raw: &mut Raw| {
        match raw {
        Raw::Sqlite(_) => Vec::new(),
        Raw::Pg(_) => raw.texts(
            "SELECT relname || ' ' || relfilenode AS v FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1",
        ),
    }
    };
    let mut raw = platform.database.raw();
    let (files_before, orders_before) = (stored(&mut raw), raw.count("split_order"));

    let mut told: Vec<BillOrder> = late.iter().chain(&in_time[..5]).cloned().collect();
    told.sort_by(|a, b| {
        (a.facts.paid_at, &a.facts.inst_order_no).cmp(&(b.facts.paid_at, &b.facts.inst_order_no))
    });
    let name = "BIL_SANDBOX_DEMO_20260101_0001.txt";
    let header = BilHeader {
        name: FileName::parse(name).filter(|name| name.kind == FileKind::Bil).unwrap(),
        orders: told.len() as u32,
        refunds: 0,
        total_paid: Fen::sum(told.iter().map(|order| order.facts.paid)).unwrap(),
        created_at: Instant::parse(NOW).unwrap(),
    };
    let mut writer = BilWriter::new(Vec::new(), header).unwrap();
    for order in &told {
        writer.row(&BillRow::Order(order.clone())).unwrap();
    }
    let incoming = platform.lay_in(name, &writer.finish().unwrap().0);
    platform
        .app
        .db
        .write_blocking(|tx| {
            let institution = institutions::by_id(tx, platform.id)?;
            inbox::receive(tx, &institution, &incoming, 1)
        })
        .unwrap();
    let report = platform.cut(20).await.unwrap();
    assert_eq!((report.made, report.files.len(), report.orders), (2, 5, 330));
    assert_eq!(report.files[3].orders + report.files[4].orders, 30);
    let after = platform.published();
    assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)));
    assert_eq!(stored(&mut raw), files_before);
    assert!(raw.count("split_order") > orders_before);
    assert_eq!(platform.cut(20).await.unwrap().made, 0);
    platform.check();
}

/// What `verify` says of the day's one file, given this bill.
fn verified(platform: &Platform, bill: Vec<u8>) -> Vec<String> {
    let given = |name: &str, bytes: Vec<u8>| Given {
        name: name.to_owned(),
        content: Box::new(std::io::Cursor::new(bytes)),
        signature: None,
    };
    let name = &platform.spls()[0].name;
    let inputs = Inputs {
        spl: vec![given(name, fs::read(platform.out().join(name)).unwrap())],
        approvals: vec![given("APR_SANDBOX_DEMO_20260101_0001.json", platform.bundle())],
        bills: vec![evidence::bill(given("bill", bill)).unwrap()],
        first: true,
        ..Inputs::default()
    };
    let report = verify(inputs, None, &ScratchDir::default()).unwrap();
    report.violations.iter().map(|v| format!("{} {} {}", v.check.code(), v.expected, v.found)).collect()
}

#[actix_web::test]
async fn a_payment_that_did_not_come_through_the_platform_is_told_and_blocks_nobody() {
    let mut orders = orders(12, 40);
    for order in orders.iter_mut().take(2) {
        order.facts.inst_order_no.replace_range(..STRANGER.len(), STRANGER);
        order.facts.merchant = "M1001".to_owned();
    }
    let bill = channel_bill(&orders);
    let platform = Platform::new(Kind::of_this_run(), &orders).await;
    platform.app.clock.set(Instant::parse(NOW).unwrap());
    let report = platform.cut(100_000).await.unwrap();
    assert_eq!((report.made, report.orders), (1, 40));
    let name = &report.files[0].name;
    let text = fs::read_to_string(platform.out().join(name)).unwrap();
    let strangers: Vec<&str> = text.lines().filter(|line| line.ends_with("|UNDECLARED")).collect();
    assert_eq!(strangers.len(), 2);
    assert!(strangers.iter().all(|line| line.split('|').nth(2) == Some("-")), "{strangers:?}");
    assert!(text.lines().any(|line| line.starts_with("O|")));
    let listed =
        platform.app.db.read_blocking(|tx| splits::unsplit_newest(tx, &Scope::Platform, 100)).unwrap();
    let listed: Vec<_> = listed.iter().filter(|one| one.reason == Reason::Undeclared).collect();
    assert!(listed.len() == 2 && listed.iter().all(|one| one.order_no == "-" && !one.known));
    platform.check();
    // Its bytes come out of the rows again.
    fs::remove_file(platform.out().join(name)).unwrap();
    fs::remove_file(platform.out().join(format!("{name}.ok"))).unwrap();
    assert_eq!(platform.cut(100_000).await.unwrap().made, 0);
    assert_eq!(fs::read_to_string(platform.out().join(name)).unwrap(), text);

    assert_eq!(verified(&platform, bill.clone()), Vec::<String>::new());
    // The same by the institution's own bill, whose tags are `?` there.
    let merchant =
        |no: &str| MERCHANTS.iter().find(|(_, number)| *number == no).map(|(m, _)| (*m).to_owned());
    let mut rows: Vec<BillOrder> = Reader::new(bill.as_slice(), &merchant)
        .unwrap()
        .map(|row| match row.unwrap() {
            BillRow::Order(order) => order,
            BillRow::Refund(_) => panic!("a refund"),
        })
        .collect();
    let bil = |rows: &mut Vec<BillOrder>| {
        rows.sort_by_key(|order| (order.facts.paid_at, order.facts.inst_order_no.clone()));
        let mut out = Vec::new();
        let header = BilHeader {
            name: FileName::parse("BIL_SANDBOX_DEMO_20260101_0001.txt").unwrap(),
            orders: u32::try_from(rows.len()).unwrap(),
            refunds: 0,
            total_paid: Fen::sum(rows.iter().map(|order| order.facts.paid)).unwrap(),
            created_at: day().next().start(),
        };
        let mut writer = BilWriter::new(&mut out, header).unwrap();
        for order in &*rows {
            writer.row(&BillRow::Order(order.clone())).unwrap();
        }
        writer.finish().unwrap();
        out
    };
    let own = bil(&mut rows);
    assert_eq!(String::from_utf8(own.clone()).unwrap().matches("|?||").count(), 2);
    let only_name =
        |found: Vec<String>| found.into_iter().filter(|one| !one.starts_with("V14")).collect::<Vec<_>>();
    assert_eq!(only_name(verified(&platform, own)), Vec::<String>::new());
    // Told as declared by the bill, the X is refused.
    for order in &mut rows {
        if !order.is_declared() {
            order.order_no = format!("SB{:.26}", order.facts.inst_order_no);
        }
    }
    let found = only_name(verified(&platform, bil(&mut rows)));
    assert_eq!(found.iter().filter(|one| one.starts_with("V06")).count(), 2, "{found:?}");
}

#[actix_web::test]
async fn a_bill_with_an_order_twice_changes_nothing() {
    let mut twice = orders(3, 40);
    let mut again = twice[7].clone();
    again.facts.paid_at = again.facts.paid_at.plus(1).min(day().next().start().plus(-1));
    twice.push(again);
    let mut other_day = orders(3, 40);
    other_day[3].facts.paid_at = day().next().start();
    for (bad, says) in [(twice, "stands twice"), (other_day, "paid on another day")] {
        let platform = Platform::new(Kind::of_this_run(), &bad).await;
        platform.app.clock.set(Instant::parse(NOW).unwrap());
        let Err(Error::Refused { code, detail }) = platform.cut(10).await else { panic!("{says}") };
        assert_eq!(code, Code::BillUnusable);
        assert!(detail.contains(says), "{detail}");
        let mut raw = platform.database.raw();
        for table in ["bill", "bill_order", "difference", "split_order"] {
            assert_eq!(raw.count(table), 0, "{table}");
        }
        for folder in ["in", "taken"].map(|folder| platform.files().join(folder)) {
            let left: Vec<_> = read_all(&folder).into_keys().collect();
            assert!(left.iter().all(|name| name.starts_with("APR_")), "{left:?}");
        }
        // The right one is taken.
        platform.institution.set_bill(channel_bill(&orders(3, 40)));
        assert_eq!(platform.cut(10).await.unwrap().made, 4);
        platform.check();
    }
}

#[actix_web::test]
async fn whatever_cannot_be_written_keeps_everything_unpublished_until_the_next_run() {
    let orders = orders(4, 250);
    let at = Instant::parse(NOW).unwrap();
    let expected = undisturbed(Kind::of_this_run(), &orders, 100, at).await;
    for in_the_way in ["", ".{}.body.part", ".{}.part", "{}", "{}.sig", "{}.ok"] {
        let platform = Platform::new(Kind::of_this_run(), &orders).await;
        platform.app.clock.set(at);
        let out = platform.out();
        let name = "SPL_SANDBOX_DEMO_20260101_0002.txt";
        let path = out.join(in_the_way.replace("{}", name));
        fs::create_dir_all(out.parent().unwrap()).unwrap();
        if in_the_way.is_empty() {
            fs::write(&out, b"no directory").unwrap();
        } else {
            // A directory that is not empty yields to no file.
            fs::create_dir_all(path.join("x")).unwrap();
        }
        platform.cut(100).await.expect_err(in_the_way);
        let ready = |n: u32| out.join(format!("SPL_SANDBOX_DEMO_20260101_{n:04}.txt.ok")).is_file();
        let whole = !in_the_way.starts_with('.') && !in_the_way.is_empty();
        assert_eq!(ready(1), whole, "{in_the_way}: published only when every file is recorded");
        assert!(!ready(2) && !ready(3));
        platform.app.clock.advance(60);
        // It is still in the way.
        platform.cut(100).await.expect_err(in_the_way);
        if in_the_way.is_empty() {
            fs::remove_file(&out).unwrap()
        } else {
            fs::remove_dir_all(&path).unwrap()
        }
        let begun = platform.spls().first().map(|_| created_at(&platform));
        platform.cut(100).await.unwrap();
        let expected = match begun {
            Some(begun) => {
                assert_eq!(begun, at, "the time that was recorded with the cut");
                expected.clone()
            }
            None => undisturbed(Kind::of_this_run(), &orders, 100, created_at(&platform)).await,
        };
        same(&platform.published(), &expected, in_the_way);
        platform.check();
    }
}

#[actix_web::test]
async fn a_full_disk_at_any_step_leaves_a_day_that_the_next_run_finishes() {
    let orders = orders(5, 1500);
    // Limits of the size of a file in KiB: some stop the bill, some a file, on SQLite some the database.
    let mut failed = 0;
    for limit in [16, 64, 100, 140, 180, 400, 700, 1100, 1500] {
        let platform = Platform::new(Kind::of_this_run(), &orders).await;
        let limited = format!("ulimit -f {limit}; trap '' XFSZ;");
        let ended = platform.ended(1000, &limited).await;
        failed += u32::from(!ended.status.success());
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!told.contains("panicked"), "{told}");
        let ended = platform.ended(1000, "").await;
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let expected = undisturbed(Kind::of_this_run(), &orders, 1000, created_at(&platform)).await;
        same(&platform.published(), &expected, &format!("{limit} KiB"));
        platform.check();
    }
    assert!(failed >= 3, "only {failed} of the limits were felt");
}

#[actix_web::test]
async fn a_cut_that_is_stopped_publishes_nothing_and_the_next_one_finishes_it() {
    let orders = orders(8, 700);
    for kind in Kind::all() {
        let platform = Platform::new(kind, &orders).await;
        let desk = platform.app.desk(platform.id).await.unwrap();
        let client =
            platform.app.channel(platform.id, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap();
        // Somebody wants it to stop when its first file is written: it stops at the next batch.
        let stop = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&stop);
        let watch = Arc::new(move |progress| {
            if matches!(progress, Progress::Told(_)) {
                wanted.store(true, Ordering::SeqCst);
            }
        });
        let cutting = Cutting { most: 100, watch, stop };
        let app = &platform.app;
        let stopped =
            splits::cut(&app.db, &app.clock, &desk, std::slice::from_ref(&client), day(), &cutting).await;
        assert!(matches!(stopped, Err(Error::Refused { code: Code::TaskCancelled, .. })), "{stopped:?}");
        assert!(!platform.published().keys().any(|name| name.ends_with(".ok")), "nothing is published");
        // SQLite keeps each file as it is recorded, PostgreSQL the whole run or nothing.
        assert_eq!(platform.spls().len(), usize::from(kind == Kind::Sqlite));

        assert!(platform.cut(100).await.is_ok());
        let expected = undisturbed(kind, &orders, 100, created_at(&platform)).await;
        same(&platform.published(), &expected, "after it was stopped");
        platform.check();
    }
}

#[actix_web::test]
async fn a_cut_is_stopped_through_its_task_and_not_begun_again_by_itself() {
    let orders = orders(9, 300);
    for kind in Kind::all() {
        let platform = Platform::new(kind, &orders).await;
        let app = &platform.app;
        let desk = app.desk(platform.id).await.unwrap();
        let client = app.channel(platform.id, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap();
        // The task is looked at once a second: the first file waits for that.
        let db = app.db.clone();
        let watch = Arc::new(move |progress| {
            if matches!(progress, Progress::Billed(_)) {
                let task = db.read_blocking(|tx| tasks::newest(tx, 1)).unwrap().remove(0);
                assert_eq!(task.state, TaskState::Running);
                db.write_blocking(|tx| tasks::cancel(tx, task.id, &Actor::shell(), 1)).unwrap();
            }
            if matches!(progress, Progress::Told(_)) {
                std::thread::sleep(Duration::from_millis(2500));
            }
        });
        let cutting = Cutting { most: 100, watch, ..Cutting::default() };
        let (lease, actor) = (tasks::day_lease("SANDBOX"), Actor::system());
        let cut = tasks::cut_as_task(app, &desk, std::slice::from_ref(&client), day(), cutting, &actor);
        let stopped = app.leases.hold(&app.db, &lease, cut).await;
        assert!(matches!(stopped, Err(Error::Refused { code: Code::TaskCancelled, .. })), "{stopped:?}");
        let task = app.db.read_blocking(|tx| tasks::newest(tx, 1)).unwrap().remove(0);
        assert_eq!((task.state, task.total, task.done), (TaskState::Cancelled, Some(300), 100));
        assert_eq!(
            (task.cancel_asked_by.as_deref(), task.error_code.as_deref()),
            (Some("shell"), Some("TSK-101"))
        );
        let over = app.db.write_blocking(|tx| tasks::cancel(tx, task.id, &Actor::shell(), 1));
        assert!(matches!(over, Err(Error::Refused { code: Code::TaskOver, .. })), "{over:?}");
        let recorded = usize::from(kind == Kind::Sqlite);
        let nothing_is_published = || {
            assert_eq!(platform.spls().len(), recorded);
            let published = platform.published();
            let of_the_day =
                published.keys().filter(|name| name.contains(&DAY.to_string()) && name.ends_with(".ok"));
            assert_eq!(of_the_day.collect::<Vec<_>>(), Vec::<&String>::new());
        };
        nothing_is_published();

        // The daily round leaves it alone; people cut it.
        app.clock.set(Instant::parse(NOW).unwrap());
        tasks::daily_round(app).await.unwrap();
        nothing_is_published();
        // Another process has the system's time, and so must the institution that answers it.
        app.clock.set(Clock::system().instant());
        let ended = platform.ended(100, "").await;
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let task = app.db.read_blocking(|tx| tasks::newest(tx, 1)).unwrap().remove(0);
        assert_eq!((task.state, task.phase, task.done), (TaskState::Done, TaskPhase::Publishing, 300));
        assert_eq!(task.result_file.as_deref(), Some("SPL_SANDBOX_DEMO_20260101_0003.txt"));
        platform.check();
    }
}

#[actix_web::test]
async fn a_cut_that_is_stopped_in_the_daily_round_ends_the_day_quietly() {
    let platform = Platform::new(Kind::of_this_run(), &orders(10, 60)).await;
    let app = &platform.app;
    app.clock.set(Instant::parse(NOW).unwrap());
    // The bill takes longer than it takes to notice that the task is to stop.
    platform.institution.bill_takes(Duration::from_millis(2500));
    let newest = || app.db.read_blocking(|tx| tasks::newest(tx, 100)).unwrap();
    let at_work = async || newest().into_iter().find(|task| task.state == TaskState::Running);
    let stop = async {
        let of_day = async || at_work().await.filter(|task| task.subject == format!("SANDBOX {DAY}"));
        let task = eventually("the round cuts the day", of_day).await;
        app.db.write_blocking(|tx| tasks::cancel(tx, task.id, &Actor::shell(), 1)).unwrap();
    };
    let log = Log::default();
    let writer = log.clone();
    let logging = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::DEBUG);
    let logging = tracing::subscriber::set_default(logging.with_writer(move || writer.clone()).finish());
    let (made, ()) = futures_util::future::join(tasks::daily_round(app), stop).await;
    assert_eq!(made.unwrap(), 0);
    // That it is stopped is still known at the next round, which asks for no bill.
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    drop(logging);
    let told = log.text();
    assert!(told.contains("its cut was stopped") && told.contains("its cut was cancelled"), "{told}");
    let faults = told.lines().filter(|line| line.contains("ERROR"));
    assert_eq!(faults.count(), 0, "{told}");
    assert!(!told.contains("a day waits"), "it was to be settled: {told}");
    let of_day: Vec<TaskState> =
        newest().iter().filter(|task| task.subject.ends_with(DAY)).map(|task| task.state).collect();
    assert_eq!(of_day, [TaskState::Cancelled]);
    assert!(platform.spls().is_empty());
}

#[actix_web::test]
async fn a_body_that_is_no_bill_is_fetched_again_by_the_next_round() {
    let orders = orders(11, 20);
    let right = channel_bill(&orders);
    let wide: Vec<u8> = String::from_utf8_lossy(&right).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let page = b"<html><body>502 Bad Gateway</body></html>".to_vec();
    let error = br#"{"code":"SYSTEM_ERROR","message":"busy"}"#.to_vec();
    for (what, body) in [("empty", Vec::new()), ("HTML", page), ("UTF-16", wide), ("JSON", error)] {
        let platform = Platform::new(Kind::of_this_run(), &orders).await;
        platform.app.clock.set(Instant::parse(NOW).unwrap());
        platform.institution.set_bill(body);
        for _ in 0..2 {
            assert_eq!(tasks::daily_round(&platform.app).await.unwrap(), 0, "{what}");
        }
        let subject = format!("SANDBOX {DAY}");
        let why = platform.app.db.read_blocking(|tx| tasks::last_failure(tx, tasks::TaskKind::Cut, &subject));
        let why = why.unwrap().unwrap();
        assert!(why.contains("what came is"), "{what}: {why}");
        let bills = || {
            let lying = fs::read_dir(platform.files().join("taken")).unwrap();
            let names = lying.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.contains("WXBILL")).collect::<Vec<_>>()
        };
        assert_eq!(bills(), Vec::<String>::new(), "{what}: nothing is kept of it");
        platform.institution.set_bill(right.clone());
        assert_eq!(tasks::daily_round(&platform.app).await.unwrap(), 1, "{what}");
        assert_eq!(bills(), [format!("WXBILL_SANDBOX_DEMO_{DAY}_0001.csv")], "{what}");
        let told: Vec<i64> = platform.spls().iter().map(|file| file.orders).collect();
        assert_eq!(told, [20], "{what}");
        platform.check();
    }
}

#[actix_web::test]
async fn a_cut_killed_at_any_moment_is_finished_with_the_same_bytes() {
    let orders = orders(6, 1200);
    let seed = 20_261_125;
    let mut random = StdRng::seed_from_u64(seed);
    // How long an undisturbed process takes, to spread the kills over it.
    let whole = {
        let platform = Platform::new(Kind::of_this_run(), &orders).await;
        let begun = Stopwatch::now();
        let ended = platform.ended(150, "").await;
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        begun.elapsed().as_micros() as u64
    };
    let (mut kills, mut platforms, mut taken_over) = (0, 0, 0);
    while kills < 24 {
        let platform = Platform::new(Kind::of_this_run(), &orders).await;
        platforms += 1;
        // A few kills in a row on the same day, then a run that nobody disturbs.
        for _ in 0..3 {
            let mut child = platform.process(150, "").spawn().unwrap();
            actix_web::rt::time::sleep(Duration::from_micros(random.random_range(whole / 5..whole))).await;
            kills += u32::from(child.try_wait().unwrap().is_none());
            let _ = child.kill();
            child.wait().unwrap();
            // That a dead process's lease is free after 30 seconds is another test: here the next kill must meet a cut,
            // not one that waits its turn.
            platform.database.raw().execute("UPDATE job_lease SET holder = ''").unwrap();
            // Nothing is published whose run is not recorded to its end.
            let published = if platform.out().exists() { platform.published() } else { BTreeMap::new() };
            let ready = published.keys().filter(|name| name.ends_with(".ok")).count();
            assert!(ready == 0 || platform.spls().len() == 8, "seed {seed}: {:?}", published.keys());
            // Nor is it offered to the institution.
            let offered = platform.offered();
            assert!(offered == 0 || (offered == 8 && platform.spls().len() == 8), "seed {seed}: {offered}");
        }
        let ended = platform.ended(150, "").await;
        assert!(ended.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&ended.stderr));
        // Each process took over what the killed one had left at work; one that was through made a task of its own.
        let mut raw = platform.database.raw();
        assert_eq!(
            raw.texts(
                "SELECT DISTINCT kind || ' ' || subject || ' ' || asked_by || ' ' || state AS v FROM task"
            ),
            [format!("CUT SANDBOX {DAY} shell DONE")]
        );
        taken_over += raw.number("SELECT CAST(SUM(attempts - 1) AS BIGINT) AS v FROM task");
        drop(raw);
        let expected = undisturbed(Kind::of_this_run(), &orders, 150, created_at(&platform)).await;
        same(&platform.published(), &expected, &format!("seed {seed}, platform {platforms}"));
        platform.check();
        assert!(platforms < 60, "the kills come too late");
    }
    assert!(taken_over > 0, "no kill met a task at work");
}

/// A day of before: a bill, its SPL with an O of two lines and an X.
const BEFORE: &str = "
INSERT INTO institution VALUES (1, 'SANDBOX', 'x', 'DEMO', 'SB', 'http://x', '1', 'a', 's', BYTES, BYTES, 's', 'k', 'k', 'ASCII', 1);
INSERT INTO rule_version VALUES (5, 1, 'market', 2, 'D1', '{}', 1);
INSERT INTO exchanged_file VALUES (1, 1, 'IN', 'WXBILL', 'bill.csv', 20260102, 1, 'D2', 9, 2, 0, 300, NULL, NULL, 1, 1);
INSERT INTO exchanged_file VALUES (2, 1, 'OUT', 'SPL', 'spl.txt', 20260102, 1, 'D3', 9, 2, 2, 100, 'D0', 'D4', 7, 7);
INSERT INTO bill VALUES (3, 1, 20260102, 1, 'D2', 2, 300, 1);
INSERT INTO day_cut VALUES (1, 20260102, 1, 3, 'D4', 7);
INSERT INTO split_order VALUES (20260102, 2, 1, 'O', NULL, 'SB0001', 'W1', 1, 8, 'M1', 'wechat', 'native', 'A', '',
    1000000, 100, 0, 0, 'market', 2, 'D1', 'D5', 2);
INSERT INTO split_order VALUES (20260102, 2, 2, 'X', 'NO_RULE', 'SB0002', 'W2', 1, NULL, 'M2', 'wechat', 'native', '', '',
    2000000, 200, 1, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO split_key VALUES ('W1', 2, 20260102, 1), ('W2', 2, 20260102, 2);
INSERT INTO split_line VALUES (20260102, 2, 1, 0, '0', 'platform', 'platform', 1),
    (20260102, 2, 1, 1, 'm', 'merchant', 'merchant:M1', 99);
";

#[test]
fn what_was_cut_before_stands_in_the_new_tables() {
    for kind in Kind::all() {
        let database = TestDatabase::new(kind);
        let (folder, url, bytes) = match kind {
            Kind::Sqlite => {
                ("sqlite", format!("sqlite:{}", database.dir().join("old.db").display()), "x'00'")
            }
            Kind::Postgres => ("postgres", database.url().to_owned(), r"'\x00'"),
        };
        if kind == Kind::Sqlite {
            fs::write(database.dir().join("old.db"), b"").unwrap();
        } else {
            database.raw().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unwrap();
        }
        let mut raw = Raw::open(&url);
        let first = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        raw.execute(&fs::read_to_string(first.join("2026-01-01-000000_first_day/up.sql")).unwrap()).unwrap();
        raw.execute(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO __diesel_schema_migrations (version) VALUES ('20260101000000')",
        )
        .unwrap();
        let digests = (0..6).fold(BEFORE.replace("BYTES", bytes), |sql, n| {
            sql.replace(&format!("'D{n}'"), &format!("'{}'", format!("{n}").repeat(64)))
        });
        raw.execute(&digests).unwrap();
        drop(raw);
        let db = Db::open(&url, Create::Yes).unwrap();
        let entries = db
            .read_blocking(|tx| {
                let file = exchange::by_id(tx, FileId::new(2))?;
                let (institution, day) = (InstitutionId::new(1), BusinessDay::from_i32(20_260_102).unwrap());
                assert_eq!(splits::places(tx, institution, day, "W2")?, [(FileId::new(2), 2)]);
                assert!(!splits::is_unfinished(tx, institution, day)?);
                assert_eq!(exchange::standing_breaks(tx)?, Vec::<String>::new());
                splits::entries(tx, &file, 0, 10)
            })
            .unwrap();
        let [split, unsplit] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(
            (split.order.bill_id, split.billed.paid, split.order.reason),
            (BillId::new(3), Fen::new(100), None)
        );
        assert_eq!((split.billed.order_no(), split.billed.tags.as_str()), ("SB0001", "A"));
        assert_eq!(
            (split.billed.sub_merchant_id, split.billed.preview_digest),
            (Some(MerchantId::new(8)), Some("5".repeat(64).parse().unwrap()))
        );
        assert_eq!(split.rule.as_ref().map(|rule| (rule.rule.as_str(), rule.version)), Some(("market", 2)));
        assert_eq!(split.lines().unwrap().iter().map(|line| line.amount.get()).collect::<Vec<_>>(), [1, 99]);
        assert_eq!(unsplit.order.reason, Some(Reason::NoRule));
        assert_eq!(
            (unsplit.rule.as_ref(), unsplit.lines().unwrap().len(), unsplit.billed.fee),
            (None, 0, Fen::new(1))
        );
    }
}

#[test]
fn a_body_refuses_what_a_reader_would_refuse() {
    let order = |n, order_no| {
        SplRecord::Unsplit(SplUnsplit {
            n,
            order_no,
            inst_order_no: "W1",
            paid_at: day().start(),
            paid: Fen::new(1),
            reason: Reason::NoRule,
        })
    };
    let mut out = Vec::new();
    for (bad, why) in
        [(order(1, "SB|001"), "field"), (order(1, "SB\\0001"), "field"), (order(2, "SB0001"), "n = 1")]
    {
        let refused = SplBody::new().record(&mut out, &bad).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let line = SplRecord::Line(SplLine {
        n: 1,
        path: "m",
        role: "merchant",
        receiver: "merchant:M1",
        amount: Fen::new(1),
    });
    assert!(SplBody::new().record(&mut out, &line).is_err(), "a line of no order");
    assert_eq!(out, b"");
    let mut body = SplBody::new();
    body.record(&mut out, &order(1, "SB0001")).unwrap();
    assert!(body.record(&mut out, &order(2, "SB0002")).is_err(), "the same number again");
}
