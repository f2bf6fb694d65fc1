//! Merchants are told of their payments, again and again as documented, and a stock SDK believes it.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use mingfen::channels::http::{Guarded, Limits};
use mingfen::cli::demo::{World, close};
use mingfen::clock::Clock;
use mingfen::db::schema;
use mingfen::kernel::calendar::BusinessDay;
use mingfen::merchants::credentials::{self, AnswerMode};
use mingfen::notices::wechat::SCHEDULE;
use mingfen::notices::{self, Failure};
use mingfen::orders;
use mingfen::outbox::Delivery;
use mingfen::people::{Actor, Role, Scope};
use mingfen::protocol::wechat::notification::{self, ApiV3Key};
use mingfen::protocol::wechat::shapes::OrderView;
use mingfen::protocol::wechat::sign::Signer;
use serde_json::{Value, json};

use crate::support::finished_day::FinishedDay;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, credential};
use crate::untold::acting;

/// A paid order whose merchant listens at `url`.
async fn paid_order(shop: &Shop, url: &str) {
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(url);
    assert_eq!(shop.place(&order).await.status, 200);
    let notice = shop.institution.pay(&shop.order_no("ORDER-1").await);
    assert_eq!(shop.notify(&notice).await.status, 204);
}

async fn delivery(shop: &Shop) -> Delivery {
    shop.detail("ORDER-1").await.delivery.unwrap()
}

#[actix_web::test]
async fn a_notification_is_sealed_for_the_merchant_and_signed_by_us() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(204);
    paid_order(&shop, &merchant.url).await;
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let arrived = merchant.take().pop().unwrap();
    assert!(arrived.stamp.verify(&shop.app.known_keys().wechat.public_key, &arrived.body));
    assert_eq!(arrived.stamp.serial, shop.app.known_keys().wechat.serial);
    let (envelope, plain) = notification::open(&shop.apiv3_key, &arrived.body).unwrap();
    assert_eq!(envelope.event_type, "TRANSACTION.SUCCESS");
    let told: OrderView = serde_json::from_slice(&plain).unwrap();
    let queried: OrderView = serde_json::from_slice(&shop.query("ORDER-1").await.body).unwrap();
    assert_eq!(told, queried);
    assert!(delivery(&shop).await.done_at.is_some());
    shop.app.clock.advance(86_400);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0);
}

#[actix_web::test]
async fn a_notification_that_is_not_taken_comes_again_at_the_documented_times_and_is_then_given_up() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    paid_order(&shop, &merchant.url).await;
    let mut ids = Vec::new();
    for pause in SCHEDULE.into_iter().map(Some).chain([None]) {
        assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
        let arrived = merchant.take().pop().unwrap();
        assert!(arrived.stamp.check(&shop.answer_keys(), shop.app.clock.instant(), &arrived.body).is_ok());
        let (envelope, plain) = notification::open(&shop.apiv3_key, &arrived.body).unwrap();
        ids.push((envelope.id, envelope.create_time, plain));
        if let Some(pause) = pause {
            // The clock runs on meanwhile, so the last seconds are left out.
            shop.app.clock.advance(pause - 10);
            assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0);
            shop.app.clock.advance(10);
        }
    }
    assert_eq!(ids.len(), 16);
    ids.dedup();
    assert_eq!(ids.len(), 1, "id, time and resource stay the same at every delivery");
    let given_up = delivery(&shop).await;
    assert_eq!((given_up.attempts, given_up.last_error.as_deref()), (16, Some("ANSWERED:500")));
    assert!(given_up.given_up_at.is_some() && given_up.done_at.is_none());
    shop.app.clock.advance(30 * 86_400);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0);
}

#[actix_web::test]
async fn what_waits_is_sealed_with_the_credential_in_force() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    paid_order(&shop, &merchant.url).await;
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let first = merchant.take().pop().unwrap();
    let (before, told) = notification::open(&shop.apiv3_key, &first.body).unwrap();

    let revoke = |serial: &str| {
        let actor = Actor::shell();
        let mchid = &shop.signer.mchid;
        shop.app.db.write_blocking(|tx| credentials::revoke(tx, 2, &actor, mchid, serial)).unwrap();
    };
    let (key, signer) =
        (ApiV3Key::generate().unwrap(), Signer { serial: "4F02".into(), ..shop.signer.clone() });
    revoke(&shop.signer.serial);
    shop.app.clock.advance(15);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert!(merchant.take().is_empty(), "nothing goes out under a revoked key");
    assert!(delivery(&shop).await.last_error.unwrap().contains("no credential in force"));

    credential(&shop.app, shop.tenant_id, &signer, &key, AnswerMode::PublicKey);
    shop.app.clock.advance(15);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let second = merchant.take().pop().unwrap();
    assert!(notification::open(&shop.apiv3_key, &second.body).is_err());
    let (after, plain) = notification::open(&key, &second.body).unwrap();
    assert_eq!((after.id, plain), (before.id, told));
    assert_eq!(second.stamp.serial, shop.app.known_keys().wechat.public_key_id);
}

#[actix_web::test]
async fn only_200_and_204_take_a_notification() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    paid_order(&shop, &merchant.url).await;
    for status in [201, 302, 401, 404] {
        merchant.answer(status);
        assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
        assert_eq!(delivery(&shop).await.last_error, Some(format!("ANSWERED:{status}")));
        shop.app.clock.advance(24 * 3600);
    }
    merchant.answer(200);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let taken = delivery(&shop).await;
    assert!(taken.done_at.is_some() && taken.last_error.is_none());
}

#[actix_web::test]
async fn a_merchant_that_is_not_there_or_may_not_be_called_fails_that_delivery_only() {
    let mut shop = Shop::open().await;
    let url = Receiver::start(204).url.clone();
    paid_order(&shop, &url).await;
    shop.app.http = Guarded::new(Limits::default(), false).unwrap();
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let why = delivery(&shop).await.last_error.unwrap();
    assert_eq!(why, "ADDRESS:127.0.0.1");
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    let page = format!("/admin/orders/{}", shop.order_no("ORDER-1").await);
    for (lang, text) in [("zh", "请商户更正 notify_url"), ("en", "must be public and https")] {
        let seen = admin.get(&format!("{page}?lang={lang}")).await.body;
        assert!(seen.contains(text), "{text}: {seen}");
    }
}

#[test]
fn what_is_kept_of_a_failure_is_read_as_it_was_and_prose_of_before_stays_as_it_is() {
    for failure in [
        Failure::Answered(502),
        Failure::Address("scheme http".to_owned()),
        Failure::Timeout,
        Failure::Connection,
        Failure::TooLarge,
        Failure::Other("a: b".to_owned()),
    ] {
        assert_eq!(Failure::of(&failure.to_string()), failure);
    }
    for prose in ["answered 500", "no answer in time", "ANSWERED:soon", ""] {
        assert_eq!(Failure::of(prose), Failure::Other(prose.to_owned()));
    }
}

#[actix_web::test]
async fn the_stock_sdk_works_in_certificate_mode() {
    sdk(false).await;
}

#[actix_web::test]
async fn the_stock_sdk_works_in_public_key_mode() {
    sdk(true).await;
}

/// Runs `tests/sdk/wechatpay.py`, which places, queries and closes, and checks our notification itself. The demo's
/// papers for a stock SDK are all that it gets, and its order goes the whole way to the day's SPL.
async fn sdk(in_public_key_mode: bool) {
    let demo = FinishedDay::at(0, &Clock::system().instant().to_cst()).await;
    let (world, finished) = (&demo.world, demo.day());
    let papers = std::fs::read_to_string(demo.dir().join("credentials/wechat.json")).unwrap();
    let papers: Value = serde_json::from_str(&papers).unwrap();
    let text = |name: &str| std::fs::read_to_string(papers[name].as_str().unwrap()).unwrap();
    let mut settings = json!({
        "base_url": papers["base_url"],
        "sp_mchid": papers["sp_mchid"],
        "sp_appid": papers["sp_appid"],
        "sub_mchid": papers["sub_mchids"][0],
        "serial": papers["merchant_serial"],
        "private_key": text("merchant_private_key"),
        "apiv3_key": papers["apiv3_key"],
        "out_trade_no": "SDK-ORDER-1",
        "goods_tag": "mingfen:PROMO;agent=agent:A1",
    });
    if in_public_key_mode {
        settings["public_key"] = json!(text("platform_public_key"));
        settings["public_key_id"] = papers["platform_public_key_id"].clone();
        answer_by_public_key(world).await;
    }
    let file = demo.dir().join("sdk.json");
    std::fs::write(&file, settings.to_string()).unwrap();
    let mut child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/wechatpay.py"))
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let steps = Arc::new(Mutex::new(BufReader::new(child.stdout.take().unwrap())));
    let placed = step(&steps).await;
    assert_eq!(placed["step"], "placed");
    world.sandbox("POST", "/sandbox/pay", &json!({"code_url": placed["code_url"]})).await.unwrap();
    world.settle_messages().await.unwrap();
    let told = step(&steps).await;
    assert_eq!((&told["step"], &told["paid"]), (&json!("told"), &json!(12345)));
    for expected in ["queried", "closed", "done"] {
        assert_eq!(step(&steps).await["step"], expected);
    }
    assert!(child.wait().unwrap().success());
    is_in_the_split_file(&demo, finished, told["transaction_id"].as_str().unwrap()).await;
    demo.stop().await;
}

/// Notifications carry no request that could ask for it: the credential says by which key they are signed.
async fn answer_by_public_key(world: &World) {
    let set = diesel::update(schema::credential::table).set(schema::credential::answer_mode.eq("pubkey"));
    let write = world.app.db.write(move |tx| Ok(set.execute(tx.conn())?));
    assert_eq!(write.await.unwrap(), 1);
}

/// Closes the days up to that of a payment and finds it in the published SPL, split to the fen.
async fn is_in_the_split_file(demo: &FinishedDay, finished: BusinessDay, inst_order_no: &str) {
    let world = &demo.world;
    let number = inst_order_no.to_owned();
    let find = world.app.db.read(move |tx| {
        let shop = mingfen::merchants::by_number(tx, "M1001")?.unwrap();
        let order = orders::by_inst_order_no(tx, shop.id, &number)?.unwrap();
        Ok(orders::standing(tx, order)?.payment.unwrap().business_date)
    });
    let day = find.await.unwrap();
    world.app.clock.set(day.next().start().plus(10 * 3600));
    // Should midnight have passed meanwhile, the day before comes first.
    let mut due = finished.next();
    while due <= day {
        close(world, due).await.unwrap();
        due = due.next();
    }
    let spl = demo.text(&format!("SPL_SANDBOX_DEMO_{day}_0001.txt"));
    let mut lines = spl.lines().skip_while(|line| line.split('|').nth(3) != Some(inst_order_no));
    let order: Vec<&str> = lines.next().unwrap().split('|').collect();
    assert_eq!((order[0], order[7], order[8]), ("O", "PROMO", "agent=agent:A1"));
    let number = |text: &str| text.parse::<i64>().unwrap();
    let (paid, fee, subsidy) = (number(order[10]), number(order[11]), number(order[12]));
    assert_eq!(paid, 12345);
    let split = lines.take_while(|line| line.starts_with("L|"));
    let amounts: Vec<i64> = split.map(|line| number(line.rsplit('|').next().unwrap())).collect();
    assert_eq!(amounts.len() as i64, number(order[15]));
    assert_eq!(amounts.iter().sum::<i64>(), paid + subsidy - fee);
}

type Steps = Arc<Mutex<BufReader<ChildStdout>>>;

/// The next line that the client prints; the platform goes on meanwhile.
async fn step(steps: &Steps) -> Value {
    let steps = steps.clone();
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        steps.lock().unwrap().read_line(&mut line).unwrap();
        line
    });
    let line = line.await.unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("the client stopped, see above: {line:?}"))
}

fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    assert!(python.exists(), "{} is made by tests/run", python.display());
    python
}
