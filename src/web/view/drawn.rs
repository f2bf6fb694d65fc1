//! The lines of a split as a picture and the table beside it.
use std::collections::BTreeMap;

use super::flow::{self, Flow, Part, color};
use crate::kernel::file::spl::SplLine;
use crate::kernel::money::Fen;
use crate::kernel::split::{Line, MERCHANT_PATH, OrderFacts};
use crate::web::kit::format::Yuan;
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::Tag;
use crate::web::words::say::Counted;

/// A line as stored or computed.
pub struct Amount {
    /// The place in the rule.
    pub path: String,
    /// The role.
    pub role: String,
    /// The receiver key.
    pub receiver: String,
    /// In fen.
    pub amount: Fen,
}

impl From<&Line> for Amount {
    fn from(line: &Line) -> Self {
        let (path, role, receiver) =
            (line.path.to_string(), line.role.to_string(), line.receiver.to_string());
        Self { path, role, receiver, amount: line.amount }
    }
}

impl From<&SplLine<'_>> for Amount {
    fn from(line: &SplLine<'_>) -> Self {
        let (path, role, receiver) = (line.path.to_owned(), line.role.to_owned(), line.receiver.to_owned());
        Self { path, role, receiver, amount: line.amount }
    }
}

/// What is to be drawn.
pub struct Drawn<'a> {
    /// Final or preview.
    pub tag: Tag,
    /// In the order of the file, the merchant last.
    pub lines: Vec<Amount>,
    /// How each came about, by path, with the amount that these words explain.
    pub words: BTreeMap<String, (Fen, String)>,
    /// Display names by receiver key.
    pub names: &'a BTreeMap<String, String>,
    /// How the fee came about.
    pub fee_how: String,
    /// What it rests on.
    pub basis: String,
}

/// One line of the table.
pub struct LineView {
    /// 1 at the top, deeper for nested shares.
    pub depth: usize,
    /// The role's colour.
    pub color: &'static str,
    /// The receiver's name.
    pub name: String,
    /// Receiver key, role and place in the rule; empty for the channel's fee.
    pub receiver: String,
    /// The role.
    pub role: String,
    /// The place in the rule.
    pub path: String,
    /// In words.
    pub how: String,
    /// How much.
    pub amount: Yuan,
}

/// The picture and its table.
pub struct SplitView {
    /// Final or preview.
    pub tag: Tag,
    /// The picture.
    pub flow: Flow,
    /// The merchant's line first, the channel's fee last.
    pub lines: Vec<LineView>,
    /// What it rests on.
    pub basis: String,
    /// How far the parts are from the whole; in words.
    pub difference: String,
}

/// Picture and table of a split.
#[must_use]
pub fn draw(lang: Lang, facts: &OrderFacts, drawn: Drawn<'_>) -> SplitView {
    let w = lang.words();
    let named =
        |line: &Amount| drawn.names.get(&line.receiver).cloned().unwrap_or_else(|| line.receiver.clone());
    let (merchant, others): (Vec<&Amount>, Vec<&Amount>) =
        drawn.lines.iter().partition(|line| line.path == MERCHANT_PATH);
    let ordered: Vec<&Amount> = merchant.into_iter().chain(others).collect();
    let part = |line: &&Amount| Part { name: named(line), color: color(&line.role), amount: line.amount };
    let mut parts: Vec<Part> = ordered.iter().map(part).collect();
    parts.push(Part { name: w.terms.fee.to_owned(), color: "fee", amount: facts.fee });
    let sum = Fen::sum(parts.iter().map(|part| part.amount)).unwrap_or(Fen::ZERO);
    let mut sources = vec![(w.terms.paid.to_owned(), facts.paid)];
    if facts.subsidy > Fen::ZERO {
        sources.push((w.terms.subsidy.to_owned(), facts.subsidy));
    }
    let mut lines: Vec<LineView> =
        ordered.iter().map(|line| line_view(line, named(line), &drawn.words)).collect();
    lines.push(fee_view(w.terms.fee, facts.fee, drawn.fee_how));
    SplitView {
        lines,
        flow: flow::lay_out(sources, parts, w.order.flow_rest),
        difference: difference(lang, facts.gross(), sum),
        tag: drawn.tag,
        basis: drawn.basis,
    }
}

fn line_view(line: &Amount, name: String, words: &BTreeMap<String, (Fen, String)>) -> LineView {
    let how = words.get(&line.path).filter(|(explained, _)| *explained == line.amount);
    LineView {
        depth: line.path.matches('.').count() + 1,
        color: color(&line.role),
        name,
        receiver: line.receiver.clone(),
        role: line.role.clone(),
        path: line.path.clone(),
        how: how.map_or_else(|| "—".to_owned(), |(_, words)| words.clone()),
        amount: Yuan(line.amount),
    }
}

fn fee_view(name: &str, fee: Fen, how: String) -> LineView {
    LineView {
        depth: 1,
        color: "fee",
        name: name.to_owned(),
        receiver: String::new(),
        role: String::new(),
        path: String::new(),
        how,
        amount: Yuan(fee),
    }
}

fn difference(lang: Lang, whole: Fen, sum: Fen) -> String {
    if whole == sum {
        return lang.words().order.balanced.to_owned();
    }
    Counted::Off(whole.get().abs_diff(sum.get())).say(lang)
}
