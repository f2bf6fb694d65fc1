//! Rules in force, as their institutions approved them: each version as a tree of sentences (`split.md`, "Rule
//! version").
use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;

use crate::app::App;
use crate::kernel::approvals::ApprovedRule;
use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::rate::Ppm;
use crate::kernel::rule::{Amount, FeeBearer, List, RuleVersion, Share, Target, Value, When, WhenShort};
use crate::people::rights::{Resource, Right};
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{When as Moment, Yuan, percent_of_ppm};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::visitor::Visitor;
use crate::web::view::explain;
use crate::web::view::flow::color;
use crate::web::words::say::Term;
use crate::{clock, institutions, merchants, rules};

/// Display names by receiver key.
type Names = BTreeMap<String, String>;

/// A rule version in force.
struct RuleCard {
    /// For `aria-labelledby`.
    anchor: String,
    title: String,
    digest: String,
    institution: String,
    approved_by: String,
    approved_at: Moment,
    from: Moment,
    /// `None` = open.
    to: Option<Moment>,
    /// Label and value of what holds for the whole version.
    facts: Vec<(&'static str, String)>,
    shares: Vec<ShareWords>,
}

/// One share in words, flattened in pre-order.
struct ShareWords {
    /// Its place, `0.1`.
    path: String,
    /// 1 at the top.
    depth: usize,
    color: &'static str,
    who: String,
    role: String,
    /// How much, and when.
    how: Vec<String>,
}

#[derive(Template)]
#[template(path = "admin/rules.html")]
struct RulesPage {
    s: Shell,
    rules: Vec<RuleCard>,
}

/// Every rule in force now, institution by institution.
pub(in crate::web) async fn show(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, Fault> {
    visitor.platform(Right::View, Resource::Rules)?;
    let (lang, now) = (visitor.lang, app.clock.instant());
    let rules = app
        .db
        .read(move |tx| {
            let mut cards = Vec::new();
            for institution in institutions::all(tx)? {
                let standing = rules::in_force(tx, institution.id, now)?;
                let receivers = standing.iter().flat_map(|approved| receivers(&approved.rule)).collect();
                let names = merchants::receiver_names(tx, institution.id, &receivers)?;
                for approved in &standing {
                    cards.push(card(lang, cards.len(), approved, &names));
                }
            }
            Ok(cards)
        })
        .await?;
    page(&RulesPage { s: visitor.shell(), rules })
}

/// The receivers that a version names.
fn receivers(rule: &RuleVersion) -> Vec<&str> {
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

fn card(lang: Lang, place: usize, approved: &ApprovedRule, names: &Names) -> RuleCard {
    let rule = &approved.rule;
    let w = lang.words();
    let micros = |at: Instant| Moment(clock::micros(at));
    let mut shares = Vec::new();
    rule.shares.iter().for_each(|share| flatten(lang, share, 1, names, &mut shares));
    let bearer = match &rule.fee_bearer {
        FeeBearer::Merchant => w.terms.merchant.to_owned(),
        FeeBearer::Receiver(key) => key.to_string(),
    };
    let short = match rule.when_short {
        WhenShort::Reject => w.rules.short_reject,
        WhenShort::InOrder => w.rules.short_in_order,
    };
    RuleCard {
        anchor: format!("r{}", place.saturating_add(1)),
        title: format!("{} v{}", rule.rule, rule.version),
        digest: rule.digest().to_string(),
        institution: rule.institution.clone(),
        approved_by: approved.approved_by.clone(),
        approved_at: micros(approved.approved_at),
        from: micros(rule.effective_from),
        to: rule.effective_to.map(micros),
        facts: vec![
            (w.terms.merchants, list(lang, &rule.scope.merchants)),
            (w.rules.channels, list(lang, &rule.scope.channels)),
            (w.rules.products, list(lang, &rule.scope.products)),
            (w.terms.tags, list(lang, &rule.scope.tags)),
            (w.rules.priority, rule.priority.to_string()),
            (w.rules.max_ratio, percent_of_ppm(rule.max_ratio.get())),
            (w.rules.fee_bearer, bearer),
            (w.rules.when_short, short.to_owned()),
        ],
        shares,
    }
}

fn list(lang: Lang, list: &List) -> String {
    match list {
        List::All => lang.words().kit.all.to_owned(),
        List::Of(values) => values.join(lang.words().kit.list_mark),
    }
}

fn flatten(lang: Lang, share: &Share, depth: usize, names: &Names, out: &mut Vec<ShareWords>) {
    let named = |key: &str| names.get(key).map_or_else(|| key.to_owned(), |name| format!("{name} {key}"));
    let who = match &share.target {
        Target::Receiver(key) => named(key),
        Target::Party { name, .. } => Term::Party(name).say(lang),
        Target::Divide { parts, total } => {
            let parts = parts.iter().map(|part| format!("{} {}/{total}", named(&part.receiver), part.weight));
            parts.collect::<Vec<_>>().join(lang.words().kit.list_mark)
        }
    };
    let (path, role) = (share.path.to_string(), share.role.to_string());
    out.push(ShareWords { path, depth, color: color(&role), who, role, how: how(lang, share) });
    share.shares.iter().for_each(|nested| flatten(lang, nested, depth + 1, names, out));
}

fn how(lang: Lang, share: &Share) -> Vec<String> {
    let base = explain::base(lang.words(), share.base);
    let mut how = match &share.value {
        Value::Flat(flat) => vec![amount(lang, base, *flat)],
        Value::Tiers(tiers) => {
            let said = tiers
                .iter()
                .map(|tier| Term::Tier(Yuan(tier.from), &amount(lang, base, tier.amount)).say(lang));
            said.collect()
        }
    };
    how.extend(share.min.map(|min| Term::Least(Yuan(min)).say(lang)));
    how.extend(share.max.map(|max| Term::Most(Yuan(max)).say(lang)));
    how.extend(share.when.as_ref().map(|when| condition(lang, when)));
    how
}

fn amount(lang: Lang, base: &str, amount: Amount) -> String {
    let mut terms = Vec::new();
    if amount.rate > Ppm::ZERO {
        terms.push(Term::Percent(base, &percent_of_ppm(amount.rate.get())).say(lang));
    }
    if amount.fixed > Fen::ZERO || terms.is_empty() {
        terms.push(Term::Fixed(Yuan(amount.fixed)).say(lang));
    }
    terms.join(" + ")
}

fn condition(lang: Lang, when: &When) -> String {
    let joined = |values: &Vec<String>| values.join("/");
    let at = |at: &Instant| Moment(clock::micros(*at)).to_string();
    let mut said = Vec::new();
    let w = lang.words();
    said.extend(when.gross_at_least.map(|fen| format!("{} ≥ {}", w.order.base_gross, Yuan(fen))));
    said.extend(when.gross_below.map(|fen| format!("{} < {}", w.order.base_gross, Yuan(fen))));
    said.extend(when.channels.as_ref().map(|v| format!("{} {}", w.rules.channels, joined(v))));
    said.extend(when.products.as_ref().map(|v| format!("{} {}", w.rules.products, joined(v))));
    said.extend(when.tags_any.as_ref().map(|v| format!("{} {}", w.terms.tags, joined(v))));
    said.extend(when.paid_from.as_ref().map(|v| format!("{} ≥ {}", w.terms.paid_at, at(v))));
    said.extend(when.paid_before.as_ref().map(|v| format!("{} < {}", w.terms.paid_at, at(v))));
    format!("{}{}", w.rules.only_when, said.join(w.kit.comma))
}
