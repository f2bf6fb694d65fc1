//! Merchants are told of their payments, again and again as documented, and a stock SDK believes it.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use mingfen::channels::http::{Guarded, Limits};
use mingfen::jobs::{self, SCHEDULE};
use mingfen::orders::Delivery;
use mingfen::protocol::wechat::notification;
use mingfen::protocol::wechat::shapes::OrderView;
use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::shop::Shop;

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
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
    let arrived = merchant.take().pop().unwrap();
    assert!(arrived.stamp.verify(&shop.app.keys.wechat.public_key, &arrived.body));
    assert_eq!(arrived.stamp.serial, shop.app.keys.wechat.serial);
    let (envelope, plain) = notification::open(&shop.apiv3_key, &arrived.body).unwrap();
    assert_eq!(envelope.event_type, "TRANSACTION.SUCCESS");
    let told: OrderView = serde_json::from_slice(&plain).unwrap();
    let queried: OrderView = serde_json::from_slice(&shop.query("ORDER-1").await.body).unwrap();
    assert_eq!(told, queried);
    assert!(delivery(&shop).await.done_at.is_some());
    shop.app.clock.advance(86_400);
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 0);
}

#[actix_web::test]
async fn a_notification_that_is_not_taken_comes_again_at_the_documented_times_and_is_then_given_up() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    paid_order(&shop, &merchant.url).await;
    let mut ids = Vec::new();
    for pause in SCHEDULE.into_iter().map(Some).chain([None]) {
        assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
        let arrived = merchant.take().pop().unwrap();
        assert!(arrived.stamp.check(&shop.answer_keys(), shop.app.clock.instant(), &arrived.body).is_ok());
        ids.push(notification::open(&shop.apiv3_key, &arrived.body).unwrap().0.id);
        if let Some(pause) = pause {
            // The clock runs on meanwhile, so the last seconds are left out.
            shop.app.clock.advance(pause - 10);
            assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 0);
            shop.app.clock.advance(10);
        }
    }
    assert_eq!(ids.len(), 16);
    ids.dedup();
    assert_eq!(ids.len(), 1, "the id stays the same at every delivery");
    let given_up = delivery(&shop).await;
    assert_eq!((given_up.attempts, given_up.last_error.as_deref()), (16, Some("answered 500")));
    assert!(given_up.given_up_at.is_some() && given_up.done_at.is_none());
    shop.app.clock.advance(30 * 86_400);
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 0);
}

#[actix_web::test]
async fn only_200_and_204_take_a_notification() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    paid_order(&shop, &merchant.url).await;
    for status in [201, 302, 401, 404] {
        merchant.answer(status);
        assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
        assert_eq!(delivery(&shop).await.last_error, Some(format!("answered {status}")));
        shop.app.clock.advance(24 * 3600);
    }
    merchant.answer(200);
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
    let taken = delivery(&shop).await;
    assert!(taken.done_at.is_some() && taken.last_error.is_none());
}

#[actix_web::test]
async fn a_merchant_that_is_not_there_or_may_not_be_called_fails_that_delivery_only() {
    let mut shop = Shop::open().await;
    let url = Receiver::start(204).url.clone();
    paid_order(&shop, &url).await;
    shop.app.http = Guarded::new(Limits::default(), false).unwrap();
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
    let why = delivery(&shop).await.last_error.unwrap();
    assert!(why.contains("address not allowed"), "{why}");
}

#[actix_web::test]
async fn the_stock_sdk_works_in_certificate_mode() {
    let shop = Shop::open().await;
    sdk(&shop, json!({})).await;
}

#[actix_web::test]
async fn the_stock_sdk_works_in_public_key_mode() {
    let shop = Shop::open_in_public_key_mode().await;
    let ours = &shop.app.keys.wechat;
    let public_key = ours.public_key.to_pem().unwrap();
    sdk(&shop, json!({"public_key": public_key, "public_key_id": ours.public_key_id})).await;
}

/// Runs `tests/sdk/wechatpay.py`, which places, queries and closes, and checks our notification itself.
async fn sdk(shop: &Shop, keys: Value) {
    let mut settings = json!({
        "base_url": shop.base_url,
        "sp_mchid": shop.sp_mchid(),
        "sp_appid": "wx0000000000000001",
        "sub_mchid": shop.sub_mchid,
        "serial": shop.signer.serial,
        "private_key": shop.signer.key.to_pem().unwrap(),
        "apiv3_key": shop.apiv3_key.expose(),
        "out_trade_no": "SDK-ORDER-1",
        "goods_tag": "food;agent=agent:A1",
    });
    settings.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let file = shop.app.dir().join("sdk.json");
    std::fs::write(&file, settings.to_string()).unwrap();
    let mut child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/wechatpay.py"))
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let steps = Arc::new(Mutex::new(BufReader::new(child.stdout.take().unwrap())));
    assert_eq!(step(&steps).await["step"], "placed");

    let order_no = shop.order_no("SDK-ORDER-1").await;
    let notice = shop.institution.pay(&order_no);
    assert_eq!(shop.notify(&notice).await.status, 204);
    assert_eq!(jobs::deliver(&shop.app).await.unwrap(), 1);
    let transaction_id = shop.institution.held(&order_no).unwrap().transaction_id.unwrap();
    let told = step(&steps).await;
    assert_eq!((&told["step"], &told["transaction_id"]), (&json!("told"), &json!(transaction_id)));
    assert_eq!(told["paid"], 12345);
    for expected in ["queried", "closed", "done"] {
        assert_eq!(step(&steps).await["step"], expected);
    }
    assert!(child.wait().unwrap().success());
    assert!(shop.detail("SDK-ORDER-1").await.delivery.unwrap().done_at.is_some());
    assert_eq!(shop.state("SDK-ORDER-1-2").await, "CLOSED");
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
