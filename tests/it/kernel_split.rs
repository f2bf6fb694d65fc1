//! `mingfen split` and the arithmetic behind it, against the vectors and by properties.
use std::io::Write;
use std::process::{Command, Stdio};

use mingfen::cli::split::answer;
use mingfen::kernel::money::Fen;
use mingfen::kernel::rate::Ppm;
use mingfen::kernel::rule::{Amount, Base, Unmet};
use mingfen::kernel::split::{
    Clamp, Cut, Explain, MerchantExplain, OrderFacts, PartExplain, ShareExplain, Split, SplitError, Worth,
    compute,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::rules::{order, order_facts, rule_for_all, rule_with, split_of, total};

const VECTORS: &str = include_str!("../vectors/split.jsonl");

/// The answer to one line, without the optional words about an error.
fn answered(line: &str) -> Value {
    let mut answer = serde_json::to_value(answer(line.as_bytes()).answer).unwrap();
    let fields = answer.as_object_mut().unwrap();
    fields.remove("why");
    if fields.contains_key("error") {
        fields.remove("path");
    }
    answer
}

/// The texts of `case` and `answer` in a line of the vectors, untouched: a case may hold what no JSON library keeps.
fn case_and_answer(line: &str) -> (&str, Value) {
    let (case, answer) = line.split_once(",\"answer\":").unwrap();
    let answer = serde_json::from_str(answer.strip_suffix('}').unwrap()).unwrap();
    (case.strip_prefix("{\"case\":").unwrap(), answer)
}

/// The first case of the vectors that is answered with lines and refunds.
fn a_good_case() -> &'static str {
    let good = VECTORS.lines().map(case_and_answer).find(|(_, answer)| answer["refunds"].is_array());
    good.unwrap().0
}

#[test]
fn every_vector_has_exactly_the_published_answer() {
    let mut count = 0;
    for (n, line) in VECTORS.lines().enumerate() {
        let (case, expected) = case_and_answer(line);
        assert_eq!(answered(case), expected, "line {}: {case}", n + 1);
        count += 1;
    }
    assert_eq!(count, 610);
}

#[test]
fn a_line_that_is_not_json_is_invalid_input_and_counts_as_unreadable() {
    let twice_deep = a_good_case().replace("\"priority\":", "\"priority\":1,\"priority\":");
    let twice_escaped = a_good_case().replace("\"priority\":", "\"\\u0070riority\":1,\"priority\":");
    let deep = "[".repeat(200_000);
    let lines = ["", " ", "{", "nonsense", "{}{}", "\u{feff}{}", "{\"a\":01}", "{\"a\":1,}", "\"\\ud800\""];
    for line in lines.into_iter().chain([twice_deep.as_str(), &twice_escaped, &deep]) {
        let answered = answer(line.as_bytes());
        let json = serde_json::to_value(&answered.answer).unwrap();
        assert_eq!(json["error"], json!("INVALID_INPUT"), "{line:.200}");
        assert!(!answered.readable, "{line:.200}");
    }
    assert!(!answer(b"\"\xff\"").readable, "not UTF-8");
}

#[test]
fn wrong_values_outside_a_rule_are_invalid_input_and_inside_it_invalid_rule() {
    let good = a_good_case();
    let cases = [
        ("\"subsidy\":", "\"extra\":1,\"subsidy\":", "INVALID_INPUT"),
        ("\"subsidy\":", "\"subsidy\":0.0,\"_\":", "INVALID_INPUT"),
        ("\"fee_back\":", "\"fee_back\":1e0,\"_\":", "INVALID_INPUT"),
        ("\"fee_back\":", "\"fee_back\":9007199254740992,\"_\":", "INVALID_INPUT"),
        ("{\"rules\":", "{\"case\":1,\"rules\":", "INVALID_INPUT"),
        ("\"rules\":[", "\"rules\":[null,", "INVALID_RULE"),
        ("\"priority\":", "\"extra\":1,\"priority\":", "INVALID_RULE"),
        ("\"priority\":", "\"extra\":1e400,\"priority\":", "INVALID_RULE"),
        ("\"version\":1,", "\"version\":1.0,", "INVALID_RULE"),
        ("\"version\":1,", "\"version\":9007199254740992,", "INVALID_RULE"),
        ("\"role\":", "\"role\":[],\"extra\":", "INVALID_RULE"),
    ];
    for (from, to, code) in cases {
        let case = good.replacen(from, to, 1);
        assert_ne!(case, good, "{from} is not in the case");
        assert_eq!(answered(&case)["error"], code, "{to}");
        assert!(answer(case.as_bytes()).readable, "{to}");
    }
    assert_eq!(answered("[]")["error"], "INVALID_INPUT");
    assert_eq!(answered(&good.replace("\"priority\":0", "\"priority\":-0")), answered(good));
}

#[test]
fn facts_are_judged_before_rules_and_rules_before_the_choice() {
    let good = a_good_case();
    let bad_rule = good.replacen("\"version\":1,", "\"version\":0,", 1);
    let bad_both = bad_rule.replacen("\"subsidy\":", "\"subsidy\":-1,\"_\":", 1);
    assert_eq!(answered(&bad_rule), json!({"error": "INVALID_RULE"}));
    assert_eq!(answered(&bad_both), json!({"error": "INVALID_INPUT"}));

    let mut no_rules: Value = serde_json::from_str(good).unwrap();
    no_rules["rules"] = json!([]);
    assert_eq!(answered(&no_rules.to_string()), json!({"error": "NO_RULE"}));
    let mut same_twice: Value = serde_json::from_str(good).unwrap();
    let first = same_twice["rules"][0].clone();
    same_twice["rules"].as_array_mut().unwrap().push(first);
    assert_eq!(answered(&same_twice.to_string()), json!({"error": "INVALID_RULE"}));
}

#[test]
fn the_command_answers_line_by_line_and_exits_1_when_a_line_could_not_be_read() {
    let run = |input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mingfen"))
            .arg("split")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap().lines().count())
    };
    let good = a_good_case();
    assert_eq!(run(""), (Some(0), 0));
    assert_eq!(run(&format!("{good}\n{good}")), (Some(0), 2));
    assert_eq!(run(&format!("{good}\n\n{good}\n")), (Some(1), 3));
    assert_eq!(run("{\"rules\":[],\"order\":{}}\n"), (Some(0), 1));
}

#[test]
fn overflow_and_over_limit_come_as_the_steps_come() {
    let huge =
        json!({"to": "agent:A", "role": "agent", "rate_ppm": 1_000_000, "fixed": 1_000_000_000_000_i64});
    let greatest = order(1_000_000_000_000, 0, 0);
    let reject = json!({"when_short": "reject", "max_ratio_ppm": 0});
    assert_eq!(compute(&rule_with(json!([huge]), json!({})), &greatest), Err(SplitError::Overflow));
    assert_eq!(compute(&rule_with(json!([huge]), reject.clone()), &greatest), Err(SplitError::Overflow));

    let mut bounded = huge.clone();
    bounded["max"] = json!(1_000_000_000_000_i64);
    assert!(compute(&rule_with(json!([bounded]), json!({})), &greatest).is_ok());
    assert_eq!(compute(&rule_with(json!([bounded]), reject.clone()), &greatest), Err(SplitError::OverLimit));

    let parent = json!({"to": "agent:B", "role": "agent", "rate_ppm": 1_000_000, "shares": [huge]});
    assert_eq!(compute(&rule_with(json!([parent]), json!({})), &greatest), Err(SplitError::Overflow));
    assert_eq!(compute(&rule_with(json!([parent]), reject), &greatest), Err(SplitError::OverLimit));
    let mut unmet = parent.clone();
    unmet["when"] = json!({"gross_below": 1});
    assert!(compute(&rule_with(json!([unmet]), json!({})), &greatest).is_ok(), "nothing is worth nothing");
}

#[test]
fn facts_outside_their_bounds_are_refused() {
    let rule = rule_with(json!([]), json!({}));
    let good = order(100, 1, 0);
    assert!(compute(&rule, &good).is_ok());
    let bad = [
        order(0, 0, 0),
        order(-1, 0, 0),
        order(100, 101, 0),
        order(100, -1, 0),
        order(100, 0, -1),
        order(1_000_000_000_000, 0, 1),
        order(i64::MAX, 0, i64::MAX),
        OrderFacts { inst_order_no: "a|b".into(), ..good.clone() },
        OrderFacts { merchant: "platform".into(), ..good.clone() },
        OrderFacts { channel: "WeChat".into(), ..good.clone() },
        OrderFacts { product: String::new(), ..good.clone() },
        OrderFacts { tags: vec!["a".into(), "a".into()], ..good.clone() },
        OrderFacts { tags: (0..9).map(|n| n.to_string()).collect(), ..good.clone() },
        OrderFacts { parties: [("agent".into(), "merchant".into())].into(), ..good.clone() },
        OrderFacts { parties: [("Agent".into(), "agent:A".into())].into(), ..good.clone() },
    ];
    for facts in bad {
        assert_eq!(compute(&rule, &facts).unwrap_err().code(), "INVALID_INPUT", "{facts:?}");
    }
}

#[test]
fn the_explanation_says_why_a_line_is_what_it_is() {
    let shares = json!([
        {"to": "platform", "role": "platform", "rate_ppm": 10_000, "min": 20, "shares": [{"to": "$agent", "role": "agent", "fixed": 5}]},
        {"to": "store:S", "role": "store", "tiers": [{"from": 0, "fixed": 7}, {"from": 1000, "fixed": 2000}], "when": {"gross_at_least": 1000}},
        {"to": "agent:A", "role": "agent", "fixed": 1, "when": {"channels": ["alipay"]}},
        {"divide": [{"to": "funder:A", "weight": 1}, {"to": "funder:B", "weight": 1}], "role": "funder", "base": "net", "rate_ppm": 1},
    ]);
    let rule = rule_with(shares, json!({"fee_bearer": "platform", "max_ratio_ppm": 500_000}));
    let Split { lines, explain } = compute(&rule, &order(1000, 3, 0)).unwrap();
    let amounts: Vec<_> = lines.iter().map(|line| (&*line.path, line.amount.get())).collect();
    let expected = [("0", 17), ("0.0", 0), ("1", 480), ("2", 0), ("3#0", 0), ("3#1", 0), ("m", 500)];
    assert_eq!(amounts, expected);
    let fen = Fen::new;
    let computed = |of, tier, rate, fixed, raw, clamp| Worth::Computed {
        base: if of == 997 { Base::Net } else { Base::Gross },
        of: fen(of),
        tier,
        amount: Amount { rate: Ppm::new(rate).unwrap(), fixed: fen(fixed) },
        raw: fen(raw),
        clamp,
    };
    let share =
        |worth, cut, fee| Explain::Share(ShareExplain { worth, cut, nested: Fen::ZERO, fee: fen(fee) });
    let part = Explain::Part(PartExplain {
        worth: computed(997, None, 1, 0, 0, None),
        cut: None,
        divided: Fen::ZERO,
        weight: 1,
        total_weight: 2,
    });
    let expected = [
        share(computed(1000, None, 10_000, 0, 10, Some(Clamp::Min(fen(20)))), None, 3),
        share(Worth::PartyMissing, None, 0),
        share(
            computed(1000, Some(fen(1000)), 0, 2000, 2000, None),
            Some(Cut { from: fen(2000), to: fen(480) }),
            0,
        ),
        share(Worth::ConditionFailed(Unmet::Channels), None, 0),
        part,
        part,
        Explain::Merchant(MerchantExplain {
            pool: fen(997),
            limit: fen(500),
            shares: fen(500),
            fee_from_shares: fen(3),
        }),
    ];
    assert_eq!(explain, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn lines_add_up_to_the_pool_and_keep_their_caps(rule in rule_for_all(), facts in order_facts()) {
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let (merchant, others) = split.lines.split_last().unwrap();
        prop_assert_eq!(total(split.lines.iter().map(|line| line.amount)), facts.pool().get());
        prop_assert!(split.lines.iter().all(|line| line.amount.is_fact_range()));
        let cap = rule.max_ratio.floor_of(facts.gross()).unwrap().min(facts.pool());
        prop_assert!(total(others.iter().map(|line| line.amount)) <= cap.get());
        prop_assert_eq!(&*merchant.receiver, format!("merchant:{}", facts.merchant));
        prop_assert_eq!(split.lines.len(), rule.line_count());
        prop_assert_eq!(split.lines.len(), split.explain.len());
    }

    #[test]
    fn every_line_follows_from_its_explanation(rule in rule_for_all(), facts in order_facts()) {
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let mut parts = 0;
        for (line, explain) in split.lines.iter().zip(&split.explain) {
            match explain {
                Explain::Share(share) => {
                    let worth = match share.worth {
                        Worth::Computed { raw, clamp, .. } => match clamp {
                            Some(Clamp::Min(bound) | Clamp::Max(bound)) => bound,
                            None => raw,
                        },
                        Worth::ConditionFailed(_) | Worth::PartyMissing | Worth::ParentNothing => Fen::ZERO,
                    };
                    let taken = share.cut.map_or(worth, |cut| cut.to);
                    prop_assert_eq!(line.amount.get(), taken.get() - share.nested.get() - share.fee.get());
                }
                Explain::Part(part) => {
                    let exact = i128::from(part.divided.get()) * i128::from(part.weight);
                    let times = i128::from(part.total_weight);
                    prop_assert!((i128::from(line.amount.get()) * times - exact).abs() < times);
                    parts += line.amount.get();
                }
                Explain::Merchant(merchant) => {
                    let rest = merchant.pool.get() - merchant.shares.get() + merchant.fee_from_shares.get();
                    prop_assert_eq!(line.amount.get(), rest);
                    prop_assert!(merchant.shares <= merchant.limit && parts <= merchant.limit.get());
                }
            }
        }
    }
}
