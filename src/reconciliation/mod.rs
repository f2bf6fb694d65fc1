//! Reconciliation: the institution's bill of a day, kept as evidence and matched with our own payments.
//!
//! The bill decides what is split; where it differs from our record, the difference is work for people
//! (`files.md`, "The day").
mod bill;
mod bill_store;
mod load;
mod order_store;
mod store;

pub use bill::{Fetched, fetch, load};
pub use bill_store::{KeptBill, bill_by_id, bills};
pub use order_store::{BilledOrder, NewBilled, Sink, billed, order_count, orders};
pub use store::{
    Found, day_difference_count, days_of, difference_count, differences, elsewhere, newest_differences,
};

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

/// What an order of ours asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
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

/// A payment as we recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The order that it pays.
    pub asked: Asked,
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
            order_no: one.asked.order_no,
            theirs: None,
        });
        let short: Vec<Difference> = short.collect();
        store::add_differences(tx, bill.institution_id, bill.business_date, found_at, &short)?;
    }
}

/// What differs between our record and a payment of the bill: from our payment, or, where we have none, from what the order
/// asks for that the bill names.
pub fn compare(ours: Option<&Ours>, asked: Option<&Asked>, theirs: &Theirs) -> Vec<Difference> {
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
        let theirs_say = format!("paid={}", paid.get());
        let differs = asked.and_then(|asked| Some((asked, asked.paid_by(theirs).err()?)));
        return vec![match differs.map(|(asked, why)| sides(why, asked, theirs)) {
            Some((ours, more)) => {
                difference(DifferenceKind::Long, Some(ours), format!("{theirs_say} {more}"))
            }
            None => difference(DifferenceKind::Long, None, theirs_say),
        }];
    };
    let mut found = Vec::new();
    let ordered = theirs.ordered.unwrap_or(ours.asked.amount);
    let (mut we_have, mut they_have) = (Vec::new(), Vec::new());
    for (name, ours, theirs) in [("paid", ours.paid, paid), ("ordered", ours.asked.amount, ordered)] {
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
    if let (true, Err(why)) = (found.is_empty(), ours.asked.paid_by(theirs)) {
        let (ours, theirs) = sides(why, &ours.asked, theirs);
        found.push(difference(DifferenceKind::Amount, Some(ours), theirs));
    }
    found
}

impl Asked {
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
            merchant_no: &facts.merchant,
            product: &facts.product,
            currency: CNY,
            total,
            payer_total: None,
            promotions: total.checked_sub(facts.paid),
            paid: facts.paid,
            paid_at: facts.paid_at,
        })
    }
}

/// What an order asks for and what the bill says instead.
fn sides(why: Apart, asked: &Asked, theirs: &Theirs) -> (String, String) {
    let (facts, order_no) = (&theirs.order.facts, &theirs.order.order_no);
    let both = |name: &str, ours: &str, theirs: &str| (format!("{name}={ours}"), format!("{name}={theirs}"));
    match why {
        Apart::Unknown | Apart::Second => both("order_no", &asked.order_no, order_no),
        Apart::Platform => both("channel", asked.channel.as_str(), &facts.channel),
        Apart::Merchant => both("merchant", &asked.merchant, &facts.merchant),
        Apart::Product => both("product", asked.product.as_str(), &facts.product),
        Apart::Currency | Apart::Amount | Apart::Promotions => {
            let ordered = theirs.ordered.unwrap_or(facts.paid);
            both("ordered", &asked.amount.get().to_string(), &ordered.get().to_string())
        }
        Apart::Time => both("paid_at", "-", &facts.paid_at.to_cst()),
    }
}

fn facts(ours: &Ours, theirs: &BillOrder) -> [(&'static str, String, String); 7] {
    let (facts, asked) = (&theirs.facts, &ours.asked);
    let (mut tags, mut parties) = (String::new(), String::new());
    field::push_tags(&mut tags, &facts.tags);
    field::push_parties(&mut parties, &facts.parties);
    let paid_at = instant(ours.paid_at);
    [
        ("order_no", asked.order_no.clone(), theirs.order_no.clone()),
        ("merchant", asked.merchant.clone(), facts.merchant.clone()),
        ("channel", asked.channel.to_string(), facts.channel.clone()),
        ("product", asked.product.to_string(), facts.product.clone()),
        ("tags", ours.tags.to_string(), tags),
        ("parties", ours.parties.to_string(), parties),
        ("paid_at", paid_at.to_cst(), facts.paid_at.to_cst()),
    ]
}
