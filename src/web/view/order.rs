//! One order: its facts, where each fen goes, and what happened, with the evidence.
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use askama::Template;

use super::apart::{how_ended, why_apart};
use super::drawn::SplitView;
use super::event::told;
use super::notice::{self, NoticeView};
use super::orders::{paid_by, state_tag};
use super::split::{self, Shown};
use super::unsplit::reason;
use crate::app::App;
use crate::channels::RawKind;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::proposal::Reason;
use crate::notices;
use crate::orders::{self, Apart, Detail, Ended, Evidence, KeptApart};
use crate::outbox::Delivery;
use crate::people::Scope;
use crate::web::kit::fault::Fault;
use crate::web::kit::format::{When, Yuan, percent_of};
use crate::web::kit::lang::Lang;
use crate::web::kit::page::{Shell, page};
use crate::web::kit::tag::Tag;
use crate::web::kit::visitor::Visitor;
use crate::web::words::Words;
use crate::web::words::say::Told;

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
    digest: Option<Digest>,
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
    notice: Option<NoticeView>,
    timeline: Vec<Moment>,
    older_events: bool,
}

/// The page of one order for `scope`; `list` is the address of the list it belongs to. Who `manages` what merchants are
/// told finds a button.
pub async fn show(
    app: &App,
    s: Shell,
    scope: Scope,
    (list, manages): (&str, bool),
    order_no: String,
) -> Result<HttpResponse, Fault> {
    let lang = s.lang;
    let (detail, shown, institution) = app
        .db
        .read(move |tx| {
            let detail = orders::detail(tx, &scope, &order_no)?;
            let shown = split::read(tx, lang, &detail)?;
            let institution = crate::institutions::by_id(tx, detail.standing.order.institution_id)?;
            Ok((detail, shown, institution))
        })
        .await?;
    let order = &detail.standing.order;
    let tags = std::iter::once(state_tag(detail.standing.state, s.w)).chain(shown.tag.clone()).collect();
    let no_split_next = match (&shown.unsplit, &detail.standing.payment) {
        (Some(_), _) => s.w.order.no_split_exception,
        (None, Some(_)) => s.w.order.no_split_rule,
        (None, None) => s.w.order.no_split_unpaid,
    };
    page(&OrderPage {
        list,
        order_no: order.order_no.clone(),
        tags,
        merchant: detail.merchant.clone(),
        merchant_name: detail.merchant_name.clone(),
        institution: institution.name,
        created_at: When(order.created_at),
        problem: shown.unsplit.map(|code| problem(s.w, code)),
        money: money(lang, &detail, &shown),
        no_split_next,
        facts: facts(&s, &detail),
        notice: detail.delivery.as_ref().map(|delivery| notice::view(lang, delivery, manages)),
        timeline: timeline(lang, &detail, &shown),
        older_events: detail.older_events,
        split: shown.split,
        s,
    })
}

/// Tells the merchant once more, and leads back to the order.
pub async fn tell(
    app: &App,
    visitor: &Visitor,
    scope: Scope,
    list: &str,
    order_no: String,
) -> Result<HttpResponse, Fault> {
    let (actor, now) = (visitor.actor(), app.clock.now());
    // Once it is told again, this is the number of an order, and such a one stands in an address as it is.
    let back = format!("{list}/{order_no}");
    app.db.write(move |tx| notices::tell_again(tx, &scope, &order_no, &actor, now)).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, back)).finish())
}

fn problem(w: &Words, code: Reason) -> Problem {
    let (why, todo) = reason(w, code);
    Problem { title: code.to_string(), why, todo }
}

fn money(lang: Lang, detail: &Detail, shown: &Shown) -> Money {
    let w = lang.words();
    let dash = || "—".to_owned();
    let payment = detail.standing.payment.as_ref();
    let facts = shown.facts.as_ref();
    let percent = |part: Fen| facts.map(|f| percent_of(part, f.gross())).unwrap_or_default();
    Money {
        paid: payment.map_or_else(dash, |paid| Yuan(paid.paid).to_string()),
        paid_note: payment.map_or_else(|| w.order.not_paid.to_owned(), |paid| When(paid.paid_at).to_string()),
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
    let or_none = |text: &str| if text.is_empty() { s.w.kit.none.to_owned() } else { text.to_owned() };
    let mut facts = vec![
        (s.w.terms.order_no, order.order_no.clone()),
        (s.w.terms.out_trade_no, order.out_trade_no.clone()),
    ];
    if let Some(payment) = &detail.standing.payment {
        facts.push((s.w.terms.inst_order_no, payment.inst_order_no.clone()));
        facts.push((s.w.terms.paid_at, When(payment.paid_at).to_string()));
    }
    facts.extend([
        (s.w.terms.amount, Yuan(order.amount).to_string()),
        (s.w.terms.channel, paid_by(order, s.w)),
        (s.w.terms.tags, or_none(order.tags.as_str())),
        (s.w.terms.parties, or_none(order.parties.as_str())),
        (s.w.terms.description, order.description.clone()),
    ]);
    facts
}

fn timeline(lang: Lang, detail: &Detail, shown: &Shown) -> Vec<Moment> {
    let (w, asked) = (lang.words(), detail.standing.order.amount);
    let mut all: Vec<Moment> = detail.timeline.iter().map(|entry| moment(w, entry, asked)).collect();
    if let Some(payment) = &detail.standing.payment {
        let source = detail.evidence.as_ref().map_or("", |e| source(w, e)).to_owned();
        let text = Told::Paid(Yuan(payment.paid)).say(lang);
        let digest = Some(payment.raw.sha256);
        all.push(Moment { class: "ok", text, detail: source, digest, at: When(payment.received_at) });
    }
    if let Some((delivery, (class, text, at))) =
        detail.delivery.as_ref().and_then(|it| Some((it, ended(w, it)?)))
    {
        let (text, detail) = (text.to_owned(), Told::Sent(delivery.attempts).say(lang));
        all.push(Moment { class, text, detail, digest: None, at: When(at) });
    }
    // Of another amount an event tells already.
    for one in detail.apart.iter().filter(|one| one.why != Apart::Amount) {
        let (why, todo) = why_apart(w, one.why);
        // What was to be done is told as done further up.
        let detail = match one.ended {
            Some(_) => one.inst_order_no.clone(),
            None => format!("{} · {todo}", one.inst_order_no),
        };
        let text = why.to_owned();
        all.push(Moment { class: "warn", text, detail, digest: None, at: When(one.received_at) });
    }
    for (one, end) in detail.apart.iter().filter_map(|one| Some((one, one.ended.as_ref()?))) {
        let (text, detail) = (how_ended(w, end.how).to_owned(), ended_detail(one, end));
        all.push(Moment { class: "ok", text, detail, digest: None, at: When(end.at) });
    }
    for told in &shown.told {
        let (class, text) = (told.class, told.text.clone());
        let (detail, digest) = (told.file.clone(), Some(told.digest));
        all.push(Moment { class, text, detail, digest, at: When(told.at) });
    }
    all.sort_by_key(|moment| std::cmp::Reverse(moment.at.0));
    all
}

/// Which payment it was, what was done with it, and by whom.
fn ended_detail(one: &KeptApart, end: &Ended) -> String {
    format!("{} · {} · {}", one.inst_order_no, end.words, end.actor)
}

/// How the notification of the merchant ended, once it has.
fn ended(w: &Words, delivery: &Delivery) -> Option<(&'static str, &'static str, i64)> {
    match (delivery.done_at, delivery.given_up_at) {
        (Some(at), _) => Some(("ok", w.order.told_notified, at)),
        (None, Some(at)) => Some(("warn", w.order.told_given_up, at)),
        (None, None) => None,
    }
}

fn source(w: &Words, evidence: &Evidence) -> &'static str {
    match evidence.kind {
        RawKind::QueryAnswer => w.order.by_query,
        RawKind::Notification => w.order.by_notification,
    }
}

fn moment(w: &Words, entry: &orders::TimelineEntry, asked: Fen) -> Moment {
    let (class, text, detail) = told(w, &entry.event, asked);
    let digest = entry.evidence.as_ref().map(|evidence| evidence.sha256);
    Moment { class, text: text.to_owned(), detail, digest, at: When(entry.at) }
}
