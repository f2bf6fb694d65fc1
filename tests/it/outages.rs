//! A database that goes away, comes back, is cut off or answers slowly: nothing that was acknowledged is lost.
use std::time::Duration;

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
    in_the_middle(&load, &shop, async || {
        cluster.stop(mode);
        // Whoever asks meanwhile is told to come again.
        eventually("a refusal", async || (load.answered(503) > 0).then_some(())).await;
        cluster.go_on();
    })
    .await;
    load.assert_all_is_well(&shop, &mut Raw::open(&cluster.url())).await;
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
        shop.assert_signed(&page);
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
