//! Whether a newer bundle leaves the past as it was: rules, windows and holds only gain an end, nothing is approved
//! backwards (`files.md`, "Approvals bundle").
//!
//! What carries no time of its own – fees, caps, limits, cycles, the calendar – is what it is when a file is made, and may
//! change. Who a party is may not: its number, its role and the merchants it was bound to.
use super::{ApprovedRule, Bound, Bundle, Window};
use crate::calendar::Instant;
use crate::rule::Finding;

/// What of `older` is changed in `newer`, which was issued later; empty when nothing is.
pub fn check_successor(older: &Bundle, newer: &Bundle) -> Vec<Finding> {
    let mut past = Past { before: older.issued_at, findings: Vec::new() };
    past.note(newer.institution != older.institution, "institution", "is another institution");
    past.note(newer.platform != older.platform, "platform", "is another platform");
    past.note(newer.issued_at < older.issued_at, "issued_at", "is before the earlier bundle's");
    past.merchants(older, newer);
    past.receivers(older, newer);
    past.rules(older, newer);
    past.decisions(older, newer);
    past.holds(older, newer);
    past.findings
}

struct Past {
    /// When the older bundle was issued: until then the past is settled.
    before: Instant,
    findings: Vec<Finding>,
}

impl Past {
    fn note(&mut self, wrong: bool, path: impl Into<String>, why: &str) {
        if wrong {
            self.findings.push(Finding { path: path.into(), why: why.to_owned() });
        }
    }

    /// An end that was open may be set, not into the settled past.
    fn gains_end(&self, old: Option<Instant>, new: Option<Instant>) -> bool {
        match old {
            Some(_) => old == new,
            None => new.is_none_or(|end| end >= self.before),
        }
    }

    fn windows(&mut self, place: &str, old: &[Window], new: &[Window]) {
        for (i, window) in old.iter().enumerate() {
            let kept = new.get(i).is_some_and(|n| n.from == window.from && self.gains_end(window.to, n.to));
            self.note(!kept, format!("{place}.active[{i}]"), "is not the earlier window");
        }
        for (i, window) in new.iter().enumerate().skip(old.len()) {
            self.note(window.from < self.before, format!("{place}.active[{i}]"), "begins in the past");
        }
    }

    fn merchants(&mut self, older: &Bundle, newer: &Bundle) {
        for (key, old) in &older.merchants {
            let place = format!("merchants[{key}]");
            let Some(new) = newer.merchants.get(key) else {
                self.note(true, place, "is missing");
                continue;
            };
            let other = old.inst_merchant_no != new.inst_merchant_no;
            self.note(other, format!("{place}.inst_merchant_no"), "is another number");
            self.windows(&place, &old.active, &new.active);
        }
        for (key, new) in newer.merchants.iter().filter(|(key, _)| !older.merchants.contains_key(*key)) {
            self.windows(&format!("merchants[{key}]"), &[], &new.active);
        }
    }

    fn receivers(&mut self, older: &Bundle, newer: &Bundle) {
        for (key, old) in &older.receivers {
            let place = format!("receivers[{key}]");
            let Some(new) = newer.receivers.get(key) else {
                self.note(true, place, "is missing");
                continue;
            };
            let other = old.inst_receiver_no != new.inst_receiver_no;
            self.note(other, format!("{place}.inst_receiver_no"), "is another number");
            self.note(old.role != new.role, format!("{place}.role"), "is another role");
            let kept = match (&old.merchants, &new.merchants) {
                (_, Bound::Any) => true,
                (Bound::Any, Bound::Merchants(_)) => false,
                (Bound::Merchants(old), Bound::Merchants(new)) => old.is_subset(new),
            };
            self.note(!kept, format!("{place}.merchants"), "has lost merchants; end its window instead");
            self.windows(&place, &old.active, &new.active);
        }
        for (key, new) in newer.receivers.iter().filter(|(key, _)| !older.receivers.contains_key(*key)) {
            self.windows(&format!("receivers[{key}]"), &[], &new.active);
        }
    }

    fn rules(&mut self, older: &Bundle, newer: &Bundle) {
        fn find<'a>(bundle: &'a Bundle, like: &ApprovedRule) -> Option<&'a ApprovedRule> {
            let same =
                |a: &&ApprovedRule| a.rule.rule == like.rule.rule && a.rule.version == like.rule.version;
            bundle.rules.iter().find(same)
        }
        for old in &older.rules {
            let place = format!("rules[{} {}]", old.rule.rule, old.rule.version);
            let Some(new) = find(newer, old) else {
                self.note(true, place, "is missing");
                continue;
            };
            self.note(new.rule.digest() != old.rule.digest(), format!("{place}.digest"), "is another digest");
            let same = new.approved_at == old.approved_at && new.approved_by == old.approved_by;
            self.note(!same, format!("{place}.approved_at"), "is another approval");
            let kept = self.gains_end(old.suspended_at, new.suspended_at);
            self.note(!kept, format!("{place}.suspended_at"), "a suspension is final and never backwards");
        }
        for new in newer.rules.iter().filter(|new| find(older, new).is_none()) {
            let place = format!("rules[{} {}].approved_at", new.rule.rule, new.rule.version);
            self.note(new.approved_at < self.before, place, "is approved backwards");
        }
    }

    fn decisions(&mut self, older: &Bundle, newer: &Bundle) {
        for (no, old) in &older.decisions {
            let kept = newer.decisions.get(no) == Some(old);
            self.note(!kept, format!("decisions[{no}]"), "is missing or another one");
        }
        for (no, new) in newer.decisions.iter().filter(|(no, _)| !older.decisions.contains_key(*no)) {
            let place = format!("decisions[{no}].decided_at");
            self.note(new.decided_at < self.before, place, "is decided backwards");
        }
    }

    fn holds(&mut self, older: &Bundle, newer: &Bundle) {
        for (i, old) in older.holds.iter().enumerate() {
            let kept = newer.holds.iter().any(|new| {
                new.receiver == old.receiver
                    && new.window.from == old.window.from
                    && self.gains_end(old.window.to, new.window.to)
            });
            self.note(!kept, format!("holds[{i}]"), "is missing or another one");
        }
    }
}
