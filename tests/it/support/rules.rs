//! Arbitrary valid rule versions and order facts.
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::money::Fen;
use mingfen::kernel::rule::{self, RuleVersion};
use mingfen::kernel::split::{OrderFacts, Split, SplitError, compute};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

pub const MERCHANTS: [&str; 3] = ["M1001", "M1002", "M1003"];
pub const CHANNELS: [&str; 3] = ["wechat", "alipay", "unionpay"];
pub const PRODUCTS: [&str; 4] = ["native", "jsapi", "app", "h5"];
pub const TAGS: [&str; 4] = ["b2b", "fresh", "promo", "vip"];
pub const ROLES: [&str; 5] = ["agent", "funder", "platform", "store", "supplier"];
/// 2026-01-01T00:00:00+08:00 and a year later.
pub const YEAR: std::ops::Range<i64> = 1_767_196_800..1_798_732_800;

/// Amounts of every size, the small and the round more often.
pub fn fen() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 1_i64..200,
        4 => 1_i64..100_000,
        2 => select(vec![1, 100, 999, 10_000, 1_000_000]),
        1 => 1_i64..=1_000_000_000_000,
    ]
}

/// Rates of every size, those of daily life more often.
pub fn ppm() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => select(vec![3_800_i64, 6_000, 10_000, 33_333, 100_000, 200_000]),
        1 => 0_i64..=1_000_000,
    ]
}

/// A moment of the year 2026, as `split.md` writes it, in one of several zones.
pub fn moment() -> impl Strategy<Value = String> {
    (YEAR, select(vec![0_i64, 8, -7])).prop_map(|(at, hours)| {
        let local = Instant::new(at + (hours - 8) * 3600).to_cst();
        let zone = match hours {
            0 => "Z".to_owned(),
            _ => format!("{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.abs()),
        };
        local.replace("+08:00", &zone)
    })
}

/// Receiver keys, few enough to meet twice in one rule.
pub fn receiver() -> impl Strategy<Value = String> {
    (select(ROLES.to_vec()), 0..6_u8).prop_map(|(kind, n)| match (kind, n) {
        ("platform", _) => "platform".to_owned(),
        (kind, n) => format!("{kind}:{n}"),
    })
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(json!(["*"])), 1 => some_named(values)]
}

fn some_named(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    subsequence(values, 1..=values.len()).prop_shuffle().prop_map(|values| json!(values))
}

/// An object of those fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn amount() -> impl Strategy<Value = Value> {
    prop_oneof![
        ppm().prop_map(|rate| json!({"rate_ppm": rate.max(1)})),
        fen().prop_map(|fixed| json!({"fixed": fixed})),
        (ppm(), fen()).prop_map(|(rate, fixed)| json!({"rate_ppm": rate, "fixed": fixed})),
        btree_map(1_i64..200_000, (option::of(ppm()), option::of(0_i64..500)), 0..4).prop_map(|later| {
            let mut tiers = vec![json!({"from": 0, "fixed": 1})];
            tiers.extend(later.into_iter().map(|(from, (rate, fixed))| {
                object([
                    ("from", Some(json!(from))),
                    ("rate_ppm", rate.map(Value::from)),
                    ("fixed", fixed.map(Value::from)),
                ])
            }));
            json!({"tiers": tiers})
        }),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let conditions = (
        option::weighted(0.3, 0_i64..100_000),
        option::weighted(0.3, 0_i64..10_000_000),
        option::weighted(0.2, some_named(&CHANNELS)),
        option::weighted(0.2, some_named(&PRODUCTS)),
        option::weighted(0.2, some_named(&TAGS)),
        option::weighted(0.2, moment()),
        option::weighted(0.2, moment()),
    );
    conditions.prop_map(|(least, below, channels, products, tags, from, before)| {
        let when = object([
            ("gross_at_least", least.map(Value::from)),
            ("gross_below", below.map(Value::from)),
            ("channels", channels),
            ("products", products),
            ("tags_any", tags),
            ("paid_from", from.map(Value::from)),
            ("paid_before", before.map(Value::from)),
        ]);
        if when == json!({}) { json!({"gross_at_least": 0}) } else { when }
    })
}

fn target() -> impl Strategy<Value = Value> {
    let parts = btree_map(receiver(), prop_oneof![1_u32..100, 1_u32..=1_000_000], 2..=3);
    prop_oneof![
        5 => receiver().prop_map(|to| json!({"to": to})),
        2 => select(vec!["$agent", "$store"]).prop_map(|to| json!({"to": to})),
        2 => parts.prop_map(|parts| {
            let parts: Vec<_> = parts.into_iter().map(|(to, weight)| json!({"to": to, "weight": weight})).collect();
            json!({"divide": parts})
        }),
    ]
}

fn share(depth: u8) -> BoxedStrategy<Value> {
    let nested = match depth {
        3 => Just(None).boxed(),
        _ => option::weighted(0.4, vec(share(depth + 1), 1..=2)).boxed(),
    };
    let base = if depth == 1 { option::of(select(vec!["gross", "net"])).boxed() } else { Just(None).boxed() };
    let bounds = option::weighted(0.4, (fen(), fen()));
    let when = option::weighted(0.25, condition());
    (select(ROLES.to_vec()), target(), amount(), base, bounds, when, nested)
        .prop_map(|(role, target, amount, base, bounds, when, nested)| {
            let mut share = Map::new();
            share.insert("role".into(), json!(role));
            share.extend(target.as_object().unwrap().clone());
            share.extend(amount.as_object().unwrap().clone());
            share.extend(base.map(|base| ("base".to_owned(), json!(base))));
            share.extend(when.map(|when| ("when".to_owned(), when)));
            if let Some((one, other)) = bounds {
                share.insert("min".into(), json!(one.min(other)));
                share.insert("max".into(), json!(one.max(other)));
            }
            if let Some(nested) = nested.filter(|_| share.contains_key("to")) {
                share.insert("shares".into(), json!(nested));
            }
            Value::Object(share)
        })
        .boxed()
}

/// A valid rule version as JSON; of every field's possibilities, each at least sometimes.
pub fn rule_json() -> impl Strategy<Value = Value> {
    let name = ("[0-9A-Za-z_-]{1,12}", 1_i64..1000, -1000_i64..=1000, option::weighted(0.2, moment()));
    let scope = (some_of(&MERCHANTS), some_of(&CHANNELS), some_of(&PRODUCTS), some_of(&TAGS));
    let ratio = prop_oneof![3 => Just(1_000_000_i64), 2 => Just(300_000), 1 => 0_i64..=1_000_000];
    let policy = (
        ratio,
        prop_oneof![1 => Just("reject"), 3 => Just("in_order")],
        select(vec!["pro_rata", "merchant_first"]),
        any::<bool>(),
    );
    (name, scope, policy, vec(share(1), 0..=3)).prop_map(|(name, scope, policy, shares)| {
        let payer = shares.iter().find_map(|share| share.get("to")).filter(|_| policy.3);
        json!({
            "rule": name.0, "version": name.1, "institution": "SANDBOX", "priority": name.2,
            "effective_from": "2026-01-01T00:00:00+08:00",
            "effective_to": name.3.filter(|end| Instant::parse(end).unwrap().get() > YEAR.start),
            "scope": {"merchants": scope.0, "channels": scope.1, "products": scope.2, "tags": scope.3},
            "max_ratio_ppm": policy.0, "when_short": policy.1, "refund": policy.2,
            "fee_bearer": payer.unwrap_or(&json!("merchant")), "shares": shares,
        })
    })
}

/// A valid rule version.
pub fn rule_version() -> impl Strategy<Value = RuleVersion> {
    rule_json().prop_map(|json| rule::parse(&json.to_string()).unwrap())
}

/// A valid rule version that every order of its time is in scope of.
pub fn rule_for_all() -> impl Strategy<Value = RuleVersion> {
    rule_json().prop_map(|mut json| {
        json["scope"] = json!({"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]});
        json["effective_to"] = Value::Null;
        rule::parse(&json.to_string()).unwrap()
    })
}

/// Order facts within their bounds, tags ascending, paid in 2026.
pub fn order_facts() -> impl Strategy<Value = OrderFacts> {
    let identity = ("[0-9A-Za-z_-]{1,32}", select(MERCHANTS.to_vec()));
    let kind =
        (select(CHANNELS.to_vec()), select(PRODUCTS.to_vec()), subsequence(TAGS.to_vec(), 0..=4), YEAR);
    let party = prop_oneof![Just("agent"), Just("store")].prop_map(str::to_owned);
    let money = (
        fen(),
        prop_oneof![3 => Just(0_i64), 2 => Just(3_800), 1 => 0_i64..=1_000_000],
        option::weighted(0.3, fen()),
    );
    (identity, kind, btree_map(party, receiver(), 0..=2), money).prop_map(
        |(identity, kind, parties, money)| {
            let (paid, fee_ppm, subsidy) = money;
            let fee = i64::try_from(i128::from(paid) * i128::from(fee_ppm) / 1_000_000).unwrap();
            OrderFacts {
                inst_order_no: identity.0,
                merchant: identity.1.to_owned(),
                channel: kind.0.to_owned(),
                product: kind.1.to_owned(),
                tags: kind.2.into_iter().map(str::to_owned).collect(),
                parties,
                paid_at: Instant::new(kind.3),
                paid: Fen::new(paid),
                fee: Fen::new(fee),
                subsidy: Fen::new(subsidy.unwrap_or(0).min(Fen::MAX.get() - paid)),
            }
        },
    )
}

/// A version with these shares and changes, in force in 2026 for every order.
pub fn rule_with(shares: Value, changes: Value) -> RuleVersion {
    let mut rule = json!({
        "rule": "r", "version": 1, "institution": "SANDBOX",
        "effective_from": "2026-01-01T00:00:00+08:00", "effective_to": null,
        "scope": {"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]}, "priority": 0,
        "max_ratio_ppm": 1_000_000, "fee_bearer": "merchant", "when_short": "in_order", "refund": "pro_rata",
        "shares": shares,
    });
    rule.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    rule::parse(&rule.to_string()).unwrap()
}

/// A small order of 2026.
pub fn order(paid: i64, fee: i64, subsidy: i64) -> OrderFacts {
    OrderFacts {
        inst_order_no: "42".into(),
        merchant: "M1001".into(),
        channel: "wechat".into(),
        product: "native".into(),
        tags: Vec::new(),
        parties: Default::default(),
        paid_at: Instant::new(1_780_000_000),
        paid: Fen::new(paid),
        fee: Fen::new(fee),
        subsidy: Fen::new(subsidy),
    }
}

/// The split, unless the order is an exception.
pub fn split_of(rule: &RuleVersion, facts: &OrderFacts) -> Option<Split> {
    match compute(rule, facts) {
        Ok(split) => Some(split),
        Err(SplitError::Overflow | SplitError::OverLimit) => None,
        Err(SplitError::InvalidInput(bad)) => panic!("{bad} in {facts:?}"),
    }
}

/// The sum.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> i64 {
    Fen::sum(amounts).unwrap().get()
}
