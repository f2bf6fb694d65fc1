//! How far a business day has come, proven by the files that exist and their answers.
use crate::db::Tx;
use crate::db::columns::InstitutionId;
use crate::error::Error;
use crate::exchange::{self, FileResult, Wanted};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::people::Scope;
use crate::web::format::{Count, Day, When, Yuan};
use crate::web::lang::Lang;
use crate::{clock, reconciliation};

/// One step of a day.
pub struct Step {
    /// `done`, `now` or empty.
    pub class: &'static str,
    /// Its name.
    pub title: &'static str,
    /// What proves it.
    pub note: String,
}

/// The hour of the next day, in Asia/Shanghai, from which the channel gives its bill of a day.
const BILL_HOUR: i64 = 10;

/// The newest day that was cut, and its steps.
pub fn latest(tx: &mut Tx<'_>, lang: Lang, scope: &Scope) -> Result<(Option<Day>, Vec<Step>), Error> {
    let of_kind = |kind| Wanted { kind: Some(kind), ..Wanted::default() };
    let Some(spl) = exchange::newest(tx, scope, &of_kind("SPL"), 1)?.pop() else {
        return Ok((None, Vec::new()));
    };
    let w = lang.words();
    let day = spl.business_date;
    let bill = match BusinessDay::from_i32(day) {
        Some(day) => reconciliation::bills(tx, InstitutionId::new(spl.institution_id), day)?.pop(),
        None => None,
    };
    let stl = exchange::of_day(tx, spl.institution_id, "STL", day)?.pop();
    let taken = answer(tx, Some(spl.id), "FIRST")?;
    let done = answer(tx, stl.as_ref().map(|stl| stl.id), "FINAL")?;
    let lines = Count(spl.lines);
    let orders = |n: i64| lang.pick(format!("{} 笔", Count(n)), format!("{} orders", Count(n)));
    let amount = |fen: i64| Yuan(Fen::new(fen));
    let notes = [
        (
            w.step_bill,
            bill.map(|bill| format!("{} · {}", orders(bill.orders), amount(bill.total_paid.get()))),
        ),
        (
            w.step_split,
            Some(lang.pick(
                format!("{} {lines} 行", orders(spl.orders)),
                format!("{}, {lines} lines", orders(spl.orders)),
            )),
        ),
        (w.step_publish, Some(format!("{} · {}", When(spl.created_at).short(), amount(spl.total)))),
        (w.step_verify, taken.map(|taken| format!("{} · {}", taken.code, When(taken.imported_at).short()))),
        (w.step_settle, stl.map(|stl| format!("{} · {}", When(stl.created_at).short(), amount(stl.total)))),
        (
            w.step_execute,
            done.map(|done| format!("{} · {}", amount(done.success_total), When(done.imported_at).short())),
        ),
    ];
    let mut reached = true;
    let steps = notes.into_iter().map(|(title, note)| {
        let class = match (&note, reached) {
            (Some(_), _) => "done",
            (None, true) => "now",
            (None, false) => "",
        };
        reached = note.is_some();
        Step { class, title, note: note.unwrap_or_default() }
    });
    Ok((Some(Day(day)), steps.collect()))
}

fn answer(tx: &mut Tx<'_>, file: Option<i64>, stage: &str) -> Result<Option<FileResult>, Error> {
    let Some(file) = file else { return Ok(None) };
    Ok(exchange::results_of(tx, file)?.into_iter().rev().find(|result| result.stage == stage))
}

/// When the next bill can be fetched, and of which day.
#[must_use]
pub fn deadline(lang: Lang, now: i64) -> (String, String) {
    let today = clock::instant(now).business_day();
    let ready = |day: BusinessDay| clock::micros(day.start().plus(BILL_HOUR * 3600));
    let on = if now < ready(today) { today } else { today.next() };
    let of = Day(on.prev().to_i32());
    let when = When(ready(on)).short();
    (when, lang.pick(format!("取 {of} 账单并切日"), format!("bill of {of}, then its cut")))
}
