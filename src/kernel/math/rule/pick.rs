//! Which version applies to an order (`split.md`, "Which version applies").
use std::cmp::Reverse;
use std::sync::Arc;

use crate::calendar::Instant;
use crate::digest::Digest;
use crate::split::OrderFacts;

use super::RuleVersion;

/// A version that the order's institution approved, under the bundle in force for the order's business day.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// The version.
    pub rule: &'a RuleVersion,
    /// When it was approved.
    pub approved_at: Instant,
    /// From when on it is suspended, if ever.
    pub suspended_at: Option<Instant>,
}

impl InForce<'_> {
    fn at(&self, moment: Instant) -> bool {
        self.approved_at <= moment
            && self.rule.effective_from <= moment
            && self.rule.effective_to.is_none_or(|end| moment < end)
            && self.suspended_at.is_none_or(|end| moment < end)
    }
}

/// The version that applies to `order`, of all approved ones. `decision` is the institution's own decision for this order:
/// it names one of them and goes before everything else. `None` is the exception `NO_RULE`.
pub fn pick<'a>(
    order: &OrderFacts,
    approved: &[InForce<'a>],
    decision: Option<Digest>,
) -> Option<&'a RuleVersion> {
    let mut newest_first = approved.to_vec();
    newest_first.sort_by_key(|version| by_name_newest_first(version.rule));
    pick_sorted(order, newest_first.into_iter(), decision)
}

/// How [`pick_sorted`] wants them.
pub fn by_name_newest_first(rule: &RuleVersion) -> (Arc<str>, Reverse<i64>) {
    (Arc::clone(&rule.rule), Reverse(rule.version))
}

/// [`pick`] of versions in the order of [`by_name_newest_first`].
pub fn pick_sorted<'a>(
    order: &OrderFacts,
    approved: impl Iterator<Item = InForce<'a>>,
    decision: Option<Digest>,
) -> Option<&'a RuleVersion> {
    if let Some(decided) = decision {
        let mut rules = approved.map(|version| version.rule);
        return rules.find(|rule| rule.digest() == decided);
    }
    let mut best: Option<&RuleVersion> = None;
    let mut settled: Option<&str> = None;
    for InForce { rule, .. } in approved.filter(|version| version.at(order.paid_at)) {
        // The first in force of a name is the newest in force; older ones are replaced by it, in its scope or not.
        if settled.replace(&rule.rule) == Some(&*rule.rule) || !rule.scope.matches(order) {
            continue;
        }
        if best.is_none_or(|best| precedence(best) < precedence(rule)) {
            best = Some(rule);
        }
    }
    best
}

fn precedence(rule: &RuleVersion) -> (i64, usize, Instant, Digest) {
    (rule.priority, rule.scope.named_lists(), rule.effective_from, rule.digest())
}
