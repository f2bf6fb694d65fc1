//! Which version applies to an order (`split.md`, "Which version applies").
use std::collections::BTreeMap;

use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::split::OrderFacts;

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
    if let Some(decided) = decision {
        return approved.iter().map(|version| version.rule).find(|rule| rule.digest() == decided);
    }
    let mut newest: BTreeMap<&str, &RuleVersion> = BTreeMap::new();
    for version in approved.iter().filter(|version| version.at(order.paid_at)) {
        let known = newest.entry(&version.rule.rule).or_insert(version.rule);
        if known.version < version.rule.version {
            *known = version.rule;
        }
    }
    newest
        .into_values()
        .filter(|rule| rule.scope.matches(order))
        .max_by_key(|rule| (rule.priority, rule.scope.named_lists(), rule.effective_from, rule.digest()))
}
