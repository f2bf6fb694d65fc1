//! Reconciliation: the institution's bill of a day, kept as evidence and matched with our own payments.
//!
//! The bill decides what is split; where it differs from our record, the difference is work for people
//! (`files.md`, "The day").
mod bill;
mod bill_store;
mod document;
mod document_store;
mod load;
mod order_store;
mod store;
mod tenant_store;

pub use bill::{Fetched, fetch, fetch_only, load};
pub use bill_store::{KeptBill, bill_by_id, bills};
pub use document::{compare_kept, fetch_documents, load_own, own_bill, undocumented};
pub use order_store::{BilledOrder, NewBilled, Sink, billed, order_count, orders};
pub use store::{
    Found, day_difference_count, days_of, difference_count, differences, elsewhere, newest_differences,
};
pub use tenant_store::{OfTenant, TenantDay, TenantPayment, tenant_day, tenant_payments};

use crate::channels::CNY;
use crate::clock::instant;
use crate::db::Tx;
use crate::db::columns::{InstitutionId, MerchantId, OrderId};
use crate::error::Error;
use crate::kernel::bill::BillOrder;
use crate::kernel::channel::{ChannelName, Product};
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::file::field;
use crate::kernel::money::Fen;
use crate::kernel::state::OrderState;
use crate::kernel::text_enum;
use crate::orders::{Apart, Awaits, Stated};

/// Payments that are looked at in one query.
const BATCH: i64 = 500;

text_enum! {
    /// How a bill and our record differ about a payment.
    pub enum DifferenceKind {
        /// 长款: in the bill, not with us.
        Long = "LONG",
        /// 短款: with us, not in the bill.
        Short = "SHORT",
        /// Another amount.
        Amount = "AMOUNT",
        /// Another number, merchant, channel, product, tags, parties or time.
        Facts = "FACTS",
        /// The bill that is split and a channel's own document: another amount or fee, or only one of them has it. "Ours" is
        /// then the bill's.
        Document = "DOCUMENT",
    }
}

/// One difference; `ours` and `theirs` say what each side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The institution's number.
    pub inst_order_no: String,
    /// The platform's number, as far as known.
    pub order_no: String,
    /// Our record.
    pub ours: Option<String>,
    /// The bill.
    pub theirs: Option<String>,
}

impl Difference {
    /// Whether both sides have the same payment, and only what was ordered differs.
    pub fn is_of_the_order(&self) -> bool {
        let ours = self.ours.as_deref().unwrap_or_default();
        self.kind == DifferenceKind::Amount && ours.starts_with("ordered=")
    }
}

/// What an order of ours asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Our number.
    pub order_no: String,
    /// Whose channel carries it.
    pub institution_id: InstitutionId,
    /// Sub-merchant.
    pub merchant: String,
    /// Channel.
    pub channel: ChannelName,
    /// Product.
    pub product: Product,
    /// Fen.
    pub amount: Fen,
}

/// The order that a payment of a bill names, where we do not have that payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The order.
    pub order: Ordered,
    /// Whether another payment pays it already.
    pub is_paid: bool,
}

/// A payment as we recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The order that it pays.
    pub order: Ordered,
    /// The institution's number.
    pub inst_order_no: String,
    /// Tags.
    pub tags: Tags,
    /// Parties.
    pub parties: Parties,
    /// Fen.
    pub paid: Fen,
    /// Unix microseconds.
    pub paid_at: i64,
    /// The rule version that was shown at payment.
    pub preview_digest: Option<Digest>,
    /// Internal key of the sub-merchant.
    pub sub_merchant_id: MerchantId,
    /// Internal key of the order.
    pub order_id: OrderId,
}

/// A payment of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// What the bill states and is split.
    pub order: BillOrder,
    /// What was ordered, in fen, where the bill says it.
    pub ordered: Option<Fen>,
}

/// Notes our payments of a bill's day that the bill does not have.
fn note_missing(tx: &mut Tx<'_>, bill: &KeptBill, found_at: i64) -> Result<(), Error> {
    let mut after = OrderId::new(0);
    loop {
        let missing = store::missing(tx, bill, after, BATCH)?;
        let Some(last) = missing.last() else { return Ok(()) };
        after = last.order_id;
        let short = missing.into_iter().map(|one| Difference {
            kind: DifferenceKind::Short,
            ours: Some(format!("paid={}", one.paid.get())),
            inst_order_no: one.inst_order_no,
            order_no: one.order.order_no,
            theirs: None,
        });
        let short: Vec<Difference> = short.collect();
        store::add_differences(tx, bill.institution_id, bill.business_date, found_at, &short)?;
    }
}

/// What differs between our record and a payment of the bill: from our payment, or, where we have none, from the order that
/// the bill names.
pub fn compare(ours: Option<&Ours>, named: Option<&Named>, theirs: &Theirs) -> Vec<Difference> {
    let BillOrder { facts: stated, order_no } = &theirs.order;
    let difference = |kind, ours: Option<String>, theirs_say: String| Difference {
        kind,
        inst_order_no: stated.inst_order_no.clone(),
        order_no: order_no.clone(),
        ours,
        theirs: Some(theirs_say),
    };
    let paid = stated.paid;
    let Some(ours) = ours else {
        let mut theirs_say = format!("paid={}", paid.get());
        let sides = named.and_then(|named| sides(named.paid_by(theirs).err()?, &named.order, theirs));
        let (ours, more) = sides.unzip();
        if let Some(more) = more.flatten() {
            theirs_say = format!("{theirs_say} {more}");
        }
        return vec![difference(DifferenceKind::Long, ours, theirs_say)];
    };
    let mut found = Vec::new();
    let ordered = theirs.ordered.unwrap_or(ours.order.amount);
    let (mut we_have, mut they_have) = (Vec::new(), Vec::new());
    for (name, ours, theirs) in [("paid", ours.paid, paid), ("ordered", ours.order.amount, ordered)] {
        if ours != theirs {
            we_have.push(format!("{name}={}", ours.get()));
            they_have.push(format!("{name}={}", theirs.get()));
        }
    }
    if !we_have.is_empty() {
        found.push(difference(DifferenceKind::Amount, Some(we_have.join(" ")), they_have.join(" ")));
    }
    let (mut we_have, mut they_have) = (Vec::new(), Vec::new());
    for (name, ours, theirs) in facts(ours, &theirs.order) {
        if ours != theirs {
            we_have.push(format!("{name}={ours}"));
            they_have.push(format!("{name}={theirs}"));
        }
    }
    if !we_have.is_empty() {
        found.push(difference(DifferenceKind::Facts, Some(we_have.join(" ")), they_have.join(" ")));
    }
    // What is settled may be the same of another order.
    let differs = if found.is_empty() { ours.order.paid_by(theirs).err() } else { None };
    if let Some((ours, Some(theirs))) = differs.and_then(|why| sides(why, &ours.order, theirs)) {
        found.push(difference(DifferenceKind::Amount, Some(ours), theirs));
    }
    found
}

impl Named {
    /// Whether a payment of the bill pays this order. Told last, as by the intake: a second payment is one that would
    /// have paid it.
    fn paid_by(&self, theirs: &Theirs) -> Result<(), Apart> {
        self.order.paid_by(theirs)?;
        if self.is_paid { Err(Apart::Second) } else { Ok(()) }
    }
}

impl Ordered {
    /// Whether a payment of the bill pays this order. A bill is asked for by our own numbers and names no payer; what it
    /// does not say cannot differ.
    fn paid_by(&self, theirs: &Theirs) -> Result<(), Apart> {
        let (facts, order_no) = (&theirs.order.facts, theirs.order.order_no.as_str());
        let total = theirs.ordered.unwrap_or(self.amount);
        let awaits = Awaits {
            order_no: &self.order_no,
            institution_id: self.institution_id,
            channel: self.channel,
            product: &self.product,
            merchant_no: &self.merchant,
            amount: self.amount,
        };
        awaits.paid_by(&Stated {
            order_no,
            institution_id: self.institution_id,
            channel: &facts.channel,
            names_us: true,
            merchant_no: Some(&facts.merchant),
            product: Some(&facts.product),
            currency: CNY,
            total,
            payer_total: None,
            promotions: total.checked_sub(facts.paid),
            paid: facts.paid,
            paid_at: facts.paid_at,
        })
    }
}

/// What an order asks for and what the bill says instead, beside what was paid.
fn sides(why: Apart, order: &Ordered, theirs: &Theirs) -> Option<(String, Option<String>)> {
    let facts = &theirs.order.facts;
    let both = |name: &str, ours: &str, theirs: &str| {
        Some((format!("{name}={ours}"), Some(format!("{name}={theirs}"))))
    };
    match why {
        Apart::Second => Some((format!("state={}", OrderState::Paid.as_str()), None)),
        Apart::Platform => both("channel", order.channel.as_str(), &facts.channel),
        Apart::Merchant => both("merchant", &order.merchant, &facts.merchant),
        Apart::Product => both("product", order.product.as_str(), &facts.product),
        Apart::Amount | Apart::Promotions => {
            let ordered = theirs.ordered.unwrap_or(facts.paid);
            both("ordered", &order.amount.get().to_string(), &ordered.get().to_string())
        }
        // No bill differs in these: the order is found by its number, and a bill is in CNY and of its own day.
        Apart::Unknown | Apart::Currency | Apart::Time => None,
    }
}

fn facts(ours: &Ours, theirs: &BillOrder) -> [(&'static str, String, String); 7] {
    let (facts, order) = (&theirs.facts, &ours.order);
    let (mut tags, mut parties) = (String::new(), String::new());
    field::push_tags(&mut tags, &facts.tags);
    field::push_parties(&mut parties, &facts.parties);
    let paid_at = instant(ours.paid_at);
    [
        ("order_no", order.order_no.clone(), theirs.order_no.clone()),
        ("merchant", order.merchant.clone(), facts.merchant.clone()),
        ("channel", order.channel.to_string(), facts.channel.clone()),
        ("product", order.product.to_string(), facts.product.clone()),
        ("tags", ours.tags.to_string(), tags),
        ("parties", ours.parties.to_string(), parties),
        ("paid_at", paid_at.to_cst(), facts.paid_at.to_cst()),
    ]
}
