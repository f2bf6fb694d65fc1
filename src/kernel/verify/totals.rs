//! Where every fen of the bill is: paid + subsidy − fee = Σ lines + Σ unsplit.
use std::collections::BTreeMap;

use crate::calendar::Instant;
use crate::money::Fen;
use crate::proposal::Reason;
use crate::split::OrderFacts;

/// Orders of one group and what they brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Group {
    /// Orders.
    pub orders: u64,
    /// Their pool, fen.
    pub pool: Fen,
    /// Their lines other than the merchants', fen.
    pub others: Fen,
}

/// An order that was not split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsplitOrder {
    /// The institution's number.
    pub inst_order_no: String,
    /// Why.
    pub reason: Reason,
    /// Its pool, fen, which waits for a decision.
    pub pool: Fen,
}

/// Sums of the day; all in fen.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Orders of the bill.
    pub orders: u64,
    /// Σ paid of the bill.
    pub paid: Fen,
    /// Σ subsidy of the bill.
    pub subsidy: Fen,
    /// Σ fee of the bill.
    pub fee: Fen,
    /// Σ lines of the files.
    pub lines: Fen,
    /// Lines of the platform's own receivers.
    pub platform: Fen,
    /// By rule name and version, the first [`MAX_GROUPS`].
    pub by_rule: BTreeMap<(String, i64), Group>,
    /// What the rules beyond those brought.
    pub other_rules: Group,
    /// By tag, the first [`MAX_GROUPS`]; an order counts under each of its tags, one without tags under the empty one.
    pub by_tag: BTreeMap<String, Group>,
    /// What the tags beyond those brought.
    pub other_tags: Group,
    /// Orders not split, by time and number, the first [`MAX_UNSPLIT`].
    pub unsplit: BTreeMap<(Instant, String), UnsplitOrder>,
    /// The orders not split beyond those.
    pub other_unsplit: Group,
}

/// Rules and tags beyond this many are summed, not listed.
pub const MAX_GROUPS: usize = 10_000;
/// Orders not split beyond this many are summed, not listed.
pub const MAX_UNSPLIT: usize = 10_000;

/// Puts a value under its key; of more than `most` keys the smallest stay, whatever the order in which they come.
fn keep<K: Ord, V>(
    map: &mut BTreeMap<K, V>,
    most: usize,
    (key, value): (K, V),
    join: impl Fn(&mut V, V),
    mut beyond: impl FnMut(V),
) {
    if let Some(known) = map.get_mut(&key) {
        return join(known, value);
    }
    map.insert(key, value);
    if map.len() > most
        && let Some((_, last)) = map.pop_last()
    {
        beyond(last);
    }
}

pub(super) fn add(sum: &mut Fen, amount: Fen) {
    *sum = Fen::new(sum.get().saturating_add(amount.get()));
}

impl Totals {
    /// Pool of the bill: `paid + subsidy − fee`.
    pub fn pool(&self) -> Fen {
        Fen::new(self.paid.get().saturating_add(self.subsidy.get()).saturating_sub(self.fee.get()))
    }

    /// Σ unsplit.
    pub fn unsplit_pool(&self) -> Fen {
        let mut sum = self.other_unsplit.pool;
        for order in self.unsplit.values() {
            add(&mut sum, order.pool);
        }
        sum
    }

    pub(super) fn bill_order(&mut self, facts: &OrderFacts) {
        self.orders = self.orders.saturating_add(1);
        add(&mut self.paid, facts.paid);
        add(&mut self.subsidy, facts.subsidy);
        add(&mut self.fee, facts.fee);
    }

    pub(super) fn split_order(&mut self, facts: &OrderFacts, rule: &str, version: i64, others: Fen) {
        let one = Group { orders: 1, pool: facts.pool(), others };
        let Self { by_rule, other_rules, by_tag, other_tags, .. } = self;
        let rule = ((rule.to_owned(), version), one);
        keep(by_rule, MAX_GROUPS, rule, Group::join, |group| other_rules.join(group));
        for tag in facts.tags.iter().map(String::as_str).chain(facts.tags.is_empty().then_some("")) {
            if let Some(known) = by_tag.get_mut(tag) {
                known.join(one);
                continue;
            }
            keep(by_tag, MAX_GROUPS, (tag.to_owned(), one), Group::join, |group| other_tags.join(group));
        }
    }

    pub(super) fn unsplit_order(&mut self, facts: &OrderFacts, reason: Reason) {
        let inst_order_no = facts.inst_order_no.clone();
        let order = UnsplitOrder { inst_order_no: inst_order_no.clone(), reason, pool: facts.pool() };
        let beyond = &mut self.other_unsplit;
        keep(
            &mut self.unsplit,
            MAX_UNSPLIT,
            ((facts.paid_at, inst_order_no), order),
            |known, order| *known = order,
            |order| beyond.join(Group { orders: 1, pool: order.pool, others: Fen::ZERO }),
        );
    }
}

impl Group {
    fn join(&mut self, more: Self) {
        self.orders = self.orders.saturating_add(more.orders);
        add(&mut self.pool, more.pool);
        add(&mut self.others, more.others);
    }
}
