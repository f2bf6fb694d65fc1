//! A batch of payments in one transaction: a few lookups, a decision for each, and one statement a table.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::store::{self, Awaited, EventRow, KeyRow, KnownPayment, NoteRow, OrphanRow, PaymentRow, RawRow};
use super::{Outcome, PaymentFact, RawKind};
use crate::clock;
use crate::db::Tx;
use crate::error::Error;
use crate::institutions::ChannelWord;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::split::OrderFacts;
use crate::kernel::state::OrderState;
use crate::ledger;
use crate::orders::{Event, Payment, RawRef, Standing, view};
use crate::rules::{self, Preview};

/// The institutions' bundles in force, each looked for once a batch.
type Bundles = HashMap<i64, Option<Arc<Bundle>>>;

fn bundle_at(
    tx: &mut Tx<'_>,
    bundles: &mut Bundles,
    institution: i64,
    at: i64,
) -> Result<Option<Arc<Bundle>>, Error> {
    if let Some(known) = bundles.get(&institution) {
        return Ok(known.clone());
    }
    let bundle = rules::shared_bundle_at(tx, institution, clock::instant(at))?;
    bundles.insert(institution, bundle.clone());
    Ok(bundle)
}

/// A payment of an order that awaits it.
struct Taken<'f> {
    fact: &'f PaymentFact,
    awaited: &'f Awaited,
    raw: RawRef,
    preview: Option<Preview>,
}

/// What is stored for a batch.
#[derive(Default)]
struct Decided<'f> {
    taken: Vec<Taken<'f>>,
    orphans: Vec<(&'f PaymentFact, RawRef)>,
}

/// Takes a batch; the outcomes are in its order.
pub(super) fn take_all(tx: &mut Tx<'_>, facts: &[PaymentFact]) -> Result<Vec<Outcome>, Error> {
    let mut bundles = Bundles::new();
    // Two writers that insert keys in different orders would deadlock.
    let mut by_key: Vec<(usize, &PaymentFact)> = facts.iter().enumerate().collect();
    by_key.sort_by_cached_key(|(_, fact)| fact.key());
    // Orders first: what another process stores between the two look-ups is known then. The other way round its order
    // would look paid by somebody else, and the payment be kept apart.
    let numbers: Vec<&str> = by_key.iter().map(|(_, fact)| fact.order_no.as_str()).collect();
    let awaited = store::awaited(tx, &numbers)?;
    let numbers: Vec<&str> = by_key.iter().map(|(_, fact)| fact.inst_order_no.as_str()).collect();
    let mut known = store::known_payments(tx, &numbers)?;
    let (mut decided, mut paid_now) = (Decided::default(), HashSet::new());
    let mut outcomes = vec![Outcome::Conflict; facts.len()];
    for (place, fact) in by_key {
        let outcome = match known.get(&fact.key()) {
            Some(known) => compare(fact, known),
            None => {
                let order = awaited.get(fact.order_no.as_str()).filter(|one| awaits(one, fact));
                let outcome = match order.filter(|one| paid_now.insert(one.order.id)) {
                    Some(awaited) => take(tx, &mut bundles, &mut decided, fact, awaited)?,
                    None => keep_orphan(&mut decided, fact),
                };
                known.insert(fact.key(), KnownPayment::of(fact));
                outcome
            }
        };
        if let Some(slot) = outcomes.get_mut(place) {
            *slot = outcome;
        }
    }
    store_all(tx, &decided)?;
    Ok(outcomes)
}

/// An unpaid order of this institution, channel and merchant; any other payment under its number is kept apart.
fn awaits(awaited: &Awaited, fact: &PaymentFact) -> bool {
    !awaited.is_paid
        && awaited.order.institution_id == fact.institution_id
        && awaited.order.channel == fact.channel.as_str()
        && awaited.merchant.inst_merchant_no == fact.inst_merchant_no
}

fn compare(fact: &PaymentFact, known: &KnownPayment) -> Outcome {
    if *known == KnownPayment::of(fact) {
        return Outcome::Known;
    }
    tracing::error!(
        inst_order_no = fact.inst_order_no,
        order_no = fact.order_no,
        kept_order_no = known.order_no,
        sha256 = fact.raw_ref().sha256,
        "evidence conflict: the institution's number was stored before with other facts"
    );
    Outcome::Conflict
}

fn take<'f>(
    tx: &mut Tx<'_>,
    bundles: &mut Bundles,
    decided: &mut Decided<'f>,
    fact: &'f PaymentFact,
    awaited: &'f Awaited,
) -> Result<Outcome, Error> {
    let bundle = bundle_at(tx, bundles, fact.institution_id, fact.raw.received_at)?;
    let preview = bundle.and_then(|bundle| rules::preview(&bundle, &facts(fact, awaited)));
    decided.taken.push(Taken { fact, awaited, raw: fact.raw_ref(), preview });
    Ok(Outcome::Stored)
}

fn keep_orphan<'f>(decided: &mut Decided<'f>, fact: &'f PaymentFact) -> Outcome {
    tracing::warn!(
        inst_order_no = fact.inst_order_no,
        order_no = fact.order_no,
        "a signed payment that no order of ours awaits was kept"
    );
    decided.orphans.push((fact, fact.raw_ref()));
    Outcome::Orphan
}

/// The facts by which a rule is picked before the bill; the fee is not known yet.
fn facts(fact: &PaymentFact, awaited: &Awaited) -> OrderFacts {
    OrderFacts {
        inst_order_no: fact.inst_order_no.clone(),
        merchant: awaited.merchant.merchant.clone(),
        channel: fact.channel.as_str().to_owned(),
        product: fact.product.clone(),
        tags: awaited.order.tag_list(),
        parties: awaited.order.party_map(),
        paid_at: fact.paid_at,
        paid: fact.paid,
        fee: Fen::ZERO,
        subsidy: Fen::ZERO,
    }
}

fn store_all(tx: &mut Tx<'_>, decided: &Decided<'_>) -> Result<(), Error> {
    let entries = post(tx, &decided.taken)?;
    let mut raws = Vec::with_capacity(decided.taken.len());
    let (mut keys, mut payments) = (Vec::new(), Vec::with_capacity(decided.taken.len()));
    let (mut notes, mut events) = (Vec::with_capacity(decided.taken.len()), Vec::new());
    for taken in &decided.taken {
        let day = taken.fact.paid_at.business_day();
        let entry = entries.get(&(taken.fact.institution_id, taken.fact.channel, day)).copied();
        raws.push(RawRow::of(taken.fact, &taken.raw));
        keys.push(KeyRow::of(taken.fact, &taken.awaited.order, &taken.raw));
        payments.push(PaymentRow::of(
            taken.fact,
            &taken.awaited.order,
            taken.preview.as_ref(),
            &taken.raw,
            entry,
        ));
        for remark in remarks(taken) {
            let at = taken.fact.raw.received_at;
            events.push(EventRow::of(taken.awaited.order.id, at, &remark, &taken.raw));
        }
        notes.push(note(taken)?);
    }
    raws.extend(decided.orphans.iter().map(|(fact, raw)| RawRow::of(fact, raw)));
    let orphans: Vec<OrphanRow<'_>> =
        decided.orphans.iter().map(|(fact, raw)| OrphanRow::of(fact, raw)).collect();
    RawRow::insert(tx, &raws)?;
    KeyRow::insert(tx, &keys)?;
    PaymentRow::insert(tx, &payments)?;
    OrphanRow::insert(tx, &orphans)?;
    EventRow::insert(tx, &events)?;
    NoteRow::insert(tx, &notes)
}

/// What payments of a batch are summed by: institution, channel, business day.
type Sum = (i64, ChannelWord, BusinessDay);

/// One ledger entry for each institution, channel and business day of the batch, by those.
fn post(tx: &mut Tx<'_>, taken: &[Taken<'_>]) -> Result<BTreeMap<Sum, i64>, Error> {
    let mut sums: BTreeMap<Sum, (Fen, i64, i64)> = BTreeMap::new();
    for Taken { fact, .. } in taken {
        let key = (fact.institution_id, fact.channel, fact.paid_at.business_day());
        let (paid, orders, at) = sums.entry(key).or_default();
        *paid = paid.checked_add(fact.paid).ok_or_else(|| Error::Internal("a batch's sum".to_owned()))?;
        *orders = orders.saturating_add(1);
        *at = fact.raw.received_at.max(*at);
    }
    let mut entries = BTreeMap::new();
    for ((institution, channel, day), (paid, orders, at)) in sums {
        let batch = (paid, orders);
        let entry = ledger::paid(tx, institution, day, channel.as_str(), batch, "payments".to_owned(), at)?;
        entries.extend(entry.map(|id| ((institution, channel, day), id)));
    }
    Ok(entries)
}

/// What is unusual about a payment, for the order's timeline.
fn remarks(taken: &Taken<'_>) -> Vec<Event> {
    let Taken { fact, awaited, .. } = taken;
    let mut remarks = Vec::new();
    if fact.raw.kind == RawKind::QueryAnswer {
        remarks.push(Event::Queried("SUCCESS".to_owned()));
    }
    if let Some(reason) = &awaited.closed {
        remarks.push(Event::LatePayment(reason.clone()));
    }
    if awaited.order.amount != fact.paid {
        let (paid, asked) = (fact.paid.get(), awaited.order.amount.get());
        remarks.push(Event::AmountDiffers(format!("{paid} != {asked}")));
    }
    remarks
}

/// The merchant's notification, to be delivered from now on under one id.
fn note<'f>(taken: &Taken<'f>) -> Result<NoteRow<'f>, Error> {
    let Taken { fact, awaited, raw, preview } = taken;
    let payment = Payment {
        business_date: raw.business_date,
        inst_order_no: fact.inst_order_no.clone(),
        paid: fact.paid,
        paid_at: clock::micros(fact.paid_at),
        received_at: fact.raw.received_at,
        preview_rule: preview.as_ref().map(|preview| preview.rule.clone()),
        preview_digest: preview.as_ref().map(|preview| preview.digest.clone()),
        raw: raw.clone(),
    };
    let (order, state) = (awaited.order.clone(), OrderState::Paid);
    let standing = Standing { order, state, detail: String::new(), payment: Some(payment) };
    let body = view::notification(&standing, &awaited.merchant, &awaited.tenant)?;
    let event_id = ulid::Ulid::generate().to_string();
    Ok(NoteRow::of(&awaited.order, fact.raw.received_at, event_id, body))
}
