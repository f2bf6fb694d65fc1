//! How far a business day has come, proven by the files that exist and their answers.
use crate::db::Tx;
use crate::error::Error;
use crate::exchange::{self, DocumentKind, ExchangedFile, Standing, Wanted};
use crate::kernel::calendar::BusinessDay;
use crate::kernel::money::Fen;
use crate::kernel::state::FileState;
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

/// The newest day that was cut, and its steps: each is done only when all files of the day have come that far.
pub fn latest(tx: &mut Tx<'_>, lang: Lang, scope: &Scope) -> Result<(Option<Day>, Vec<Step>), Error> {
    let wanted = Wanted { kind: Some(DocumentKind::Spl), ..Wanted::default() };
    let Some(newest) = exchange::newest(tx, scope, &wanted, 1)?.pop() else {
        return Ok((None, Vec::new()));
    };
    let w = lang.words();
    let (institution, day) = (newest.institution_id, newest.business_date);
    let bill = reconciliation::bills(tx, institution, day)?.pop();
    let mut spls = exchange::standing_of_day(tx, institution, DocumentKind::Spl, day)?;
    spls.retain(|(_, standing)| standing.state != FileState::Rejected);
    let mut stls = exchange::standing_of_day(tx, institution, DocumentKind::Stl, day)?;
    stls.retain(|(_, standing)| standing.state != FileState::Rejected);
    let stl = stls.pop();
    let sum = |of: fn(&ExchangedFile) -> i64| spls.iter().map(|(file, _)| of(file)).sum::<i64>();
    let (split, lines) = (sum(|file| file.orders), Count(sum(|file| file.lines)));
    let orders = |n: i64| lang.pick(format!("{} 笔", Count(n)), format!("{} orders", Count(n)));
    let amount = |fen: i64| Yuan(Fen::new(fen));
    let taken = spls.iter().filter(|(_, standing)| standing.state.is_taken()).count();
    let verified = (taken > 0 && taken == spls.len()).then(|| w.accepted.to_owned());
    let executed =
        stl.as_ref().filter(|(_, standing)| standing.state.is_taken() && !standing.state.is_open());
    let notes = [
        (w.step_bill, bill.map(|bill| format!("{} · {}", orders(bill.orders), amount(bill.total_paid)))),
        (
            w.step_split,
            Some(
                lang.pick(
                    format!("{} {lines} 行", orders(split)),
                    format!("{}, {lines} lines", orders(split)),
                ),
            ),
        ),
        (
            w.step_publish,
            Some(format!("{} · {}", When(newest.created_at).short(), amount(sum(|file| file.total)))),
        ),
        (w.step_verify, verified),
        (
            w.step_settle,
            stl.as_ref().map(|(stl, _)| format!("{} · {}", When(stl.created_at).short(), amount(stl.total))),
        ),
        (w.step_execute, executed.map(|(_, standing)| outcome(lang, standing))),
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

/// How a settlement that came to its end was executed.
fn outcome(lang: Lang, standing: &Standing) -> String {
    let without = standing.failed.saturating_add(standing.bounced);
    let done = Count(standing.succeeded);
    if without == 0 {
        return lang.pick(format!("{done} 行成功"), format!("{done} lines succeeded"));
    }
    lang.pick(
        format!("{done} 行成功，{} 行失败或退票", Count(without)),
        format!("{done} lines succeeded, {} failed or came back", Count(without)),
    )
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
