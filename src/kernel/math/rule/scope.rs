//! Which orders a rule version is for, and whether a share's condition holds.
use crate::split::OrderFacts;

use super::When;

/// Which orders a rule version is for; all four lists must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The order's merchant.
    pub merchants: List,
    /// Its channel.
    pub channels: List,
    /// Its product.
    pub products: List,
    /// Any of its tags.
    pub tags: List,
}

/// One list of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// `["*"]`: every order, one without any value included.
    All,
    /// These values.
    Of(Vec<String>),
}

impl List {
    fn has(&self, value: &str) -> bool {
        match self {
            List::All => true,
            List::Of(values) => contains(values, value),
        }
    }

    fn has_any(&self, values: &[String]) -> bool {
        match self {
            List::All => true,
            List::Of(wanted) => any_of(wanted, values),
        }
    }
}

impl Scope {
    /// Whether the order is in scope.
    pub fn matches(&self, order: &OrderFacts) -> bool {
        self.merchants.has(&order.merchant)
            && self.channels.has(&order.channel)
            && self.products.has(&order.product)
            && self.tags.has_any(&order.tags)
    }

    /// How many of the lists name values: the more, the more special the rule.
    pub fn named_lists(&self) -> usize {
        let lists = [&self.merchants, &self.channels, &self.products, &self.tags];
        lists.into_iter().filter(|list| **list != List::All).count()
    }
}

impl When {
    /// The first named condition that does not hold for the order; `None` when all hold.
    pub fn unmet(&self, order: &OrderFacts) -> Option<Unmet> {
        let gross = order.gross();
        let listed = |list: &Option<Vec<String>>, value| list.as_ref().is_none_or(|l| contains(l, value));
        let checks = [
            (self.gross_at_least.is_none_or(|least| gross >= least), Unmet::GrossAtLeast),
            (self.gross_below.is_none_or(|bound| gross < bound), Unmet::GrossBelow),
            (listed(&self.channels, &order.channel), Unmet::Channels),
            (listed(&self.products, &order.product), Unmet::Products),
            (self.tags_any.as_ref().is_none_or(|wanted| any_of(wanted, &order.tags)), Unmet::TagsAny),
            (self.paid_from.is_none_or(|from| order.paid_at >= from), Unmet::PaidFrom),
            (self.paid_before.is_none_or(|before| order.paid_at < before), Unmet::PaidBefore),
        ];
        checks.into_iter().find_map(|(holds, unmet)| (!holds).then_some(unmet))
    }
}

/// Which condition of a share does not hold; its values stand in the share's [`When`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// Gross is too small.
    GrossAtLeast,
    /// Gross is too great.
    GrossBelow,
    /// Another channel.
    Channels,
    /// Another product.
    Products,
    /// None of the tags.
    TagsAny,
    /// Paid too early.
    PaidFrom,
    /// Paid too late.
    PaidBefore,
}

fn contains(list: &[String], value: &str) -> bool {
    list.iter().any(|listed| listed == value)
}

fn any_of(wanted: &[String], values: &[String]) -> bool {
    values.iter().any(|value| contains(wanted, value))
}
