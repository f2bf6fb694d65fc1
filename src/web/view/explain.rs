//! "怎么算的": how a line came about, in words (`split.md`, "Computing a split").
use crate::kernel::money::Fen;
use crate::kernel::rate::Ppm;
use crate::kernel::rule::{Amount, Base, Unmet};
use crate::kernel::split::{Clamp, Cut, Explain, MerchantExplain, PartExplain, ShareExplain, Worth};
use crate::web::kit::format::{Yuan, percent_of_ppm};
use crate::web::kit::lang::Lang;
use crate::web::words::Words;
use crate::web::words::say::How;

/// One line in words.
#[must_use]
pub fn line(lang: Lang, explain: &Explain) -> String {
    let said = match explain {
        Explain::Share(share) => of_share(lang, share),
        Explain::Part(part) => of_part(lang, part),
        Explain::Merchant(merchant) => of_merchant(lang, merchant),
    };
    said.join(lang.words().kit.clause)
}

/// What an amount is taken of.
#[must_use]
pub fn base(w: &Words, base: Base) -> &'static str {
    match base {
        Base::Gross => w.order.base_gross,
        Base::Net => w.order.base_net,
        Base::Parent => w.order.base_parent,
    }
}

fn of_share(lang: Lang, share: &ShareExplain) -> Vec<String> {
    let mut parts = worth(lang, &share.worth);
    parts.extend(share.cut.map(|it| cut(lang, it)));
    if share.nested > Fen::ZERO {
        parts.push(How::Nested(Yuan(share.nested)).say(lang));
    }
    if share.fee > Fen::ZERO {
        parts.push(How::BearsFee(Yuan(share.fee)).say(lang));
    }
    parts
}

fn of_part(lang: Lang, part: &PartExplain) -> Vec<String> {
    let mut parts = worth(lang, &part.worth);
    parts.extend(part.cut.map(|it| cut(lang, it)));
    parts.push(How::Divided(Yuan(part.divided), part.weight, part.total_weight).say(lang));
    parts
}

fn of_merchant(lang: Lang, merchant: &MerchantExplain) -> Vec<String> {
    let mut parts = vec![How::Rest(Yuan(merchant.pool), Yuan(merchant.shares)).say(lang)];
    if merchant.fee_from_shares > Fen::ZERO {
        parts.push(How::FeeOfOthers(Yuan(merchant.fee_from_shares)).say(lang));
    }
    parts
}

fn worth(lang: Lang, worth: &Worth) -> Vec<String> {
    let w = lang.words();
    match worth {
        Worth::Computed { base: taken, of, tier, amount, raw, clamp } => {
            let tier = tier.map_or_else(String::new, |from| How::Tier(Yuan(from)).say(lang));
            let mut text = format!("{tier}{}", computed(lang, *taken, *of, *amount));
            if amount.rate > Ppm::ZERO {
                text.push_str(&format!(" = {}", Yuan(*raw)));
            }
            std::iter::once(text).chain(clamp.map(|it| clamped(lang, it))).collect()
        }
        Worth::ConditionFailed(unmet) => vec![How::Unmet(condition(w, *unmet)).say(lang)],
        Worth::PartyMissing => vec![w.order.party_missing.to_owned()],
        Worth::ParentNothing => vec![w.order.parent_nothing.to_owned()],
    }
}

fn computed(lang: Lang, taken: Base, of: Fen, amount: Amount) -> String {
    let mut terms = Vec::new();
    if amount.rate > Ppm::ZERO {
        let (percent, exact) = (percent_of_ppm(amount.rate.get()), exact_yuan(of, amount.rate));
        terms.push(How::Rate(base(lang.words(), taken), Yuan(of), &percent, &exact).say(lang));
    }
    if amount.fixed > Fen::ZERO || terms.is_empty() {
        terms.push(How::Fixed(Yuan(amount.fixed)).say(lang));
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
        Clamp::Min(fen) => How::Raised(Yuan(fen)).say(lang),
        Clamp::Max(fen) => How::Capped(Yuan(fen)).say(lang),
    }
}

fn cut(lang: Lang, cut: Cut) -> String {
    How::Cut(Yuan(cut.from), Yuan(cut.to)).say(lang)
}

fn condition(w: &Words, unmet: Unmet) -> &'static str {
    match unmet {
        Unmet::GrossAtLeast => w.order.unmet_at_least,
        Unmet::GrossBelow => w.order.unmet_below,
        Unmet::Channels => w.order.unmet_channels,
        Unmet::Products => w.order.unmet_products,
        Unmet::TagsAny => w.order.unmet_tags,
        Unmet::PaidFrom => w.order.unmet_from,
        Unmet::PaidBefore => w.order.unmet_before,
    }
}
