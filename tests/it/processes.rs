//! Several processes on one database: no job is done twice, and no process is waited for that is gone.
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Data;
use mingfen::app::App;
use mingfen::db::{Create, Leases};
use mingfen::tasks::{self, Jobs};
use serde_json::json;

use crate::support::finished_day::FinishedDay;
use crate::support::load::Load;
use crate::support::receiver::Receiver;
use crate::support::sandbox_process::eventually;
use crate::support::shop::Shop;
use crate::support::{MASTER_KEY, TestApp};

/// The same platform as another process would open it: connections and leases of its own.
fn another(app: &App) -> App {
    App::open((*app.config).clone(), app.clock.clone(), Create::No).unwrap()
}

#[actix_web::test]
async fn a_lease_lets_one_in_at_a_time_and_is_free_when_the_work_ended_well_or_badly() {
    let one = TestApp::new();
    let two = another(&one);
    let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = async |app: &App| {
        let held = app.leases.hold(&app.db, "job", async {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        if held.await.unwrap().is_some() {
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    for _ in 0..10 {
        futures_util::future::join4(work(&one), work(&two), work(&one), work(&two)).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert!(done.load(Ordering::SeqCst) >= 10);
    let failed = async { Err::<(), _>(mingfen::error::Error::NotFound) };
    assert!(one.leases.hold(&one.db, "job", failed).await.is_err());
    assert_eq!(two.leases.hold(&two.db, "job", async { Ok(7) }).await.unwrap(), Some(7));
}

#[actix_web::test]
async fn a_lease_of_a_process_that_died_is_taken_over_and_that_of_a_long_work_is_not() {
    let (mut one, still) = (TestApp::new(), Duration::from_millis(1500));
    one.leases = Leases::giving_up_after(still);
    let mut two = another(&one);
    two.leases = Leases::giving_up_after(still);
    // Long work keeps its lease, whatever the clock says meanwhile.
    let long = one.leases.hold(&one.db, "job", async {
        for hours in [0, -48, 96] {
            one.clock.advance(hours * 3600);
            tokio::time::sleep(still).await;
            assert_eq!(two.leases.hold(&two.db, "job", async { Ok(()) }).await.unwrap(), None);
        }
        Ok(1)
    });
    assert_eq!(long.await.unwrap(), Some(1));
    // Whoever lost it stops, however long the work would have taken.
    let stolen = one.leases.hold(&one.db, "job", async {
        one.raw().execute("UPDATE job_lease SET holder = 'another'").unwrap();
        std::future::pending::<Result<(), _>>().await
    });
    assert_eq!(stolen.await.unwrap(), None);
    // Somebody held it and is gone: first it is watched, then taken over.
    one.raw().execute("UPDATE job_lease SET holder = 'gone'").unwrap();
    assert_eq!(two.leases.hold(&two.db, "job", async { Ok(()) }).await.unwrap(), None);
    let taken = eventually("the lease is taken over", async || {
        two.leases.hold(&two.db, "job", async { Ok(2) }).await.unwrap()
    });
    assert_eq!(taken.await, 2);
}

#[actix_web::test]
async fn two_processes_make_one_spl_one_stl_and_tell_each_merchant_once() {
    let demo = FinishedDay::new(30).await;
    let world = &demo.world;
    let today = demo.day().next();
    world.app.clock.set(today.next().start().plus(10 * 3600));
    world.sandbox("POST", "/sandbox/bills", &json!({"day": today.to_string()})).await.unwrap();
    let outbox = "SELECT count(*) AS v FROM outbox WHERE attempts <> 1 OR done_at IS NULL";
    assert_eq!(demo.database.raw().number(outbox), 0);
    // Their merchants are to be told again, by both.
    let again = "UPDATE outbox SET attempts = 0, done_at = NULL, next_at = 0";
    demo.database.raw().execute(again).unwrap();

    let processes =
        [Jobs::start(&Data::new(another(&world.app))), Jobs::start(&Data::new(another(&world.app)))];
    let count = |kind: &str| {
        let day = today.to_i32();
        let query = format!(
            "SELECT count(*) AS v FROM exchanged_file WHERE kind = '{kind}' AND business_date = {day}"
        );
        demo.database.raw().number(&query)
    };
    eventually("the day is cut", async || (count("SPL") > 0).then_some(())).await;
    eventually("all are told", async || (demo.database.raw().number(outbox) == 0).then_some(())).await;
    for process in processes {
        process.stop().await;
    }
    // What is left of the day, by both at once, again and again.
    let (one, two) = (another(&world.app), another(&world.app));
    for _ in 0..4 {
        world.sandbox("POST", "/sandbox/files/process", &json!({})).await.unwrap();
        let both = futures_util::future::join(tasks::import_files(&one), tasks::import_files(&two)).await;
        both.0.unwrap();
        both.1.unwrap();
        let both = futures_util::future::join(tasks::daily_round(&one), tasks::daily_round(&two)).await;
        both.0.unwrap();
        both.1.unwrap();
    }
    assert_eq!((count("SPL"), count("STL")), (1, 1));
    assert_eq!(demo.database.raw().number(outbox), 0, "told once each");
    let breaks = tokio::task::spawn_blocking(move || mingfen::check::breaks(&one)).await.unwrap();
    assert_eq!(breaks.unwrap(), Vec::<String>::new());
    demo.stop().await;
}

#[actix_web::test]
async fn two_sites_that_are_told_the_same_payments_at_the_same_time_keep_each_once() {
    let shop = Shop::open().await;
    let load = Load::prepare(&shop, 200).await;
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = process(&shop, "serve");
    let mut serving = command.env("MINGFEN_LISTEN", listen.to_string()).spawn().unwrap();
    let (here, there) = (shop.base_url.clone(), format!("http://{listen}"));
    eventually("it serves", async || reqwest::get(format!("{there}/readyz")).await.ok()).await;
    let half = load.again();
    let first = load.tell_once_at(&shop, &here);
    futures_util::future::join(first, half.tell_once_at(&shop, &there)).await;
    assert!(load.acknowledged() > 0 && half.acknowledged() > 0);
    load.assert_kept(&mut shop.app.raw());
    half.assert_kept(&mut shop.app.raw());
    assert!(Command::new("kill").arg("-TERM").arg(serving.id().to_string()).status().unwrap().success());
    assert!(serving.wait().unwrap().success());
    load.assert_all_is_well(&shop, &mut shop.app.raw()).await;
}

/// The product as a process on the shop's database.
fn process(shop: &Shop, what: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingfen"));
    command.arg(what).current_dir(shop.app.dir()).stderr(Stdio::null());
    command.env("MINGFEN_DATABASE_URL", shop.app.database_url());
    command.env("MINGFEN_MASTER_KEY", hex::encode(MASTER_KEY));
    command.env("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true");
    command
}

#[actix_web::test]
async fn work_does_the_jobs_without_a_site_until_it_is_told_to_stop() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(204);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(merchant.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let notice = shop.institution.pay(&shop.order_no("ORDER-1").await);
    assert_eq!(shop.notify(&notice).await.status, 204);
    let told = Arc::new(AtomicUsize::new(0));
    let mut processes: Vec<_> = (0..2).map(|_| process(&shop, "work").spawn().unwrap()).collect();
    eventually("the merchant is told", async || {
        told.fetch_add(merchant.take().len(), Ordering::SeqCst);
        shop.detail("ORDER-1").await.delivery.unwrap().done_at
    })
    .await;
    for process in &mut processes {
        let stopped = Command::new("kill").arg("-TERM").arg(process.id().to_string()).status().unwrap();
        assert!(stopped.success() && process.wait().unwrap().success());
    }
    told.fetch_add(merchant.take().len(), Ordering::SeqCst);
    assert_eq!(told.load(Ordering::SeqCst), 1);
    let left = shop.app.raw().number("SELECT count(*) AS v FROM job_lease WHERE holder <> ''");
    assert_eq!(left, 0, "every lease was given back");
}
