//! [`Approvals`] to text.
use serde_json::{Map, Value, json};

use super::{Approvals, ApprovedRule, Bound, Merchant, Receiver, Window};

impl Approvals {
    /// The bundle as `files.md` shows it: the same content always gives the same bytes.
    pub fn to_json(&self) -> String {
        let days = |days: &std::collections::BTreeSet<_>| {
            days.iter().map(|day: &crate::calendar::BusinessDay| day.to_string()).collect::<Vec<_>>()
        };
        let decisions = self.decisions.iter().map(|(no, decision)| {
            json!({"inst_order_no": no, "digest": decision.digest, "decided_at": decision.decided_at.to_cst()})
        });
        let holds = self.holds.iter().map(|hold| {
            let [from, to] = window(&hold.window);
            json!({"receiver": hold.receiver, "from": from, "to": to})
        });
        let document = json!({
            "format": "SSF1",
            "institution": self.institution,
            "platform": self.platform,
            "issued_at": self.issued_at.to_cst(),
            "platform_cap_ppm": self.platform_cap.get(),
            "merchants": self.merchants.values().map(merchant).collect::<Vec<_>>(),
            "receivers": self.receivers.values().map(receiver).collect::<Vec<_>>(),
            "rules": self.rules.iter().map(approved_rule).collect::<Vec<_>>(),
            "decisions": decisions.collect::<Vec<_>>(),
            "holds": holds.collect::<Vec<_>>(),
            "calendar": {"off": days(&self.calendar.off), "on": days(&self.calendar.on)},
        });
        format!("{document}\n")
    }
}

fn window(window: &Window) -> [Value; 2] {
    [window.from.to_cst().into(), window.to.map(|to| to.to_cst()).into()]
}

fn windows(all: &[Window]) -> Vec<[Value; 2]> {
    all.iter().map(window).collect()
}

fn merchant(m: &Merchant) -> Value {
    let fees: Map<String, Value> = m.fees.iter().map(|(key, ppm)| (key.clone(), ppm.get().into())).collect();
    json!({
        "merchant": m.merchant,
        "inst_merchant_no": m.inst_merchant_no,
        "agreement_no": m.agreement_no,
        "active": windows(&m.active),
        "fees": fees,
        "max_ratio_ppm": m.max_ratio.get(),
        "min_settle": m.min_settle,
        "cycle": m.cycle.as_str(),
    })
}

fn receiver(r: &Receiver) -> Value {
    let merchants = match &r.merchants {
        Bound::Any => json!(["*"]),
        Bound::Merchants(names) => json!(names),
    };
    json!({
        "receiver": r.receiver,
        "inst_receiver_no": r.inst_receiver_no,
        "role": r.role,
        "merchants": merchants,
        "active": windows(&r.active),
        "min_settle": r.min_settle,
        "cycle": r.cycle.as_str(),
    })
}

fn approved_rule(approved: &ApprovedRule) -> Value {
    // A valid version's canonical form is JSON, so that null never stands here.
    let rule: Value = serde_json::from_str(approved.rule.canonical()).unwrap_or(Value::Null);
    json!({
        "digest": approved.rule.digest(),
        "approved_at": approved.approved_at.to_cst(),
        "approved_by": approved.approved_by,
        "suspended_at": approved.suspended_at.map(|at| at.to_cst()),
        "rule": rule,
    })
}
