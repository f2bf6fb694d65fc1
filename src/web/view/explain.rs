//! "怎么算的": how a line came about and what a rule says, in words (`split.md`, "Computing a split").
use crate::kernel::money::Fen;
use crate::kernel::rate::Ppm;
use crate::kernel::rule::{Amount, Base, Unmet};
use crate::kernel::split::{Clamp, Cut, Explain, MerchantExplain, PartExplain, ShareExplain, Worth};
use crate::web::format::{Yuan, percent_of_ppm};
use crate::web::lang::Lang;

/// One line in words.
#[must_use]
pub fn line(lang: Lang, explain: &Explain) -> String {
    match explain {
        Explain::Share(share) => of_share(lang, share),
        Explain::Part(part) => of_part(lang, part),
        Explain::Merchant(merchant) => of_merchant(lang, merchant),
    }
}

/// What an amount is taken of.
#[must_use]
pub fn base(lang: Lang, base: Base) -> &'static str {
    match base {
        Base::Gross => lang.pick("订单金额", "order amount"),
        Base::Net => lang.pick("可分金额", "splittable amount"),
        Base::Parent => lang.pick("上级所得", "parent's amount"),
    }
}

fn of_share(lang: Lang, share: &ShareExplain) -> String {
    let mut parts = vec![worth(lang, &share.worth)];
    parts.extend(share.cut.map(|it| cut(lang, it)));
    if share.nested > Fen::ZERO {
        let nested = Yuan(share.nested);
        parts.push(
            lang.pick(format!("其中 {nested} 分给下级"), format!("of which {nested} goes to nested shares")),
        );
    }
    if share.fee > Fen::ZERO {
        let fee = Yuan(share.fee);
        parts.push(lang.pick(format!("承担手续费 {fee}"), format!("bears {fee} of the fee")));
    }
    parts.join(lang.pick("；", "; "))
}

fn of_part(lang: Lang, part: &PartExplain) -> String {
    let mut parts = vec![worth(lang, &part.worth)];
    parts.extend(part.cut.map(|it| cut(lang, it)));
    let (divided, weight, total) = (Yuan(part.divided), part.weight, part.total_weight);
    parts.push(lang.pick(
        format!("{divided} 按权重 {weight}/{total} 分，尾差按订单号轮流"),
        format!("{divided} divided by weight {weight}/{total}, odd fen by turns of the order number"),
    ));
    parts.join(lang.pick("；", "; "))
}

fn of_merchant(lang: Lang, merchant: &MerchantExplain) -> String {
    let (pool, shares) = (Yuan(merchant.pool), Yuan(merchant.shares));
    let mut text = lang.pick(
        format!("可分金额 {pool} − 各方分出 {shares}，含取整尾差"),
        format!("splittable {pool} − shares {shares}, odd fen included"),
    );
    if merchant.fee_from_shares > Fen::ZERO {
        let fee = Yuan(merchant.fee_from_shares);
        text.push_str(
            &lang.pick(format!("；他方承担手续费 +{fee}"), format!("; fee borne by others +{fee}")),
        );
    }
    text
}

fn worth(lang: Lang, worth: &Worth) -> String {
    match worth {
        Worth::Computed { base: taken, of, tier, amount, raw, clamp } => {
            let tier = tier.map_or_else(String::new, |from| {
                let from = Yuan(from);
                lang.pick(format!("{from} 起的档："), format!("tier from {from}: "))
            });
            let mut text = format!("{tier}{}", computed(lang, *taken, *of, *amount));
            if amount.rate > Ppm::ZERO {
                text.push_str(&format!(" = {}", Yuan(*raw)));
            }
            if let Some(clamp) = clamp {
                text.push_str(lang.pick("；", "; "));
                text.push_str(&clamped(lang, *clamp));
            }
            text
        }
        Worth::ConditionFailed(unmet) => {
            format!(
                "{}{}",
                lang.pick("条件不满足，为 0：", "0, its condition does not hold: "),
                condition(lang, *unmet)
            )
        }
        Worth::PartyMissing => lang.pick("订单没有这一方，为 0", "0, the order has no such party").to_owned(),
        Worth::ParentNothing => lang.pick("上级为 0，本级也为 0", "0, because its parent is 0").to_owned(),
    }
}

fn computed(lang: Lang, taken: Base, of: Fen, amount: Amount) -> String {
    let mut terms = Vec::new();
    if amount.rate > Ppm::ZERO {
        let exact = exact_yuan(of, amount.rate);
        terms.push(format!(
            "{} {} × {} = {exact} {}",
            base(lang, taken),
            Yuan(of),
            percent_of_ppm(amount.rate.get()),
            lang.pick("（舍去不足 1 分）", "(rounded down)"),
        ));
    }
    if amount.fixed > Fen::ZERO || terms.is_empty() {
        terms.push(format!("{} {}", lang.pick("固定", "fixed"), Yuan(amount.fixed)));
    }
    terms.join(" + ")
}

/// The exact product in yuan with four decimals, before it is rounded down to fen.
fn exact_yuan(of: Fen, rate: Ppm) -> String {
    let hundredths_of_fen = i128::from(of.get()) * i128::from(rate.get()) / 10_000;
    format!("{}.{:04}", hundredths_of_fen / 10_000, hundredths_of_fen % 10_000)
}

fn clamped(lang: Lang, clamp: Clamp) -> String {
    match clamp {
        Clamp::Min(fen) => lang.pick(format!("不低于 {}", Yuan(fen)), format!("raised to {}", Yuan(fen))),
        Clamp::Max(fen) => lang.pick(format!("封顶 {}", Yuan(fen)), format!("capped at {}", Yuan(fen))),
    }
}

fn cut(lang: Lang, cut: Cut) -> String {
    let (from, to) = (Yuan(cut.from), Yuan(cut.to));
    lang.pick(
        format!("超出剩余额度，由 {from} 截为 {to}"),
        format!("cut from {from} to the {to} that was left"),
    )
}

fn condition(lang: Lang, unmet: Unmet) -> &'static str {
    match unmet {
        Unmet::GrossAtLeast => lang.pick("金额不足", "amount too small"),
        Unmet::GrossBelow => lang.pick("金额过大", "amount too large"),
        Unmet::Channels => lang.pick("其他渠道", "another channel"),
        Unmet::Products => lang.pick("其他产品", "another product"),
        Unmet::TagsAny => lang.pick("没有所需标签", "none of the tags"),
        Unmet::PaidFrom => lang.pick("支付过早", "paid too early"),
        Unmet::PaidBefore => lang.pick("支付过晚", "paid too late"),
    }
}
