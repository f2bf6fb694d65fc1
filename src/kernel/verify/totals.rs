//! Where every fen of the bill is: paid + subsidy − fee = Σ lines + Σ unsplit.
use std::collections::BTreeMap;

use crate::kernel::calendar::Instant;
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::split::OrderFacts;

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
    /// By rule name and version.
    pub by_rule: BTreeMap<(String, i64), Group>,
    /// By tag; an order counts under each of its tags, one without tags under the empty one.
    pub by_tag: BTreeMap<String, Group>,
    /// Orders not split, by time and number.
    pub unsplit: BTreeMap<(Instant, String), UnsplitOrder>,
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
        let mut sum = Fen::ZERO;
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
        self.unsplit.remove(&(facts.paid_at, facts.inst_order_no.clone()));
        let rule = self.by_rule.entry((rule.to_owned(), version)).or_default();
        rule.take(facts, others);
        for tag in facts.tags.iter().map(String::as_str).chain(facts.tags.is_empty().then_some("")) {
            self.by_tag.entry(tag.to_owned()).or_default().take(facts, others);
        }
    }

    pub(super) fn unsplit_order(&mut self, facts: &OrderFacts, reason: Reason) {
        let inst_order_no = facts.inst_order_no.clone();
        let order = UnsplitOrder { inst_order_no: inst_order_no.clone(), reason, pool: facts.pool() };
        self.unsplit.insert((facts.paid_at, inst_order_no), order);
    }
}

impl Group {
    fn take(&mut self, facts: &OrderFacts, others: Fen) {
        self.orders = self.orders.saturating_add(1);
        add(&mut self.pool, facts.pool());
        add(&mut self.others, others);
    }
}
