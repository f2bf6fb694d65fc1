//! Payments that pay no order: their rows, and the buttons by which they come to their end.
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use serde::Deserialize;

use crate::app::App;
use crate::channels::CNY;
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::institutions;
use crate::kernel::channel::ChannelName;
use crate::kernel::text;
use crate::orders::{self, ApartEnd, ApartKey, KeptApart, Outside, TriedAgain};
use crate::people::rights::{Resource, Right};
use crate::tasks;
use crate::web::kit::fault::Fault;
use crate::web::kit::form::{Filled, Pressed};
use crate::web::kit::format::{Ident, When, Yuan};
use crate::web::kit::visitor::Visitor;
use crate::web::view::apart::{how_ended, why_apart};
use crate::web::words::Words;

/// A payment that pays no order.
pub(super) struct ApartRow {
    pub why: &'static str,
    pub todo: &'static str,
    pub institution: String,
    pub channel: ChannelName,
    pub inst_order_no: Ident,
    pub order_no: Ident,
    pub known: bool,
    pub paid_at: When,
    pub total: String,
    pub asked: String,
    /// Whether its buttons stand here.
    pub may_end: bool,
    pub ended: Option<EndedView>,
}

/// How it came to its end.
pub(super) struct EndedView {
    pub how: &'static str,
    pub words: String,
    pub actor: String,
    pub at: When,
}

pub(super) fn row(w: &Words, one: KeptApart, manages: bool) -> ApartRow {
    let (why, todo) = why_apart(w, one.why);
    let amount = |fen| match one.currency == CNY {
        true => Yuan(fen).to_string(),
        false => format!("{} {}", one.currency, fen.yuan()),
    };
    ApartRow {
        why,
        todo,
        total: amount(one.total),
        asked: one.asked.map_or_else(|| "—".to_owned(), |fen| Yuan(fen).to_string()),
        known: one.asked.is_some(),
        institution: one.institution,
        channel: one.channel,
        inst_order_no: Ident(one.inst_order_no),
        order_no: Ident(one.order_no),
        paid_at: When(one.paid_at),
        may_end: manages && one.ended.is_none(),
        ended: one.ended.map(|ended| EndedView {
            how: how_ended(w, ended.how),
            words: ended.words,
            actor: ended.actor,
            at: When(ended.at),
        }),
    }
}

/// The institution's code, its channel, its number.
type Place = Path<(String, String, String)>;

/// Which payment an address names. Not every database can be asked for any text.
fn key(
    tx: &mut Tx<'_>,
    (institution, channel, number): &(String, String, String),
) -> Result<ApartKey, Error> {
    let channel = ChannelName::parse(channel).ok_or(Error::NotFound)?;
    if !text::is_institution(institution) || !text::is_inst_order_no(number) {
        return Err(Error::NotFound);
    }
    let institution = institutions::by_code(tx, institution)?.id;
    Ok(ApartKey { institution, channel, inst_order_no: number.clone() })
}

/// Asks the institution once more whether it pays its order.
pub(in crate::web) async fn again(
    visitor: Visitor,
    pressed: Result<Pressed, Fault>,
    app: Data<App>,
    place: Place,
) -> Result<HttpResponse, Fault> {
    // Who may not is told so before anybody looks at the form.
    visitor.platform(Right::Manage, Resource::Exceptions)?;
    let Pressed(visitor) = pressed?;
    let place = place.into_inner();
    let key = app.db.read(move |tx| key(tx, &place)).await?;
    let channel = app.channel(key.institution, key.channel).await?;
    let outside = Outside { db: &app.db, clock: &app.clock, intake: &app.intake, channel: &channel };
    match orders::try_again(&outside, key, visitor.actor()).await? {
        TriedAgain::Taken => Ok(back()),
        TriedAgain::Still => Err(Error::refused(Code::ApartStill, "").into()),
        TriedAgain::Refunded => Err(Error::refused(Code::ApartRefunded, "").into()),
    }
}

/// What a person says was done. What a form lacks is told after it is known to be ours.
#[derive(Deserialize)]
pub(in crate::web) struct Done {
    #[serde(default)]
    how: String,
    #[serde(default)]
    words: String,
}

/// Notes what was done elsewhere. An order whose time is over is closed with the last payment that names it.
pub(in crate::web) async fn end(
    visitor: Visitor,
    filled: Result<Filled<Done>, Fault>,
    app: Data<App>,
    place: Place,
) -> Result<HttpResponse, Fault> {
    visitor.platform(Right::Manage, Resource::Exceptions)?;
    let Filled(visitor, Done { how, words }) = filled?;
    let how = ApartEnd::parse(&how).ok_or(Fault::Form("how"))?;
    let (place, actor, now) = (place.into_inner(), visitor.actor(), app.clock.now());
    let command = app.db.write(move |tx| {
        let key = key(tx, &place)?;
        orders::end_apart(tx, &key, (how, &words), &actor, now)
    });
    if let Some(order) = command.await? {
        // What was done is noted in any case; an order that could not be asked about is asked about again.
        let order_no = order.order_no.clone();
        if let Err(error) = tasks::ask_about(&app, order).await {
            tracing::warn!(order_no, %error, "an order could not be asked about after its payment was put right");
        }
    }
    Ok(back())
}

/// To the page of exceptions, after something was done there.
pub(super) fn back() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, "/admin/exceptions")).finish()
}
