//! Refunds (`split.md`, "Refunds"): what each line gives back.
use crate::money::Fen;
use crate::rate::{Ppm, floor, half_up};
use crate::rule::{RefundPolicy, RuleVersion};
use crate::split::{Line, MERCHANT_PATH, OrderFacts};

/// A refund as the institution's bill states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// What goes back to the payer, in fen, `1 ..= 10^12`.
    pub amount: Fen,
    /// What the channel gives back of its fee, in fen, `0 ..= fee`.
    pub fee_back: Fen,
}

/// What a refund moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The fee's part of this refund, in fen.
    pub back: Fen,
    /// What the merchant owes at its next settlement, in fen; negative when it is owed.
    pub debt: Fen,
    /// What goes back of the subsidy, in fen.
    pub undone: Fen,
    /// What each line gives back, in fen, in the order of the lines.
    pub returns: Vec<Fen>,
}

/// Why a refund is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Amount or fee outside their bounds.
    #[error("the refund's amount or fee is outside its bounds")]
    InvalidInput,
    /// All refunds together would exceed what was paid.
    #[error("the refunds together exceed what was paid")]
    ExceedsPaid,
}

impl RefundError {
    /// The stable code: `INVALID_INPUT` or `REFUND_EXCEEDS_PAID`.
    pub const fn code(&self) -> &'static str {
        match self {
            RefundError::InvalidInput => "INVALID_INPUT",
            RefundError::ExceedsPaid => "REFUND_EXCEEDS_PAID",
        }
    }
}

/// An order with its lines and what its refunds have returned so far.
#[derive(Clone, Debug)]
pub struct Refunds<'a> {
    policy: RefundPolicy,
    max_ratio: Ppm,
    order: &'a OrderFacts,
    refunded: Fen,
    back: Fen,
    undone: Fen,
    accounts: Vec<Account<'a>>,
}

/// One line and what it has returned so far.
#[derive(Clone, Copy, Debug)]
struct Account<'a> {
    line: &'a Line,
    returned: Fen,
}

impl Account<'_> {
    fn is_merchant(&self) -> bool {
        &*self.line.path == MERCHANT_PATH
    }

    fn left(&self) -> Option<Fen> {
        self.line.amount.checked_sub(self.returned)
    }
}

impl<'a> Refunds<'a> {
    /// Before the first refund of an order that `rule` split into `lines`.
    pub fn new(rule: &RuleVersion, order: &'a OrderFacts, lines: &'a [Line]) -> Refunds<'a> {
        Refunds {
            policy: rule.refund,
            max_ratio: rule.max_ratio,
            order,
            refunded: Fen::ZERO,
            back: Fen::ZERO,
            undone: Fen::ZERO,
            accounts: lines.iter().map(|line| Account { line, returned: Fen::ZERO }).collect(),
        }
    }

    /// What all refunds so far gave back to the payer, in fen.
    pub fn refunded(&self) -> Fen {
        self.refunded
    }

    /// Applies the next refund; an error changes nothing.
    pub fn apply(&mut self, refund: Refund) -> Result<Returned, RefundError> {
        let amount_fits = refund.amount.is_fact_range() && refund.amount > Fen::ZERO;
        if !amount_fits || !(Fen::ZERO..=self.order.fee).contains(&refund.fee_back) {
            return Err(RefundError::InvalidInput);
        }
        let refunded = self.refunded.checked_add(refund.amount).ok_or(RefundError::ExceedsPaid)?;
        if refunded > self.order.paid {
            return Err(RefundError::ExceedsPaid);
        }
        let returned = self.returned(refund, refunded).ok_or(RefundError::InvalidInput)?;
        self.keep(refunded, &returned).ok_or(RefundError::InvalidInput)?;
        Ok(returned)
    }

    /// Steps 1 to 4; `None` only where numbers leave 64 bits, which facts within their bounds do not reach.
    fn returned(&self, refund: Refund, refunded: Fen) -> Option<Returned> {
        let order = self.order;
        let remaining = order.paid.checked_sub(refunded)?;
        let fee_kept = half_up(product(order.fee, remaining), i128::from(order.paid.get()))?;
        let back = order.fee.checked_sub(fee_kept)?.checked_sub(self.back)?;
        let all_undone = floor(product(order.subsidy, refunded), i128::from(order.paid.get()))?;
        let undone = all_undone.checked_sub(self.undone)?;
        let together = refund.amount.checked_sub(back)?.checked_add(undone)?;
        let returns = match self.policy {
            RefundPolicy::ProRata => pro_rata(&self.accounts, together)?,
            RefundPolicy::MerchantFirst => {
                let gross_left = remaining.checked_add(order.subsidy.checked_sub(all_undone)?)?;
                self.merchant_first(together, gross_left)?
            }
        };
        Some(Returned { back, debt: back.checked_sub(refund.fee_back)?, undone, returns })
    }

    /// Step 2, `merchant_first`.
    fn merchant_first(&self, together: Fen, gross_left: Fen) -> Option<Vec<Fen>> {
        let (merchant, others): (Vec<Account<'a>>, Vec<Account<'a>>) =
            self.accounts.iter().partition(|account| account.is_merchant());
        let left_merchant = sum_left(&merchant)?;
        let beyond_cap = sum_left(&others)?.checked_sub(self.max_ratio.floor_of(gross_left)?)?;
        let beyond_merchant = together.checked_sub(left_merchant)?;
        let from_others = Fen::ZERO.max(beyond_merchant).max(beyond_cap).min(together);
        let from_merchant = together.checked_sub(from_others)?;
        let mut others = pro_rata(&others, from_others)?.into_iter();
        self.accounts
            .iter()
            .map(|account| if account.is_merchant() { Some(from_merchant) } else { others.next() })
            .collect()
    }

    /// All of it or, when a number leaves 64 bits, nothing.
    fn keep(&mut self, refunded: Fen, returned: &Returned) -> Option<()> {
        let back = self.back.checked_add(returned.back)?;
        let undone = self.undone.checked_add(returned.undone)?;
        let add = |(account, more): (&Account<'a>, &Fen)| {
            let sum = account.returned.checked_add(*more)?;
            Some(Account { returned: sum, ..*account })
        };
        let accounts = self.accounts.iter().zip(&returned.returns).map(add).collect::<Option<_>>()?;
        (self.refunded, self.back, self.undone, self.accounts) = (refunded, back, undone, accounts);
        Some(())
    }
}

fn sum_left(accounts: &[Account<'_>]) -> Option<Fen> {
    accounts.iter().try_fold(Fen::ZERO, |sum, account| sum.checked_add(account.left()?))
}

fn product(one: Fen, other: Fen) -> i128 {
    i128::from(one.get()).saturating_mul(i128::from(other.get()))
}

/// What a line is still due (`line × Y − returned × T`), and how many fen of this refund it gives.
struct Due<'a> {
    path: &'a str,
    due: i128,
    given: i64,
}

/// Step 3: `x` fen over these lines. Given one at a time, each fen would go to the greatest `due`, which then falls by
/// `T`. So every line is first given as many fen as it can take without its due falling below 0; that is at most one
/// fen a line away from `x`, and only this difference is given, or taken back, one at a time.
fn pro_rata(accounts: &[Account<'_>], x: Fen) -> Option<Vec<Fen>> {
    let total = Fen::sum(accounts.iter().map(|account| account.line.amount))?;
    let so_far = Fen::sum(accounts.iter().map(|account| account.returned))?.checked_add(x)?;
    if x == Fen::ZERO {
        return Some(vec![Fen::ZERO; accounts.len()]);
    }
    let step = i128::from(total.get());
    let mut dues = Vec::with_capacity(accounts.len());
    let mut missing = x.get();
    for account in accounts {
        let due = product(account.line.amount, so_far).checked_sub(product(account.returned, total))?;
        let given = floor(due.max(0), step)?.get();
        missing = missing.checked_sub(given)?;
        let rest = due.checked_sub(i128::from(given).checked_mul(step)?)?;
        dues.push(Due { path: &account.line.path, due: rest, given });
    }
    while missing > 0 {
        let first = dues.iter_mut().max_by(|a, b| a.due.cmp(&b.due).then_with(|| b.path.cmp(a.path)))?;
        first.due = first.due.checked_sub(step)?;
        first.given = first.given.checked_add(1)?;
        missing = missing.checked_sub(1)?;
    }
    while missing < 0 {
        let taken = dues.iter_mut().filter(|line| line.given > 0);
        let last = taken.min_by(|a, b| a.due.cmp(&b.due).then_with(|| b.path.cmp(a.path)))?;
        last.due = last.due.checked_add(step)?;
        last.given = last.given.checked_sub(1)?;
        missing = missing.checked_add(1)?;
    }
    Some(dues.into_iter().map(|line| Fen::new(line.given)).collect())
}
