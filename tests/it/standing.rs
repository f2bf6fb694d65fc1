//! Where a file stands: partial and later FINALs are seen as what they are on every page, and derived tables heal.
use mingfen::check::{self, Repaired};
use mingfen::db::{Create, Db};
use mingfen::exchange::{self, Counts, ExchangedFile, Standing, standing};
use mingfen::kernel::file::Stage;
use mingfen::kernel::file::ret::{RetCode, RetStatus};
use mingfen::kernel::state::FileState;
use mingfen::people::Scope;
use mingfen::settlement::{self, Need, Who};
use mingfen::splits;

use crate::settle::{Hand, morning_after};
use crate::support::acting::Acting;
use crate::support::finished_day::FinishedDay;

#[test]
fn one_function_says_where_a_file_stands() {
    let counts = |expected, succeeded, failed, pending, bounced| Counts {
        expected,
        succeeded,
        failed,
        pending,
        bounced,
    };
    let none = counts(4, 0, 0, 0, 0);
    let taken = [RetCode::Sign, RetCode::Accepted];
    for (firsts, finals, lines, state) in [
        (&[][..], false, none, FileState::Published),
        (&[RetCode::Sign, RetCode::Digest][..], false, none, FileState::Published),
        (&[RetCode::Sign, RetCode::Verify][..], false, none, FileState::Rejected),
        (&taken[..], false, none, FileState::Accepted),
        (&taken[..], true, none, FileState::PartlyAnswered),
        (&taken[..], true, counts(4, 3, 0, 0, 0), FileState::PartlyAnswered),
        (&taken[..], true, counts(4, 2, 1, 1, 0), FileState::PartlyAnswered),
        (&taken[..], true, counts(4, 2, 0, 1, 1), FileState::PartlyAnswered),
        (&taken[..], true, counts(4, 4, 0, 0, 0), FileState::Executed),
        (&taken[..], true, counts(4, 3, 1, 0, 0), FileState::ExecutedWithFailures),
        (&taken[..], true, counts(4, 2, 1, 0, 1), FileState::Bounced),
        (&taken[..], true, counts(0, 0, 0, 0, 0), FileState::Executed),
    ] {
        assert_eq!(standing(firsts, finals, &lines), state, "{firsts:?} {finals} {lines:?}");
        assert_eq!(state.is_open(), matches!(state.as_str(), "PUBLISHED" | "ACCEPTED" | "PARTLY_ANSWERED"));
    }
}

/// A page as somebody of this role reads it.
async fn page(f: &FinishedDay, role: &str, path: &str) -> String {
    let login = f.world.logins.iter().find(|login| login.role == role).unwrap();
    let mut acting = Acting::at(&f.world.site_url);
    assert_eq!(acting.log_in(&login.login, &login.password).await.status, 303);
    let answer = acting.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.body
}

/// What stands between two marks of a page.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from}"));
    let rest = &page[start..];
    &rest[..rest.find(to).unwrap_or(rest.len())]
}

fn kept(hand: &Hand<'_>, file: &ExchangedFile) -> Standing {
    hand.app.db.read_blocking(|tx| exchange::standings(tx, &[file.id])).unwrap()[&file.id]
}

fn order_no(hand: &Hand<'_>, file: &ExchangedFile, n: i32) -> String {
    hand.app.db.read_blocking(|tx| splits::entry(tx, file, n)).unwrap().unwrap().billed.order_no().to_owned()
}

async fn sees(f: &FinishedDay, file: &ExchangedFile, waits: bool, said: &[&str]) {
    let inbox = page(f, "INST_MAKER", "/institution").await;
    let waiting = between(&inbox, "id=\"waiting\"", "id=\"answered\"");
    assert_eq!(waiting.contains(&file.name), waits, "{} waits: {waits}", file.name);
    let files = page(f, "ADMIN", "/admin/files").await;
    let anchor = format!("aria-labelledby=\"f{}\"", file.id);
    for (which, text) in [("inbox", &inbox), ("files", &files)] {
        let card = between(text, &anchor, "</article>");
        for what in said {
            assert!(card.contains(what), "{which} does not say {what} of {}: {card}", file.name);
        }
    }
}

#[actix_web::test]
async fn a_partial_final_is_no_end_and_a_day_that_stands_still_says_so() {
    let f = FinishedDay::new(12).await;
    let hand = Hand::over(&f);
    let day = f.world.app.clock.today();
    morning_after(&f, day);
    let spl = hand.cut(day).await;
    sees(&f, &spl, true, &["待机构验证"]).await;
    hand.answers(&spl, Stage::First, &[]);
    sees(&f, &spl, true, &["验证通过", "待机构执行"]).await;

    // One order is pending and one is not spoken of.
    let done = hand.all_succeed(&spl);
    let mut some = done.clone();
    let silent = some.pop().unwrap();
    some[1] = (some[1].0, RetStatus::Pending, 0);
    hand.answers(&spl, Stage::Final(1), &some);
    assert_eq!(hand.state(&spl), FileState::PartlyAnswered);
    let pending = order_no(&hand, &spl, some[1].0);
    sees(&f, &spl, true, &["部分已答复", "处理中 1", "未答复 1"]).await;
    let still = hand
        .app
        .db
        .read_blocking(|tx| settlement::stands_still(tx, f.world.institution, f.world.app.clock.instant()))
        .unwrap()
        .unwrap();
    let [missing] = &still.missing[..] else { panic!("{still:?}") };
    assert_eq!((still.day, missing.need, missing.need.who()), (day, Need::Final, Who::Institution));
    assert_eq!((missing.file.as_deref(), missing.open), (Some(spl.name.as_str()), 2));
    let lines: Vec<i32> = missing.lines.iter().map(|line| line.n).collect();
    assert_eq!(lines, [some[1].0, silent.0]);
    hand.closed(day, &format!("line {} ({pending}) is PENDING", some[1].0)).await;
    for (role, path) in [("ADMIN", "/admin"), ("INST_MAKER", "/institution")] {
        let text = page(&f, role, path).await;
        let told = between(&text, "id=\"still1\"", "</section>");
        for what in [spl.name.as_str(), &pending, &order_no(&hand, &spl, silent.0), "机构处理"] {
            assert!(told.contains(what), "{path} does not say {what}: {told}");
        }
    }
    let desk = page(&f, "ADMIN", "/admin").await;
    assert!(between(&desk, "class=\"files\"", "</ul>").contains("部分已答复"));

    // The rest comes; then the day goes on by itself.
    let rest = [(some[1].0, RetStatus::Success, done[1].2), silent];
    hand.answers(&spl, Stage::Final(2), &rest);
    assert_eq!(hand.state(&spl), FileState::Executed);
    sees(&f, &spl, false, &["已执行"]).await;
    assert!(!page(&f, "ADMIN", "/admin").await.contains("still1"));

    let stl = hand.settle(day).await.unwrap();
    assert_eq!(kept(&hand, &spl).settled_by, Some(kept(&hand, &stl).file_id));
    hand.answers(&stl, Stage::First, &[]);
    let lines = hand.app.db.read_blocking(|tx| settlement::settled_amounts(tx, stl.id)).unwrap();
    let mut lines: Vec<_> =
        lines.into_iter().map(|(n, amount)| (n, RetStatus::Success, amount.get())).collect();
    let last = lines.len() - 1;
    (lines[0].1, lines[0].2) = (RetStatus::Failed, 0);
    let paid = lines[last].2;
    (lines[last].1, lines[last].2) = (RetStatus::Pending, 0);
    hand.answers(&stl, Stage::Final(1), &lines);
    sees(&f, &stl, true, &["部分已答复", "失败 1", "处理中 1"]).await;
    hand.answers(&stl, Stage::Final(2), &[(lines[last].0, RetStatus::Success, paid)]);
    assert_eq!(hand.state(&stl), FileState::ExecutedWithFailures);
    sees(&f, &stl, false, &["已执行，有失败", "失败 1"]).await;
    hand.answers(&stl, Stage::Final(3), &[(lines[last].0, RetStatus::Bounced, 0)]);
    assert_eq!(hand.state(&stl), FileState::Bounced);
    sees(&f, &stl, false, &["执行后退票", "退票 1"]).await;
    assert_eq!(kept(&hand, &stl).requeues, Some(2));
    f.stop().await;
}

#[actix_web::test]
async fn failed_orders_hold_the_day_and_both_sides_are_told() {
    let f = FinishedDay::new(8).await;
    let hand = Hand::over(&f);
    let day = f.world.app.clock.today();
    morning_after(&f, day);
    let spl = hand.cut(day).await;
    hand.answers(&spl, Stage::First, &[]);
    let mut done = hand.all_succeed(&spl);
    (done[0].1, done[0].2) = (RetStatus::Failed, 0);
    hand.answers(&spl, Stage::Final(1), &done);
    assert_eq!(hand.state(&spl), FileState::ExecutedWithFailures);
    sees(&f, &spl, false, &["已执行，有失败"]).await;
    let failed = order_no(&hand, &spl, done[0].0);
    hand.closed(day, "waits for people").await;
    for (role, path) in [("ADMIN", "/admin"), ("INST_MAKER", "/institution")] {
        let text = page(&f, role, path).await;
        let told = between(&text, "id=\"still1\"", "</section>");
        assert!(told.contains(&failed) && told.contains("双方核对"), "{told}");
    }
    // It is told once, and again only when something changes.
    let now = f.world.app.clock.instant();
    let still =
        hand.app.db.read_blocking(|tx| settlement::stands_still(tx, f.world.institution, now)).unwrap();
    mingfen::tasks::daily_round(hand.app).await.unwrap();
    assert!(!hand.app.waits.changes(f.world.institution, still.as_ref()), "the round told it");
    assert!(hand.app.waits.changes(f.world.institution, None));
    f.stop().await;
}

#[actix_web::test]
async fn a_void_settlement_gives_back_what_it_took_in() {
    let f = FinishedDay::new(8).await;
    let hand = Hand::over(&f);
    let day = f.world.app.clock.today();
    morning_after(&f, day);
    let void = hand.cut(day).await;
    hand.receive(&hand.result(&void, Stage::First, RetCode::Verify, &[])).unwrap();
    let spl = hand.cut(day).await;
    hand.executes(&spl);
    let stl = hand.settle(day).await.unwrap();
    for file in [&void, &spl] {
        assert_eq!(kept(&hand, file).settled_by, Some(stl.id));
    }
    let breaks = || hand.app.db.read_blocking(exchange::standing_breaks).unwrap();
    assert_eq!(breaks(), Vec::<String>::new());
    hand.receive(&hand.result(&stl, Stage::First, RetCode::Chain, &[])).unwrap();
    for file in [&void, &spl] {
        assert_eq!(kept(&hand, file).settled_by, None);
    }
    assert_eq!(breaks(), Vec::<String>::new());
    let again = hand.settle(day).await.unwrap();
    assert_ne!(again.id, stl.id);
    assert_eq!(kept(&hand, &spl).settled_by, Some(again.id));
    assert_eq!(breaks(), Vec::<String>::new());
    f.stop().await;
}

#[actix_web::test]
async fn a_derived_table_that_was_tampered_with_is_found_and_made_anew() {
    let f = FinishedDay::new(40).await;
    let app = f.world.app.clone();
    mingfen::tasks::roll_up(&app).await.unwrap();
    let mut raw = f.database.raw();
    for (table, changes) in [
        (
            "file_standing",
            &[
                "UPDATE file_standing SET state = 'EXECUTED', answered_at = 1",
                "UPDATE file_standing SET settled_by = NULL",
                "UPDATE file_standing SET run_complete = 0",
                "UPDATE file_standing SET succeeded = succeeded + 1",
                "UPDATE file_standing SET requeues = 3 WHERE kind = 'STL'",
                "DELETE FROM file_standing",
            ][..],
        ),
        (
            "unsplit_order",
            &["DELETE FROM unsplit_order", "UPDATE unsplit_order SET reason = 'OVER_CAP', paid = paid + 1"][..],
        ),
        (
            "ledger_day",
            &[
                "UPDATE ledger_day SET amount = amount + 1 WHERE account = 'CUSTODY_CASH'",
                "DELETE FROM ledger_day",
            ][..],
        ),
    ] {
        for change in changes {
            raw.execute(change).unwrap();
            assert!(!check::breaks(&app).unwrap().is_empty(), "{change} was not seen");
            let repaired = check::repair_derived(&app).unwrap();
            let made = match table {
                "file_standing" => repaired.standings,
                "unsplit_order" => repaired.unsplit,
                _ => repaired.ledger_days,
            };
            assert!(made > 0, "{change}: {repaired:?}");
            assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new(), "after {change}");
        }
    }
    assert_eq!(check::repair_derived(&app).unwrap(), Repaired::default());
    f.stop().await;
}

#[actix_web::test]
async fn the_migration_fills_what_the_results_of_before_say() {
    let f = FinishedDay::new(12).await;
    let hand = Hand::over(&f);
    let first = f.world.app.clock.today();
    let second = first.next();
    morning_after(&f, second);
    let void = hand.cut(first).await;
    hand.receive(&hand.result(&void, Stage::First, RetCode::Verify, &[])).unwrap();
    let spl = hand.cut(first).await;
    hand.executes(&spl);
    let stl = hand.settle(first).await.unwrap();
    hand.answers(&stl, Stage::First, &[]);
    let lines = hand.app.db.read_blocking(|tx| settlement::settled_amounts(tx, stl.id)).unwrap();
    let (n, amount) = lines.into_iter().next().unwrap();
    hand.answers(&stl, Stage::Final(1), &[(n, RetStatus::Success, amount.get())]);
    hand.answers(&stl, Stage::Final(2), &[(n, RetStatus::Bounced, 0)]);
    let late = hand.cut(second).await;
    hand.receive(&hand.result(&late, Stage::First, RetCode::Digest, &[])).unwrap();
    let read = || {
        let ids = [&void, &spl, &stl, &late].map(|file| file.id);
        hand.app.db.read_blocking(|tx| exchange::standings(tx, &ids)).unwrap()
    };
    let before = read();
    let states = [&void, &spl, &stl, &late].map(|file| before[&file.id].state);
    let expected =
        [FileState::Rejected, FileState::Executed, FileState::PartlyAnswered, FileState::Published];
    assert_eq!(states, expected);
    let mut raw = f.database.raw();
    for sql in [
        "DROP TABLE file_standing",
        "DROP INDEX settlement_input_by_name",
        "DELETE FROM __diesel_schema_migrations WHERE version = '20261128000007'",
    ] {
        raw.execute(sql).unwrap();
    }
    Db::open(f.database.url(), Create::Yes).unwrap();
    assert_eq!(read(), before);
    assert_eq!(hand.app.db.read_blocking(exchange::standing_breaks).unwrap(), Vec::<String>::new());
    let scope = Scope::Institution(f.world.institution);
    let waiting = hand.app.db.read_blocking(|tx| exchange::waiting(tx, &scope)).unwrap();
    assert_eq!(waiting.iter().map(|(file, _)| file.id).collect::<Vec<_>>(), [late.id, stl.id]);
    f.stop().await;
}
