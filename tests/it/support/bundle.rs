//! An approvals bundle as an institution would sign it, with one rule.
use diesel::prelude::*;
use mingfen::app::App;
use mingfen::clock;
use mingfen::db::schema::{approvals_bundle, exchanged_file};
use mingfen::kernel::approvals::Bundle;
use mingfen::kernel::digest::Digest;
use mingfen::kernel::rule;
use mingfen::rules;
use serde_json::{Value, json};

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

/// Stores a bundle that lets these merchants (our number, the institution's) trade.
pub fn approve(app: &App, institution_id: i64, merchants: &[(&str, &str)]) {
    let rule = market_standard();
    let digest = rule::parse(&rule.to_string()).unwrap().digest().to_string();
    let merchants: Vec<Value> = merchants
        .iter()
        .map(|(merchant, number)| {
            json!({
                "merchant": merchant, "inst_merchant_no": number, "agreement_no": "A1",
                "active": [[ALWAYS, null]], "fees": {"wechat/native": 3800},
                "max_ratio_ppm": 300000, "min_settle": 1, "cycle": "D1",
            })
        })
        .collect();
    let body = json!({
        "format": "SSF1", "institution": "SANDBOX", "platform": "DEMO", "issued_at": ALWAYS,
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
    let bundle = Bundle::parse(body.as_bytes()).unwrap();
    let (now, sha256) = (app.clock.now(), Digest::of(body.as_bytes()).to_string());
    app.db
        .write_blocking(|tx| {
            diesel::insert_into(exchanged_file::table)
                .values((
                    exchanged_file::institution_id.eq(institution_id),
                    exchanged_file::direction.eq("IN"),
                    exchanged_file::kind.eq("APR"),
                    exchanged_file::name.eq("APR_SANDBOX_DEMO_20260101_0001.json"),
                    exchanged_file::business_date.eq(20_260_101),
                    exchanged_file::seq.eq(1),
                    exchanged_file::sha256.eq(&sha256),
                    exchanged_file::size.eq(body.len() as i64),
                    exchanged_file::orders.eq(0),
                    exchanged_file::lines.eq(0),
                    exchanged_file::total.eq(0),
                    exchanged_file::created_at.eq(clock::micros(bundle.issued_at)),
                    exchanged_file::recorded_at.eq(now),
                ))
                .execute(tx.conn())?;
            let file: i64 = exchanged_file::table.select(exchanged_file::id).first(tx.conn())?;
            diesel::insert_into(approvals_bundle::table)
                .values((
                    approvals_bundle::institution_id.eq(institution_id),
                    approvals_bundle::file_id.eq(file),
                    approvals_bundle::sha256.eq(&sha256),
                    approvals_bundle::seq.eq(1),
                    approvals_bundle::issued_at.eq(clock::micros(bundle.issued_at)),
                    approvals_bundle::body.eq(body.as_bytes()),
                ))
                .execute(tx.conn())?;
            rules::keep(tx, institution_id, &bundle)
        })
        .unwrap();
}
