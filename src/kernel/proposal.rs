//! What the platform proposes for an order, and why when it cannot: the one function that the cut and `verify` share
//! (`files.md`, "The day: cut, then settle").
use std::io::Write;
use std::sync::Arc;

use super::approvals::Bundle;
use super::bill::BillOrder;
use super::calendar::Instant;
use super::digest::Digest;
use super::file::spl::{SplHeader, SplLine, SplOrder, SplRecord, SplUnsplit, SplWriter};
use super::file::{FileName, WriteError, field};
use super::money::Fen;
use super::rate::Ppm;
use super::rule::RuleVersion;
use super::split::{BadFact, Explain, Line, OrderFacts, PlainLine, Split, SplitError, lines};
use crate::text_enum;

text_enum! {
    /// Why an order cannot be split, tested in this order; the word is that of X lines.
    pub enum Reason {
        /// It carries no tags and parties in the platform's form, and no decision names a version.
        Undeclared = "UNDECLARED",
        /// The merchant is unknown or not active at `paid_at`.
        Merchant = "MERCHANT",
        /// No rule version applies.
        NoRule = "NO_RULE",
        /// A share is worth more than 10^12 fen.
        Overflow = "OVERFLOW",
        /// The shares exceed the rule's limit.
        OverLimit = "OVER_LIMIT",
        /// A receiver is unknown, not active at `paid_at`, not bound to the merchant, or has another role.
        Receiver = "RECEIVER",
        /// The platform's own lines exceed its cap, or all lines but the merchant's the merchant's agreed maximum.
        OverCap = "OVER_CAP",
    }
}

/// The proposal for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// Split by this version into these lines.
    Split {
        /// The version that applies.
        rule: Arc<RuleVersion>,
        /// All lines, those of 0 too, and how each came about.
        split: Split,
    },
    /// Not split, and why.
    Unsplit(Reason),
}

impl Proposal {
    /// The lines that a file tells: those above 0, in order. None for an order that is not split.
    pub fn paid_lines(&self) -> impl Iterator<Item = &Line> + Clone {
        let lines: &[Line] = match self {
            Self::Split { split, .. } => &split.lines,
            Self::Unsplit(_) => &[],
        };
        lines.iter().filter(|line| line.amount > Fen::ZERO)
    }
}

/// What [`Proposal`] says, borrowed from bundle and order, without the explanation: what the cut and `verify` look at by
/// the million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft<'a> {
    /// Split by this version into these lines, those of 0 included.
    Split {
        /// The version that applies.
        rule: &'a Arc<RuleVersion>,
        /// All lines.
        lines: Vec<PlainLine<'a>>,
    },
    /// Not split, and why.
    Unsplit(Reason),
}

/// The proposal for an order under a bundle. Fails only for facts outside `split.md`'s bounds: a bill that states such
/// facts is unusable. A merchant that the institution's bill names by a number unknown to the bundle is empty here.
pub fn propose(bundle: &Bundle, order: &BillOrder) -> Result<Proposal, BadFact> {
    let mut explain = Vec::new();
    Ok(match within_bounds(&order.facts, drafted(bundle, order, Some(&mut explain)))? {
        Draft::Unsplit(reason) => Proposal::Unsplit(reason),
        Draft::Split { rule, lines } => {
            let lines = lines.iter().map(PlainLine::to_line).collect();
            Proposal::Split { rule: Arc::clone(rule), split: Split { lines, explain } }
        }
    })
}

/// [`propose`] without the explanation: what the cut looks at by the million.
pub fn propose_draft<'a>(bundle: &'a Bundle, order: &'a BillOrder) -> Result<Draft<'a>, BadFact> {
    within_bounds(&order.facts, drafted(bundle, order, None))
}

/// [`propose_draft`] for an order whose facts are known to be within their bounds.
pub fn draft<'a>(bundle: &'a Bundle, order: &'a BillOrder) -> Draft<'a> {
    drafted(bundle, order, None)
}

/// Facts are looked at where a version applies to them.
fn within_bounds<'a>(order: &OrderFacts, draft: Draft<'a>) -> Result<Draft<'a>, BadFact> {
    match &draft {
        Draft::Unsplit(Reason::Undeclared | Reason::Merchant | Reason::NoRule) => {}
        Draft::Unsplit(Reason::Overflow | Reason::OverLimit | Reason::Receiver | Reason::OverCap)
        | Draft::Split { .. } => order.check()?,
    }
    Ok(draft)
}

fn drafted<'a>(bundle: &'a Bundle, order: &'a BillOrder, explain: Option<&mut Vec<Explain>>) -> Draft<'a> {
    if !order.is_declared() && bundle.decision(&order.facts.inst_order_no).is_none() {
        return Draft::Unsplit(Reason::Undeclared);
    }
    let order = &order.facts;
    let Some(max_ratio) = bundle.trader_at(&order.merchant, order.paid_at) else {
        return Draft::Unsplit(Reason::Merchant);
    };
    let Some(rule) = bundle.picked(order) else {
        return Draft::Unsplit(Reason::NoRule);
    };
    let lines = match lines(rule, order, explain) {
        Ok(lines) => lines,
        Err(SplitError::InvalidInput(_) | SplitError::Overflow) => return Draft::Unsplit(Reason::Overflow),
        Err(SplitError::OverLimit) => return Draft::Unsplit(Reason::OverLimit),
    };
    // What the others get, of it the platform; a sum beyond 64 bits counts as over the cap.
    let (mut others, mut platform) = (Some(Fen::ZERO), Some(Fen::ZERO));
    for line in lines.iter().filter(|line| line.amount != Fen::ZERO) {
        let Some(key) = line.receiver.key() else { continue };
        let Some(platforms) = may_receive(bundle, order, line, key) else {
            return Draft::Unsplit(Reason::Receiver);
        };
        let joined = |sum: Option<Fen>| sum.and_then(|sum| sum.checked_add(line.amount));
        others = joined(others);
        platform = if platforms { joined(platform) } else { platform };
    }
    let within = |sum: Option<Fen>, cap: Ppm| {
        sum.zip(cap.floor_of(order.gross())).is_some_and(|(sum, cap)| sum <= cap)
    };
    if !within(platform, bundle.platform_cap) || !within(others, max_ratio) {
        return Draft::Unsplit(Reason::OverCap);
    }
    Draft::Split { rule, lines }
}

/// Whether a line above 0 is the platform's own; `None` when nobody may receive it.
fn may_receive(bundle: &Bundle, order: &OrderFacts, line: &PlainLine<'_>, key: &str) -> Option<bool> {
    let (receiver, platforms) = bundle.payee(key)?;
    let may = receiver.is_active(order.paid_at)
        && receiver.merchants.to(&order.merchant)
        && *receiver.role == **line.role;
    may.then_some(platforms)
}

/// What an SPL says besides its orders. The same draft and rows always give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplDraft {
    /// Its name.
    pub name: FileName,
    /// When the day was first cut.
    pub created_at: Instant,
    /// The bundle that the proposals were made under.
    pub approvals: Digest,
    /// The previous SPL of the chain.
    pub prev: Digest,
}

/// Writes the SPL of these orders, ascending by (`paid_at`, `inst_order_no`). Rows are walked twice, because the header
/// states the totals. Gives the sink back, and the file's header and digest.
pub fn write_spl<'a, W: Write>(
    out: W,
    draft: &SplDraft,
    rows: impl Iterator<Item = (&'a BillOrder, &'a Proposal)> + Clone,
) -> Result<(W, SplHeader, Digest), WriteError> {
    let header = header_of(draft, rows.clone())?;
    let mut writer = SplWriter::new(out, header.clone())?;
    let (mut tags, mut parties) = (String::new(), String::new());
    let mut n: u32 = 0;
    for (order, proposal) in rows {
        n = n.saturating_add(1);
        let BillOrder { facts, order_no } = order;
        let OrderFacts { inst_order_no, paid_at, paid, .. } = facts;
        let (paid_at, paid) = (*paid_at, *paid);
        match proposal {
            Proposal::Unsplit(reason) => {
                let unsplit = SplUnsplit { n, order_no, inst_order_no, paid_at, paid, reason: *reason };
                writer.record(&SplRecord::Unsplit(unsplit))?;
            }
            Proposal::Split { rule, .. } => {
                tags.clear();
                field::push_tags(&mut tags, &facts.tags);
                parties.clear();
                field::push_parties(&mut parties, &facts.parties);
                writer.record(&SplRecord::Order(SplOrder {
                    n,
                    order_no,
                    inst_order_no,
                    merchant: &facts.merchant,
                    channel: &facts.channel,
                    product: &facts.product,
                    tags: &tags,
                    parties: &parties,
                    paid_at,
                    paid,
                    fee: facts.fee,
                    subsidy: facts.subsidy,
                    rule: &rule.rule,
                    version: rule.version,
                    lines: count(proposal.paid_lines().count())?,
                }))?;
            }
        }
        for Line { path, role, receiver, amount } in proposal.paid_lines() {
            writer.record(&SplRecord::Line(SplLine { n, path, role, receiver, amount: *amount }))?;
        }
    }
    let (out, digest) = writer.finish()?;
    Ok((out, header, digest))
}

fn header_of<'a>(
    draft: &SplDraft,
    rows: impl Iterator<Item = (&'a BillOrder, &'a Proposal)> + Clone,
) -> Result<SplHeader, WriteError> {
    let lines = || rows.clone().flat_map(|(_, proposal)| proposal.paid_lines());
    let total = Fen::sum(lines().map(|line| line.amount));
    Ok(SplHeader {
        name: draft.name.clone(),
        orders: count(rows.clone().count())?,
        lines: count(lines().count())?,
        total: total.ok_or_else(|| WriteError::Refused("a total beyond 64 bits".to_owned()))?,
        created_at: draft.created_at,
        approvals: draft.approvals,
        prev: draft.prev,
    })
}

fn count(n: usize) -> Result<u32, WriteError> {
    u32::try_from(n).map_err(|_| WriteError::Refused("more lines than a file may have".to_owned()))
}
