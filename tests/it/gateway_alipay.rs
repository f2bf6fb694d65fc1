//! The gateway as a merchant's system meets it that speaks Alipay: who may call, what is refused, and what is told.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use actix_web::web;
use mingfen::merchants::credentials;
use mingfen::notices;
use mingfen::people::security::SecurityKind;
use mingfen::people::{Actor, Role, Scope};
use mingfen::protocol::alipay::answer::AnswerKey;
use mingfen::protocol::alipay::answers::TradeStatus;
use mingfen::protocol::alipay::notification::{self, Notification};
use mingfen::protocol::alipay::passback;
use mingfen::protocol::alipay::write_time;
use mingfen::protocol::crypto::base64;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::PASSWORD;
use crate::support::acting::Acting;
use crate::support::alipay::{APP_ID, Counter, Ear, Parameters, written};
use crate::support::shop::{MERCHANT_KEY, Shop, other_key};
use crate::support::wire::Wire;

const PRECREATE: &str = "alipay.trade.precreate";

/// Changes a parameter, or takes it away.
fn with(mut parameters: Parameters, name: &'static str, value: &str) -> Parameters {
    parameters.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        parameters.push((name, value.to_owned()));
    }
    parameters
}

#[actix_web::test]
async fn an_order_goes_out_under_our_number_and_the_same_again_is_answered_the_same() {
    let counter = Counter::open().await;
    let first = counter.precreate(&counter.order("ORDER-1")).await.unwrap();
    let order_no = counter.order_no("ORDER-1").await;
    assert_eq!(
        first,
        json!({"out_trade_no": "ORDER-1", "qr_code": format!("https://qr.alipay.com/{order_no}")})
    );
    let sent = counter.bank.held(&order_no).unwrap();
    assert_eq!(sent.content["sub_merchant"], json!({"merchant_id": "190001"}));
    assert_eq!(sent.content["total_amount"], "123.45");
    assert_eq!(sent.notify_url.unwrap(), format!("{}/notify/SANDBOX/alipay", counter.base_url));
    let declared = passback::read(sent.content["passback_params"].as_str().unwrap()).unwrap();
    assert_eq!(
        (declared.tags, declared.parties["agent"].as_str()),
        (vec!["food".into(), "promo".into()], "agent:A1")
    );
    let order = counter.detail("ORDER-1").await.standing.order;
    assert_eq!(order.attach, "mingfen:food,promo;agent=agent:A1;own text");
    assert_eq!(
        (order.amount.get(), order.channel.as_str(), order.product.as_str()),
        (12345, "alipay", "native")
    );
    let before = counter.rows().await;
    // Other order of keys, other escapes, the amount as a number; a second later.
    counter.app.clock.advance(1);
    let again = r#"{"total_amount":123.45,"passback_params":"mingfen:food,promo;agent=agent:A1;own text",
        "subject":"\u5546\u54c1 \u5927","sub_merchant":{"merchant_id":"M1001"},"out_trade_no":"ORDER-1"}"#;
    let parameters = with(counter.parameters("trade.precreate", &json!({})), "biz_content", again);
    let answer = counter.send_form(&Counter::signed(&parameters)).await;
    assert_eq!(counter.read(PRECREATE, &answer).unwrap(), first);
    for (field, other) in [
        ("total_amount", json!("123.46")),
        ("subject", json!("another")),
        ("passback_params", json!("mingfen:food;;own text")),
        ("timeout_express", json!("90m")),
        ("store_id", json!("S1")),
    ] {
        let mut order = counter.order("ORDER-1");
        order[field] = other;
        assert_eq!(counter.precreate(&order).await.unwrap_err(), "ACQ.CONTEXT_INCONSISTENT", "{field}");
    }
    let elsewhere = with(
        counter.parameters("trade.precreate", &counter.order("ORDER-1")),
        "notify_url",
        "http://127.0.0.1:9/b",
    );
    let answer = counter.send_form(&Counter::signed(&elsewhere)).await;
    assert_eq!(counter.read(PRECREATE, &answer).unwrap_err(), "ACQ.CONTEXT_INCONSISTENT");
    let mut created = counter.order("ORDER-1");
    created["buyer_id"] = json!("2088101117955611");
    assert_eq!(counter.ask("trade.create", &created).await.unwrap_err(), "ACQ.CONTEXT_INCONSISTENT");
    // The number stands in WeChat's language too, and the other way round.
    assert_eq!(counter.place(&counter.shop.order("ORDER-1")).await.refusal().1, "OUT_TRADE_NO_USED");
    assert_eq!((counter.rows().await, counter.bank.calls().len()), (before, 1));
}

#[actix_web::test]
async fn a_request_counts_in_every_form_that_stock_sdks_send() {
    let counter = Counter::open().await;
    let form = |number: &str| Counter::signed(&counter.parameters("trade.precreate", &counter.order(number)));
    let all = |number: &str| form(number).encoded(|_| true);
    let split = form("SPLIT");
    let (common, content) =
        (split.encoded(|name| name != "biz_content"), split.encoded(|name| name == "biz_content"));
    let mut turned: Vec<String> = all("TURNED").split('&').map(str::to_owned).collect();
    turned.reverse();
    for (number, method, query, body) in [
        ("QUERY", Method::GET, all("QUERY"), String::new()),
        ("SPLIT", Method::POST, common, content),
        ("BODY", Method::POST, String::new(), all("BODY")),
        ("BLANKS", Method::POST, String::new(), all("BLANKS").replace('+', "%20")),
        ("TURNED", Method::GET, turned.join("&"), String::new()),
        ("EMPTY", Method::POST, format!("{}&return_url=&app_auth_token=", all("EMPTY")), String::new()),
    ] {
        let answer = counter.send_parts(method, &query, &body).await;
        assert_eq!(counter.read(PRECREATE, &answer).unwrap()["out_trade_no"], number);
        assert_eq!(counter.detail(number).await.standing.order.description, "商品 大", "{number}");
    }
    // As the official Python SDK writes its target.
    let (mut wire, query) = (Wire::to(&counter.base_url).await, all("ABSOLUTE"));
    let host = counter.base_url.strip_prefix("http://").unwrap();
    wire.send(&format!(
        "POST http://{host}/gateway.do?{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    let said = wire.rest().await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("\"code\":\"10000\""), "{said}");
    assert_eq!(counter.state("ABSOLUTE").await, "PAYING");
    let gbk = with(counter.parameters("trade.precreate", &counter.order("GBK")), "charset", "GBK");
    let answer = counter.send_form(&Counter::signed(&gbk)).await;
    assert_eq!(answer.headers["content-type"], "application/json; charset=gbk");
    assert_eq!(counter.read(PRECREATE, &answer).unwrap()["out_trade_no"], "GBK");
    assert_eq!(counter.detail("GBK").await.standing.order.description, "商品 大");
}

#[actix_web::test]
async fn who_is_not_proven_is_answered_unsigned_and_nothing_is_stored() {
    let counter = Counter::open().await;
    counter.place(&counter.shop.order("WECHAT")).await;
    let (before, asked) = (counter.rows().await, counter.bank.calls().len());
    let good = || counter.parameters("trade.precreate", &counter.order("ORDER-1"));
    let at = |seconds: i64| write_time(counter.app.clock.instant().plus(seconds));
    let cases = [
        ("charset", "", "isv.invalid-charset"),
        ("charset", "latin-1", "isv.invalid-charset"),
        ("method", "", "isv.missing-method"),
        ("app_id", "", "isv.missing-app-id"),
        ("app_id", "2021-0000", "isv.invalid-app-id"),
        ("app_id", "2021000000000009", "isv.invalid-app-id"),
        ("app_id", counter.signer.serial.get(..32).unwrap(), "isv.invalid-app-id"),
        ("format", "XML", "isv.invalid-format"),
        ("version", "", "isv.missing-version"),
        ("version", "2.0", "isv.invalid-parameter"),
        ("timestamp", "", "isv.missing-timestamp"),
        ("timestamp", "2026-01-01T08:00:00", "isv.invalid-timestamp"),
        ("timestamp", &at(-302), "isv.invalid-timestamp"),
        ("timestamp", &at(310), "isv.invalid-timestamp"),
        ("sign_type", "", "isv.missing-signature-type"),
        ("sign_type", "RSA", "isv.invalid-signature-type"),
    ];
    let mut refused = cases.len();
    for (name, value, code) in cases {
        let form = Counter::signed(&with(good(), name, value));
        assert_unproven(&counter.send_form(&form).await.body, code, (name, value));
    }
    let query = Counter::signed(&good()).encoded(|name| name != "sign");
    let signature = |text: &str| format!("{query}&sign={text}");
    let others = other_key().sign_sha256(&Counter::signed(&good()).to_sign(&["sign"])).unwrap();
    let others: String = base64(&others).replace('+', "%2B").replace('/', "%2F");
    let whole = Counter::signed(&good()).encoded(|_| true);
    for (target, body, code) in [
        (query.clone(), "", "isv.missing-signature"),
        (signature("AAAA"), "", "isv.invalid-signature"),
        (signature("%21"), "", "isv.invalid-signature"),
        (signature(&others), "", "isv.invalid-signature"),
        (whole.replace("123.45", "1.45"), "", "isv.invalid-signature"),
        (format!("{whole}&store=1"), "", "isv.invalid-signature"),
        (whole.clone(), "app_id=2021000000000001", "isv.invalid-parameter"),
        (format!("%EF%BB%BF{whole}"), "", "isv.invalid-parameter"),
        (whole.clone(), "\u{feff}a=b", "isv.invalid-parameter"),
        (format!("{whole}&a=%4"), "", "isv.invalid-parameter"),
        (whole.clone(), &"x".repeat(65_000), "isv.invalid-parameter"),
        (whole.clone(), &"x".repeat(70_000), "isv.invalid-parameter"),
    ] {
        refused += 1;
        let answer = counter.send_parts(Method::POST, &target, body).await;
        assert_unproven(&answer.body, code, (&target, body));
    }
    assert_eq!(counter.app.refusals(SecurityKind::RequestUnsigned).await, i64::try_from(refused).unwrap());
    // Alipay's credential is none in WeChat's language.
    let mut wechat = counter.shop.signer.clone();
    wechat.serial = APP_ID.to_owned();
    wechat.key = MERCHANT_KEY.clone();
    let find = |serial: &str| {
        let read = counter
            .app
            .db
            .read_blocking(|tx| credentials::find(tx, &counter.app.master_key, &wechat.mchid, serial));
        read.unwrap().is_some()
    };
    assert!(find(&counter.signer.serial) && !find(APP_ID));
    let mut shop = counter;
    std::mem::swap(&mut shop.shop.signer, &mut wechat);
    assert_eq!(shop.query("WECHAT").await.refusal(), (401, "SIGN_ERROR".to_owned()));
    std::mem::swap(&mut shop.shop.signer, &mut wechat);
    // Nor is a revoked one in its own.
    assert_eq!((shop.rows().await, shop.bank.calls().len()), (before, asked));
    let (actor, mchid) = (Actor::shell(), "1900000001");
    shop.app.db.write_blocking(|tx| credentials::revoke(tx, 2, &actor, mchid, APP_ID)).unwrap();
    let answer =
        shop.send_form(&Counter::signed(&shop.parameters("trade.precreate", &shop.order("ORDER-1")))).await;
    assert_unproven(&answer.body, "isv.invalid-app-id", "revoked");
}

/// Under the name of its call where that can be told, without a signature.
fn assert_unproven(body: &[u8], code: &str, of: impl std::fmt::Debug) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let object = body.as_object().unwrap();
    assert_eq!(object.len(), 1, "{of:?}: {body}");
    let (name, said) = object.iter().next().unwrap();
    assert!(["alipay_trade_precreate_response", "error_response"].contains(&name.as_str()), "{name}");
    assert_eq!(said["sub_code"], code, "{of:?}: {body}");
    assert!(["40001", "40002"].contains(&said["code"].as_str().unwrap()), "{of:?}: {body}");
}

#[actix_web::test]
async fn what_an_order_lacks_is_said_signed_and_nothing_is_stored() {
    let counter = Counter::open().await;
    let before = counter.rows().await;
    let cases = [
        ("out_trade_no", json!(""), "ACQ.INVALID_PARAMETER"),
        ("out_trade_no", json!("with space"), "ACQ.INVALID_PARAMETER"),
        ("out_trade_no", json!("9".repeat(65)), "ACQ.INVALID_PARAMETER"),
        ("subject", Value::Null, "ACQ.INVALID_PARAMETER"),
        ("total_amount", Value::Null, "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("0"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("-1"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("0.001"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("1e2"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("100000000.01"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!(100_000_001), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!(-1), "ACQ.INVALID_PARAMETER"),
        ("timeout_express", json!("0m"), "ACQ.INVALID_PARAMETER"),
        ("time_expire", json!("2020-01-01 00:00:00"), "ACQ.INVALID_PARAMETER"),
        ("royalty_info", json!({}), "ACQ.INVALID_PARAMETER"),
        ("passback_params", json!("mingfen:food,food;;x"), "ACQ.INVALID_PARAMETER"),
        ("passback_params", json!("mingfen:food"), "ACQ.INVALID_PARAMETER"),
        ("seller_id", json!("2088000000000001"), "ACQ.INVALID_PARAMETER"),
        ("sub_merchant", json!({"merchant_id": "M9999"}), "ACQ.ACCESS_FORBIDDEN"),
        ("sub_merchant", json!({"merchant_id": counter.foreign_sub_mchid}), "ACQ.ACCESS_FORBIDDEN"),
        ("sub_merchant", json!({"merchant_id": counter.idle_sub_mchid}), "ACQ.ACCESS_FORBIDDEN"),
        // The tenant has two.
        ("sub_merchant", Value::Null, "ACQ.ACCESS_FORBIDDEN"),
    ];
    for (field, value, code) in cases {
        let mut order = counter.order("ORDER-1");
        order[field] = value.clone();
        assert_eq!(counter.precreate(&order).await.unwrap_err(), code, "{field} {value}");
    }
    assert_eq!(
        counter.ask("trade.create", &counter.order("ORDER-1")).await.unwrap_err(),
        "ACQ.INVALID_PARAMETER"
    );
    for content in ["", "[]", "{", "{} ", "{\"a\":1,\"a\":2}", "\u{feff}{}"] {
        let parameters = with(counter.parameters("trade.precreate", &json!({})), "biz_content", content);
        let answer = counter.send_form(&Counter::signed(&parameters)).await;
        assert_eq!(counter.read(PRECREATE, &answer).unwrap_err(), "ACQ.INVALID_PARAMETER", "{content:?}");
    }
    for url in ["ftp://127.0.0.1/x", "127.0.0.1", "http://"] {
        let parameters =
            with(counter.parameters("trade.precreate", &counter.order("ORDER-1")), "notify_url", url);
        let answer = counter.send_form(&Counter::signed(&parameters)).await;
        assert_eq!(counter.read(PRECREATE, &answer).unwrap_err(), "isv.invalid-parameter", "{url}");
    }
    for (method, code) in [
        ("trade.pay", "isv.invalid-method"),
        ("trade.order.settle", "isv.invalid-method"),
        ("system.oauth.token", "isv.invalid-method"),
        ("trade.refund", "isv.insufficient-isv-permissions"),
        ("data.dataservice.bill.downloadurl.query", "isv.insufficient-isv-permissions"),
        ("trade.query", "ACQ.TRADE_NOT_EXIST"),
        ("trade.close", "ACQ.TRADE_NOT_EXIST"),
    ] {
        assert_eq!(
            counter.ask(method, &json!({"out_trade_no": "ORDER-1"})).await.unwrap_err(),
            code,
            "{method}"
        );
    }
    counter.approve("03", &[]);
    assert_eq!(counter.precreate(&counter.order("ORDER-1")).await.unwrap_err(), "ACQ.ACCESS_FORBIDDEN");
    assert!(counter.bank.calls().is_empty());
    let after = counter.rows().await;
    let changed: Vec<_> = after.iter().filter(|(table, rows)| before[*table] != **rows).collect();
    assert!(changed.iter().all(|(table, _)| !table.contains("order")), "{changed:?}");
}

#[actix_web::test]
async fn the_tenants_only_merchant_need_not_be_named_and_a_seller_is_either_number() {
    let counter = Counter::open().await;
    for (n, seller) in [counter.sp_mchid(), counter.sub_mchid.as_str()].into_iter().enumerate() {
        let mut order = counter.order(&format!("ORDER-{n}"));
        order["seller_id"] = json!(seller);
        counter.precreate(&order).await.unwrap();
    }
    let sql = "UPDATE sub_merchant SET platform_merchant_id = (SELECT id FROM platform_merchant WHERE sp_mchid = '1900000002') WHERE merchant = 'M1009'";
    counter.app.raw().execute(sql).unwrap();
    let mut order = counter.order("ALONE");
    order.as_object_mut().unwrap().remove("sub_merchant");
    counter.precreate(&order).await.unwrap();
    assert_eq!(counter.detail("ALONE").await.merchant, "M1001");
}

#[actix_web::test]
async fn a_created_order_has_its_number_and_is_found_under_both() {
    let counter = Counter::open().await;
    let mut order = counter.order("ORDER-1");
    (order["buyer_id"], order["store_id"]) = (json!("2088101117955611"), json!("S1"));
    let created = counter.ask("trade.create", &order).await.unwrap();
    let order_no = counter.order_no("ORDER-1").await;
    let held = counter.bank.held(&order_no).unwrap();
    assert_eq!(
        (held.method.as_str(), &held.content["buyer_id"], &held.content["store_id"]),
        ("create", &order["buyer_id"], &order["store_id"])
    );
    assert_eq!(created, json!({"out_trade_no": "ORDER-1", "trade_no": held.trade_no}));
    let waits = counter.ask("trade.query", &json!({"out_trade_no": "ORDER-1"})).await.unwrap();
    assert_eq!(
        waits,
        json!({"out_trade_no": "ORDER-1", "trade_no": held.trade_no, "trade_status": "WAIT_BUYER_PAY", "total_amount": "123.45"})
    );
    assert_eq!(counter.told(&written(&counter.bank.pay(&order_no))).await, (200, "success".to_owned()));
    for which in [
        json!({"trade_no": held.trade_no}),
        json!({"trade_no": held.trade_no, "out_trade_no": "NONE"}),
        json!({"trade_no": "NONE", "out_trade_no": "ORDER-1"}),
    ] {
        let paid = counter.ask("trade.query", &which).await.unwrap();
        assert_eq!(
            (&paid["trade_status"], &paid["out_trade_no"]),
            (&json!("TRADE_SUCCESS"), &json!("ORDER-1"))
        );
    }
}

#[actix_web::test]
async fn a_query_asks_the_institution_first_and_tells_what_it_said() {
    let counter = Counter::open().await;
    counter.precreate(&counter.order("ORDER-1")).await.unwrap();
    let which = json!({"out_trade_no": "ORDER-1"});
    let waits = counter.ask("trade.query", &which).await.unwrap();
    assert_eq!(
        waits,
        json!({"out_trade_no": "ORDER-1", "trade_status": "WAIT_BUYER_PAY", "total_amount": "123.45"})
    );
    let order_no = counter.order_no("ORDER-1").await;
    counter.bank.fail(true);
    assert_eq!(counter.ask("trade.query", &which).await.unwrap_err(), "UNKNOWN");
    counter.bank.fail(false);
    let told = counter.bank.pay(&order_no);
    let paid = counter.ask("trade.query", &which).await.unwrap();
    let at = counter.detail("ORDER-1").await.standing.payment.unwrap().paid_at;
    assert_eq!(
        paid,
        json!({
            "out_trade_no": "ORDER-1", "trade_no": told.trade_no, "trade_status": "TRADE_SUCCESS",
            "total_amount": "123.45", "receipt_amount": "123.45", "buyer_pay_amount": "123.45",
            "send_pay_date": write_time(mingfen::clock::instant(at)), "buyer_user_id": "2088101117955611",
        })
    );
    let asked = counter.bank.calls().len();
    counter.ask("trade.query", &which).await.unwrap();
    assert_eq!(counter.bank.calls().len(), asked, "what is settled is not asked again");
    // A merchant of another tenant knows nothing of it, and whoever polls without end is told to slow down.
    counter.precreate(&counter.order("ORDER-2")).await.unwrap();
    let polled = json!({"out_trade_no": "ORDER-2"});
    // Two minutes of it, should one end meanwhile.
    let mut answered = 0;
    while counter.ask("trade.query", &polled).await != Err("BUSY".to_owned()) {
        answered += 1;
        assert!(answered <= 120, "nobody tells it to slow down");
    }
    assert!(answered >= 60, "{answered}");
}

#[actix_web::test]
async fn an_order_is_closed_or_cancelled_until_it_is_paid() {
    let counter = Counter::open().await;
    for (number, call, more) in [
        ("CLOSED", "trade.close", json!({})),
        ("CANCELLED", "trade.cancel", json!({"retry_flag": "N", "action": "close"})),
    ] {
        counter.precreate(&counter.order(number)).await.unwrap();
        let which = json!({"out_trade_no": number});
        for _ in 0..2 {
            let mut expected = json!({"out_trade_no": number});
            expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(counter.ask(call, &which).await.unwrap(), expected);
        }
        assert_eq!(counter.state(number).await, "CLOSED");
        let order_no = counter.order_no(number).await;
        assert_eq!(counter.bank.held(&order_no).unwrap().status, TradeStatus::Closed);
        assert_eq!(counter.ask("trade.query", &which).await.unwrap()["trade_status"], "TRADE_CLOSED");
        assert_eq!(counter.precreate(&counter.order(number)).await.unwrap_err(), "ACQ.TRADE_HAS_CLOSE");
    }
    counter.precreate(&counter.order("PAID")).await.unwrap();
    // Paid, and nobody told us yet.
    counter.bank.pay(&counter.order_no("PAID").await);
    for call in ["trade.close", "trade.cancel", "trade.close", "trade.cancel"] {
        assert_eq!(
            counter.ask(call, &json!({"out_trade_no": "PAID"})).await.unwrap_err(),
            "ACQ.TRADE_HAS_SUCCESS"
        );
        assert_eq!(counter.state("PAID").await, "PAID");
    }
    assert_eq!(counter.precreate(&counter.order("PAID")).await.unwrap_err(), "ACQ.TRADE_HAS_SUCCESS");
    let nothing = counter.ask("trade.cancel", &json!({"out_trade_no": "NONE"})).await.unwrap();
    assert_eq!(nothing, json!({"retry_flag": "N"}));
}

#[actix_web::test]
async fn a_notification_counts_when_the_institution_signed_what_was_ordered() {
    let counter = Counter::open().await;
    counter.precreate(&counter.order("ORDER-1")).await.unwrap();
    let order_no = counter.order_no("ORDER-1").await;
    let told = counter.bank.pay(&order_no);
    let before = counter.rows().await;
    let body = written(&told);
    let changed = |change: fn(&mut Notification)| {
        let mut told = told.clone();
        change(&mut told);
        written(&told)
    };
    let unsigned = (401, "fail: not signed by the institution now".to_owned());
    for forged in [
        String::new(),
        "a=b".to_owned(),
        body.replace("123.45", "123.44"),
        body.replace("sign_type=RSA2", "sign_type=RSA"),
        body.replace("&sign_type=RSA2", ""),
        format!("{body}&x=1"),
    ] {
        assert_eq!(counter.told(&forged).await, unsigned, "{forged}");
    }
    let closed = changed(|told| told.trade_status = TradeStatus::Closed);
    assert_eq!(counter.told(&closed).await.0, 400);
    assert_eq!(counter.told(&"x".repeat(70_000)).await.0, 413);
    assert_eq!(counter.rows().await, before);
    assert_eq!(counter.app.refusals(SecurityKind::NoticeUnsigned).await, 6);
    // What pays nothing of ours is kept apart, and taken.
    let others: [fn(&mut Notification); 4] = [
        |told| told.app_id = "2021000000000001".to_owned(),
        |told| told.seller_id = Some("2088000000000001".to_owned()),
        |told| told.out_trade_no = "SBNONE".to_owned(),
        |told| {
            let more = mingfen::kernel::money::Fen::new(12346);
            (told.total_amount, told.receipt_amount, told.buyer_pay_amount) = (more, Some(more), Some(more));
        },
    ];
    for (n, change) in others.into_iter().enumerate() {
        let mut other = told.clone();
        other.trade_no = format!("20261128{n:020}9");
        change(&mut other);
        assert_eq!(counter.told(&written(&other)).await, (200, "success".to_owned()), "{n}");
        assert_eq!(counter.state("ORDER-1").await, "PAYING", "{n}");
    }
    assert_eq!(counter.told(&body).await, (200, "success".to_owned()));
    assert_eq!(counter.state("ORDER-1").await, "PAID");
    // What comes after it takes nothing of that back; other facts under its number are refused.
    let after = counter.rows().await;
    let finished = changed(|told| told.trade_status = TradeStatus::Finished);
    assert_eq!(counter.told(&finished).await, (200, "success".to_owned()));
    assert_eq!(counter.told(&changed(|told| told.out_trade_no = "SBNONE".to_owned())).await.0, 400);
    assert_eq!(counter.rows().await, after);
}

#[actix_web::test]
async fn a_payment_is_told_in_the_language_of_its_order_until_it_says_success() {
    let counter = Counter::open().await;
    let ear = Ear::start("ok");
    let to = |number: &str, url: &str| {
        Counter::signed(&with(
            counter.parameters("trade.precreate", &counter.order(number)),
            "notify_url",
            url,
        ))
    };
    for (number, url) in [("ORDER-1", ear.url.as_str()), ("SILENT", "")] {
        counter.read(PRECREATE, &counter.send_form(&to(number, url)).await).unwrap();
        let body = written(&counter.bank.pay(&counter.order_no(number).await));
        for _ in 0..2 {
            assert_eq!(counter.told(&body).await, (200, "success".to_owned()));
        }
    }
    assert_eq!(counter.rows().await["outbox"], 1, "who names no address is told nothing");
    let keys = [AnswerKey { certificate: None, key: counter.app.known_keys().wechat.public_key.clone() }];
    let mut ids = Vec::new();
    for pause in [0, 240, 600, 600, 3600, 7200, 21_600, 54_000] {
        if pause > 0 {
            counter.app.clock.advance(pause - 60);
            assert_eq!(notices::deliver(&counter.app).await.unwrap(), 0, "{pause}: too early");
            counter.app.clock.advance(60);
        }
        if pause == 54_000 {
            ear.say(" success\n");
        }
        assert_eq!(notices::deliver(&counter.app).await.unwrap(), 1, "{pause}");
        let arrived = ear.take();
        let told = notification::open(&keys, &arrived[0]).unwrap();
        ids.push(told.notify_id.clone());
        let payment = counter.detail("ORDER-1").await.standing.payment.unwrap();
        assert_eq!((told.app_id.as_str(), told.seller_id.as_deref()), (APP_ID, Some("M1001")));
        assert_eq!((told.out_trade_no.as_str(), &told.trade_no), ("ORDER-1", &payment.inst_order_no));
        assert_eq!((told.trade_status, told.total_amount.get()), (TradeStatus::Success, 12345));
        assert_eq!(told.passback_params.as_deref(), Some("mingfen:food,promo;agent=agent:A1;own text"));
        assert_eq!(told.subject.as_deref(), Some("商品 大"));
        assert_eq!(told.buyer_id.as_deref(), Some("2088101117955611"));
        assert_eq!(told.gmt_payment, Some(mingfen::clock::instant(payment.paid_at)));
        assert!(told.fund_bill_list.unwrap().contains("PCREDIT"));
        let failed = counter.detail("ORDER-1").await.delivery.unwrap();
        let why = (pause < 54_000).then(|| "UNSAID".to_owned());
        assert_eq!((failed.last_error, failed.done_at.is_some()), (why, pause == 54_000));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one id at every delivery");
}

#[actix_web::test]
async fn in_production_a_merchant_is_told_on_the_public_internet_alone() {
    let counter = Counter::around(Shop::open_strict().await);
    for url in
        ["http://shop.example/n", "https://127.0.0.1/n", "https://localhost/n", "https://10.0.0.1/n?a=b"]
    {
        let parameters =
            with(counter.parameters("trade.precreate", &counter.order("ORDER-1")), "notify_url", url);
        let answer = counter.send_form(&Counter::signed(&parameters)).await;
        assert_eq!(counter.read(PRECREATE, &answer).unwrap_err(), "isv.invalid-parameter", "{url}");
    }
}

/// A step that the script said it came through.
fn step(lines: &mut impl BufRead) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("the script ended: {line}"))
}

/// Runs `tests/sdk/alipay_gateway.py`, which precreates, queries, closes and cancels, and checks our notification itself.
#[actix_web::test]
async fn the_stock_sdk_works_unchanged() {
    let counter = Counter::open().await;
    let settings = json!({
        "gateway": format!("{}/gateway.do", counter.base_url),
        "app_id": APP_ID,
        "merchant": counter.sub_mchid,
        "private_key": MERCHANT_KEY.to_pem().unwrap(),
        "public_key": counter.app.known_keys().wechat.public_key.to_pem().unwrap(),
    });
    let file = counter.app.dir().join("sdk.json");
    std::fs::write(&file, settings.to_string()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    assert!(python.exists(), "{} is made by tests/run", python.display());
    let mut child = Command::new(python)
        .arg(root.join("tests/sdk/alipay_gateway.py"))
        .arg(&file)
        // It writes the machine's own time as Beijing's.
        .env("TZ", "Asia/Shanghai")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (first, mut lines) = web::block(move || (step(&mut lines), lines)).await.unwrap();
    assert_eq!(first["step"], "placed");
    let told = counter.bank.pay(&counter.order_no("SDK-1").await);
    assert_eq!(counter.told(&written(&told)).await, (200, "success".to_owned()));
    assert_eq!(notices::deliver(&counter.app).await.unwrap(), 1);
    let rest = web::block(move || [(); 4].map(|()| step(&mut lines))).await.unwrap();
    assert_eq!(rest[0], json!({"step": "told", "trade_no": told.trade_no}));
    assert_eq!(
        rest[1..].iter().map(|it| it["step"].clone()).collect::<Vec<_>>(),
        ["queried", "closed", "done"]
    );
    assert!(child.wait().unwrap().success());
    assert!(counter.detail("SDK-1").await.delivery.unwrap().done_at.is_some());
}

#[actix_web::test]
async fn the_pages_say_whose_wallet_pays_and_how() {
    let counter = Counter::open().await;
    counter.precreate(&counter.order("ORDER-1")).await.unwrap();
    counter.app.user("ops", Role::Admin, Scope::Platform);
    let mut ops = Acting::at(&counter.base_url);
    assert_eq!(ops.log_in("ops", PASSWORD).await.status, 303);
    let order = format!("/admin/orders/{}", counter.order_no("ORDER-1").await);
    for page in ["/admin/orders", &order] {
        for (lang, says) in [("zh", "支付宝 · 扫码"), ("en", "Alipay · scanned code")] {
            let page = ops.get(&format!("{page}?lang={lang}")).await;
            assert!(page.body.contains(says), "{says}: {}", page.body);
        }
    }
}
