//! How a payment that was kept apart comes to its end: the institution is asked once more and states what pays the order by
//! now, or a person who has put it right elsewhere says what was done.
use serde_json::json;

use super::flow::Outside;
use super::intake::{Outcome, PaymentFact};
use super::{Order, apart_store, store};
use crate::channels::{Answer, Notice, Queried};
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::{Code, Error};
use crate::kernel::channel::ChannelName;
use crate::kernel::{text, text_enum};
use crate::merchants;
use crate::people::Actor;
use crate::people::audit::{self, Entry};

/// The most that a person says of it, in characters.
const WORDS_MAX: usize = 200;

text_enum! {
    /// How a payment that was kept apart came to its end.
    pub enum ApartEnd {
        /// It pays its order after all, and was taken as its payment.
        Entered = "ENTERED",
        /// The institution gave it back to its payer.
        Refunded = "REFUNDED",
        /// It belongs to an order that is named.
        Belongs = "BELONGS",
        /// Something else, as is said.
        Other = "OTHER",
    }
}

/// What a person says was done, or that it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What was done.
    pub how: ApartEnd,
    /// What exactly; the number of the order where it belongs to one.
    pub words: String,
    /// Who said so.
    pub actor: String,
    /// Unix microseconds.
    pub at: i64,
}

/// Which payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApartKey {
    /// Who stated it.
    pub institution: InstitutionId,
    /// In which channel.
    pub channel: ChannelName,
    /// The institution's number.
    pub inst_order_no: String,
}

impl ApartKey {
    /// Its name in the audit trail.
    fn object(&self) -> String {
        format!("apart:{}/{}/{}", self.institution.get(), self.channel, self.inst_order_no)
    }
}

/// What came of trying one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriedAgain {
    /// It pays its order, and was taken as its payment.
    Taken,
    /// It still does not pay its order.
    Still,
    /// It went back to its payer, or some of it.
    Refunded,
}

/// Asks the institution once more for the order that a payment kept apart names, and takes what it states if that pays the
/// order now: only the institution knows whether the money is still there. [`Code::ApartEnded`] of one that came to its end,
/// [`Code::ApartNotAsked`] where the institution could not be asked.
pub async fn try_again(outside: &Outside<'_>, key: ApartKey, actor: Actor) -> Result<TriedAgain, Error> {
    let (object, wanted) = (key.object(), key.clone());
    let named = outside.db.read(move |tx| {
        let kept = apart_store::kept(tx, &key)?.ok_or(Error::NotFound)?;
        if kept.is_ended {
            return Err(ended());
        }
        let Some(order) = store::by_order_no(tx, &kept.order_no)? else { return Ok(None) };
        let merchant = merchants::enrolled(tx, order.sub_merchant_id, order.institution_id)?;
        Ok(Some((order.order_no, merchant.inst_merchant_no)))
    });
    let stated = match named.await? {
        Some((order_no, merchant_no)) => stated(outside, &wanted, &order_no, &merchant_no).await?,
        None => None,
    };
    let now = outside.clock.now();
    let record = outside.db.write(move |tx| {
        audit::record(
            tx,
            now,
            &actor,
            Entry { action: "apart.again", object: &object, before: None, after: None },
        )
    });
    record.await?;
    let Some(notice) = stated else { return Ok(TriedAgain::Still) };
    if notice.statement.is_refunded {
        return Ok(TriedAgain::Refunded);
    }
    match outside.intake.submit(PaymentFact::of(outside.channel, notice)).await? {
        Outcome::Stored => Ok(TriedAgain::Taken),
        Outcome::Known | Outcome::Orphan | Outcome::Conflict => Ok(TriedAgain::Still),
    }
}

/// What the institution states of this payment now, if it states it.
async fn stated(
    outside: &Outside<'_>,
    key: &ApartKey,
    order_no: &str,
    merchant_no: &str,
) -> Result<Option<Notice>, Error> {
    match outside.channel.query(order_no, merchant_no).await {
        Answer::Known(Queried::Paid(notice)) => Ok(Some(*notice).filter(|notice| {
            key.channel == outside.channel.name() && key.inst_order_no == notice.statement.inst_order_no
        })),
        Answer::Known(Queried::NotPaid | Queried::Closed(_) | Queried::Absent) => Ok(None),
        Answer::Refused { .. } | Answer::Busy | Answer::Unknown(_) => {
            Err(Error::refused(Code::ApartNotAsked, ""))
        }
    }
}

/// Notes that a person has put it right and how. `words` have up to 200 characters; of [`ApartEnd::Belongs`] they are the
/// number of an order of ours that it does not name itself. [`Code::ApartWords`] where they are not so,
/// [`Code::ApartEnded`] where somebody was first. Gives the order that it names, if that is ours: it may be closed now.
pub fn end_apart(
    tx: &mut Tx<'_>,
    key: &ApartKey,
    (how, words): (ApartEnd, &str),
    actor: &Actor,
    now: i64,
) -> Result<Option<Order>, Error> {
    let words = words.trim();
    let is_said = !words.is_empty() && words.chars().count() <= WORDS_MAX && text::is_plain(words);
    let kept = apart_store::kept(tx, key)?.ok_or(Error::NotFound)?;
    let fits = match how {
        // What pays its order is taken by the intake alone.
        ApartEnd::Entered => false,
        // The order that it names itself is no other one.
        ApartEnd::Belongs => {
            words != kept.order_no && text::is_order_no(words) && store::by_order_no(tx, words)?.is_some()
        }
        ApartEnd::Refunded | ApartEnd::Other => true,
    };
    if !is_said || !fits {
        return Err(Error::refused(Code::ApartWords, ""));
    }
    if kept.is_ended {
        return Err(ended());
    }
    let said = Ended { how, words: words.to_owned(), actor: actor.name.clone(), at: now };
    apart_store::end(tx, key, &said).map_err(|error| match error.is_duplicate() {
        true => ended(),
        false => error,
    })?;
    let (object, after) = (key.object(), json!({"how": how.as_str(), "words": words}));
    audit::record(
        tx,
        now,
        actor,
        Entry { action: "apart.end", object: &object, before: None, after: Some(after) },
    )?;
    store::by_order_no(tx, &kept.order_no)
}

fn ended() -> Error {
    Error::refused(Code::ApartEnded, "")
}
