//! Refunds against their definition and by properties.
use std::cmp::Reverse;

use mingfen::kernel::money::Fen;
use mingfen::kernel::refund::{Refund, RefundError, Refunds, Returned};
use mingfen::kernel::rule::{self, RuleVersion};
use mingfen::kernel::split::{Line, OrderFacts, compute};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::support::rules::{order, order_facts, rule_for_all, rule_with, split_of, total};

/// What each line has returned, after these parts of what was paid were refunded.
fn refunded(rule: &RuleVersion, facts: &OrderFacts, lines: &[Line], amounts: &[i64]) -> Vec<i64> {
    let mut refunds = Refunds::new(rule, facts, lines);
    let mut returned = vec![0; lines.len()];
    for amount in amounts {
        let done = refunds.apply(Refund { amount: Fen::new(*amount), fee_back: Fen::ZERO }).unwrap();
        returned.iter_mut().zip(done.returns).for_each(|(sum, more)| *sum += more.get());
    }
    returned
}

/// `parts` as shares of `whole`, each at least 1, not more than the whole together.
fn parts_of(whole: i64, parts: &[u32]) -> Vec<i64> {
    let mut left = whole;
    let mut amounts = Vec::new();
    for part in parts {
        let amount =
            i64::try_from(i128::from(whole) * i128::from(*part) / 1_000_000).unwrap().max(1).min(left);
        if amount > 0 {
            amounts.push(amount);
        }
        left -= amount;
    }
    amounts
}

/// The definition itself: one fen at a time to the line with the greatest due, ties to the smaller path.
fn one_at_a_time(lines: &[(&str, i64, i64)], x: i64) -> Vec<i64> {
    let total: i128 = lines.iter().map(|(_, line, _)| i128::from(*line)).sum();
    let so_far = i128::from(x) + lines.iter().map(|(_, _, returned)| i128::from(*returned)).sum::<i128>();
    let mut given = vec![0; lines.len()];
    for _ in 0..x {
        let due = |i: usize| {
            let (path, line, returned) = lines[i];
            (i128::from(line) * so_far - i128::from(returned + given[i]) * total, Reverse(path))
        };
        let next = (0..lines.len()).max_by_key(|i| due(*i)).unwrap();
        given[next] += 1;
    }
    given
}

/// The set that returned pro rata, as `one_at_a_time` takes it, and what it returned now.
fn pro_rata_set<'a>(
    rule: &RuleVersion,
    lines: &'a [Line],
    before: &[i64],
    done: &Returned,
) -> (Vec<(&'a str, i64, i64)>, Vec<i64>) {
    let all = rule.refund == rule::RefundPolicy::ProRata;
    let members =
        lines.iter().zip(before).zip(&done.returns).filter(|((line, _), _)| all || &*line.path != "m");
    members.map(|((line, before), now)| ((&*line.path, line.amount.get(), *before), now.get())).unzip()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn refunds_take_no_more_than_is_left_and_end_at_zero(
        rule in rule_for_all(), facts in order_facts(), parts in vec(1_u32..400_000, 0..8), back_ppm in 0_i64..=1_000_000,
    ) {
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let mut amounts = parts_of(facts.paid.get(), &parts);
        amounts.push(facts.paid.get() - amounts.iter().sum::<i64>());
        let fee_back = Fen::new(i64::try_from(i128::from(facts.fee.get()) * i128::from(back_ppm) / 1_000_000).unwrap());
        let mut refunds = Refunds::new(&rule, &facts, &split.lines);
        let mut left: Vec<i64> = split.lines.iter().map(|line| line.amount.get()).collect();
        let (mut back, mut undone) = (0, 0);
        for amount in amounts.into_iter().filter(|amount| *amount > 0) {
            let done = refunds.apply(Refund { amount: Fen::new(amount), fee_back }).unwrap();
            let together = amount - done.back.get() + done.undone.get();
            prop_assert_eq!(total(done.returns.iter().copied()), together);
            prop_assert_eq!(done.debt.get(), done.back.get() - fee_back.get());
            for (left, now) in left.iter_mut().zip(&done.returns) {
                prop_assert!(*now >= Fen::ZERO && now.get() <= *left);
                *left -= now.get();
            }
            if rule.refund == rule::RefundPolicy::MerchantFirst {
                let remaining = facts.paid.get() - refunds.refunded().get() + facts.subsidy.get() - undone - done.undone.get();
                let cap = rule.max_ratio.floor_of(Fen::new(remaining)).unwrap().get();
                let (merchant, others) = left.split_last().unwrap();
                let all_from_others = done.returns.last() == Some(&Fen::ZERO);
                prop_assert!(others.iter().sum::<i64>() <= cap || *merchant == 0 || all_from_others);
            }
            back += done.back.get();
            undone += done.undone.get();
        }
        prop_assert!(left.iter().all(|left| *left == 0), "{left:?}");
        prop_assert_eq!((back, undone), (facts.fee.get(), facts.subsidy.get()));
        let more = refunds.apply(Refund { amount: Fen::new(1), fee_back: Fen::ZERO });
        prop_assert_eq!(more, Err(RefundError::ExceedsPaid));
    }

    #[test]
    fn many_small_refunds_end_within_a_few_fen_of_one_big_one(
        rule in rule_for_all(), facts in order_facts(), parts in vec(1_u32..60_000, 1..16),
    ) {
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let amounts = parts_of(facts.paid.get(), &parts);
        let small = refunded(&rule, &facts, &split.lines, &amounts);
        let big = refunded(&rule, &facts, &split.lines, &[amounts.iter().sum()]);
        for ((small, big), line) in small.iter().zip(&big).zip(&split.lines) {
            prop_assert!((small - big).abs() <= 3, "{}: {small} and {big}", line.path);
        }
    }

    #[test]
    fn a_refund_is_what_giving_one_fen_at_a_time_gives(
        rule in rule_for_all(), facts in order_facts(), parts in vec(1_u32..400_000, 1..6),
    ) {
        let paid = facts.paid.get() % 3000 + 1;
        let facts = OrderFacts {
            fee: facts.fee.min(Fen::new(paid)),
            subsidy: Fen::new(facts.subsidy.get() % 500),
            paid: Fen::new(paid),
            ..facts
        };
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let mut refunds = Refunds::new(&rule, &facts, &split.lines);
        let mut before = vec![0; split.lines.len()];
        for amount in parts_of(paid, &parts) {
            let done = refunds.apply(Refund { amount: Fen::new(amount), fee_back: Fen::ZERO }).unwrap();
            let (set, given) = pro_rata_set(&rule, &split.lines, &before, &done);
            prop_assert_eq!(one_at_a_time(&set, given.iter().sum()), given);
            before.iter_mut().zip(done.returns).for_each(|(sum, more)| *sum += more.get());
        }
    }

    /// The same for amounts that nobody counts out: no fen that a line got came before one that another did not get.
    #[test]
    fn a_refund_of_any_size_gives_each_fen_to_the_line_with_the_greatest_due(
        rule in rule_for_all(), facts in order_facts(), parts in vec(1_u32..400_000, 1..6),
    ) {
        let Some(split) = split_of(&rule, &facts) else { return Ok(()) };
        let mut refunds = Refunds::new(&rule, &facts, &split.lines);
        let mut before = vec![0; split.lines.len()];
        for amount in parts_of(facts.paid.get(), &parts) {
            let done = refunds.apply(Refund { amount: Fen::new(amount), fee_back: Fen::ZERO }).unwrap();
            let (set, given) = pro_rata_set(&rule, &split.lines, &before, &done);
            let total: i128 = set.iter().map(|(_, line, _)| i128::from(*line)).sum();
            let so_far: i128 = set.iter().zip(&given).map(|((_, _, before), now)| i128::from(before + now)).sum();
            let due = |(path, line, before): (&str, i64, i64), had: i64| {
                (i128::from(line) * so_far - i128::from(before + had) * total, Reverse(path.to_owned()))
            };
            let last_given = set.iter().zip(&given).filter(|(_, now)| **now > 0).map(|(l, now)| due(*l, now - 1)).min();
            let first_not_given = set.iter().zip(&given).map(|(l, now)| due(*l, *now)).max();
            prop_assert!(last_given.is_none() || last_given > first_not_given);
            before.iter_mut().zip(done.returns).for_each(|(sum, more)| *sum += more.get());
        }
    }
}

#[test]
fn a_refused_refund_changes_nothing() {
    let rule = rule_with(json!([{"to": "agent:A", "role": "agent", "rate_ppm": 333_333}]), json!({}));
    let facts = order(1000, 6, 10);
    let split = compute(&rule, &facts).unwrap();
    let refund = |amount, fee_back| Refund { amount: Fen::new(amount), fee_back: Fen::new(fee_back) };
    let mut plain = Refunds::new(&rule, &facts, &split.lines);
    let mut disturbed = plain.clone();
    for (bad, error) in [
        (refund(0, 0), RefundError::InvalidInput),
        (refund(-3, 0), RefundError::InvalidInput),
        (refund(1_000_000_000_001, 0), RefundError::InvalidInput),
        (refund(10, 7), RefundError::InvalidInput),
        (refund(10, -1), RefundError::InvalidInput),
        (refund(1001, 0), RefundError::ExceedsPaid),
        (refund(1_000_000_000_000, 0), RefundError::ExceedsPaid),
    ] {
        assert_eq!(disturbed.apply(bad), Err(error), "{bad:?}");
    }
    for amount in [1, 499, 500] {
        assert_eq!(disturbed.apply(refund(amount, 0)), plain.apply(refund(amount, 0)));
    }
    assert_eq!(disturbed.refunded(), Fen::new(1000));
}
