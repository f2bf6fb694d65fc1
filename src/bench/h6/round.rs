//! A day's work in front of the past: cut, answers, gate, settlement, and the cut again.
use std::time::Instant as Stopwatch;

use anyhow::{Context, ensure};

use crate::bench::world::{World, merchant};
use crate::clock;
use crate::db::columns::{As, MerchantId};
use crate::exchange::{Desk, DocumentKind, ExchangedFile, Folder, Incoming};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetStatus, RetWriter};
use crate::kernel::file::{FileName, ResultName, Stage};
use crate::kernel::money::Fen;
use crate::reconciliation::{self, KeptBill, NewBilled, Sink};
use crate::splits::{self, Cutting};
use crate::{exchange, inbox, institutions, ledger, settlement};

/// Milliseconds of each part of a day's work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    pub cut: f64,
    pub gate: f64,
    pub settle: f64,
    pub again: f64,
}

/// What an order number of a round begins with: other ones than those of the past.
const PREFIX: &str = "77";

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    let begun = Stopwatch::now();
    let done = work()?;
    Ok((done, begun.elapsed().as_secs_f64() * 1_000.0))
}

/// Does the work of a day with so many orders in so many files.
pub async fn work(world: &World, day: BusinessDay, orders: i64, files: i64) -> anyhow::Result<Round> {
    let (app, institution) = (&world.app, world.institution.id);
    let desk = Desk {
        institution: world.institution.clone(),
        folder: Folder::new(&world.data, &world.institution.code),
        key: app.known_keys().files.private_key.clone(),
    };
    let bill = bill(world, day, orders)?;
    let most = u32::try_from(orders.div_euclid(files.max(1)).max(1))?;
    let cutting = Cutting { most, ..Cutting::default() };
    let (at, now) = (app.clock.instant(), app.clock.now());
    let (made, cut) = timed(|| Ok(splits::cut_loaded(&app.db, &desk, &bill, at, now, &cutting)?))?;
    ensure!(made > 0, "nothing was cut");
    let spls = app.db.read_blocking(|tx| exchange::of_day(tx, institution, DocumentKind::Spl, day))?;
    for spl in &spls {
        let amounts = app.db.read_blocking(|tx| splits::order_amounts(tx, spl))?;
        answer(world, spl, amounts.into_iter().collect())?;
    }
    let (missing, gate) = timed(|| Ok(app.db.read_blocking(|tx| settlement::gate(tx, institution, day))?))?;
    ensure!(missing.is_empty(), "the gate is closed: {missing:?}");
    let begun = Stopwatch::now();
    let settled = settlement::settle(&app.db, &app.clock, &desk, day).await?;
    let settle = begun.elapsed().as_secs_f64() * 1_000.0;
    let stl = settled.file;
    let amounts = app.db.read_blocking(|tx| settlement::settled_amounts(tx, stl.id))?;
    answer(world, &stl, amounts.into_iter().collect())?;
    let ((), again) = timed(|| {
        let made = splits::cut_loaded(&app.db, &desk, &bill, at, now, &cutting)?;
        ensure!(made == 0, "the same bill was cut twice");
        Ok(app.db.read_blocking(|tx| settlement::publish_again(tx, &desk, day))?)
    })?;
    Ok(Round { cut, gate, settle, again })
}

/// The institution takes a file and executes every line of it.
fn answer(world: &World, file: &ExchangedFile, lines: Vec<(i32, Fen)>) -> anyhow::Result<()> {
    for (stage, lines) in [(Stage::First, Vec::new()), (Stage::Final(1), lines)] {
        let name = ResultName { file: FileName::parse(&file.name).context("a name")?, stage };
        let total = Fen::sum(lines.iter().map(|(_, amount)| *amount)).context("a sum")?;
        let header = RetHeader {
            name: name.clone(),
            file_digest: file.sha256,
            code: RetCode::Accepted,
            lines: u32::try_from(lines.len())?,
            success_total: total,
            created_at: world.app.clock.instant(),
        };
        let mut writer = RetWriter::new(Vec::new(), RetEncoding::Utf8, header)?;
        for (n, amount) in lines {
            writer.line(&RetLine {
                n: u32::try_from(n)?,
                status: RetStatus::Success,
                amount,
                inst_serial: "".into(),
                path: "".into(),
                done_at: None,
                err_code: "".into(),
                err_msg: "".into(),
            })?;
        }
        let bytes = writer.finish()?.0;
        let signature = world.key.sign_sha256(&bytes)?;
        let incoming = Incoming::signed(&name.to_string(), bytes, signature);
        let now = world.app.clock.now();
        world.app.db.write_blocking(|tx| {
            let institution = institutions::by_id(tx, world.institution.id)?;
            inbox::receive(tx, &institution, &incoming, now)
        })?;
    }
    Ok(())
}

/// Loads the bill of a day, as a cut does before it splits, and posts it.
fn bill(world: &World, day: BusinessDay, orders: i64) -> anyhow::Result<KeptBill> {
    let institution = world.institution.id;
    let (start, now) = (clock::micros(day.start()), world.app.clock.now());
    let many = u64::try_from(orders)?;
    Ok(world.app.db.write_blocking(|tx| {
        let bill = crate::bench::h2::add_bill(tx, institution, day, many, now)?;
        let mut sink = Sink::open(tx, day, institution)?;
        let rows: Vec<NewBilled> = (0..orders).map(|n| order(&bill, start, n)).collect();
        for batch in rows.chunks(5_000) {
            sink.add(tx, batch)?;
        }
        sink.close(tx)?;
        let billed = reconciliation::billed(tx, &bill)?;
        ledger::billed(tx, institution, day, &billed, "bench", now)?;
        ledger::cut(tx, institution, day, "bench", now)?;
        Ok(bill)
    })?)
}

fn order(bill: &KeptBill, start: i64, n: i64) -> NewBilled {
    let day = bill.business_date;
    let index = usize::try_from(n).unwrap_or_default() % 10;
    let paid = 1_000_i64.saturating_add(n.rem_euclid(1_000));
    NewBilled {
        business_date: As(day),
        institution_id: bill.institution_id,
        bill_id: bill.id,
        paid_at: start.saturating_add(n.rem_euclid(86_400).saturating_mul(1_000_000)),
        inst_order_no: format!("{PREFIX}{day}{n:012}"),
        order_no: format!("BN{PREFIX}{day}{n:016}"),
        merchant: merchant(index),
        channel: "wechat".to_owned(),
        product: "native".to_owned(),
        tags: String::new(),
        parties: String::new(),
        paid: As(Fen::new(paid)),
        fee: As(Fen::new((paid * 38 + 5_000) / 10_000)),
        subsidy: As(Fen::ZERO),
        sub_merchant_id: Some(MerchantId::new(1)),
        preview_digest: None,
    }
}
