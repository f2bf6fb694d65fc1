//! The platform before an institution that misbehaves: one test for each fault of the sandbox, which runs as a process
//! of its own. Each compares the order, what is stored, and how many requests reached the institution.
use mingfen::channels::RawKind;
use serde_json::json;

use crate::support::pair::Pair;
use crate::support::sandbox_process::eventually;

/// Rows of an order that was sent and answered.
const PLACED: [(&str, i64); 2] = [("pay_order", 1), ("order_event", 2)];
/// The remark that a payment became known by asking.
const ASKED: [(&str, i64); 1] = [("order_event", 1)];
/// Rows of a payment, however it became known.
const PAID: [(&str, i64); 4] = [("payment", 1), ("payment_key", 1), ("raw_message", 1), ("outbox", 1)];

fn system_error() -> (u16, String) {
    (500, "SYSTEM_ERROR".to_owned())
}

#[actix_web::test]
async fn without_a_fault_an_order_is_sent_once_paid_and_told_once() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    let order_no = pair.placed("ORDER-1").await;
    let placed = before.plus(&PLACED, &[("place", 1)]);
    assert_eq!(pair.facts().await, placed);
    pair.sandbox.pay(&order_no).await;
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 1, "sent": 1, "done": 1}));
    assert_eq!(pair.facts().await, placed.plus(&PAID, &[]));
    pair.assert_recorded_as_it_was("ORDER-1").await;
    assert_eq!(pair.resolve().await, 0);
}

#[actix_web::test]
async fn delay_a_payment_that_overtakes_the_answer_to_its_order_stays() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    pair.sandbox.fault("delay", "place", 1).await;
    let overtaking = async {
        let order_no = eventually("the order reaches the institution", async || {
            pair.sandbox.order_numbers().await.pop()
        })
        .await;
        pair.sandbox.pay(&order_no).await;
        assert_eq!(pair.sandbox.deliver().await["done"], 1);
        assert_eq!(pair.shop.state("ORDER-1").await, "PAID");
        pair.sandbox.no_faults().await;
    };
    let (answer, ()) = futures_util::join!(pair.place("ORDER-1"), overtaking);
    assert_ne!(answer.status, 500, "the order is known to be paid");
    pair.assert_recorded_as_it_was("ORDER-1").await;
    // One request, and no event that would bring the order back to waiting.
    let expected = before.plus(&[("pay_order", 1), ("order_event", 1)], &[("place", 1)]).plus(&PAID, &[]);
    assert_eq!(pair.facts().await, expected);
}

#[actix_web::test]
async fn timeout_leaves_the_order_unknown_and_it_is_sent_again_only_after_asking() {
    let pair = Pair::open_impatient().await;
    let before = pair.facts().await;
    pair.sandbox.fault("timeout", "place", 1).await;
    assert_eq!(pair.place("ORDER-1").await.refusal(), system_error());
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    assert_eq!(pair.sandbox.order_numbers().await, Vec::<String>::new());
    let unknown = before.plus(&PLACED, &[("place", 1)]);
    assert_eq!(pair.facts().await, unknown);
    assert_eq!(pair.resolve().await, 1);
    assert_eq!(pair.shop.state("ORDER-1").await, "PAYING");
    let order_no = pair.shop.order_no("ORDER-1").await;
    assert_eq!(pair.sandbox.order_numbers().await, [order_no]);
    assert_eq!(pair.facts().await, unknown.plus(&[("order_event", 1)], &[("query", 1), ("place", 1)]));
}

#[actix_web::test]
async fn lost_answer_of_an_order_that_was_paid_is_found_by_asking_and_never_sent_again() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    pair.sandbox.fault("lost_answer", "place", 1).await;
    assert_eq!(pair.place("ORDER-1").await.refusal(), system_error());
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    let order_no = pair.shop.order_no("ORDER-1").await;
    assert_eq!(
        pair.sandbox.order_numbers().await,
        std::slice::from_ref(&order_no),
        "the institution did take it"
    );
    pair.sandbox.pay(&order_no).await;

    assert_eq!(pair.resolve().await, 1);
    pair.assert_recorded_as_it_was("ORDER-1").await;
    assert_eq!(pair.shop.detail("ORDER-1").await.evidence.unwrap().kind, RawKind::QueryAnswer);
    let paid = before.plus(&PLACED, &[("place", 1), ("query", 1)]).plus(&PAID, &[]).plus(&ASKED, &[]);
    assert_eq!(pair.facts().await, paid);
    // The notification that was on its way all the time changes nothing any more.
    assert_eq!(pair.sandbox.deliver().await["done"], 1);
    assert_eq!(pair.facts().await, paid);
}

#[actix_web::test]
async fn lost_answer_to_a_close_is_found_by_asking() {
    let pair = Pair::open().await;
    let order_no = pair.placed("ORDER-1").await;
    let before = pair.facts().await;
    pair.sandbox.fault("lost_answer", "close", 1).await;
    assert_eq!(pair.shop.close("ORDER-1").await.refusal(), system_error());
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    assert_eq!(pair.sandbox.order(&order_no).await["state"], "CLOSED");
    assert_eq!(pair.resolve().await, 1);
    assert_eq!(pair.shop.state("ORDER-1").await, "CLOSED");
    assert_eq!(pair.facts().await, before.plus(&[("order_event", 2)], &[("close", 1), ("query", 1)]));
}

#[actix_web::test]
async fn duplicate_notifications_are_answered_alike_and_stored_once() {
    let pair = Pair::open().await;
    let order_no = pair.placed("ORDER-1").await;
    let before = pair.facts().await;
    pair.sandbox.fault("duplicate_notifications", "notification", 1).await;
    pair.sandbox.pay(&order_no).await;
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 1, "sent": 2, "done": 1}));
    pair.assert_recorded_as_it_was("ORDER-1").await;
    assert_eq!(pair.facts().await, before.plus(&PAID, &[]));
}

#[actix_web::test]
async fn reordered_notifications_are_each_stored_with_their_own_time_and_number() {
    let pair = Pair::open().await;
    for number in ["ORDER-1", "ORDER-2", "ORDER-3"] {
        let order_no = pair.placed(number).await;
        pair.sandbox.pay(&order_no).await;
        pair.advance(60).await;
    }
    let before = pair.facts().await;
    pair.sandbox.fault("reorder_notifications", "notification", 1).await;
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 3, "sent": 3, "done": 3}));
    assert_eq!(pair.sandbox.get("faults").await[0]["struck"], 1);
    let mut expected = before;
    for number in ["ORDER-1", "ORDER-2", "ORDER-3"] {
        pair.assert_recorded_as_it_was(number).await;
        expected = expected.plus(&PAID, &[]);
    }
    assert_eq!(pair.facts().await, expected);
    let (first, last) = (pair.payment("ORDER-1").await, pair.payment("ORDER-3").await);
    assert!(first.received_at > last.received_at && first.paid_at < last.paid_at, "they came newest first");
}

#[actix_web::test]
async fn server_error_is_no_failure_of_the_order_and_the_merchants_repetition_goes_on() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    pair.sandbox.fault("server_error", "place", 1).await;
    assert_eq!(pair.place("ORDER-1").await.refusal(), system_error());
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    let order_no = pair.shop.order_no("ORDER-1").await;
    assert_eq!(pair.placed("ORDER-1").await, order_no);
    assert_eq!(pair.shop.state("ORDER-1").await, "PAYING");
    assert_eq!(pair.sandbox.order_numbers().await, std::slice::from_ref(&order_no));
    assert_eq!(pair.sandbox.requests("place", &order_no).await, 2, "both under one number");
    let expected = before.plus(&PLACED, &[("place", 2), ("query", 1)]).plus(&[("order_event", 1)], &[]);
    assert_eq!(pair.facts().await, expected);
}

#[actix_web::test]
async fn too_many_requests_is_passed_on_and_the_same_order_goes_through_later() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    pair.sandbox.fault("too_many_requests", "place", 1).await;
    assert_eq!(pair.place("ORDER-1").await.refusal(), (429, "FREQUENCY_LIMITED".to_owned()));
    let order_no = pair.placed("ORDER-1").await;
    assert_eq!(pair.sandbox.order_numbers().await, std::slice::from_ref(&order_no));
    assert_eq!(pair.sandbox.requests("place", &order_no).await, 2, "both under one number");
    let expected = before.plus(&PLACED, &[("place", 2), ("query", 1)]).plus(&[("order_event", 1)], &[]);
    assert_eq!(pair.facts().await, expected);
    // While it lasts a query is not believed to say anything, either.
    pair.sandbox.fault("too_many_requests", "query", 1).await;
    pair.sandbox.pay(&order_no).await;
    pair.shop.query("ORDER-1").await;
    assert_eq!(pair.shop.state("ORDER-1").await, "PAYING");
}

#[actix_web::test]
async fn bad_signature_on_an_answer_is_not_believed_whatever_it_says() {
    let pair = Pair::open().await;
    let before = pair.facts().await;
    pair.sandbox.fault("bad_signature", "place", 1).await;
    let answer = pair.place("ORDER-1").await;
    assert_eq!(answer.refusal(), system_error());
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    let unknown = before.plus(&PLACED, &[("place", 1)]);
    assert_eq!(pair.facts().await, unknown);

    // A query that tells of the payment, badly signed: still unknown, nothing stored of it.
    let order_no = pair.shop.order_no("ORDER-1").await;
    pair.sandbox.pay(&order_no).await;
    pair.sandbox.fault("bad_signature", "query", 1).await;
    assert_eq!(pair.resolve().await, 0);
    assert_eq!(pair.shop.state("ORDER-1").await, "UNKNOWN");
    let asked = pair.facts().await;
    for (table, _) in PAID {
        assert_eq!(asked.rows[table], unknown.rows[table], "{table}");
    }
    assert_eq!(pair.resolve().await, 1);
    pair.assert_recorded_as_it_was("ORDER-1").await;
    assert_eq!(pair.facts().await, asked.plus(&PAID, &[("query", 1)]).plus(&ASKED, &[]));
}

#[actix_web::test]
async fn bad_signature_on_a_notification_stores_nothing_until_a_good_one_comes() {
    let pair = Pair::open().await;
    let order_no = pair.placed("ORDER-1").await;
    let before = pair.facts().await;
    pair.sandbox.fault("bad_signature", "notification", 1).await;
    pair.sandbox.pay(&order_no).await;
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 1, "sent": 1, "done": 0}));
    assert_eq!(pair.shop.state("ORDER-1").await, "PAYING");
    assert_eq!(pair.facts().await, before);
    assert_eq!(pair.sandbox.get("deliveries").await[0]["last_error"], "HTTP 401");
    pair.advance(15).await;
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 1, "sent": 1, "done": 1}));
    pair.assert_recorded_as_it_was("ORDER-1").await;
    assert_eq!(pair.facts().await, before.plus(&PAID, &[]));
}

#[actix_web::test]
async fn a_killed_institution_leaves_the_platform_serving_and_no_order_is_lost() {
    let mut pair = Pair::open().await;
    let first = pair.placed("ORDER-1").await;
    pair.sandbox.pay(&first).await;
    pair.sandbox.kill();

    let health = reqwest::get(format!("{}/healthz", pair.shop.base_url)).await.unwrap();
    assert_eq!(health.status(), 200);
    let ready = reqwest::get(format!("{}/readyz", pair.shop.base_url)).await.unwrap();
    assert_eq!(ready.status(), 200);
    for number in ["ORDER-2", "ORDER-3"] {
        assert_eq!(pair.place(number).await.refusal(), system_error());
        assert_eq!(pair.shop.state(number).await, "UNKNOWN");
    }
    assert_eq!(pair.resolve().await, 0);

    pair.sandbox.restart().await;
    pair.sandbox.follow(&pair.shop.app.clock).await;
    let numbers = [pair.shop.order_no("ORDER-2").await, pair.shop.order_no("ORDER-3").await];
    assert_eq!(pair.resolve().await, 2);
    for order_no in &numbers {
        assert_eq!(pair.sandbox.requests("place", order_no).await, 1);
        pair.sandbox.pay(order_no).await;
    }
    assert_eq!(pair.sandbox.deliver().await, json!({"due": 3, "sent": 3, "done": 3}));
    for number in ["ORDER-1", "ORDER-2", "ORDER-3"] {
        pair.assert_recorded_as_it_was(number).await;
    }
    assert_eq!(pair.sandbox.order_numbers().await.len(), 3);
    assert_eq!(pair.shop.rows().await["pay_order"], 3);
}
