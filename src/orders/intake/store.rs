//! Queries of the intake.
use diesel::prelude::*;

use super::PaymentFact;
use crate::clock;
use crate::db::Tx;
use crate::db::schema::{orphan_payment, outbox, pay_order, payment, payment_key, raw_message};
use crate::error::Error;
use crate::orders::{CHANNEL, Order, RawRef};
use crate::rules::Preview;

/// A payment kept before under the institution's number, of an order of ours or not.
pub(super) struct KnownPayment {
    pub institution_id: i64,
    pub order_no: String,
    pub paid: i64,
    pub paid_at: i64,
}

/// Looks the institution's number up in everything kept.
pub(super) fn known_payment(tx: &mut Tx<'_>, inst_order_no: &str) -> Result<Option<KnownPayment>, Error> {
    let paid: Option<(i64, String, i64, i64)> = payment_key::table
        .inner_join(
            payment::table.on(payment::business_date
                .eq(payment_key::business_date)
                .and(payment::order_id.eq(payment_key::order_id))),
        )
        .inner_join(pay_order::table.on(pay_order::id.eq(payment_key::order_id)))
        .filter(payment_key::inst_order_no.eq(inst_order_no))
        .select((payment::institution_id, pay_order::order_no, payment::paid, payment::paid_at))
        .first(tx.conn())
        .optional()?;
    let known = match paid {
        Some(known) => Some(known),
        None => orphan_payment::table
            .find(inst_order_no)
            .select((
                orphan_payment::institution_id,
                orphan_payment::order_no,
                orphan_payment::paid,
                orphan_payment::paid_at,
            ))
            .first(tx.conn())
            .optional()?,
    };
    Ok(known.map(|(institution_id, order_no, paid, paid_at)| KnownPayment {
        institution_id,
        order_no,
        paid,
        paid_at,
    }))
}

/// Keeps the signed message under its digest.
pub(super) fn keep_raw(tx: &mut Tx<'_>, fact: &PaymentFact, raw: &RawRef) -> Result<(), Error> {
    let kept = raw_message::table
        .find((raw.business_date, raw.sha256.as_str()))
        .count()
        .get_result::<i64>(tx.conn())?;
    if kept == 0 {
        diesel::insert_into(raw_message::table)
            .values((
                raw_message::business_date.eq(raw.business_date),
                raw_message::sha256.eq(raw.sha256.as_str()),
                raw_message::institution_id.eq(fact.institution_id),
                raw_message::kind.eq(fact.raw.kind.as_str()),
                raw_message::received_at.eq(fact.raw.received_at),
                raw_message::headers.eq(fact.raw.headers.as_str()),
                raw_message::body.eq(fact.raw.body.as_slice()),
            ))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// Stores the payment under its key, which no other payment and no other order may have.
pub(super) fn insert_payment(
    tx: &mut Tx<'_>,
    fact: &PaymentFact,
    order: &Order,
    preview: Option<&Preview>,
    raw: &RawRef,
) -> Result<(), Error> {
    diesel::insert_into(payment_key::table)
        .values((
            payment_key::inst_order_no.eq(fact.inst_order_no.as_str()),
            payment_key::order_id.eq(order.id),
            payment_key::business_date.eq(raw.business_date),
        ))
        .execute(tx.conn())?;
    diesel::insert_into(payment::table)
        .values((
            payment::business_date.eq(raw.business_date),
            payment::order_id.eq(order.id),
            payment::inst_order_no.eq(fact.inst_order_no.as_str()),
            payment::institution_id.eq(order.institution_id),
            payment::sub_merchant_id.eq(order.sub_merchant_id),
            payment::platform_merchant_id.eq(order.platform_merchant_id),
            payment::channel.eq(CHANNEL),
            payment::product.eq(fact.product.as_str()),
            payment::paid.eq(fact.paid.get()),
            payment::paid_at.eq(clock::micros(fact.paid_at)),
            payment::received_at.eq(fact.raw.received_at),
            payment::preview_rule.eq(preview.map(|preview| preview.rule.as_str())),
            payment::preview_digest.eq(preview.map(|preview| preview.digest.as_str())),
            payment::raw_business_date.eq(raw.business_date),
            payment::raw_sha256.eq(raw.sha256.as_str()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Keeps a payment that no order of ours awaits.
pub(super) fn insert_orphan(tx: &mut Tx<'_>, fact: &PaymentFact, raw: &RawRef) -> Result<(), Error> {
    diesel::insert_into(orphan_payment::table)
        .values((
            orphan_payment::inst_order_no.eq(fact.inst_order_no.as_str()),
            orphan_payment::institution_id.eq(fact.institution_id),
            orphan_payment::order_no.eq(fact.order_no.as_str()),
            orphan_payment::paid.eq(fact.paid.get()),
            orphan_payment::paid_at.eq(clock::micros(fact.paid_at)),
            orphan_payment::received_at.eq(fact.raw.received_at),
            orphan_payment::raw_business_date.eq(raw.business_date),
            orphan_payment::raw_sha256.eq(raw.sha256.as_str()),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Puts the merchant's notification into the outbox, to be delivered from now on under one id.
pub(super) fn add_notification(
    tx: &mut Tx<'_>,
    order: &Order,
    now: i64,
    event_id: &str,
    body: &[u8],
) -> Result<(), Error> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::kind.eq("MERCHANT_NOTIFY"),
            outbox::order_id.eq(order.id),
            outbox::event_id.eq(event_id),
            outbox::url.eq(order.notify_url.as_str()),
            outbox::body.eq(body),
            outbox::credential_id.eq(order.credential_id),
            outbox::created_at.eq(now),
            outbox::attempts.eq(0),
            outbox::next_at.eq(now),
        ))
        .execute(tx.conn())?;
    Ok(())
}
