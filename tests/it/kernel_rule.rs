//! Rule versions: every finding at its place, one canonical form, and which version applies.
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::digest::Digest;
use mingfen::kernel::rule::{self, InForce, RuleVersion, parse, pick};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::rules::{order, order_facts, rule_json, rule_version, rule_with};

/// A valid version that uses everything.
fn full() -> Value {
    json!({
        "rule": "market-standard", "version": 3, "institution": "SANDBOX",
        "effective_from": "2026-01-01T00:00:00+08:00", "effective_to": null,
        "scope": {"merchants": ["*"], "channels": ["wechat"], "products": ["*"], "tags": ["vip"]}, "priority": 10,
        "max_ratio_ppm": 300_000, "fee_bearer": "platform", "when_short": "reject", "refund": "pro_rata",
        "shares": [
            {"to": "platform", "role": "platform", "base": "gross", "rate_ppm": 6000, "min": 1, "max": 5000,
             "when": {"gross_at_least": 1, "tags_any": ["vip"]},
             "shares": [{"to": "$agent", "role": "agent", "rate_ppm": 200_000,
                         "shares": [{"to": "store:S", "role": "store", "fixed": 1}]}]},
            {"role": "supplier", "to": "merchant:S9", "tiers": [{"from": 0}, {"from": 100, "fixed": 3}]},
            {"divide": [{"to": "funder:F1", "weight": 60}, {"to": "funder:F2", "weight": 40}], "role": "funder",
             "base": "net", "rate_ppm": 100_000},
        ],
    })
}

/// The places of the findings after the value at `pointer` was set (or, for `null` and a new key, added).
fn places(pointer: &str, value: Value) -> Vec<String> {
    let mut rule = full();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match rule.pointer_mut(parent).unwrap() {
        Value::Object(entries) => drop(entries.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("{pointer}"),
    }
    let findings = parse(&rule.to_string()).err().unwrap_or_default();
    findings.into_iter().map(|finding| finding.path).collect()
}

#[test]
fn every_wrong_value_is_found_at_its_place() {
    assert!(parse(&full().to_string()).is_ok());
    let long = "a".repeat(81);
    let share = json!({"to": "a", "role": "a", "fixed": 1});
    let many: Vec<_> = (0..46).map(|_| share.clone()).collect();
    for (pointer, value, place) in [
        ("/rule", json!(""), "rule"),
        ("/rule", json!("a".repeat(41)), "rule"),
        ("/rule", json!("规则"), "rule"),
        ("/version", json!(0), "version"),
        ("/version", json!(1.5), "version"),
        ("/version", json!("1"), "version"),
        ("/institution", json!("sandbox"), "institution"),
        ("/effective_from", json!("2026-01-01"), "effective_from"),
        ("/effective_to", json!("2025-12-31T16:00:00Z"), "effective_to"),
        ("/effective_to", json!(0), "effective_to"),
        ("/note", json!(null), "note"),
        ("/priority", json!(1001), "priority"),
        ("/max_ratio_ppm", json!(1_000_001), "max_ratio_ppm"),
        ("/fee_bearer", json!("$agent"), "fee_bearer"),
        ("/fee_bearer", json!(null), "fee_bearer"),
        ("/when_short", json!("cut"), "when_short"),
        ("/refund", json!("none"), "refund"),
        ("/scope", json!([]), "scope"),
        ("/scope/merchants", json!([]), "scope.merchants"),
        ("/scope/merchants", json!(["platform"]), "scope.merchants[0]"),
        ("/scope/merchants", json!(["M1", "M1"]), "scope.merchants"),
        ("/scope/channels", json!(["wechat", "*"]), "scope.channels[1]"),
        ("/scope/products", json!(["*", "app"]), "scope.products[0]"),
        ("/scope/tags", json!("*"), "scope.tags"),
        ("/scope/shops", json!(["*"]), "scope.shops"),
        ("/shares", json!({}), "shares"),
        ("/shares", json!(many), "fee_bearer"),
        ("/shares/1", json!([]), "shares[1]"),
        ("/shares/1/role", json!("Store"), "shares[1].role"),
        ("/shares/1/to", json!("merchant"), "shares[1].to"),
        ("/shares/1/to", json!(long), "shares[1].to"),
        ("/shares/1/to", json!("$Agent"), "shares[1].to"),
        ("/shares/1/to", json!("agent:"), "shares[1].to"),
        ("/shares/1/divide", full()["shares"][2]["divide"].clone(), "shares[1]"),
        ("/shares/1/rate_ppm", json!(0), "shares[1].tiers"),
        ("/shares/1/tiers", json!([]), "shares[1].tiers"),
        ("/shares/1/tiers/0", json!({"from": 1}), "shares[1].tiers"),
        ("/shares/1/tiers/1", json!({"from": 0}), "shares[1].tiers"),
        ("/shares/1/tiers/1", json!({"from": 1, "min": 1}), "shares[1].tiers[1].min"),
        ("/shares/1/tiers/1", json!({}), "shares[1].tiers[1].from"),
        ("/shares/0/base", json!("pool"), "shares[0].base"),
        ("/shares/0/shares/0/base", json!("gross"), "shares[0].shares[0].base"),
        ("/shares/0/rate_ppm", json!(0), "shares[0]"),
        ("/shares/0/fixed", json!(-1), "shares[0].fixed"),
        ("/shares/0/fixed", json!(1_000_000_000_001_i64), "shares[0].fixed"),
        ("/shares/0/max", json!(0), "shares[0].max"),
        ("/shares/0/min", json!(null), "shares[0].min"),
        ("/shares/0/when", json!({}), "shares[0].when"),
        ("/shares/0/when/gross_below", json!("1"), "shares[0].when.gross_below"),
        ("/shares/0/when/channels", json!([]), "shares[0].when.channels"),
        ("/shares/0/when/products", json!(["*"]), "shares[0].when.products[0]"),
        ("/shares/0/when/weekday", json!(1), "shares[0].when.weekday"),
        ("/shares/0/shares", json!([]), "shares[0].shares"),
        ("/shares/0/shares/0/shares/0/shares", json!([share]), "shares[0].shares[0].shares[0].shares"),
        ("/shares/2/shares", json!([share]), "shares[2].shares"),
        ("/shares/2/divide", json!([{"to": "a", "weight": 1}]), "shares[2].divide"),
        ("/shares/2/divide/0", json!({"to": "funder:F2", "weight": 1}), "shares[2].divide"),
        ("/shares/2/divide/0", json!({"to": "$agent", "weight": 1}), "shares[2].divide[0].to"),
        ("/shares/2/divide/0", json!({"to": "a", "weight": 0}), "shares[2].divide[0].weight"),
        ("/shares/2/divide/0", json!({"to": "a", "weight": 1_000_001}), "shares[2].divide[0].weight"),
    ] {
        assert_eq!(places(pointer, value.clone()), [place], "{pointer} = {value}");
    }
}

#[test]
fn all_findings_are_told_at_once_and_every_top_level_key_is_required() {
    let findings = parse("{}").unwrap_err();
    assert_eq!(findings.len(), 12);
    let mut rule = full();
    rule["version"] = json!(0);
    rule["shares"][0]["min"] = json!(-1);
    rule["shares"][2]["divide"][1]["weight"] = json!(0);
    let places: Vec<_> =
        parse(&rule.to_string()).unwrap_err().into_iter().map(|finding| finding.path).collect();
    assert_eq!(places, ["version", "shares[0].min", "shares[2].divide[1].weight"]);
    assert!(parse("{\"rule\":1,\"rule\":2}").unwrap_err()[0].why.contains("twice"));
}

#[test]
fn a_rule_names_at_most_fifty_receivers() {
    let shares = |n| Value::from(vec![json!({"to": "a", "role": "a", "fixed": 1}); n]);
    let mut rule = full();
    rule["fee_bearer"] = json!("merchant");
    rule["shares"] = shares(50);
    assert_eq!(parse(&rule.to_string()).unwrap().line_count(), 51);
    rule["shares"] = shares(51);
    assert_eq!(parse(&rule.to_string()).unwrap_err()[0].path, "shares");
}

/// The same document with its keys turned around, white space everywhere and strings in escapes.
fn written_otherwise(json: &Value, out: &mut String) {
    let pad = |out: &mut String| out.push_str(" \n\t");
    let text = |text: &str, out: &mut String| {
        out.push('"');
        text.chars().for_each(|c| out.push_str(&format!("\\u{:04X}", u32::from(c))));
        out.push('"');
    };
    pad(out);
    match json {
        Value::Object(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().rev().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                pad(out);
                text(key, out);
                pad(out);
                out.push(':');
                written_otherwise(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, value) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                written_otherwise(value, out);
            }
            out.push(']');
        }
        Value::String(value) => text(value, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&json.to_string()),
    }
    pad(out);
}

/// Every place in the document, as a JSON pointer.
fn pointers(json: &Value, here: String, found: &mut Vec<String>) {
    match json {
        Value::Object(entries) => entries.iter().for_each(|(k, v)| pointers(v, format!("{here}/{k}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| pointers(v, format!("{here}/{i}"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(here),
    }
}

proptest! {
    #[test]
    fn the_canonical_form_does_not_depend_on_how_a_version_is_written(json in rule_json()) {
        let rule = parse(&json.to_string()).unwrap();
        let mut other = String::new();
        written_otherwise(&json, &mut other);
        prop_assert_eq!(&parse(&other).unwrap(), &rule);
        // serde_json keeps keys sorted and writes nothing between: for these documents that is RFC 8785.
        prop_assert_eq!(rule.canonical(), json.to_string());
        prop_assert_eq!(rule.digest(), Digest::of(json.to_string().as_bytes()));
        prop_assert_eq!(&parse(rule.canonical()).unwrap(), &rule);
    }

    #[test]
    fn any_change_of_content_changes_the_digest_or_is_refused(json in rule_json(), place: prop::sample::Index) {
        let mut found = Vec::new();
        pointers(&json, String::new(), &mut found);
        let mut changed = json.clone();
        let value = changed.pointer_mut(&found[place.index(found.len())]).unwrap();
        *value = match value {
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            Value::String(text) => json!(format!("{text}a")),
            Value::Null => json!("2027-01-01T00:00:00Z"),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => json!(null),
        };
        if let Ok(changed) = parse(&changed.to_string()) {
            prop_assert_ne!(changed.digest(), parse(&json.to_string()).unwrap().digest());
        }
    }

    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_versions(
        rules in proptest::collection::vec(rule_version(), 0..8), facts in order_facts(),
    ) {
        let mut unique: Vec<&RuleVersion> = Vec::new();
        for rule in &rules {
            if !unique.iter().any(|other| (&other.rule, other.version) == (&rule.rule, rule.version)) {
                unique.push(rule);
            }
        }
        let forward: Vec<_> = unique.iter().map(|rule| approved(rule)).collect();
        let backward: Vec<_> = forward.iter().rev().copied().collect();
        let picked = pick(&facts, &forward, None);
        prop_assert_eq!(picked.map(RuleVersion::digest), pick(&facts, &backward, None).map(RuleVersion::digest));
        prop_assert!(picked.is_none_or(|rule| rule.scope.matches(&facts)));
    }
}

fn approved(rule: &RuleVersion) -> InForce<'_> {
    InForce { rule, approved_at: Instant::new(0), suspended_at: None }
}

fn named(rule: &str, version: i64, mut changes: Value) -> RuleVersion {
    changes["rule"] = json!(rule);
    changes["version"] = json!(version);
    rule_with(json!([]), changes)
}

#[test]
fn a_version_counts_from_its_approval_until_its_end_or_suspension() {
    let facts = order(100, 0, 0);
    let paid_at = facts.paid_at;
    let rule = named("r", 1, json!({}));
    let at = |approved_at, suspended_at| {
        pick(&facts, &[InForce { rule: &rule, approved_at, suspended_at }], None).is_some()
    };
    assert!(at(paid_at, None) && at(paid_at, Some(paid_at.plus(1))));
    assert!(!at(paid_at.plus(1), None) && !at(paid_at, Some(paid_at)));

    let window = |from: Instant, to: Instant| {
        let rule = named("r", 1, json!({"effective_from": from.to_cst(), "effective_to": to.to_cst()}));
        pick(&facts, &[approved(&rule)], None).is_some()
    };
    assert!(window(paid_at, paid_at.plus(1)));
    assert!(!window(paid_at.plus(-1), paid_at) && !window(paid_at.plus(1), paid_at.plus(2)));
}

#[test]
fn the_newest_version_replaces_the_older_even_where_only_the_older_matches() {
    let facts = order(100, 0, 0);
    let older = named("r", 1, json!({"priority": 1000}));
    let newer = named(
        "r",
        2,
        json!({"scope": {"merchants": ["M9"], "channels": ["*"], "products": ["*"], "tags": ["*"]}}),
    );
    let other = named("s", 1, json!({"priority": -1000}));
    let all = [approved(&newer), approved(&older), approved(&other)];
    assert_eq!(pick(&facts, &all, None), Some(&other));
    assert_eq!(pick(&facts, &all[..2], None), None);

    let suspended = InForce { suspended_at: Some(facts.paid_at), ..approved(&newer) };
    assert_eq!(
        pick(&facts, &[suspended, approved(&older)], None),
        Some(&older),
        "the older is in force again"
    );
    assert_eq!(pick(&facts, &all, Some(newer.digest())), Some(&newer), "a decision goes before scope");
    assert_eq!(pick(&facts, &all, Some(Digest::ZERO)), None, "never a guess");
}

#[test]
fn among_matching_rules_priority_then_scope_then_age_then_digest_decides() {
    let facts = order(100, 0, 0);
    let scope = json!({"merchants": ["M1001"], "channels": ["*"], "products": ["*"], "tags": ["*"]});
    let plain = named("a", 1, json!({}));
    let special = named("b", 1, json!({"scope": scope}));
    let later = named("c", 1, json!({"effective_from": "2026-01-02T00:00:00+08:00"}));
    let urgent = named("d", 1, json!({"priority": 1}));
    let choose = |rules: &[&RuleVersion]| {
        let all: Vec<_> = rules.iter().map(|rule| approved(rule)).collect();
        pick(&facts, &all, None).unwrap().rule.to_string()
    };
    assert_eq!(choose(&[&plain, &special, &later, &urgent]), "d");
    assert_eq!(choose(&[&plain, &special, &later]), "b");
    assert_eq!(choose(&[&plain, &later]), "c");
    let twin = named("e", 1, json!({}));
    let greater = if plain.digest() > twin.digest() { "a" } else { "e" };
    assert_eq!(choose(&[&plain, &twin]), greater);
}

#[test]
fn a_scope_of_tags_matches_any_of_them_and_a_star_also_none() {
    let mut facts = order(100, 0, 0);
    let tagged = named(
        "t",
        1,
        json!({"scope": {"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["a", "b"]}}),
    );
    let in_scope =
        |facts: &_| (tagged.scope.matches(facts), rule_with(json!([]), json!({})).scope.matches(facts));
    assert_eq!(in_scope(&facts), (false, true));
    facts.tags = vec!["b".into(), "c".into()];
    assert_eq!(in_scope(&facts), (true, true));
    assert_eq!(tagged.scope.merchants, rule::List::All);
}
