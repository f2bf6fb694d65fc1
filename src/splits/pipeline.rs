//! The three threads of a cut: one reads the bill's orders by key, one proposes, one stores and writes.
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::cut::{Cutting, standing};
use super::propose::{self, Batch};
use super::store;
use super::write::Writer;
use crate::clock;
use crate::db::columns::{FileId, RuleId};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::exchange::{self, Desk, ExchangedFile};
use crate::kernel::approvals::Bundle;
use crate::kernel::bill::BillOrder;
use crate::kernel::calendar::{BusinessDay, Instant};
use crate::kernel::digest::Digest;
use crate::reconciliation::{self, KeptBill};
use crate::rules;

/// Orders that are read at once; memory holds a few times as many.
const PAGE: i64 = 5000;
/// Pages and batches that wait between two threads.
const BETWEEN: usize = 2;

/// What all files of one run have in common.
pub(super) struct Plan {
    pub day: BusinessDay,
    pub bill: KeptBill,
    pub bundle: Bundle,
    /// The header's time.
    pub created_at: Instant,
    /// Internal keys of the rule versions.
    pub rules: HashMap<Digest, RuleId>,
    /// The day's files that are not void.
    pub live: Vec<FileId>,
    /// All the day's files.
    pub known: Vec<FileId>,
    /// Orders of a file at most.
    pub most: u32,
}

impl Plan {
    pub(super) fn new(
        tx: &mut Tx<'_>,
        bill: &KeptBill,
        bundle: Bundle,
        created_at: Instant,
        most: u32,
    ) -> Result<Self, Error> {
        let day = bill.business_date;
        let (live, void) = standing(tx, bill.institution_id, day)?;
        let ids = |files: &[ExchangedFile]| files.iter().map(|file| file.id).collect::<Vec<FileId>>();
        let (live, mut known) = (ids(&live), ids(&void));
        known.extend(&live);
        known.sort_unstable();
        let rules = rules::kept(tx, bill.institution_id)?;
        Ok(Self { day, bill: bill.clone(), bundle, created_at, rules, live, known, most })
    }
}

/// Some orders that the files must tell.
pub(super) struct Untold {
    pub orders: Vec<BillOrder>,
    /// Those among them that stand as X in a file: they are told again only if they can be split now.
    pub waiting: HashSet<String>,
}

/// Makes, stores and records every file of a run, and gives them; none is published yet. Blocks.
pub(super) fn run(
    db: &Db,
    desk: &Desk,
    plan: &Plan,
    now: i64,
    cutting: &Cutting,
) -> Result<Vec<ExchangedFile>, Error> {
    let (to_propose, pages) = sync_channel::<Result<Untold, Error>>(BETWEEN);
    let (to_write, batches) = sync_channel::<Result<Batch, Error>>(BETWEEN);
    let (back, used) = sync_channel::<Batch>(BETWEEN);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(db, plan, &to_propose));
        let proposer = scope.spawn(move || propose::run(plan, db.backend(), pages, &to_write, &used));
        let written = Writer { desk, plan, now, cutting, batches, back }.run(db);
        // The writer has given its end of the channel up: the others end too.
        match (reader.join(), proposer.join()) {
            (Ok(()), Ok(())) => written,
            _ => Err(Error::Internal("a part of the cut stopped unexpectedly".into())),
        }
    })
}

/// Sends the orders that the files must tell, by (`paid_at`, `inst_order_no`).
fn read(db: &Db, plan: &Plan, out: &SyncSender<Result<Untold, Error>>) {
    let mut after: Option<(i64, String)> = None;
    loop {
        let from = after.take();
        let read = db.read_blocking(|tx| {
            let from = from.as_ref().map(|(at, number)| (*at, number.as_str()));
            let orders = reconciliation::orders(tx, &plan.bill, from, PAGE)?;
            after = orders.last().map(|last| {
                let facts = &last.facts;
                (clock::micros(facts.paid_at), facts.inst_order_no.clone())
            });
            untold(tx, plan, orders)
        });
        let is_over = read.is_err() || after.is_none();
        if out.send(read).is_err() || is_over {
            return;
        }
    }
}

/// Leaves out what the day's files tell already.
fn untold(tx: &mut Tx<'_>, plan: &Plan, mut orders: Vec<BillOrder>) -> Result<Untold, Error> {
    let mut waiting = HashSet::new();
    if !plan.live.is_empty() {
        let numbers: Vec<&str> = orders.iter().map(|order| order.facts.inst_order_no.as_str()).collect();
        let told = store::told(tx, &plan.bill, &plan.live, &numbers)?;
        orders.retain(|order| {
            let number = &order.facts.inst_order_no;
            match told.get(number) {
                None => true,
                Some(true) => false,
                Some(false) => plan.bundle.decision(number).is_some() && waiting.insert(number.clone()),
            }
        });
    }
    Ok(Untold { orders, waiting })
}

/// The files of the day as a writer finds them, whatever their state.
pub(super) fn files_there(tx: &mut Tx<'_>, plan: &Plan) -> Result<Vec<FileId>, Error> {
    let bill = &plan.bill;
    let files = exchange::of_day(tx, bill.institution_id, super::cut::KIND, bill.business_date)?;
    let mut ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    ids.sort_unstable();
    Ok(ids)
}
