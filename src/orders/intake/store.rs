//! Queries of the intake: lookups of a whole batch, and its rows.
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

use super::{PaymentFact, PaymentKey};
use crate::bulk_rows;
use crate::channels::RawKind;
use crate::clock;
use crate::db::columns::{As, EntryId, InstitutionId, MerchantId, OrderId, TenantId};
use crate::db::schema::{
    enrolment, order_event, orphan_end, orphan_payment, pay_order, payment, payment_key, raw_message,
    sub_merchant,
};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::channel::ChannelName;
use crate::kernel::digest::Digest;
use crate::kernel::money::Fen;
use crate::merchants::SubMerchant;
use crate::orders::apart::ApartEnd;
use crate::orders::apart_store::its_end;
use crate::orders::event::EventKind;
use crate::orders::pays::Apart;
use crate::orders::{Event, Order, RawRef};
use crate::rules::Preview;

/// A payment kept under the institution's number, of an order of ours or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownPayment {
    pub order_no: String,
    pub paid: Fen,
    pub paid_at: i64,
}

impl KnownPayment {
    pub fn of(fact: &PaymentFact) -> Self {
        let said = &fact.said;
        Self { order_no: said.order_no.clone(), paid: said.paid, paid_at: clock::micros(said.paid_at) }
    }
}

type KnownTuple = (String, InstitutionId, As<ChannelName>, String, As<Fen>, i64);

/// Looks numbers up in everything kept, whatever institution or channel gave them.
pub(super) fn known_payments(
    tx: &mut Tx<'_>,
    numbers: &[&str],
) -> Result<HashMap<PaymentKey, KnownPayment>, Error> {
    let paid = payment_key::table
        .inner_join(
            payment::table.on(payment::business_date
                .eq(payment_key::business_date)
                .and(payment::order_id.eq(payment_key::order_id))),
        )
        .inner_join(pay_order::table.on(pay_order::id.eq(payment_key::order_id)))
        .filter(payment_key::inst_order_no.eq_any(numbers))
        .select((
            payment::inst_order_no,
            payment::institution_id,
            payment::channel,
            pay_order::order_no,
            payment::paid,
            payment::paid_at,
        ));
    let orphans = orphan_payment::table.filter(orphan_payment::inst_order_no.eq_any(numbers)).select((
        orphan_payment::inst_order_no,
        orphan_payment::institution_id,
        orphan_payment::channel,
        orphan_payment::order_no,
        orphan_payment::paid,
        orphan_payment::paid_at,
    ));
    let both = paid.union_all(orphans);
    let known: Vec<KnownTuple> = match tx.conn() {
        Conn::Sqlite(conn) => both.load(conn)?,
        Conn::Pg(conn) => both.load(conn)?,
    };
    let known = known.into_iter().map(|(number, institution, channel, order_no, paid, paid_at)| {
        ((number, institution, channel.0), KnownPayment { order_no, paid: paid.0, paid_at })
    });
    Ok(known.collect())
}

/// A payment that is still apart.
pub(super) struct OpenApart {
    /// The message with which it was kept.
    pub raw: RawRef,
    /// An older version noted neither.
    currency: Option<String>,
    total: Option<Fen>,
}

impl OpenApart {
    /// Whether a message states the sums with which it was kept.
    pub fn has_sums_of(&self, fact: &PaymentFact) -> bool {
        let sums = &fact.said.sums;
        self.currency.as_ref().is_none_or(|currency| *currency == sums.currency)
            && self.total.is_none_or(|total| total == sums.total)
    }
}

/// Number, institution, channel; day and digest of the message; currency and total.
type OpenTuple = (String, InstitutionId, ChannelName, BusinessDay, Digest, Option<String>, Option<Fen>);

/// Those of the known payments that are kept apart and came to no end yet.
pub(super) fn open_apart(
    tx: &mut Tx<'_>,
    known: &HashMap<PaymentKey, KnownPayment>,
) -> Result<HashMap<PaymentKey, OpenApart>, Error> {
    if known.is_empty() {
        return Ok(HashMap::new());
    }
    let numbers: Vec<&str> = known.keys().map(|(number, ..)| number.as_str()).collect();
    let rows: Vec<OpenTuple> = orphan_payment::table
        .left_join(orphan_end::table.on(its_end()))
        .filter(orphan_payment::inst_order_no.eq_any(numbers))
        .filter(orphan_end::at.nullable().is_null())
        .select((
            orphan_payment::inst_order_no,
            orphan_payment::institution_id,
            orphan_payment::channel,
            orphan_payment::raw_business_date,
            orphan_payment::raw_sha256,
            orphan_payment::currency,
            orphan_payment::total,
        ))
        .load(tx.conn())?;
    let open =
        rows.into_iter().map(|(number, institution, channel, business_date, sha256, currency, total)| {
            let raw = RawRef { business_date, sha256 };
            ((number, institution, channel), OpenApart { raw, currency, total })
        });
    Ok(open.collect())
}

/// An order under the number that a payment names.
pub(super) struct Awaited {
    pub order: Order,
    pub merchant: SubMerchant,
    pub is_paid: bool,
    pub is_closed: bool,
}

/// A sub-merchant's number, its number at the institution, its name.
type Names = (String, String, String);

/// The orders of these numbers of ours.
pub(super) fn awaited(tx: &mut Tx<'_>, numbers: &[&str]) -> Result<HashMap<String, Awaited>, Error> {
    // Only a payment comes after CLOSED.
    let closed = order_event::order_id.eq(pay_order::id).and(order_event::kind.eq(As(EventKind::Closed)));
    let enrolled = enrolment::sub_merchant_id
        .eq(pay_order::sub_merchant_id)
        .and(enrolment::institution_id.eq(pay_order::institution_id));
    let rows: Vec<(Order, Names, Option<i64>, Option<i64>)> = pay_order::table
        .inner_join(sub_merchant::table.on(sub_merchant::id.eq(pay_order::sub_merchant_id)))
        .inner_join(enrolment::table.on(enrolled))
        .left_join(payment_key::table.on(payment_key::order_id.eq(pay_order::id)))
        .left_join(order_event::table.on(closed))
        .filter(pay_order::order_no.eq_any(numbers))
        .select((
            Order::as_select(),
            (sub_merchant::merchant, enrolment::inst_merchant_no, sub_merchant::name),
            payment_key::order_id.nullable(),
            order_event::id.nullable(),
        ))
        .load(tx.conn())?;
    let awaited = rows.into_iter().map(|(order, names, paid, closed)| {
        let (merchant, inst_merchant_no, name) = names;
        let merchant = SubMerchant {
            id: order.sub_merchant_id,
            merchant,
            platform_merchant_id: order.platform_merchant_id,
            institution_id: order.institution_id,
            inst_merchant_no,
            name,
        };
        let (is_paid, is_closed) = (paid.is_some(), closed.is_some());
        (order.order_no.clone(), Awaited { order, merchant, is_paid, is_closed })
    });
    Ok(awaited.collect())
}

bulk_rows! {
    /// The signed message.
    RawRow<'a> of raw_message {
        business_date: As<BusinessDay> as Integer,
        sha256: As<Digest> as Text,
        institution_id: InstitutionId as BigInt,
        kind: As<RawKind> as Text,
        received_at: i64 as BigInt,
        headers: &'a str as Text,
        body: &'a [u8] as Binary,
    }
}

impl<'a> RawRow<'a> {
    pub(super) fn of(fact: &'a PaymentFact, raw: &'a RawRef) -> Self {
        Self {
            business_date: As(raw.business_date),
            sha256: As(raw.sha256),
            institution_id: fact.institution_id,
            kind: As(fact.raw.kind),
            received_at: fact.raw.received_at,
            headers: &fact.raw.headers,
            body: &fact.raw.body,
        }
    }
}

bulk_rows! {
    /// The key that no other payment and no other order may have.
    KeyRow<'a> of payment_key {
        inst_order_no: &'a str as Text,
        order_id: OrderId as BigInt,
        business_date: As<BusinessDay> as Integer,
        institution_id: InstitutionId as BigInt,
        channel: As<ChannelName> as Text,
    }
}

impl<'a> KeyRow<'a> {
    pub(super) fn of(fact: &'a PaymentFact, order: &Order, raw: &RawRef) -> Self {
        Self {
            inst_order_no: &fact.said.inst_order_no,
            order_id: order.id,
            business_date: As(raw.business_date),
            institution_id: fact.institution_id,
            channel: As(fact.channel),
        }
    }
}

bulk_rows! {
    /// The payment.
    PaymentRow<'a> of payment {
        business_date: As<BusinessDay> as Integer,
        order_id: OrderId as BigInt,
        inst_order_no: &'a str as Text,
        institution_id: InstitutionId as BigInt,
        sub_merchant_id: MerchantId as BigInt,
        platform_merchant_id: TenantId as BigInt,
        channel: As<ChannelName> as Text,
        product: &'a str as Text,
        paid: As<Fen> as BigInt,
        paid_at: i64 as BigInt,
        received_at: i64 as BigInt,
        preview_rule: Option<&'a str> as Nullable<Text>,
        preview_digest: Option<As<Digest>> as Nullable<Text>,
        raw_business_date: As<BusinessDay> as Integer,
        raw_sha256: As<Digest> as Text,
        entry_id: Option<EntryId> as Nullable<BigInt>,
        total: Option<As<Fen>> as Nullable<BigInt>,
        payer_total: Option<As<Fen>> as Nullable<BigInt>,
        particulars: Option<&'a str> as Nullable<Text>,
    }
}

impl<'a> PaymentRow<'a> {
    pub(super) fn of(
        fact: &'a PaymentFact,
        order: &'a Order,
        preview: Option<&'a Preview>,
        raw: &'a RawRef,
        entry_id: Option<EntryId>,
    ) -> Self {
        Self {
            business_date: As(raw.business_date),
            order_id: order.id,
            inst_order_no: &fact.said.inst_order_no,
            institution_id: order.institution_id,
            sub_merchant_id: order.sub_merchant_id,
            platform_merchant_id: order.platform_merchant_id,
            channel: As(fact.channel),
            product: fact.said.product.as_ref().unwrap_or(&order.product).as_str(),
            paid: As(fact.said.paid),
            paid_at: clock::micros(fact.said.paid_at),
            received_at: fact.raw.received_at,
            preview_rule: preview.map(|preview| preview.rule.as_str()),
            preview_digest: preview.map(|preview| As(preview.digest)),
            raw_business_date: As(raw.business_date),
            raw_sha256: As(raw.sha256),
            entry_id,
            total: Some(As(fact.said.sums.total)),
            payer_total: fact.said.sums.payer_total.map(As),
            particulars: Some(&fact.said.particulars),
        }
    }
}

bulk_rows! {
    /// A payment that pays no order of ours.
    OrphanRow<'a> of orphan_payment {
        inst_order_no: &'a str as Text,
        institution_id: InstitutionId as BigInt,
        order_no: &'a str as Text,
        paid: As<Fen> as BigInt,
        paid_at: i64 as BigInt,
        received_at: i64 as BigInt,
        raw_business_date: As<BusinessDay> as Integer,
        raw_sha256: As<Digest> as Text,
        channel: As<ChannelName> as Text,
        reason: As<Apart> as Text,
        currency: &'a str as Text,
        total: As<Fen> as BigInt,
    }
}

impl<'a> OrphanRow<'a> {
    pub(super) fn of(fact: &'a PaymentFact, raw: &'a RawRef, why: Apart) -> Self {
        Self {
            inst_order_no: &fact.said.inst_order_no,
            institution_id: fact.institution_id,
            order_no: &fact.said.order_no,
            paid: As(fact.said.paid),
            paid_at: clock::micros(fact.said.paid_at),
            received_at: fact.raw.received_at,
            raw_business_date: As(raw.business_date),
            raw_sha256: As(raw.sha256),
            channel: As(fact.channel),
            reason: As(why),
            currency: &fact.said.sums.currency,
            total: As(fact.said.sums.total),
        }
    }
}

bulk_rows! {
    /// How a payment that was kept apart came to its end.
    EndRow<'a> of orphan_end {
        inst_order_no: &'a str as Text,
        institution_id: InstitutionId as BigInt,
        channel: As<ChannelName> as Text,
        how: As<ApartEnd> as Text,
        words: &'a str as Text,
        actor: &'a str as Text,
        at: i64 as BigInt,
    }
}

impl<'a> EndRow<'a> {
    /// Its order is paid by it after all.
    pub(super) fn entered(fact: &'a PaymentFact) -> Self {
        Self {
            inst_order_no: &fact.said.inst_order_no,
            institution_id: fact.institution_id,
            channel: As(fact.channel),
            how: As(ApartEnd::Entered),
            words: &fact.said.order_no,
            actor: "system",
            at: fact.raw.received_at,
        }
    }
}

bulk_rows! {
    /// A remark in an order's timeline.
    EventRow<'a> of order_event {
        order_id: OrderId as BigInt,
        at: i64 as BigInt,
        kind: As<EventKind> as Text,
        reason: Option<&'a str> as Nullable<Text>,
        amount: Option<As<Fen>> as Nullable<BigInt>,
        raw_business_date: Option<As<BusinessDay>> as Nullable<Integer>,
        raw_sha256: Option<As<Digest>> as Nullable<Text>,
    }
}

impl<'a> EventRow<'a> {
    pub(super) fn of(order: OrderId, at: i64, remark: &'a Event, raw: &RawRef) -> Self {
        let cause = remark.cause();
        Self {
            order_id: order,
            at,
            kind: As(remark.kind()),
            reason: cause.map(|cause| cause.reason.as_str()),
            amount: cause.and_then(|cause| cause.amount).map(As),
            raw_business_date: Some(As(raw.business_date)),
            raw_sha256: Some(As(raw.sha256)),
        }
    }
}
