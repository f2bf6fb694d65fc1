//! The arithmetic.
use std::sync::{Arc, LazyLock};

use crate::money::Fen;
use crate::rule::{Amount, Base, FeeBearer, RuleVersion, Share, Target, Tier, Value, WhenShort};

use super::divide::divide;
use super::{Clamp, Cut, Explain, MerchantExplain, OrderFacts, PartExplain, ShareExplain, Split};
use super::{MERCHANT_PATH, PlainLine, Receiver, SplitError, Worth};

static PATH: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(MERCHANT_PATH));
static ROLE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("merchant"));

/// Splits an order by a version (steps 1–7). The lines add up to the pool exactly.
pub fn compute(rule: &RuleVersion, order: &OrderFacts) -> Result<Split, SplitError> {
    order.check()?;
    let mut explain = Vec::with_capacity(rule.line_count());
    let lines = lines(rule, order, Some(&mut explain))?;
    Ok(Split { lines: lines.iter().map(PlainLine::to_line).collect(), explain })
}

/// The lines by the same arithmetic, and how each came about where somebody reads it. The facts must be within their
/// bounds ([`OrderFacts::check`]), which is not looked at here.
pub fn lines<'a>(
    rule: &'a RuleVersion,
    order: &'a OrderFacts,
    explain: Option<&mut Vec<Explain>>,
) -> Result<Vec<PlainLine<'a>>, SplitError> {
    let limit = rule.max_ratio.floor_of(order.gross()).ok_or(SplitError::Overflow)?.min(order.pool());
    let tops = top_level(rule, order, limit)?;
    let mut splitter = Splitter { order, lines: Vec::with_capacity(rule.line_count()), explain };
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
    Ok(splitter.lines)
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

struct Splitter<'a, 'e> {
    order: &'a OrderFacts,
    lines: Vec<PlainLine<'a>>,
    /// How each line came about, when somebody reads it.
    explain: Option<&'e mut Vec<Explain>>,
}

impl<'a> Splitter<'a, '_> {
    /// The lines of a share and, cut in order out of it, of its nested shares (steps 4 and 5).
    fn place(&mut self, share: &'a Share, valued: Valued) -> Result<(), SplitError> {
        let receiver = match &share.target {
            Target::Receiver(key) => Receiver::Named(key),
            Target::Party { written, name } => match self.order.parties.get(&**name) {
                Some(key) => Receiver::Party(key),
                None => Receiver::Named(written),
            },
            Target::Divide { .. } => return self.place_parts(share, valued),
        };
        let line = self.lines.len();
        self.push(&share.path, &share.role, receiver, valued.amount, || {
            let (nested, fee) = (Fen::ZERO, Fen::ZERO);
            Explain::Share(ShareExplain { worth: valued.worth, cut: valued.cut(), nested, fee })
        });
        let mut left = valued.amount;
        for nested in &share.shares {
            let inner = self.nested(nested, valued, left)?;
            self.place(nested, inner)?;
            left = sub(left, inner.amount)?;
        }
        self.amend(line, |amount, explain| {
            *amount = left;
            let nested = sub(valued.amount, left)?;
            if let Some(explain) = explain {
                explain.nested = nested;
            }
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

    fn place_parts(&mut self, share: &'a Share, valued: Valued) -> Result<(), SplitError> {
        let Target::Divide { parts, total } = &share.target else {
            return Ok(());
        };
        let mut shared = divide(valued.amount, *total, &self.order.inst_order_no, &share.path);
        for part in parts {
            let amount = shared.next(part.weight).ok_or(SplitError::Overflow)?;
            self.push(&part.path, &share.role, Receiver::Named(&part.receiver), amount, || {
                Explain::Part(PartExplain {
                    worth: valued.worth,
                    cut: valued.cut(),
                    divided: valued.amount,
                    weight: part.weight,
                    total_weight: *total,
                })
            });
        }
        Ok(())
    }

    /// Step 7 for one top-level line: what it gives of the fee that is left.
    fn bear_fee(&mut self, line: usize, fee_left: Fen) -> Result<Fen, SplitError> {
        let mut given = Fen::ZERO;
        self.amend(line, |amount, explain| {
            given = fee_left.min(*amount);
            *amount = sub(*amount, given)?;
            if let Some(explain) = explain {
                explain.fee = given;
            }
            Ok(())
        })?;
        Ok(given)
    }

    /// Step 6, and what the others bear of the fee.
    fn merchant(&mut self, explain: MerchantExplain) -> Result<(), SplitError> {
        let rest = sub(explain.pool, explain.shares)?;
        let amount = rest.checked_add(explain.fee_from_shares).ok_or(SplitError::Overflow)?;
        let receiver = Receiver::Merchant(&self.order.merchant);
        self.push(&PATH, &ROLE, receiver, amount, || Explain::Merchant(explain));
        Ok(())
    }

    fn push(
        &mut self,
        path: &'a Arc<str>,
        role: &'a Arc<str>,
        receiver: Receiver<'a>,
        amount: Fen,
        explain: impl FnOnce() -> Explain,
    ) {
        self.lines.push(PlainLine { path, role, receiver, amount });
        if let Some(all) = &mut self.explain {
            all.push(explain());
        }
    }

    /// Changes the line of a share with one receiver.
    fn amend(
        &mut self,
        line: usize,
        change: impl FnOnce(&mut Fen, Option<&mut ShareExplain>) -> Result<(), SplitError>,
    ) -> Result<(), SplitError> {
        let explain = self.explain.as_mut().and_then(|all| all.get_mut(line));
        let explain = match explain {
            Some(Explain::Share(explain)) => Some(explain),
            // The line of a `divide` is never amended.
            Some(Explain::Part(_) | Explain::Merchant(_)) => return Ok(()),
            None => None,
        };
        self.lines.get_mut(line).map_or(Ok(()), |line| change(&mut line.amount, explain))
    }
}

fn sub(from: Fen, what: Fen) -> Result<Fen, SplitError> {
    from.checked_sub(what).ok_or(SplitError::Overflow)
}
