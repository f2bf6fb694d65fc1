//! A rule version as a tree of sentences (`split.md`, "Rule version").
use std::collections::BTreeMap;

use crate::clock;
use crate::kernel::approvals::ApprovedRule;
use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::rate::Ppm;
use crate::kernel::rule::{Amount, FeeBearer, List, RuleVersion, Share, Target, Value, When, WhenShort};
use crate::web::format::{When as Moment, Yuan, percent_of_ppm};
use crate::web::lang::Lang;

use super::explain;
use super::flow::color;

/// Display names by receiver key.
type Names = BTreeMap<String, String>;

/// A rule version in force.
pub struct RuleCard {
    /// Name and version.
    pub title: String,
    /// Its digest.
    pub digest: String,
    /// The institution that approved it.
    pub institution: String,
    /// Who there did.
    pub approved_by: String,
    /// When it was approved.
    pub approved_at: Moment,
    /// From when on it counts.
    pub from: Moment,
    /// Until when; `None` = open.
    pub to: Option<Moment>,
    /// Label and value of what holds for the whole version.
    pub facts: Vec<(&'static str, String)>,
    /// The shares in order.
    pub shares: Vec<ShareWords>,
}

/// One share in words, flattened in pre-order.
pub struct ShareWords {
    /// Its place, `0.1`.
    pub path: String,
    /// 1 at the top.
    pub depth: usize,
    /// The colour of its role.
    pub color: &'static str,
    /// Who gets it.
    pub who: String,
    /// The role.
    pub role: String,
    /// How much, and when.
    pub how: Vec<String>,
}

/// The receivers that a version names.
#[must_use]
pub fn receivers(rule: &RuleVersion) -> Vec<&str> {
    fn below<'a>(shares: &'a [Share], found: &mut Vec<&'a str>) {
        for share in shares {
            match &share.target {
                Target::Receiver(key) => found.push(key),
                Target::Party { .. } => {}
                Target::Divide { parts, .. } => found.extend(parts.iter().map(|part| &*part.receiver)),
            }
            below(&share.shares, found);
        }
    }
    let mut found = Vec::new();
    below(&rule.shares, &mut found);
    found
}

/// The card of an approved version.
#[must_use]
pub fn card(lang: Lang, approved: &ApprovedRule, names: &Names) -> RuleCard {
    let rule = &approved.rule;
    let w = lang.words();
    let micros = |at: Instant| Moment(clock::micros(at));
    let mut shares = Vec::new();
    rule.shares.iter().for_each(|share| flatten(lang, share, 1, names, &mut shares));
    let bearer = match &rule.fee_bearer {
        FeeBearer::Merchant => w.role_merchant.to_owned(),
        FeeBearer::Receiver(key) => key.to_string(),
    };
    let short = match rule.when_short {
        WhenShort::Reject => w.short_reject,
        WhenShort::InOrder => w.short_in_order,
    };
    RuleCard {
        title: format!("{} v{}", rule.rule, rule.version),
        digest: rule.digest().to_string(),
        institution: rule.institution.clone(),
        approved_by: approved.approved_by.clone(),
        approved_at: micros(approved.approved_at),
        from: micros(rule.effective_from),
        to: rule.effective_to.map(micros),
        facts: vec![
            (w.scope_merchants, list(lang, &rule.scope.merchants)),
            (w.scope_channels, list(lang, &rule.scope.channels)),
            (w.scope_products, list(lang, &rule.scope.products)),
            (w.scope_tags, list(lang, &rule.scope.tags)),
            (w.priority, rule.priority.to_string()),
            (w.max_ratio, percent_of_ppm(rule.max_ratio.get())),
            (w.fee_bearer, bearer),
            (w.when_short, short.to_owned()),
        ],
        shares,
    }
}

fn list(lang: Lang, list: &List) -> String {
    match list {
        List::All => lang.words().all.to_owned(),
        List::Of(values) => values.join(lang.pick("、", ", ")),
    }
}

fn flatten(lang: Lang, share: &Share, depth: usize, names: &Names, out: &mut Vec<ShareWords>) {
    let named = |key: &str| names.get(key).map_or_else(|| key.to_owned(), |name| format!("{name} {key}"));
    let who = match &share.target {
        Target::Receiver(key) => named(key),
        Target::Party { name, .. } => lang.pick(format!("订单的 {name} 一方"), format!("the order's {name}")),
        Target::Divide { parts, total } => {
            let parts = parts.iter().map(|part| format!("{} {}/{total}", named(&part.receiver), part.weight));
            parts.collect::<Vec<_>>().join(lang.pick("、", ", "))
        }
    };
    let role = share.role.to_string();
    out.push(ShareWords {
        path: share.path.to_string(),
        depth,
        color: color(&role),
        who,
        role,
        how: how(lang, share),
    });
    share.shares.iter().for_each(|nested| flatten(lang, nested, depth + 1, names, out));
}

fn how(lang: Lang, share: &Share) -> Vec<String> {
    let base = explain::base(lang, share.base);
    let mut how = match &share.value {
        Value::Flat(flat) => vec![amount(lang, base, *flat)],
        Value::Tiers(tiers) => {
            let said = tiers.iter().map(|tier| {
                let (from, what) = (Yuan(tier.from), amount(lang, base, tier.amount));
                lang.pick(format!("订单满 {from}：{what}"), format!("orders from {from}: {what}"))
            });
            said.collect()
        }
    };
    how.extend(
        share.min.map(|min| lang.pick(format!("至少 {}", Yuan(min)), format!("at least {}", Yuan(min)))),
    );
    how.extend(
        share.max.map(|max| lang.pick(format!("至多 {}", Yuan(max)), format!("at most {}", Yuan(max)))),
    );
    how.extend(share.when.as_ref().map(|when| condition(lang, when)));
    how
}

fn amount(lang: Lang, base: &str, amount: Amount) -> String {
    let mut terms = Vec::new();
    if amount.rate > Ppm::ZERO {
        let percent = percent_of_ppm(amount.rate.get());
        terms.push(lang.pick(format!("{base}的 {percent}"), format!("{percent} of the {base}")));
    }
    if amount.fixed > Fen::ZERO || terms.is_empty() {
        terms.push(format!("{} {}", lang.pick("固定", "fixed"), Yuan(amount.fixed)));
    }
    terms.join(" + ")
}

fn condition(lang: Lang, when: &When) -> String {
    let joined = |values: &Vec<String>| values.join("/");
    let at = |at: &Instant| Moment(clock::micros(*at)).to_string();
    let mut said = Vec::new();
    let w = lang.words();
    said.extend(when.gross_at_least.map(|fen| format!("{} ≥ {}", w.cond_amount, Yuan(fen))));
    said.extend(when.gross_below.map(|fen| format!("{} < {}", w.cond_amount, Yuan(fen))));
    said.extend(when.channels.as_ref().map(|v| format!("{} {}", w.scope_channels, joined(v))));
    said.extend(when.products.as_ref().map(|v| format!("{} {}", w.scope_products, joined(v))));
    said.extend(when.tags_any.as_ref().map(|v| format!("{} {}", w.scope_tags, joined(v))));
    said.extend(when.paid_from.as_ref().map(|v| format!("{} ≥ {}", w.paid_at, at(v))));
    said.extend(when.paid_before.as_ref().map(|v| format!("{} < {}", w.paid_at, at(v))));
    format!("{}{}", w.only_when, said.join(lang.pick("，", ", ")))
}
