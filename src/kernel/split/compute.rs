//! The arithmetic.
use std::sync::{Arc, LazyLock};

use crate::kernel::money::Fen;
use crate::kernel::rule::{Amount, Base, FeeBearer, RuleVersion, Share, Target, Tier, Value, WhenShort};

use super::divide::divide;
use super::{Clamp, Cut, Explain, Line, MerchantExplain, OrderFacts, PartExplain, ShareExplain, Split};
use super::{MERCHANT_PATH, SplitError, Worth};

static PATH: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(MERCHANT_PATH));
static ROLE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("merchant"));

/// Splits an order by a version (steps 1–7). The lines add up to the pool exactly.
pub fn compute(rule: &RuleVersion, order: &OrderFacts) -> Result<Split, SplitError> {
    order.check()?;
    let limit = rule.max_ratio.floor_of(order.gross()).ok_or(SplitError::Overflow)?.min(order.pool());
    let tops = top_level(rule, order, limit)?;
    let mut splitter = Splitter {
        order,
        lines: Vec::with_capacity(rule.line_count()),
        explain: Vec::with_capacity(rule.line_count()),
    };
    let mut left = order.pool();
    let mut fee_left = order.fee;
    for (share, top) in rule.shares.iter().zip(&tops) {
        let line = splitter.lines.len();
        splitter.place(share, *top)?;
        left = sub(left, top.amount)?;
        if bears_fee(rule, share) {
            fee_left = sub(fee_left, splitter.bear_fee(line, fee_left)?)?;
        }
    }
    let fee_from_shares = match rule.fee_bearer {
        FeeBearer::Merchant => Fen::ZERO,
        FeeBearer::Receiver(_) => sub(order.fee, fee_left)?,
    };
    splitter.merchant(MerchantExplain {
        pool: order.pool(),
        limit,
        shares: sub(order.pool(), left)?,
        fee_from_shares,
    })?;
    Ok(Split { lines: splitter.lines, explain: splitter.explain })
}

/// What a share is worth and what it gets.
#[derive(Clone, Copy)]
struct Valued {
    worth: Worth,
    full: Fen,
    amount: Fen,
}

impl Valued {
    fn cut(&self) -> Option<Cut> {
        (self.amount < self.full).then_some(Cut { from: self.full, to: self.amount })
    }
}

/// Steps 2 and 3.
fn top_level(rule: &RuleVersion, order: &OrderFacts, limit: Fen) -> Result<Vec<Valued>, SplitError> {
    let mut tops = Vec::with_capacity(rule.shares.len());
    for share in &rule.shares {
        let of = match share.base {
            Base::Gross => order.gross(),
            Base::Net => order.pool(),
            Base::Parent => Fen::ZERO,
        };
        tops.push(valued(share, order, of)?);
    }
    let sum = Fen::sum(tops.iter().map(|top| top.amount)).ok_or(SplitError::Overflow)?;
    if sum <= limit {
        return Ok(tops);
    }
    match rule.when_short {
        WhenShort::Reject => Err(SplitError::OverLimit),
        WhenShort::InOrder => {
            let mut left = limit;
            for top in &mut tops {
                top.amount = top.full.min(left);
                left = sub(left, top.amount)?;
            }
            Ok(tops)
        }
    }
}

/// Step 2 for one share: what it is worth of `of`.
fn valued(share: &Share, order: &OrderFacts, of: Fen) -> Result<Valued, SplitError> {
    let nothing = |worth| Ok(Valued { worth, full: Fen::ZERO, amount: Fen::ZERO });
    if let Target::Party { name, .. } = &share.target
        && !order.parties.contains_key(&**name)
    {
        return nothing(Worth::PartyMissing);
    }
    if let Some(unmet) = share.when.as_ref().and_then(|when| when.unmet(order)) {
        return nothing(Worth::ConditionFailed(unmet));
    }
    let (tier, amount) = match &share.value {
        Value::Flat(amount) => (None, *amount),
        Value::Tiers(tiers) => tier(tiers, order.gross()),
    };
    let part = amount.rate.floor_of(of).ok_or(SplitError::Overflow)?;
    let raw = part.checked_add(amount.fixed).ok_or(SplitError::Overflow)?;
    let (full, clamp) = match (share.min, share.max) {
        (Some(min), _) if raw < min => (min, Some(Clamp::Min(min))),
        (_, Some(max)) if raw > max => (max, Some(Clamp::Max(max))),
        (_, _) => (raw, None),
    };
    if full > Fen::MAX {
        return Err(SplitError::Overflow);
    }
    let worth = Worth::Computed { base: share.base, of, tier, amount, raw, clamp };
    Ok(Valued { worth, full, amount: full })
}

fn tier(tiers: &[Tier], gross: Fen) -> (Option<Fen>, Amount) {
    let counting = tiers.iter().rev().find(|tier| tier.from <= gross);
    counting.map_or((None, Amount::default()), |tier| (Some(tier.from), tier.amount))
}

fn bears_fee(rule: &RuleVersion, share: &Share) -> bool {
    match &rule.fee_bearer {
        FeeBearer::Merchant => false,
        FeeBearer::Receiver(bearer) => share.target.written() == Some(bearer),
    }
}

struct Splitter<'a> {
    order: &'a OrderFacts,
    lines: Vec<Line>,
    explain: Vec<Explain>,
}

impl Splitter<'_> {
    /// The lines of a share and, cut in order out of it, of its nested shares (steps 4 and 5).
    fn place(&mut self, share: &Share, valued: Valued) -> Result<(), SplitError> {
        let receiver = match &share.target {
            Target::Receiver(key) => Arc::clone(key),
            Target::Party { written, name } => match self.order.parties.get(&**name) {
                Some(key) => Arc::from(key.as_str()),
                None => Arc::clone(written),
            },
            Target::Divide { .. } => return self.place_parts(share, valued),
        };
        let line = self.lines.len();
        let explain =
            ShareExplain { worth: valued.worth, cut: valued.cut(), nested: Fen::ZERO, fee: Fen::ZERO };
        self.push(&share.path, &share.role, receiver, valued.amount, Explain::Share(explain));
        let mut left = valued.amount;
        for nested in &share.shares {
            let inner = self.nested(nested, valued, left)?;
            self.place(nested, inner)?;
            left = sub(left, inner.amount)?;
        }
        self.amend(line, |amount, explain| {
            *amount = left;
            explain.nested = sub(valued.amount, left)?;
            Ok(())
        })
    }

    fn nested(&self, share: &Share, parent: Valued, left: Fen) -> Result<Valued, SplitError> {
        match parent.worth {
            Worth::Computed { .. } => {
                let valued = valued(share, self.order, parent.amount)?;
                Ok(Valued { amount: valued.full.min(left), ..valued })
            }
            Worth::ConditionFailed(_) | Worth::PartyMissing | Worth::ParentNothing => {
                Ok(Valued { worth: Worth::ParentNothing, full: Fen::ZERO, amount: Fen::ZERO })
            }
        }
    }

    fn place_parts(&mut self, share: &Share, valued: Valued) -> Result<(), SplitError> {
        let Target::Divide { parts, total } = &share.target else {
            return Ok(());
        };
        let mut shared = divide(valued.amount, *total, &self.order.inst_order_no, &share.path);
        for part in parts {
            let explain = PartExplain {
                worth: valued.worth,
                cut: valued.cut(),
                divided: valued.amount,
                weight: part.weight,
                total_weight: *total,
            };
            let amount = shared.next(part.weight).ok_or(SplitError::Overflow)?;
            let receiver = Arc::clone(&part.receiver);
            self.push(&part.path, &share.role, receiver, amount, Explain::Part(explain));
        }
        Ok(())
    }

    /// Step 7 for one top-level line: what it gives of the fee that is left.
    fn bear_fee(&mut self, line: usize, fee_left: Fen) -> Result<Fen, SplitError> {
        let mut given = Fen::ZERO;
        self.amend(line, |amount, explain| {
            given = fee_left.min(*amount);
            *amount = sub(*amount, given)?;
            explain.fee = given;
            Ok(())
        })?;
        Ok(given)
    }

    /// Step 6, and what the others bear of the fee.
    fn merchant(&mut self, explain: MerchantExplain) -> Result<(), SplitError> {
        let rest = sub(explain.pool, explain.shares)?;
        let amount = rest.checked_add(explain.fee_from_shares).ok_or(SplitError::Overflow)?;
        let receiver = Arc::from(format!("merchant:{}", self.order.merchant));
        self.push(&PATH, &ROLE, receiver, amount, Explain::Merchant(explain));
        Ok(())
    }

    fn push(&mut self, path: &Arc<str>, role: &Arc<str>, receiver: Arc<str>, amount: Fen, explain: Explain) {
        self.lines.push(Line { path: Arc::clone(path), role: Arc::clone(role), receiver, amount });
        self.explain.push(explain);
    }

    /// Changes the line of a share with one receiver.
    fn amend(
        &mut self,
        line: usize,
        change: impl FnOnce(&mut Fen, &mut ShareExplain) -> Result<(), SplitError>,
    ) -> Result<(), SplitError> {
        match (self.lines.get_mut(line), self.explain.get_mut(line)) {
            (Some(line), Some(Explain::Share(explain))) => change(&mut line.amount, explain),
            (_, _) => Ok(()),
        }
    }
}

fn sub(from: Fen, what: Fen) -> Result<Fen, SplitError> {
    from.checked_sub(what).ok_or(SplitError::Overflow)
}
