//! Nobody is lost whose notification never came: orders are asked about by themselves, before their day is cut, and from
//! the difference that the bill shows.
use std::time::Duration;

use actix_web::web::Data;
use mingfen::app::App;
use mingfen::cli::demo::{World, open_order};
use mingfen::db::columns::{MerchantId, OrderId};
use mingfen::error::{Code, Error};
use mingfen::exchange::{self, DocumentKind, ExchangedFile};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::orders::Order;
use mingfen::people::{Actor, Role, Scope};
use mingfen::splits::Cutting;
use mingfen::tasks::{self, JobName, Jobs, Task, TaskPhase, TaskState};
use serde_json::json;

use crate::support::PASSWORD;
use crate::support::acting::Acting;
use crate::support::finished_day::FinishedDay;
use crate::support::sandbox_process::eventually;
use crate::support::shop::{Shop, sub_merchant};

/// Asks about what has come of an age.
pub async fn ask(shop: &Shop) -> usize {
    let state = Data::new(App::clone(&shop.app));
    tasks::run_job(&state, JobName::Ask).await.unwrap().unwrap()
}

pub fn asked(shop: &Shop) -> usize {
    shop.institution.calls().iter().filter(|call| call.starts_with("query")).count()
}

#[actix_web::test]
async fn a_payment_whose_notification_was_lost_is_found_and_told_to_its_merchant() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    drop(shop.institution.pay(&order_no));
    assert_eq!((ask(&shop).await, asked(&shop)), (0, 0), "it is too young to be asked about");
    shop.app.clock.advance(61);
    assert_eq!(ask(&shop).await, 1);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    let detail = shop.detail("ORDER-1").await;
    assert_eq!(detail.delivery.unwrap().attempts, 0, "its merchant will be told");
    shop.app.clock.advance(3_600);
    assert_eq!((ask(&shop).await, asked(&shop)), (0, 1), "and nobody asks again");
}

#[actix_web::test]
async fn an_open_order_is_asked_about_ever_more_seldom_and_closed_when_its_time_is_over() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    ask(&shop).await;
    let mut minutes = Vec::new();
    for minute in 1..=130 {
        shop.app.clock.advance(60);
        let before = asked(&shop);
        ask(&shop).await;
        minutes.extend((asked(&shop) > before).then_some(minute));
    }
    assert_eq!(minutes, [1, 3, 10, 30, 60, 121]);
    assert_eq!(shop.state("ORDER-1").await, "CLOSED");
    assert!(shop.institution.calls().iter().any(|call| call.starts_with("close")));
}

#[actix_web::test]
async fn a_merchant_that_asks_without_end_is_told_to_slow_down_and_no_other() {
    let mut shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    shop.placed("ORDER-2").await;
    sub_merchant(&shop.app, shop.institution_id, "M5001", shop.tenant_id, "190005");
    let first = std::mem::replace(&mut shop.sub_mchid, "M5001".to_owned());
    shop.left_behind("OTHERS-1").await;
    let other = std::mem::replace(&mut shop.sub_mchid, first);
    let order = shop.detail("ORDER-1").await.standing.order;
    let asking = shop.app.asking.clone();
    // A whole minute lies ahead.
    let next_minute = || {
        let minute = shop.app.clock.instant().get().div_euclid(60);
        shop.app.clock.set(Instant::new((minute + 1) * 60));
    };
    let slow_down = (429, "FREQUENCY_LIMITED".to_owned());

    next_minute();
    assert!((1..60).all(|_| asking.may(&order, shop.app.clock.now())));
    assert_eq!(shop.query("ORDER-1").await.status, 200);
    let before = asked(&shop);
    assert_eq!(shop.query("ORDER-1").await.refusal(), slow_down);
    assert_eq!(shop.close("ORDER-1").await.refusal(), slow_down);
    assert_eq!(asked(&shop), before, "the institution is spared");
    assert_eq!(shop.query("ORDER-2").await.status, 200);

    next_minute();
    let of = |id: i64| Order { id: OrderId::new(1_000 + id), ..order.clone() };
    assert!((1..3_000).all(|id| asking.may(&of(id), shop.app.clock.now())));
    assert_eq!(shop.query("ORDER-1").await.status, 200);
    let before = asked(&shop);
    assert_eq!(shop.query("ORDER-2").await.refusal(), slow_down);
    assert_eq!(asked(&shop), before);
    shop.sub_mchid = other;
    assert_eq!(shop.query("OTHERS-1").await.status, 200);

    // What is refused leaves nothing behind, however much it is: held is no more than was asked.
    let refused = of(3_000);
    assert!((0..60).all(|_| !asking.may(&refused, shop.app.clock.now())));
    let anew = Order { sub_merchant_id: MerchantId::new(99), ..refused };
    assert!(asking.may(&anew, shop.app.clock.now()));
}

#[actix_web::test]
async fn whoever_did_not_run_for_hours_catches_up() {
    let shop = Shop::open().await;
    ask(&shop).await;
    let order_no = shop.placed("ORDER-1").await;
    drop(shop.institution.pay(&order_no));
    shop.app.clock.advance(5 * 3_600);
    assert_eq!(ask(&shop).await, 1);
    assert_eq!((shop.state("ORDER-1").await, asked(&shop)), ("PAID", 1));
}

#[actix_web::test]
async fn what_is_open_is_asked_about_before_its_day_is_cut() {
    let played = FinishedDay::new(2).await;
    let (world, app) = (&played.world, &played.world.app);
    let code_url = open_order(world).await.unwrap();
    let pay = json!({"code_url": code_url, "notify": false});
    world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    let (id, day, before) = (world.institution, app.clock.today(), played.database.raw().count("payment"));
    app.clock.set(day.next().start().plus(10 * 3_600 + 300));
    let (desk, channel) = (
        app.desk(id).await.unwrap(),
        app.channel(id, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap(),
    );
    let cut = async |day| {
        tasks::cut_as_task(
            app,
            &desk,
            std::slice::from_ref(&channel),
            day,
            Cutting::default(),
            &Actor::shell(),
        )
        .await
    };
    // What cannot be cut is no reason to ask.
    assert!(cut(day.next().next()).await.is_err());
    assert_eq!(played.database.raw().count("payment"), before);
    world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await.unwrap();
    let report = cut(day).await.unwrap();
    assert_eq!((played.database.raw().count("payment"), report.differences), (before + 1, 0));
    played.stop().await;
}

#[actix_web::test]
async fn while_the_bill_is_late_nobody_is_asked_about_again_but_as_they_come_of_age() {
    let played = FinishedDay::new(2).await;
    let (world, app) = (&played.world, &played.world.app);
    let code_url = open_order(world).await.unwrap();
    let (day, payments) = (app.clock.today(), || played.database.raw().count("payment"));
    app.clock.set(day.next().start().plus(10 * 3_600 + 300));
    for fault in
        [json!({"fault": "server_error", "on": "bill"}), json!({"fault": "lost_answer", "on": "query"})]
    {
        world.sandbox("POST", "/sandbox/faults", &fault).await.unwrap();
    }
    let before = payments();
    let pay = json!({"code_url": code_url, "notify": false});
    world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    assert_eq!((tasks::daily_round(app).await.unwrap(), payments()), (0, before));
    assert!(struck(world, "lost_answer").await > 0, "it was asked about");
    world.sandbox("DELETE", "/sandbox/faults?fault=lost_answer", &json!(null)).await.unwrap();
    for _ in 0..3 {
        app.clock.advance(60);
        assert_eq!((tasks::daily_round(app).await.unwrap(), payments()), (0, before));
    }
    let state = Data::new(App::clone(app));
    assert_eq!(tasks::run_job(&state, JobName::Ask).await.unwrap(), Some(1));
    assert_eq!(payments(), before + 1);
    played.stop().await;
}

/// How often a fault of the sandbox struck.
pub async fn struck(world: &World, fault: &str) -> u64 {
    let listed = world.sandbox("GET", "/sandbox/faults", &json!(null)).await.unwrap();
    let listed: serde_json::Value = serde_json::from_value(listed).unwrap();
    let all = listed.as_array().unwrap_or_else(|| panic!("{listed}"));
    let of_it = all.iter().filter(|switch| switch["fault"] == fault);
    of_it.map(|switch| switch["struck"].as_u64().unwrap()).sum()
}

/// A day that is due, with an order that is open, of an institution that answers no query.
pub async fn nobody_answers() -> (FinishedDay, BusinessDay) {
    let played = FinishedDay::new(1).await;
    let (world, app) = (&played.world, &played.world.app);
    open_order(world).await.unwrap();
    let day = app.clock.today();
    app.clock.set(day.next().start().plus(10 * 3_600 + 300));
    let fault = json!({"fault": "timeout", "on": "query"});
    world.sandbox("POST", "/sandbox/faults", &fault).await.unwrap();
    (played, day)
}

/// The newest task, once it is at work and has begun to ask.
pub async fn asks(played: &FinishedDay) -> Task {
    let begun = async || {
        let task = newest(played).filter(|task| task.state == TaskState::Running);
        task.filter(|task| task.phase == TaskPhase::Begun)
    };
    let task = eventually("a cut begins", begun).await;
    eventually("it asks", async || (struck(&played.world, "timeout").await > 0).then_some(())).await;
    task
}

fn newest(played: &FinishedDay) -> Option<Task> {
    played.world.app.db.read_blocking(|tx| tasks::newest(tx, 1)).unwrap().pop()
}

#[actix_web::test]
async fn asking_before_a_cut_ends_when_somebody_stops_it() {
    let (played, day) = nobody_answers().await;
    let (world, app) = (&played.world, &played.world.app);
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
    let both = futures_util::future::join(cut, cancel);
    let (cut, ()) = tokio::time::timeout(Duration::from_secs(8), both).await.unwrap();
    let error = cut.map(|report| report.made).unwrap_err();
    assert!(matches!(error, Error::Refused { code: Code::TaskCancelled, .. }), "{error}");
    let task = newest(&played).unwrap();
    assert_eq!((task.state, task.phase), (TaskState::Cancelled, TaskPhase::Begun));
    assert!(spls(&played, day).is_empty(), "and nothing was cut");
    played.stop().await;
}

#[actix_web::test]
async fn asking_before_a_cut_ends_with_its_process_and_is_left_to_the_next_start() {
    let (played, day) = nobody_answers().await;
    let jobs = Jobs::start(&Data::new(App::clone(&played.world.app)));
    asks(&played).await;
    jobs.stop().await;
    let task = newest(&played).unwrap();
    let ended = (task.state, task.phase, task.error_code.as_deref());
    assert_eq!(ended, (TaskState::Failed, TaskPhase::Begun, Some("TSK-102")));
    assert!(spls(&played, day).is_empty(), "and nothing was cut");
    played.stop().await;
}

fn spls(played: &FinishedDay, day: BusinessDay) -> Vec<ExchangedFile> {
    let institution = played.world.institution;
    let read = |tx: &mut mingfen::db::Tx<'_>| exchange::of_day(tx, institution, DocumentKind::Spl, day);
    played.world.app.db.read_blocking(read).unwrap()
}

#[actix_web::test]
async fn what_only_the_bill_tells_is_entered_with_one_click_and_the_difference_closes_by_itself() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    drop(shop.institution.pay(&order_no));
    let number = shop.institution.held(&order_no).unwrap().transaction_id.unwrap();
    let (id, day) = (shop.institution_id, shop.app.clock.today());
    for (inst_order_no, order_no) in [(number.as_str(), order_no.as_str()), ("4200NOBODYS", "SBNOBODYS0001")]
    {
        shop.app
            .raw()
            .execute(&format!(
                "INSERT INTO difference (institution_id, business_date, kind, inst_order_no, order_no, theirs, found_at) \
                 VALUES ({id}, {}, 'LONG', '{inst_order_no}', '{order_no}', 'paid=12345', 1)",
                day.to_i32()
            ))
            .unwrap();
    }
    shop.app.user("admin", Role::Admin, Scope::Platform);
    shop.app.user("checker", Role::Checker, Scope::Platform);
    let mut checker = Acting::at(&shop.base_url);
    assert_eq!(checker.log_in("checker", PASSWORD).await.status, 303);
    let mut admin = Acting::at(&shop.base_url);
    assert_eq!(admin.log_in("admin", PASSWORD).await.status, 303);
    let (page, button) = ("/admin/exceptions?lang=en", format!("/admin/exceptions/{order_no}/ask"));
    let seen = admin.get(page).await.body;
    assert!(seen.contains(&number) && seen.contains(&button), "{seen}");
    assert!(
        !seen.contains("/admin/exceptions/SBNOBODYS0001/ask"),
        "of a number that is not ours nobody can ask"
    );
    assert!(!checker.get(page).await.body.contains(&button));
    assert_eq!(checker.post(&button, &[]).await.status, 404);
    assert_eq!(admin.post(&button, &[]).await.status, 303);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    let seen = admin.get(page).await.body;
    assert!(!seen.contains(&number) && seen.contains("4200NOBODYS"), "{seen}");
    assert_eq!(admin.post("/admin/exceptions/SBNOBODYS0001/ask", &[]).await.status, 404);
}

#[actix_web::test]
async fn what_a_bill_says_of_a_paid_order_is_told_as_a_second_payment_and_every_sum_by_its_name() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    let unpaid = shop.placed("ORDER-2").await;
    let (id, day) = (shop.institution_id, shop.app.clock.today());
    for (kind, inst_order_no, order_no, ours, theirs) in [
        ("LONG", "4200SECOND", &order_no, "NULL", "paid=12345"),
        ("LONG", "4200OTHER", &unpaid, "'ordered=50000'", "paid=700 ordered=800"),
        ("AMOUNT", "4200SUM", &order_no, "'ordered=50100'", "ordered=900"),
    ] {
        let day = day.to_i32();
        let row = format!("{id}, {day}, '{kind}', '{inst_order_no}', '{order_no}', {ours}, '{theirs}', 1");
        let columns = "institution_id, business_date, kind, inst_order_no, order_no, ours, theirs, found_at";
        shop.app.raw().execute(&format!("INSERT INTO difference ({columns}) VALUES ({row})")).unwrap();
    }
    shop.app.user("admin", Role::Admin, Scope::Platform);
    let mut admin = Acting::at(&shop.base_url);
    assert_eq!(admin.log_in("admin", PASSWORD).await.status, 303);
    let seen = admin.get("/admin/exceptions?lang=en").await.body;
    for text in [
        "another payment pays its order already",
        "Asking enters nothing",
        "Ordered ¥500.00",
        "Paid ¥7.00 · Ordered ¥8.00",
        "what was paid agrees, what was ordered does not",
        "Ordered ¥501.00",
    ] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    assert!(!seen.contains(&format!("/admin/exceptions/{order_no}/ask")), "asking would enter nothing");
    assert!(seen.contains(&format!("/admin/exceptions/{unpaid}/ask")));
}

#[actix_web::test]
async fn payments_that_pay_no_order_are_on_a_page_with_what_to_do() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204, "the second");
    let second = shop.institution.held(&order_no).unwrap().transaction_id.unwrap();
    let mut said = crate::support::institution::view(&shop.institution.held(&order_no).unwrap());
    said.out_trade_no = "SBNOBODYS0001".to_owned();
    said.transaction_id = Some("4200STRAY".to_owned());
    assert_eq!(shop.notify(&shop.institution.notice_of(&said)).await.status, 204);
    // Paid in another way: nothing of ours can be wrong.
    let other = shop.placed("ORDER-2").await;
    shop.institution.pay(&other);
    let mut said = crate::support::institution::view(&shop.institution.held(&other).unwrap());
    said.trade_type = Some("JSAPI".to_owned());
    assert_eq!(shop.notify(&shop.institution.notice_of(&said)).await.status, 204);
    shop.app.user("checker", Role::Checker, Scope::Platform);
    let mut checker = Acting::at(&shop.base_url);
    assert_eq!(checker.log_in("checker", PASSWORD).await.status, 303);
    let seen = checker.get("/admin/exceptions?lang=en").await.body;
    assert!(seen.contains("have the institution check this payment"), "{seen}");
    assert!(!seen.contains("check our own application"), "{seen}");
    for text in
        [&second, "4200STRAY", "The order was paid before", "No order of ours has the number", "refund"]
    {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    assert!(checker.get("/admin?lang=en").await.body.contains("payments of no order"));
    let order = checker.get(&format!("/admin/orders/{order_no}?lang=en")).await.body;
    assert!(order.contains("The order was paid before") && order.contains(&second), "{order}");
}
