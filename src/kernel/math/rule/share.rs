//! Reading the shares of a rule version.
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::json::{At, Check, Entries};
use crate::money::Fen;
use crate::rate::Ppm;
use crate::text;

use super::parse::words;
use super::{Amount, Base, Part, Share, Target, Tier, Value, When};

const MAX_DEPTH: usize = 3;
const MAX_RECEIVERS: usize = 50;
const MAX_WEIGHT: i64 = 1_000_000;
const OPTIONAL: [&str; 10] =
    ["to", "divide", "tiers", "rate_ppm", "fixed", "base", "min", "max", "when", "shares"];

pub(super) struct ShareReader<'c> {
    check: &'c mut Check,
    receivers: usize,
}

impl ShareReader<'_> {
    /// The top-level shares of a rule and how many receivers they name at all depths; `None` only after a finding.
    pub(super) fn read(check: &mut Check, rule: &Entries<'_>) -> Option<(Vec<Share>, usize)> {
        let mut reader = ShareReader { check, receivers: 0 };
        let items = reader.check.list(&rule.get("shares")?, 0..=usize::MAX)?;
        let shares = reader.all(&items, "", 1);
        let receivers = reader.receivers;
        if receivers > MAX_RECEIVERS {
            check.note(rule.place("shares"), format!("name more than {MAX_RECEIVERS} receivers"));
        }
        Some((shares?, receivers))
    }

    fn all(&mut self, items: &[At<'_>], prefix: &str, depth: usize) -> Option<Vec<Share>> {
        let read = |(i, at)| self.share(at, &format!("{prefix}{i}"), depth);
        let shares: Vec<_> = items.iter().enumerate().map(read).collect();
        shares.into_iter().collect()
    }

    fn share(&mut self, at: &At<'_>, path: &str, depth: usize) -> Option<Share> {
        let keys = self.check.object(at, &["role"], &OPTIONAL)?;
        let role = keys.get("role").and_then(|at| self.check.text(&at, text::is_role, "a role of a-z"));
        let target = self.target(at, &keys, path);
        let value = self.value(at, &keys);
        let base = self.base(&keys, depth);
        let (min, max) = (self.fen(&keys, "min"), self.fen(&keys, "max"));
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.check.note(keys.place("max"), "must not be below min");
        }
        let when = keys.get("when").map(|at| self.when(&at));
        let shares = self.nested(&keys, path, depth);
        Some(Share {
            path: Arc::from(path),
            role: Arc::from(role?),
            target: target?,
            base: base?,
            value: value?,
            min,
            max,
            when: match when {
                Some(when) => Some(when?),
                None => None,
            },
            shares: shares?,
        })
    }

    /// An optional amount: `None` also after a finding.
    fn fen(&mut self, keys: &Entries<'_>, key: &str) -> Option<Fen> {
        keys.get(key).and_then(|at| self.check.fen(&at))
    }

    fn ppm(&mut self, keys: &Entries<'_>, key: &str) -> Option<Ppm> {
        keys.get(key).and_then(|at| self.check.ppm(&at))
    }

    fn target(&mut self, at: &At<'_>, keys: &Entries<'_>, path: &str) -> Option<Target> {
        let to = keys.get("to").map(|at| self.to(&at));
        let divide = keys.get("divide").map(|at| self.divide(&at, path));
        match (to, divide) {
            (Some(to), None) => to,
            (None, Some(divide)) => divide,
            (None, None) | (Some(_), Some(_)) => {
                self.check.note(&at.path, "needs exactly one of `to` and `divide`");
                None
            }
        }
    }

    fn to(&mut self, at: &At<'_>) -> Option<Target> {
        self.receivers = self.receivers.saturating_add(1);
        let fits =
            |key: &str| key.strip_prefix('$').map_or_else(|| text::is_receiver(key), text::is_party_name);
        let written = self.check.text(at, fits, "a receiver key or $ and a party's name")?;
        Some(match written.strip_prefix('$') {
            Some(name) => Target::Party { written: Arc::from(written), name: Arc::from(name) },
            None => Target::Receiver(Arc::from(written)),
        })
    }

    fn divide(&mut self, at: &At<'_>, path: &str) -> Option<Target> {
        let items = self.check.list(at, 2..=20)?;
        self.receivers = self.receivers.saturating_add(items.len());
        let read = |(i, at)| self.part(at, &format!("{path}#{i}"));
        let parts: Vec<_> = items.iter().enumerate().map(read).collect();
        let parts: Vec<Part> = parts.into_iter().collect::<Option<_>>()?;
        if parts.iter().map(|part| &part.receiver).collect::<BTreeSet<_>>().len() < parts.len() {
            self.check.note(&at.path, "names a receiver twice");
        }
        let total = parts.iter().try_fold(0_u32, |sum, part| sum.checked_add(part.weight))?;
        Some(Target::Divide { parts, total })
    }

    fn part(&mut self, at: &At<'_>, path: &str) -> Option<Part> {
        let keys = self.check.object(at, &["to", "weight"], &[])?;
        let receiver =
            keys.get("to").and_then(|at| self.check.text(&at, text::is_receiver, "a receiver key"));
        let weight = keys.get("weight").and_then(|at| self.check.integer(&at, 1..=MAX_WEIGHT));
        Some(Part {
            path: Arc::from(path),
            receiver: Arc::from(receiver?),
            weight: u32::try_from(weight?).ok()?,
        })
    }

    fn value(&mut self, at: &At<'_>, keys: &Entries<'_>) -> Option<Value> {
        if let Some(tiers) = keys.get("tiers") {
            if keys.has("rate_ppm") || keys.has("fixed") {
                self.check.note(&tiers.path, "cannot stand beside rate_ppm or fixed");
            }
            return self.tiers(&tiers);
        }
        let (rate, fixed) = (self.ppm(keys, "rate_ppm"), self.fen(keys, "fixed"));
        let wrong = keys.has("rate_ppm") != rate.is_some() || keys.has("fixed") != fixed.is_some();
        let amount = Amount { rate: rate.unwrap_or_default(), fixed: fixed.unwrap_or_default() };
        if !wrong && amount == Amount::default() {
            self.check.note(&at.path, "needs tiers, or rate_ppm or fixed above 0");
        }
        Some(Value::Flat(amount))
    }

    fn tiers(&mut self, at: &At<'_>) -> Option<Value> {
        let items = self.check.list(at, 1..=20)?;
        let tiers: Vec<_> = items.iter().map(|item| self.tier(item)).collect();
        let tiers: Vec<Tier> = tiers.into_iter().collect::<Option<_>>()?;
        if tiers.first().is_some_and(|first| first.from != Fen::ZERO) {
            self.check.note(&at.path, "the first tier must begin at 0");
        }
        if tiers.iter().zip(tiers.iter().skip(1)).any(|(one, next)| one.from >= next.from) {
            self.check.note(&at.path, "each tier must begin above the one before");
        }
        Some(Value::Tiers(tiers))
    }

    fn tier(&mut self, at: &At<'_>) -> Option<Tier> {
        let keys = self.check.object(at, &["from"], &["rate_ppm", "fixed"])?;
        let from = self.fen(&keys, "from");
        let (rate, fixed) = (self.ppm(&keys, "rate_ppm"), self.fen(&keys, "fixed"));
        let amount = Amount { rate: rate.unwrap_or_default(), fixed: fixed.unwrap_or_default() };
        Some(Tier { from: from?, amount })
    }

    fn base(&mut self, keys: &Entries<'_>, depth: usize) -> Option<Base> {
        let named = keys.get("base");
        if depth > 1 {
            if let Some(at) = named {
                self.check.note(at.path, "only a top-level share names its base");
            }
            return Some(Base::Parent);
        }
        let Some(at) = named else {
            return Some(Base::Gross);
        };
        match self.check.text(&at, |base| matches!(base, "gross" | "net"), "`gross` or `net`")? {
            "net" => Some(Base::Net),
            _ => Some(Base::Gross),
        }
    }

    fn when(&mut self, at: &At<'_>) -> Option<When> {
        let known =
            ["gross_at_least", "gross_below", "channels", "products", "tags_any", "paid_from", "paid_before"];
        let keys = self.check.object(at, &[], &known)?;
        if !known.into_iter().any(|key| keys.has(key)) {
            self.check.note(&at.path, "must name a condition");
        }
        let check = &mut *self.check;
        Some(When {
            gross_at_least: keys.get("gross_at_least").and_then(|at| check.fen(&at)),
            gross_below: keys.get("gross_below").and_then(|at| check.fen(&at)),
            channels: keys.get("channels").and_then(|at| words(check, &at, text::is_channel, "a channel")),
            products: keys.get("products").and_then(|at| words(check, &at, text::is_channel, "a product")),
            tags_any: keys.get("tags_any").and_then(|at| words(check, &at, text::is_tag, "a tag")),
            paid_from: keys.get("paid_from").and_then(|at| check.instant(&at)),
            paid_before: keys.get("paid_before").and_then(|at| check.instant(&at)),
        })
    }

    fn nested(&mut self, keys: &Entries<'_>, path: &str, depth: usize) -> Option<Vec<Share>> {
        let Some(at) = keys.get("shares") else {
            return Some(Vec::new());
        };
        if !keys.has("to") {
            self.check.note(&at.path, "need a `to` to be taken from");
        }
        if depth >= MAX_DEPTH {
            self.check.note(&at.path, format!("lie deeper than {MAX_DEPTH} levels"));
            return None;
        }
        let items = self.check.list(&at, 1..=usize::MAX)?;
        self.all(&items, &format!("{path}."), depth.saturating_add(1))
    }
}
