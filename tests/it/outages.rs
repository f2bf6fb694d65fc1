//! A database that goes away, comes back, is cut off or answers slowly: nothing that was acknowledged is lost.
use std::time::Duration;

use actix_web::web::Data;
use diesel::RunQueryDsl;
use mingfen::app::App;
use mingfen::db::{DbError, Lane, Tx};
use mingfen::error::Error;
use mingfen::people::{Actor, audit};
use mingfen::tasks::Jobs;

use crate::support::TestApp;
use crate::support::acting::Acting;
use crate::support::database::{Kind, Raw};
use crate::support::load::Load;
use crate::support::postgres::{OwnCluster, Wire};
use crate::support::sandbox_process::eventually;
use crate::support::shop::Shop;

fn on_postgres() -> bool {
    Kind::of_this_run() == Kind::Postgres
}

/// Waits until some of the load was acknowledged, does `what`, and lets the rest of the load meet it.
async fn in_the_middle(load: &Load, shop: &Shop, what: impl AsyncFnOnce()) {
    let fault = async {
        let some = load.len() / 10;
        eventually("a part is acknowledged", async || (load.acknowledged() >= some).then_some(())).await;
        what().await;
    };
    futures_util::future::join(load.tell_once(shop), fault).await;
}

#[actix_web::test]
async fn a_server_that_is_stopped_and_started_under_load_loses_nothing() {
    stopped_and_started("fast").await;
}

#[actix_web::test]
async fn a_server_that_crashes_under_load_loses_nothing() {
    stopped_and_started("immediate").await;
}

async fn stopped_and_started(mode: &'static str) {
    if !on_postgres() {
        return;
    }
    let cluster = OwnCluster::start();
    let url = cluster.url();
    let shop = Shop::on(move |_| url).await;
    let load = Load::prepare(&shop, 400).await;
    let jobs = Jobs::start(&Data::new(App::clone(&shop.app)));
    in_the_middle(&load, &shop, async || {
        cluster.stop(mode);
        // Whoever asks meanwhile is told to come again.
        eventually("a refusal", async || (load.answered(503) > 0).then_some(())).await;
        cluster.go_on();
    })
    .await;
    let mut database = Raw::open(&cluster.url());
    load.assert_all_is_well(&shop, &mut database).await;
    // The jobs have found it again, too.
    let waiting = "SELECT count(*) AS v FROM outbox WHERE attempts = 0";
    eventually("all are delivered", async || (database.number(waiting) == 0).then_some(())).await;
    jobs.stop().await;
}

#[actix_web::test]
async fn a_wire_that_is_cut_again_and_again_loses_nothing() {
    if !on_postgres() {
        return;
    }
    let (shop, wire) = on_a_wire().await;
    let load = Load::prepare(&shop, 400).await;
    in_the_middle(&load, &shop, async || {
        for _ in 0..8 {
            wire.cut();
            tokio::time::sleep(Duration::from_millis(30)).await;
            wire.mend();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    })
    .await;
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

/// A shop with a wire between its platform and the database.
async fn on_a_wire() -> (Shop, Wire) {
    let (put, take) = std::sync::mpsc::channel();
    let shop = Shop::on(move |url| {
        let wire = Wire::to(url);
        put.send(wire.clone()).unwrap();
        wire.url(url)
    });
    (shop.await, take.recv().unwrap())
}

#[actix_web::test]
async fn a_database_that_does_not_answer_for_a_while_loses_nothing_and_is_found_again() {
    if !on_postgres() {
        return;
    }
    let (shop, wire) = on_a_wire().await;
    let load = Load::prepare(&shop, 100).await;
    in_the_middle(&load, &shop, async || {
        wire.hold();
        eventually("a refusal", async || (load.answered(503) > 0).then_some(())).await;
        let page = shop.query("LOAD-1").await;
        assert_eq!(page.refusal(), (503, "SYSTEM_ERROR".to_owned()));
        assert!(page.headers.contains_key("retry-after"));
        Shop::assert_unsigned(&page);
        let mut visitor = Acting::at(&shop.base_url);
        visitor.cookies.insert("sid".to_owned(), "anything".to_owned());
        let page = visitor.get("/admin").await;
        assert_eq!((page.status, page.header("retry-after")), (503, "5"));
        wire.mend();
    })
    .await;
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

#[actix_web::test]
async fn a_slow_wire_slows_and_loses_nothing() {
    if !on_postgres() {
        return;
    }
    let (shop, wire) = on_a_wire().await;
    let load = Load::prepare(&shop, 60).await;
    wire.delay(20);
    load.tell_once(&shop).await;
    wire.mend();
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

#[actix_web::test]
async fn a_table_that_another_session_holds_is_waited_for_within_bounds() {
    if !on_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let load = Load::prepare(&shop, 40).await;
    let mut other = shop.app.raw();
    other.execute("BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE").unwrap();
    load.tell_once(&shop).await;
    assert_eq!((load.acknowledged(), load.answered(503)), (0, load.len()));
    // Whoever does not need it is served meanwhile.
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.status, 200);
    other.execute("ROLLBACK").unwrap();
    load.assert_all_is_well(&shop, &mut other).await;
}

#[actix_web::test]
async fn a_payment_whose_commit_was_not_answered_is_told_again_and_known() {
    if !on_postgres() {
        return;
    }
    let (shop, wire) = on_a_wire().await;
    let load = Load::prepare(&shop, 1).await;
    wire.lose_the_next_commit();
    load.tell_once(&shop).await;
    assert!(wire.lost_one());
    assert_eq!((load.acknowledged(), load.answered(503)), (0, 1));
    // It is there all the same, whole.
    assert_eq!(shop.app.raw().count("payment"), 1);
    load.assert_kept(&mut shop.app.raw());
    load.tell_once(&shop).await;
    assert_eq!(load.acknowledged(), 1);
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

fn ask(sql: &'static str) -> impl FnOnce(&mut Tx<'_>) -> Result<(), Error> {
    move |tx| Ok(diesel::sql_query(sql).execute(tx.conn()).map(drop)?)
}

#[actix_web::test]
async fn a_crowd_of_requests_that_waits_keeps_neither_intake_nor_jobs_waiting() {
    if !on_postgres() {
        return;
    }
    let app = TestApp::new();
    let mut other = app.raw();
    other.execute("BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE").unwrap();
    let requests = app.db.lane(Lane::Requests);
    let crowd = (0..40).map(|_| requests.write(ask("DELETE FROM session")));
    let crowd = futures_util::future::join_all(crowd);
    let others = async {
        for lane in [Lane::Intake, Lane::Work] {
            let entry = audit::Entry { action: "test", object: "x", before: None, after: None };
            let db = app.db.lane(lane);
            db.write(move |tx| audit::record(tx, 1, &Actor::system(), entry)).await.unwrap();
        }
        other.execute("ROLLBACK").unwrap();
    };
    // The crowd gets through only after the others did.
    let (crowd, ()) = futures_util::future::join(crowd, others).await;
    assert!(crowd.iter().all(Result::is_ok), "{crowd:?}");
}

#[actix_web::test]
async fn a_statement_of_a_request_that_takes_too_long_is_ended_by_the_server() {
    if !on_postgres() {
        return;
    }
    let app = TestApp::new();
    let slow = app.db.lane(Lane::Requests).read(ask("SELECT pg_sleep(600)")).await;
    assert!(matches!(slow, Err(Error::Db(DbError::Unavailable))), "{slow:?}");
    let running = "SELECT count(*) AS v FROM pg_stat_activity WHERE datname = current_database() \
                   AND state = 'active' AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    assert_eq!(app.raw().number(running), 0);
}
