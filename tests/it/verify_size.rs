//! `verify` of days that do not fit in memory: with bounds so small that everything is put aside, it says the same.
use std::fs;
use std::io::{self, BufRead, Cursor, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use mingfen::kernel::approvals::Bundle;
use mingfen::kernel::bill::BillOrder;
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::FileKind;
use mingfen::kernel::money::Fen;
use mingfen::kernel::proposal::SplDraft;
use mingfen::kernel::verify::{Bounds, Piece, Report, Scratch, Unusable, Violation, verify_within};
use mingfen::protocol::crypto::base64;
use mingfen::verify::scratch::ScratchDir;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::honest_day::{
    Doc, HonestDay, Plan, bil, bundle_doc, day, keys, name, plan, proposed, spl, wechat_bill,
};

/// So little that a handful of orders is too much.
const TINY: Bounds = Bounds { memory: 700 };

/// Scratch room in memory that counts its pieces, and is full after so many bytes.
struct Counted {
    pieces: AtomicUsize,
    left: AtomicUsize,
}

impl Counted {
    fn of(bytes: usize) -> Self {
        Self { pieces: AtomicUsize::new(0), left: AtomicUsize::new(bytes) }
    }

    fn ample() -> Self {
        Self::of(usize::MAX)
    }

    fn pieces(&self) -> usize {
        self.pieces.load(Ordering::Relaxed)
    }
}

impl Scratch for &'static Counted {
    fn piece(&self) -> io::Result<Box<dyn Piece>> {
        self.pieces.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Held { bytes: Vec::new(), room: self }))
    }
}

struct Held {
    bytes: Vec<u8>,
    room: &'static Counted,
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.room.left.load(Ordering::Relaxed);
        if left < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.left.store(left - bytes.len(), Ordering::Relaxed);
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Piece for Held {
    fn read(self: Box<Self>) -> io::Result<Box<dyn BufRead>> {
        Ok(Box::new(Cursor::new(self.bytes)))
    }
}

fn room(counted: Counted) -> &'static Counted {
    Box::leak(Box::new(counted))
}

impl HonestDay {
    fn within(&self, bounds: Bounds, scratch: &dyn Scratch) -> Result<Report, Unusable> {
        let keys = keys().public();
        verify_within(bounds, self.inputs(), Some(&keys), scratch)
    }

    fn tiny(&self) -> Report {
        self.within(TINY, &room(Counted::ample())).unwrap()
    }
}

/// Everything that a report says.
fn said(report: &Report) -> String {
    let Report { violations, unlisted, not_checked, totals, .. } = report;
    format!("{violations:#?}\n{unlisted}\n{not_checked:?}\n{totals:#?}")
}

/// A plan with so many orders, most of which are split.
fn large(orders: usize) -> Plan {
    let mut runner = TestRunner::deterministic();
    loop {
        let mut plan = plan().new_tree(&mut runner).unwrap().current();
        let day = plan.build();
        if day.told().values().filter(|kind| *kind == "O").count() < 4 {
            continue;
        }
        let few = plan.orders.clone();
        plan.orders = few.iter().cycle().take(orders).cloned().collect();
        (plan.late, plan.first, plan.wechat, plan.void) = (0, true, true, [false, false]);
        return plan;
    }
}

/// The orders of a large plan, each at a time of its own but for some.
fn orders_of(plan: &Plan) -> Vec<BillOrder> {
    let mut orders = plan.all_orders();
    for (i, order) in orders.iter_mut().enumerate() {
        if order.facts.merchant.is_empty() {
            order.facts.merchant = "M9999".to_owned();
        }
        order.facts.paid_at = day().start().plus((i as i64 * 7919) % 86_000 / 7);
    }
    orders
}

/// One day of these orders, its bill and files dealt out to several seqs, or with WeChat's own bill in no order.
fn dealt(plan: &Plan, orders: &[BillOrder], seqs: usize, wechat: bool) -> HonestDay {
    let approvals = plan.first_approvals();
    let doc = bundle_doc(&approvals, 1);
    let bundle = Bundle::parse(&doc.bytes).unwrap();
    let mut made = HonestDay { first: true, approvals: vec![doc], ..HonestDay::default() };
    let mut prev = Digest::ZERO;
    for seq in 0..seqs {
        let part: Vec<BillOrder> =
            orders.iter().enumerate().filter(|(i, _)| i % seqs == seq).map(|(_, o)| o.clone()).collect();
        let number = u16::try_from(seq + 1).unwrap();
        let draft = SplDraft {
            name: name(FileKind::Spl, day(), number),
            created_at: day().next().start().plus(7200),
            approvals: bundle.digest(),
            prev,
        };
        let file = spl(&draft, &proposed(&bundle, &part));
        prev = file.digest();
        made.spl.push(file);
        if !wechat {
            made.bills.push(bil(&part, number));
        }
    }
    if wechat {
        made.bills.push(wechat_bill(orders, &approvals));
    }
    made
}

/// The totals of a report; refunds stand in one kind of bill only, and so does what is left out for them.
fn totals(report: &Report) -> String {
    format!("{:?}", report.totals)
}

#[test]
fn a_day_in_many_files_says_what_it_says_in_one_and_with_wechats_own_bill() {
    let plan = large(400);
    let orders = orders_of(&plan);
    let whole = dealt(&plan, &orders, 1, false).verify().unwrap();
    assert!(whole.is_sound(), "{:?}", whole.violations);
    assert!(whole.totals.lines > Fen::ZERO && !whole.totals.unsplit.is_empty());
    for (seqs, wechat) in [(5, false), (3, true), (1, true)] {
        let scratch = room(Counted::ample());
        let made = dealt(&plan, &orders, seqs, wechat);
        let report = made.within(TINY, &scratch).unwrap();
        assert!(report.is_sound(), "{:?}", report.violations);
        assert_eq!(totals(&report), totals(&whole));
        assert!(scratch.pieces() > 64, "only {} pieces were put aside", scratch.pieces());
        assert_eq!(said(&report), said(&made.verify().unwrap()));
    }
}

/// Makes a file of the day what it is after a change of its lines, signed by the platform, and the later ones follow it.
fn changed(day: &HonestDay, at: usize, change: impl Fn(&mut Vec<String>)) -> HonestDay {
    let mut made = day.clone();
    let mut prev: Option<(String, String)> = None;
    for (i, doc) in made.spl.iter_mut().enumerate().skip(at) {
        let mut lines: Vec<String> = doc.text().lines().map(str::to_owned).collect();
        if i == at {
            change(&mut lines);
        }
        if let Some((was, is)) = &prev {
            lines[0] = lines[0].replace(was, is);
        }
        let last = lines.pop().unwrap();
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let counts = last.rsplit_once('|').unwrap().0;
        let bytes = format!("{body}{counts}|{}\n", Digest::of(body.as_bytes())).into_bytes();
        let new = Doc::signed(doc.name.clone(), bytes, &keys().platform);
        prev = Some((doc.digest().to_string(), new.digest().to_string()));
        *doc = new;
    }
    made
}

fn field(line: &str, at: usize) -> String {
    line.split('|').nth(at).unwrap().to_owned()
}

fn codes(report: &Report) -> Vec<(&'static str, Option<String>, Option<u64>)> {
    let short = |v: &Violation| (v.check.code(), v.order.clone(), v.line);
    report.violations.iter().map(short).collect()
}

#[test]
fn a_payment_told_twice_is_found_across_files_and_parts_by_either_number() {
    let plan = large(300);
    let orders = orders_of(&plan);
    let honest = dealt(&plan, &orders, 3, false);
    let heads = |doc: &Doc| -> Vec<String> {
        doc.text().lines().filter(|l| l.starts_with("O|") || l.starts_with("X|")).map(str::to_owned).collect()
    };
    // The number of an order of the first file, once more in the third, at its own time and so among others.
    let stolen = field(&heads(&honest.spl[0])[7], 3);
    let victim = heads(&honest.spl[2])[40].clone();
    let made = changed(&honest, 2, |lines| {
        let line = lines.iter_mut().find(|line| **line == victim).unwrap();
        *line = line.replacen(&field(&victim, 3), &stolen, 1);
    });
    let report = made.tiny();
    assert_eq!(said(&report), said(&made.verify().unwrap()));
    let found = codes(&report);
    let line = made.spl[2].text().lines().position(|line| field(line, 3) == stolen).unwrap() as u64 + 1;
    assert!(found.contains(&("V08", Some(stolen.clone()), Some(line))), "{found:?}");
    assert!(found.contains(&("V06", Some(field(&victim, 3)), None)), "{found:?}");

    // The order_no of another payment.
    let stolen = field(&heads(&honest.spl[0])[9], 2);
    let made = changed(&honest, 1, |lines| {
        let line = lines.iter_mut().filter(|line| line.starts_with("O|")).nth(3).unwrap();
        *line = line.replacen(&field(line, 2), &stolen, 1);
    });
    let report = made.tiny();
    let found: Vec<&str> = report.violations.iter().map(|v| v.check.code()).collect();
    assert_eq!(found, ["V07", "V08"]);
    assert_eq!(said(&report), said(&made.verify().unwrap()));
}

#[test]
fn a_payment_that_the_bills_tell_twice_at_different_times_makes_them_unusable() {
    let plan = large(200);
    let orders = orders_of(&plan);
    for bounds in [TINY, Bounds::default()] {
        let mut day = dealt(&plan, &orders, 2, false);
        let mut again = orders[11].clone();
        again.facts.paid_at = again.facts.paid_at.plus(3600);
        day.bills.push(bil(&[again], 3));
        let error = day.within(bounds, &room(Counted::ample())).unwrap_err().to_string();
        let no = &orders[11].facts.inst_order_no;
        assert!(error.contains("_0003.txt line 2") && error.contains(&format!("{no} twice")), "{error}");
    }
}

#[test]
fn an_order_told_at_another_time_is_v07_and_nothing_else_however_it_was_found() {
    let plan = large(120);
    let honest = dealt(&plan, &orders_of(&plan), 2, true);
    let mut moved = String::new();
    let text = honest.spl[1].text();
    for line in text.lines().filter(|line| line.starts_with("O|")) {
        moved = line.to_owned();
    }
    let (was, no) = (field(&moved, 9), field(&moved, 3));
    let is = format!("{}59+08:00", &was[..17]);
    let made = changed(&honest, 1, |lines| {
        let line = lines.iter_mut().find(|line| **line == moved).unwrap();
        *line = line.replace(&was, &is);
    });
    let report = made.tiny();
    let all = codes(&report);
    assert!(all.iter().any(|(code, order, _)| (*code, order.as_ref()) == ("V07", Some(&no))), "{all:?}");
    assert!(all.iter().all(|(code, ..)| matches!(*code, "V07" | "V13")), "{all:?}");
    assert_eq!(said(&report), said(&made.verify().unwrap()));
}

#[test]
fn a_payment_of_an_earlier_file_is_found_among_thousands_put_aside() {
    let plan = large(150);
    let orders = orders_of(&plan);
    let honest = dealt(&plan, &orders, 2, false);
    // The earlier file is today's first, dated back a day and told as yesterday's.
    let earlier = honest.spl[0].text().replace("20260602", "20260601").replace("2026-06-02", "2026-06-01");
    let (body, _) = earlier.rsplit_once("T|").unwrap();
    let counts = honest.spl[0].text().lines().last().unwrap().rsplit_once('|').unwrap().0.to_owned();
    let bytes = format!("{body}{counts}|{}\n", Digest::of(body.as_bytes())).into_bytes();
    let earlier = Doc::signed(honest.spl[0].name.replace("20260602", "20260601"), bytes, &keys().platform);
    let mut day = honest.clone();
    day.results.push(crate::support::honest_day::first_result(
        &earlier,
        mingfen::kernel::file::ret::RetCode::Accepted,
    ));
    let told = earlier.text().lines().filter(|l| l.starts_with("O|") || l.starts_with("X|")).count();
    day.previous.push(earlier);
    let report = day.tiny();
    let twice: Vec<&Violation> = report.violations.iter().filter(|v| v.check.code() == "V08").collect();
    assert_eq!(twice.len(), told);
    assert!(twice.iter().all(|v| v.file == day.previous[0].name && v.line.is_some()));
    assert!(twice.windows(2).all(|pair| pair[0].line < pair[1].line), "not in the order of the file");
    assert_eq!(said(&report), said(&day.verify().unwrap()));
}

#[test]
fn of_endless_violations_the_first_are_listed_and_all_are_counted() {
    let plan = large(1500);
    let orders = orders_of(&plan);
    let honest = dealt(&plan, &orders, 1, false);
    let mut day = honest.clone();
    day.spl = dealt(&plan, &orders[..1], 1, false).spl;
    let report = day.tiny();
    assert_eq!((report.violations.len(), report.unlisted), (1000, 499));
    let times: Vec<_> = report.violations.iter().map(|v| v.order.clone().unwrap()).collect();
    let mut sorted: Vec<_> =
        orders[1..].iter().map(|o| (o.facts.paid_at, o.facts.inst_order_no.clone())).collect();
    sorted.sort();
    assert_eq!(times, sorted.into_iter().take(1000).map(|(_, no)| no).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn bounds_change_nothing_on_an_honest_day(plan in plan()) {
        let day = plan.build();
        let none = Bounds { memory: 0 };
        let tiny = day.within(none, &room(Counted::ample())).unwrap();
        prop_assert!(tiny.is_sound(), "{:?}", tiny.violations);
        prop_assert_eq!(said(&tiny), said(&day.verify().unwrap()));
    }

    #[test]
    fn bounds_change_nothing_on_a_dishonest_one(
        plan in plan(),
        file in any::<prop::sample::Index>(),
        line in any::<prop::sample::Index>(),
        with in any::<prop::sample::Index>(),
        at in 0_usize..10,
    ) {
        let honest = plan.build();
        let made = changed(&honest, file.index(honest.spl.len()), |lines| {
            let heads: Vec<usize> = (1..lines.len()).filter(|i| !lines[*i].starts_with("L|")).collect();
            let (line, with) = (heads[line.index(heads.len())], heads[with.index(heads.len())]);
            let mut fields: Vec<String> = lines[line].split('|').map(str::to_owned).collect();
            let other: Vec<String> = lines[with].split('|').map(str::to_owned).collect();
            if let (Some(own), Some(other)) = (fields.get_mut(at), other.get(at)) {
                other.clone_into(own);
            }
            lines[line] = fields.join("|");
        });
        match (made.within(Bounds { memory: 0 }, &room(Counted::ample())), made.verify()) {
            (Ok(tiny), Ok(usual)) => prop_assert_eq!(said(&tiny), said(&usual)),
            (Err(tiny), Err(usual)) => prop_assert_eq!(tiny.to_string(), usual.to_string()),
            (tiny, usual) => prop_assert!(false, "{tiny:?} {usual:?}"),
        }
    }
}

/// A day whose 0001 was void, whose 0002 repeats an X of it, and whose 0003 releases that order; its number.
fn released_after_void() -> (HonestDay, String) {
    let mut runner = TestRunner::deterministic();
    loop {
        let plan = plan().new_tree(&mut runner).unwrap().current();
        let day = plan.build();
        if plan.void != [true, false] || day.spl.len() != 2 {
            continue;
        }
        let heads = |doc: &Doc, mark: &str| -> Vec<String> {
            doc.text().lines().filter(|l| l.starts_with(mark)).map(|line| field(line, 3)).collect()
        };
        let (unsplit, released) = (heads(&day.spl[0], "X|"), heads(&day.spl[1], "O|"));
        if let Some(no) = unsplit.into_iter().find(|no| released.contains(no)) {
            return (day, no);
        }
    }
}

#[test]
fn a_void_file_does_not_excuse_an_order_that_the_file_after_it_was_due_to_repeat() {
    let (honest, no) = released_after_void();
    assert!(honest.verify().unwrap().is_sound());
    let made = changed(&honest, 0, |lines| lines.retain(|line| !line.contains(&format!("|{no}|"))));
    let report = made.tiny();
    let due = "the order as X in an earlier file, before it was decided";
    let silent: Vec<_> = report.violations.iter().filter(|v| v.expected == due).collect();
    assert_eq!(silent.iter().map(|v| v.order.clone().unwrap()).collect::<Vec<_>>(), [no]);
    assert_eq!(said(&report), said(&made.verify().unwrap()));
}

#[test]
fn a_full_scratch_room_ends_the_run_with_a_sentence() {
    let plan = large(200);
    let orders = orders_of(&plan);
    for (wechat, bytes) in [(false, 0), (false, 3000), (true, 0), (true, 30_000)] {
        let day = dealt(&plan, &orders, 2, wechat);
        let error = day.within(TINY, &room(Counted::of(bytes))).unwrap_err();
        assert!(matches!(error, Unusable::Scratch(_)), "{error}");
        assert!(error.to_string().starts_with("there must be room for what does not fit in memory"));
    }
}

#[test]
fn files_of_the_scratch_directory_have_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let scratch = ScratchDir::new(dir.path().to_owned());
    let plan = large(200);
    let day = dealt(&plan, &orders_of(&plan), 2, true);
    let mut piece = scratch.piece().unwrap();
    piece.write_all(b"here").unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "a piece in use stands in the directory");
    assert_eq!(piece.read().unwrap().lines().next().unwrap().unwrap(), "here");
    let report = day.within(TINY, &scratch).unwrap();
    assert!(report.is_sound() && fs::read_dir(dir.path()).unwrap().count() == 0);
}

/// Runs the command over a day that stands in `dir`.
fn command(dir: &Path, day: &HonestDay, temp: &Path) -> Output {
    for doc in [&day.spl, &day.approvals, &day.bills].into_iter().flatten() {
        fs::write(dir.join(&doc.name), &doc.bytes).unwrap();
        let beside = dir.join(format!("{}.sig", doc.name));
        fs::write(beside, base64(doc.signature.as_ref().unwrap())).unwrap();
    }
    for (key, own) in [(&keys().platform, "p.pem"), (&keys().institution, "i.pem")] {
        fs::write(dir.join(own), key.public_key().unwrap().to_pem().unwrap()).unwrap();
    }
    // So few open files that they cannot all be files of the day.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 32; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mingfen")]);
    command.current_dir(dir).args([
        "verify",
        "--first",
        "--platform-key",
        "p.pem",
        "--institution-key",
        "i.pem",
    ]);
    for (option, docs) in [("--spl", &day.spl), ("--approvals", &day.approvals), ("--bill", &day.bills)] {
        command.arg(option).args(docs.iter().map(|doc| &doc.name));
    }
    command.arg("--temp").arg(temp).output().unwrap()
}

#[test]
fn the_command_leaves_its_directory_clean_and_refuses_one_that_cannot_be_used() {
    let (dir, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plan = large(60);
    let orders = orders_of(&plan);
    let many = dealt(&plan, &orders, 40, false);
    let honest = dealt(&plan, &orders, 2, true);
    let dishonest = changed(&honest, 1, |lines| {
        let line = lines.iter_mut().rfind(|line| line.starts_with("L|")).unwrap();
        line.push('1');
    });
    let mut unusable = honest.clone();
    unusable.bills[0].bytes.truncate(2000);
    for (day, code) in [(&many, 0), (&honest, 0), (&dishonest, 1), (&unusable, 2)] {
        let output = command(dir.path(), day, temp.path());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
    let missing = temp.path().join("not-there");
    let output = command(dir.path(), &honest, &missing);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("not-there cannot be used") && said.contains("--temp"), "{said}");
}
