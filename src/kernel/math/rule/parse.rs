//! Reading a rule version, with every finding at its place.
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::digest::Digest;
use crate::json::{At, Check, Entries, Json, MAX_INTEGER, read};
use crate::text;

use super::share::ShareReader;
use super::{FeeBearer, Finding, List, RefundPolicy, RuleVersion, Scope, WhenShort};

const KEYS: [&str; 12] = [
    "rule",
    "version",
    "institution",
    "effective_from",
    "effective_to",
    "scope",
    "priority",
    "max_ratio_ppm",
    "fee_bearer",
    "when_short",
    "refund",
    "shares",
];

/// Reads a rule version from text.
pub fn parse(text: &str) -> Result<RuleVersion, Vec<Finding>> {
    match read(text) {
        Ok(json) => from_json(&json),
        Err(unreadable) => Err(vec![Finding { path: String::new(), why: unreadable.to_string() }]),
    }
}

/// Reads a rule version from a JSON value.
pub fn from_json(json: &Json) -> Result<RuleVersion, Vec<Finding>> {
    let mut check = Check::new();
    let version = rule_version(&mut check, json);
    match version {
        Some(version) if check.is_clean() => Ok(version),
        Some(_) | None => Err(check.into_findings()),
    }
}

/// `None` only after a finding; what is wrong in one key does not hide what is wrong in the next.
fn rule_version(check: &mut Check, json: &Json) -> Option<RuleVersion> {
    let keys = check.object(&At::root(json), &KEYS, &[])?;
    let rule =
        keys.get("rule").and_then(|at| check.text(&at, text::is_rule_name, "a name of 0-9 A-Z a-z _ -"));
    let version = keys.get("version").and_then(|at| check.integer(&at, 1..=MAX_INTEGER));
    let institution =
        keys.get("institution").and_then(|at| check.text(&at, text::is_institution, "a code of 0-9 A-Z"));
    let effective_from = keys.get("effective_from").and_then(|at| check.instant(&at));
    let effective_to = keys.get("effective_to").and_then(|at| check.instant_or_null(&at));
    if let (Some(from), Some(Some(to))) = (effective_from, effective_to)
        && from >= to
    {
        check.note(keys.place("effective_to"), "must be after effective_from");
    }
    let scope = keys.get("scope").and_then(|at| scope(check, &at));
    let priority = keys.get("priority").and_then(|at| check.integer(&at, -1000..=1000));
    let max_ratio = keys.get("max_ratio_ppm").and_then(|at| check.ppm(&at));
    let fee_bearer = fee_bearer(check, &keys);
    let when_short = keys.get("when_short").and_then(|at| when_short(check, &at));
    let refund = keys.get("refund").and_then(|at| refund(check, &at));
    let (shares, receivers) = ShareReader::read(check, &keys)?;
    let canonical = serde_json::to_string(json).ok()?;
    Some(RuleVersion {
        rule: Arc::from(rule?),
        version: version?,
        institution: institution?.to_owned(),
        effective_from: effective_from?,
        effective_to: effective_to?,
        scope: scope?,
        priority: priority?,
        max_ratio: max_ratio?,
        fee_bearer: fee_bearer?,
        when_short: when_short?,
        refund: refund?,
        shares,
        receivers,
        digest: Digest::of(canonical.as_bytes()),
        canonical,
    })
}

fn scope(check: &mut Check, at: &At<'_>) -> Option<Scope> {
    let keys = check.object(at, &["merchants", "channels", "products", "tags"], &[])?;
    let merchants =
        keys.get("merchants").and_then(|at| scope_list(check, &at, text::is_merchant, "a merchant"));
    let channels = keys.get("channels").and_then(|at| scope_list(check, &at, text::is_channel, "a channel"));
    let products = keys.get("products").and_then(|at| scope_list(check, &at, text::is_channel, "a product"));
    let tags = keys.get("tags").and_then(|at| scope_list(check, &at, text::is_tag, "a tag"));
    Some(Scope { merchants: merchants?, channels: channels?, products: products?, tags: tags? })
}

fn scope_list(check: &mut Check, at: &At<'_>, allowed: fn(&str) -> bool, what: &str) -> Option<List> {
    if *at.json == Json::List(vec![Json::Text("*".to_owned())]) {
        return Some(List::All);
    }
    let values = words(check, at, allowed, what)?;
    if values.iter().collect::<BTreeSet<_>>().len() < values.len() {
        check.note(&at.path, "names a value twice");
    }
    Some(List::Of(values))
}

/// A list of one or more strings.
pub(super) fn words(
    check: &mut Check,
    at: &At<'_>,
    allowed: fn(&str) -> bool,
    what: &str,
) -> Option<Vec<String>> {
    let items = check.list(at, 1..=usize::MAX)?;
    let texts: Vec<_> = items.iter().map(|item| check.text(item, allowed, what).map(str::to_owned)).collect();
    texts.into_iter().collect()
}

fn fee_bearer(check: &mut Check, keys: &Entries<'_>) -> Option<FeeBearer> {
    let at = keys.get("fee_bearer")?;
    let bearer = check.text(&at, |_| true, "`merchant` or the `to` of a top-level share")?;
    if bearer == "merchant" {
        return Some(FeeBearer::Merchant);
    }
    let written = |share: &Json| share.as_object().and_then(|share| share.get("to")) == Some(at.json);
    if let Some(Json::List(shares)) = keys.get("shares").map(|at| at.json)
        && !shares.iter().any(written)
    {
        check.note(&at.path, "must be `merchant` or the `to` of a top-level share");
    }
    Some(FeeBearer::Receiver(Arc::from(bearer)))
}

fn when_short(check: &mut Check, at: &At<'_>) -> Option<WhenShort> {
    let known = |text: &str| matches!(text, "reject" | "in_order");
    match check.text(at, known, "`reject` or `in_order`")? {
        "reject" => Some(WhenShort::Reject),
        _ => Some(WhenShort::InOrder),
    }
}

fn refund(check: &mut Check, at: &At<'_>) -> Option<RefundPolicy> {
    let known = |text: &str| matches!(text, "pro_rata" | "merchant_first");
    match check.text(at, known, "`pro_rata` or `merchant_first`")? {
        "pro_rata" => Some(RefundPolicy::ProRata),
        _ => Some(RefundPolicy::MerchantFirst),
    }
}
