//! Which order was told where, and that each is told once: V08, and V06 of orders that a decision released.
use super::Report;
use super::orders::{DayFile, Judge, Known, Told};
use super::pile::Entry;
use super::report::{Part, Step};
use super::{Unusable, place_of};
use crate::file::{Check, Fault, FileName};
use crate::text::NO_ORDER_NO;

/// Kinds of entries by `order_no`; their text is the `inst_order_no`, their first number the place.
pub(super) const TOLD: u8 = 0;
/// The same in an earlier file.
pub(super) const PREVIOUSLY: u8 = 1;

/// An O, released by a decision, that no file told as X before.
pub(super) struct Silent {
    told: Told,
    seq: u16,
    no: String,
}

impl Judge<'_, '_> {
    /// V08: told once, unless a decision released an X of an earlier file. Notes who told which `order_no`.
    pub fn telling(
        &mut self,
        report: &mut Report,
        (told, no, order_no): (Told, &str, &str),
        known: Known<'_>,
        before: Option<Told>,
    ) -> Result<(), Unusable> {
        match before {
            Some(before) => self.again(report, (told, no), before),
            None if told.split && self.is_decided(told.file, no) && !known.is_late() => {
                let files = self.files.iter().zip(0..=told.file);
                let mut bundles = files.filter_map(|(file, _)| file.bundle);
                if bundles.any(|bundle| bundle.decision(no).is_none()) {
                    let seq = self.file(told.file).map_or(0, |file| file.seq);
                    self.silent.push(Silent { told, seq, no: no.to_owned() });
                }
            }
            None => {}
        }
        if order_no == NO_ORDER_NO {
            // It has none of its own: its inst_order_no alone is looked at.
            return Ok(());
        }
        let numbers = [told.place(), 0, 0, 0];
        self.order_nos.push(&Entry { key: order_no, kind: TOLD, numbers, text: no })
    }

    /// V08: told again.
    pub fn again(&self, report: &mut Report, (told, no): (Told, &str), before: Told) {
        let released =
            told.split && !before.split && before.file != told.file && self.is_decided(told.file, no);
        if !released {
            let other = self.file(before.file).map_or("", |file| &file.name);
            let found = format!("it is in {other} already");
            self.wrong(report, (Check::V08, told, no), "an order that was not told before", &found);
        }
    }

    fn is_decided(&self, file: u32, no: &str) -> bool {
        self.bundle(file).is_some_and(|bundle| bundle.decision(no).is_some())
    }

    /// V08: no two payments have one `order_no`. Entries come in the order of the files and their lines.
    pub fn one_order_no(&self, report: &mut Report, entries: &[Entry<'_>]) {
        for pair in entries.windows(2) {
            let [before, now] = pair else { continue };
            if now.kind == TOLD && now.text != before.text {
                let [at, ..] = now.numbers;
                let (file, line) = place_of(at);
                let told = Told { file, line, split: true };
                let found = format!("{}, which is {}'s already", now.key, before.text);
                self.wrong(report, (Check::V08, told, now.text), "an order_no of its own", &found);
            }
        }
    }

    /// A void file told this order as X: that is enough, when no file after it was due to tell it so.
    pub fn told_by_void(&mut self, void: &FileName, no: &str) {
        let (files, day) = (&self.files, self.day);
        self.silent.retain(|silent| {
            let undecided = |file: &DayFile<'_>| file.bundle.is_some_and(|b| b.decision(no).is_none());
            let after =
                |file: &DayFile<'_>| (file.seq > void.seq || void.day != day) && file.seq < silent.seq;
            silent.no != no || files.iter().any(|file| after(file) && undecided(file))
        });
    }

    /// V06: O released by a decision although no file told them as X before it, when one was due to.
    pub fn silent(&self, report: &mut Report) {
        for Silent { told, no, .. } in &self.silent {
            let Some(file) = self.file(told.file) else { continue };
            report.at((Step::Silent, told.file, Part::Orders));
            let due = "the order as X in an earlier file, before it was decided";
            let fault = Fault::new(Check::V06, 0, due, "O only").of_order(no);
            report.fault_within(i64::try_from(told.line).unwrap_or(i64::MAX), &file.name, fault);
        }
    }
}
