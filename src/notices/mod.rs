//! Who is told what: delivery of what the outbox holds, each note in the language of whoever is told.
pub mod alipay;
mod delivery;
mod failure;
pub mod wechat;

pub use delivery::{round, run_once as deliver};
pub use failure::{Failure, FailureReason};

use serde_json::json;

use crate::app::App;
use crate::channels::http::{Outgoing, Received};
use crate::db::Tx;
use crate::error::Error;
use crate::orders;
use crate::outbox::{self, Due};
use crate::people::{Actor, Scope, audit};
use crate::protocol::language::Language;

/// Tells a merchant of its paid order once more, now, whatever came of it before. `NotFound` is an order that `scope` may
/// not see, or that there is nothing to tell of yet.
pub fn tell_again(
    tx: &mut Tx<'_>,
    scope: &Scope,
    order_no: &str,
    actor: &Actor,
    now: i64,
) -> Result<(), Error> {
    let delivery = orders::detail(tx, scope, order_no)?.delivery.ok_or(Error::NotFound)?;
    outbox::again(tx, delivery.id, now)?;
    let object = format!("order:{order_no}");
    let after = Some(json!({"event_id": delivery.event_id, "attempts": delivery.attempts}));
    let entry = audit::Entry { action: "notice.again", object: &object, before: None, after };
    audit::record(tx, now, actor, entry)
}

/// Seconds from one delivery to the next; after the last of them the note is given up.
const fn schedule(language: Language) -> &'static [i64] {
    match language {
        Language::WechatPartner | Language::WechatDirect => &wechat::SCHEDULE,
        Language::AlipayOpenapi => &alipay::SCHEDULE,
    }
}

/// The note as it goes out now. Its id and what it says are the same at every delivery.
async fn render(app: &App, note: &Due) -> Result<Outgoing, Error> {
    match note.language {
        Language::WechatPartner => wechat::render(app, note, wechat::Form::Partner).await,
        Language::WechatDirect => wechat::render(app, note, wechat::Form::Direct).await,
        Language::AlipayOpenapi => alipay::render(app, note).await,
    }
}

/// Whether the other side has taken it; the error is how it failed.
fn is_taken(language: Language, answer: &Received) -> Result<(), Failure> {
    match language {
        Language::WechatPartner | Language::WechatDirect => wechat::is_taken(answer),
        Language::AlipayOpenapi => alipay::is_taken(answer),
    }
}
