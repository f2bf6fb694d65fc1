//! What an institution states is held against the order that it names, field by field; what pays it is told on as it was
//! stated, and what goes to the channel is what the merchant asked for.
use mingfen::check::breaks;
use mingfen::cli::demo::scenery;
use mingfen::db::columns::{InstitutionId, MerchantId, OrderId};
use mingfen::kernel::bill::BillOrder;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::money::Fen;
use mingfen::kernel::split::OrderFacts;
use mingfen::kernel::text;
use mingfen::orders::{self, Apart};
use mingfen::protocol::wechat::notification;
use mingfen::protocol::wechat::shapes::{OrderView, Payer, Promotion};
use mingfen::reconciliation::{self, DifferenceKind, Named, Ordered, Ours, Theirs};
use serde_json::{Value, json};

use crate::settle::Hand;
use crate::support::finished_day::FinishedDay;
use crate::support::institution::view;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;

/// A statement of the order's payment, changed.
async fn changed(shop: &Shop, number: &str, change: impl Fn(&mut OrderView)) -> u16 {
    let order_no = shop.placed(number).await;
    shop.institution.pay(&order_no);
    let mut said = view(&shop.institution.held(&order_no).unwrap());
    change(&mut said);
    shop.notify(&shop.institution.notice_of(&said)).await.status
}

fn promotion(kind: Option<&str>, amount: i64) -> Promotion {
    let rest = json!({"coupon_id": "109519", "scope": "GLOBAL"});
    Promotion {
        kind: kind.map(str::to_owned),
        amount: Fen::new(amount),
        rest: rest.as_object().unwrap().clone(),
    }
}

/// The statement says that so much of the amount was paid by the payer and the rest by promotions.
fn with_promotions(said: &mut OrderView, payer_total: i64, promotions: Vec<Promotion>) {
    said.amount.as_mut().unwrap().payer_total = Some(Fen::new(payer_total));
    said.promotion_detail = Some(promotions);
}

#[actix_web::test]
async fn a_statement_that_differs_from_its_order_is_kept_apart_and_nobody_is_told_that_it_is_paid() {
    let shop = Shop::open().await;
    type Change = fn(&mut OrderView);
    let cases: [(Apart, Change); 14] = [
        (Apart::Platform, |said| said.sp_appid = "wx00000000000000fe".to_owned()),
        (Apart::Merchant, |said| said.sub_mchid = "190009".to_owned()),
        (Apart::Product, |said| said.trade_type = Some("JSAPI".to_owned())),
        (Apart::Product, |said| said.trade_type = Some("SOMETHING".to_owned())),
        (Apart::Currency, |said| said.amount.as_mut().unwrap().currency = Some("USD".to_owned())),
        (Apart::Currency, |said| said.amount.as_mut().unwrap().payer_currency = Some("HKD".to_owned())),
        (Apart::Amount, |said| said.amount.as_mut().unwrap().total = Fen::new(1)),
        (Apart::Amount, |said| said.amount.as_mut().unwrap().total = Fen::new(12346)),
        (Apart::Promotions, |said| said.amount.as_mut().unwrap().payer_total = Some(Fen::new(12000))),
        (Apart::Promotions, |said| with_promotions(said, 12345, vec![promotion(Some("CASH"), 345)])),
        (Apart::Promotions, |said| with_promotions(said, 12000, vec![promotion(None, 345)])),
        (Apart::Promotions, |said| with_promotions(said, 0, vec![promotion(Some("NOCASH"), 12345)])),
        (Apart::Time, |said| said.success_time = Some("0001-01-01T00:00:00+08:00".to_owned())),
        (Apart::Time, |said| said.success_time = Some("9999-12-31T23:59:59+08:00".to_owned())),
    ];
    for (n, (why, change)) in cases.into_iter().enumerate() {
        let number = format!("ORDER-{n}");
        assert_eq!(changed(&shop, &number, change).await, 204, "{why} {n}");
        assert_eq!(shop.state(&number).await, "PAYING", "{why} {n}");
        let newest = shop.app.db.read(|tx| orders::kept_apart(tx, &mingfen::people::Scope::Platform, 1));
        assert_eq!(newest.await.unwrap()[0].why, why, "{n}");
    }
    let rows = shop.rows().await;
    assert_eq!((rows["payment"], rows["orphan_payment"], rows["outbox"]), (0, 14, 0));
    assert_eq!(rows["raw_message"], 14);
    // It is no damage of the record either.
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn by_a_query_too_and_its_merchant_reads_that_it_is_not_paid() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay_amount(&order_no, Fen::new(1));
    for _ in 0..2 {
        let told = shop.query("ORDER-1").await;
        assert_eq!((told.status, told.json()["trade_state"].as_str()), (200, Some("NOTPAY")));
        assert_eq!(told.json()["amount"], json!({"total": 12345, "currency": "CNY"}));
    }
    assert_eq!(shop.close("ORDER-1").await.refusal(), (400, "INVALID_REQUEST".to_owned()));
    let rows = shop.rows().await;
    assert_eq!((rows["payment"], rows["orphan_payment"], rows["outbox"]), (0, 1, 0));
}

#[actix_web::test]
async fn a_payment_with_coupons_is_told_as_it_was_stated_and_split_by_what_is_settled() {
    let shop = Shop::open().await;
    let promotions = vec![promotion(Some("CASH"), 100), promotion(Some("NOCASH"), 245)];
    let said = promotions.clone();
    let status = changed(&shop, "ORDER-1", |view| {
        with_promotions(view, 12000, said.clone());
        view.bank_type = Some("CMB_DEBIT".to_owned());
        view.payer = Some(Payer { sp_openid: Some("oPayer".to_owned()), sub_openid: None });
    });
    assert_eq!(status.await, 204);
    let payment = shop.detail("ORDER-1").await.standing.payment.unwrap();
    assert_eq!(payment.paid, Fen::new(12100), "all but what nobody pays");
    let told = shop.query("ORDER-1").await.json();
    let amount = json!({"total": 12345, "payer_total": 12000, "currency": "CNY", "payer_currency": "CNY"});
    assert_eq!(told["amount"], amount);
    assert_eq!(told["payer"], json!({"sp_openid": "oPayer"}));
    assert_eq!(told["bank_type"], "CMB_DEBIT");
    assert_eq!(told["promotion_detail"], serde_json::to_value(promotions).unwrap());
    assert_eq!(told["attach"], "own");
    assert_eq!(breaks(&shop.app).unwrap(), Vec::<String>::new());
}

#[actix_web::test]
async fn a_coupon_makes_no_difference_between_our_record_and_the_bill() {
    let f = FinishedDay::new(4).await;
    let (app, today) = (f.world.app.clone(), f.world.app.clock.today());
    let mut sale = scenery::sale(&today.to_string(), 500);
    for (number, cash, nocash) in [("COUPON0001", 100, 0), ("COUPON0002", 0, 50), ("COUPON0003", 30, 20)] {
        sale.out_trade_no = number.to_owned();
        let code_url = f.world.shop.order(&sale).await.unwrap();
        let pay = json!({"code_url": code_url, "coupon_cash": cash, "coupon_nocash": nocash});
        f.world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    }
    f.world.settle_messages().await.unwrap();
    let query = "SELECT CAST(p.total - p.paid AS TEXT) || ' ' || CAST(p.total - p.payer_total AS TEXT) AS v \
                 FROM payment p JOIN pay_order o ON o.id = p.order_id \
                 WHERE o.out_trade_no LIKE 'COUPON%' ORDER BY o.id";
    assert_eq!(f.database.raw().texts(query), ["0 100", "50 50", "20 50"]);
    app.clock.set(today.next().start().plus(11 * 3_600));
    Hand::over(&f).cut(today).await;
    let institution = f.world.institution;
    let found = app.db.read_blocking(|tx| reconciliation::differences(tx, institution, today)).unwrap();
    assert_eq!(found, []);
    assert_eq!(breaks(&app).unwrap(), Vec::<String>::new());
    f.stop().await;
}

#[actix_web::test]
async fn what_only_the_bill_tells_is_held_against_the_order_that_it_names() {
    let f = FinishedDay::new(4).await;
    let (app, today) = (f.world.app.clone(), f.world.app.clock.today());
    let mut sale = scenery::sale(&today.to_string(), 500);
    let mut raw = f.database.raw();
    // As ordered, with a coupon, another amount; nobody told us of any of them.
    for (number, mut pay) in [
        ("BILL0001", json!({})),
        ("BILL0002", json!({"coupon_nocash": 50})),
        ("BILL0003", json!({"amount": 7})),
    ] {
        sale.out_trade_no = number.to_owned();
        (pay["code_url"], pay["notify"]) = (json!(f.world.shop.order(&sale).await.unwrap()), json!(false));
        f.world.sandbox("POST", "/sandbox/pay", &pay).await.unwrap();
    }
    app.clock.set(today.next().start().plus(11 * 3_600));
    Hand::over(&f).cut(today).await;
    let long = "SELECT o.out_trade_no || ' ' || COALESCE(d.ours, '-') || ' ' || d.theirs AS v FROM difference d \
                JOIN pay_order o ON o.order_no = d.order_no \
                WHERE d.kind = 'LONG' AND o.out_trade_no LIKE 'BILL%' ORDER BY v";
    let total = sale.total;
    let [first, second, third] = [
        format!("BILL0001 - paid={total}"),
        format!("BILL0002 - paid={}", total - 50),
        format!("BILL0003 ordered={total} paid=7 ordered=7"),
    ];
    assert_eq!(raw.texts(long), [first, second, third]);
    f.stop().await;
}

#[test]
fn what_a_row_of_the_bill_says_is_held_against_its_order_and_what_it_does_not_say_is_not() {
    let order = Ordered {
        order_no: "SB01".to_owned(),
        institution_id: InstitutionId::new(1),
        merchant: "M1001".to_owned(),
        channel: ChannelName::Wechat,
        product: Product::NATIVE,
        amount: Fen::new(1_000),
    };
    let facts = OrderFacts {
        inst_order_no: "4200000001".to_owned(),
        merchant: "M1001".to_owned(),
        channel: "wechat".to_owned(),
        product: "native".to_owned(),
        paid_at: Instant::parse("2026-11-25T12:00:00+08:00").unwrap(),
        paid: Fen::new(1_000),
        ..BillOrder::blank().facts
    };
    let as_ordered =
        Theirs { order: BillOrder { facts, order_no: "SB01".to_owned() }, ordered: Some(Fen::new(1_000)) };
    let named = Named { order, is_paid: false };
    type Change = fn(&mut Theirs);
    let cases: [(Option<&str>, Change); 9] = [
        (None, |_| {}),
        (None, |it| it.order.facts.paid = Fen::new(900)),
        (None, |it| (it.order.facts.paid, it.ordered) = (Fen::new(900), None)),
        (Some("ordered=1000"), |it| it.ordered = Some(Fen::new(900))),
        (Some("ordered=1000"), |it| (it.order.facts.paid, it.ordered) = (Fen::new(1_001), None)),
        (Some("merchant=M1001"), |it| it.order.facts.merchant = "M2001".to_owned()),
        (Some("merchant=M1001"), |it| it.order.facts.merchant.clear()),
        (Some("product=native"), |it| it.order.facts.product = "jsapi".to_owned()),
        (Some("channel=wechat"), |it| it.order.facts.channel = "alipay".to_owned()),
    ];
    for (n, (ours, change)) in cases.into_iter().enumerate() {
        let mut theirs = as_ordered.clone();
        change(&mut theirs);
        let found = reconciliation::compare(None, Some(&named), &theirs);
        assert_eq!(found.len(), 1, "{n}");
        assert_eq!((found[0].kind, found[0].ours.as_deref()), (DifferenceKind::Long, ours), "{n}");
    }
    // Of an order that is paid already it is a second payment, where it would have paid it.
    let paid = Named { is_paid: true, ..named };
    let mut other = as_ordered.clone();
    other.order.facts.product = "jsapi".to_owned();
    for (theirs, ours, says) in
        [(as_ordered, "state=PAID", "paid=1000"), (other, "product=native", "paid=1000 product=jsapi")]
    {
        let found = reconciliation::compare(None, Some(&paid), &theirs);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.kind, found.ours.as_deref()), (DifferenceKind::Long, Some(ours)));
        assert_eq!(found.theirs.as_deref(), Some(says));
    }
}

#[actix_web::test]
async fn what_the_merchant_asked_for_goes_to_the_channel_as_it_came() {
    let shop = Shop::open().await;
    let carried = json!({
        "sub_appid": "wx00000000000000aa",
        "goods_tag": "双11 WXG",
        "support_fapiao": true,
        "limit_pay": ["no_credit"],
        "scene_info": {"payer_client_ip": "14.23.150.211", "store_info": {"id": "0001", "name": "店"}},
        "detail": {"cost_price": 608800, "goods_detail": [{"merchant_goods_id": "1246464644", "quantity": 1}]},
    });
    let attach = "明".repeat(42) + "ab";
    assert_eq!(attach.len(), 128);
    let mut order = shop.order("ORDER-1");
    for (name, value) in carried.as_object().unwrap() {
        order[name] = value.clone();
    }
    order["attach"] = json!(attach);
    assert_eq!(shop.place(&order).await.status, 200);
    let order_no = shop.order_no("ORDER-1").await;
    let sent = serde_json::to_value(shop.institution.held(&order_no).unwrap().request).unwrap();
    for (name, value) in carried.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name}");
    }
    assert_eq!(sent["attach"], ";;", "what travels on is ours");
    // The caller's own comes back: asked for, and told.
    let receiver = Receiver::start(204);
    let mut order = shop.order("ORDER-2");
    (order["attach"], order["notify_url"]) = (json!(attach), json!(receiver.url));
    assert_eq!(shop.place(&order).await.status, 200);
    let order_no = shop.order_no("ORDER-2").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    assert_eq!(shop.query("ORDER-2").await.json()["attach"], json!(attach));
    mingfen::notices::deliver(&shop.app).await.unwrap();
    let (_, plain) = notification::open(&shop.apiv3_key, &receiver.take()[0].body).unwrap();
    let told: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(told["attach"], json!(attach));
}

#[actix_web::test]
async fn a_notify_url_at_a_private_address_is_refused_when_the_order_is_placed() {
    let shop = Shop::open_strict().await;
    let before = shop.rows().await;
    for url in [
        "https://10.1.2.3/paid",
        "https://127.0.0.1:8443/paid",
        "https://2130706433/paid",
        "https://169.254.169.254/latest",
        "https://[::1]/paid",
        "https://[::ffff:10.0.0.1]/paid",
        "https://localhost/paid",
        "https://shop.localhost./paid",
        "http://shop.example/paid",
    ] {
        let mut order = shop.order("ORDER-1");
        order["notify_url"] = json!(url);
        let answer = shop.place(&order).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{url}");
        assert_eq!(answer.json()["detail"]["field"], "/notify_url");
    }
    assert_eq!(shop.rows().await, before);
    let mut order = shop.order("ORDER-1");
    order["notify_url"] = json!("https://shop.example/paid");
    assert_ne!(shop.place(&order).await.status, 400);
}

#[actix_web::test]
async fn whoever_polls_without_end_is_told_to_slow_down() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    shop.placed("ORDER-2").await;
    let asked = || shop.institution.calls().iter().filter(|call| call.starts_with("query")).count();
    for _ in 0..60 {
        assert_eq!(shop.query("ORDER-1").await.status, 200);
    }
    assert_eq!(shop.query("ORDER-1").await.refusal(), (429, "FREQUENCY_LIMITED".to_owned()));
    assert_eq!(asked(), 60);
    assert_eq!(shop.query("ORDER-2").await.status, 200, "another order is not in its way");
    shop.app.clock.advance(60);
    assert_eq!(shop.query("ORDER-1").await.status, 200);
    // What we know ourselves may be asked at any pace.
    shop.notify(&shop.institution.pay(&shop.order_no("ORDER-1").await)).await;
    for _ in 0..70 {
        assert_eq!(shop.query("ORDER-1").await.status, 200);
    }
}

#[actix_web::test]
async fn every_refusal_names_the_field_that_is_wrong() {
    let shop = Shop::open().await;
    let order = shop.order("ORDER-1");
    let cases: Vec<(Value, &str)> = vec![
        (json!({"amount": {"total": 1.5}}), "/amount/total"),
        (json!({"amount": {"total": "100"}}), "/amount/total"),
        (json!({"amount": {"currency": "CNY"}}), "/amount/total"),
        (json!({"amount": {"total": 100, "currency": 5}}), "/amount/currency"),
        (json!({"amount": null}), "/amount"),
        (json!({"out_trade_no": null}), "/out_trade_no"),
        (json!({"out_trade_no": 123_456_789}), "/out_trade_no"),
        (json!({"description": ["a"]}), "/description"),
        (json!({"amount": [100, "CNY"]}), "/amount"),
        (json!({"settle_info": [true]}), "/settle_info"),
        (json!({"limit_pay": "no_credit"}), "/limit_pay"),
        (json!({"limit_pay": ["no_credit", 1]}), "/limit_pay[1]"),
        (json!({"support_fapiao": "yes"}), "/support_fapiao"),
        (json!({"settle_info": {"subsidy_amount": 5}}), "/settle_info/subsidy_amount"),
        (json!({"goods_tag": "mingfen:bad tag"}), "/goods_tag"),
        (
            json!({"goods_tag": format!("mingfen:;a=agent:{},b=agent:{}", "x".repeat(60), "y".repeat(60))}),
            "/goods_tag",
        ),
        (json!({"time_expire": "2026-12-01"}), "/time_expire"),
    ];
    for (change, field) in cases {
        let mut changed = order.clone();
        for (name, value) in change.as_object().unwrap() {
            match value.is_null() {
                true => drop(changed.as_object_mut().unwrap().remove(name)),
                false => changed[name] = value.clone(),
            }
        }
        let answer = shop.place(&changed).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{change}");
        let told = answer.json();
        assert_eq!(told["detail"]["field"], field, "{change}: {told}");
        // In the language of the protocol, and without what was sent.
        let issue = told["detail"]["issue"].as_str().unwrap();
        assert!(!issue.is_ascii() && !issue.contains("expected"), "{change}: {told}");
        assert!(!issue.contains("金额") || field == "/amount/total", "{change}: {told}");
    }
    let target = format!("/v3/pay/partner/transactions/out-trade-no/ORDER-1?sp_mchid={}", shop.sp_mchid());
    let answer = shop.call(reqwest::Method::GET, &target, b"").await;
    let detail = answer.json()["detail"].clone();
    assert_eq!((detail["field"].as_str(), detail["location"].as_str()), (Some("/sub_mchid"), Some("query")));
    // What is empty is not there.
    let mut empty = shop.order("ORDER-2");
    for name in ["sub_appid", "attach", "goods_tag", "time_expire"] {
        empty[name] = json!("");
    }
    empty["amount"]["currency"] = json!("");
    assert_eq!(shop.place(&empty).await.status, 200);
    let mut fine = order.clone();
    fine["time_expire"] = json!("2099-12-01T10:00:00.000Z");
    assert_eq!(shop.place(&fine).await.status, 200);
}

#[test]
fn nothing_hidden_is_in_a_plain_text_and_others_words_are_cleaned_of_it() {
    for hidden in [
        "\0",
        "\n",
        "\u{7f}",
        "\u{85}",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{e0041}",
    ] {
        assert!(!text::is_plain(&format!("a{hidden}b")), "{hidden:?}");
        assert_eq!(text::cleaned(&format!("a{hidden}b")), "a?b");
    }
    for plain in ["", "云栖茶舍 Nº1", "é", "😀", "مرحبا"] {
        assert!(text::is_plain(plain));
        assert_eq!(text::cleaned(plain), plain);
    }
}

#[test]
fn the_ordered_sum_is_held_against_the_bills_whatever_else_differs() {
    let order = Ordered {
        order_no: "SB01".to_owned(),
        institution_id: InstitutionId::new(1),
        merchant: "M1001".to_owned(),
        channel: ChannelName::Wechat,
        product: Product::NATIVE,
        amount: Fen::new(1_000),
    };
    let facts = OrderFacts {
        inst_order_no: "4200000001".to_owned(),
        merchant: "M1001".to_owned(),
        channel: "wechat".to_owned(),
        product: "native".to_owned(),
        paid_at: Instant::parse("2026-11-25T12:00:00+08:00").unwrap(),
        paid: Fen::new(1_000),
        ..BillOrder::blank().facts
    };
    let ours = Ours {
        order,
        inst_order_no: facts.inst_order_no.clone(),
        tags: Tags::default(),
        parties: Parties::default(),
        paid: facts.paid,
        paid_at: mingfen::clock::micros(facts.paid_at),
        preview_digest: None,
        sub_merchant_id: MerchantId::new(1),
        order_id: OrderId::new(1),
    };
    type Change = fn(&mut Theirs);
    type Says<'a> = &'a [(DifferenceKind, &'a str, &'a str)];
    let (amount, facts_differ) = (DifferenceKind::Amount, DifferenceKind::Facts);
    let cases: [(Change, Says<'_>); 7] = [
        (|_| {}, &[]),
        (|it| it.ordered = None, &[]),
        (|it| it.ordered = Some(Fen::new(1_100)), &[(amount, "ordered=1000", "ordered=1100")]),
        (|it| it.order.facts.paid = Fen::new(900), &[(amount, "paid=1000", "paid=900")]),
        (
            |it| (it.order.facts.paid, it.ordered) = (Fen::new(900), Some(Fen::new(900))),
            &[(amount, "paid=1000 ordered=1000", "paid=900 ordered=900")],
        ),
        (
            |it| (it.order.facts.tags, it.ordered) = (vec!["vip".to_owned()], Some(Fen::new(1_100))),
            &[(amount, "ordered=1000", "ordered=1100"), (facts_differ, "tags=", "tags=vip")],
        ),
        (
            |it| (it.order.facts.product, it.ordered) = ("jsapi".to_owned(), Some(Fen::new(1_100))),
            &[(amount, "ordered=1000", "ordered=1100"), (facts_differ, "product=native", "product=jsapi")],
        ),
    ];
    for (n, (change, says)) in cases.into_iter().enumerate() {
        let order = BillOrder { facts: facts.clone(), order_no: "SB01".to_owned() };
        let mut theirs = Theirs { order, ordered: Some(Fen::new(1_000)) };
        change(&mut theirs);
        let found = reconciliation::compare(Some(&ours), None, &theirs);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.kind, it.ours.as_deref().unwrap(), it.theirs.as_deref().unwrap()))
            .collect();
        assert_eq!(found, says, "{n}");
    }
}
