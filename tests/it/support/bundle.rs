//! An approvals bundle as an institution would sign it, with one rule.
use mingfen::app::App;
use mingfen::db::columns::InstitutionId;
use mingfen::exchange::{Folder, Incoming};
use mingfen::inbox::{self, Received};
use mingfen::institutions;
use mingfen::kernel::rule;
use mingfen::protocol::crypto::base64;
use serde_json::{Value, json};

use super::institution::Institution;

const ALWAYS: &str = "2026-01-01T00:00:00+08:00";

fn market_standard() -> Value {
    json!({
        "rule": "market-standard", "version": 1, "institution": "SANDBOX",
        "effective_from": ALWAYS, "effective_to": null,
        "scope": {"merchants": ["*"], "channels": ["*"], "products": ["*"], "tags": ["*"]},
        "priority": 0, "max_ratio_ppm": 300000, "fee_bearer": "merchant", "when_short": "reject",
        "refund": "pro_rata",
        "shares": [{"to": "platform", "role": "platform", "rate_ppm": 6000}],
    })
}

/// Imports a bundle that lets these merchants (our number, the institution's) trade, the last of them no longer.
pub fn approve(
    app: &App,
    institution: &Institution,
    institution_id: InstitutionId,
    merchants: &[(&str, &str)],
) {
    let last = merchants.len() - 1;
    let ends = merchants.iter().enumerate().map(|(n, (merchant, number))| {
        let end = if n == last { json!("2026-01-01T00:00:01+08:00") } else { Value::Null };
        (*merchant, *number, end)
    });
    let ends: Vec<_> = ends.collect();
    issue(app, institution, institution_id, ("APR_SANDBOX_DEMO_20260101_0001.json", ALWAYS), &ends);
}

/// Imports a bundle of this name and time, under which these merchants may trade until then.
pub fn issue(
    app: &App,
    institution: &Institution,
    institution_id: InstitutionId,
    named: (&str, &str),
    merchants: &[(&str, &str, Value)],
) {
    issue_with(app, institution, institution_id, named, merchants, &|_| every_product());
}

/// Contracts of a merchant that may sell everything.
pub fn every_product() -> Value {
    json!({"wechat/native": 3800, "wechat/jsapi": 3800, "wechat/app": 3800, "wechat/h5": 3800})
}

/// [`issue`] where each merchant has contracts of its own.
pub fn issue_with(
    app: &App,
    institution: &Institution,
    institution_id: InstitutionId,
    (name, issued_at): (&str, &str),
    merchants: &[(&str, &str, Value)],
    fees: &dyn Fn(&str) -> Value,
) {
    let rule = market_standard();
    let digest = rule::parse(&rule.to_string()).unwrap().digest().to_string();
    let merchants: Vec<Value> = merchants
        .iter()
        .map(|(merchant, number, end)| {
            json!({
                "merchant": merchant, "inst_merchant_no": number, "agreement_no": "A1",
                "active": [[ALWAYS, end]], "fees": fees(merchant),
                "max_ratio_ppm": 300000, "min_settle": 1, "cycle": "D1",
            })
        })
        .collect();
    let body = json!({
        "format": "SSF1", "institution": "SANDBOX", "platform": "DEMO", "issued_at": issued_at,
        "platform_cap_ppm": 100000, "merchants": merchants,
        "receivers": [{
            "receiver": "platform", "inst_receiver_no": "P1", "role": "platform", "merchants": ["*"],
            "active": [[ALWAYS, null]], "min_settle": 1, "cycle": "D1",
        }],
        "rules": [{
            "digest": digest, "approved_at": ALWAYS, "approved_by": "checker", "suspended_at": null,
            "rule": rule,
        }],
        "decisions": [], "holds": [], "calendar": {"off": [], "on": []},
    })
    .to_string();
    let signature = institution.key.sign_sha256(body.as_bytes()).unwrap();
    let inbox = Folder::new(&app.config.data_dir, "SANDBOX").inbox().path();
    std::fs::create_dir_all(&inbox).unwrap();
    for (end, bytes) in [("", body.as_str()), (".sig", &base64(&signature)), (".ok", "")] {
        std::fs::write(inbox.join(format!("{name}{end}")), bytes).unwrap();
    }
    let incoming = Incoming::new(name, body.into_bytes(), &base64(&signature)).unwrap();
    let now = app.clock.now();
    let received = app.db.write_blocking(|tx| {
        let institution = institutions::by_id(tx, institution_id)?;
        inbox::receive(tx, &institution, &incoming, now)
    });
    assert_eq!(received.unwrap(), Received::Approvals);
}
