//! Honest days: random rules, merchants, receivers, payments and decisions become a bill, bundles and split files as an
//! honest platform and institution make them.
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::{Arc, LazyLock, OnceLock};

use mingfen::kernel::approvals::{
    Approvals, ApprovedRule, Bound, Bundle, Decision, Merchant, Receiver, Window,
};
use mingfen::kernel::bill::{BillOrder, BillRefund, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Calendar, Cycle, Instant};
use mingfen::kernel::digest::Digest;
use mingfen::kernel::file::bil::{BilHeader, BilWriter};
use mingfen::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetWriter};
use mingfen::kernel::file::{FileKind, FileName, ResultName, Stage};
use mingfen::kernel::money::Fen;
use mingfen::kernel::proposal::{Proposal, SplDraft, propose, write_spl};
use mingfen::kernel::rate::Ppm;
use mingfen::kernel::rule;
use mingfen::kernel::split::OrderFacts;
use mingfen::kernel::verify::{Bill, Given, Inputs, Report, SignatureCheck, Unusable, verify};
use mingfen::protocol::crypto::PrivateKey;
use mingfen::protocol::wechat::attach::Declared;
use mingfen::protocol::wechat::bill::{Entry, Settled, Writer};
use mingfen::verify::evidence::{self, FileKeys};
use mingfen::verify::scratch::ScratchDir;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::rules::{MERCHANTS, order_facts, rule_json};

/// The institution's and the platform's key for files, made once a run.
pub struct Keys {
    pub platform: PrivateKey,
    pub institution: PrivateKey,
}

impl Keys {
    pub fn public(&self) -> FileKeys {
        FileKeys {
            platform: self.platform.public_key().unwrap(),
            institution: self.institution.public_key().unwrap(),
        }
    }
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let make = || PrivateKey::generate().unwrap();
    KEYS.get_or_init(|| Keys { platform: make(), institution: make() })
}

/// A file and its signature.
#[derive(Clone, Debug)]
pub struct Doc {
    pub name: String,
    pub bytes: Vec<u8>,
    pub signature: Option<Vec<u8>>,
}

impl Doc {
    pub fn signed(name: String, bytes: Vec<u8>, key: &PrivateKey) -> Doc {
        let signature = Some(key.sign_digest(&Digest::of(&bytes)).unwrap());
        Doc { name, bytes, signature }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// As evidence; what does not begin like a bill is looked at as a BIL all the same.
    fn bill(&self) -> Bill<'_> {
        evidence::bill(self.given()).unwrap_or_else(|_| Bill::Bil(self.given()))
    }

    pub fn given(&self) -> Given<'_> {
        let Doc { name, bytes, signature } = self;
        Given {
            name: name.clone(),
            content: Box::new(Cursor::new(bytes.as_slice())),
            signature: signature.clone(),
        }
    }
}

/// Everything an institution gives to `verify` for one day.
#[derive(Clone, Debug, Default)]
pub struct HonestDay {
    pub spl: Vec<Doc>,
    pub approvals: Vec<Doc>,
    pub bills: Vec<Doc>,
    pub previous: Vec<Doc>,
    pub void: Vec<Doc>,
    pub results: Vec<Doc>,
    pub first: bool,
}

impl HonestDay {
    pub fn verify(&self) -> Result<Report, Unusable> {
        let keys = keys().public();
        self.verify_with(Some(&keys))
    }

    pub fn verify_with(&self, signatures: Option<&dyn SignatureCheck>) -> Result<Report, Unusable> {
        verify(self.inputs(), signatures, &ScratchDir::default())
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            spl: given(&self.spl),
            approvals: given(&self.approvals),
            bills: self.bills.iter().map(Doc::bill).collect(),
            previous: given(&self.previous),
            void: given(&self.void),
            results: given(&self.results),
            no_statement: Vec::new(),
            first: self.first,
        }
    }

    /// O or X by `inst_order_no`, as the day's last word.
    pub fn told(&self) -> BTreeMap<String, String> {
        let lines = self.spl.iter().flat_map(|doc| doc.text().lines());
        let orders = lines.filter(|line| line.starts_with("O|") || line.starts_with("X|"));
        orders
            .map(|line| {
                let fields: Vec<&str> = line.split('|').collect();
                (fields[3].to_owned(), fields[0].to_owned())
            })
            .collect()
    }

    /// Codes of all violations; `["unusable"]` when an input was.
    pub fn codes(&self) -> BTreeSet<&'static str> {
        match self.verify() {
            Ok(report) => report.violations.iter().map(|violation| violation.check.code()).collect(),
            Err(_) => BTreeSet::from(["unusable"]),
        }
    }
}

fn given(docs: &[Doc]) -> Vec<Given<'_>> {
    docs.iter().map(Doc::given).collect()
}

/// What a random day is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rules: Vec<Value>,
    pub orders: Vec<OrderFacts>,
    pub platform_cap: u32,
    pub max_ratio: u32,
    /// How many of the last orders the bill tells only later.
    pub late: usize,
    /// Whether the second rule is suspended at noon.
    pub suspended: bool,
    /// Which publications were first answered with a code that makes them void.
    pub void: [bool; 2],
    pub first: bool,
    /// WeChat's own bill instead of BIL.
    pub wechat: bool,
}

/// One and the same day with orders in two files, the first of which was void at first, and with a day before it.
pub fn sample() -> (Plan, HonestDay) {
    static SAMPLE: LazyLock<(Plan, HonestDay)> = LazyLock::new(|| {
        let mut runner = TestRunner::deterministic();
        loop {
            let plan = plan().new_tree(&mut runner).unwrap().current();
            let day = plan.build();
            let orders = day.told().values().filter(|kind| *kind == "O").count();
            if orders > 3 && day.spl.len() == 2 && plan.void == [true, false] && !plan.first && !plan.wechat {
                return (plan, day);
            }
        }
    });
    SAMPLE.clone()
}

pub const INST: &str = "SANDBOX";
pub const PLAT: &str = "DEMO";

/// The business day of all plans.
pub fn day() -> BusinessDay {
    BusinessDay::parse("20260602").unwrap()
}

fn at(hours: i64) -> Instant {
    day().start().plus(hours * 3600)
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let caps = (select(vec![1_000_000, 1_000_000, 20_000]), select(vec![1_000_000, 1_000_000, 300_000]));
    let flags = (0_usize..3, any::<bool>(), any::<[bool; 2]>(), any::<bool>(), any::<bool>());
    (vec(rule_json(), 1..=3), vec(order_facts(), 0..=7), caps, flags).prop_map(
        |(rules, orders, caps, (late, suspended, void, first, wechat))| Plan {
            rules,
            orders,
            platform_cap: caps.0,
            max_ratio: caps.1,
            late,
            suspended,
            void,
            first,
            wechat,
        },
    )
}

pub fn honest_day() -> impl Strategy<Value = HonestDay> {
    plan().prop_map(|plan| plan.build())
}

pub fn name(kind: FileKind, day: BusinessDay, seq: u16) -> FileName {
    FileName { kind, inst: INST.to_owned(), plat: PLAT.to_owned(), day, seq }
}

/// Registers a share's role as the kind of its receiver, so that most splits may be paid.
fn with_fitting_roles(share: &mut Value) {
    let kind = match (share.get("to").and_then(Value::as_str), share.get("divide")) {
        (Some(to), _) => to.trim_start_matches('$').split(':').next().unwrap().to_owned(),
        (None, _) => "funder".to_owned(),
    };
    share["role"] = json!(kind);
    if let Some(parts) = share.get_mut("divide").and_then(Value::as_array_mut) {
        for (i, part) in parts.iter_mut().enumerate() {
            part["to"] = json!(format!("funder:{i}"));
        }
    }
    if let Some(nested) = share.get_mut("shares").and_then(Value::as_array_mut) {
        nested.iter_mut().for_each(with_fitting_roles);
    }
}

impl Plan {
    /// What the institution approved before the day.
    pub fn first_approvals(&self) -> Approvals {
        let always = vec![Window { from: Instant::parse("2026-01-01T00:00:00+08:00").unwrap(), to: None }];
        let ended = vec![Window { to: Some(at(11)), ..always[0] }];
        let merchant = |(i, merchant): (usize, &&str)| {
            let active = if i == 2 { ended.clone() } else { always.clone() };
            let max_ratio = Ppm::new(self.max_ratio).unwrap();
            let fees = BTreeMap::from([("wechat/native".to_owned(), Ppm::new(3800).unwrap())]);
            let (inst_merchant_no, agreement_no) = (format!("8{i}00"), format!("A-{i}"));
            let (min_settle, cycle) = (Fen::new(1), Cycle::D1);
            let merchant = Merchant {
                merchant: (*merchant).to_owned(),
                inst_merchant_no,
                agreement_no,
                active,
                fees,
                max_ratio,
                min_settle,
                cycle,
            };
            (merchant.merchant.clone(), merchant)
        };
        let mut rules: Vec<ApprovedRule> = Vec::new();
        for json in &self.rules {
            let mut json = json.clone();
            json["shares"].as_array_mut().unwrap().iter_mut().for_each(with_fitting_roles);
            if rules.is_empty() {
                json["scope"] =
                    json!({"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]});
            }
            // A fee bearer names a share's receiver as written, which the fitting changed for none.
            let rule = Arc::new(rule::parse(&json.to_string()).unwrap());
            if rules.iter().any(|known| (&known.rule.rule, known.rule.version) == (&rule.rule, rule.version))
            {
                continue;
            }
            let approved_at = Instant::parse("2026-01-01T08:00:00+08:00").unwrap();
            let suspended_at = (self.suspended && rules.len() == 1).then(|| at(12));
            rules.push(ApprovedRule { approved_at, approved_by: "复核员".to_owned(), suspended_at, rule });
        }
        Approvals {
            institution: INST.to_owned(),
            platform: PLAT.to_owned(),
            issued_at: at(-24),
            platform_cap: Ppm::new(self.platform_cap).unwrap(),
            merchants: MERCHANTS.iter().enumerate().map(merchant).collect(),
            receivers: receivers(&always, &ended),
            rules,
            decisions: BTreeMap::new(),
            holds: Vec::new(),
            calendar: Calendar::default(),
        }
    }

    /// The day's orders as the institution saw them.
    pub fn all_orders(&self) -> Vec<BillOrder> {
        let order = |(i, facts): (usize, &OrderFacts)| {
            let mut facts = facts.clone();
            facts.paid_at = day().start().plus(facts.paid_at.get().rem_euclid(144) * 600);
            facts.inst_order_no = format!("4200{i:04}");
            if self.wechat {
                facts.channel = "wechat".to_owned();
                facts.subsidy = Fen::ZERO;
            }
            BillOrder { facts, order_no: format!("MF{i:06}") }
        };
        let mut orders: Vec<BillOrder> = self.orders.iter().enumerate().map(order).collect();
        // An order whose merchant the institution does not know at all.
        if let Some(last) = orders.get_mut(5) {
            last.facts.merchant = if self.wechat { String::new() } else { "M9999".to_owned() };
        }
        orders
    }

    pub fn build(&self) -> HonestDay {
        let mut approvals = self.first_approvals();
        let mut day = HonestDay { first: self.first, ..HonestDay::default() };
        let first_bundle = bundle_doc(&approvals, 1);
        let bundle = Bundle::parse(&first_bundle.bytes).unwrap();
        day.approvals.push(first_bundle);
        let orders = self.all_orders();
        let (early, late) = orders.split_at(orders.len().saturating_sub(self.late));
        if self.wechat {
            day.bills.push(wechat_bill(&orders, &approvals));
        } else {
            day.bills.push(bil(early, 1));
            day.bills.push(bil(late, 2));
        }
        let mut maker = Maker { day, prev: Digest::ZERO, seq: 0 };
        if !self.first {
            maker.yesterday(&bundle);
        }
        let proposals = proposed(&bundle, early);
        maker.publish(&bundle, &proposals, at(26), self.void[0]);

        let decided_by = approvals.rules[0].rule.digest();
        let unsplit = proposals.iter().filter(|(_, p)| matches!(p, Proposal::Unsplit(_)));
        let unsplit: Vec<BillOrder> = unsplit.map(|(order, _)| order.clone()).collect();
        for order in unsplit.iter().take(2) {
            let decision = Decision { digest: decided_by, decided_at: at(30) };
            approvals.decisions.insert(order.facts.inst_order_no.clone(), decision);
        }
        approvals.issued_at = at(36);
        let second_bundle = bundle_doc(&approvals, 2);
        let bundle = Bundle::parse(&second_bundle.bytes).unwrap();
        maker.day.approvals.push(second_bundle);
        let decided = approvals.decisions.keys();
        let released = proposed(&bundle, &unsplit).into_iter().filter(|(order, proposal)| {
            let decided = decided.clone().any(|no| *no == order.facts.inst_order_no);
            decided && matches!(proposal, Proposal::Split { .. })
        });
        let mut second: Vec<_> = released.collect();
        second.extend(proposed(&bundle, late));
        sort(&mut second);
        if !second.is_empty() {
            maker.publish(&bundle, &second, at(38), self.void[1]);
        }
        maker.day
    }
}

fn receivers(always: &[Window], ended: &[Window]) -> BTreeMap<String, Receiver> {
    let mut all = BTreeMap::new();
    for kind in ["agent", "funder", "store", "supplier", "platform"] {
        for i in 0..6 {
            if (kind, i) == ("supplier", 5) || (kind == "platform" && i > 0) {
                continue;
            }
            let key = if kind == "platform" { kind.to_owned() } else { format!("{kind}:{i}") };
            let merchants = match (kind, i) {
                ("agent", 5) => Bound::Merchants(BTreeSet::from(["M1002".to_owned()])),
                _ => Bound::Any,
            };
            let inst_receiver_no = match (kind, i) {
                ("platform", _) | ("funder", 5) => "70000".to_owned(),
                _ => format!("7-{kind}-{i}"),
            };
            let receiver = Receiver {
                receiver: key.clone(),
                inst_receiver_no,
                role: kind.to_owned(),
                merchants,
                active: if (kind, i) == ("store", 5) { ended.to_vec() } else { always.to_vec() },
                min_settle: Fen::new(1),
                cycle: Cycle::D1,
            };
            all.insert(key, receiver);
        }
    }
    all
}

pub type Proposed = Vec<(BillOrder, Proposal)>;

/// Orders and what is proposed for them, as a file tells them.
pub fn proposed(bundle: &Bundle, orders: &[BillOrder]) -> Proposed {
    let mut all: Proposed =
        orders.iter().map(|order| (order.clone(), propose(bundle, order).unwrap())).collect();
    sort(&mut all);
    all
}

fn sort(all: &mut Proposed) {
    all.sort_by_key(|(order, _)| (order.facts.paid_at, order.facts.inst_order_no.clone()));
}

pub fn bundle_doc(approvals: &Approvals, seq: u16) -> Doc {
    let name = name(FileKind::Apr, approvals.issued_at.business_day(), seq);
    Doc::signed(name.to_string(), approvals.to_json().into_bytes(), &keys().institution)
}

/// A BIL of these orders, and a refund that is none of SPL's business.
pub fn bil(orders: &[BillOrder], seq: u16) -> Doc {
    let mut orders = orders.to_vec();
    orders.sort_by_key(|order| (order.facts.paid_at, order.facts.inst_order_no.clone()));
    let refund = BillRefund {
        inst_refund_no: format!("R{seq}"),
        refund_no: format!("RF0000{seq}"),
        inst_order_no: "4200earlier".to_owned(),
        order_day: Some(day().prev()),
        refunded_at: at(5),
        amount: Fen::new(100),
        fee_back: Fen::new(1),
    };
    let header = BilHeader {
        name: name(FileKind::Bil, day(), seq),
        orders: u32::try_from(orders.len()).unwrap(),
        refunds: 1,
        total_paid: Fen::sum(orders.iter().map(|order| order.facts.paid)).unwrap(),
        created_at: at(25),
    };
    let name = header.name.to_string();
    let mut writer = BilWriter::new(Vec::new(), header).unwrap();
    for order in orders {
        writer.row(&BillRow::Order(order)).unwrap();
    }
    writer.row(&BillRow::Refund(refund)).unwrap();
    Doc::signed(name, writer.finish().unwrap().0, &keys().institution)
}

/// WeChat's own bill of these orders.
pub fn wechat_bill(orders: &[BillOrder], approvals: &Approvals) -> Doc {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for BillOrder { facts, order_no } in orders {
        let declared = Declared { tags: facts.tags.clone(), parties: facts.parties.clone() };
        let attach = format!("{}table 7", declared.prefix());
        let trade_type = match facts.product.as_str() {
            "h5" => "MWEB".to_owned(),
            product => product.to_uppercase(),
        };
        let merchant = approvals.merchants.get(&facts.merchant);
        let entry = Entry {
            at: facts.paid_at,
            appid: "wx0001",
            mchid: "1900000001",
            sub_mchid: merchant.map_or("8999", |merchant| &merchant.inst_merchant_no),
            inst_order_no: &facts.inst_order_no,
            order_no,
            openid: "o1",
            trade_type: &trade_type,
            bank: "OTHERS",
            description: "tea, green",
            attach: &attach,
            fee: facts.fee,
            rate: "0.38%",
            settled: Settled::Paid { paid: facts.paid, ordered: facts.paid },
        };
        writer.write(&entry).unwrap();
    }
    Doc::signed("wechat-trade.csv".to_owned(), writer.finish().unwrap(), &keys().institution)
}

/// The institution's FIRST result over a file.
pub fn first_result(answered: &Doc, code: RetCode) -> Doc {
    let name = ResultName { file: FileName::parse(&answered.name).unwrap(), stage: Stage::First };
    let header = RetHeader {
        name: name.clone(),
        file_digest: answered.digest(),
        code,
        lines: 0,
        success_total: Fen::ZERO,
        created_at: at(40),
    };
    let writer = RetWriter::new(Vec::new(), RetEncoding::Utf8, header).unwrap();
    Doc::signed(name.to_string(), writer.finish().unwrap().0, &keys().institution)
}

pub fn spl(draft: &SplDraft, rows: &Proposed) -> Doc {
    let rows = rows.iter().map(|(order, proposal)| (order, proposal));
    let (bytes, _, digest) = write_spl(Vec::new(), draft, rows).unwrap();
    let doc = Doc::signed(draft.name.to_string(), bytes, &keys().platform);
    assert_eq!(doc.digest(), digest);
    doc
}

/// Publishes file after file.
struct Maker {
    day: HonestDay,
    prev: Digest,
    seq: u16,
}

impl Maker {
    /// The day before: its file is accepted, and the chain begins with it.
    fn yesterday(&mut self, bundle: &Bundle) {
        let order = OrderFacts {
            inst_order_no: "4199".to_owned(),
            merchant: "M1001".to_owned(),
            channel: "wechat".to_owned(),
            product: "native".to_owned(),
            tags: Vec::new(),
            parties: BTreeMap::new(),
            paid_at: at(-1),
            paid: Fen::new(1000),
            fee: Fen::new(4),
            subsidy: Fen::ZERO,
        };
        let order = BillOrder { facts: order, order_no: "MF-yesterday".to_owned() };
        let draft = SplDraft {
            name: name(FileKind::Spl, day().prev(), 1),
            created_at: at(2),
            approvals: bundle.digest(),
            prev: Digest::of(b"the day before that"),
        };
        let doc = spl(&draft, &proposed(bundle, &[order]));
        self.prev = doc.digest();
        self.day.results.push(first_result(&doc, RetCode::Accepted));
        self.day.previous.push(doc);
    }

    fn publish(&mut self, bundle: &Bundle, rows: &Proposed, created_at: Instant, void_first: bool) {
        if void_first {
            let doc = self.next(bundle, rows, created_at);
            self.day.results.push(first_result(&doc, RetCode::Verify));
            self.day.void.push(doc);
        }
        let doc = self.next(bundle, rows, created_at);
        self.day.spl.push(doc);
    }

    fn next(&mut self, bundle: &Bundle, rows: &Proposed, created_at: Instant) -> Doc {
        self.seq += 1;
        let name = name(FileKind::Spl, day(), self.seq);
        let draft = SplDraft { name, created_at, approvals: bundle.digest(), prev: self.prev };
        let doc = spl(&draft, rows);
        self.prev = doc.digest();
        doc
    }
}
