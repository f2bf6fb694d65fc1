//! What the files say of an order, or before the cut a preview by the contract's fee (`split.md`, "Order facts").
//! Lines are shown as stored; the words beside them come from computing them again.
use std::collections::{BTreeMap, BTreeSet};

use super::drawn::{Amount, Drawn, SplitView, draw};
use super::explain;
use crate::clock;
use crate::db::Tx;
use crate::db::columns::FileId;
use crate::error::Error;
use crate::exchange;
use crate::exchange::{AnswerStage, ExchangedFile};
use crate::kernel::digest::Digest;
use crate::kernel::file::ret::{RetCode, RetStatus};
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::kernel::rule::{self, RuleVersion};
use crate::kernel::split::{self as kernel, OrderFacts};
use crate::kernel::state::FileState;
use crate::orders::{Detail, Payment};
use crate::splits::{self, Entry};
use crate::web::kit::format::{Yuan, percent_of_ppm};
use crate::web::kit::lang::Lang;
use crate::web::kit::tag::{Mood, Tag};
use crate::web::words::Words;
use crate::web::words::say::{self, Basis};
use crate::{merchants, reconciliation, rules};

/// A line of the order's timeline that a file tells.
pub struct FileMoment {
    /// The colour.
    pub class: &'static str,
    /// What happened.
    pub text: String,
    /// The file.
    pub file: String,
    /// Its digest.
    pub digest: Digest,
    /// Unix microseconds.
    pub at: i64,
}

/// What the files say of an order.
#[derive(Default)]
pub struct Shown {
    /// The picture, where there is one.
    pub split: Option<SplitView>,
    /// The reason of an X line.
    pub unsplit: Option<Reason>,
    /// How it stands.
    pub tag: Option<Tag>,
    /// What was split, or would be.
    pub facts: Option<OrderFacts>,
    /// The merchant's line.
    pub merchant: Option<Fen>,
    /// Where the fee comes from.
    pub fee_note: String,
    /// For the timeline.
    pub told: Vec<FileMoment>,
}

impl Shown {
    fn put(&mut self, lang: Lang, facts: OrderFacts, drawn: Drawn<'_>) {
        self.tag = Some(drawn.tag.clone());
        self.merchant =
            drawn.lines.iter().find(|line| line.path == kernel::MERCHANT_PATH).map(|line| line.amount);
        self.split = Some(draw(lang, &facts, drawn));
        self.facts = Some(facts);
    }
}

/// What the files, or else the preview, say of an order.
pub fn read(tx: &mut Tx<'_>, lang: Lang, detail: &Detail) -> Result<Shown, Error> {
    let Some(payment) = &detail.standing.payment else { return Ok(Shown::default()) };
    let mut shown = Shown::default();
    let mut standing = None;
    for (file, n) in places(tx, detail, payment)? {
        let file = exchange::by_id(tx, file)?;
        let Some(entry) = splits::entry(tx, &file, n)? else { continue };
        if !tell(tx, lang, &file, &entry, &mut shown.told)? {
            standing = Some((entry, file));
        }
    }
    match standing {
        Some((entry, _)) if entry.order.reason.is_some() => {
            shown.facts = Some(facts_of(&entry));
            shown.fee_note = lang.words().order.fee_of_bill.to_owned();
            shown.unsplit = entry.order.reason;
            shown.tag = Some(file_tag(lang.words(), true));
        }
        Some((entry, file)) => of_file(tx, lang, detail, &entry, &file, &mut shown)?,
        None => preview(tx, lang, detail, payment, &mut shown)?,
    }
    Ok(shown)
}

/// The order's places in files: of the day of our record, or where a bill had it on another one.
fn places(tx: &mut Tx<'_>, detail: &Detail, payment: &Payment) -> Result<Vec<(FileId, i32)>, Error> {
    let order = &detail.standing.order;
    let institution = order.institution_id;
    let mut days = reconciliation::days_of(tx, institution, &order.order_no)?;
    days.push(clock::instant(payment.paid_at).business_day());
    days.sort_unstable();
    days.dedup();
    let mut places = Vec::new();
    for day in days {
        places.extend(splits::places(tx, institution, day, &payment.inst_order_no)?);
    }
    Ok(places)
}

/// Tells a file and what its results say of the order; answers whether the file is void.
fn tell(
    tx: &mut Tx<'_>,
    lang: Lang,
    file: &ExchangedFile,
    entry: &Entry,
    told: &mut Vec<FileMoment>,
) -> Result<bool, Error> {
    let w = lang.words();
    let text = if entry.order.reason.is_some() { w.order.in_file_unsplit } else { w.order.in_file };
    let (name, digest) = (file.name.clone(), file.sha256);
    told.push(FileMoment { class: "ok", text: text.to_owned(), file: name, digest, at: file.recorded_at });
    let void = exchange::file_state(tx, file.id)? == FileState::Rejected;
    for result in exchange::results_of(tx, file.id)? {
        let (class, text) = if result.stage == AnswerStage::First {
            first_words(lang, result.code)
        } else {
            match exchange::result_line(tx, result.id, entry.order.n)? {
                Some(line) => final_words(w, line.status),
                None => continue,
            }
        };
        let ret = exchange::by_id(tx, result.ret_file_id)?;
        told.push(FileMoment { class, text, file: ret.name, digest: ret.sha256, at: result.imported_at });
    }
    Ok(void)
}

fn first_words(lang: Lang, code: RetCode) -> (&'static str, String) {
    if code == RetCode::Accepted {
        return ("ok", lang.words().order.file_taken.to_owned());
    }
    ("warn", say::Told::FileRefused(code.as_str()).say(lang))
}

fn final_words(w: &Words, status: RetStatus) -> (&'static str, String) {
    let (class, said) = match status {
        RetStatus::Success => ("ok", w.order.cleared),
        RetStatus::Pending => ("now", w.order.pending),
        RetStatus::Bounced => ("warn", w.order.bounced),
        RetStatus::Failed => ("warn", w.order.failed),
    };
    (class, said.to_owned())
}

/// How an order stands in the files, as a tag.
fn file_tag(w: &Words, unsplit: bool) -> Tag {
    if unsplit { Tag::new(Mood::Bad, w.order.unsplit_tag) } else { Tag::new(Mood::Ok, w.order.split_final) }
}

fn facts_of(entry: &Entry) -> OrderFacts {
    let Entry { order, billed, .. } = entry;
    OrderFacts {
        inst_order_no: order.inst_order_no.clone(),
        merchant: billed.merchant.clone(),
        channel: billed.channel.clone(),
        product: billed.product.clone(),
        tags: billed.tags.to_list(),
        parties: billed.parties.to_map(),
        paid_at: clock::instant(order.paid_at),
        paid: billed.paid,
        fee: billed.fee,
        subsidy: billed.subsidy,
    }
}

fn of_file(
    tx: &mut Tx<'_>,
    lang: Lang,
    detail: &Detail,
    entry: &Entry,
    file: &ExchangedFile,
    shown: &mut Shown,
) -> Result<(), Error> {
    let facts = facts_of(entry);
    let lines = entry.lines()?;
    let picked = entry.rule.as_ref().ok_or_else(|| Error::Internal("an order without its rule".into()))?;
    let version = rules::by_digest(tx, file.institution_id, &picked.digest)?;
    let version = version.and_then(|stored| rule::parse(&stored.canonical).ok());
    let receivers: BTreeSet<&str> = lines.iter().map(|line| line.receiver).collect();
    let names = merchants::receiver_names(tx, detail.standing.order.institution_id, &receivers)?;
    let n = entry.order.n;
    shown.fee_note = lang.words().order.fee_of_bill.to_owned();
    let drawn = Drawn {
        tag: file_tag(lang.words(), false),
        words: version.map(|rule| in_words(lang, &rule, &facts)).unwrap_or_default(),
        lines: lines.iter().map(Amount::from).collect(),
        names: &names,
        fee_how: lang.words().order.fee_bill_how.to_owned(),
        basis: Basis::File { rule: &picked.rule, version: i64::from(picked.version), file: &file.name, n }
            .say(lang),
    };
    shown.put(lang, facts, drawn);
    Ok(())
}

fn preview(
    tx: &mut Tx<'_>,
    lang: Lang,
    detail: &Detail,
    payment: &Payment,
    shown: &mut Shown,
) -> Result<(), Error> {
    let order = &detail.standing.order;
    let at = clock::instant(payment.received_at);
    let Some(bundle) = rules::shared_bundle_at(tx, order.institution_id, at)? else { return Ok(()) };
    let Some(rate) = bundle.fee_rate(&detail.merchant, order.channel.as_str(), order.product.as_str()) else {
        return Ok(());
    };
    let fee = rate.half_up_of(payment.paid).unwrap_or(Fen::ZERO);
    let facts = OrderFacts {
        inst_order_no: payment.inst_order_no.clone(),
        merchant: detail.merchant.clone(),
        channel: order.channel.to_string(),
        product: order.product.to_string(),
        tags: order.tags.to_list(),
        parties: order.parties.to_map(),
        paid_at: clock::instant(payment.paid_at),
        paid: payment.paid,
        fee,
        subsidy: Fen::ZERO,
    };
    let percent = percent_of_ppm(rate.get());
    shown.fee_note = Basis::ExpectedFee(&percent).say(lang);
    let versions = bundle.rules_in_force();
    let picked = rule::pick(&facts, &versions, bundle.decision(&facts.inst_order_no));
    let Some((rule, split)) = picked.and_then(|rule| Some((rule, kernel::compute(rule, &facts).ok()?)))
    else {
        shown.facts = Some(facts);
        return Ok(());
    };
    let receivers: Vec<String> = split.lines.iter().map(|line| line.receiver.to_string()).collect();
    let receivers = receivers.iter().map(String::as_str).collect();
    let names = merchants::receiver_names(tx, order.institution_id, &receivers)?;
    let drawn = Drawn {
        tag: Tag::new(Mood::Waits, lang.words().order.split_preview),
        words: in_words(lang, rule, &facts),
        lines: split.lines.iter().filter(|line| line.amount > Fen::ZERO).map(Amount::from).collect(),
        names: &names,
        fee_how: Basis::FeeHow(Yuan(facts.paid), &percent).say(lang),
        basis: Basis::Preview { rule: &rule.rule, version: rule.version }.say(lang),
    };
    shown.put(lang, facts, drawn);
    Ok(())
}

/// How each line came about, by its path; with the amount that was computed, so that no words stand beside another.
fn in_words(lang: Lang, rule: &RuleVersion, facts: &OrderFacts) -> BTreeMap<String, (Fen, String)> {
    let Ok(split) = kernel::compute(rule, facts) else { return BTreeMap::new() };
    let said = split.lines.iter().zip(&split.explain);
    said.map(|(line, how)| (line.path.to_string(), (line.amount, explain::line(lang, how)))).collect()
}
