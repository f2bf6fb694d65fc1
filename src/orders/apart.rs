//! How a payment that was kept apart comes to its end: it is tried again once what was wrong with us is put right, or a
//! person who has put it right elsewhere says what was done.
use serde_json::json;

use super::intake::{Intake, Outcome, PaymentFact};
use super::{apart_store, store};
use crate::channels::{self, RawMessage};
use crate::clock::Clock;
use crate::db::columns::InstitutionId;
use crate::db::{Db, Tx};
use crate::error::{Code, Error};
use crate::institutions;
use crate::kernel::channel::ChannelName;
use crate::kernel::{text, text_enum};
use crate::people::Actor;
use crate::people::audit::{self, Entry};
use crate::protocol::crypto::MasterKey;

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

/// What is needed to try one again.
#[derive(Clone, Copy)]
pub struct Again<'a> {
    /// Our record.
    pub db: &'a Db,
    /// The time.
    pub clock: &'a Clock,
    /// Takes it, if it pays its order now.
    pub intake: &'a Intake,
    /// Opens the keys that open its message.
    pub master: &'a MasterKey,
}

impl Again<'_> {
    /// Asks the message that was kept once more whether it pays its order, by what we know now; whether it does, and was
    /// taken. [`Code::ApartEnded`] of one that came to its end.
    pub async fn try_again(&self, key: ApartKey, actor: Actor) -> Result<bool, Error> {
        let (now, master) = (self.clock.now(), self.master.clone());
        let (institution_id, channel) = (key.institution, key.channel);
        let kept = self.db.write(move |tx| {
            let kept = apart_store::message(tx, &key)?.ok_or(Error::NotFound)?;
            if kept.is_ended {
                return Err(ended());
            }
            let profile = institutions::channel(tx, key.institution, key.channel)?;
            let mut keys = institutions::evidence_keys(tx, &master, key.institution)?;
            let keys = keys.remove(&key.channel).unwrap_or_default();
            let object = key.object();
            let entry = Entry { action: "apart.again", object: &object, before: None, after: None };
            audit::record(tx, now, &actor, entry)?;
            Ok(channels::reopen(&profile, &keys, kept.kind, &kept.body).map(|said| (said, kept)))
        });
        let (said, kept) =
            kept.await?.ok_or_else(|| Error::Internal("a kept message that does not open".to_owned()))?;
        // Taken now, for its merchant is told from now on.
        let apart_store::Message { kind, headers, body, .. } = kept;
        let raw = RawMessage { kind, received_at: now, headers, body };
        let taken = self.intake.submit(PaymentFact { institution_id, channel, said, raw }).await?;
        match taken {
            Outcome::Stored => Ok(true),
            Outcome::Known | Outcome::Orphan | Outcome::Conflict => Ok(false),
        }
    }
}

/// Notes that a person has put it right and how. `words` have up to 200 characters; of [`ApartEnd::Belongs`] they are the
/// number of an order of ours that it does not name itself. [`Code::ApartWords`] where they are not so,
/// [`Code::ApartEnded`] where somebody was first.
pub fn end_apart(
    tx: &mut Tx<'_>,
    key: &ApartKey,
    (how, words): (ApartEnd, &str),
    actor: &Actor,
    now: i64,
) -> Result<(), Error> {
    let words = words.trim();
    let is_said = !words.is_empty() && words.chars().count() <= WORDS_MAX && text::is_plain(words);
    let kept = apart_store::message(tx, key)?.ok_or(Error::NotFound)?;
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
    )
}

fn ended() -> Error {
    Error::refused(Code::ApartEnded, "")
}
