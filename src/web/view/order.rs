//! One order: its facts, where each fen goes, and what happened, with the evidence.
use actix_web::HttpResponse;
use askama::Template;

use super::drawn::SplitView;
use super::event::told;
use super::exceptions::reason;
use super::orders::state_tag;
use super::split::{self, Shown};
use super::{Mood, Tag};
use crate::app::App;
use crate::channels::RawKind;
use crate::kernel::money::Fen;
use crate::orders::{self, Detail, Evidence};
use crate::people::Scope;
use crate::web::fault::Fault;
use crate::web::format::{When, Yuan};
use crate::web::lang::Lang;
use crate::web::page;
use crate::web::shell::Shell;

struct Problem {
    title: String,
    why: &'static str,
    todo: &'static str,
}

struct Money {
    paid: String,
    paid_note: String,
    subsidy: Option<Yuan>,
    fee: String,
    fee_note: String,
    pool: String,
    merchant: String,
    merchant_note: String,
}

struct Moment {
    class: &'static str,
    text: String,
    detail: String,
    digest: String,
    at: When,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    s: Shell,
    list: &'a str,
    order_no: String,
    tags: Vec<Tag>,
    merchant: String,
    merchant_name: String,
    institution: String,
    created_at: When,
    problem: Option<Problem>,
    money: Money,
    split: Option<SplitView>,
    no_split_next: &'static str,
    facts: Vec<(&'static str, String)>,
    timeline: Vec<Moment>,
    older_events: bool,
}

/// The page of one order for `scope`; `list` is the address of the list it belongs to.
pub async fn show(
    app: &App,
    s: Shell,
    scope: Scope,
    list: &str,
    order_no: String,
) -> Result<HttpResponse, Fault> {
    let lang = s.lang;
    let (detail, shown, institution) = app
        .db
        .read(move |tx| {
            let detail = orders::detail(tx, &scope, &order_no)?;
            let shown = split::read(tx, lang, &detail)?;
            let institution = crate::institutions::by_id(tx, detail.standing.order.institution_id.get())?;
            Ok((detail, shown, institution))
        })
        .await?;
    let order = &detail.standing.order;
    let tags = std::iter::once(state_tag(detail.standing.state, s.w)).chain(shown.tag.clone()).collect();
    let no_split_next = match (&shown.unsplit, &detail.standing.payment) {
        (Some(_), _) => s.w.no_split_exception,
        (None, Some(_)) => s.w.no_split_rule,
        (None, None) => s.w.no_split_unpaid,
    };
    page(&OrderPage {
        list,
        order_no: order.order_no.clone(),
        tags,
        merchant: detail.merchant.clone(),
        merchant_name: detail.merchant_name.clone(),
        institution: institution.name,
        created_at: When(order.created_at),
        problem: shown.unsplit.as_deref().map(|code| {
            let (why, todo) = reason(lang, code);
            Problem { title: code.to_owned(), why, todo }
        }),
        money: money(lang, &detail, &shown),
        no_split_next,
        facts: facts(&s, &detail),
        timeline: timeline(lang, &detail, &shown),
        older_events: detail.older_events,
        split: shown.split,
        s,
    })
}

fn money(lang: Lang, detail: &Detail, shown: &Shown) -> Money {
    let w = lang.words();
    let dash = || "—".to_owned();
    let payment = detail.standing.payment.as_ref();
    let facts = shown.facts.as_ref();
    let percent =
        |part: Fen| facts.map(|f| crate::web::format::percent_of(part, f.gross())).unwrap_or_default();
    Money {
        paid: payment.map_or_else(dash, |paid| Yuan(paid.paid).to_string()),
        paid_note: payment.map_or_else(|| w.not_paid.to_owned(), |paid| When(paid.paid_at).to_string()),
        subsidy: facts.map(|f| f.subsidy).filter(|subsidy| *subsidy > Fen::ZERO).map(Yuan),
        fee: facts.map_or_else(dash, |f| Yuan(f.fee).to_string()),
        fee_note: shown.fee_note.clone(),
        pool: facts.map_or_else(dash, |f| Yuan(f.pool()).to_string()),
        merchant: shown.merchant.map_or_else(dash, |fen| Yuan(fen).to_string()),
        merchant_note: shown.merchant.map(percent).unwrap_or_default(),
    }
}

fn facts(s: &Shell, detail: &Detail) -> Vec<(&'static str, String)> {
    let order = &detail.standing.order;
    let or_none = |text: &str| if text.is_empty() { s.w.none.to_owned() } else { text.to_owned() };
    let mut facts =
        vec![(s.w.order_no, order.order_no.clone()), (s.w.out_trade_no, order.out_trade_no.clone())];
    if let Some(payment) = &detail.standing.payment {
        facts.push((s.w.inst_order_no, payment.inst_order_no.clone()));
        facts.push((s.w.paid_at, When(payment.paid_at).to_string()));
    }
    facts.extend([
        (s.w.amount, Yuan(order.amount).to_string()),
        (s.w.channel, format!("{} / {}", order.channel, order.product)),
        (s.w.tags, or_none(order.tags.as_str())),
        (s.w.parties, or_none(order.parties.as_str())),
        (s.w.description, order.description.clone()),
    ]);
    facts
}

fn timeline(lang: Lang, detail: &Detail, shown: &Shown) -> Vec<Moment> {
    let asked = detail.standing.order.amount;
    let mut all: Vec<Moment> = detail.timeline.iter().map(|entry| moment(lang, entry, asked)).collect();
    if let Some(payment) = &detail.standing.payment {
        let source = detail.evidence.as_ref().map(|e| source(lang, e)).unwrap_or_default();
        let text = lang.pick("支付成功", "Paid").to_owned();
        let text = format!("{text} {}", Yuan(payment.paid));
        let digest = payment.raw.sha256.to_string();
        all.push(Moment { class: "ok", text, detail: source, digest, at: When(payment.received_at) });
    }
    if let Some(delivery) = &detail.delivery {
        let tries = delivery.attempts;
        let (class, text, at) = match (delivery.done_at, delivery.given_up_at) {
            (Some(at), _) => {
                ("ok", lang.pick("商户已收到支付通知", "The merchant took the notification"), Some(at))
            }
            (None, Some(at)) => {
                ("warn", lang.pick("通知商户已放弃", "Notifying the merchant was given up"), Some(at))
            }
            (None, None) => ("now", "", None),
        };
        let detail = lang.pick(format!("共发送 {tries} 次"), format!("sent {tries} times"));
        let sent =
            at.map(|at| Moment { class, text: text.to_owned(), detail, digest: String::new(), at: When(at) });
        all.extend(sent);
    }
    for told in &shown.told {
        let (class, text) = (told.class, told.text.clone());
        let (detail, digest) = (told.file.clone(), told.digest.clone());
        all.push(Moment { class, text, detail, digest, at: When(told.at) });
    }
    all.sort_by_key(|moment| std::cmp::Reverse(moment.at.0));
    all
}

fn source(lang: Lang, evidence: &Evidence) -> String {
    match evidence.kind {
        RawKind::QueryAnswer => {
            lang.pick("机构查询应答，已验签", "the institution's answer, signature checked")
        }
        RawKind::Notification => {
            lang.pick("机构支付通知，已验签", "the institution's notification, signature checked")
        }
    }
    .to_owned()
}

fn moment(lang: Lang, entry: &orders::TimelineEntry, asked: Fen) -> Moment {
    let (class, text, detail) = told(lang, &entry.event, asked);
    let digest = entry.evidence.as_ref().map(|evidence| evidence.sha256.to_string()).unwrap_or_default();
    Moment { class, text: text.to_owned(), detail, digest, at: When(entry.at) }
}

/// How an order stands in the files, as a tag.
#[must_use]
pub fn file_tag(lang: Lang, unsplit: bool) -> Tag {
    let w = lang.words();
    if unsplit { Tag::new(Mood::Bad, w.unsplit_tag) } else { Tag::new(Mood::Ok, w.split_final) }
}
