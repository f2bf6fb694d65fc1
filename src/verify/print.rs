//! The answer of `verify` for people and for programs.
use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use mingfen_kernel::money::Fen;
use mingfen_kernel::verify::{Group, Report, Totals, Violation};

/// What no recomputation can do for the institution (`files.md`, "verify").
const REMAINS: [&str; 5] = [
    "the bill and the bundles must come from the institution's own systems",
    "verify must run for every calendar day, and a missing file is an alarm",
    "who stands behind a receiver is for the institution to know",
    "what a rule gives when every order carries its dearest tag is to be asked before it is approved",
    "the sum of the settlement must be held against the cash in custody",
];

/// Lines for people.
pub fn text(report: &Report, by_hand: &[String]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if !report.authenticated {
        let whose = if by_hand.is_empty() { " (--no-signatures)" } else { "; check each with" };
        writeln!(out, "NOT AUTHENTICATED: signatures were not checked{whose}")?;
        for command in by_hand {
            writeln!(out, "  {command}")?;
        }
    }
    for what in &report.not_authenticated {
        writeln!(out, "NOT AUTHENTICATED: {what}")?;
    }
    for violation in &report.violations {
        write_violation(&mut out, violation)?;
    }
    if report.unlisted > 0 {
        writeln!(out, "… and {} more violations", report.unlisted)?;
    }
    for left_out in &report.not_checked {
        writeln!(out, "NOT CHECKED {}: {}", left_out.codes, left_out.why)?;
    }
    let day = report.day.map(|day| day.to_string()).unwrap_or_default();
    let unknown = "(unknown)".to_owned();
    let institution = report.institution.as_ref().unwrap_or(&unknown);
    let platform = report.platform.as_ref().unwrap_or(&unknown);
    writeln!(out, "\n{institution} {platform} {day}: {} orders in the bill", report.totals.orders)?;
    write_totals(&mut out, &report.totals)?;
    writeln!(out, "\nWhat stays with the institution:")?;
    for line in REMAINS {
        writeln!(out, "  {line}")?;
    }
    let count = u64::try_from(report.violations.len()).unwrap_or(u64::MAX).saturating_add(report.unlisted);
    match count {
        0 => writeln!(out, "\nOK: every fen is explained{}", reserve(report))?,
        1 => writeln!(out, "\nREFUSED: 1 violation")?,
        n => writeln!(out, "\nREFUSED: {n} violations")?,
    }
    out.flush()
}

/// What a sound day rests on that was not looked at: whoever reads the last line only must know.
fn reserve(report: &Report) -> String {
    let mut reserve = String::new();
    if !report.authenticated {
        reserve.push_str(". NOT AUTHENTICATED: no signature was checked");
    } else if !report.not_authenticated.is_empty() {
        reserve.push_str(". NOT AUTHENTICATED: ");
        reserve.push_str(&report.not_authenticated.join("; "));
    }
    for left_out in report.not_checked.iter().filter(|left_out| left_out.is_reserve) {
        reserve.push_str(". NOT CHECKED: ");
        reserve.push_str(&left_out.why);
    }
    reserve
}

fn write_violation(out: &mut impl Write, violation: &Violation) -> io::Result<()> {
    let Violation { check, file, line, order, expected, found } = violation;
    write!(out, "{} {file}", check.code())?;
    if let Some(line) = line {
        write!(out, ":{line}")?;
    }
    if let Some(order) = order {
        write!(out, " order {order}")?;
    }
    writeln!(out, ": expected {expected}; found {found}")
}

fn write_totals(out: &mut impl Write, totals: &Totals) -> io::Result<()> {
    let Totals { paid, subsidy, fee, lines, platform, .. } = totals;
    let (pool, unsplit) = (totals.pool(), totals.unsplit_pool());
    let sum = Fen::new(lines.get().saturating_add(unsplit.get()));
    let (paid, subsidy, fee) = (paid.yuan(), subsidy.yuan(), fee.yuan());
    writeln!(out, "  paid {paid} + subsidy {subsidy} - fee {fee} = {} yuan", pool.yuan())?;
    writeln!(out, "  lines {} + unsplit {} = {} yuan", lines.yuan(), unsplit.yuan(), sum.yuan())?;
    writeln!(out, "  of the lines, the platform's own {} yuan", platform.yuan())?;
    for ((rule, version), group) in &totals.by_rule {
        writeln!(out, "  rule {rule} version {version}: {}", show(group))?;
    }
    for (tag, group) in &totals.by_tag {
        let tag = if tag.is_empty() { "(none)" } else { tag };
        writeln!(out, "  tag {tag}: {}", show(group))?;
    }
    for (what, group) in [("rules", &totals.other_rules), ("tags", &totals.other_tags)] {
        if group.orders > 0 {
            writeln!(out, "  further {what}: {}", show(group))?;
        }
    }
    for order in totals.unsplit.values() {
        let (no, reason, pool) = (&order.inst_order_no, order.reason.as_str(), order.pool.yuan());
        writeln!(out, "  unsplit {no}: {reason}, {pool} yuan")?;
    }
    let Group { orders, pool, .. } = totals.other_unsplit;
    if orders > 0 {
        writeln!(out, "  … and {orders} more unsplit orders, {} yuan", pool.yuan())?;
    }
    Ok(())
}

fn show(group: &Group) -> String {
    let Group { orders, pool, others } = group;
    format!("{orders} orders, {} yuan, of it {} to others than the merchant", pool.yuan(), others.yuan())
}

/// One JSON document; amounts in fen.
pub fn json(report: &Report, by_hand: &[String]) -> io::Result<()> {
    let violations = report.violations.iter().map(|violation| {
        let Violation { check, file, line, order, expected, found } = violation;
        json!({"code": check.code(), "file": file, "line": line, "order": order, "expected": expected, "found": found})
    });
    let not_checked =
        report.not_checked.iter().map(|left_out| json!({"codes": left_out.codes, "why": left_out.why}));
    let document = json!({
        "ok": report.is_sound(),
        "authenticated": report.authenticated && report.not_authenticated.is_empty(),
        "not_authenticated": report.not_authenticated,
        "signatures_to_check": by_hand,
        "institution": report.institution,
        "platform": report.platform,
        "day": report.day.map(|day| day.to_string()),
        "violations": violations.collect::<Vec<_>>(),
        "unlisted_violations": report.unlisted,
        "not_checked": not_checked.collect::<Vec<_>>(),
        "totals": totals_json(&report.totals),
        "stays_with_the_institution": REMAINS,
    });
    writeln!(io::stdout().lock(), "{document}")
}

fn totals_json(totals: &Totals) -> Value {
    let by_rule = totals.by_rule.iter().map(|((rule, version), group)| {
        let Group { orders, pool, others } = group;
        json!({"rule": rule, "version": version, "orders": orders, "pool": pool, "others": others})
    });
    let by_tag = totals.by_tag.iter().map(|(tag, group)| {
        let Group { orders, pool, others } = group;
        json!({"tag": tag, "orders": orders, "pool": pool, "others": others})
    });
    let unsplit = totals.unsplit.values().map(|order| {
        json!({"inst_order_no": order.inst_order_no, "reason": order.reason.as_str(), "pool": order.pool})
    });
    json!({
        "orders": totals.orders,
        "paid": totals.paid,
        "subsidy": totals.subsidy,
        "fee": totals.fee,
        "pool": totals.pool(),
        "lines": totals.lines,
        "unsplit": totals.unsplit_pool(),
        "platform": totals.platform,
        "by_rule": by_rule.collect::<Vec<_>>(),
        "by_tag": by_tag.collect::<Vec<_>>(),
        "unsplit_orders": unsplit.collect::<Vec<_>>(),
        "unlisted": {
            "rules": group_json(&totals.other_rules),
            "tags": group_json(&totals.other_tags),
            "unsplit_orders": group_json(&totals.other_unsplit),
        },
    })
}

fn group_json(Group { orders, pool, others }: &Group) -> Value {
    json!({"orders": orders, "pool": pool, "others": others})
}
