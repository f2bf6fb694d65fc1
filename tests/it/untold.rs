//! A merchant whose system does not take its notifications: seen on the order, counted at the desk, told again by hand.
use mingfen::notices;
use mingfen::people::{Role, Scope};
use serde_json::json;

use crate::support::PASSWORD;
use crate::support::acting::Acting;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;

pub async fn acting(shop: &Shop, login: &str, role: Role, scope: Scope) -> Acting {
    shop.app.user(login, role, scope);
    let mut acting = Acting::at(&shop.base_url);
    assert_eq!(acting.log_in(login, PASSWORD).await.status, 303);
    acting
}

/// The merchant that this number names.
fn merchant(shop: &Shop, number: &str) -> Scope {
    let found = shop.app.db.read_blocking(|tx| mingfen::merchants::by_number(tx, number));
    Scope::Merchant(found.unwrap().unwrap().id)
}

/// How many the desk counts as not told, from its page in English.
fn counted(page: &str) -> String {
    let stat = page.split("<dt>Merchants not told</dt>").nth(1).expect(page);
    let value = stat.split("#untold\">").nth(1).unwrap();
    value.split('<').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_failing_notification_is_seen_and_sent_again_by_hand() {
    let shop = Shop::open().await;
    let system = Receiver::start(503);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(system.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let no = shop.order_no("ORDER-1").await;
    let (page, tell) = (format!("/admin/orders/{no}"), format!("/admin/orders/{no}/tell"));
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    let seen = admin.get(&format!("{page}?lang=zh")).await;
    assert!(seen.body.contains("还没有通知") && !seen.body.contains(&tell), "{}", seen.body);
    assert_eq!(admin.post(&tell, &[]).await.status, 404, "there is nothing to tell yet");

    assert_eq!(shop.notify(&shop.institution.pay(&no)).await.status, 204);
    let seen = admin.get(&format!("{page}?lang=en")).await;
    assert!(seen.body.contains("On its way") && seen.body.contains(&tell), "{}", seen.body);
    let desk = admin.get("/admin?lang=en").await.body;
    assert!(counted(&desk) == "0" && desk.contains("Every notification was taken"), "{desk}");

    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let seen = admin.get(&format!("{page}?lang=en")).await.body;
    for text in ["Not taken so far", "answered 503", &system.url, "<dd>1</dd>", "Next"] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    // Why, in the reader's language.
    let seen = admin.get(&format!("{page}?lang=zh")).await.body;
    assert!(seen.contains("商户系统返回 HTTP 503") && !seen.contains("answered"), "{seen}");
    let desk = admin.get("/admin?lang=en").await.body;
    assert!(counted(&desk) == "1" && desk.contains("answered 503") && desk.contains(&no), "{desk}");

    // The merchant sees its own, another one nothing, and who only looks on finds no button.
    let mut owner = acting(&shop, "owner", Role::Merchant, merchant(&shop, "M1001")).await;
    let desk = owner.get("/merchant?lang=en").await.body;
    assert!(counted(&desk) == "1" && desk.contains(&format!("/merchant/orders/{no}")), "{desk}");
    let mut other = acting(&shop, "other", Role::Merchant, merchant(&shop, "M2001")).await;
    let desk = other.get("/merchant?lang=en").await.body;
    assert!(counted(&desk) == "0" && !desk.contains(&no), "{desk}");
    assert_eq!(other.post(&format!("/merchant/orders/{no}/tell"), &[]).await.status, 404);
    let mut checker = acting(&shop, "checker", Role::Checker, Scope::Platform).await;
    let seen = checker.get(&format!("{page}?lang=en")).await.body;
    assert!(seen.contains("answered 503") && !seen.contains(&tell), "{seen}");
    assert_eq!(checker.post(&tell, &[]).await.status, 404);
    system.take();
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0, "none of them sent it again");

    // Without waiting for its time, under the same id.
    assert_eq!(owner.post(&format!("/merchant/orders/{no}/tell"), &[]).await.status, 303);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert_eq!(system.take().len(), 1);
    system.answer(204);
    assert_eq!(admin.post(&tell, &[]).await.status, 303);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    let seen = admin.get(&format!("{page}?lang=zh")).await.body;
    assert!(seen.contains("商户已接收") && seen.contains("<dd>3</dd>"), "{seen}");
    assert_eq!(counted(&admin.get("/admin?lang=en").await.body), "0");
    // Taken, and lost there: once more.
    system.take();
    assert_eq!(admin.post(&tell, &[]).await.status, 303);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert_eq!(system.take().len(), 1);
    let audit = shop
        .app
        .raw()
        .texts("SELECT actor || ' ' || object AS v FROM audit WHERE action = 'notice.again' ORDER BY id");
    assert_eq!(audit, ["user:owner", "user:admin", "user:admin"].map(|who| format!("{who} order:{no}")));
}

#[actix_web::test]
async fn what_was_given_up_is_seen_as_that_and_can_still_be_sent() {
    let shop = Shop::open().await;
    let system = Receiver::start(500);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!(system.url);
    assert_eq!(shop.place(&order).await.status, 200);
    let no = shop.order_no("ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&no)).await.status, 204);
    for _ in 0..16 {
        assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
        shop.app.clock.advance(6 * 3600);
    }
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0);
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    let page = format!("/admin/orders/{no}?lang=zh");
    assert!(admin.get(&page).await.body.contains("已放弃"));
    assert!(admin.get("/admin?lang=zh").await.body.contains("不再自动发送"));
    assert_eq!(admin.post(&format!("/admin/orders/{no}/tell"), &[]).await.status, 303);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 1);
    assert_eq!(notices::deliver(&shop.app).await.unwrap(), 0, "and that was the last one again");
    assert!(admin.get(&page).await.body.contains("已放弃"));
    shop.app.clock.advance(8 * 86_400);
    assert_eq!(admin.log_in("admin", PASSWORD).await.status, 303);
    assert!(
        admin.get("/admin?lang=zh").await.body.contains("没有未送达的通知"),
        "older ones are not counted"
    );
}
