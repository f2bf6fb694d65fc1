//! Fair turns: a merchant, a host or an institution that hangs keeps itself waiting and nobody else.
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Data;
use futures_util::FutureExt;
use mingfen::app::App;
use mingfen::channels::http::{Guarded, Limits};
use mingfen::db::columns::CredentialId;
use mingfen::merchants::credentials::AnswerMode;
use mingfen::outbox::{self, About, NewNote};
use mingfen::protocol::language::Language;
use mingfen::protocol::wechat::notification::ApiV3Key;
use mingfen::protocol::wechat::sign::Signer;
use mingfen::tasks::{JobName, Jobs};
use mingfen::turns::{Part, Turns};
use mingfen::{notices, tasks};
use serde_json::json;

use crate::support::institution::Institution;
use crate::support::receiver::Receiver;
use crate::support::sandbox_process::eventually;
use crate::support::shop::{Shop, credential, set_up, sub_merchant};

/// Whoever connects here is let in and hears nothing, for as long as this lives.
fn tarpit() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Waits far longer for an answer than any of these tests takes.
fn patient(shop: &mut Shop) {
    shop.app.http =
        Guarded::new(Limits { total: Duration::from_secs(600), ..Limits::default() }, true).unwrap();
}

/// A paid order, and the credentials of two merchants.
async fn two_merchants() -> (Shop, About, [CredentialId; 2]) {
    let mut shop = Shop::open().await;
    patient(&mut shop);
    let receiver = Receiver::start(204);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(receiver.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let notice = shop.institution.pay(&shop.order_no("ORDER-1").await);
    assert_eq!(shop.notify(&notice).await.status, 204);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let other = Signer { serial: "4F02".into(), ..shop.signer.clone() };
    credential(&shop.app, shop.tenant_id, &other, &ApiV3Key::generate().unwrap(), AnswerMode::Certificate);
    let about = About::OrderPaid(shop.detail("ORDER-1").await.standing.order.id);
    let mut raw = shop.app.raw();
    let ids = ["min", "max"].map(|of| raw.number(&format!("SELECT {of}(id) AS v FROM credential")));
    drop(raw);
    (shop, about, ids.map(CredentialId::new))
}

fn add(shop: &Shop, about: About, credential_id: CredentialId, urls: &[String]) {
    let created_at = shop.app.clock.now();
    let notes: Vec<NewNote<'_>> = urls
        .iter()
        .map(|url| NewNote { about, url, credential_id, language: Language::WechatPartner, created_at })
        .collect();
    shop.app.db.write_blocking(|tx| outbox::add(tx, &notes)).unwrap();
}

#[actix_web::test]
async fn a_merchant_whose_system_hangs_delays_the_notifications_of_no_other() {
    let (shop, about, [hangs, well]) = two_merchants().await;
    let (_trap, url) = tarpit();
    // More than are looked at in one statement, each under an address of its own.
    let trap: Vec<String> = (0..400).map(|n| format!("{url}/notify/{n}")).collect();
    add(&shop, about, hangs, &trap);
    let merchant = Receiver::start(204);
    add(&shop, about, well, std::slice::from_ref(&merchant.url));
    let (one, next) = (shop.app.clone(), shop.app.clone());
    let first = tokio::spawn(async move { notices::round(&one).await });
    eventually("the other merchant is told", async || (!merchant.take().is_empty()).then_some(())).await;
    let begun = first.await.unwrap().unwrap();
    assert_eq!(begun, 9, "eight turns of the one, one of the other");
    assert_eq!(shop.app.turns.at_work("notifications"), 8, "the one hangs still");
    // What is due later finds its turn too, beside what hangs.
    add(&shop, about, well, std::slice::from_ref(&merchant.url));
    assert_eq!(tokio::spawn(async move { notices::round(&next).await }).await.unwrap().unwrap(), 1);
    eventually("and told again", async || (!merchant.take().is_empty()).then_some(())).await;
}

#[actix_web::test]
async fn a_host_that_hangs_delays_no_other_host_whoever_is_told_there() {
    let (shop, about, [one, other]) = two_merchants().await;
    let (_trap, url) = tarpit();
    let trap: Vec<String> = (0..5).map(|n| format!("{url}/notify/{n}")).collect();
    add(&shop, about, one, &trap);
    add(&shop, about, other, &trap);
    let merchant = Receiver::start(204);
    add(&shop, about, other, &vec![merchant.url.clone(); 3]);
    assert_eq!(notices::round(&shop.app).await.unwrap(), 11, "eight at the one host, three at the other");
    let mut told = 0;
    eventually("the other host is told", async || {
        told += merchant.take().len();
        (told == 3).then_some(())
    })
    .await;
    assert!(!shop.app.turns.all_over(Duration::from_millis(1)).await);
}

#[actix_web::test]
async fn many_merchants_that_hang_leave_a_turn_for_one_that_does_not() {
    let (shop, about, [_, well]) = two_merchants().await;
    let traps: Vec<_> = (0..20).map(|_| tarpit()).collect();
    for (n, (_, url)) in traps.iter().enumerate() {
        let signer = Signer { serial: format!("5F{n:02}"), ..shop.signer.clone() };
        let key = ApiV3Key::generate().unwrap();
        credential(&shop.app, shop.tenant_id, &signer, &key, AnswerMode::Certificate);
        let id = shop.app.raw().number("SELECT max(id) AS v FROM credential");
        add(&shop, about, CredentialId::new(id), &vec![format!("{url}/notify"); 10]);
    }
    let merchant = Receiver::start(204);
    add(&shop, about, well, std::slice::from_ref(&merchant.url));
    // Eight each for the first eight; then half of all turns are taken, and whoever has none gets one.
    assert_eq!(notices::round(&shop.app).await.unwrap(), 64 + 12 + 1);
    eventually("the one is told", async || (!merchant.take().is_empty()).then_some(())).await;
}

#[actix_web::test]
async fn a_merchant_that_hangs_does_not_keep_a_process_from_ending() {
    let (shop, about, [hangs, _]) = two_merchants().await;
    let (_trap, url) = tarpit();
    add(&shop, about, hangs, &[format!("{url}/notify")]);
    let jobs = Jobs::start(&Data::new(App::clone(&shop.app)));
    let begun = async || (shop.app.turns.at_work("notifications") == 1).then_some(());
    eventually("it is told", begun).await;
    tokio::time::timeout(Duration::from_secs(90), jobs.stop()).await.unwrap();
}

#[actix_web::test]
async fn an_institution_that_hangs_delays_the_orders_of_no_other() {
    let mut shop = Shop::open().await;
    patient(&mut shop);
    let (_trap, url) = tarpit();
    let mut hangs = Institution::start(&shop.app.clock).await;
    hangs.base_url = url;
    let other = set_up(&shop.app, "OTHER", &hangs);
    sub_merchant(&shop.app, other, "M5001", shop.tenant_id, "190005");
    let well = std::mem::replace(&mut shop.sub_mchid, "M5001".to_owned());
    for n in 0..20 {
        shop.left_behind(&format!("ORDER-{n}")).await;
    }
    shop.sub_mchid = well;
    shop.left_behind("ORDER-WELL").await;
    shop.app.clock.advance(61);
    let app = shop.app.clone();
    let asking = tokio::spawn(async move { tasks::resolve(&app).await });
    let paying = async || (shop.state("ORDER-WELL").await == "PAYING").then_some(());
    eventually("the other institution is asked", paying).await;
    assert!(!asking.is_finished(), "the one hangs still");
    let merchant = shop.app.raw().number("SELECT id AS v FROM sub_merchant WHERE merchant = 'M5001'");
    assert_eq!(shop.app.turns.at_work(&format!("resolve of OTHER for merchant {merchant}")), 1);
    asking.abort();
}

#[actix_web::test]
async fn a_merchant_whose_orders_hang_delays_those_of_no_other_at_its_institution() {
    let mut shop = Shop::open().await;
    patient(&mut shop);
    sub_merchant(&shop.app, shop.institution_id, "M5001", shop.tenant_id, "190005");
    shop.institution.hang_for("190005");
    let well = std::mem::replace(&mut shop.sub_mchid, "M5001".to_owned());
    // More than are read at a time, and all older than the other's.
    for n in 0..220 {
        shop.left_behind(&format!("HANGS-{n}")).await;
    }
    shop.sub_mchid = well;
    shop.left_behind("WELL-1").await;
    shop.app.clock.advance(61);
    let mut rounds = Vec::new();
    for (order, next) in [("WELL-1", Some("WELL-2")), ("WELL-2", None)] {
        let app = shop.app.clone();
        rounds.push(tokio::spawn(async move { tasks::resolve(&app).await }));
        let paying = async || (shop.state(order).await == "PAYING").then_some(());
        eventually(order, paying).await;
        assert!(!rounds[0].is_finished(), "the one hangs still");
        // A later round begins none of the one anew, and finds what is new of the other.
        if let Some(next) = next {
            shop.left_behind(next).await;
            shop.app.clock.advance(61);
        }
    }
    let calls = shop.institution.calls();
    let placed = calls.iter().filter(|call| call.starts_with("native")).count();
    let asked = calls.len() - placed;
    assert!(placed == 2 && (3..=2 + 4).contains(&asked), "four of the one hang: {calls:?}");
    rounds.iter().for_each(tokio::task::JoinHandle::abort);
}

#[actix_web::test]
async fn open_orders_of_a_merchant_that_hang_keep_no_other_from_being_asked_about() {
    let mut shop = Shop::open().await;
    patient(&mut shop);
    sub_merchant(&shop.app, shop.institution_id, "M5001", shop.tenant_id, "190005");
    let well = std::mem::replace(&mut shop.sub_mchid, "M5001".to_owned());
    for n in 0..20 {
        shop.left_behind(&format!("HANGS-{n}")).await;
    }
    shop.sub_mchid = well;
    let order_no = shop.left_behind("WELL").await;
    shop.app.clock.advance(61);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 21);
    drop(shop.institution.pay(&order_no));
    shop.institution.hang_for("190005");
    let state = Data::new(App::clone(&shop.app));
    let asking = tokio::spawn(async move { tasks::run_job(&state, JobName::Ask).await });
    let paid = async || (shop.state("WELL").await == "PAID").then_some(());
    eventually("its payment is found", paid).await;
    asking.abort();
}

#[actix_web::test]
async fn all_jobs_together_ask_about_four_orders_of_a_merchant_at_a_time() {
    let mut shop = Shop::open().await;
    patient(&mut shop);
    sub_merchant(&shop.app, shop.institution_id, "M5001", shop.tenant_id, "190005");
    shop.sub_mchid = "M5001".to_owned();
    for n in 0..10 {
        shop.left_behind(&format!("OPEN-{n}")).await;
    }
    shop.app.clock.advance(61);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 10);
    for n in 0..10 {
        shop.left_behind(&format!("UNKNOWN-{n}")).await;
    }
    shop.app.clock.advance(61);
    shop.institution.hang_for("190005");
    let before = shop.institution.calls().len();
    let (state, app) = (Data::new(App::clone(&shop.app)), shop.app.clone());
    let asking = tokio::spawn(async move { tasks::run_job(&state, JobName::Ask).await });
    let resolving = tokio::spawn(async move { tasks::resolve(&app).await });
    let four = async || (shop.institution.calls().len() >= before + 4).then_some(());
    eventually("four of them are asked about", four).await;
    let merchant = shop.app.raw().number("SELECT id AS v FROM sub_merchant WHERE merchant = 'M5001'");
    let both = async || {
        let at_work = |job| shop.app.turns.at_work(&format!("{job} of SANDBOX for merchant {merchant}"));
        (at_work("ask") == 1 && at_work("resolve") == 1).then_some(())
    };
    eventually("both jobs are at it", both).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shop.institution.calls().len() - before, 4, "{:?}", shop.institution.calls());
    asking.abort();
    resolving.abort();
}

#[actix_web::test]
async fn whoever_came_first_has_the_next_turn_of_a_line() {
    let turns = Turns::default();
    let line = || turns.line(("at one institution".to_owned(), 1));
    let first = line().acquire_owned().await.unwrap();
    let mut second = Box::pin(line().acquire_owned());
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    // Another round asks for the same line and has to wait in it.
    assert!(line().try_acquire_owned().is_err());
    drop(second.await.unwrap());
    drop(line().try_acquire_owned().unwrap());
}

#[actix_web::test]
async fn a_round_waits_for_nobody_beyond_its_patience_and_begins_nothing_twice() {
    let (turns, begun) = (Turns::default(), Arc::new(AtomicUsize::new(0)));
    let part = |name: &str, done: Option<usize>| {
        let begun = Arc::clone(&begun);
        let work = async move {
            begun.fetch_add(1, Ordering::SeqCst);
            match done {
                Some(done) => Ok(done),
                None => std::future::pending().await,
            }
        };
        Part { share: (name.to_owned(), 1), work: work.boxed() }
    };
    let never = || part("never", None);
    let short = Duration::from_millis(50);
    assert_eq!(turns.round(vec![never(), part("a", Some(3)), part("b", Some(4))], short).await.unwrap(), 7);
    assert_eq!((turns.at_work("never"), turns.at_work("a")), (1, 0));
    // The next round does not even wait for it.
    let next = turns.round(vec![never(), part("a", Some(5))], Duration::MAX);
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), next).await.unwrap().unwrap(), 5);
    assert_eq!(begun.load(Ordering::SeqCst), 4);
    assert!(!turns.all_over(Duration::from_millis(1)).await);
    let failing =
        Part { share: ("c".to_owned(), 1), work: async { Err(mingfen::error::Error::NotFound) }.boxed() };
    turns.round(vec![failing, part("d", Some(1))], short).await.unwrap_err();
    assert_eq!(begun.load(Ordering::SeqCst), 5, "a failure ends no other part");

    let all = [("x".to_owned(), 2), ("y".to_owned(), 1)];
    let held = turns.take(&all).unwrap();
    assert_eq!(turns.take(&all).unwrap_err(), "y");
    assert_eq!(turns.at_work("x"), 1, "nothing is kept of a turn that was not given");
    drop(held);
    turns.take(&all).unwrap();
}
