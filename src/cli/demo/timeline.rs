//! The demo's days in the order of their clock: orders as they come, and at ten the next morning the day before is
//! cut, verified by the institution, and settled.
use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::proof;
use super::scenery::{SHOPS, SP_MCHID, Sale, sale};
use super::world::World;
use crate::clock::{self, Clock};
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, DocumentKind};
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::state::{FileState, OrderState};
use crate::merchants::tenants;
use crate::{orders, settlement, splits, tasks};

/// Orders in flight at a time; they share a moment of the simulated clock.
const IN_FLIGHT: usize = 16;
/// When the day before is cut, in seconds after midnight: its bill is ready at ten.
const CUT_AT: i64 = 10 * 3600 + 300;
const DAY: i64 = 86_400;

/// Plays the days up to and with `now`'s: `orders` each, all but the last one finished. What an earlier start did is
/// not done again, however it ended; what is told of a day is read back from the record. A day that cannot be finished
/// keeps no later one from being played; it is the error at the end.
pub async fn play(
    world: &World,
    days: u32,
    orders: usize,
    now: Instant,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<()> {
    go_on_from_the_record(world, now).await?;
    let today = now.business_day();
    let window = (1..days).fold(today, |day, _| day.prev());
    let mut day = first_open(world).await?.min(window);
    let mut open: Option<BusinessDay> = None;
    let mut unfinished = Vec::new();
    while day <= today {
        let wanted = if day >= window { orders } else { 0 };
        let until = if day == today { now } else { day.next().start().plus(-1) };
        let close_at = day.start().plus(CUT_AT).min(until);
        let sales = missing_sales(world, day, wanted, until).await?;
        let (morning, rest): (Vec<_>, Vec<_>) = sales.into_iter().partition(|(at, _)| *at < close_at);
        sell(world, &morning).await?;
        if let Some(before) = open {
            go_on_to(&world.app.clock, close_at.max(before.next().start()));
            let finished = async {
                close(world, before).await?;
                proof::finished(world, before).await
            };
            match finished.await {
                Ok(told) => tell(&told),
                Err(error) => {
                    tell(&format!("{before}: not finished"));
                    unfinished.push(format!("business day {before}: {error:#}"));
                }
            }
        }
        sell(world, &rest).await?;
        tell(&proof::paid(world, day).await?);
        open = Some(day);
        day = day.next();
    }
    world.app.clock.set(now);
    ensure!(unfinished.is_empty(), "{}", unfinished.join("; "));
    Ok(())
}

/// An earlier start may have ended in the middle of a day that is past by now. Its missing orders belong to that day:
/// the clock begins where the record ends.
async fn go_on_from_the_record(world: &World, now: Instant) -> anyhow::Result<()> {
    let institution = world.institution;
    let ends = world.app.db.read(move |tx| {
        let mut moments = vec![orders::newest(tx)?.map(|order| order.created_at)];
        for kind in [DocumentKind::Apr, DocumentKind::Bil, DocumentKind::Spl, DocumentKind::Stl] {
            moments.push(exchange::last(tx, institution, kind)?.map(|file| file.recorded_at));
        }
        Ok(moments.into_iter().flatten().max())
    });
    if let Some(end) = ends.await? {
        // What happened within that second stays in the past.
        world.app.clock.set(clock::instant(end).plus(1).min(now));
    }
    Ok(())
}

/// The first day that is not settled to its end.
async fn first_open(world: &World) -> anyhow::Result<BusinessDay> {
    let institution = world.institution;
    let read = move |tx: &mut Tx<'_>| {
        let settled = match exchange::last(tx, institution, DocumentKind::Stl)? {
            Some(file) => Some((file.business_date, exchange::file_state(tx, file.id)?)),
            None => None,
        };
        Ok((exchange::first(tx, institution, DocumentKind::Apr)?, settled))
    };
    match world.app.db.read(read).await? {
        (_, Some((last, FileState::Executed))) => Ok(last.next()),
        (_, Some((last, _))) => Ok(last),
        // The first bundle was issued as the first day began.
        (bundle, None) => bundle.map(|file| file.business_date).context("no bundle was taken in"),
    }
}

/// The orders of a day that were not placed by an earlier start, each with its moment.
async fn missing_sales(
    world: &World,
    day: BusinessDay,
    wanted: usize,
    until: Instant,
) -> anyhow::Result<Vec<(Instant, Sale)>> {
    let (start, text) = (day.start(), day.to_string());
    let length = until.get().saturating_sub(start.get()).min(DAY);
    let placed = |tx: &mut Tx<'_>| {
        let tenant = tenants::by_number(tx, SP_MCHID)?.ok_or(Error::NotFound)?.id;
        let mut missing = Vec::new();
        for index in 0..wanted {
            let sale = sale(&text, index);
            if orders::by_out_trade_no(tx, tenant, &sale.out_trade_no)?.is_none() {
                let (index, wanted) = (i64::try_from(index), i64::try_from(wanted.max(1)));
                let offset = length.saturating_mul(index.unwrap_or(0)) / wanted.unwrap_or(1);
                missing.push((start.plus(offset), sale));
            }
        }
        Ok(missing)
    };
    Ok(world.app.db.read_blocking(placed)?)
}

/// Sets the clock, never back: what was approved or told a moment ago must stay in the past.
fn go_on_to(clock: &Clock, at: Instant) {
    clock.set(at.max(clock.instant()));
}

/// Places and pays orders through the gateway, some at a time, and waits until the merchant knows of each payment.
async fn sell(world: &World, sales: &[(Instant, Sale)]) -> anyhow::Result<()> {
    for batch in sales.chunks(IN_FLIGHT) {
        let Some((at, _)) = batch.first() else { break };
        go_on_to(&world.app.clock, *at);
        let placed = stream::iter(batch).map(|(_, sale)| world.shop.sell(sale));
        placed.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        world.settle_messages().await?;
        for (_, sale) in batch {
            is_paid(world, sale).await?;
        }
    }
    Ok(())
}

/// Places an order that waits to be paid, or finds the one that this start placed; gives its code_url.
pub async fn open_order(world: &World) -> anyhow::Result<String> {
    let [shop, ..] = &SHOPS;
    let today = world.app.clock.today();
    for n in 1..=999_u32 {
        let number = format!("OPEN{today}N{n:03}");
        let (out_trade_no, notify_url) = (number.clone(), world.shop.notify_url.clone());
        let known = world.app.db.read(move |tx| {
            let tenant = tenants::by_number(tx, SP_MCHID)?.ok_or(Error::NotFound)?.id;
            let order = orders::by_out_trade_no(tx, tenant, &number)?;
            order.map(|order| orders::standing(tx, order)).transpose()
        });
        let (merchant, description) = (shop.merchant, shop.goods.first().copied().unwrap_or(shop.name));
        let sale = Sale { out_trade_no, merchant, description, total: 1_280, goods_tag: "" };
        match known.await? {
            None => return world.shop.order(&sale).await,
            // What an earlier start placed would be told to an address that is gone.
            Some(known) if known.order.notify_url == notify_url && known.state == OrderState::Paying => {
                return world.shop.order(&sale).await;
            }
            Some(_) => {}
        }
    }
    bail!("there are 999 such orders of today")
}

/// The platform holds the payment, and its merchant was told.
async fn is_paid(world: &World, sale: &Sale) -> anyhow::Result<()> {
    let number = sale.out_trade_no.clone();
    let state = world.app.db.read(move |tx| {
        let tenant = tenants::by_number(tx, SP_MCHID)?.ok_or(Error::NotFound)?.id;
        let order = orders::by_out_trade_no(tx, tenant, &number)?.ok_or(Error::NotFound)?;
        Ok(orders::standing(tx, order)?.state)
    });
    let state = state.await?;
    ensure!(state == OrderState::Paid, "{} is {} after its payment", sale.out_trade_no, state.as_str());
    ensure!(world.shop.was_told(&sale.out_trade_no), "the merchant was not told of {}", sale.out_trade_no);
    Ok(())
}

/// Cuts a day, lets the institution verify and execute it, settles it, and takes the results in.
pub async fn close(world: &World, day: BusinessDay) -> anyhow::Result<()> {
    let (app, institution) = (&world.app, world.institution);
    world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await?;
    tasks::import_files(app).await?;
    let desk = app.desk(institution).await?;
    let channels = app.channels_of(&desk.institution).await?;
    splits::cut(&app.db, &app.clock, &desk, &channels, day, &splits::Cutting::default()).await?;
    let answered = world.exchange().await?;
    let missing = app.db.read(move |tx| settlement::gate(tx, institution, day)).await?;
    let told: Vec<String> = missing.iter().map(ToString::to_string).collect();
    ensure!(missing.is_empty(), "the gate is closed: {}; the institution said {answered}", told.join("; "));
    let report = settlement::settle(&app.db, &app.clock, &desk, day).await?;
    let answered = world.exchange().await?;
    let file = report.file.clone();
    let state = app.db.read(move |tx| exchange::file_state(tx, file.id)).await?;
    ensure!(
        state == FileState::Executed,
        "{} is {}; the institution said {answered}",
        report.file.name,
        state.as_str()
    );
    Ok(())
}
