//! Text to [`Approvals`]: strict, and every finding at its place.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Approvals, ApprovedRule, Bound, Decision, Hold, Merchant, Receiver, Window};
use crate::calendar::{BusinessDay, Calendar, Cycle};
use crate::digest::Digest;
use crate::file::field;
use crate::json::{self, At, Check, Entries, Json};
use crate::rate::Ppm;
use crate::rule::{self, Finding};
use crate::text;

const ANY: usize = usize::MAX;

pub(super) fn read(bytes: &[u8]) -> Result<Approvals, Vec<Finding>> {
    let unreadable = |why: String| vec![Finding { path: String::new(), why }];
    let text = str::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8".to_owned()))?;
    let json = json::read(text).map_err(|why| unreadable(why.to_string()))?;
    let mut check = Check::new();
    let approvals = document(&mut check, &At::root(&json));
    match approvals {
        Some(approvals) if check.is_clean() => Ok(approvals),
        _ => Err(check.into_findings()),
    }
}

fn document(check: &mut Check, at: &At<'_>) -> Option<Approvals> {
    let keys = [
        "format",
        "institution",
        "platform",
        "issued_at",
        "platform_cap_ppm",
        "merchants",
        "receivers",
        "rules",
        "decisions",
        "holds",
        "calendar",
    ];
    let o = check.object(at, &keys, &[])?;
    check.text(&o.get("format")?, |format| format == "SSF1", "SSF1");
    let institution = check.text(&o.get("institution")?, text::is_institution, "an institution's code");
    let platform = check.text(&o.get("platform")?, text::is_institution, "a platform's code");
    let issued_at = check.instant(&o.get("issued_at")?);
    let platform_cap = check.ppm(&o.get("platform_cap_ppm")?);
    let merchants = keyed(check, &o.get("merchants")?, "merchant", merchant);
    let receivers = keyed(check, &o.get("receivers")?, "receiver", receiver);
    let rules = rules(check, &o.get("rules")?, institution);
    let decisions = keyed(check, &o.get("decisions")?, "inst_order_no", decision);
    let holds = each(check, &o.get("holds")?, hold);
    let calendar = calendar(check, &o.get("calendar")?);
    let approvals = Approvals {
        institution: institution?.to_owned(),
        platform: platform?.to_owned(),
        issued_at: issued_at?,
        platform_cap: platform_cap?,
        merchants: merchants?,
        receivers: receivers?,
        rules: rules?,
        decisions: decisions?,
        holds: holds?,
        calendar: calendar?,
    };
    contradictions(check, &approvals);
    Some(approvals)
}

/// Every entry of a list read by `one`; `None` unless all could be.
fn each<T>(check: &mut Check, at: &At<'_>, one: fn(&mut Check, &At<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = check.list(at, 0..=ANY)?.iter().map(|item| one(check, item)).collect();
    items.into_iter().collect()
}

/// The same, by a key that no two entries may share.
fn keyed<T>(
    check: &mut Check,
    at: &At<'_>,
    key: &str,
    one: fn(&mut Check, &At<'_>) -> Option<(String, T)>,
) -> Option<BTreeMap<String, T>> {
    let mut all = BTreeMap::new();
    let mut whole = true;
    for item in check.list(at, 0..=ANY)? {
        match one(check, &item) {
            None => whole = false,
            Some((name, value)) => {
                let twice = format!("{name} stands twice");
                if all.insert(name, value).is_some() {
                    check.note(format!("{}.{key}", item.path), twice);
                }
            }
        }
    }
    whole.then_some(all)
}

fn merchant(check: &mut Check, at: &At<'_>) -> Option<(String, Merchant)> {
    let keys = [
        "merchant",
        "inst_merchant_no",
        "agreement_no",
        "active",
        "fees",
        "max_ratio_ppm",
        "min_settle",
        "cycle",
    ];
    let o = check.object(at, &keys, &[])?;
    let merchant = check.text(&o.get("merchant")?, text::is_merchant, "a merchant");
    let inst_no = check.text(&o.get("inst_merchant_no")?, text::is_inst_order_no, "an institution's number");
    let agreement = check.text(&o.get("agreement_no")?, is_free_text, "1 to 100 printable characters");
    let active = windows(check, &o.get("active")?);
    let fees = fees(check, &o.get("fees")?);
    let max_ratio = check.ppm(&o.get("max_ratio_ppm")?);
    let (min_settle, cycle) = terms(check, &o)?;
    let merchant = Merchant {
        merchant: merchant?.to_owned(),
        inst_merchant_no: inst_no?.to_owned(),
        agreement_no: agreement?.to_owned(),
        active: active?,
        fees: fees?,
        max_ratio: max_ratio?,
        min_settle,
        cycle,
    };
    Some((merchant.merchant.clone(), merchant))
}

fn receiver(check: &mut Check, at: &At<'_>) -> Option<(String, Receiver)> {
    let keys = ["receiver", "inst_receiver_no", "role", "merchants", "active", "min_settle", "cycle"];
    let o = check.object(at, &keys, &[])?;
    let receiver = check.text(&o.get("receiver")?, text::is_receiver, "a receiver key");
    let inst_no = check.text(&o.get("inst_receiver_no")?, text::is_inst_order_no, "an institution's number");
    let role = check.text(&o.get("role")?, text::is_role, "a role");
    let merchants = bound(check, &o.get("merchants")?);
    let active = windows(check, &o.get("active")?);
    let (min_settle, cycle) = terms(check, &o)?;
    let receiver = Receiver {
        receiver: receiver?.to_owned(),
        inst_receiver_no: inst_no?.to_owned(),
        role: role?.to_owned(),
        merchants: merchants?,
        active: active?,
        min_settle,
        cycle,
    };
    Some((receiver.receiver.clone(), receiver))
}

fn terms(check: &mut Check, o: &Entries<'_>) -> Option<(crate::money::Fen, Cycle)> {
    let min_settle = check.fen(&o.get("min_settle")?);
    let cycle = check.text(&o.get("cycle")?, |cycle| Cycle::parse(cycle).is_some(), "D1 or T1");
    Some((min_settle?, Cycle::parse(cycle?)?))
}

fn is_free_text(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn fees(check: &mut Check, at: &At<'_>) -> Option<BTreeMap<String, Ppm>> {
    let Json::Object(map) = at.json else {
        check.note(&at.path, "must be an object");
        return None;
    };
    let mut fees = BTreeMap::new();
    for (key, json) in map {
        let place = At { json, path: format!("{}.{key}", at.path) };
        let known = |(channel, product)| text::is_channel(channel) && text::is_channel(product);
        if !key.split_once('/').is_some_and(known) {
            check.note(&place.path, "must be named channel/product");
        }
        fees.insert(key.clone(), check.ppm(&place)?);
    }
    Some(fees)
}

fn bound(check: &mut Check, at: &At<'_>) -> Option<Bound> {
    let items = check.list(at, 1..=ANY)?;
    if let [only] = items.as_slice()
        && *only.json == Json::Text("*".to_owned())
    {
        return Some(Bound::Any);
    }
    let mut names = BTreeSet::new();
    for item in items {
        let name = check.text(&item, text::is_merchant, "a merchant, or \"*\" alone")?;
        if !names.insert(name.to_owned()) {
            check.note(&item.path, "stands twice");
        }
    }
    Some(Bound::Merchants(names))
}

fn windows(check: &mut Check, at: &At<'_>) -> Option<Vec<Window>> {
    let windows = each(check, at, |check, item| {
        let pair = check.list(item, 2..=2)?;
        let [from, to] = pair.as_slice() else { return None };
        let (from, to) = (check.instant(from)?, check.instant_or_null(to)?);
        Some(Window { from, to })
    })?;
    let apart = |a: &Window, b: &Window| a.to.is_some_and(|end| end <= b.from);
    if !windows.is_sorted_by(apart) || !windows.iter().all(is_forward) {
        check.note(&at.path, "windows must ascend, end after they begin and not overlap");
    }
    Some(windows)
}

fn is_forward(window: &Window) -> bool {
    window.to.is_none_or(|to| window.from < to)
}

fn rules(check: &mut Check, at: &At<'_>, institution: Option<&str>) -> Option<Vec<ApprovedRule>> {
    let mut all: Vec<ApprovedRule> = Vec::new();
    let mut whole = true;
    for item in check.list(at, 0..=ANY)? {
        let Some(approved) = approved_rule(check, &item) else {
            whole = false;
            continue;
        };
        if institution.is_some_and(|institution| institution != approved.rule.institution) {
            check.note(format!("{}.rule.institution", item.path), "is another institution than the bundle's");
        }
        let same = |known: &&ApprovedRule| {
            known.rule.rule == approved.rule.rule && known.rule.version == approved.rule.version
        };
        if all.iter().any(|known| same(&known)) {
            let why = format!("{} version {} stands twice", approved.rule.rule, approved.rule.version);
            check.note(format!("{}.rule.version", item.path), why);
        }
        all.push(approved);
    }
    whole.then_some(all)
}

fn approved_rule(check: &mut Check, at: &At<'_>) -> Option<ApprovedRule> {
    let o = check.object(at, &["digest", "approved_at", "approved_by", "suspended_at", "rule"], &[])?;
    let digest = digest(check, &o.get("digest")?);
    let approved_at = check.instant(&o.get("approved_at")?);
    let approved_by = check.text(&o.get("approved_by")?, is_free_text, "1 to 100 printable characters");
    let suspended_at = check.instant_or_null(&o.get("suspended_at")?);
    let rule = rule::from_json(o.get("rule")?.json)
        .map_err(|findings| {
            for Finding { path, why } in findings {
                let inside = if path.is_empty() { "rule".to_owned() } else { format!("rule.{path}") };
                check.note(o.place(&inside), why);
            }
        })
        .ok()?;
    if digest? != rule.digest() {
        check.note(o.place("digest"), format!("is not the rule's, which is {}", rule.digest()));
    }
    Some(ApprovedRule {
        approved_at: approved_at?,
        approved_by: approved_by?.to_owned(),
        suspended_at: suspended_at?,
        rule: Arc::new(rule),
    })
}

fn digest(check: &mut Check, at: &At<'_>) -> Option<Digest> {
    let text = check.text(at, |text| field::digest(text).is_some(), "64 lower-case hex digits")?;
    field::digest(text)
}

fn decision(check: &mut Check, at: &At<'_>) -> Option<(String, Decision)> {
    let o = check.object(at, &["inst_order_no", "digest", "decided_at"], &[])?;
    let no = check.text(&o.get("inst_order_no")?, text::is_inst_order_no, "an institution's number");
    let digest = digest(check, &o.get("digest")?);
    let decided_at = check.instant(&o.get("decided_at")?);
    Some((no?.to_owned(), Decision { digest: digest?, decided_at: decided_at? }))
}

fn hold(check: &mut Check, at: &At<'_>) -> Option<Hold> {
    let o = check.object(at, &["receiver", "from", "to"], &[])?;
    let receiver = check.text(&o.get("receiver")?, text::is_receiver, "a receiver key");
    let from = check.instant(&o.get("from")?);
    let to = check.instant_or_null(&o.get("to")?);
    let window = Window { from: from?, to: to? };
    if !is_forward(&window) {
        check.note(o.place("to"), "must be after from");
    }
    Some(Hold { receiver: receiver?.to_owned(), window })
}

fn calendar(check: &mut Check, at: &At<'_>) -> Option<Calendar> {
    let o = check.object(at, &["off", "on"], &[])?;
    let day = |check: &mut Check, item: &At<'_>| {
        BusinessDay::parse(check.text(
            item,
            |text| BusinessDay::parse(text).is_some(),
            "a day like 20261001",
        )?)
    };
    let off = each(check, &o.get("off")?, day)?;
    let on = each(check, &o.get("on")?, day)?;
    Some(Calendar { off: off.into_iter().collect(), on: on.into_iter().collect() })
}

/// What each entry alone cannot show.
fn contradictions(check: &mut Check, approvals: &Approvals) {
    let mut numbers = BTreeMap::new();
    for merchant in approvals.merchants.values() {
        if let Some(other) = numbers.insert(&merchant.inst_merchant_no, &merchant.merchant) {
            let why = format!("{other} and {} have one inst_merchant_no", merchant.merchant);
            check.note("merchants", why);
        }
        let key = format!("merchant:{}", merchant.merchant);
        let as_receiver = approvals.receivers.get(&key);
        if as_receiver.is_some_and(|receiver| receiver.inst_receiver_no != merchant.inst_merchant_no) {
            check.note("receivers", format!("{key} has another number here than among the merchants"));
        }
    }
    for (no, decision) in &approvals.decisions {
        if !approvals.rules.iter().any(|approved| approved.rule.digest() == decision.digest) {
            check.note("decisions", format!("{no} is decided by a version that is not approved"));
        }
    }
}
