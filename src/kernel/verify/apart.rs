//! What the merge of the day's files and the bill put aside, joined by full number: orders told at another time than the
//! bill's, orders that no file tells, payments that stand twice anywhere or in an earlier file already.
use super::day::{ALONE, EARLIER, MATCHED, STRAY};
use super::earlier::Earlier;
use super::orders::{Judge, Known, Told};
use super::pile::{Entry, Pile};
use super::report::{Part, Step};
use super::told::{PREVIOUSLY, TOLD};
use super::{Run, Unusable, place_of};
use crate::bill::BillOrder;
use crate::calendar::Instant;
use crate::file::spl::{SplRecord, parse};
use crate::file::{Check, Fault, bil};
use crate::proposal::Reason;

/// Joins everything by `inst_order_no`, then by `order_no`.
pub(super) fn join(
    run: &mut Run<'_>,
    judge: &mut Judge<'_, '_>,
    numbers: Pile<'_>,
    earlier: &[Earlier],
) -> Result<(), Unusable> {
    let mut twice: Option<(u64, String)> = None;
    let mut room = BillOrder::blank();
    numbers.groups(&mut |group| {
        let bill = || group.iter().filter(|entry| matches!(entry.kind, MATCHED | ALONE));
        if bill().nth(1).is_none() {
            return payment(run, judge, group, &mut room, earlier);
        }
        let last = bill().map(|Entry { numbers: [at, ..], key, .. }| (*at, *key)).max();
        if let Some((at, no)) = last.filter(|(at, _)| twice.as_ref().is_none_or(|(known, _)| at < known)) {
            twice = Some((at, no.to_owned()));
        }
        Ok(())
    })?;
    if let Some((at, no)) = twice {
        let (bill, line) = place_of(at);
        let why = format!("the bills tell payment {no} twice");
        return Err(Unusable::Bill { file: run.bills.name(bill).to_owned(), line, why });
    }
    judge.order_nos.take().groups(&mut |group| {
        let told = group.iter().take_while(|entry| entry.kind == TOLD).count();
        let (told, before) = group.split_at_checked(told).unwrap_or_default();
        judge.one_order_no(&mut run.report, told);
        for entry in before.iter().filter(|entry| entry.kind == PREVIOUSLY) {
            // The same payment was found by its other number.
            if !told.is_empty() && told.iter().all(|told| told.text != entry.text) {
                told_earlier(run, earlier, entry.numbers, entry.text);
            }
        }
        Ok(())
    })
}

/// V08 of an earlier file.
fn told_earlier(run: &mut Run<'_>, earlier: &[Earlier], [at, ..]: [u64; 4], no: &str) {
    let (file, line) = place_of(at);
    let Some(earlier) = usize::try_from(file).ok().and_then(|file| earlier.get(file)) else { return };
    if earlier.counts {
        let found = "an earlier file tells it already";
        let fault = Fault::new(Check::V08, line, "a payment that was not told before", found);
        run.report.at((Step::Previous, file, Part::Orders));
        run.report.fault(&earlier.name, fault.of_order(no));
    }
}

/// All that there is of one payment.
fn payment(
    run: &mut Run<'_>,
    judge: &mut Judge<'_, '_>,
    group: &[Entry<'_>],
    room: &mut BillOrder,
    earlier: &[Earlier],
) -> Result<(), Unusable> {
    let Some(no) = group.first().map(|entry| entry.key) else { return Ok(()) };
    let of = |kind: u8| group.iter().filter(move |entry| entry.kind == kind);
    let mut matched = of(MATCHED).next().map(Matched::of);
    let known = match (&matched, of(ALONE).next()) {
        (Some(matched), _) => Known::Again(matched.paid_at, matched.late),
        (None, Some(Entry { numbers: [_, late, ..], text, .. })) => {
            bil::read_order(text, room).ok_or_else(Unusable::changed)?;
            Known::Bill(room, *late == 1)
        }
        (None, None) if run.bills.broken => Known::Unknown,
        (None, None) => Known::Nothing,
    };
    let is_told = matched.is_some() || of(STRAY).next().is_some();
    let mut last: Option<(Told, Option<Reason>)> = None;
    for Entry { numbers: [at, ..], text, .. } in of(STRAY) {
        let mut before = last.map(|(told, _)| told);
        if let Some(Matched { told, .. }) = matched.take_if(|matched| matched.told.place() < *at) {
            retold(run, judge, (told, no), before);
            before = Some(told);
        }
        last = stray(run, judge, (*at, text), known, before)?;
    }
    if let Some(Matched { told, .. }) = matched {
        retold(run, judge, (told, no), last.map(|(told, _)| told));
    }
    match (known, last) {
        (Known::Bill(order, _), Some(last)) => judge.last(&mut run.report, order, last),
        (Known::Bill(order, _), None) => untold(run, order),
        (Known::Again(..) | Known::Nothing | Known::Unknown, _) => {}
    }
    for entry in of(EARLIER).filter(|_| is_told) {
        told_earlier(run, earlier, entry.numbers, no);
    }
    Ok(())
}

/// An order of the bill that was judged with its telling already.
struct Matched {
    paid_at: Instant,
    late: bool,
    told: Told,
}

impl Matched {
    fn of(Entry { numbers: [_, flags, at, paid_at], .. }: &Entry<'_>) -> Self {
        let (file, line) = place_of(*at);
        let told = Told { file, line, split: flags & 2 == 2 };
        Self { paid_at: Instant::new(paid_at.cast_signed()), late: flags & 1 == 1, told }
    }
}

fn retold(run: &mut Run<'_>, judge: &Judge<'_, '_>, told: (Told, &str), before: Option<Told>) {
    if let Some(before) = before {
        judge.again(&mut run.report, told, before);
    }
}

/// V06.
fn untold(run: &mut Run<'_>, order: &BillOrder) {
    let fault = Fault::new(Check::V06, 0, "the order as O or X in a file of the day", "none");
    let fault = fault.of_order(&order.facts.inst_order_no);
    run.report.at((Step::Untold, 0, Part::Orders));
    run.report.fault_within(order.facts.paid_at.get(), &run.bills.names.join(" "), fault);
}

/// An order that was put aside with its lines, judged.
fn stray(
    run: &mut Run<'_>,
    judge: &mut Judge<'_, '_>,
    (at, text): (u64, &str),
    known: Known<'_>,
    before: Option<Told>,
) -> Result<Option<(Told, Option<Reason>)>, Unusable> {
    let (file, line) = place_of(at);
    let mut lines = (line..).zip(text.lines().map(parse));
    let told = Told { file, line, split: true };
    let (mut current, telling) = match lines.next() {
        Some((_, Some(SplRecord::Order(order)))) => {
            (judge.order(&mut run.report, (told, &order), known, before)?, (told, None))
        }
        Some((_, Some(SplRecord::Unsplit(unsplit)))) => {
            let told = Told { split: false, ..told };
            judge.unsplit(&mut run.report, (told, &unsplit), known, before)?;
            (judge.nobodys(told), (told, Some(unsplit.reason)))
        }
        Some((_, Some(SplRecord::Line(_)) | None)) | None => return Err(Unusable::changed()),
    };
    let mut next = line.saturating_add(1);
    for (at, record) in lines {
        if let Some(SplRecord::Line(line)) = record {
            judge.line(&mut run.report, at, &mut current, &line);
        }
        next = at.saturating_add(1);
    }
    judge.end(&mut run.report, next, &current);
    Ok(Some(telling))
}
