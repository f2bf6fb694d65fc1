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

use crate::clock::instant;
use crate::db::Tx;
use crate::db::columns::{MerchantId, OrderId};
use crate::error::Error;
use crate::kernel::bill::BillOrder;
use crate::kernel::declared::{Parties, Tags};
use crate::kernel::digest::Digest;
use crate::kernel::file::field;
use crate::kernel::money::Fen;
use crate::kernel::text_enum;

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

/// A payment as we recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The institution's number.
    pub inst_order_no: String,
    /// Our number.
    pub order_no: String,
    /// Sub-merchant.
    pub merchant: String,
    /// Channel.
    pub channel: String,
    /// Product.
    pub product: String,
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
    order_id: OrderId,
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
            order_no: one.order_no,
            theirs: None,
        });
        let short: Vec<Difference> = short.collect();
        store::add_differences(tx, bill.institution_id, bill.business_date, found_at, &short)?;
    }
}

/// What differs between our record of a payment and the bill's.
pub fn compare(ours: Option<&Ours>, theirs: &BillOrder) -> Vec<Difference> {
    let difference = |kind, ours: Option<String>, theirs_say: String| Difference {
        kind,
        inst_order_no: theirs.facts.inst_order_no.clone(),
        order_no: theirs.order_no.clone(),
        ours,
        theirs: Some(theirs_say),
    };
    let paid = theirs.facts.paid;
    let Some(ours) = ours else {
        return vec![difference(DifferenceKind::Long, None, format!("paid={}", paid.get()))];
    };
    let mut found = Vec::new();
    if ours.paid != paid {
        let (ours, theirs) = (format!("paid={}", ours.paid.get()), format!("paid={}", paid.get()));
        found.push(difference(DifferenceKind::Amount, Some(ours), theirs));
    }
    let (mut we_have, mut they_have) = (Vec::new(), Vec::new());
    for (name, ours, theirs) in facts(ours, theirs) {
        if ours != theirs {
            we_have.push(format!("{name}={ours}"));
            they_have.push(format!("{name}={theirs}"));
        }
    }
    if !we_have.is_empty() {
        found.push(difference(DifferenceKind::Facts, Some(we_have.join(" ")), they_have.join(" ")));
    }
    found
}

fn facts(ours: &Ours, theirs: &BillOrder) -> [(&'static str, String, String); 7] {
    let facts = &theirs.facts;
    let (mut tags, mut parties) = (String::new(), String::new());
    field::push_tags(&mut tags, &facts.tags);
    field::push_parties(&mut parties, &facts.parties);
    let paid_at = instant(ours.paid_at);
    [
        ("order_no", ours.order_no.clone(), theirs.order_no.clone()),
        ("merchant", ours.merchant.clone(), facts.merchant.clone()),
        ("channel", ours.channel.clone(), facts.channel.clone()),
        ("product", ours.product.clone(), facts.product.clone()),
        ("tags", ours.tags.to_string(), tags),
        ("parties", ours.parties.to_string(), parties),
        ("paid_at", paid_at.to_cst(), facts.paid_at.to_cst()),
    ]
}
