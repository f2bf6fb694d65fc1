//! Intake of payments: a verified message of the institution becomes a durable fact before it is answered.
//!
//! A payment is accepted once for ever by the institution's number. The same message again changes nothing and
//! gets the same answer; the same number with other facts is refused. What the institution says was paid is
//! stored as it says it, whatever our record expected: a closed order, another amount, an order we do not know.
mod store;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::store::{add_event, by_order_no};
use super::{CHANNEL, Event, Order, RawRef, Standing, standing, view};
use crate::clock;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::kernel::approvals::Bundle;
use crate::kernel::calendar::Instant;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::kernel::split::OrderFacts;
use crate::kernel::state::OrderState;
use crate::merchants::{self, SubMerchant};
use crate::rules;

/// Where a raw message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// The institution told us.
    Notification,
    /// The institution answered our query.
    QueryAnswer,
}

impl RawKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "NOTIFICATION",
            Self::QueryAnswer => "QUERY_ANSWER",
        }
    }
}

/// A signed message as it arrived, its signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it came from.
    pub kind: RawKind,
    /// Unix microseconds.
    pub received_at: i64,
    /// The headers that its signature needs, one `name: value` a line.
    pub headers: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// One payment, as the institution says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFact {
    /// Whose signature was verified.
    pub institution_id: i64,
    /// Our number.
    pub order_no: String,
    /// The institution's number.
    pub inst_order_no: String,
    /// The institution's number of the sub-merchant that was paid.
    pub inst_merchant_no: String,
    /// Product of the trade type.
    pub product: String,
    /// In fen.
    pub paid: Fen,
    /// When it was paid.
    pub paid_at: Instant,
    /// The evidence.
    pub raw: RawMessage,
}

impl PaymentFact {
    fn business_date(&self) -> i32 {
        self.paid_at.business_day().to_i32()
    }

    fn raw_ref(&self) -> RawRef {
        RawRef { business_date: self.business_date(), sha256: Digest::of(&self.raw.body).to_string() }
    }
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now.
    Stored,
    /// Stored before, with the same facts.
    Known,
    /// Kept with its message: no order of ours awaits it.
    Orphan,
    /// The number was stored before with other facts: refused, nothing stored.
    Conflict,
}

/// A batch that met another writer's key is tried anew this often.
const ATTEMPTS: u32 = 3;

/// Takes a batch of payments in one transaction; all of it is durable when this returns.
pub async fn submit(db: &Db, batch: Vec<PaymentFact>) -> Result<Vec<Outcome>, Error> {
    let mut attempt = 1;
    loop {
        let facts = batch.clone();
        let outcome = db.write(move |tx| take_all(tx, &facts)).await;
        match outcome {
            Err(error) if error.is_duplicate() && attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

/// The institutions' bundles, each read once for a batch.
type Bundles = HashMap<i64, Option<Bundle>>;

fn take_all(tx: &mut Tx<'_>, facts: &[PaymentFact]) -> Result<Vec<Outcome>, Error> {
    let mut bundles = Bundles::new();
    // Two writers that insert keys in different orders would deadlock.
    let mut by_key: Vec<(usize, &PaymentFact)> = facts.iter().enumerate().collect();
    by_key.sort_by(|a, b| a.1.inst_order_no.cmp(&b.1.inst_order_no));
    let mut outcomes = Vec::with_capacity(facts.len());
    for (place, fact) in by_key {
        outcomes.push((place, take(tx, fact, &mut bundles)?));
    }
    outcomes.sort_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn take(tx: &mut Tx<'_>, fact: &PaymentFact, bundles: &mut Bundles) -> Result<Outcome, Error> {
    if let Some(known) = store::known_payment(tx, &fact.inst_order_no)? {
        return Ok(compare(fact, &known));
    }
    let order = by_order_no(tx, &fact.order_no)?;
    match order.filter(|order| order.institution_id == fact.institution_id) {
        Some(order) => take_for(tx, fact, order, bundles),
        None => keep_orphan(tx, fact),
    }
}

fn compare(fact: &PaymentFact, known: &store::KnownPayment) -> Outcome {
    let same = known.institution_id == fact.institution_id
        && known.order_no == fact.order_no
        && known.paid == fact.paid.get()
        && known.paid_at == clock::micros(fact.paid_at);
    if same {
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

fn take_for(
    tx: &mut Tx<'_>,
    fact: &PaymentFact,
    order: Order,
    bundles: &mut Bundles,
) -> Result<Outcome, Error> {
    let merchant = merchants::by_id(tx, order.sub_merchant_id)?;
    let before = standing(tx, order)?;
    if before.payment.is_some() {
        // Its payment: this one, stored by another writer since we looked, or truly another.
        return match store::known_payment(tx, &fact.inst_order_no)? {
            Some(known) => Ok(compare(fact, &known)),
            None => keep_orphan(tx, fact),
        };
    }
    if merchant.inst_merchant_no != fact.inst_merchant_no {
        return keep_orphan(tx, fact);
    }
    let raw = fact.raw_ref();
    store::keep_raw(tx, fact, &raw)?;
    let bundle = match bundles.entry(fact.institution_id) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let at = clock::instant(fact.raw.received_at);
            new.insert(rules::bundle_at(tx, fact.institution_id, at)?)
        }
    };
    let facts = facts(fact, &before.order, &merchant);
    let preview = bundle.as_ref().and_then(|bundle| rules::preview(bundle, &facts));
    store::insert_payment(tx, fact, &before.order, preview.as_ref(), &raw)?;
    for event in remarks(fact, &before) {
        add_event(tx, before.order.id, fact.raw.received_at, &event, Some(&raw))?;
    }
    let after = standing(tx, before.order)?;
    let body = view::notification(tx, &after, &merchant)?;
    let event_id = ulid::Ulid::generate().to_string();
    store::add_notification(tx, &after.order, fact.raw.received_at, &event_id, &body)?;
    Ok(Outcome::Stored)
}

/// What is unusual about a payment, for the order's timeline.
fn remarks(fact: &PaymentFact, before: &Standing) -> Vec<Event> {
    let mut remarks = Vec::new();
    if fact.raw.kind == RawKind::QueryAnswer {
        remarks.push(Event::Queried("SUCCESS".to_owned()));
    }
    if before.state == OrderState::Closed {
        remarks.push(Event::LatePayment(before.detail.clone()));
    }
    if before.order.amount != fact.paid {
        remarks.push(Event::AmountDiffers(format!("{} != {}", fact.paid.get(), before.order.amount.get())));
    }
    remarks
}

fn keep_orphan(tx: &mut Tx<'_>, fact: &PaymentFact) -> Result<Outcome, Error> {
    let raw = fact.raw_ref();
    store::keep_raw(tx, fact, &raw)?;
    store::insert_orphan(tx, fact, &raw)?;
    tracing::warn!(
        inst_order_no = fact.inst_order_no,
        order_no = fact.order_no,
        "a signed payment that no order of ours awaits was kept"
    );
    Ok(Outcome::Orphan)
}

/// The facts by which a rule is picked before the bill; the fee is not known yet.
fn facts(fact: &PaymentFact, order: &Order, merchant: &SubMerchant) -> OrderFacts {
    OrderFacts {
        inst_order_no: fact.inst_order_no.clone(),
        merchant: merchant.merchant.clone(),
        channel: CHANNEL.to_owned(),
        product: fact.product.clone(),
        tags: order.tag_list(),
        parties: order.party_map(),
        paid_at: fact.paid_at,
        paid: fact.paid,
        fee: Fen::ZERO,
        subsidy: Fen::ZERO,
    }
}
