//! The memo ledger: what a finished day leaves in it, and where late money goes.
use std::collections::BTreeMap;

use mingfen::check;
use mingfen::kernel::money::Fen;
use mingfen::kernel::state::CustodyState;
use mingfen::ledger::{self, Account, Kind, NewEntry, Posting};
use mingfen::settlement;

use crate::support::finished_day::FinishedDay;
use crate::support::shop::Shop;

type Books = BTreeMap<(Account, String), Fen>;

fn of(books: &Books, account: Account) -> i64 {
    books.iter().filter(|((one, _), _)| *one == account).map(|(_, fen)| fen.get()).sum()
}

/// Fields of a published file's lines of a kind.
fn lines<'t>(text: &'t str, kind: &'t str) -> impl Iterator<Item = Vec<&'t str>> {
    text.lines().map(|line| line.split('|').collect::<Vec<_>>()).filter(move |line| line[0] == kind)
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

#[actix_web::test]
async fn a_finished_day_leaves_what_its_files_say() {
    let f = FinishedDay::new(60).await;
    let (app, institution, day) = (f.world.app.clone(), f.world.institution, f.day());
    let linked = mingfen::tasks::roll_up(&app).await.unwrap();
    assert!(linked > 0);
    assert_eq!(mingfen::tasks::roll_up(&app).await.unwrap(), 0);
    assert_eq!(check::breaks(&app).unwrap(), Vec::<String>::new());
    let books = app.db.read_blocking(|tx| ledger::balances(tx, institution)).unwrap();

    let spl = f.text(&format!("SPL_SANDBOX_DEMO_{day}_0001.txt"));
    let stl = f.text(&format!("STL_SANDBOX_DEMO_{day}_0001.txt"));
    let (settled, carried): (i64, i64) = (
        lines(&stl, "S").map(|s| number(s[11])).sum(),
        // Splits, returns, debts, carried in, requeued.
        lines(&stl, "C")
            .map(|c| number(c[2]) - number(c[3]) - number(c[4]) + number(c[5]) + number(c[6]))
            .sum(),
    );
    let split: i64 = lines(&spl, "L").map(|l| number(l[5])).sum();
    assert_eq!(split, settled + carried);
    assert!(settled > 0 && carried > 0);
    for receiver in lines(&stl, "C") {
        let key = (Account::PartySettleable, receiver[1].to_owned());
        assert!(books[&key] < Fen::ZERO, "{key:?}");
    }
    // The sandbox has paid every settlement line; nothing of the day hangs any more.
    assert_eq!(of(&books, Account::PartySettleable), -carried);
    assert_eq!((of(&books, Account::PartyPending), of(&books, Account::PartyInSettlement)), (0, 0));
    // Today's payments wait for their cut, and so do the orders that could not be split.
    let mut raw = f.database.raw();
    let today = day.next().to_i32();
    let waiting = raw
        .number(&format!("SELECT CAST(SUM(paid) AS BIGINT) AS v FROM payment WHERE business_date = {today}"));
    assert_eq!(of(&books, Account::ChannelReceivable), waiting);
    let unsplit = raw.number(
        "SELECT CAST(COALESCE(SUM(b.paid + b.subsidy - b.fee), 0) AS BIGINT) AS v FROM split_order s \
         JOIN bill_order b ON b.bill_id = s.bill_id AND b.inst_order_no = s.inst_order_no WHERE s.reason IS NOT NULL",
    );
    assert_eq!(of(&books, Account::OrderPendingSplit), -(waiting + unsplit));
    assert_eq!(of(&books, Account::CustodyCash), carried + unsplit);

    let state = |day| app.db.read_blocking(|tx| ledger::state(tx, institution, day)).unwrap();
    assert_eq!((state(day), state(day.next())), (CustodyState::Closed, CustodyState::Open));
    let stl = app.db.read_blocking(|tx| settlement::valid(tx, institution)).unwrap();
    assert_eq!(stl.len(), 1);
    f.stop().await;
}

#[actix_web::test]
async fn what_comes_after_a_close_is_posted_to_the_next_day() {
    let shop = Shop::open().await;
    let institution = shop.institution_id;
    let (first, second) = (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await);
    assert_eq!(shop.notify(&shop.institution.pay(&first)).await.status, 204);
    let late = shop.institution.pay(&second);
    let day = shop.app.clock.today();
    shop.app
        .db
        .write_blocking(|tx| {
            ledger::cut(tx, institution, day, "a bill", 1)?;
            ledger::close(tx, institution, day, "a settlement", 1)
        })
        .unwrap();
    assert_eq!(shop.notify(&late).await.status, 204);
    let mut raw = shop.app.raw();
    let days = raw.texts(
        "SELECT CAST(business_date AS TEXT) || ' ' || CAST(of_date AS TEXT) AS v FROM ledger_entry ORDER BY id",
    );
    assert_eq!(days, [format!("{day} {day}"), format!("{} {day}", day.next())]);
    let (books, breaks) = shop
        .app
        .db
        .read_blocking(|tx| {
            Ok((ledger::balances(tx, institution)?, ledger::day_breaks(tx, institution, day)?))
        })
        .unwrap();
    assert_eq!(of(&books, Account::ChannelReceivable), 2 * 12_345);
    assert_eq!(breaks, Vec::<String>::new());
    mingfen::tasks::roll_up(&shop.app).await.unwrap();
    let again = shop.app.db.read_blocking(|tx| ledger::balances(tx, institution)).unwrap();
    assert_eq!(again, books);
    let broken = shop.app.db.read_blocking(ledger::chain_breaks).unwrap();
    assert_eq!(broken, Vec::<String>::new());
}

#[actix_web::test]
async fn an_entry_that_does_not_balance_is_refused_and_leaves_nothing() {
    let shop = Shop::open().await;
    let entry = |amount| NewEntry {
        institution: shop.institution_id,
        of: shop.app.clock.today(),
        kind: Kind::Billed,
        evidence: "a bill".to_owned(),
        items: 1,
        at: 1,
        postings: vec![
            Posting { account: Account::CustodyCash, party: String::new(), amount: Fen::new(5) },
            Posting { account: Account::MarketingPool, party: String::new(), amount: Fen::new(amount) },
        ],
    };
    let before = shop.rows().await;
    assert!(shop.app.db.write_blocking(|tx| ledger::post(tx, entry(-4))).is_err());
    assert_eq!(shop.rows().await, before);
    assert!(shop.app.db.write_blocking(|tx| ledger::post(tx, entry(-5))).unwrap().is_some());
}
