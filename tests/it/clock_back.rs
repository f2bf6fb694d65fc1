//! The clock is set back: nothing wrong is stored or published, and everything goes on.
use mingfen::error::{Code, Error};
use mingfen::notices;
use mingfen::people::{Role, Scope};
use mingfen::splits;
use mingfen::tasks;
use serde_json::json;

use crate::support::TestApp;
use crate::support::acting::Site;
use crate::support::finished_day::FinishedDay;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;

#[actix_web::test]
async fn payments_are_kept_on_their_own_day_once_and_merchants_are_told_all_the_same() {
    let shop = Shop::open().await;
    let merchant = Receiver::start(500);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(merchant.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let order_no = shop.order_no("ORDER-1").await;
    let notice = shop.institution.pay(&order_no);
    assert_eq!(shop.notify(&notice).await.status, 204);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    merchant.take();
    let day = async || shop.detail("ORDER-1").await.standing.payment.unwrap().business_date;
    let before = day().await;

    shop.app.clock.advance(-3 * 86_400);
    // What was signed now is from the future: not taken until it is told anew.
    assert_eq!(shop.notify(&notice).await.status, 401);
    let rows = shop.rows().await;
    assert_eq!(shop.notify(&shop.institution.notice(&order_no)).await.status, 204);
    assert_eq!(shop.rows().await, rows);
    assert_eq!(day().await, before);
    // The next delivery was due in fifteen seconds, not in three days.
    merchant.answer(204);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert_eq!(merchant.take().len(), 1);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0);
}

#[actix_web::test]
async fn a_session_of_the_future_ends_and_logging_in_goes_on() {
    let site = Site::of(TestApp::new()).await;
    let mut admin = site.acting("ops", Role::Admin, Scope::Platform).await;
    assert_eq!(admin.get("/admin").await.status, 200);
    site.clock.advance(-7200);
    assert_eq!(admin.get("/admin").await.header("location"), "/login?next=%2Fadmin");
    assert_eq!(admin.log_in("ops", crate::support::PASSWORD).await.status, 303);
    assert_eq!(admin.get("/admin").await.status, 200);
}

#[actix_web::test]
async fn no_file_is_dated_before_the_one_that_it_follows() {
    let demo = FinishedDay::new(20).await;
    let world = &demo.world;
    let (app, day) = (&world.app, demo.day());
    let (desk, channel) = (
        app.desk(world.institution).await.unwrap(),
        app.channel(world.institution, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap(),
    );
    let (second, third) = (day.next(), day.next().next());
    let at = |hour: i64| third.next().start().plus(hour * 3600);
    let bill = async |day: mingfen::kernel::calendar::BusinessDay| {
        world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await.unwrap();
    };

    app.clock.set(at(12));
    mingfen::cli::demo::close(world, second).await.unwrap();
    bill(third).await;
    // The third day is over, and the files of the second one are dated later.
    app.clock.set(at(1));
    let refused = splits::cut(
        &app.db,
        &app.clock,
        &desk,
        std::slice::from_ref(&channel),
        third,
        &splits::Cutting::default(),
    )
    .await;
    assert!(matches!(refused, Err(Error::Refused { code: Code::ClockBehind, .. })), "{refused:?}");
    app.clock.set(at(11));
    assert_eq!(tasks::daily_round(app).await.unwrap(), 0);
    let told = "SELECT CAST(SUM(orders) AS BIGINT) AS v FROM exchanged_file WHERE kind = 'SPL'";
    assert_eq!(demo.database.raw().count("split_order"), demo.database.raw().number(told));
    assert!(!demo.out(&format!("SPL_SANDBOX_DEMO_{third}_0001.txt.ok")).exists());
    assert!(demo.database.raw().count("day_cut") == 2);
    // A day that was cut is published again, the same.
    let again = splits::cut(
        &app.db,
        &app.clock,
        &desk,
        std::slice::from_ref(&channel),
        second,
        &splits::Cutting::default(),
    )
    .await
    .unwrap();
    assert_eq!(again.made, 0);

    app.clock.set(at(13));
    mingfen::cli::demo::close(world, third).await.unwrap();
    demo.stop().await;
}
