//! `verify`: no honest day is refused, and any change of a file, a bundle or the bill's evidence is – also when a
//! dishonest platform makes everything right again that it can.
use std::collections::{BTreeMap, BTreeSet};

use mingfen::kernel::calendar::Instant;
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::FileName;
use mingfen::kernel::file::ret::RetCode;
use mingfen::kernel::money::Fen;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::honest_day::{
    Doc, HonestDay, Plan, bil, bundle_doc, day as business_day, first_result, honest_day, keys, plan, sample,
    wechat_bill,
};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 200, ..ProptestConfig::default() }
}

/// What a dishonest platform makes right again after it changed a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Repair {
    Digest,
    Everything,
}

fn count(lines: &[String], mark: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(mark)).count()
}

/// Numbers, line counts, totals of an SPL made consistent again.
fn renumber(lines: &mut [String]) {
    let mut n = 0;
    for at in 1..lines.len().saturating_sub(1) {
        let mut fields: Vec<String> = lines[at].split('|').map(str::to_owned).collect();
        if fields[0] == "O" || fields[0] == "X" {
            n += 1;
        }
        if fields.len() > 1 {
            fields[1] = n.to_string();
        }
        if fields[0] == "O" && fields.len() == 16 {
            let own = lines[at + 1..].iter().take_while(|line| line.starts_with("L|")).count();
            fields[15] = own.to_string();
        }
        lines[at] = fields.join("|");
    }
    let total: i64 = lines
        .iter()
        .filter(|line| line.starts_with("L|"))
        .filter_map(|line| line.rsplit('|').next()?.parse::<i64>().ok())
        .sum();
    let totals = [count(lines, "O|") + count(lines, "X|"), count(lines, "L|")];
    let mut head: Vec<String> = lines[0].split('|').map(str::to_owned).collect();
    if head.len() == 14 {
        head[8] = totals[0].to_string();
        head[9] = totals[1].to_string();
        head[10] = total.to_string();
    }
    lines[0] = head.join("|");
    if let Some(last) = lines.last_mut().filter(|last| last.starts_with("T|")) {
        *last = format!("T|{}|{}|{total}|", totals[0], totals[1]);
    }
}

/// The file of these lines with the right digest in its trailer.
fn sealed(lines: &[String]) -> Vec<u8> {
    let (last, body) = lines.split_last().unwrap();
    let mut bytes: Vec<u8> = body.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let digest = Digest::of(&bytes);
    let last = match last.rsplit_once('|') {
        Some((counts, _)) if last.starts_with("T|") => format!("{counts}|{digest}"),
        _ => last.clone(),
    };
    bytes.extend(format!("{last}\n").bytes());
    bytes
}

fn lines_of(doc: &Doc) -> Vec<String> {
    doc.text().lines().map(str::to_owned).collect()
}

impl Repair {
    fn apply(self, doc: &Doc, mut lines: Vec<String>) -> Doc {
        if self == Repair::Everything {
            renumber(&mut lines);
        }
        Doc::signed(doc.name.clone(), sealed(&lines), &keys().platform)
    }
}

/// The later files of the day name the changed file as what it is now.
fn rechain(honest: &HonestDay, changed: &mut HonestDay) {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for (before, now) in honest.spl.iter().zip(&mut changed.spl) {
        let mut lines = lines_of(now);
        let mut head: Vec<String> = lines[0].split('|').map(str::to_owned).collect();
        if let Some(prev) = head.last_mut()
            && let Some(new) = renamed.get(prev)
        {
            *prev = new.clone();
            lines[0] = head.join("|");
            *now = Doc::signed(now.name.clone(), sealed(&lines), &keys().platform);
        }
        renamed.insert(before.digest().to_string(), now.digest().to_string());
    }
}

/// A change of one line of a text file.
#[derive(Clone, Debug)]
enum Change {
    Field { line: Index, field: Index, to: Field },
    Delete(Index),
    Repeat(Index),
    Swap(Index),
    MoveFen(Index, Index, i64),
    DropOrder(Index),
}

#[derive(Clone, Debug)]
enum Field {
    Add(i64),
    Like(Index),
    Append(&'static str),
    Empty,
}

fn change() -> impl Strategy<Value = Change> {
    let field = prop_oneof![
        3 => select(vec![-100, -1, 1, 100]).prop_map(Field::Add),
        3 => any::<Index>().prop_map(Field::Like),
        1 => select(vec!["1", "0", "a", "X", " ", "|", "\\"]).prop_map(Field::Append),
        1 => Just(Field::Empty),
    ];
    prop_oneof![
        6 => (any::<Index>(), any::<Index>(), field)
            .prop_map(|(line, field, to)| Change::Field { line, field, to }),
        1 => any::<Index>().prop_map(Change::Delete),
        1 => any::<Index>().prop_map(Change::Repeat),
        1 => any::<Index>().prop_map(Change::Swap),
        2 => (any::<Index>(), any::<Index>(), select(vec![1_i64, 7, 1000]))
            .prop_map(|(from, to, fen)| Change::MoveFen(from, to, fen)),
        1 => any::<Index>().prop_map(Change::DropOrder),
    ]
}

impl Change {
    /// Applies it to the lines; the field changed in line 0, if one was.
    fn apply(&self, lines: &mut Vec<String>) -> Option<usize> {
        match self {
            Change::Field { line, field, to } => {
                let at = line.index(lines.len());
                let mut fields: Vec<String> = lines[at].split('|').map(str::to_owned).collect();
                let place = field.index(fields.len());
                let other = match to {
                    Field::Like(other) => lines[other.index(lines.len())].split('|').nth(place),
                    Field::Add(_) | Field::Append(_) | Field::Empty => None,
                };
                fields[place] = match to {
                    Field::Add(by) => match fields[place].parse::<i64>() {
                        Ok(number) => (number + by).to_string(),
                        Err(_) => fields[place].replace("12:", "13:"),
                    },
                    Field::Like(_) => other.unwrap_or("0").to_owned(),
                    Field::Append(text) => format!("{}{text}", fields[place]),
                    Field::Empty => String::new(),
                };
                lines[at] = fields.join("|");
                return (at == 0).then_some(place);
            }
            Change::Delete(line) => {
                let at = line.index(lines.len());
                if lines.len() > 1 {
                    lines.remove(at);
                }
            }
            Change::Repeat(line) => {
                let at = line.index(lines.len());
                lines.insert(at, lines[at].clone());
            }
            Change::Swap(line) => {
                let at = line.index(lines.len() - 1);
                lines.swap(at, at + 1);
            }
            Change::MoveFen(from, to, fen) => {
                let of_lines: Vec<usize> =
                    (0..lines.len()).filter(|at| lines[*at].starts_with("L|")).collect();
                if of_lines.is_empty() {
                    return None;
                }
                for (index, by) in [(from, -fen), (to, *fen)] {
                    let at = of_lines[index.index(of_lines.len())];
                    let (head, amount) = lines[at].rsplit_once('|').unwrap();
                    lines[at] = format!("{head}|{}", amount.parse::<i64>().unwrap() + by);
                }
            }
            Change::DropOrder(order) => {
                let orders: Vec<usize> = (0..lines.len())
                    .filter(|at| lines[*at].starts_with("O|") || lines[*at].starts_with("X|"))
                    .collect();
                if orders.is_empty() {
                    return None;
                }
                let at = orders[order.index(orders.len())];
                let own = lines[at + 1..].iter().take_while(|line| line.starts_with("L|")).count();
                lines.drain(at..=at + own);
            }
        }
        None
    }
}

/// Position of `created_at` in the header of an SPL.
const CREATED_AT: usize = 11;

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn no_honest_day_is_refused(plan in plan()) {
        let day = plan.build();
        let report = day.verify().unwrap();
        prop_assert!(report.is_sound(), "{:?}", report.violations);
        let totals = &report.totals;
        prop_assert_eq!(totals.pool().get(), totals.lines.get() + totals.unsplit_pool().get());
        prop_assert_eq!(totals.orders, u64::try_from(plan.orders.len()).unwrap());
    }

    #[test]
    fn any_changed_line_of_an_spl_is_refused_also_when_the_platform_makes_all_right_again(
        day in honest_day(),
        file in any::<Index>(),
        change in change(),
        repair in select(vec![Repair::Digest, Repair::Everything]),
        rechained in any::<bool>(),
    ) {
        let at = file.index(day.spl.len());
        let mut lines = lines_of(&day.spl[at]);
        let header_field = change.apply(&mut lines);
        prop_assume!(header_field != Some(CREATED_AT));
        let mut dishonest = day.clone();
        dishonest.spl[at] = repair.apply(&day.spl[at], lines);
        prop_assume!(dishonest.spl[at].bytes != day.spl[at].bytes);
        if rechained {
            rechain(&day, &mut dishonest);
        }
        prop_assert!(!dishonest.codes().is_empty(), "{}\n{}", day.spl[at].text(), dishonest.spl[at].text());
    }

    #[test]
    fn any_changed_byte_of_any_file_is_refused(
        day in honest_day(),
        file in any::<Index>(),
        byte in any::<Index>(),
        by in 1_u8..=255,
    ) {
        let mut changed = day.clone();
        let all = [
            &mut changed.spl, &mut changed.approvals, &mut changed.previous, &mut changed.void,
            &mut changed.results,
        ];
        let mut all: Vec<&mut Doc> = all.into_iter().flatten().collect();
        all.extend(&mut changed.bills);
        let at = file.index(all.len());
        let byte = byte.index(all[at].bytes.len());
        all[at].bytes[byte] ^= by;
        prop_assert!(!changed.codes().is_empty());
    }

    #[test]
    fn any_changed_or_missing_signature_is_refused(
        day in honest_day(),
        file in any::<Index>(),
        byte in any::<Index>(),
        missing in any::<bool>(),
    ) {
        let mut changed = day.clone();
        let all = [
            &mut changed.spl, &mut changed.approvals, &mut changed.previous, &mut changed.void,
            &mut changed.results,
        ];
        let mut all: Vec<&mut Doc> = all.into_iter().flatten().collect();
        let at = file.index(all.len());
        let mut signature = all[at].signature.take().unwrap();
        if !missing {
            let byte = byte.index(signature.len());
            signature[byte] ^= 1;
            all[at].signature = Some(signature);
        }
        prop_assert_eq!(changed.codes(), BTreeSet::from(["V02"]));
    }

    #[test]
    fn a_bundle_that_the_platform_rewrites_and_signs_is_refused(
        day in honest_day(),
        file in any::<Index>(),
        (from, to) in select(vec![
            ("\"platform_cap_ppm\":", "\"platform_cap_ppm\":1"),
            ("\"role\":\"agent\"", "\"role\":\"platform\""),
            ("\"inst_receiver_no\":\"7-", "\"inst_receiver_no\":\"70000-"),
            ("\"version\":", "\"version\":1"),
            ("2026-01-01T08", "2026-01-01T09"),
            ("\n", "\n\n"),
        ]),
    ) {
        let mut changed = day.clone();
        let at = file.index(changed.approvals.len());
        let old = &day.approvals[at];
        let text = old.text().replacen(from, to, 1);
        prop_assume!(text != old.text());
        changed.approvals[at] = Doc::signed(old.name.clone(), text.into_bytes(), &keys().platform);
        let (was, is) = (old.digest().to_string(), changed.approvals[at].digest().to_string());
        for doc in &mut changed.spl {
            let lines: Vec<String> = lines_of(doc).iter().map(|line| line.replace(&was, &is)).collect();
            *doc = Doc::signed(doc.name.clone(), sealed(&lines), &keys().platform);
        }
        rechain(&day, &mut changed);
        prop_assert!(changed.codes().contains("V02"));
    }

    #[test]
    fn another_fact_in_the_bill_is_refused(
        plan in plan(),
        order in any::<Index>(),
        fact in 0_usize..11,
    ) {
        prop_assume!(!plan.orders.is_empty());
        let honest = plan.build();
        let told = honest.told();
        let mut facts = plan.all_orders();
        let at = order.index(facts.len());
        let before = facts[at].clone();
        change_fact(&mut facts[at], fact, plan.wechat);
        prop_assume!(facts[at] != before && facts[at].facts.check().is_ok());
        // An X tells no more of its order than these, the rest of its evidence shows in its reason.
        let x_tells = [0, 1, 7, 8].contains(&fact);
        prop_assume!(x_tells || told[&before.facts.inst_order_no] == "O");
        let mut changed = honest.clone();
        changed.bills = plan.bills(&facts);
        let codes = changed.codes();
        prop_assert!(!codes.is_empty(), "{fact} {before:?} {:?}", facts[at]);
    }

    #[test]
    fn an_order_more_or_fewer_in_the_bill_is_refused(
        plan in plan(),
        order in any::<Index>(),
        more in any::<bool>(),
    ) {
        prop_assume!(!plan.orders.is_empty());
        let mut changed = plan.build();
        let mut orders = plan.all_orders();
        let at = order.index(orders.len());
        if more {
            let mut another = orders[at].clone();
            another.facts.inst_order_no.push('9');
            another.order_no.push('9');
            orders.insert(at, another);
        } else {
            orders.remove(at);
        }
        changed.bills = plan.bills(&orders);
        let code = if more { "V06" } else { "V05" };
        prop_assert!(changed.codes().contains(code));
    }

    #[test]
    fn another_created_at_is_allowed_after_the_day_and_the_files_before_under_the_newest_bundle(
        day in honest_day(),
        file in any::<Index>(),
        by in -40_i64..40,
    ) {
        let at = file.index(day.spl.len());
        let created_at = created_at_of(&day.spl[at]);
        let moved = created_at.plus(by * 3600);
        let mut changed = day.clone();
        changed.spl[at] = dated(&day.spl[at], moved);
        // Only the last file can be changed without breaking the chain that results or later files hold.
        prop_assume!(at + 1 == day.spl.len());
        let issued: Vec<_> = day.approvals.iter().map(issued_at).collect();
        let newest = |at| issued.iter().filter(|issued| **issued <= at).max();
        let codes = changed.codes();
        let before = day.spl[..at].iter().map(created_at_of).max();
        let after = moved >= business_day().next().start() && before.is_none_or(|before| moved >= before);
        if after && newest(moved) == newest(created_at) {
            prop_assert!(codes.is_empty(), "{codes:?}");
        } else {
            prop_assert!(codes.contains("V04"));
        }
    }
}

fn created_at_of(spl: &Doc) -> Instant {
    Instant::parse(spl.text().split('|').nth(CREATED_AT).unwrap()).unwrap()
}

/// The same SPL, made at another time as its header says.
fn dated(spl: &Doc, created_at: Instant) -> Doc {
    let mut lines = lines_of(spl);
    let mut head: Vec<String> = lines[0].split('|').map(str::to_owned).collect();
    head[CREATED_AT] = created_at.to_cst();
    lines[0] = head.join("|");
    Repair::Digest.apply(spl, lines)
}

fn issued_at(bundle: &Doc) -> Instant {
    mingfen::kernel::approvals::Bundle::parse(&bundle.bytes).unwrap().issued_at
}

fn change_fact(order: &mut mingfen::kernel::bill::BillOrder, fact: usize, wechat: bool) {
    let facts = &mut order.facts;
    match fact {
        0 => order.order_no.push('Z'),
        1 => facts.inst_order_no.push('Z'),
        2 => facts.merchant = if facts.merchant == "M1001" { "M1002" } else { "M1001" }.to_owned(),
        3 if !wechat => facts.channel.push('x'),
        4 => facts.product.push('x'),
        5 => facts.tags = vec!["zzz".to_owned()],
        6 => facts.parties = BTreeMap::from([("zed".to_owned(), "agent:1".to_owned())]),
        7 => {
            facts.paid_at =
                facts.paid_at.plus(if facts.paid_at.business_day() == facts.paid_at.plus(1).business_day() {
                    1
                } else {
                    -1
                })
        }
        8 => facts.paid = Fen::new(facts.paid.get() + 1),
        9 => facts.fee = Fen::new(facts.fee.get() + 1),
        10 if !wechat => facts.subsidy = Fen::new(facts.subsidy.get() + 1),
        _ => {}
    }
}

#[test]
fn random_days_hold_every_reason_and_released_orders() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut met, mut released) = (BTreeMap::new(), 0);
    for _ in 0..300 {
        let day = plan().new_tree(&mut runner).unwrap().current().build();
        let lines: Vec<String> = day.spl.iter().flat_map(lines_of).collect();
        for line in lines.iter().filter(|line| line.starts_with("X|")) {
            *met.entry(line.rsplit('|').next().unwrap().to_owned()).or_insert(0) += 1;
        }
        *met.entry("O".to_owned()).or_insert(0) += count(&lines, "O|");
        released += count(&lines, "O|") + count(&lines, "X|") - day.told().len();
    }
    for kind in ["MERCHANT", "NO_RULE", "OVER_CAP", "OVER_LIMIT", "RECEIVER"] {
        assert!(met.contains_key(kind), "{met:?}");
    }
    assert!(released > 0 && met["O"] > 300, "{met:?} {released}");
}

#[test]
fn each_break_of_the_chain_is_v04() {
    let (_, honest) = sample();
    assert_eq!(honest.codes(), BTreeSet::new());
    let broken = |change: fn(&mut HonestDay)| {
        let mut day = honest.clone();
        change(&mut day);
        day.codes()
    };
    assert!(broken(|day| day.previous.clear()).contains("V04"), "yesterday's file is not given");
    assert!(broken(|day| day.void.clear()).contains("V04"), "0001 is not given");
    assert!(broken(|day| day.results.clear()).contains("V04"), "no result over earlier files");
    assert!(broken(|day| drop(day.spl.pop())).contains("V06"), "the late file is not given");
    let cleared = |day: &mut HonestDay| {
        let mut lines = lines_of(&day.spl[0]);
        lines[0] = format!("{}|{}", lines[0].rsplit_once('|').unwrap().0, Digest::ZERO);
        day.spl[0] = Doc::signed(day.spl[0].name.clone(), sealed(&lines), &keys().platform);
        day.spl.truncate(1);
    };
    assert!(broken(cleared).contains("V04"), "64 zeros in the middle of a chain");
    let older_bundle = |day: &mut HonestDay| {
        let (older, newer) = (day.approvals[0].digest().to_string(), day.approvals[1].digest().to_string());
        let lines: Vec<String> =
            lines_of(&day.spl[1]).iter().map(|line| line.replace(&newer, &older)).collect();
        day.spl[1] = Doc::signed(day.spl[1].name.clone(), sealed(&lines), &keys().platform);
    };
    assert!(broken(older_bundle).contains("V04"), "an older bundle than the newest");
    assert!(broken(|day| drop(day.approvals.pop())).contains("V04"), "the bundle is not given");
    assert!(broken(|day| day.results.retain(|r| !r.text().contains("E_VERIFY"))).contains("V04"), "not void");
    let mut forked = honest.clone();
    let previous = forked.previous[0].clone();
    let lines = lines_of(&previous);
    let twin = Doc::signed(previous.name.clone(), sealed(&lines), &keys().platform);
    let mut lines = lines_of(&twin);
    lines[0] = lines[0].replace("T02:00:00", "T03:00:00");
    let twin = Doc::signed(twin.name, sealed(&lines), &keys().platform);
    forked.results.push(first_result(&twin, RetCode::Accepted));
    forked.previous.push(twin);
    assert!(forked.codes().contains("V04"), "two files of one name with one prev");
}

#[test]
fn a_day_left_out_of_the_chain_is_v04() {
    let (_, mut day) = sample();
    // Yesterday's accepted file is made to be of the day before yesterday.
    let old = day.previous[0].clone();
    let shifted = old.text().replace("20260601", "20260531").replace("2026-06-01", "2026-05-31");
    let lines: Vec<String> = shifted.lines().map(str::to_owned).collect();
    let older = Doc::signed(old.name.replace("20260601", "20260531"), sealed(&lines), &keys().platform);
    let (was, is) = (old.digest().to_string(), older.digest().to_string());
    let relink = |doc: &Doc| {
        let lines: Vec<String> = lines_of(doc).iter().map(|line| line.replace(&was, &is)).collect();
        Doc::signed(doc.name.clone(), sealed(&lines), &keys().platform)
    };
    day.void = vec![relink(&day.void[0])];
    let honest = day.clone();
    let void = day.void[0].digest().to_string();
    let mut lines = lines_of(&day.spl[0]);
    lines[0] = format!("{}|{void}", lines[0].rsplit_once('|').unwrap().0);
    day.spl[0] = Doc::signed(day.spl[0].name.clone(), sealed(&lines), &keys().platform);
    rechain(&honest, &mut day);
    day.results = vec![first_result(&older, RetCode::Accepted), first_result(&day.void[0], RetCode::Verify)];
    day.previous = vec![older];
    let report = day.verify().unwrap();
    let found: Vec<_> = report.violations.iter().map(|v| (v.check.code(), v.expected.as_str())).collect();
    assert_eq!(found, [("V04", "an accepted file of 20260601 before it, and none of a later day")]);
}

#[test]
fn a_file_dated_back_to_choose_its_bundle_is_v04() {
    let (_, honest) = sample();
    let end = business_day().next().start();
    for (created_at, codes) in [(end, BTreeSet::new()), (end.plus(-1), BTreeSet::from(["V04"]))] {
        let mut day = honest.clone();
        day.spl[0] = dated(&day.spl[0], created_at);
        rechain(&honest, &mut day);
        assert_eq!(day.codes(), codes, "{created_at}");
    }
    let first = created_at_of(&honest.spl[0]);
    let mut day = honest.clone();
    let (older, newer) = (day.approvals[0].digest().to_string(), day.approvals[1].digest().to_string());
    let lines: Vec<String> = lines_of(&day.spl[1]).iter().map(|line| line.replace(&newer, &older)).collect();
    let renamed = Doc { bytes: sealed(&lines), ..day.spl[1].clone() };
    for (created_at, broken) in [(first, false), (first.plus(-1), true)] {
        day.spl[1] = dated(&renamed, created_at);
        assert_eq!(day.codes().contains("V04"), broken, "{created_at}");
    }
}

#[test]
fn a_void_0001_may_have_named_any_file_before_it() {
    let (_, honest) = sample();
    let yesterday = &honest.previous[0];
    let before = Digest::of(b"the day before that").to_string();
    let older = yesterday.text().replace("20260601", "20260531").replace("2026-06-01", "2026-05-31");
    let older = older.replace(&before, &Digest::of(b"two days before that").to_string());
    let lines: Vec<String> = older.lines().map(str::to_owned).collect();
    let older = Doc::signed(yesterday.name.replace("20260601", "20260531"), sealed(&lines), &keys().platform);
    let mut day = honest.clone();
    let named = |doc: &Doc, prev: &Doc| {
        let mut lines = lines_of(doc);
        lines[0] = format!("{}|{}", lines[0].rsplit_once('|').unwrap().0, prev.digest());
        Doc::signed(doc.name.clone(), sealed(&lines), &keys().platform)
    };
    // Today's first file leaves yesterday out, is answered E_CHAIN, and its repair follows it.
    day.void[0] = named(&honest.void[0], &older);
    day.spl[0] = named(&honest.spl[0], &day.void[0]);
    rechain(&honest, &mut day);
    day.results.retain(|result| !result.text().contains("E_VERIFY"));
    day.results.push(first_result(&day.void[0], RetCode::Chain));
    assert_eq!(day.codes(), BTreeSet::new());
    // Where the file that it named is given, the way back leads there, and past yesterday.
    day.results.push(first_result(&older, RetCode::Accepted));
    day.previous.push(older);
    assert_eq!(day.codes(), BTreeSet::from(["V04"]));
}

#[test]
fn a_payment_of_an_accepted_earlier_file_is_v08() {
    let (plan, mut day) = sample();
    let mut orders = plan.all_orders();
    let order_no = orders[0].order_no.clone();
    orders[0].order_no = "MF-yesterday".to_owned();
    day.bills = plan.bills(&orders);
    for at in 0..day.spl.len() {
        let lines: Vec<String> =
            lines_of(&day.spl[at]).iter().map(|line| line.replace(&order_no, "MF-yesterday")).collect();
        let before = day.clone();
        day.spl[at] = Doc::signed(day.spl[at].name.clone(), sealed(&lines), &keys().platform);
        rechain(&before, &mut day);
    }
    assert_eq!(day.codes(), BTreeSet::from(["V08"]));
}

#[test]
fn a_run_without_keys_says_so_and_one_without_the_bills_signature_too() {
    let (_, mut day) = sample();
    let report = day.verify_with(None).unwrap();
    assert!(report.is_sound() && !report.authenticated);
    day.bills[0].signature = None;
    let report = day.verify().unwrap();
    assert!(report.is_sound() && report.authenticated);
    assert_eq!(report.not_authenticated, [format!("{} carries no signature", day.bills[0].name)]);
    let left_out: Vec<&str> = report.not_checked.iter().map(|left_out| left_out.codes).collect();
    assert_eq!(left_out, ["V02", "V17-V19"]);
}

#[test]
fn a_signature_beside_wechats_bill_is_checked_and_one_that_is_missing_is_told() {
    let (mut plan, _) = sample();
    plan.wechat = true;
    let mut day = plan.build();
    let honest = day.verify().unwrap();
    assert!(honest.is_sound() && honest.not_checked.iter().all(|left_out| left_out.codes != "V02"));
    day.bills[0].signature.as_mut().unwrap()[7] ^= 1;
    assert_eq!(day.codes(), BTreeSet::from(["V02"]));
    day.bills[0].signature = None;
    let report = day.verify().unwrap();
    assert!(report.is_sound());
    assert!(report.not_checked.iter().any(|left_out| left_out.codes == "V02"), "{:?}", report.not_checked);
}

#[test]
fn a_bill_that_does_not_add_up_or_tells_a_payment_twice_is_unusable() {
    let (plan, honest) = sample();
    let mut day = honest.clone();
    let mut lines = lines_of(&day.bills[0]);
    let last = lines.len() - 1;
    lines[last] = lines[last].replacen("T|", "T|1", 1);
    day.bills[0] = Doc::signed(day.bills[0].name.clone(), sealed(&lines), &keys().institution);
    assert_eq!(day.codes(), BTreeSet::from(["unusable"]));
    let mut day = honest;
    let orders = plan.all_orders();
    day.bills = vec![bil(&orders, 1), bil(&orders[..1], 2)];
    assert_eq!(day.codes(), BTreeSet::from(["unusable"]));
}

#[test]
fn a_bundle_that_changes_the_past_is_v15() {
    let (plan, honest) = sample();
    let newest = mingfen::kernel::approvals::Bundle::parse(&honest.approvals[1].bytes).unwrap();
    type Change = fn(&mut mingfen::kernel::approvals::Approvals);
    let changes: [(&str, Change); 9] = [
        ("a rule is gone", |a| drop(a.rules.pop())),
        ("a rule is approved at another time", |a| a.rules[0].approved_at = a.rules[0].approved_at.plus(1)),
        ("a suspension is backdated", |a| a.rules[0].suspended_at = Some(a.issued_at.plus(-90 * 3600))),
        ("a merchant is gone", |a| drop(a.merchants.remove("M1002"))),
        ("a merchant's window begins later", |a| {
            a.merchants.get_mut("M1001").unwrap().active[0].from = a.issued_at;
        }),
        ("a merchant was never active", |a| a.merchants.get_mut("M1001").unwrap().active.clear()),
        ("a receiver has another role", |a| {
            a.receivers.get_mut("agent:1").unwrap().role = "platform".to_owned();
        }),
        ("a receiver has another number", |a| {
            a.receivers.get_mut("agent:1").unwrap().inst_receiver_no = "1".to_owned();
        }),
        ("a receiver appears in the past", |a| {
            let mut new = a.receivers["agent:1"].clone();
            new.receiver = "agent:new".to_owned();
            a.receivers.insert(new.receiver.clone(), new);
        }),
    ];
    for (what, change) in changes {
        let mut approvals = (*newest).clone();
        change(&mut approvals);
        approvals.issued_at = approvals.issued_at.plus(24 * 3600);
        let mut day = honest.clone();
        day.approvals.push(bundle_doc(&approvals, 1));
        assert_eq!(day.codes(), BTreeSet::from(["V15"]), "{what}");
    }
    let mut unchanged = (*newest).clone();
    unchanged.issued_at = unchanged.issued_at.plus(24 * 3600);
    let mut day = honest.clone();
    day.approvals.push(bundle_doc(&unchanged, 1));
    assert_eq!(day.codes(), BTreeSet::new());
    assert!(!plan.first);
}

#[test]
fn another_institutions_files_are_v14() {
    let (_, honest) = sample();
    let mut day = honest.clone();
    let mut lines = lines_of(&day.spl[1]);
    lines[0] = lines[0].replace("|SANDBOX|", "|OTHER|");
    day.spl[1] = Doc::signed(day.spl[1].name.clone(), sealed(&lines), &keys().platform);
    assert!(day.codes().contains("V14"));
    let mut day = honest;
    let seq = FileName::parse(&day.spl[1].name).unwrap().seq;
    day.spl[1].name = day.spl[1].name.replace(&format!("{seq:04}"), &format!("{:04}", seq + 1));
    assert!(day.codes().contains("V14"));
}

impl Plan {
    fn bills(&self, orders: &[mingfen::kernel::bill::BillOrder]) -> Vec<Doc> {
        let approvals = self.first_approvals();
        if self.wechat { vec![wechat_bill(orders, &approvals)] } else { vec![bil(orders, 1)] }
    }
}
