//! A checked bundle, with what is looked up for every order of a day made ready once.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::{Approvals, ApprovedRule, PLATFORM_ROLE, Receiver, read};
use crate::kernel::digest::Digest;
use crate::kernel::rule::{Finding, RuleVersion, by_name_newest_first, pick_sorted};
use crate::kernel::split::OrderFacts;

/// A checked bundle: [`Approvals`] without contradiction, and the digest that files name.
#[derive(Debug, Clone)]
pub struct Bundle {
    approvals: Approvals,
    digest: Digest,
    merchant_by_inst_no: BTreeMap<String, String>,
    platform_accounts: BTreeSet<String>,
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
        let receivers = approvals.receivers.values();
        Ok(Self {
            digest: Digest::of(bytes),
            merchant_by_inst_no: merchants
                .map(|m| (m.inst_merchant_no.clone(), m.merchant.clone()))
                .collect(),
            platform_accounts: receivers
                .filter(|r| r.role == PLATFORM_ROLE)
                .map(|r| r.inst_receiver_no.clone())
                .collect(),
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

    /// Whether money to this receiver is the platform's own: by role, or by a number that one of that role has too.
    pub fn is_platforms(&self, receiver: &str) -> bool {
        self.receivers.get(receiver).is_some_and(|receiver| self.is_platform_account(receiver))
    }

    /// The same of a receiver that was looked up already.
    pub fn is_platform_account(&self, receiver: &Receiver) -> bool {
        self.platform_accounts.contains(&receiver.inst_receiver_no)
    }

    /// The merchant that the institution knows under this number.
    pub fn merchant_by_inst_no(&self, inst_merchant_no: &str) -> Option<&str> {
        self.merchant_by_inst_no.get(inst_merchant_no).map(String::as_str)
    }
}
