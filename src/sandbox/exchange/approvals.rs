//! What the institution approves: here, whatever the platform proposes, as long as it does not change the past.
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::store::{self, IssuedBundle};
use crate::kernel::approvals::{Bundle, check_successor};
use crate::kernel::calendar::Instant;
use crate::kernel::file::{FileKind, FileName};
use crate::kernel::rule::{self, Finding};
use crate::sandbox::store::{Store, Tx};
use crate::sandbox::{Sandbox, SandboxError};

/// Who approves at the sandbox.
const APPROVER: &str = "sandbox-approver";

/// What the platform proposes. Everything is added to what was approved before; of a merchant or receiver that is
/// known already, the given fields are changed. What is left out the institution fills in: its own numbers, windows
/// open from now on, fees of 0.38 %.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proposal {
    platform_cap_ppm: Option<u32>,
    merchants: Vec<Map<String, Value>>,
    receivers: Vec<Map<String, Value>>,
    /// Rule versions as in `split.md`.
    rules: Vec<Value>,
    /// Digests of versions to suspend from now on.
    suspend: Vec<String>,
    /// `{"inst_order_no", "digest"}`.
    decisions: Vec<Map<String, Value>>,
    /// As in the bundle.
    holds: Vec<Value>,
    /// As in the bundle; replaces the one before.
    calendar: Option<Value>,
}

/// The bundle of an earlier run.
pub(in crate::sandbox) fn load(store: &Store) -> Result<Option<Arc<Bundle>>, SandboxError> {
    match store.with(store::newest_bundle)? {
        Some(issued) => Ok(Some(Arc::new(read(&issued.body)?))),
        None => Ok(None),
    }
}

pub(super) fn read(body: &str) -> Result<Bundle, SandboxError> {
    Bundle::parse(body.as_bytes()).map_err(|findings| refused(&findings))
}

fn refused(findings: &[Finding]) -> SandboxError {
    let told: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.path, f.why)).collect();
    SandboxError::Refused(format!("the bundle would be wrong: {}", told.join("; ")))
}

impl Sandbox {
    /// Approves a proposal and issues the next bundle; a proposal that changes nothing gives the bundle in force.
    pub(in crate::sandbox) fn approve(&self, proposal: Proposal) -> Result<IssuedBundle, SandboxError> {
        let (issued, bundle) = self.0.store.with(|tx| self.next_bundle(tx, proposal))?;
        self.publish_missing()?;
        *self.0.bundle.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(bundle));
        Ok(issued)
    }

    fn next_bundle(
        &self,
        tx: &mut Tx<'_>,
        proposal: Proposal,
    ) -> Result<(IssuedBundle, Bundle), SandboxError> {
        let now = self.now();
        let before = store::newest_bundle(tx)?;
        let mut document = match &before {
            Some(issued) => serde_json::from_str(&issued.body)?,
            None => self.blank(),
        };
        let unchanged = document.clone();
        merge(&mut document, proposal, now)?;
        if let Some(issued) = before.as_ref().filter(|_| document == unchanged) {
            return Ok((issued.clone(), read(&issued.body)?));
        }
        // Two bundles never share a second: which one is the newest must be plain.
        let issued_at = before.as_ref().map_or(now, |last| now.max(Instant::new(last.issued_at).plus(1)));
        set(&mut document, "issued_at", issued_at.to_cst().into());
        let body = format!("{document}\n");
        let bundle = read(&body)?;
        if let Some(last) = &before {
            let findings = check_successor(&read(&last.body)?, &bundle);
            if !findings.is_empty() {
                return Err(refused(&findings));
            }
        }
        let name = self.bundle_name(tx, issued_at)?;
        let sha256 = bundle.digest().to_string();
        let issued = IssuedBundle { name, sha256, issued_at: issued_at.get(), body };
        store::insert_bundle(tx, &issued)?;
        Ok((issued, bundle))
    }

    fn blank(&self) -> Value {
        json!({
            "format": "SSF1",
            "institution": self.0.settings.institution,
            "platform": self.0.settings.platform,
            "issued_at": "",
            "platform_cap_ppm": 100_000,
            "merchants": [],
            "receivers": [],
            "rules": [],
            "decisions": [],
            "holds": [],
            "calendar": {"off": [], "on": []},
        })
    }

    fn bundle_name(&self, tx: &mut Tx<'_>, at: Instant) -> Result<String, SandboxError> {
        let settings = &self.0.settings;
        let (inst, plat) = (settings.institution.clone(), settings.platform.clone());
        let day = at.business_day();
        let prefix = format!("{}_{inst}_{plat}_{day}_", FileKind::Apr.as_str());
        let seq = u16::try_from(store::bundles_named(tx, &prefix)?.saturating_add(1));
        let seq = seq.ok().filter(|seq| *seq <= 9999);
        let seq = seq.ok_or_else(|| SandboxError::Refused("9999 bundles a day are enough".to_owned()))?;
        Ok(FileName { kind: FileKind::Apr, inst, plat, day, seq }.to_string())
    }
}

fn merge(document: &mut Value, proposal: Proposal, now: Instant) -> Result<(), SandboxError> {
    if let Some(cap) = proposal.platform_cap_ppm {
        set(document, "platform_cap_ppm", cap.into());
    }
    for merchant in proposal.merchants {
        let number = format!("16{:08}", next_number(document, "merchants"));
        let defaults = json!({
            "inst_merchant_no": number, "agreement_no": format!("AG{number}"), "active": [[now.to_cst(), null]],
            "fees": {
                "wechat/native": 3800, "wechat/jsapi": 3800, "wechat/app": 3800, "wechat/h5": 3800,
                "alipay/native": 3800, "alipay/jsapi": 3800,
            },
            "max_ratio_ppm": 300_000, "min_settle": 1, "cycle": "D1",
        });
        upsert(document, "merchants", "merchant", merchant, defaults)?;
    }
    for receiver in proposal.receivers {
        let number = own_number(document, &receiver)
            .unwrap_or_else(|| format!("17{:08}", next_number(document, "receivers")));
        let defaults = json!({
            "inst_receiver_no": number, "merchants": ["*"], "active": [[now.to_cst(), null]],
            "min_settle": 1, "cycle": "D1",
        });
        upsert(document, "receivers", "receiver", receiver, defaults)?;
    }
    for version in proposal.rules {
        approve_rule(document, version, now)?;
    }
    for rule in list(document, "rules")? {
        let digest = rule.get("digest").and_then(Value::as_str).unwrap_or_default();
        let open = rule.get("suspended_at").is_none_or(Value::is_null);
        if open && proposal.suspend.iter().any(|suspended| suspended == digest) {
            set(rule, "suspended_at", now.to_cst().into());
        }
    }
    for mut decision in proposal.decisions {
        decision.insert("decided_at".to_owned(), now.to_cst().into());
        upsert(document, "decisions", "inst_order_no", decision, json!({}))?;
    }
    list(document, "holds")?.extend(proposal.holds);
    if let Some(calendar) = proposal.calendar {
        set(document, "calendar", calendar);
    }
    Ok(())
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// A list of the bundle, to be changed.
fn list<'a>(document: &'a mut Value, key: &str) -> Result<&'a mut Vec<Value>, SandboxError> {
    let list = document.get_mut(key).and_then(Value::as_array_mut);
    list.ok_or_else(|| SandboxError::Internal(format!("the bundle has no {key}")))
}

fn next_number(document: &Value, key: &str) -> usize {
    document.get(key).and_then(Value::as_array).map_or(0, Vec::len).saturating_add(1)
}

/// A merchant that receives in others' orders keeps its one number.
fn own_number(document: &Value, receiver: &Map<String, Value>) -> Option<String> {
    let merchant = receiver.get("receiver")?.as_str()?.strip_prefix("merchant:")?.to_owned();
    let known = |m: &&Value| m.get("merchant").and_then(Value::as_str) == Some(merchant.as_str());
    let found = document.get("merchants")?.as_array()?.iter().find(known)?;
    Some(found.get("inst_merchant_no")?.as_str()?.to_owned())
}

/// Changes the entry with this key, or adds it with `defaults` for what it does not say.
fn upsert(
    document: &mut Value,
    name: &str,
    key: &str,
    entry: Map<String, Value>,
    defaults: Value,
) -> Result<(), SandboxError> {
    let id = entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = id.ok_or_else(|| SandboxError::Refused(format!("{name}: {key} is missing")))?;
    let entries = list(document, name)?;
    let known = |e: &&mut Value| e.get(key).and_then(Value::as_str) == Some(id.as_str());
    match entries.iter_mut().find(known) {
        // A decision stands: repeating it changes nothing.
        Some(_) if name == "decisions" => {}
        Some(known) => entry.into_iter().for_each(|(field, value)| set(known, &field, value)),
        None => {
            let mut new = defaults;
            entry.into_iter().for_each(|(field, value)| set(&mut new, &field, value));
            entries.push(new);
        }
    }
    Ok(())
}

fn approve_rule(document: &mut Value, version: Value, now: Instant) -> Result<(), SandboxError> {
    let parsed = rule::parse(&version.to_string()).map_err(|findings| refused(&findings))?;
    let digest = parsed.digest().to_string();
    let rules = list(document, "rules")?;
    if rules.iter().any(|rule| rule.get("digest").and_then(Value::as_str) == Some(digest.as_str())) {
        return Ok(());
    }
    rules.push(json!({
        "digest": digest, "approved_at": now.to_cst(), "approved_by": APPROVER, "suspended_at": null,
        "rule": version,
    }));
    Ok(())
}
