//! Loading a bill's orders: matched with our own payments batch by batch, in bounded memory.
use std::collections::{HashMap, HashSet};

use super::bill::unusable;
use super::order_store::{self, NewBilled, Sink};
use super::{Ours, Theirs, compare, store};
use crate::clock;
use crate::db::Tx;
use crate::db::columns::{As, BillId, InstitutionId, MerchantId};
use crate::error::Error;
use crate::kernel::bill::BillOrder;
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::field;
use crate::kernel::money::Fen;

/// Orders that are matched in one query.
const BATCH: usize = 1000;

/// Takes the orders of one source of a bill, in any order.
pub(super) struct Loader {
    institution: InstitutionId,
    day: BusinessDay,
    bill_id: BillId,
    now: i64,
    /// Whether the bill has orders already: what it has stays, what it lacks is added.
    adds: bool,
    merchants: HashMap<String, MerchantId>,
    sink: Sink,
    batch: Vec<Theirs>,
    orders: i64,
    total: Fen,
}

impl Loader {
    pub(super) fn open(
        tx: &mut Tx<'_>,
        institution: InstitutionId,
        day: BusinessDay,
        bill_id: BillId,
        now: i64,
    ) -> Result<Self, Error> {
        let sink = Sink::open(tx, day, institution)?;
        Ok(Self {
            institution,
            day,
            bill_id,
            now,
            adds: order_store::has_orders(tx, institution, day, bill_id)?,
            merchants: store::sub_merchants(tx, institution)?,
            sink,
            batch: Vec::with_capacity(BATCH),
            orders: 0,
            total: Fen::ZERO,
        })
    }

    pub(super) fn take(
        &mut self,
        tx: &mut Tx<'_>,
        order: BillOrder,
        ordered: Option<Fen>,
    ) -> Result<(), Error> {
        let facts = &order.facts;
        if facts.paid_at.business_day() != self.day {
            return Err(unusable(self.day, &format!("{} was paid on another day", facts.inst_order_no)));
        }
        self.orders = self.orders.saturating_add(1);
        self.total = self
            .total
            .checked_add(facts.paid)
            .ok_or_else(|| unusable(self.day, "its total is beyond 64 bits"))?;
        self.batch.push(Theirs { order, ordered });
        if self.batch.len() < BATCH { Ok(()) } else { self.flush(tx) }
    }

    fn flush(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let mut batch = std::mem::take(&mut self.batch);
        let day = self.day;
        if self.adds {
            let numbers: Vec<&str> =
                batch.iter().map(|theirs| theirs.order.facts.inst_order_no.as_str()).collect();
            let known: HashSet<String> =
                order_store::known(tx, self.institution, day, self.bill_id, &numbers)?.into_iter().collect();
            batch.retain(|theirs| !known.contains(&theirs.order.facts.inst_order_no));
        }
        let numbers: Vec<&str> =
            batch.iter().map(|theirs| theirs.order.facts.inst_order_no.as_str()).collect();
        let ours = store::ours(tx, self.institution, &numbers)?;
        // Two channels may have given one number: a payment of the same channel comes first.
        let mut by_number: HashMap<&str, Vec<&Ours>> = HashMap::new();
        for one in &ours {
            by_number.entry(one.inst_order_no.as_str()).or_default().push(one);
        }
        let unpaid = batch.iter().filter(|it| !by_number.contains_key(it.order.facts.inst_order_no.as_str()));
        let unpaid: Vec<&str> = unpaid.map(|theirs| theirs.order.order_no.as_str()).collect();
        let named = store::named(tx, self.institution, &unpaid)?;
        let (mut differences, mut rows) = (Vec::new(), Vec::with_capacity(batch.len()));
        for theirs in &batch {
            let facts = &theirs.order.facts;
            let same = by_number.get(facts.inst_order_no.as_str()).map_or(&[][..], Vec::as_slice);
            let of_channel = same.iter().find(|one| one.order.channel.as_str() == facts.channel);
            let ours = of_channel.or(same.first()).copied();
            differences.extend(compare(ours, named.get(&theirs.order.order_no), theirs));
            let mut row = self.row(&theirs.order);
            if let Some(ours) = ours {
                row.sub_merchant_id = Some(ours.sub_merchant_id);
                row.preview_digest = ours.preview_digest.map(As);
            }
            rows.push(row);
        }
        store::add_differences(tx, self.institution, day, self.now, &differences)?;
        self.sink.add(tx, &rows)?;
        batch.clear();
        self.batch = batch;
        Ok(())
    }

    fn row(&self, order: &BillOrder) -> NewBilled {
        let facts = &order.facts;
        let (mut tags, mut parties) = (String::new(), String::new());
        field::push_tags(&mut tags, &facts.tags);
        field::push_parties(&mut parties, &facts.parties);
        NewBilled {
            business_date: As(self.day),
            institution_id: self.institution,
            bill_id: self.bill_id,
            paid_at: clock::micros(facts.paid_at),
            inst_order_no: facts.inst_order_no.clone(),
            order_no: order_store::kept_no(order),
            merchant: facts.merchant.clone(),
            channel: facts.channel.clone(),
            product: facts.product.clone(),
            tags,
            parties,
            paid: As(facts.paid),
            fee: As(facts.fee),
            subsidy: As(facts.subsidy),
            sub_merchant_id: self.merchants.get(&facts.merchant).copied(),
            preview_digest: None,
        }
    }

    /// How many orders the source had, and what was paid in them.
    pub(super) fn close(mut self, tx: &mut Tx<'_>) -> Result<(i64, Fen), Error> {
        self.flush(tx)?;
        self.sink.close(tx)?;
        Ok((self.orders, self.total))
    }
}
