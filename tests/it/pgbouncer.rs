//! Everything works behind PgBouncer in transaction mode, with fewer connections than the platform has.
use mingfen::check;
use mingfen::notices;
use mingfen::tasks;

use crate::support::database::Kind;
use crate::support::finished_day::{FinishedDay, NOW};
use crate::support::load::Load;
use crate::support::postgres::PgBouncer;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use serde_json::json;

#[actix_web::test]
async fn payments_queries_and_deliveries_pass() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let (put, take) = std::sync::mpsc::channel();
    let shop = Shop::on(move |url| {
        let bouncer = PgBouncer::start(url, 3);
        let through = bouncer.url(url);
        put.send(bouncer).unwrap();
        through
    })
    .await;
    let _bouncer = take.recv().unwrap();
    let merchant = Receiver::start(204);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(merchant.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let order_no = shop.order_no("ORDER-1").await;
    shop.institution.pay(&order_no);
    // Fifty at a time ask for the same order on three connections.
    let asked = futures_util::future::join_all((0..50).map(|_| shop.query("ORDER-1"))).await;
    assert!(asked.iter().all(|answer| answer.json()["trade_state"] == "SUCCESS"));
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert_eq!(merchant.take().len(), 1);
}

#[actix_web::test]
async fn a_load_of_notifications_passes() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let (put, take) = std::sync::mpsc::channel();
    let shop = Shop::on(move |url| {
        let bouncer = PgBouncer::start(url, 3);
        let through = bouncer.url(url);
        put.send(bouncer).unwrap();
        through
    })
    .await;
    let _bouncer = take.recv().unwrap();
    let load = Load::prepare(&shop, 300).await;
    load.tell_once(&shop).await;
    assert_eq!(load.acknowledged(), load.len());
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

#[actix_web::test]
async fn a_whole_day_and_the_jobs_pass() {
    if Kind::of_this_run() != Kind::Postgres {
        return;
    }
    let mut bouncer = None;
    let demo = FinishedDay::on(40, NOW, |url| {
        let new = bouncer.insert(PgBouncer::start(url, 2));
        new.url(url)
    })
    .await;
    assert!(demo.text(&format!("SPL_SANDBOX_DEMO_{}_0001.txt", demo.day())).lines().count() > 20);
    let app = &demo.world.app;
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    tasks::after_start(app).await.unwrap();
    tasks::forget(app).await.unwrap();
    let checked = app.clone();
    let breaks = tokio::task::spawn_blocking(move || check::breaks(&checked)).await.unwrap().unwrap();
    assert_eq!(breaks, Vec::<String>::new());
    demo.stop().await;
}
