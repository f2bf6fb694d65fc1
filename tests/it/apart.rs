//! A payment that was kept apart is not lost for good: it pays its order once what did not fit is corrected, and what was put
//! right elsewhere is noted by a person and stays to be found.
use mingfen::check::breaks;
use mingfen::kernel::money::Fen;
use mingfen::orders::{self, ApartEnd, Event, EventReason};
use mingfen::people::{Role, Scope};
use mingfen::protocol::wechat::shapes::TradeState;
use mingfen::{reconciliation, tasks};

use crate::support::PASSWORD;
use crate::support::acting::{Acting, Page};
use crate::support::institution::{Misbehave, view};
use crate::support::shop::Shop;
use crate::untold::acting;

/// From now on our record says that this is the institution's number of the merchant.
fn enrolled_as(shop: &Shop, number: &str) {
    let merchant = "(SELECT id FROM sub_merchant WHERE merchant = 'M1001')";
    let change =
        format!("UPDATE enrolment SET inst_merchant_no = '{number}' WHERE sub_merchant_id = {merchant}");
    shop.app.raw().execute(&change).unwrap();
}

/// How many payments, payments kept apart, ends of those and notifications there are.
async fn kept(shop: &Shop) -> [i64; 4] {
    let rows = shop.rows().await;
    ["payment", "orphan_payment", "orphan_end", "outbox"].map(|table| rows[table])
}

/// An order that is paid while our record has another number of its merchant: ours, and the institution's.
async fn paid_amiss(shop: &Shop, number: &str) -> (String, String) {
    let order_no = shop.placed(number).await;
    enrolled_as(shop, "190001-WRONG");
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    assert_eq!(shop.state(number).await, "PAYING");
    let inst_order_no = view(&shop.institution.held(&order_no).unwrap()).transaction_id.unwrap();
    (order_no, inst_order_no)
}

fn address(inst_order_no: &str, what: &str) -> String {
    format!("/admin/apart/SANDBOX/wechat/{inst_order_no}/{what}")
}

async fn end(admin: &mut Acting, inst_order_no: &str, how: &str, words: &str) -> Page {
    admin.post(&address(inst_order_no, "end"), &[("how", how), ("words", words)]).await
}

#[actix_web::test]
async fn the_same_statement_pays_its_order_once_our_setting_is_put_right() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    enrolled_as(&shop, "190001-WRONG");
    let notice = shop.institution.pay(&order_no);
    for _ in 0..2 {
        assert_eq!(shop.notify(&notice).await.status, 204);
        assert_eq!(kept(&shop).await, [0, 1, 0, 0]);
    }
    enrolled_as(&shop, "190001");
    // Word for word what was kept, and in another message of the same facts.
    for again in [notice, shop.institution.notice_of(&view(&shop.institution.held(&order_no).unwrap()))] {
        assert_eq!(shop.notify(&again).await.status, 204);
        assert_eq!(shop.state("ORDER-1").await, "PAID");
        assert_eq!(kept(&shop).await, [1, 1, 1, 1]);
    }
    let detail = shop.detail("ORDER-1").await;
    assert_eq!(detail.standing.payment.unwrap().paid, Fen::new(12345));
    assert_eq!(detail.apart[0].ended.as_ref().unwrap().how, ApartEnd::Entered);
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());

    // Asked for by ourselves, as before a cut, and by the merchant.
    for number in ["ORDER-2", "ORDER-3"] {
        let (order_no, _) = paid_amiss(&shop, number).await;
        enrolled_as(&shop, "190001");
        if number == "ORDER-2" {
            let order = shop.app.db.read(move |tx| orders::by_order_no(tx, &order_no)).await.unwrap();
            assert!(tasks::ask_about(&shop.app, order.unwrap()).await.unwrap());
        } else {
            assert_eq!(shop.query(number).await.json()["trade_state"], "SUCCESS");
        }
        assert_eq!(shop.state(number).await, "PAID");
    }
    assert_eq!(kept(&shop).await, [3, 3, 3, 3]);
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn a_statement_of_other_sums_than_those_that_were_kept_is_refused_still() {
    let shop = Shop::open().await;
    let (order_no, _) = paid_amiss(&shop, "ORDER-1").await;
    enrolled_as(&shop, "190001");
    let mut said = view(&shop.institution.held(&order_no).unwrap());
    said.amount.as_mut().unwrap().currency = Some("USD".to_owned());
    assert_eq!(shop.notify(&shop.institution.notice_of(&said)).await.status, 400);
    assert_eq!(kept(&shop).await, [0, 1, 0, 0]);
}

#[actix_web::test]
async fn whoever_manages_exceptions_tries_it_again_by_hand() {
    let shop = Shop::open().await;
    let (order_no, number) = paid_amiss(&shop, "ORDER-1").await;
    let again = address(&number, "again");
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    let page = admin.get("/admin/exceptions?lang=zh").await.body;
    assert!(page.contains(&again) && page.contains("再次匹配") && page.contains("收款商户不是"), "{page}");
    // Nothing was put right yet: it says so, in the reader's words.
    let told = admin.post(&again, &[]).await;
    assert!(told.status == 409 && told.body.contains("仍与它的订单对不上"), "{}", told.body);
    assert_eq!(kept(&shop).await, [0, 1, 0, 0]);
    enrolled_as(&shop, "190001");
    let mut checker = acting(&shop, "checker", Role::Checker, Scope::Platform).await;
    assert!(!checker.get("/admin/exceptions").await.body.contains(&again));
    assert_eq!(checker.post(&again, &[]).await.status, 404);
    assert_eq!(admin.post(&address("NOSUCH", "again"), &[]).await.status, 404);

    assert_eq!(admin.post(&again, &[]).await.status, 303);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    assert_eq!(kept(&shop).await, [1, 1, 1, 1]);
    let page = admin.get("/admin/exceptions?lang=en").await.body;
    assert!(!page.contains(&again) && page.contains("Entered as the payment of its order"), "{page}");
    let page = admin.get(&format!("/admin/orders/{order_no}?lang=zh")).await.body;
    assert!(page.contains("已匹配订单并入账"), "{page}");
    assert_eq!(admin.post(&again, &[]).await.status, 409);
    let tried = "SELECT actor || ' ' || object AS v FROM audit WHERE action = 'apart.again'";
    let object = format!("user:admin apart:{}/wechat/{number}", shop.institution_id.get());
    assert_eq!(shop.app.raw().texts(tried), [object.clone(), object]);
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn what_was_put_right_elsewhere_leaves_the_list_and_stays_to_be_found() {
    let shop = Shop::open().await;
    let (order_no, number) = paid_amiss(&shop, "ORDER-1").await;
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    admin.get("/admin/exceptions?lang=zh").await;
    for (how, words) in [
        ("REFUNDED", ""),
        ("REFUNDED", "  "),
        ("OTHER", "a\u{202e}b"),
        ("OTHER", &"长".repeat(201)),
        ("BELONGS", "NO-ORDER-OF-OURS"),
        ("BELONGS", &order_no),
        ("ENTERED", "by hand"),
    ] {
        let told = end(&mut admin, &number, how, words).await;
        assert!(told.status == 400 && told.body.contains("处理情况没有写清楚"), "{how} {words}");
    }
    assert_eq!(end(&mut admin, &number, "SOMETHING", "x").await.status, 400);
    assert_eq!(kept(&shop).await, [0, 1, 0, 0]);
    // A form of another session counts for nothing.
    let own = std::mem::replace(&mut admin.csrf, "f".repeat(64));
    assert_eq!(end(&mut admin, &number, "REFUNDED", "50000001").await.status, 403);
    admin.csrf = own;
    let mut checker = acting(&shop, "checker", Role::Checker, Scope::Platform).await;
    assert_eq!(end(&mut checker, &number, "REFUNDED", "50000001").await.status, 404);

    assert_eq!(end(&mut admin, &number, "REFUNDED", "退款单 50000001").await.status, 303);
    let page = admin.get("/admin/exceptions?lang=zh").await.body;
    for text in ["没有对不上的付款", "已由机构原路退款", "退款单 50000001", "user:admin"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let open = shop.app.db.read(|tx| orders::kept_apart_count(tx, &Scope::Platform, 10)).await.unwrap();
    assert_eq!(open, 0);
    let page = admin.get(&format!("/admin/orders/{order_no}?lang=en")).await.body;
    assert!(page.contains("Refunded by the institution") && page.contains("退款单 50000001"), "{page}");
    let told = end(&mut admin, &number, "OTHER", "twice").await;
    assert_eq!(told.status, 409);
    // Its money went back: no later message makes it the order's payment.
    enrolled_as(&shop, "190001");
    let said = view(&shop.institution.held(&order_no).unwrap());
    assert_eq!(shop.notify(&shop.institution.notice_of(&said)).await.status, 204);
    assert_eq!(admin.post(&address(&number, "again"), &[]).await.status, 409);
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
    assert_eq!(kept(&shop).await, [0, 1, 1, 0]);
    let noted =
        shop.app.raw().texts("SELECT actor || ' ' || after_json AS v FROM audit WHERE action = 'apart.end'");
    assert_eq!(noted.len(), 1);
    assert!(noted[0].starts_with("user:admin") && noted[0].contains("REFUNDED"), "{noted:?}");

    // Another one belongs to an order that is named.
    let (_, number) = paid_amiss(&shop, "ORDER-2").await;
    assert_eq!(admin.log_in("admin", PASSWORD).await.status, 303);
    admin.get("/admin/exceptions").await;
    assert_eq!(end(&mut admin, &number, "BELONGS", &order_no).await.status, 303);
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn what_the_institution_gave_back_meanwhile_never_becomes_the_orders_payment() {
    let shop = Shop::open().await;
    let (order_no, number) = paid_amiss(&shop, "ORDER-1").await;
    enrolled_as(&shop, "190001");
    shop.institution.set_state(&order_no, TradeState::Refund);
    // Asked for by ourselves, by its merchant, and by hand.
    let order = shop.app.db.read(move |tx| orders::by_order_no(tx, &order_no)).await.unwrap().unwrap();
    assert!(!tasks::ask_about(&shop.app, order.clone()).await.unwrap());
    assert_ne!(shop.query("ORDER-1").await.json()["trade_state"], "SUCCESS");
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    admin.get("/admin/exceptions?lang=zh").await;
    let again = address(&number, "again");
    let told = admin.post(&again, &[]).await;
    assert!(told.status == 409 && told.body.contains("已有退款"), "{}", told.body);
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
    assert_eq!(kept(&shop).await, [0, 1, 0, 0]);

    // Nobody answers: that is said, nothing is done, and nothing is noted as tried.
    let tried = || shop.app.raw().texts("SELECT action AS v FROM audit WHERE action = 'apart.again'").len();
    let before = tried();
    for how in [Misbehave::Fail, Misbehave::Busy, Misbehave::Refuse] {
        shop.institution.misbehave(how);
        let told = admin.post(&again, &[]).await;
        assert!(told.status == 503 && told.body.contains("现在问不到机构"), "{how:?} {}", told.body);
    }
    shop.institution.misbehave(Misbehave::No);
    assert_eq!((tried(), kept(&shop).await), (before, [0, 1, 0, 0]));
    // It has the order, and no payment of it.
    shop.institution.set_state(&order.order_no, TradeState::NotPay);
    assert_eq!(admin.post(&again, &[]).await.status, 409);
    assert_eq!(kept(&shop).await, [0, 1, 0, 0]);

    shop.institution.set_state(&order.order_no, TradeState::Success);
    assert_eq!(admin.post(&again, &[]).await.status, 303);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    assert_eq!(kept(&shop).await, [1, 1, 1, 1]);
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

/// Why the merchant's order is closed, if it is.
async fn closed_because(shop: &Shop, number: &str) -> Option<EventReason> {
    match shop.detail(number).await.standing.event {
        Some(Event::Closed(cause)) => Some(cause.reason),
        Some(_) | None => None,
    }
}

#[actix_web::test]
async fn an_order_and_its_difference_end_with_the_last_payment_that_names_it() {
    let shop = Shop::open().await;
    let (order_no, first) = paid_amiss(&shop, "ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    let second = shop.institution.held(&order_no).unwrap().transaction_id.unwrap();
    let (institution, day) = (shop.institution_id.get(), shop.app.clock.today().to_i32());
    let row = format!("{institution}, {day}, 'LONG', '{second}', '{order_no}', NULL, 'paid=12345', 1");
    let columns = "institution_id, business_date, kind, inst_order_no, order_no, ours, theirs, found_at";
    shop.app.raw().execute(&format!("INSERT INTO difference ({columns}) VALUES ({row})")).unwrap();
    let differences = async || {
        let seen = shop.app.db.read(|tx| {
            let listed = reconciliation::newest_differences(tx, &Scope::Platform, 10)?.len();
            Ok((reconciliation::difference_count(tx, &Scope::Platform, 10)?, listed))
        });
        seen.await.unwrap()
    };
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    admin.get("/admin/exceptions").await;
    for (number, closed) in [(&first, 400), (&second, 204)] {
        assert_eq!(differences().await, (1, 1));
        assert_eq!(closed_because(&shop, "ORDER-1").await, None);
        assert_eq!(end(&mut admin, number, "OTHER", "paid amiss").await.status, 303);
        // Its time is not over: its merchant closes it, and not before nothing of it is left to do.
        let told = shop.close("ORDER-1").await;
        assert_eq!(told.status, closed, "{}", String::from_utf8_lossy(&told.body));
    }
    assert_eq!(differences().await, (0, 0));
    assert_eq!(closed_because(&shop, "ORDER-1").await, Some(EventReason::ApartEnded));
    assert_eq!(shop.close("ORDER-1").await.status, 204);
    let page = admin.get(&format!("/admin/orders/{order_no}?lang=zh")).await.body;
    assert!(page.contains("机构收到的付款与订单不符，已另行处理"), "{page}");

    // One is put right while it could still be paid, the other later.
    enrolled_as(&shop, "190001");
    let (early, number) = paid_amiss(&shop, "ORDER-2").await;
    assert_eq!(end(&mut admin, &number, "REFUNDED", "50000002").await.status, 303);
    shop.institution.set_state(&early, TradeState::Refund);
    enrolled_as(&shop, "190001");
    let (_, number) = paid_amiss(&shop, "ORDER-3").await;
    let early = shop.app.db.read(move |tx| orders::by_order_no(tx, &early)).await.unwrap().unwrap();
    assert!(!tasks::ask_about(&shop.app, early.clone()).await.unwrap());
    shop.app.clock.advance(3 * 3600);
    assert!(tasks::ask_about(&shop.app, early).await.unwrap());
    assert_eq!(closed_because(&shop, "ORDER-2").await, Some(EventReason::ApartEnded));
    assert_eq!(admin.log_in("admin", PASSWORD).await.status, 303);
    admin.get("/admin/exceptions").await;
    assert_eq!(end(&mut admin, &number, "OTHER", "paid amiss").await.status, 303);
    assert_eq!(closed_because(&shop, "ORDER-3").await, Some(EventReason::ApartEnded));
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn nobody_is_told_to_put_right_what_cannot_be_changed() {
    let shop = Shop::open().await;
    let (order_no, number) = paid_amiss(&shop, "ORDER-1").await;
    let (institution, day) = (shop.institution_id.get(), shop.app.clock.today().to_i32());
    let row =
        format!("{institution}, {day}, 'LONG', '{number}', '{order_no}', 'merchant=M1001', 'paid=1', 1");
    let columns = "institution_id, business_date, kind, inst_order_no, order_no, ours, theirs, found_at";
    shop.app.raw().execute(&format!("INSERT INTO difference ({columns}) VALUES ({row})")).unwrap();
    let mut admin = acting(&shop, "admin", Role::Admin, Scope::Platform).await;
    for (language, says, wrong) in [
        ("zh", ["请机构核对这一处", "不能修改", "请机构核对所列不同之处"], ["我方设置", "有误则更正"]),
        (
            "en",
            ["have the institution check this", "cannot be changed", "check what differs"],
            ["our setting", "put them right"],
        ),
    ] {
        let page = admin.get(&format!("/admin/exceptions?lang={language}")).await.body;
        let told = admin.post(&address(&number, "again"), &[]).await.body;
        for text in says {
            assert!(page.contains(text), "{text}: {page}");
        }
        for text in wrong {
            assert!(!page.contains(text), "{text}: {page}");
        }
        assert!(!told.contains("更正") && !told.contains("put right"), "{told}");
    }
}
