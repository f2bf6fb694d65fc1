//! The gateway as a merchant's system meets it: who may call, what is refused, and that no order is ever sent twice
//! under another number.
use mingfen::people::security::SecurityKind;
use mingfen::protocol::wechat::certificates;
use mingfen::protocol::wechat::shapes::TradeState;
use mingfen::protocol::wechat::sign::{Authorization, Signer, request_string};
use mingfen::tasks;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::institution::Misbehave;
use crate::support::shop::{Answered, Call, Shop, other_key};

const NATIVE: &str = "/v3/pay/partner/transactions/native";

fn post(target: &str, body: &[u8], authorization: String) -> Call {
    Call {
        method: Method::POST,
        target: target.to_owned(),
        body: body.to_vec(),
        headers: vec![("Authorization", authorization)],
    }
}

#[actix_web::test]
async fn an_order_goes_out_under_our_number_with_tags_and_parties_as_its_attach() {
    let shop = Shop::open().await;
    let answer = shop.place(&shop.order("ORDER-1")).await;
    assert_eq!(answer.status, 200);
    let order_no = shop.order_no("ORDER-1").await;
    assert!(order_no.starts_with("SB") && order_no.len() <= 32, "{order_no}");
    assert_eq!(answer.json()["code_url"], format!("weixin://wxpay/bizpayurl?pr={order_no}"));
    let sent = shop.institution.held(&order_no).unwrap().request;
    assert_eq!(sent.attach.as_deref(), Some("food,promo;agent=agent:A1;"));
    assert_eq!(sent.sub_mchid, shop.inst_merchant_no);
    assert_eq!(sent.notify_url, format!("{}/notify/SANDBOX/wechat", shop.base_url));
    assert_eq!(shop.institution.calls(), [format!("native {order_no}")]);
}

#[actix_web::test]
async fn the_same_order_again_is_answered_the_same_and_other_content_is_refused() {
    let shop = Shop::open().await;
    let first = shop.place(&shop.order("ORDER-1")).await;
    let before = shop.rows().await;
    // The same content in another spelling: other order of keys, escapes, spaces.
    let again =
        br#"{"amount" : {"currency":"CNY","total":12345}, "goods_tag":"mingfen:food,promo;agent=agent:A1","#;
    let mut again = again.to_vec();
    again.extend_from_slice(
        format!(
            r#""attach":"own","notify_url":"http://127.0.0.1:9/notify","out_trade_no":"ORDER-1","description":"\u5546\u54c1 one","sub_mchid":"{}","sp_mchid":"{}","sp_appid":"{}"}}"#,
            shop.sub_mchid, shop.sp_mchid(), shop.order("x")["sp_appid"].as_str().unwrap()
        )
        .as_bytes(),
    );
    let answer = shop.call(Method::POST, NATIVE, &again).await;
    assert_eq!((answer.status, answer.json()), (200, first.json()));
    for (field, other) in [
        ("amount", json!({"total": 12346, "currency": "CNY"})),
        ("description", json!("another")),
        ("attach", json!("other")),
        ("goods_tag", json!("mingfen:food")),
        ("notify_url", json!("http://127.0.0.1:9/other")),
        ("time_expire", json!("2099-01-01T00:00:00+08:00")),
    ] {
        let mut order = shop.order("ORDER-1");
        order[field] = other;
        let answer = shop.place(&order).await;
        assert_eq!(answer.refusal(), (400, "OUT_TRADE_NO_USED".to_owned()), "{field}");
    }
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.institution.calls().len(), 1);
}

#[actix_web::test]
async fn copies_of_one_order_at_the_same_time_are_one_order() {
    let shop = Shop::open().await;
    let order = shop.order("ORDER-1");
    let answers = futures_util::future::join_all((0..8).map(|_| shop.place(&order))).await;
    let order_no = shop.order_no("ORDER-1").await;
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["code_url"], format!("weixin://wxpay/bizpayurl?pr={order_no}"));
    }
    assert_eq!(shop.rows().await["pay_order"], 1);
    let told: Vec<&str> =
        shop.detail("ORDER-1").await.timeline.iter().map(|entry| entry.event.kind().as_str()).collect();
    assert_eq!(told, ["CREATED", "PAYING"]);
    assert!(shop.institution.calls().iter().all(|call| call.ends_with(&order_no)));
}

#[actix_web::test]
async fn every_fault_of_a_signature_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let body = shop.order("ORDER-1").to_string().into_bytes();
    let good = || shop.authorize("POST", NATIVE, &body);
    let text = good().to_string();
    let signed_by = |change: &dyn Fn(&mut Signer)| {
        let mut signer = shop.signer.clone();
        change(&mut signer);
        Authorization::sign(&signer, shop.app.clock.instant(), "POST", NATIVE, &body).unwrap().to_string()
    };
    let at = |seconds: i64| {
        let moment = shop.app.clock.instant().plus(seconds);
        Authorization::sign(&shop.signer, moment, "POST", NATIVE, &body).unwrap().to_string()
    };
    let mut other_nonce = good();
    other_nonce.nonce = "0".repeat(32);
    let mut other_time = good();
    other_time.timestamp += 1;
    let cases: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("another scheme", text.replace("SHA256-RSA2048", "SHA256-RSA1024")),
        ("Bearer", "Bearer abc".to_owned()),
        ("no signature", text.split(",signature").next().unwrap().to_owned()),
        ("mchid twice", format!("{text},mchid=\"1900000001\"")),
        ("not quoted", text.replace('"', "")),
        ("not base64", text.replace("signature=\"", "signature=\"!!")),
        ("endless", format!("{text},{}", "x".repeat(4096))),
        ("another's key", signed_by(&|signer| signer.key = other_key())),
        ("unknown serial", signed_by(&|signer| signer.serial = "00FF".to_owned())),
        ("unknown merchant", signed_by(&|signer| signer.mchid = "1900000099".to_owned())),
        ("nonce changed", other_nonce.to_string()),
        ("timestamp changed", other_time.to_string()),
        ("from the past", at(-302)),
        ("from the future", at(310)),
        ("over another body", shop.authorize("POST", NATIVE, b"{}").to_string()),
        ("over another method", shop.authorize("PUT", NATIVE, &body).to_string()),
        ("over another path", shop.authorize("POST", "/v3/certificates", &body).to_string()),
        ("over another query", shop.authorize("POST", &format!("{NATIVE}?a=b"), &body).to_string()),
    ];
    for (name, authorization) in cases {
        let answer = shop.send(post(NATIVE, &body, authorization)).await;
        assert_eq!(answer.refusal(), (401, "SIGN_ERROR".to_owned()), "{name}");
        Shop::assert_unsigned(&answer);
    }
    let bare = Call { headers: Vec::new(), ..post(NATIVE, &body, String::new()) };
    assert_eq!(shop.send(bare).await.refusal(), (401, "SIGN_ERROR".to_owned()));
    let mut twice = post(NATIVE, &body, good().to_string());
    twice.headers.push(("Authorization", good().to_string()));
    assert_eq!(shop.send(twice).await.refusal(), (401, "SIGN_ERROR".to_owned()));
    assert_eq!(shop.rows().await, before);
    assert!(shop.institution.calls().is_empty());
    // Each is one event, of a merchant only where its credential is known.
    assert_eq!(shop.app.refusals(SecurityKind::RequestUnsigned).await, 21);
    let seen = shop.app.raw().texts(
        "SELECT kind || ' ' || who || ' ' || what || ' ' || times AS v FROM security_event ORDER BY what",
    );
    let expected = [
        "request.unsigned  clock 2",
        "request.unsigned  header 10",
        "request.unsigned merchant:1900000001 signature 7",
        "request.unsigned  stranger 2",
    ];
    assert_eq!(seen, expected);
}

#[actix_web::test]
async fn a_request_counts_once_its_copy_is_answered_the_same_and_its_nonce_serves_no_other() {
    let shop = Shop::open().await;
    let body = shop.order("ORDER-1").to_string().into_bytes();
    let authorization = shop.authorize("POST", NATIVE, &body).to_string();
    let first = shop.send(post(NATIVE, &body, authorization.clone())).await;
    assert_eq!(first.status, 200);
    let before = shop.rows().await;
    for _ in 0..3 {
        let again = shop.send(post(NATIVE, &body, authorization.clone())).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
    }
    // Another request under the same nonce.
    let other = shop.order("ORDER-2").to_string().into_bytes();
    let mut reused = Authorization::parse(&authorization).unwrap();
    let text = request_string("POST", NATIVE, reused.timestamp, &reused.nonce, &other);
    reused.signature = shop.signer.key.sign_sha256(&text).unwrap();
    let answer = shop.send(post(NATIVE, &other, reused.to_string())).await;
    assert_eq!(answer.refusal(), (401, "SIGN_ERROR".to_owned()));
    assert_eq!(shop.app.refusals(SecurityKind::RequestUnsigned).await, 1);
    // When the nonce is forgotten, the timestamp is too old.
    shop.app.clock.advance(12 * 60);
    tasks::forget(&shop.app).await.unwrap();
    let answer = shop.send(post(NATIVE, &body, authorization)).await;
    assert_eq!(answer.refusal(), (401, "SIGN_ERROR".to_owned()));
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.institution.calls().len(), 1);
}

#[actix_web::test]
async fn clocks_may_differ_by_five_minutes_either_way() {
    let shop = Shop::open().await;
    for (n, seconds) in [-295, 295].into_iter().enumerate() {
        let body = shop.order(&format!("ORDER-{n}")).to_string().into_bytes();
        let moment = shop.app.clock.instant().plus(seconds);
        let authorization = Authorization::sign(&shop.signer, moment, "POST", NATIVE, &body).unwrap();
        assert_eq!(shop.send(post(NATIVE, &body, authorization.to_string())).await.status, 200);
    }
}

#[actix_web::test]
async fn parameters_in_any_order_and_serials_in_either_case_are_accepted() {
    let shop = Shop::open().await;
    let body = shop.order("ORDER-1").to_string().into_bytes();
    let authorization = shop.authorize("POST", NATIVE, &body).to_string();
    let (scheme, parameters) = authorization.split_once(' ').unwrap();
    let mut parameters: Vec<String> = parameters.split(',').map(str::to_owned).collect();
    parameters.reverse();
    let lower = shop.signer.serial.to_ascii_lowercase();
    let turned = format!("{scheme} {}", parameters.join(",")).replace(&shop.signer.serial, &lower);
    assert_eq!(shop.send(post(NATIVE, &body, turned)).await.status, 200);
}

#[actix_web::test]
async fn a_query_is_verified_as_it_travelled_with_an_empty_first_parameter_too() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    for query in [
        "?&sp_mchid=SP&sub_mchid=SUB",
        "?sub_mchid=SUB&sp_mchid=SP&x=%E5%95%86",
        "?sp_mchid=SP&sub_mchid=SUB&",
    ] {
        let query = query.replace("SP", shop.sp_mchid()).replace("SUB", &shop.sub_mchid);
        let target = format!("/v3/pay/partner/transactions/out-trade-no/ORDER-1{query}");
        let answer = shop.call(Method::GET, &target, b"").await;
        assert_eq!((answer.status, answer.json()["trade_state"].as_str()), (200, Some("NOTPAY")), "{query}");
    }
    for query in ["", "?", "?sp_mchid=SP", "?sub_mchid=SUB", "?sp_mchid=SP&sp_mchid=SP&sub_mchid=SUB"] {
        let query = query.replace("SP", shop.sp_mchid()).replace("SUB", &shop.sub_mchid);
        let target = format!("/v3/pay/partner/transactions/out-trade-no/ORDER-1{query}");
        let answer = shop.call(Method::GET, &target, b"").await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{query}");
    }
}

/// A body with one field changed or, by `null`, left out.
fn with(order: &Value, field: &str, value: Value) -> Value {
    let mut order = order.clone();
    if value.is_null() {
        order.as_object_mut().unwrap().remove(field);
    } else {
        order[field] = value;
    }
    order
}

#[actix_web::test]
async fn a_body_out_of_bounds_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let order = shop.order("ORDER-1");
    let amount = |total: Value| with(&order, "amount", json!({"total": total, "currency": "CNY"}));
    let field = |name: &str, value: Value| with(&order, name, value);
    let cases = [
        amount(json!(-1)),
        amount(json!(0)),
        amount(json!(1_000_000_000_001_i64)),
        amount(json!(9_223_372_036_854_775_807_i64)),
        amount(json!(1.5)),
        amount(json!(100.0)),
        amount(json!(1e3)),
        amount(json!("100")),
        amount(Value::Null),
        field("amount", json!({"total": 1, "currency": "USD"})),
        field("amount", Value::Null),
        field("out_trade_no", json!("SHORT")),
        field("out_trade_no", json!("X".repeat(33))),
        field("out_trade_no", json!("商户订单号一二三")),
        field("out_trade_no", json!("ORDER 1")),
        field("out_trade_no", Value::Null),
        field("description", json!("")),
        field("description", json!("长".repeat(128))),
        field("description", json!("two\nlines")),
        field("notify_url", json!("http://127.0.0.1:9/notify?a=b")),
        field("notify_url", json!("ftp://127.0.0.1/notify")),
        field("notify_url", json!("http://user:word@127.0.0.1/")),
        field("notify_url", json!("/notify")),
        field("notify_url", Value::Null),
        field("time_expire", json!("tomorrow")),
        field("time_expire", json!("2001-01-01T00:00:00+08:00")),
        field("attach", json!("x".repeat(129))),
        field("attach", json!("a`b")),
        field("attach", json!("a\nb")),
        field("goods_tag", json!("mingfen:bad tag")),
        field("goods_tag", json!("mingfen:a,a")),
        field("goods_tag", json!("mingfen:a,b,c,d,e,f,g,h,i")),
        field("goods_tag", json!("mingfen:a;agent")),
        field("goods_tag", json!("mingfen:a;AGENT=agent:A1")),
        field("goods_tag", json!("mingfen:a;agent=agent:A1;store=store:S1")),
        field("goods_tag", json!("mingfen:a;agent=merchant")),
        field("sub_mchid", Value::Null),
        json!([]),
    ];
    for order in &cases {
        let answer = shop.place(order).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{order}");
        shop.assert_signed(&answer);
    }
    for body in [&b""[..], b"{", b"\xff\xfe", b"null", b"{\"amount\":{\"total\":1,\"total\":2}}"] {
        let answer = shop.call(Method::POST, NATIVE, body).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()));
    }
    let long = with(&order, "detail", json!("x".repeat(70_000))).to_string();
    let answer = shop.call(Method::POST, NATIVE, long.as_bytes()).await;
    assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()));
    assert_eq!(shop.rows().await, before);
    assert!(shop.institution.calls().is_empty());
}

#[actix_web::test]
async fn plain_http_notify_urls_are_refused_where_private_addresses_are_not_allowed() {
    let shop = Shop::open_strict().await;
    let before = shop.rows().await;
    let answer = shop.place(&shop.order("ORDER-1")).await;
    assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()));
    assert_eq!(answer.json()["detail"]["field"], "/notify_url");
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn unknown_foreign_and_suspended_merchants_are_refused_alike() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let order = shop.order("ORDER-1");
    for (field, value) in [
        ("sub_mchid", "M9999"),
        ("sub_mchid", "190001"),
        ("sub_mchid", shop.foreign_sub_mchid.as_str()),
        ("sub_mchid", shop.idle_sub_mchid.as_str()),
        ("sp_mchid", "1900000099"),
    ] {
        let answer = shop.place(&with(&order, field, json!(value))).await;
        assert_eq!(answer.refusal(), (403, "NO_AUTH".to_owned()), "{value}");
        shop.assert_signed(&answer);
    }
    assert_eq!(shop.rows().await, before);
    let target = format!(
        "/v3/pay/partner/transactions/out-trade-no/ORDER-1?sp_mchid={}&sub_mchid={}",
        shop.sp_mchid(),
        shop.foreign_sub_mchid
    );
    assert_eq!(shop.call(Method::GET, &target, b"").await.refusal(), (403, "NO_AUTH".to_owned()));
}

#[actix_web::test]
async fn an_order_that_is_not_there_is_told_in_the_documented_shape() {
    let shop = Shop::open().await;
    let not_there = (404, "ORDER_NOT_EXIST".to_owned());
    assert_eq!(shop.query("NO-SUCH-ORDER").await.refusal(), not_there);
    assert_eq!(shop.close("NO-SUCH-ORDER").await.refusal(), not_there);
    let target = format!(
        "/v3/pay/partner/transactions/id/4200000000?sp_mchid={}&sub_mchid={}",
        shop.sp_mchid(),
        shop.sub_mchid
    );
    assert_eq!(shop.call(Method::GET, &target, b"").await.refusal(), not_there);
    let answer = shop.call(Method::GET, "/v3/no/such/thing", b"").await;
    assert_eq!(answer.refusal(), (404, "RESOURCE_NOT_EXISTS".to_owned()));
    Shop::assert_unsigned(&answer);
}

#[actix_web::test]
async fn another_method_is_refused_in_the_documented_shape_and_a_control_character_finds_nothing() {
    let shop = Shop::open().await;
    let answer = shop.call(Method::GET, NATIVE, b"").await;
    assert_eq!(answer.refusal(), (404, "RESOURCE_NOT_EXISTS".to_owned()));
    Shop::assert_unsigned(&answer);
    for kind in ["id", "out-trade-no"] {
        let target = format!(
            "/v3/pay/partner/transactions/{kind}/ORDER%00-1?sp_mchid={}&sub_mchid={}",
            shop.sp_mchid(),
            shop.sub_mchid
        );
        let answer = shop.call(Method::GET, &target, b"").await;
        assert_eq!(answer.refusal(), (404, "ORDER_NOT_EXIST".to_owned()), "{kind}");
    }
}

#[actix_web::test]
async fn answers_are_signed_with_the_key_that_the_caller_wants() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let keys = shop.app.known_keys().wechat.clone();
    let by_default = shop.query("ORDER-1").await;
    assert_eq!(by_default.stamp().serial, keys.serial);
    assert_eq!(by_default.headers["content-type"], "application/json; charset=utf-8");
    assert!(by_default.headers.contains_key("request-id"));
    let by_id = shop.query_with_serial("ORDER-1", &keys.public_key_id).await;
    assert_eq!(by_id.stamp().serial, keys.public_key_id);
    for unknown in ["PUB_KEY_ID_0", "ABCDEF", &keys.serial] {
        let answer = shop.query_with_serial("ORDER-1", unknown).await;
        assert_eq!(answer.stamp().serial, keys.serial, "{unknown}");
    }
    let closed = shop.close("ORDER-1").await;
    assert_eq!((closed.status, closed.body.len()), (204, 0));
    for answer in [&by_default, &by_id, &closed] {
        shop.assert_signed(answer);
    }
    let shop = Shop::open_in_public_key_mode().await;
    let keys = &shop.app.known_keys().wechat;
    assert_eq!(shop.query("NO-SUCH-ORDER").await.stamp().serial, keys.public_key_id);
    assert_eq!(shop.query_with_serial("NO-SUCH-ORDER", &keys.serial).await.stamp().serial, keys.serial);
}

#[actix_web::test]
async fn certificates_open_with_the_callers_key_and_verify_our_answers() {
    let shop = Shop::open().await;
    let answer = shop.call(Method::GET, "/v3/certificates", b"").await;
    assert_eq!(answer.status, 200);
    let certificates = certificates::open(&shop.apiv3_key, &answer.body).unwrap();
    let stamp = answer.stamp();
    let ours = certificates.iter().find(|certificate| certificate.serial == stamp.serial).unwrap();
    assert!(stamp.verify(&ours.public_key, &answer.body));
}

#[actix_web::test]
async fn a_lost_answer_leaves_the_order_unknown_and_the_same_request_finds_it_under_the_same_number() {
    for how in [Misbehave::LoseAnswer, Misbehave::Fail, Misbehave::BadSignature] {
        let shop = Shop::open().await;
        shop.institution.misbehave(how);
        let answer = shop.place(&shop.order("ORDER-1")).await;
        assert_eq!(answer.refusal(), (500, "SYSTEM_ERROR".to_owned()), "{how:?}");
        assert_eq!(shop.state("ORDER-1").await, "UNKNOWN", "{how:?}");
        let order_no = shop.order_no("ORDER-1").await;
        let again = shop.place(&shop.order("ORDER-1")).await;
        assert_eq!(again.refusal(), (500, "SYSTEM_ERROR".to_owned()), "{how:?}");
        shop.institution.misbehave(Misbehave::No);
        assert_eq!(shop.place(&shop.order("ORDER-1")).await.status, 200, "{how:?}");
        assert_eq!(shop.state("ORDER-1").await, "PAYING", "{how:?}");
        let calls = shop.institution.calls();
        let expected = ["native", "query", "query", "native"].map(|call| format!("{call} {order_no}"));
        assert_eq!(calls, expected, "{how:?}");
        assert_eq!(shop.rows().await["pay_order"], 1);
    }
}

#[actix_web::test]
async fn an_institution_that_does_not_answer_in_time_leaves_the_order_unknown() {
    let shop = Shop::open_impatient().await;
    shop.institution.misbehave(Misbehave::Down);
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.refusal(), (500, "SYSTEM_ERROR".to_owned()));
    assert_eq!(shop.state("ORDER-1").await, "UNKNOWN");
    assert_eq!(shop.query("ORDER-1").await.refusal(), (500, "SYSTEM_ERROR".to_owned()));
}

#[actix_web::test]
async fn unknown_orders_are_resolved_by_asking_whatever_became_of_them() {
    let shop = Shop::open().await;
    // Arrived, answer lost; later paid.
    shop.institution.misbehave(Misbehave::LoseAnswer);
    for number in ["ORDER-1", "ORDER-2", "ORDER-3"] {
        shop.place(&shop.order(number)).await;
    }
    // Never arrived.
    shop.institution.misbehave(Misbehave::Fail);
    shop.place(&shop.order("ORDER-4")).await;
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 0);
    shop.institution.misbehave(Misbehave::No);
    let paid = shop.order_no("ORDER-1").await;
    let lost = shop.institution.pay(&paid);
    shop.institution.set_state(&shop.order_no("ORDER-2").await, TradeState::Closed);
    let mut sent: Vec<String> = shop.institution.calls();
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 4);
    for (number, state) in
        [("ORDER-1", "PAID"), ("ORDER-2", "CLOSED"), ("ORDER-3", "PAYING"), ("ORDER-4", "PAYING")]
    {
        assert_eq!(shop.state(number).await, state, "{number}");
    }
    // Everything that was ever sent carries one of the four numbers.
    sent.extend(shop.institution.calls());
    let mut numbers: Vec<&str> = sent.iter().filter_map(|call| call.split(' ').nth(1)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
    let before = shop.rows().await;
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 0);
    assert_eq!(shop.notify(&lost).await.status, 204);
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn an_unknown_order_that_expired_and_never_arrived_is_closed_not_sent() {
    let shop = Shop::open().await;
    shop.institution.misbehave(Misbehave::Fail);
    shop.place(&shop.order("ORDER-1")).await;
    shop.institution.misbehave(Misbehave::No);
    shop.app.clock.advance(2 * 3600 + 1);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 1);
    assert_eq!(shop.state("ORDER-1").await, "CLOSED");
    assert_eq!(shop.institution.calls().iter().filter(|call| call.starts_with("native")).count(), 1);
}

#[actix_web::test]
async fn an_order_that_a_crash_left_behind_unsent_is_taken_up() {
    let shop = Shop::open().await;
    let order_no = shop.left_behind("ORDER-1").await;
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 0);
    shop.app.clock.advance(61);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 1);
    assert_eq!(shop.institution.calls(), ["query", "native"].map(|call| format!("{call} {order_no}")));
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
}

#[actix_web::test]
async fn a_definite_refusal_closes_the_order_and_its_number_stays_used() {
    let shop = Shop::open().await;
    shop.institution.misbehave(Misbehave::Refuse);
    let closed = (400, "ORDER_CLOSED".to_owned());
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.refusal(), closed);
    shop.institution.misbehave(Misbehave::No);
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.refusal(), closed);
    assert_eq!(shop.institution.calls().len(), 1);
    assert_eq!(shop.query("ORDER-1").await.json()["trade_state"], "CLOSED");
}

#[actix_web::test]
async fn an_institution_that_does_not_let_us_in_leaves_the_order_open_until_that_is_put_right() {
    let shop = Shop::open().await;
    shop.institution.misbehave(Misbehave::Forbid);
    for _ in 0..2 {
        let answer = shop.place(&shop.order("ORDER-1")).await;
        assert_eq!(answer.refusal(), (500, "SYSTEM_ERROR".to_owned()));
        assert_eq!(shop.state("ORDER-1").await, "UNKNOWN");
    }
    shop.institution.misbehave(Misbehave::No);
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.status, 200);
}

#[actix_web::test]
async fn an_order_sent_again_and_refused_is_closed_only_when_the_institution_never_had_it() {
    let shop = Shop::open().await;
    shop.institution.misbehave(Misbehave::LoseAnswer);
    shop.place(&shop.order("ORDER-1")).await;
    shop.institution.misbehave(Misbehave::Fail);
    shop.place(&shop.order("ORDER-2")).await;
    shop.institution.misbehave(Misbehave::RefuseOrders);
    let arrived = shop.place(&shop.order("ORDER-1")).await;
    assert_eq!(arrived.refusal(), (500, "SYSTEM_ERROR".to_owned()));
    assert_eq!(shop.state("ORDER-1").await, "UNKNOWN");
    let absent = shop.place(&shop.order("ORDER-2")).await;
    assert_eq!(absent.refusal(), (400, "ORDER_CLOSED".to_owned()));
    let order_no = shop.order_no("ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
}

#[actix_web::test]
async fn an_application_of_another_merchant_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let answer = shop.place(&with(&shop.order("ORDER-1"), "sp_appid", json!("wx0000000000000002"))).await;
    assert_eq!(answer.refusal(), (400, "APPID_MCHID_NOT_MATCH".to_owned()));
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn an_institution_that_asks_to_slow_down_is_asked_again_later() {
    let shop = Shop::open().await;
    shop.institution.misbehave(Misbehave::Busy);
    let answer = shop.place(&shop.order("ORDER-1")).await;
    assert_eq!(answer.refusal(), (429, "FREQUENCY_LIMITED".to_owned()));
    shop.institution.misbehave(Misbehave::No);
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.status, 200);
}

#[actix_web::test]
async fn a_paid_order_is_answered_by_both_numbers_and_neither_placed_nor_closed_again() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    let by_number = shop.query("ORDER-1").await.json();
    assert_eq!(by_number["trade_state"], "SUCCESS");
    assert_eq!(by_number["attach"], "own");
    assert_eq!(by_number["out_trade_no"], "ORDER-1");
    assert_eq!(by_number["sub_mchid"], shop.sub_mchid);
    assert_eq!(by_number["amount"]["payer_total"], 12345);
    let target = format!(
        "/v3/pay/partner/transactions/id/{}?sp_mchid={}&sub_mchid={}",
        by_number["transaction_id"].as_str().unwrap(),
        shop.sp_mchid(),
        shop.sub_mchid
    );
    assert_eq!(shop.call(Method::GET, &target, b"").await.json(), by_number);
    let before = shop.rows().await;
    let refused = (400, "INVALID_REQUEST".to_owned());
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.refusal(), refused);
    assert_eq!(shop.close("ORDER-1").await.refusal(), refused);
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn closing_is_safe_to_repeat_and_a_lost_answer_is_found_out() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.misbehave(Misbehave::LoseAnswer);
    assert_eq!(shop.close("ORDER-1").await.refusal(), (500, "SYSTEM_ERROR".to_owned()));
    assert_eq!(shop.state("ORDER-1").await, "UNKNOWN");
    shop.institution.misbehave(Misbehave::No);
    assert_eq!(shop.query("ORDER-1").await.json()["trade_state"], "CLOSED");
    let before = shop.rows().await;
    for _ in 0..2 {
        assert_eq!(shop.close("ORDER-1").await.status, 204);
    }
    assert_eq!(shop.rows().await, before);

    // The institution did not close it: it can be paid by its first code_url again.
    let second = shop.placed("ORDER-2").await;
    shop.institution.misbehave(Misbehave::Fail);
    assert_eq!(shop.close("ORDER-2").await.refusal(), (500, "SYSTEM_ERROR".to_owned()));
    shop.institution.misbehave(Misbehave::No);
    assert_eq!(tasks::resolve(&shop.app).await.unwrap(), 1);
    assert_eq!(shop.state("ORDER-2").await, "PAYING");
    let natives = shop.institution.calls().iter().filter(|call| call.starts_with("native")).count();
    assert_eq!(natives, 2, "{order_no} and {second} were sent once each");
}

#[actix_web::test]
async fn an_order_paid_while_its_merchant_closes_it_is_paid() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay(&order_no);
    assert_eq!(shop.close("ORDER-1").await.refusal(), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(shop.state("ORDER-1").await, "PAID");
}

fn trade_state(answer: &Answered) -> String {
    answer.json()["trade_state"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn an_order_can_be_queried_while_it_is_not_paid() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let answer = shop.query("ORDER-1").await;
    assert_eq!((answer.status, trade_state(&answer)), (200, "NOTPAY".to_owned()));
    assert!(answer.json().get("transaction_id").is_none());
}
