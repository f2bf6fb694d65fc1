//! A batch of payments in one transaction: a few lookups, a decision for each, and one statement a table.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::store::{
    self, Awaited, EndRow, EventRow, KeyRow, KnownPayment, OpenApart, OrphanRow, PaymentRow, RawRow,
};
use super::{Outcome, PaymentFact};
use crate::channels::RawKind;
use crate::clock;
use crate::db::Tx;
use crate::db::columns::{EntryId, InstitutionId, OrderId};
use crate::error::Error;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::money::Fen;
use crate::kernel::split::OrderFacts;
use crate::ledger;
use crate::orders::pays::{Apart, Awaits, Stated};
use crate::orders::{Cause, Event, EventReason, Order, RawRef};
use crate::outbox::{self, About, NewNote};
use crate::rules::{self, Preview};

/// The institutions' bundles in force, each looked for once a batch.
type Bundles = HashMap<InstitutionId, Option<Arc<Bundle>>>;

fn bundle_at(
    tx: &mut Tx<'_>,
    bundles: &mut Bundles,
    institution: InstitutionId,
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
    /// The message with which it was kept apart before, if it was.
    kept: Option<RawRef>,
}

/// What is stored for a batch.
#[derive(Default)]
struct Decided<'f> {
    taken: Vec<Taken<'f>>,
    apart: Vec<KeptApart<'f>>,
}

/// A payment that pays no order, and the order that it names, if it is one of ours.
struct KeptApart<'f> {
    fact: &'f PaymentFact,
    raw: RawRef,
    why: Apart,
    named: Option<&'f Awaited>,
}

/// Takes a batch; the outcomes are in its order.
pub(super) fn take_all(tx: &mut Tx<'_>, facts: &[PaymentFact]) -> Result<Vec<Outcome>, Error> {
    let mut bundles = Bundles::new();
    // Two writers that insert keys in different orders would deadlock.
    let mut by_key: Vec<(usize, &PaymentFact)> = facts.iter().enumerate().collect();
    by_key.sort_by_cached_key(|(_, fact)| fact.key());
    // Orders first: what another process stores between the two look-ups is known then. The other way round its order
    // would look paid by somebody else, and the payment be kept apart.
    let numbers: Vec<&str> = by_key.iter().map(|(_, fact)| fact.said.order_no.as_str()).collect();
    let awaited = store::awaited(tx, &numbers)?;
    let numbers: Vec<&str> = by_key.iter().map(|(_, fact)| fact.said.inst_order_no.as_str()).collect();
    let mut known = store::known_payments(tx, &numbers)?;
    let mut open = store::open_apart(tx, &known)?;
    let (mut decided, mut paid_now) = (Decided::default(), HashSet::new());
    let mut outcomes = vec![Outcome::Conflict; facts.len()];
    for (place, fact) in by_key {
        let named = awaited.get(fact.said.order_no.as_str());
        let outcome = match (known.get(&fact.key()), open.get(&fact.key())) {
            (Some(known), None) => compare(fact, known, None),
            // It may pay its order by now; not with money that went back to the payer meanwhile.
            (Some(known), Some(kept)) => match compare(fact, known, Some(kept)) {
                Outcome::Known if !fact.said.is_refunded => match pays(named, fact, &mut paid_now) {
                    Ok(awaited) => {
                        let kept = open.remove(&fact.key()).map(|kept| kept.raw);
                        take(tx, &mut bundles, &mut decided, fact, awaited, kept)?
                    }
                    Err(_) => Outcome::Known,
                },
                other @ (Outcome::Stored | Outcome::Known | Outcome::Orphan | Outcome::Conflict) => other,
            },
            (None, _) => {
                let outcome = match pays(named, fact, &mut paid_now) {
                    Ok(awaited) => take(tx, &mut bundles, &mut decided, fact, awaited, None)?,
                    Err(why) => keep_apart(&mut decided, fact, why, named),
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

/// The order that a payment pays, which is `paid_now` then; or why it pays none.
fn pays<'a>(
    named: Option<&'a Awaited>,
    fact: &PaymentFact,
    paid_now: &mut HashSet<OrderId>,
) -> Result<&'a Awaited, Apart> {
    let named = named.ok_or(Apart::Unknown)?;
    let awaits = Awaits::of(&named.order, &named.merchant);
    awaits.paid_by(&Stated::of((fact.institution_id, fact.channel), &fact.said))?;
    // Told last: a second payment is one that would have paid the order.
    if named.is_paid || !paid_now.insert(named.order.id) { Err(Apart::Second) } else { Ok(named) }
}

/// Whether a message says what is known of its number, and of one that was kept apart also the sums.
fn compare(fact: &PaymentFact, known: &KnownPayment, kept: Option<&OpenApart>) -> Outcome {
    if *known == KnownPayment::of(fact) && kept.is_none_or(|kept| kept.has_sums_of(fact)) {
        return Outcome::Known;
    }
    tracing::error!(
        inst_order_no = fact.said.inst_order_no,
        order_no = fact.said.order_no,
        kept_order_no = known.order_no,
        sha256 = %fact.raw_ref().sha256,
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
    kept: Option<RawRef>,
) -> Result<Outcome, Error> {
    let bundle = bundle_at(tx, bundles, fact.institution_id, fact.raw.received_at)?;
    let preview = bundle.and_then(|bundle| rules::preview(&bundle, &facts(fact, awaited)));
    decided.taken.push(Taken { fact, awaited, raw: fact.raw_ref(), preview, kept });
    Ok(Outcome::Stored)
}

fn keep_apart<'f>(
    decided: &mut Decided<'f>,
    fact: &'f PaymentFact,
    why: Apart,
    named: Option<&'f Awaited>,
) -> Outcome {
    tracing::warn!(
        inst_order_no = fact.said.inst_order_no,
        order_no = fact.said.order_no,
        why = why.as_str(),
        "a signed payment that pays no order of ours was kept apart"
    );
    decided.apart.push(KeptApart { fact, raw: fact.raw_ref(), why, named });
    Outcome::Orphan
}

/// The facts by which a rule is picked before the bill; the fee is not known yet.
fn facts(fact: &PaymentFact, awaited: &Awaited) -> OrderFacts {
    OrderFacts {
        inst_order_no: fact.said.inst_order_no.clone(),
        merchant: awaited.merchant.merchant.clone(),
        channel: fact.channel.to_string(),
        product: fact.said.product.as_ref().unwrap_or(&awaited.order.product).to_string(),
        tags: awaited.order.tags.to_list(),
        parties: awaited.order.parties.to_map(),
        paid_at: fact.said.paid_at,
        paid: fact.said.paid,
        fee: Fen::ZERO,
        subsidy: Fen::ZERO,
    }
}

fn store_all(tx: &mut Tx<'_>, decided: &Decided<'_>) -> Result<(), Error> {
    let entries = post(tx, &decided.taken)?;
    let mut raws = Vec::with_capacity(decided.taken.len());
    let (mut keys, mut payments) = (Vec::new(), Vec::with_capacity(decided.taken.len()));
    let (mut notes, mut ends) = (Vec::with_capacity(decided.taken.len()), Vec::new());
    for taken in &decided.taken {
        let day = taken.fact.said.paid_at.business_day();
        let entry = entries.get(&(taken.fact.institution_id, taken.fact.channel, day)).copied();
        match &taken.kept {
            // The very message may be here already, with which it was kept apart.
            Some(kept) if *kept == taken.raw => {}
            Some(_) | None => raws.push(RawRow::of(taken.fact, &taken.raw)),
        }
        if taken.kept.is_some() {
            ends.push(EndRow::entered(taken.fact));
        }
        keys.push(KeyRow::of(taken.fact, &taken.awaited.order, &taken.raw));
        payments.push(PaymentRow::of(
            taken.fact,
            &taken.awaited.order,
            taken.preview.as_ref(),
            &taken.raw,
            entry,
        ));
        notes.extend(note(&taken.awaited.order, taken.fact.raw.received_at));
    }
    raws.extend(decided.apart.iter().map(|apart| RawRow::of(apart.fact, &apart.raw)));
    let orphans: Vec<OrphanRow<'_>> =
        decided.apart.iter().map(|apart| OrphanRow::of(apart.fact, &apart.raw, apart.why)).collect();
    let told: Vec<(OrderId, &PaymentFact, Event, &RawRef)> = decided
        .taken
        .iter()
        .flat_map(|taken| {
            remarks(taken).into_iter().map(move |it| (taken.awaited.order.id, taken.fact, it, &taken.raw))
        })
        .chain(decided.apart.iter().filter_map(differs))
        .collect();
    let events: Vec<EventRow<'_>> = told
        .iter()
        .map(|(order, fact, remark, raw)| EventRow::of(*order, fact.raw.received_at, remark, raw))
        .collect();
    RawRow::insert(tx, &raws)?;
    KeyRow::insert(tx, &keys)?;
    PaymentRow::insert(tx, &payments)?;
    OrphanRow::insert(tx, &orphans)?;
    EndRow::insert(tx, &ends)?;
    EventRow::insert(tx, &events)?;
    outbox::add(tx, &notes)
}

/// Whose day it is.
type DayKey = (InstitutionId, ChannelName, BusinessDay);

/// One ledger entry for each institution, channel and business day of the batch, by those.
fn post(tx: &mut Tx<'_>, taken: &[Taken<'_>]) -> Result<BTreeMap<DayKey, EntryId>, Error> {
    let mut sums: BTreeMap<DayKey, (Fen, i64, i64)> = BTreeMap::new();
    for Taken { fact, .. } in taken {
        let key = (fact.institution_id, fact.channel, fact.said.paid_at.business_day());
        let (paid, orders, at) = sums.entry(key).or_default();
        *paid =
            paid.checked_add(fact.said.paid).ok_or_else(|| Error::Internal("a batch's sum".to_owned()))?;
        *orders = orders.saturating_add(1);
        *at = fact.raw.received_at.max(*at);
    }
    let mut entries = BTreeMap::new();
    for (key, batch) in sums {
        let (institution, channel, day) = key;
        let (paid, orders, at) = batch;
        let (of, evidence) = ((paid, orders), "payments".to_owned());
        let entry = ledger::paid(tx, institution, day, channel.as_str(), of, evidence, at)?;
        entries.extend(entry.map(|id| (key, id)));
    }
    Ok(entries)
}

/// What is unusual about a payment, for the order's timeline.
fn remarks(taken: &Taken<'_>) -> Vec<Event> {
    let Taken { fact, awaited, .. } = taken;
    let mut remarks = Vec::new();
    if fact.raw.kind == RawKind::QueryAnswer {
        remarks.push(Event::Queried(Cause::of(EventReason::Paid)));
    }
    if awaited.is_closed {
        remarks.push(Event::LatePayment(Cause::of(EventReason::AfterClose)));
    }
    remarks
}

/// What the timeline of an order says of a payment of another amount: it names the order and does not pay it.
fn differs<'f>(apart: &'f KeptApart<'f>) -> Option<(OrderId, &'f PaymentFact, Event, &'f RawRef)> {
    let KeptApart { fact, raw, why, named } = apart;
    let order = named.filter(|_| *why == Apart::Amount)?;
    let event = Event::AmountDiffers(Cause::paid(fact.said.sums.total));
    Some((order.order.id, fact, event, raw))
}

/// The merchant's notification, to be delivered from now on under one id; none where it does not want to be told.
fn note(order: &Order, now: i64) -> Option<NewNote<'_>> {
    (!order.notify_url.is_empty()).then_some(NewNote {
        about: About::OrderPaid(order.id),
        url: &order.notify_url,
        credential_id: order.credential_id,
        language: order.language,
        created_at: now,
    })
}
