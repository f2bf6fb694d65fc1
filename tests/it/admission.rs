//! Who may call is decided by what is stored now, whatever a process remembers; a nonce counts with what it changes.
use futures_util::future::join_all;
use mingfen::merchants::credentials::{self, AnswerMode, NewCredential};
use mingfen::people::Actor;
use mingfen::protocol::wechat::sign::{Authorization, Signer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bundle;
use crate::support::shop::{Answered, Call, Shop, other_key};

const NATIVE: &str = "/v3/pay/partner/transactions/native";

fn signed(method: Method, target: &str, body: &[u8], authorization: &Authorization) -> Call {
    Call {
        method,
        target: target.to_owned(),
        body: body.to_vec(),
        headers: vec![("Authorization", authorization.to_string())],
    }
}

async fn placed_by(shop: &Shop, signer: &Signer, number: &str) -> Answered {
    let body = shop.order(number).to_string().into_bytes();
    let now = shop.app.clock.instant();
    let authorization = Authorization::sign(signer, now, "POST", NATIVE, &body).unwrap();
    shop.send(signed(Method::POST, NATIVE, &body, &authorization)).await
}

fn nonces(shop: &Shop) -> i64 {
    shop.app.raw().count("request_nonce")
}

#[actix_web::test]
async fn a_credential_that_another_process_revokes_or_changes_is_refused_or_changed_at_once() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    // Past this process: nothing tells it.
    let mut elsewhere = shop.app.raw();
    elsewhere.execute("UPDATE credential SET answer_mode = 'pubkey'").unwrap();
    let answer = shop.place(&shop.order("ORDER-2")).await;
    assert_eq!((answer.status, answer.stamp().serial.starts_with("PUB_KEY_ID_")), (200, true));
    elsewhere.execute("UPDATE credential SET answer_mode = 'cert'").unwrap();
    let answer = shop.place(&shop.order("ORDER-3")).await;
    assert_eq!((answer.status, answer.stamp().serial.starts_with("PUB_KEY_ID_")), (200, false));
    // Another key under the same serial: ours does not fit any more.
    let other = other_key();
    let pem = other.public_key().unwrap().to_pem().unwrap();
    elsewhere.execute(&format!("UPDATE credential SET public_key_pem = '{pem}'")).unwrap();
    assert_eq!(shop.place(&shop.order("ORDER-4")).await.refusal(), (401, "SIGN_ERROR".to_owned()));
    let turned = Signer { key: other, ..shop.signer.clone() };
    assert_eq!(placed_by(&shop, &turned, "ORDER-4").await.status, 200);
    let before = shop.rows().await;
    elsewhere.execute("UPDATE credential SET revoked_at = 1").unwrap();
    for _ in 0..2 {
        assert_eq!(placed_by(&shop, &turned, "ORDER-5").await.refusal(), (401, "SIGN_ERROR".to_owned()));
    }
    assert_eq!(shop.query("ORDER-1").await.refusal(), (401, "SIGN_ERROR".to_owned()));
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn a_new_credential_counts_at_once_beside_the_old_one() {
    let shop = Shop::open().await;
    let next = Signer { serial: "4F02".to_owned(), key: other_key(), ..shop.signer.clone() };
    assert_eq!(placed_by(&shop, &next, "ORDER-1").await.refusal(), (401, "SIGN_ERROR".to_owned()));
    let (tenant, key) = (shop.tenant_id, next.key.public_key().unwrap().to_pem().unwrap());
    let app = &shop.app;
    let new = NewCredential {
        platform_merchant_id: tenant,
        serial: "4f02",
        public_key_pem: &key,
        apiv3_key: shop.apiv3_key.expose(),
        answer_mode: AnswerMode::Certificate,
    };
    app.db.write_blocking(|tx| credentials::create(tx, &app.master_key, 1, &Actor::shell(), &new)).unwrap();
    assert_eq!(placed_by(&shop, &next, "ORDER-1").await.status, 200);
    assert_eq!(shop.place(&shop.order("ORDER-2")).await.status, 200);
}

#[actix_web::test]
async fn a_suspension_in_a_new_bundle_counts_at_once() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let now = shop.app.clock.instant();
    let name = format!("APR_SANDBOX_DEMO_{}_0001.json", now.business_day().to_i32());
    let ends = json!(now.to_cst());
    let merchants = [
        (shop.sub_mchid.as_str(), "190001", ends),
        (shop.foreign_sub_mchid.as_str(), "190002", Value::Null),
        (shop.idle_sub_mchid.as_str(), "190009", json!("2026-01-01T00:00:01+08:00")),
    ];
    let issued = now.to_cst();
    bundle::issue(&shop.app, &shop.institution, shop.institution_id, (&name, &issued), &merchants);
    let before = (shop.rows().await, nonces(&shop));
    assert_eq!(shop.place(&shop.order("ORDER-2")).await.refusal(), (403, "NO_AUTH".to_owned()));
    assert_eq!((shop.rows().await, nonces(&shop)), before);
    // What was placed can still be asked for.
    assert_eq!(shop.query("ORDER-1").await.status, 200);
}

#[actix_web::test]
async fn only_what_changes_something_leaves_a_nonce() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    assert_eq!(nonces(&shop), 1);
    // The same again is answered from the record, by another nonce that is spent now.
    assert_eq!(shop.place(&shop.order("ORDER-1")).await.status, 200);
    assert_eq!(nonces(&shop), 2);
    let mut other = shop.order("ORDER-1");
    other["description"] = json!("another");
    assert_eq!(shop.place(&other).await.refusal(), (400, "OUT_TRADE_NO_USED".to_owned()));
    other["amount"] = json!({"total": 0, "currency": "CNY"});
    assert_eq!(shop.place(&other).await.refusal(), (400, "PARAM_ERROR".to_owned()));
    for _ in 0..3 {
        assert_eq!(shop.query("ORDER-1").await.status, 200);
    }
    assert_eq!(nonces(&shop), 2);
    assert_eq!(shop.close("ORDER-1").await.status, 204);
    assert_eq!(nonces(&shop), 3);
    // It was closed already.
    assert_eq!(shop.close("ORDER-1").await.status, 204);
    assert_eq!(nonces(&shop), 3);
}

#[actix_web::test]
async fn a_replayed_query_is_answered_again_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let target = shop.query_target("ORDER-1");
    let authorization = shop.authorize("GET", &target, b"");
    let before = (shop.rows().await, nonces(&shop));
    for _ in 0..3 {
        let answer = shop.send(signed(Method::GET, &target, b"", &authorization)).await;
        assert_eq!((answer.status, answer.json()["trade_state"].as_str()), (200, Some("NOTPAY")));
        shop.assert_signed(&answer);
    }
    assert_eq!((shop.rows().await, nonces(&shop)), before);
    shop.app.clock.advance(6 * 60);
    let answer = shop.send(signed(Method::GET, &target, b"", &authorization)).await;
    assert_eq!(answer.refusal(), (401, "SIGN_ERROR".to_owned()));
}

#[actix_web::test]
async fn who_cannot_sign_does_not_learn_which_orders_there_are() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let mine = shop.authorize("GET", &shop.query_target("ORDER-2"), b"");
    // A signature of another request is none of these.
    for number in ["ORDER-1", "ORDER-3"] {
        let answer = shop.send(signed(Method::GET, &shop.query_target(number), b"", &mine)).await;
        assert_eq!(answer.refusal(), (401, "SIGN_ERROR".to_owned()), "{number}");
    }
}

#[actix_web::test]
async fn copies_of_one_signed_order_at_the_same_time_are_one_order() {
    let shop = Shop::open().await;
    let body = shop.order("ORDER-1").to_string().into_bytes();
    let authorization = shop.authorize("POST", NATIVE, &body);
    let copies = (0..8).map(|_| shop.send(signed(Method::POST, NATIVE, &body, &authorization)));
    let answers = join_all(copies).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.json()), (200, answers[0].json()));
        shop.assert_signed(answer);
    }
    assert_eq!((shop.rows().await["pay_order"], nonces(&shop)), (1, 1));
    let order_no = shop.order_no("ORDER-1").await;
    assert!(shop.institution.calls().iter().all(|call| call.ends_with(&order_no)));
}

#[actix_web::test]
async fn a_close_that_is_sent_again_is_answered_the_same_and_changes_nothing() {
    let shop = Shop::open().await;
    shop.placed("ORDER-1").await;
    let target = "/v3/pay/partner/transactions/out-trade-no/ORDER-1/close";
    let body = json!({"sp_mchid": shop.sp_mchid(), "sub_mchid": shop.sub_mchid}).to_string().into_bytes();
    let authorization = shop.authorize("POST", target, &body);
    assert_eq!(shop.send(signed(Method::POST, target, &body, &authorization)).await.status, 204);
    let before = (shop.rows().await, nonces(&shop), shop.institution.calls());
    for _ in 0..3 {
        let answer = shop.send(signed(Method::POST, target, &body, &authorization)).await;
        assert_eq!(answer.status, 204);
        shop.assert_signed(&answer);
    }
    assert_eq!((shop.rows().await, nonces(&shop), shop.institution.calls()), before);
}

#[actix_web::test]
async fn a_key_that_stands_twice_is_refused() {
    let shop = Shop::open().await;
    let before = shop.rows().await;
    let order = shop.order("ORDER-1").to_string();
    for twice in [
        order.replacen('{', r#"{"out_trade_no":"ORDER-2","#, 1),
        order.replacen(r#""total":"#, r#""total":1,"total":"#, 1),
        order.replacen('{', r#"{"detail":{"a":1,"a":2},"#, 1),
    ] {
        assert_ne!(twice, order);
        let answer = shop.call(Method::POST, NATIVE, twice.as_bytes()).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{twice}");
    }
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn the_digest_of_a_content_is_that_of_orders_stored_before() {
    let shop = Shop::open().await;
    let body = format!(
        "{{ \"sp_mchid\":\"{}\", \"sub_mchid\" : \"{}\",\"sp_appid\":{},\"out_trade_no\":\"ORDER-1\",\
         \"description\":\"\\u5546\u{54c1}\\/\",\"notify_url\":\"http://127.0.0.1:9/notify\",\
         \"amount\":{{\"total\":12345,\"currency\":\"CNY\"}},\"scene_info\":{{\"x\":[1,-2,1.50,true,null]}} }}",
        shop.sp_mchid(),
        shop.sub_mchid,
        shop.order("x")["sp_appid"],
    );
    assert_eq!(shop.call(Method::POST, NATIVE, body.as_bytes()).await.status, 200);
    // Parsed and printed by serde_json, as it always was.
    let printed = serde_json::from_str::<Value>(&body).unwrap().to_string();
    let digest = mingfen::kernel::digest::Digest::of(printed.as_bytes()).to_string();
    assert_eq!(shop.app.raw().texts("SELECT content_sha256 AS v FROM pay_order"), [digest]);
}
