//! Many open orders, or one that cannot be read, keep nobody's from being asked about; no age is lost to a merchant whose
//! turn is taken; and asking before a cut ends with it.
use std::time::Duration;

use mingfen::cli::demo::open_order;
use mingfen::error::{Code, Error};
use mingfen::people::Actor;
use mingfen::splits::Cutting;
use mingfen::tasks;
use serde_json::json;

use crate::asked::{ask, asked, asks, nobody_answers, struck};
use crate::support::database::Raw;
use crate::support::finished_day::FinishedDay;
use crate::support::shop::{Shop, sub_merchant};

/// Puts so many more orders beside one, in a channel.
fn copy(raw: &mut Raw, order_no: &str, copies: i64, channel: &str) {
    raw.execute(&format!(
        "INSERT INTO pay_order (id, order_no, platform_merchant_id, out_trade_no, content_sha256, sub_merchant_id, \
         institution_id, credential_id, channel, product, tags, parties, amount, description, attach, notify_url, \
         created_at) \
         WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < {copies}) \
         SELECT id + 1000 + v, 'SBCOPY' || v, platform_merchant_id, 'COPY-' || v, content_sha256, sub_merchant_id, \
         institution_id, credential_id, '{channel}', product, tags, parties, amount, description, attach, \
         notify_url, created_at \
         FROM pay_order, n WHERE order_no = '{order_no}'"
    ))
    .unwrap();
    raw.execute(
        "INSERT INTO order_event (id, order_id, at, kind, prepay) \
         SELECT 1000000 + pay_order.id, pay_order.id, created_at, 'PAYING', 'weixin://wxpay/bizpayurl?pr=1' \
         FROM pay_order WHERE order_no LIKE 'SBCOPY%'",
    )
    .unwrap();
}

/// The turn of the merchant of an order in a job, which is taken now.
fn turn_of(app: &mingfen::app::App, raw: &mut Raw, job: &str, order_no: &str) -> mingfen::turns::Turn {
    let of = format!("FROM pay_order WHERE order_no = '{order_no}'");
    let merchant = raw.number(&format!("SELECT sub_merchant_id AS v {of}"));
    let code =
        raw.texts(&format!("SELECT code AS v FROM institution WHERE id = (SELECT institution_id {of})"));
    app.turns.take(&[(format!("{job} of {} for merchant {merchant}", code[0]), 1)]).unwrap()
}

#[actix_web::test]
async fn a_thousand_open_orders_of_a_merchant_keep_no_other_from_being_asked_about() {
    let mut shop = Shop::open().await;
    sub_merchant(&shop.app, shop.institution_id, "M5001", shop.tenant_id, "190005");
    let well = std::mem::replace(&mut shop.sub_mchid, "M5001".to_owned());
    let many = shop.left_behind("MANY").await;
    copy(&mut shop.app.raw(), &many, 1_001, "wechat");
    // Its own are asked about later: what is asked of the institution is not what this is about.
    let _turn = turn_of(&shop.app, &mut shop.app.raw(), "ask", &many);
    shop.sub_mchid = well;
    let order_no = shop.placed("ORDER-WELL").await;
    drop(shop.institution.pay(&order_no));
    shop.app.clock.advance(61);
    assert_eq!((ask(&shop).await, asked(&shop)), (1, 1));
    assert_eq!(shop.state("ORDER-WELL").await, "PAID");
}

#[actix_web::test]
async fn whose_turn_is_taken_when_an_order_comes_of_age_is_asked_about_when_it_is_given_back() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    drop(shop.institution.pay(&order_no));
    assert_eq!(ask(&shop).await, 0);
    let turn = turn_of(&shop.app, &mut shop.app.raw(), "ask", &order_no);
    shop.app.clock.advance(61);
    assert_eq!((ask(&shop).await, asked(&shop)), (0, 0));
    drop(turn);
    // It is of no age now.
    shop.app.clock.advance(30);
    assert_eq!((ask(&shop).await, asked(&shop)), (1, 1));
    shop.app.clock.advance(30);
    assert_eq!((ask(&shop).await, asked(&shop)), (0, 1));
}

#[actix_web::test]
async fn an_order_that_cannot_be_read_keeps_no_other_from_being_asked_for() {
    let shop = Shop::open().await;
    let order_no = shop.left_behind("ORDER-1").await;
    copy(&mut shop.app.raw(), &order_no, 1, "nonsense");
    // Its answer never came.
    let unknown = "INSERT INTO order_event (id, order_id, at, kind, reason) \
         SELECT 2000000 + id, id, created_at, 'UNKNOWN', 'OTHER' FROM pay_order WHERE order_no LIKE 'SBCOPY%'";
    shop.app.raw().execute(unknown).unwrap();
    shop.app.clock.advance(61);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 1);
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
}

#[actix_web::test]
async fn a_day_whose_merchant_is_asked_about_for_another_one_waits_for_its_turn() {
    let played = FinishedDay::new(2).await;
    let (world, app) = (&played.world, &played.world.app);
    let prepay = open_order(world).await.unwrap();
    let pay = json!({"code_url": prepay, "notify": false});
    world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    let (id, day, before) = (world.institution, app.clock.today(), played.database.raw().count("payment"));
    app.clock.set(day.next().start().plus(10 * 3_600 + 300));
    let (desk, channel) = (
        app.desk(id).await.unwrap(),
        app.channel(id, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap(),
    );
    world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await.unwrap();
    let open =
        played.database.raw().texts("SELECT order_no AS v FROM pay_order WHERE out_trade_no LIKE 'OPEN%'");
    let turn = turn_of(app, &mut played.database.raw(), "daily", &open[0]);
    let actor = Actor::shell();
    let cut = tasks::cut_as_task(app, &desk, std::slice::from_ref(&channel), day, Cutting::default(), &actor);
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(turn);
    };
    let (report, ()) = futures_util::future::join(cut, later).await;
    assert_eq!((played.database.raw().count("payment"), report.unwrap().differences), (before + 1, 0));
    played.stop().await;
}

#[actix_web::test]
async fn nobody_is_asked_about_for_a_cut_that_was_stopped() {
    let (played, day) = nobody_answers().await;
    let (world, app) = (&played.world, &played.world.app);
    let open =
        played.database.raw().texts("SELECT order_no AS v FROM pay_order WHERE out_trade_no LIKE 'OPEN%'");
    copy(&mut played.database.raw(), &open[0], 11, "wechat");
    let (desk, channel) = (
        app.desk(world.institution).await.unwrap(),
        app.channel(world.institution, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap(),
    );
    let actor = Actor::system();
    let cut = tasks::cut_as_task(app, &desk, std::slice::from_ref(&channel), day, Cutting::default(), &actor);
    let cancel = async {
        let id = asks(&played).await.id;
        app.db.write_blocking(|tx| tasks::cancel(tx, id, &Actor::shell(), 1)).unwrap();
    };
    let (cut, ()) = futures_util::future::join(cut, cancel).await;
    let error = cut.map(|report| report.made).unwrap_err();
    assert!(matches!(error, Error::Refused { code: Code::TaskCancelled, .. }), "{error}");
    assert!(app.turns.all_over(Duration::from_secs(90)).await);
    let asked = struck(world, "timeout").await;
    assert!((1..=4).contains(&asked), "{asked} of 12: those that were begun with");
    played.stop().await;
}
