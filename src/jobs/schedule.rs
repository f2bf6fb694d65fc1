//! The daily round: a day is cut when its bill is ready, and settled when its gate opens.
use crate::app::App;
use crate::error::{Code, Error};
use crate::institutions;
use crate::institutions::exchange::{self, ExchangedFile};
use crate::kernel::calendar::BusinessDay;
use crate::{settlement, splits};

/// Seconds after the end of a business day at which its bill is ready: 10:00 in Asia/Shanghai.
const BILL_READY: i64 = 10 * 3600;
/// How many days back a day is looked after that was missed or that waits for an answer.
const REACH: usize = 31;

/// Cuts and settles what is due; how many files were made.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let mut made = 0_usize;
    for institution in app.db.read(institutions::all).await? {
        for day in due(app, institution.id).await? {
            made = made.saturating_add(of_day(app, institution.id, day).await?);
        }
    }
    Ok(made)
}

/// The days whose bill is ready, oldest first: not before the institution's first bundle.
async fn due(app: &App, institution: i64) -> Result<Vec<BusinessDay>, Error> {
    let first = app.db.read(move |tx| exchange::chain(tx, institution, "APR")).await?;
    let Some(first) = first.first().and_then(|file| BusinessDay::from_i32(file.business_date)) else {
        return Ok(Vec::new());
    };
    let now = app.clock.instant();
    let mut day = now.business_day().prev();
    if now < day.next().start().plus(BILL_READY) {
        day = day.prev();
    }
    let mut days = Vec::new();
    while day >= first && days.len() < REACH {
        days.push(day);
        day = day.prev();
    }
    days.reverse();
    Ok(days)
}

async fn of_day(app: &App, institution: i64, day: BusinessDay) -> Result<usize, Error> {
    let waiting = app
        .db
        .read(move |tx| {
            let settled = settlement::settled(tx, institution, day)?.is_some();
            let (live, void) = splits::standing(tx, institution, day)?;
            let again = settlement::must_repeat(tx, institution, day)?;
            // The institution's own bill tells of more orders than stand in the day's files.
            let bills = exchange::of_day(tx, institution, "BIL", day.to_i32())?;
            let orders = |files: &[ExchangedFile]| files.iter().map(|file| file.orders).sum::<i64>();
            let late = orders(&bills) > orders(&live);
            Ok((live.is_empty() && void.is_empty() || again || late, !settled))
        })
        .await?;
    let (cut, settle) = waiting;
    let mut made = 0_usize;
    let desk = app.desk(institution).await?;
    if cut {
        let client = app.channel(institution).await?.client;
        made = unless_waiting(splits::cut(&app.db, &app.clock, &desk, &client, day).await.map(|r| r.made))?;
    }
    if settle {
        let settled = settlement::settle(&app.db, &app.clock, &desk, day).await;
        made = made.saturating_add(unless_waiting(settled.map(|report| usize::from(report.made)))?);
    }
    Ok(made)
}

/// What must wait is tried again at the next round; it is no failure.
fn unless_waiting(outcome: Result<usize, Error>) -> Result<usize, Error> {
    match outcome {
        Err(Error::Refused {
            code: Code::GateClosed | Code::BillUnavailable | Code::SettledLater | Code::NoBundle,
            detail,
        }) => {
            tracing::debug!(detail, "a day waits");
            Ok(0)
        }
        outcome => outcome,
    }
}
