//! A checked bundle, with what is looked up for every order of a day made ready once.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use super::{Approvals, ApprovedRule, PLATFORM_ROLE, Receiver, Window, read};
use crate::calendar::Instant;
use crate::digest::Digest;
use crate::rate::Ppm;
use crate::rule::{Finding, RuleVersion, by_name_newest_first, pick_sorted};
use crate::split::OrderFacts;

/// A checked bundle: [`Approvals`] without contradiction, and the digest that files name.
#[derive(Debug, Clone)]
pub struct Bundle {
    approvals: Approvals,
    digest: Digest,
    merchant_by_inst_no: BTreeMap<String, String>,
    /// Who may trade, by key.
    traders: HashMap<String, (Vec<Window>, Ppm)>,
    /// Who may receive, by key, and whether it is the platform itself.
    payees: HashMap<String, (Receiver, bool)>,
    /// By name, the newest first.
    versions: Vec<ApprovedRule>,
}

impl Deref for Bundle {
    type Target = Approvals;

    fn deref(&self) -> &Approvals {
        &self.approvals
    }
}

impl Bundle {
    /// Reads a bundle strictly; every finding at its path. An empty path means that it is no JSON document at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let approvals = read::read(bytes)?;
        let mut versions = approvals.rules.clone();
        versions.sort_by_key(|approved| by_name_newest_first(&approved.rule));
        let merchants = approvals.merchants.values();
        let receivers = || approvals.receivers.values();
        let accounts: BTreeSet<&str> = receivers()
            .filter(|receiver| receiver.role == PLATFORM_ROLE)
            .map(|receiver| receiver.inst_receiver_no.as_str())
            .collect();
        let payee = |receiver: &Receiver| {
            let platforms = accounts.contains(receiver.inst_receiver_no.as_str());
            (receiver.receiver.clone(), (receiver.clone(), platforms))
        };
        Ok(Self {
            digest: Digest::of(bytes),
            merchant_by_inst_no: merchants
                .clone()
                .map(|m| (m.inst_merchant_no.clone(), m.merchant.clone()))
                .collect(),
            traders: merchants.map(|m| (m.merchant.clone(), (m.active.clone(), m.max_ratio))).collect(),
            payees: receivers().map(payee).collect(),
            versions,
            approvals,
        })
    }

    /// SHA-256 of the file, which SPL, RTN and STL name in their headers.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The version that applies to an order.
    pub fn picked(&self, order: &OrderFacts) -> Option<&Arc<RuleVersion>> {
        let in_force = self.versions.iter().map(ApprovedRule::in_force);
        let picked = pick_sorted(order, in_force, self.decision(&order.inst_order_no))?;
        self.versions.iter().map(|approved| &approved.rule).find(|rule| rule.digest() == picked.digest())
    }

    /// What others may get of an order of this merchant, if it may trade at that moment.
    pub fn trader_at(&self, merchant: &str, at: Instant) -> Option<Ppm> {
        let (active, max_ratio) = self.traders.get(merchant)?;
        active.iter().any(|window| window.contains(at)).then_some(*max_ratio)
    }

    /// The receiver, and whether money to it is the platform's own.
    pub fn payee(&self, receiver: &str) -> Option<(&Receiver, bool)> {
        self.payees.get(receiver).map(|(receiver, platforms)| (receiver, *platforms))
    }

    /// Whether money to this receiver is the platform's own: by role, or by a number that one of that role has too.
    pub fn is_platforms(&self, receiver: &str) -> bool {
        self.payee(receiver).is_some_and(|(_, platforms)| platforms)
    }

    /// The merchant that the institution knows under this number.
    pub fn merchant_by_inst_no(&self, inst_merchant_no: &str) -> Option<&str> {
        self.merchant_by_inst_no.get(inst_merchant_no).map(String::as_str)
    }
}
