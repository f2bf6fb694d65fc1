//! A business day from the bill to the settlement: on real files, answered by the sandbox or by an institution that
//! the test plays itself.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use mingfen::app::App;
use mingfen::approvals;
use mingfen::cli::demo::{close, scenery, verify_all};
use mingfen::db::columns::InstitutionId;
use mingfen::error::{Code, Error};
use mingfen::exchange::{self, DocumentKind, ExchangedFile, Incoming};
use mingfen::inbox::{self, Received};
use mingfen::institutions::{self, Institution};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetStatus, RetWriter};
use mingfen::kernel::file::{FileName, ResultName, Stage};
use mingfen::kernel::money::Fen;
use mingfen::kernel::state::FileState;
use mingfen::people::Scope;
use mingfen::protocol::crypto::PrivateKey;
use mingfen::reconciliation::{self, DifferenceKind};
use mingfen::settlement::{self, LineKind, SettlementLine};
use mingfen::splits::{self, Cutting};
use serde_json::{Value, json};

use crate::corruption::past_the_triggers;
use crate::support::database::Raw;
use crate::support::finished_day::FinishedDay;
use crate::support::shell::Shell;
use crate::support::shop::believe_files_of;

async fn cut(f: &FinishedDay, day: BusinessDay) -> Result<splits::CutReport, Error> {
    let app = &f.world.app;
    let desk = app.desk(f.world.institution).await?;
    let channel = app.channel(f.world.institution, mingfen::kernel::channel::ChannelName::Wechat).await?;
    splits::cut(&app.db, &app.clock, &desk, std::slice::from_ref(&channel), day, &Cutting::default()).await
}

async fn settle(f: &FinishedDay, day: BusinessDay) -> Result<settlement::SettleReport, Error> {
    let app = &f.world.app;
    let desk = app.desk(f.world.institution).await?;
    settlement::settle(&app.db, &app.clock, &desk, day).await
}

async fn bill(f: &FinishedDay, day: BusinessDay) {
    f.world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await.unwrap();
    mingfen::tasks::import_files(&f.world.app).await.unwrap();
}

fn state(app: &App, file: &ExchangedFile) -> FileState {
    app.db.read_blocking(|tx| exchange::file_state(tx, file.id)).unwrap()
}

fn lines(app: &App, stl: &ExchangedFile) -> BTreeMap<String, SettlementLine> {
    let lines = app.db.read_blocking(|tx| settlement::lines(tx, stl.id)).unwrap();
    lines.into_iter().map(|line| (line.receiver.clone(), line)).collect()
}

fn code(error: Error) -> (Code, String) {
    match error {
        Error::Refused { code, detail } => (code, detail),
        other => panic!("not a refusal: {other}"),
    }
}

fn spl_name(day: BusinessDay, seq: u16) -> String {
    format!("SPL_SANDBOX_DEMO_{day}_{seq:04}.txt")
}

#[actix_web::test]
async fn every_order_of_the_day_stands_in_its_file_and_repeating_gives_the_same_bytes() {
    let f = FinishedDay::new(40).await;
    let day = f.day();
    let spl = f.text(&spl_name(day, 1));
    let (tenant, paid) = f
        .world
        .app
        .db
        .read_blocking(|tx| {
            let tenant = mingfen::merchants::tenants::by_number(tx, scenery::SP_MCHID)?.unwrap().id;
            let mut numbers = BTreeMap::new();
            for index in 0..40 {
                let number = scenery::sale(&day.to_string(), index).out_trade_no;
                let order = mingfen::orders::by_out_trade_no(tx, tenant, &number)?.unwrap();
                numbers.insert(order.order_no, index);
            }
            Ok((tenant, numbers))
        })
        .unwrap();
    assert!(tenant.get() > 0);
    let told: BTreeSet<&str> = spl
        .lines()
        .filter(|line| line.starts_with("O|") || line.starts_with("X|"))
        .map(|line| line.split('|').nth(2).unwrap())
        .collect();
    assert_eq!(told, paid.keys().map(String::as_str).collect());
    let reasons: BTreeMap<usize, &str> = spl
        .lines()
        .filter(|line| line.starts_with("X|"))
        .map(|line| (paid[line.split('|').nth(2).unwrap()], line.rsplit('|').next().unwrap()))
        .collect();
    assert_eq!(reasons, BTreeMap::from([(7, "NO_RULE"), (19, "OVER_LIMIT"), (31, "RECEIVER")]));
    assert_eq!(verify_all(&f.world, &f.dir()).await.unwrap(), 1);

    let stl = format!("STL_SANDBOX_DEMO_{day}_0001.txt");
    let before: Vec<Vec<u8>> =
        [spl_name(day, 1), stl.clone()].iter().map(|n| fs::read(f.out(n)).unwrap()).collect();
    assert_eq!(cut(&f, day).await.unwrap().made, 0);
    assert!(!settle(&f, day).await.unwrap().made);
    // As if the process had died between the record and the publication.
    for name in [spl_name(day, 1), stl.clone()] {
        for end in ["", ".sig", ".ok"] {
            fs::remove_file(f.out(&format!("{name}{end}"))).unwrap();
        }
    }
    assert_eq!(cut(&f, day).await.unwrap().made, 0);
    assert!(!settle(&f, day).await.unwrap().made);
    let after: Vec<Vec<u8>> = [spl_name(day, 1), stl].iter().map(|n| fs::read(f.out(n)).unwrap()).collect();
    assert_eq!(before, after);
    f.stop().await;
}

#[actix_web::test]
async fn a_late_order_comes_in_the_next_file_of_its_day_and_differences_are_kept() {
    let f = FinishedDay::new(12).await;
    let (app, day, institution) = (f.world.app.clone(), f.day(), f.world.institution);
    let early = code(cut(&f, app.clock.today()).await.unwrap_err());
    assert_eq!(early.0, Code::DayNotOver);

    let mut sale = scenery::sale(&day.to_string(), 500);
    sale.out_trade_no = "LATE000001".to_owned();
    f.world.shop.sell(&sale).await.unwrap();
    f.world.settle_messages().await.unwrap();
    bill(&f, day).await;
    assert_eq!(cut(&f, day).await.unwrap().made, 0);

    // Paid yesterday, told by nobody: only the bill knows.
    sale.out_trade_no = "LATE000002".to_owned();
    let late = f.world.shop.order(&sale).await.unwrap();
    let paid_at = app.clock.instant().plus(-86_400).to_cst();
    let pay = json!({"code_url": late, "paid_at": paid_at, "notify": false});
    f.world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    bill(&f, day).await;
    let report = cut(&f, day).await.unwrap();
    assert_eq!((report.made, report.files.len()), (1, 2));
    let second = f.text(&spl_name(day, 2));
    assert_eq!(second.lines().filter(|line| line.starts_with("O|")).count(), 1);
    let differences = app.db.read_blocking(|tx| reconciliation::differences(tx, institution, day)).unwrap();
    assert_eq!(differences.iter().map(|d| d.kind).collect::<Vec<_>>(), [DifferenceKind::Long]);
    f.world.exchange().await.unwrap();
    assert_eq!(state(&app, &report.files[1]), FileState::Executed);
    // The day is settled already: its late file waits for the next settlement.
    assert!(!settle(&f, day).await.unwrap().made);

    // Our record differs from the next day's bill in every way.
    let today = app.clock.today();
    let mut raw = f.database.raw();
    let numbers = format!(
        "SELECT inst_order_no AS v FROM payment WHERE business_date = {} ORDER BY order_id",
        today.to_i32()
    );
    let [missing, amount, facts, ..] = &raw.texts(&numbers)[..] else { panic!("too few orders") };
    past_the_triggers(
        &mut raw,
        &["payment", "payment_key", "pay_order"],
        &format!(
            "UPDATE payment SET inst_order_no = 'OURS0001' WHERE inst_order_no = '{missing}'; \
             UPDATE payment_key SET inst_order_no = 'OURS0001' WHERE inst_order_no = '{missing}'; \
             UPDATE payment SET paid = paid + 1 WHERE inst_order_no = '{amount}'; \
             UPDATE pay_order SET tags = 'OTHER' \
             WHERE id = (SELECT order_id FROM payment_key WHERE inst_order_no = '{facts}')"
        ),
    );
    app.clock.set(today.next().start().plus(11 * 3600));
    bill(&f, today).await;
    // The payments' entry says what they were: a day whose ledger does not hold is not cut.
    assert_eq!(code(cut(&f, today).await.unwrap_err()).0, Code::LedgerBroken);
    let entry = format!("entry_id = (SELECT entry_id FROM payment WHERE inst_order_no = '{amount}')");
    past_the_triggers(
        &mut raw,
        &["posting"],
        &format!(
            "UPDATE posting SET amount = amount + 1 WHERE account = 'CHANNEL_RECEIVABLE' AND {entry}; \
             UPDATE posting SET amount = amount - 1 WHERE account = 'ORDER_PENDING_SPLIT' AND {entry}"
        ),
    );
    let differences = cut(&f, today).await.unwrap().differences;
    let found = app.db.read_blocking(|tx| reconciliation::differences(tx, institution, today)).unwrap();
    assert_eq!((differences, found.len()), (4, 4), "{found:?}");
    let kinds: BTreeSet<(DifferenceKind, &str)> =
        found.iter().map(|d| (d.kind, d.inst_order_no.as_str())).collect();
    assert!(kinds.contains(&(DifferenceKind::Short, "OURS0001")));
    assert!(kinds.contains(&(DifferenceKind::Long, missing.as_str())));
    assert!(kinds.contains(&(DifferenceKind::Amount, amount.as_str())));
    assert!(kinds.contains(&(DifferenceKind::Facts, facts.as_str())));
    assert_eq!(kinds.len(), 4);
    f.stop().await;
}

/// An institution's desk that the test holds the key of.
struct Hand {
    key: PrivateKey,
}

impl Hand {
    /// From now on the platform believes this key's files only.
    fn over(f: &FinishedDay) -> Self {
        let key = PrivateKey::generate().unwrap();
        believe_files_of(&f.world.app, f.world.institution, &key);
        Self { key }
    }

    fn signed(&self, name: &str, bytes: Vec<u8>) -> Incoming {
        let signature = self.key.sign_sha256(&bytes).unwrap();
        Incoming::signed(name, bytes, signature)
    }

    fn result(
        &self,
        file: &ExchangedFile,
        stage: Stage,
        code: RetCode,
        lines: &[(i32, RetStatus, i64)],
    ) -> Incoming {
        let name = ResultName { file: FileName::parse(&file.name).unwrap(), stage };
        let done = lines.iter().filter(|(_, status, _)| *status == RetStatus::Success);
        let header = RetHeader {
            name: name.clone(),
            file_digest: file.sha256,
            code,
            lines: lines.len() as u32,
            success_total: Fen::new(done.map(|(_, _, amount)| amount).sum()),
            created_at: Instant::parse("2026-11-21T12:00:00+08:00").unwrap(),
        };
        let mut writer = RetWriter::new(Vec::new(), RetEncoding::Utf8, header).unwrap();
        for (n, status, amount) in lines {
            let line = RetLine {
                n: *n as u32,
                status: *status,
                amount: Fen::new(*amount),
                inst_serial: "".into(),
                path: "".into(),
                done_at: None,
                err_code: "".into(),
                err_msg: "".into(),
            };
            writer.line(&line).unwrap();
        }
        self.signed(&name.to_string(), writer.finish().unwrap().0)
    }
}

fn receive(app: &App, institution: InstitutionId, incoming: &Incoming) -> Result<Received, Error> {
    app.db.write_blocking(|tx| {
        let institution: Institution = institutions::by_id(tx, institution)?;
        inbox::receive(tx, &institution, incoming, 1)
    })
}

fn all_succeed(app: &App, spl: &ExchangedFile) -> Vec<(i32, RetStatus, i64)> {
    let amounts = app.db.read_blocking(|tx| splits::order_amounts(tx, spl)).unwrap();
    amounts.into_iter().map(|(n, amount)| (n, RetStatus::Success, amount.get())).collect()
}

#[actix_web::test]
async fn a_void_file_is_repeated_the_gate_says_what_is_missing_and_amounts_are_carried_and_requeued() {
    let f = FinishedDay::new(20).await;
    let (app, institution) = (f.world.app.clone(), f.world.institution);
    let (first, day) = (f.day(), app.clock.today());
    app.clock.set(day.next().start().plus(11 * 3600));
    let closed = code(settle(&f, day).await.unwrap_err());
    assert_eq!(closed.0, Code::GateClosed);
    assert!(closed.1.contains("has not been cut"), "{}", closed.1);

    let hand = Hand::over(&f);
    bill(&f, day).await;
    let void = cut(&f, day).await.unwrap().files.remove(0);
    let closed = code(settle(&f, day).await.unwrap_err());
    assert!(closed.1.contains("waits for its FIRST"), "{}", closed.1);
    // The same bytes are asked for again: the file stays, and so does the name of its answer.
    let again = hand.result(&void, Stage::First, RetCode::Digest, &[]);
    receive(&app, institution, &again).unwrap();
    assert_eq!(receive(&app, institution, &again).unwrap(), Received::Again);
    assert_eq!(state(&app, &void), FileState::Published);
    let refused = hand.result(&void, Stage::First, RetCode::Verify, &[]);
    receive(&app, institution, &refused).unwrap();
    assert_eq!(receive(&app, institution, &refused).unwrap(), Received::Again);
    assert_eq!(state(&app, &void), FileState::Rejected);
    let closed = code(settle(&f, day).await.unwrap_err());
    assert!(closed.1.contains("is void"), "{}", closed.1);

    let files = cut(&f, day).await.unwrap().files;
    let spl = files[1].clone();
    assert_eq!(files.len(), 2);
    let orders = |name: &str| -> Vec<String> {
        let text = f.text(name);
        text.lines().filter(|l| !l.starts_with("H|") && !l.starts_with("T|")).map(str::to_owned).collect()
    };
    assert_eq!(orders(&void.name), orders(&spl.name));
    assert_eq!(spl.previous_sha256, Some(void.sha256));
    receive(&app, institution, &hand.result(&spl, Stage::First, RetCode::Accepted, &[])).unwrap();
    let closed = code(settle(&f, day).await.unwrap_err());
    assert!(closed.1.contains("waits for FINAL"), "{}", closed.1);
    let done = all_succeed(&app, &spl);
    let out_of_turn = hand.result(&spl, Stage::Final(2), RetCode::Accepted, &done);
    assert_eq!(code(receive(&app, institution, &out_of_turn).unwrap_err()).0, Code::ResultOutOfTurn);
    let mut wrong = done.clone();
    wrong[0].2 += 1;
    let wrong = hand.result(&spl, Stage::Final(1), RetCode::Accepted, &wrong);
    assert_eq!(code(receive(&app, institution, &wrong).unwrap_err()).0, Code::ResultContradicts);
    receive(&app, institution, &hand.result(&spl, Stage::Final(1), RetCode::Accepted, &done)).unwrap();

    let stl = settle(&f, day).await.unwrap().file;
    let before = app
        .db
        .read_blocking(|tx| exchange::of_day(tx, institution, DocumentKind::Stl, first))
        .unwrap()
        .remove(0);
    let (before, now) = (lines(&app, &before), lines(&app, &stl));
    let carried: BTreeMap<&str, Fen> = before
        .values()
        .filter(|l| l.kind == LineKind::Carried)
        .map(|l| (l.receiver.as_str(), l.amount))
        .collect();
    assert!(carried.contains_key("funder:F2"), "{carried:?}");
    for line in now.values() {
        assert_eq!(
            line.carried_in,
            carried.get(line.receiver.as_str()).copied().unwrap_or(Fen::ZERO),
            "{}",
            line.receiver
        );
        assert_eq!(Some(line.amount), line.splits.checked_add(line.carried_in));
    }
    let totals = app.db.read_blocking(|tx| splits::receiver_totals(tx, &spl)).unwrap();
    for total in totals {
        let line = &now[&total.receiver];
        assert_eq!((line.splits, line.order_count), (total.total, total.orders));
    }
    // M1003 settles on the next workday: Friday's money comes on Monday, the others' on Saturday.
    assert_eq!(now["merchant:M1003"].settle_date, BusinessDay::from_i32(20_261_123));
    assert_eq!(now["merchant:M1001"].settle_date, BusinessDay::from_i32(20_261_121));

    // One line fails: its whole amount is in the next settlement, where nothing else is new.
    receive(&app, institution, &hand.result(&stl, Stage::First, RetCode::Accepted, &[])).unwrap();
    let failed = now["merchant:M1002"].clone();
    let answers: Vec<_> = now
        .values()
        .filter(|l| l.kind == LineKind::Settled)
        .map(|l| {
            if l.n == failed.n {
                (l.n, RetStatus::Failed, 0)
            } else {
                (l.n, RetStatus::Success, l.amount.get())
            }
        })
        .collect();
    let mut answers = answers;
    answers.sort_by_key(|(n, ..)| *n);
    receive(&app, institution, &hand.result(&stl, Stage::Final(1), RetCode::Accepted, &answers)).unwrap();
    let next = day.next();
    app.clock.set(next.next().start().plus(11 * 3600));
    bill(&f, next).await;
    let empty = cut(&f, next).await.unwrap().files.remove(0);
    assert_eq!(empty.orders, 0);
    receive(&app, institution, &hand.result(&empty, Stage::First, RetCode::Accepted, &[])).unwrap();
    receive(&app, institution, &hand.result(&empty, Stage::Final(1), RetCode::Accepted, &[])).unwrap();
    let last = settle(&f, next).await.unwrap().file;
    let last = lines(&app, &last);
    assert_eq!(
        (last["merchant:M1002"].requeued, last["merchant:M1002"].amount),
        (failed.amount, failed.amount)
    );
    assert!(last.values().all(|line| line.splits == Fen::ZERO));
    assert_eq!(mingfen::check::breaks(&app).unwrap(), unsigned_by_the_sandbox(&app));
    f.stop().await;
}

/// The test took the institution's key over in the middle: files of before are signed by another, its own lie nowhere.
fn unsigned_by_the_sandbox(app: &App) -> Vec<String> {
    let breaks = mingfen::check::breaks(app).unwrap();
    assert!(
        breaks.iter().all(|b| b.ends_with("is missing or wrong") || b.ends_with("is not on disk")),
        "{breaks:#?}"
    );
    breaks
}

#[actix_web::test]
async fn bad_files_of_the_institution_are_refused_with_what_to_do_and_change_nothing() {
    let f = FinishedDay::new(3).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.day());
    let hand = Hand::over(&f);
    let name = app
        .db
        .read_blocking(|tx| exchange::chain(tx, institution, DocumentKind::Apr))
        .unwrap()
        .remove(0)
        .name;
    let bundle = fs::read_to_string(f.inbox(&name)).unwrap();
    let newer = |change: &dyn Fn(String) -> String| {
        let issued = bundle.find("\"issued_at\":\"").unwrap() + 13;
        let mut text = bundle.clone();
        text.replace_range(issued..issued + 25, "2026-11-20T15:00:00+08:00");
        change(text).into_bytes()
    };
    let apr = "APR_SANDBOX_DEMO_20261120_0001.json";
    let bil = format!("BIL_SANDBOX_DEMO_{day}_0001.txt");
    let bill = fs::read_to_string(f.inbox(&bil)).unwrap();
    let bil2 = format!("BIL_SANDBOX_DEMO_{day}_0002.txt");
    let bill2 = bill.replacen("|0001|CNY|", "|0002|CNY|", 1);
    let resealed = |text: &str| {
        let body = &text[..text.rfind("T|").unwrap()];
        let mut trailer: Vec<&str> = text[body.len()..].trim_end().split('|').collect();
        let digest = Digest::of(body.as_bytes()).to_string();
        *trailer.last_mut().unwrap() = &digest;
        format!("{body}{}\n", trailer.join("|"))
    };
    let sound = resealed(&bill2);
    let gb: Vec<u8> = encoding_rs::GB18030.encode(&sound.replacen("M1001", "商户", 1)).0.into_owned();
    let published = spl_name(day, 9);
    let cases: Vec<(&str, &str, Vec<u8>, Code)> = vec![
        ("cut short", &bil2, sound.as_bytes()[..sound.len() / 2].to_vec(), Code::FileFormat),
        ("without trailer", &bil2, sound[..sound.rfind("T|").unwrap()].into(), Code::FileDigest),
        ("CRLF", &bil2, sound.replace('\n', "\r\n").into(), Code::FileFormat),
        ("BOM", &bil2, format!("\u{feff}{sound}").into(), Code::FileFormat),
        ("GB18030", &bil2, gb, Code::FileFormat),
        ("UTF-16", &bil2, sound.encode_utf16().flat_map(u16::to_le_bytes).collect(), Code::FileFormat),
        ("an endless line", &bil2, vec![b'B'; 3 << 20], Code::FileFormat),
        ("empty", &bil2, Vec::new(), Code::FileFormat),
        ("a changed byte", &bil2, bill2.clone().into(), Code::FileDigest),
        ("wrong totals", &bil2, resealed(&bill2.replacen("|CNY|3|", "|CNY|4|", 1)).into(), Code::FileTotals),
        (
            "another day",
            &bil2,
            resealed(&bill2.replacen(&day.to_string(), "20261118", 1)).into(),
            Code::FileFormat,
        ),
        ("another platform", "BIL_SANDBOX_OTHER_20261119_0001.txt", sound.clone().into(), Code::FileParty),
        ("another file under the name", &bil, sound.clone().into(), Code::FileDuplicate),
        (
            "an older bundle",
            "APR_SANDBOX_DEMO_20261119_0009.json",
            format!("{bundle} ").into(),
            Code::BundleOlder,
        ),
        (
            "a bundle that changes the past",
            apr,
            newer(&|t| t.replacen("\"merchant\":\"M1001\"", "\"merchant\":\"M9\"", 1)),
            Code::BundleContradicts,
        ),
        ("no bundle at all", apr, newer(&|t| t.replacen("SSF1", "SSF2", 1)), Code::FileFormat),
        (
            "a result of no file",
            "SPL_SANDBOX_DEMO_20260101_0001.txt.first.ret",
            b"H".to_vec(),
            Code::ResultUnknownFile,
        ),
        ("a kind that we publish", &published, b"H".to_vec(), Code::FileFormat),
        ("no name", "hello.txt", b"H".to_vec(), Code::FileFormat),
    ];
    let mut raw = f.database.raw();
    let rows = |raw: &mut crate::support::database::Raw| -> Vec<i64> {
        ["exchanged_file", "approvals_bundle", "rule_version", "file_result"].map(|t| raw.count(t)).to_vec()
    };
    let before = rows(&mut raw);
    for (what, name, bytes, expected) in cases {
        let (found, detail) = code(receive(&app, institution, &hand.signed(name, bytes)).expect_err(what));
        assert_eq!(found, expected, "{what}: {detail}");
        assert!(!found.advice_en().is_empty());
    }
    let mut foreign = hand.signed(&bil2, sound.clone().into_bytes());
    foreign.signature = PrivateKey::generate().unwrap().sign_sha256(foreign.bytes()).unwrap();
    assert_eq!(code(receive(&app, institution, &foreign).unwrap_err()).0, Code::FileSignature);
    assert_eq!(rows(&mut raw), before);
    assert_eq!(receive(&app, institution, &hand.signed(&bil2, sound.into_bytes())).unwrap(), Received::Bill);
    assert_eq!(receive(&app, institution, &hand.signed(apr, newer(&|t| t))).unwrap(), Received::Approvals);
    f.stop().await;
}

fn free_pair() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

fn verify(dir: &Path, spl: &Path, bundle: &Path, bill: &Path) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
    command.arg("verify").arg("--first").arg("--spl").arg(spl).arg("--approvals").arg(bundle);
    command.arg("--bill").arg(bill).arg("--platform-key").arg(dir.join("keys/platform.pub.pem"));
    command.arg("--institution-key").arg(dir.join("keys/SANDBOX.pub.pem"));
    command.output().unwrap().status.code()
}

fn one(dir: &Path, kind: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(kind) && (name.ends_with("_0001.txt") || name.ends_with("_0001.json"))
    });
    found.sort();
    found.remove(0)
}

/// The passwords of a demo's table, by login.
fn logins(dir: &Path) -> BTreeMap<String, String> {
    let rows: Vec<Value> = serde_json::from_slice(&fs::read(dir.join("logins.json")).unwrap()).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "login"), text(row, "password"))).collect()
}

#[test]
fn demo_exits_0_and_what_it_left_verifies_until_a_byte_is_changed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("demo");
    let port = free_pair();
    let demo = |ip: &str| {
        let listen = format!("{ip}:{port}");
        // Whatever the umask: nothing of it is anybody else's business.
        Command::new("sh")
            .args(["-c", "umask 000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_mingfen")])
            .args(["demo", "--orders", "8", "--days", "2", "--exit", "--listen", &listen, "--data"])
            .arg(&dir)
            .output()
            .unwrap()
    };
    let ended = demo("127.0.0.1");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let first = logins(&dir);
    assert!(first.values().all(|password| password.len() >= 16), "{first:?}");
    let shell = Shell::new(&dir, "sqlite:mingfen.db");
    let told = "logins.json still tells the password before; the demo leaves it out from its next start on\n";
    assert!(shell.good(&["user", "reset", "--login", "admin"]).ends_with(told));
    assert!(shell.good(&["user", "disable", "--login", "maker"]).ends_with(told));
    // Open to everybody, the site is; the institution's control is not.
    let again = demo("0.0.0.0");
    let said = String::from_utf8_lossy(&again.stdout);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(said.contains(&format!("sandbox     http://127.0.0.1:{}  ", port + 1)), "{said}");
    // Passwords with which nobody is let in any more are told no longer.
    for (login, password) in &first {
        let is_so = !["admin", "maker"].contains(&login.as_str());
        assert_eq!(said.contains(password.as_str()), is_so, "{login}: {said}");
        assert_eq!(logins(&dir)[login] == *password, is_so, "{login}");
    }
    assert!(!shell.good(&["user", "reset", "--login", "admin"]).contains("logins.json"));
    let (out, inbox) = (dir.join("files/SANDBOX/out"), dir.join("files/SANDBOX/in"));
    let day = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let given = [one(&day, "SPL"), one(&inbox, "APR"), one(&inbox, "BIL")];
    assert_eq!(verify(&dir, &given[0], &given[1], &given[2]), Some(0));
    for (changed, path) in given.iter().enumerate() {
        let copy = tempfile::tempdir().unwrap();
        let there = copy.path().join(path.file_name().unwrap());
        let mut bytes = fs::read(path).unwrap();
        let last_digit = bytes.iter().rposition(|b| b.is_ascii_digit()).unwrap();
        bytes[last_digit] = if bytes[last_digit] == b'1' { b'2' } else { b'1' };
        fs::write(&there, bytes).unwrap();
        fs::copy(format!("{}.sig", path.display()), format!("{}.sig", there.display())).unwrap();
        let mut files = given.clone();
        files[changed] = there;
        let ended = verify(&dir, &files[0], &files[1], &files[2]);
        assert_eq!(ended, Some(1), "a changed copy of {}", path.display());
    }
    for secret in
        ["keys/master.key", "credentials/merchant.key.pem", "credentials/wechat.json", "logins.json"]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let mut ways = vec![dir.clone()];
    while let Some(path) = ways.pop() {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::symlink_metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, wanted, "{}", path.display());
        if found.is_dir() {
            ways.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[actix_web::test]
async fn the_days_also_work_at_five_past_midnight_on_new_years_eve() {
    let f = FinishedDay::at(6, "2026-12-31T00:05:00+08:00").await;
    assert_eq!(f.day().to_string(), "20261230");
    let today = f.world.app.clock.today();
    assert_eq!(today.to_string(), "20261231");
    f.world.app.clock.set(today.next().start().plus(60));
    close(&f.world, today).await.unwrap();
    assert_eq!(verify_all(&f.world, &f.dir()).await.unwrap(), 2);
    assert_eq!(
        f.text(&spl_name(today, 1)).lines().filter(|l| l.starts_with("O|") || l.starts_with("X|")).count(),
        6
    );
    f.stop().await;
}

#[actix_web::test]
async fn the_daily_round_cuts_after_ten_and_settles_once_the_gate_opens() {
    let f = FinishedDay::new(4).await;
    let (app, day) = (f.world.app.clone(), f.world.app.clock.today());
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 0);
    app.clock.set(day.next().start().plus(10 * 3600 - 1));
    bill(&f, day).await;
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 0);
    app.clock.set(day.next().start().plus(10 * 3600));
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 1);
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 0);
    f.world.exchange().await.unwrap();
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 1);
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 0);
    assert!(f.out(&format!("STL_SANDBOX_DEMO_{day}_0001.txt.ok")).exists());
    f.stop().await;
}

#[actix_web::test]
async fn a_file_waits_for_its_ok_and_a_refused_one_is_noted_and_keeps_no_other_out() {
    let f = FinishedDay::new(2).await;
    let (app, day) = (f.world.app.clone(), f.day());
    let put = |name: &str, bytes: &[u8]| fs::write(f.inbox(name), bytes).unwrap();
    let bad = format!("BIL_SANDBOX_DEMO_{day}_0007.txt");
    put(&bad, b"H|SSF1|BIL");
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 0);
    assert!(!f.inbox(&format!("{bad}.refused")).exists());
    put(&format!("{bad}.ok"), b"");
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 0);
    assert!(!f.inbox(&format!("{bad}.refused")).exists(), "its signature may still come");
    put(&format!("{bad}.sig"), b"no base64!");
    let today = app.clock.today();
    app.clock.set(today.next().start().plus(3600));
    f.world.sandbox("POST", "/sandbox/bills", &json!({"day": today.to_string()})).await.unwrap();
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 1);
    let note = fs::read_to_string(f.inbox(&format!("{bad}.refused"))).unwrap();
    assert!(note.contains("FIL-101") && note.contains("is not base64"), "{note}");
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 0);
    f.stop().await;
}

#[actix_web::test]
async fn the_same_bytes_come_again_with_a_sound_signature_and_their_answer_can_be_uploaded() {
    let f = FinishedDay::new(2).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.world.app.clock.today());
    app.clock.set(day.next().start().plus(11 * 3600));
    let hand = Hand::over(&f);
    bill(&f, day).await;
    let spl = cut(&f, day).await.unwrap().files.remove(0);
    let beside = f.out(&format!("{}.sig", spl.name));
    let sound = fs::read(&beside).unwrap();
    fs::write(&beside, b"damaged").unwrap();
    let asked = hand.result(&spl, Stage::First, RetCode::Sign, &[]);
    let signature = mingfen::protocol::crypto::base64(&asked.signature);
    // It came by itself, under the name that the answer will have.
    fs::write(f.inbox(&asked.name), asked.bytes()).unwrap();
    fs::write(f.inbox(&format!("{}.sig", asked.name)), signature).unwrap();
    fs::write(f.inbox(&format!("{}.ok", asked.name)), b"").unwrap();
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 1);
    assert_eq!(cut(&f, day).await.unwrap().made, 0);
    assert_eq!(fs::read(&beside).unwrap(), sound);

    let upload = |incoming: &Incoming| {
        let actor = mingfen::people::Actor::shell();
        let data_dir = app.config.data_dir.clone();
        app.db.write_blocking(|tx| inbox::upload(tx, &data_dir, institution, incoming, &actor, 1))
    };
    assert_eq!(upload(&asked).unwrap(), Received::Again);
    let accepted = hand.result(&spl, Stage::First, RetCode::Accepted, &[]);
    // Whoever writes that folder lays links where an upload might be written to.
    let victim = f.dir().join("victim");
    fs::write(&victim, "as it was").unwrap();
    for planted in [format!(".{}.part", accepted.name), format!(".{}.sig.part", accepted.name)] {
        std::os::unix::fs::symlink(&victim, f.inbox(&planted)).unwrap();
    }
    // And a crash may have left other bytes where the copy goes.
    fs::write(f.taken(&accepted.name), "left by a crash").unwrap();
    fs::write(f.taken(&format!("{}.ok", accepted.name)), "").unwrap();
    assert!(matches!(upload(&accepted).unwrap(), Received::Result(_)));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    assert_eq!(state(&app, &spl), FileState::Accepted);
    // Both are kept, each under the name by which it is recorded, where the institution does not write.
    assert_eq!(fs::read(f.taken(&accepted.name)).unwrap(), accepted.bytes());
    let asked_as = format!("{}@{}", asked.name, &asked.digest().to_string()[..16]);
    assert_eq!(fs::read(f.taken(&asked_as)).unwrap(), asked.bytes());
    assert_eq!(
        fs::read(f.inbox(&asked.name)).unwrap(),
        asked.bytes(),
        "nobody but the institution writes there"
    );
    assert_eq!(mingfen::tasks::import_files(&app).await.unwrap(), 0);
    f.stop().await;
}

#[actix_web::test]
async fn a_decision_releases_an_unsplit_order_into_a_later_file_of_its_day_once() {
    let f = FinishedDay::new(10).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.day());
    let text = f.text(&spl_name(day, 1));
    let unsplit: Vec<&str> = text.lines().filter(|line| line.starts_with("X|")).collect();
    assert_eq!(unsplit.len(), 1);
    let no = unsplit[0].split('|').nth(3).unwrap();
    let hand = Hand::over(&f);
    let body = app.db.read_blocking(|tx| approvals::newest(tx, institution, i64::MAX)).unwrap().unwrap();
    let mut bundle: serde_json::Value = serde_json::from_slice(&body.body).unwrap();
    let at = app.clock.instant().to_cst();
    bundle["issued_at"] = json!(at);
    let order = app
        .db
        .read_blocking(|tx| {
            let row = reconciliation::bills(tx, institution, day)?.pop().unwrap();
            let orders = reconciliation::orders(tx, &row, None, 1000)?;
            Ok(orders.into_iter().find(|order| order.facts.inst_order_no == no).unwrap())
        })
        .unwrap();
    let digests: Vec<_> = bundle["rules"].as_array().unwrap().iter().map(|r| r["digest"].clone()).collect();
    let decided = digests.into_iter().any(|digest| {
        bundle["decisions"] = json!([{"inst_order_no": no, "digest": digest, "decided_at": at}]);
        let bundle = approvals::parse_bundle("bundle", bundle.to_string().as_bytes()).unwrap();
        let proposal = mingfen::kernel::proposal::propose(&bundle, &order).unwrap();
        matches!(proposal, mingfen::kernel::proposal::Proposal::Split { .. })
    });
    assert!(decided);
    let apr = hand.signed("APR_SANDBOX_DEMO_20261120_0001.json", bundle.to_string().into_bytes());
    assert_eq!(receive(&app, institution, &apr).unwrap(), Received::Approvals);
    let report = cut(&f, day).await.unwrap();
    assert_eq!((report.made, report.files.len()), (1, 2));
    let second = f.text(&spl_name(day, 2));
    let told: Vec<&str> = second.lines().filter(|l| l.starts_with("O|") || l.starts_with("X|")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("O|") && told[0].contains(no), "{}", told[0]);
    assert_eq!(cut(&f, day).await.unwrap().made, 0);
    // What only a void file tells as split stands unsplit, until the next file tells it again.
    let listed = || {
        app.db.read_blocking(|tx| {
            assert_eq!(splits::unsplit_breaks(tx)?, Vec::<String>::new());
            let listed = splits::unsplit_newest(tx, &Scope::Institution(institution), 100)?;
            Ok(listed.into_iter().map(|one| one.inst_order_no).collect::<Vec<_>>())
        })
    };
    assert_eq!(listed().unwrap(), Vec::<String>::new());
    let refused = hand.result(&report.files[1], Stage::First, RetCode::Verify, &[]);
    receive(&app, institution, &refused).unwrap();
    assert_eq!(listed().unwrap(), [no]);
    assert_eq!(cut(&f, day).await.unwrap().made, 1);
    assert_eq!(listed().unwrap(), Vec::<String>::new());
    f.stop().await;
}

#[actix_web::test]
async fn the_numbers_of_another_institution_are_not_ours() {
    let f = FinishedDay::new(10).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.world.app.clock.today());
    app.clock.set(day.next().start().plus(11 * 3600));
    let hand = Hand::over(&f);
    bill(&f, day).await;
    let void = cut(&f, day).await.unwrap().files.remove(0);
    let unsplit = || app.db.read_blocking(|tx| splits::unsplit_count(tx, &Scope::Platform, 100)).unwrap();
    let before = unsplit();
    assert!(before > 0);
    let mut raw = f.database.raw();
    let number = day.to_i32();
    if let Raw::Pg(_) = raw {
        raw.execute(&format!(
            "SELECT stage_partition('split_order', {number}, 999); \
             SELECT attach_partition('split_order', {number}, 999)"
        ))
        .unwrap();
    }
    raw.execute(&format!(
        "INSERT INTO split_order (business_date, institution_id, file_id, n, bill_id, paid_at, inst_order_no, rule_id, \
         lines) SELECT {number}, 999, 999999, n, bill_id, paid_at, inst_order_no, 1, lines FROM split_order \
         WHERE file_id = {}",
        void.id
    ))
    .unwrap();
    drop(raw);
    app.db.write_blocking(|tx| splits::list_unsplit(tx, institution, day)).unwrap();
    assert_eq!(unsplit(), before);
    let text = f.text(&void.name);
    let no = text.lines().find(|l| l.starts_with("O|")).unwrap().split('|').nth(3).unwrap();
    assert_eq!(app.db.read_blocking(|tx| splits::places(tx, institution, day, no)).unwrap().len(), 1);
    receive(&app, institution, &hand.result(&void, Stage::First, RetCode::Verify, &[])).unwrap();
    assert_eq!(unsplit(), before - 1);
    assert_eq!(cut(&f, day).await.unwrap().made, 1);
    assert_eq!(unsplit(), before);
    f.stop().await;
}

#[actix_web::test]
async fn the_list_of_one_day_is_made_anew_by_one_at_a_time() {
    let f = FinishedDay::new(10).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.day());
    let unsplit = || app.db.read_blocking(|tx| splits::unsplit_count(tx, &Scope::Platform, 100)).unwrap();
    let before = unsplit();
    assert!(before > 0);
    // A result comes in while a cut ends: the later one must see what the earlier one listed.
    let (listed, told) = std::sync::mpsc::channel();
    let db = app.db.clone();
    let earlier = std::thread::spawn(move || {
        db.write_blocking(|tx| {
            splits::list_unsplit(tx, institution, day)?;
            listed.send(()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(500));
            Ok(())
        })
    });
    told.recv().unwrap();
    app.db.write_blocking(|tx| splits::list_unsplit(tx, institution, day)).unwrap();
    earlier.join().unwrap().unwrap();
    assert_eq!(unsplit(), before);
    assert_eq!(app.db.read_blocking(splits::unsplit_breaks).unwrap(), Vec::<String>::new());
    f.stop().await;
}
