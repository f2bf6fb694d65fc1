//! `mingfen split`: cases as JSON lines on stdin, their answers on stdout, without a database (`cli.md`).
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::json::{self, At, Check, Json, MAX_INTEGER};
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::refund::{Refund, Refunds};
use crate::kernel::rule::{self, Finding, InForce, RuleVersion};
use crate::kernel::split::{Line, OrderFacts, SplitError, compute};

const EXAMPLE: &str = "Example: mingfen split < cases.jsonl > answers.jsonl

A case: {\"rules\":[…],\"order\":{…},\"refunds\":[{\"amount\":100,\"fee_back\":0}]}
Exit status 1 when a line could not be read as JSON.";

/// Compute splits: one case a line from stdin, one answer a line to stdout
#[derive(clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {}

/// Answers every line of stdin.
pub fn run(_: Args) -> anyhow::Result<ExitCode> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut all_readable = true;
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let answered = answer(&line);
        all_readable &= answered.readable;
        serde_json::to_writer(&mut output, &answered.answer)?;
        output.write_all(b"\n")?;
        line.clear();
    }
    output.flush()?;
    Ok(ExitCode::from(if all_readable { 0 } else { 1 }))
}

/// The answer to one line.
#[derive(Debug)]
pub struct Answered {
    /// What to print.
    pub answer: Answer,
    /// Whether the line was JSON without duplicate keys.
    pub readable: bool,
}

/// One answer as `cli.md` prints it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// All lines and, where the case has them, its refunds.
    Split(SplitAnswer),
    /// Why there is no split.
    Refused(Refusal),
}

/// Who gets what, and what the refunds return.
#[derive(Debug, Serialize)]
pub struct SplitAnswer {
    picked: Digest,
    lines: Vec<LineAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundAnswer>>,
}

/// The code, the version if one had been picked, and what was found first.
#[derive(Debug, Default, Serialize)]
pub struct Refusal {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    picked: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Refusal {
    fn of(error: &'static str, findings: Vec<Finding>) -> Refusal {
        let (path, why) = findings.into_iter().next().map(|first| (first.path, first.why)).unzip();
        Refusal { error, picked: None, path: path.filter(|path| !path.is_empty()), why }
    }
}

#[derive(Debug, Serialize)]
struct LineAnswer {
    path: String,
    role: String,
    receiver: String,
    amount: Fen,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RefundAnswer {
    Done { back: Fen, debt: Fen, subsidy_undone: Fen, returns: BTreeMap<String, Fen> },
    Refused { error: &'static str },
}

/// Answers one line of input, with or without its line end.
pub fn answer(line: &[u8]) -> Answered {
    let text = str::from_utf8(line).map_err(|e| e.to_string());
    match text.and_then(|text| json::read(text).map_err(|e| e.to_string())) {
        Ok(json) => {
            let answer = decide(&json).map_or_else(Answer::Refused, Answer::Split);
            Answered { answer, readable: true }
        }
        Err(why) => {
            let refusal = Refusal { error: "INVALID_INPUT", why: Some(why), ..Refusal::default() };
            Answered { answer: Answer::Refused(refusal), readable: false }
        }
    }
}

fn decide(json: &Json) -> Result<SplitAnswer, Refusal> {
    let case = Case::read(json).map_err(|findings| Refusal::of("INVALID_INPUT", findings))?;
    let rules = rules(&case.rules).map_err(|findings| Refusal::of("INVALID_RULE", findings))?;
    let long_ago = Instant::new(i64::MIN);
    let approved: Vec<_> =
        rules.iter().map(|rule| InForce { rule, approved_at: long_ago, suspended_at: None }).collect();
    let picked = rule::pick(&case.order, &approved, None)
        .ok_or_else(|| Refusal::of(Reason::NoRule.as_str(), Vec::new()))?;
    let split = compute(picked, &case.order).map_err(|error: SplitError| Refusal {
        error: error.code(),
        picked: Some(picked.digest()),
        path: None,
        why: Some(error.to_string()),
    })?;
    let lines = split.lines.iter().map(|line| LineAnswer {
        path: line.path.to_string(),
        role: line.role.to_string(),
        receiver: line.receiver.to_string(),
        amount: line.amount,
    });
    Ok(SplitAnswer {
        picked: picked.digest(),
        lines: lines.collect(),
        refunds: case.refunds.map(|refunds| refund_all(picked, &case.order, &split.lines, refunds)),
    })
}

fn refund_all(
    rule: &RuleVersion,
    order: &OrderFacts,
    lines: &[Line],
    refunds: Vec<Refund>,
) -> Vec<RefundAnswer> {
    let mut state = Refunds::new(rule, order, lines);
    let mut one = |refund| match state.apply(refund) {
        Ok(done) => {
            let paths = lines.iter().map(|line| line.path.to_string());
            RefundAnswer::Done {
                back: done.back,
                debt: done.debt,
                subsidy_undone: done.undone,
                returns: paths.zip(done.returns).collect(),
            }
        }
        Err(error) => RefundAnswer::Refused { error: error.code() },
    };
    refunds.into_iter().map(&mut one).collect()
}

/// Every given version, valid and none twice; else all findings.
fn rules(given: &[At<'_>]) -> Result<Vec<RuleVersion>, Vec<Finding>> {
    let mut check = Check::new();
    let mut rules = Vec::with_capacity(given.len());
    let mut seen = BTreeSet::new();
    for at in given {
        match rule::from_json(at.json) {
            Ok(rule) => {
                if !seen.insert((rule.rule.to_string(), rule.version)) {
                    check.note(&at.path, "has the name and number of another version");
                }
                rules.push(rule);
            }
            Err(findings) => {
                for Finding { path, why } in findings {
                    let place = if path.is_empty() { at.path.clone() } else { format!("{}.{path}", at.path) };
                    check.note(place, why);
                }
            }
        }
    }
    if check.is_clean() { Ok(rules) } else { Err(check.into_findings()) }
}

/// A case whose facts are within their bounds; its rules are not looked at yet.
struct Case<'a> {
    rules: Vec<At<'a>>,
    order: OrderFacts,
    refunds: Option<Vec<Refund>>,
}

impl<'a> Case<'a> {
    fn read(json: &'a Json) -> Result<Case<'a>, Vec<Finding>> {
        let mut check = Check::new();
        match Case::parts(&mut check, json) {
            Some(case) if check.is_clean() => Ok(case),
            Some(_) | None => Err(check.into_findings()),
        }
    }

    /// `None` only after a finding.
    fn parts(check: &mut Check, json: &'a Json) -> Option<Case<'a>> {
        let keys = check.object(&At::root(json), &["rules", "order"], &["refunds"])?;
        let rules = keys.get("rules").and_then(|at| check.list(&at, 0..=usize::MAX));
        let order = keys.get("order").and_then(|at| order(check, &at));
        if let Some(Err(bad)) = order.as_ref().map(OrderFacts::check) {
            check.note(format!("order.{}", bad.0), bad.to_string());
        }
        let refunds = match keys.get("refunds") {
            Some(at) => Some(refunds(check, &at)?),
            None => None,
        };
        Some(Case { rules: rules?, order: order?, refunds })
    }
}

fn order(check: &mut Check, at: &At<'_>) -> Option<OrderFacts> {
    let required = [
        "inst_order_no",
        "merchant",
        "channel",
        "product",
        "tags",
        "parties",
        "paid_at",
        "paid",
        "fee",
        "subsidy",
    ];
    let keys = check.object(at, &required, &[])?;
    let mut text = |key| keys.get(key).and_then(|at| string(check, &at));
    let texts = (text("inst_order_no"), text("merchant"), text("channel"), text("product"));
    let tags = keys.get("tags").and_then(|at| check.list(&at, 0..=8));
    let tags = tags.map(|tags| tags.iter().map(|at| string(check, at)).collect::<Option<_>>());
    let parties = keys.get("parties").and_then(|at| check.entries(&at));
    let parties = parties.map(|parties| {
        let one = |(name, at): &(&str, At<'_>)| Some(((*name).to_owned(), string(check, at)?));
        parties.iter().map(one).collect::<Option<_>>()
    });
    let paid_at = keys.get("paid_at").and_then(|at| check.instant(&at));
    let mut fen = |key| keys.get(key).and_then(|at| check.fen(&at));
    let (paid, fee, subsidy) = (fen("paid"), fen("fee"), fen("subsidy"));
    Some(OrderFacts {
        inst_order_no: texts.0?,
        merchant: texts.1?,
        channel: texts.2?,
        product: texts.3?,
        tags: tags??,
        parties: parties??,
        paid_at: paid_at?,
        paid: paid?,
        fee: fee?,
        subsidy: subsidy?,
    })
}

fn string(check: &mut Check, at: &At<'_>) -> Option<String> {
    check.text(at, |_| true, "a string").map(str::to_owned)
}

fn refunds(check: &mut Check, at: &At<'_>) -> Option<Vec<Refund>> {
    let items = check.list(at, 0..=usize::MAX)?;
    let one = |at: &At<'_>| {
        let keys = check.object(at, &["amount", "fee_back"], &[])?;
        let mut fen =
            |key| keys.get(key).and_then(|at| check.integer(&at, -MAX_INTEGER..=MAX_INTEGER)).map(Fen::new);
        let (amount, fee_back) = (fen("amount"), fen("fee_back"));
        Some(Refund { amount: amount?, fee_back: fee_back? })
    };
    items.iter().map(one).collect()
}
