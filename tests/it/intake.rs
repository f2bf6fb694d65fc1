//! Notifications of the institution: what is stored, what is refused, and that nothing is stored twice.
use mingfen::channels::RawKind;
use mingfen::db::DbError;
use mingfen::db::columns::InstitutionId;
use mingfen::error::Error;
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::channel::ChannelName;
use mingfen::kernel::money::Fen;
use mingfen::orders::{Cause, Event, Outcome, PaymentFact};
use mingfen::people::security::SecurityKind;
use mingfen::protocol::wechat::shapes::{OrderView, TradeState};

use crate::support::database::Kind;
use crate::support::fact::paid_in_full;
use crate::support::institution::{Notice, view};
use crate::support::sandbox_process::eventually;
use crate::support::shop::{Shop, other_key};

fn changed(notice: &Notice, header: &str, value: &str) -> Notice {
    let mut notice = notice.clone();
    for (name, old) in &mut notice.headers {
        if name.eq_ignore_ascii_case(header) {
            *old = value.to_owned();
        }
    }
    notice
}

#[actix_web::test]
async fn a_verified_payment_is_stored_with_its_raw_message_and_a_note_for_the_merchant() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let before = shop.rows().await;
    let notice = shop.institution.pay(&order_no);
    assert_eq!(shop.notify(&notice).await.status, 204);
    let mut expected = before;
    for table in ["payment", "payment_key", "raw_message", "outbox", "ledger_entry"] {
        *expected.get_mut(table).unwrap() += 1;
    }
    *expected.get_mut("posting").unwrap() += 2;
    assert_eq!(shop.rows().await, expected);
    assert_eq!(shop.state("ORDER-1").await, "PAID");

    let detail = shop.detail("ORDER-1").await;
    let payment = detail.standing.payment.unwrap();
    assert_eq!(payment.paid, Fen::new(12345));
    assert_eq!(payment.preview_rule.as_deref(), Some("market-standard"));
    let evidence = detail.evidence.unwrap();
    assert_eq!(evidence.kind, RawKind::Notification);
    assert_eq!(evidence.sha256, mingfen::kernel::digest::Digest::of(&notice.body));
    assert_eq!(detail.delivery.unwrap().attempts, 0);
}

#[actix_web::test]
async fn a_forged_notification_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let good = shop.institution.pay(&order_no);
    let before = shop.rows().await;

    let mut altered = good.clone();
    altered.body[40] ^= 1;
    let mut foreign = shop.institution.clone();
    foreign.key = other_key();
    let mut bare = good.clone();
    bare.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Wechatpay-Signature"));
    let held = view(&shop.institution.held(&order_no).unwrap());
    let now = shop.app.clock.instant().get();
    let forged = [
        altered,
        foreign.notice(&order_no),
        bare,
        changed(&good, "Wechatpay-Serial", "00AA"),
        changed(&good, "Wechatpay-Nonce", "another"),
        changed(&good, "Wechatpay-Signature", "AAAA"),
        changed(&good, "Wechatpay-Timestamp", "yesterday"),
        shop.institution.notice_at(&held, Instant::new(now - 302)),
        shop.institution.notice_at(&held, Instant::new(now + 310)),
    ];
    for (n, notice) in forged.iter().enumerate() {
        let answer = shop.notify(notice).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (401, "FAIL"), "case {n}");
    }
    let answer = shop.notify_at("/notify/NOBODY/wechat", &good).await;
    assert_eq!(answer.status, 404);
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.notify(&good).await.status, 204);
    assert_eq!(shop.app.refusals(SecurityKind::NoticeUnsigned).await, 9);
    let who = "SELECT DISTINCT kind || ' ' || who || ' ' || origin AS v FROM security_event";
    assert_eq!(shop.app.raw().texts(who), ["notice.unsigned institution:SANDBOX 127.0.0.1"]);
}

#[actix_web::test]
async fn a_signed_message_that_tells_of_no_payment_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay(&order_no);
    let before = shop.rows().await;
    let paid = view(&shop.institution.held(&order_no).unwrap());
    let with = |change: &dyn Fn(&mut OrderView)| {
        let mut view = paid.clone();
        change(&mut view);
        shop.institution.notice_of(&view)
    };
    let mut other_apiv3_key = shop.institution.clone();
    other_apiv3_key.apiv3_key = mingfen::protocol::wechat::notification::ApiV3Key::generate().unwrap();
    let unusable = [
        other_apiv3_key.notice(&order_no),
        with(&|view| view.trade_state = TradeState::NotPay),
        with(&|view| view.sp_mchid = "1999999999".to_owned()),
        with(&|view| view.transaction_id = None),
        with(&|view| view.transaction_id = Some("a|b".to_owned())),
        with(&|view| view.success_time = Some("yesterday".to_owned())),
        with(&|view| view.trade_type = None),
        with(&|view| view.amount = None),
        with(&|view| view.amount.as_mut().unwrap().total = Fen::ZERO),
        with(&|view| view.amount.as_mut().unwrap().total = Fen::new(-5)),
        with(&|view| view.amount.as_mut().unwrap().total = Fen::new(1_000_000_000_001)),
    ];
    for (n, notice) in unusable.iter().enumerate() {
        assert_eq!(shop.notify(notice).await.status, 400, "case {n}");
    }
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
}

#[actix_web::test]
async fn the_same_payment_again_is_answered_the_same_and_changes_nothing() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let notice = shop.institution.pay(&order_no);
    assert_eq!(shop.notify(&notice).await.status, 204);
    let before = shop.rows().await;
    assert_eq!(shop.notify(&notice).await.status, 204);
    // A redelivery is sealed and signed anew; hours later, too.
    shop.app.clock.advance(6 * 3600);
    assert_eq!(shop.notify(&shop.institution.notice(&order_no)).await.status, 204);
    assert_eq!(shop.rows().await, before);
}

fn fact(shop: &Shop, order_no: &str, inst_order_no: &str, n: usize) -> PaymentFact {
    paid_in_full(
        (shop.institution_id, ChannelName::Wechat),
        order_no,
        inst_order_no,
        &shop.inst_merchant_no,
        Fen::new(12345),
        &format!("{inst_order_no} sealed anew {n}"),
    )
}

#[actix_web::test]
async fn a_message_at_the_limit_of_size_is_taken_and_a_longer_one_is_not() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay(&order_no);
    let mut said = view(&shop.institution.held(&order_no).unwrap());
    said.attach = Some("x".repeat(45_000));
    let sized = |length: usize| {
        let mut body = shop.institution.notice_of(&said).body;
        assert!(body.len() < length);
        // JSON may end in white space.
        body.resize(length, b' ');
        shop.institution.notice_of_bytes(body)
    };
    let before = shop.rows().await;
    assert_eq!(shop.notify(&sized(64 * 1024 + 1)).await.status, 413);
    assert_eq!(shop.rows().await, before);
    assert_eq!(shop.notify(&sized(64 * 1024)).await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
}

/// What became of payments that are submitted at the same time.
async fn outcomes(shop: &Shop, facts: Vec<PaymentFact>) -> Vec<Outcome> {
    let all = facts.into_iter().map(|fact| shop.app.intake.submit(fact));
    let told = futures_util::future::join_all(all).await;
    told.into_iter().map(Result::unwrap).collect()
}

#[actix_web::test]
async fn ten_thousand_repeats_do_not_grow_a_table() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let first = vec![fact(&shop, &order_no, "T1", 0), fact(&shop, "NOT-OURS", "T2", 0)];
    assert_eq!(outcomes(&shop, first).await, [Outcome::Stored, Outcome::Orphan]);
    let before = shop.rows().await;
    for round in 0..10 {
        let batch = (0..1000)
            .map(|n| {
                let (order_no, number) =
                    if n % 2 == 0 { (order_no.as_str(), "T1") } else { ("NOT-OURS", "T2") };
                fact(&shop, order_no, number, round * 1000 + n)
            })
            .collect();
        let outcomes = outcomes(&shop, batch).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Known));
    }
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn payments_that_come_together_are_told_of_each() {
    let shop = Shop::open().await;
    let (first, second) = (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await);
    let batch = vec![
        fact(&shop, &first, "T1", 1),
        fact(&shop, &second, "T2", 2),
        fact(&shop, &first, "T1", 3),
        fact(&shop, "NOT-OURS", "T3", 4),
        fact(&shop, &second, "T1", 5),
    ];
    use Outcome::{Conflict, Known, Orphan, Stored};
    assert_eq!(outcomes(&shop, batch).await, [Stored, Stored, Known, Orphan, Conflict]);
}

/// Payments of so many orders that no other test's are like.
async fn ready(shop: &Shop, count: usize) -> Vec<PaymentFact> {
    let mut facts = Vec::new();
    for n in 0..count {
        let order_no = shop.left_behind(&format!("ORDER-{n}")).await;
        facts.push(fact(shop, &order_no, &format!("T{n}"), n));
    }
    facts
}

#[actix_web::test]
async fn a_payment_that_the_database_refuses_hurts_no_other() {
    let shop = Shop::open().await;
    let mut facts = ready(&shop, 40).await;
    // Of no institution of ours: not even apart can it be kept.
    facts[20].institution_id = InstitutionId::new(999);
    let told =
        futures_util::future::join_all(facts.into_iter().map(|fact| shop.app.intake.submit(fact))).await;
    for (n, outcome) in told.iter().enumerate() {
        assert_eq!(outcome.as_ref().ok(), (n != 20).then_some(&Outcome::Stored), "{n}");
    }
    assert_eq!(shop.rows().await["payment"], 39);
}

#[actix_web::test]
async fn a_full_queue_refuses_and_loses_nothing_that_it_took() {
    let shop = Shop::open().await;
    let count = 2 * (2_048 + 256) + 500;
    let facts: Vec<PaymentFact> = (0..count).map(|n| fact(&shop, "NOT-OURS", &format!("T{n}"), n)).collect();
    let order_no = shop.placed("ORDER-1").await;
    let notice = shop.institution.pay(&order_no);
    // Nobody can write for a while.
    let mut elsewhere = shop.app.raw();
    elsewhere
        .execute(match Kind::of_this_run() {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN; LOCK TABLE orphan_payment IN ACCESS EXCLUSIVE MODE",
        })
        .unwrap();
    let waiting: Vec<_> = facts
        .into_iter()
        .map(|fact| {
            let intake = shop.app.intake.clone();
            actix_web::rt::spawn(async move { intake.submit(fact).await })
        })
        .collect();
    let lanes = if Kind::of_this_run() == Kind::Sqlite { 1 } else { 2 };
    eventually("every lane is full", async || {
        let refused = waiting.iter().filter(|one| one.is_finished()).count();
        (refused >= count - lanes * (2_048 + 256)).then_some(())
    })
    .await;
    let held = shop.notify(&notice).await;
    assert_eq!((held.status, held.headers["retry-after"].to_str().unwrap()), (503, "5"));
    elsewhere.execute("ROLLBACK").unwrap();
    let mut stored = 0;
    for outcome in waiting {
        match outcome.await.unwrap() {
            Ok(outcome) => {
                assert_eq!(outcome, Outcome::Orphan);
                stored += 1;
            }
            Err(error) => assert!(matches!(error, Error::Db(DbError::Unavailable)), "{error}"),
        }
    }
    assert!((2_048..count).contains(&stored), "{stored}");
    assert_eq!(shop.rows().await["orphan_payment"], i64::try_from(stored).unwrap());
    assert_eq!(shop.notify(&notice).await.status, 204);
}

#[actix_web::test]
async fn copies_of_one_payment_at_the_same_time_are_one_payment() {
    let shop = Shop::open().await;
    let (first, second) = (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await);
    // Half of the batches name the payments the other way round.
    let batches = (0..8).map(|n| {
        let mut batch = vec![fact(&shop, &first, "T1", n), fact(&shop, &second, "T2", n)];
        if n % 2 == 1 {
            batch.reverse();
        }
        outcomes(&shop, batch)
    });
    let outcomes = futures_util::future::join_all(batches).await;
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 2);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Known).count(), 14);
    let rows = shop.rows().await;
    assert_eq!((rows["payment"], rows["raw_message"], rows["outbox"]), (2, 2, 2));
}

#[actix_web::test]
async fn a_payment_of_an_unknown_order_is_kept_once_with_its_message() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay(&order_no);
    let mut unknown = view(&shop.institution.held(&order_no).unwrap());
    unknown.out_trade_no = "SBNOTOURS00000001".to_owned();
    let mut expected = shop.rows().await;
    for _ in 0..3 {
        assert_eq!(shop.notify(&shop.institution.notice_of(&unknown)).await.status, 204);
    }
    for table in ["orphan_payment", "raw_message"] {
        *expected.get_mut(table).unwrap() += 1;
    }
    assert_eq!(shop.rows().await, expected);
}

#[actix_web::test]
async fn a_payment_to_another_merchant_than_the_orders_is_kept_apart() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    shop.institution.pay(&order_no);
    let mut other = view(&shop.institution.held(&order_no).unwrap());
    other.sub_mchid = "999".to_owned();
    assert_eq!(shop.notify(&shop.institution.notice_of(&other)).await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "PAYING");
    assert_eq!(shop.rows().await["orphan_payment"], 1);
}

#[actix_web::test]
async fn a_second_payment_of_one_order_is_kept_apart_and_the_first_stands() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let first = shop.institution.pay(&order_no);
    assert_eq!(shop.notify(&first).await.status, 204);
    let second = shop.institution.pay_amount(&order_no, Fen::new(1));
    assert_eq!(shop.notify(&second).await.status, 204);
    let rows = shop.rows().await;
    assert_eq!((rows["payment"], rows["orphan_payment"], rows["outbox"]), (1, 1, 1));
    assert_eq!(shop.detail("ORDER-1").await.standing.payment.unwrap().paid, Fen::new(12345));
}

#[actix_web::test]
async fn a_closed_order_that_was_paid_is_paid() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    assert_eq!(shop.close("ORDER-1").await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "CLOSED");
    assert_eq!(shop.notify(&shop.institution.pay(&order_no)).await.status, 204);
    assert_eq!(shop.state("ORDER-1").await, "PAID");
    let told: Vec<&str> =
        shop.detail("ORDER-1").await.timeline.iter().map(|entry| entry.event.kind().as_str()).collect();
    assert_eq!(told, ["CREATED", "PAYING", "CLOSED", "LATE_PAYMENT"]);
}

#[actix_web::test]
async fn another_amount_is_kept_as_the_institution_says_and_remarked_and_pays_nothing() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let notice = shop.institution.pay_amount(&order_no, Fen::new(12000));
    assert_eq!(shop.notify(&notice).await.status, 204);
    let detail = shop.detail("ORDER-1").await;
    assert_eq!(detail.standing.payment, None);
    let last = detail.timeline.last().unwrap();
    assert_eq!(last.event, Event::AmountDiffers(Cause::paid(Fen::new(12000))));
    assert_eq!(detail.standing.order.amount, Fen::new(12345));
    assert_eq!(last.evidence.as_ref().unwrap().kind, RawKind::Notification);
    let rows = shop.rows().await;
    assert_eq!((rows["payment"], rows["orphan_payment"], rows["outbox"]), (0, 1, 0));
}

#[actix_web::test]
async fn the_same_number_with_other_facts_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let (first, second) = (shop.placed("ORDER-1").await, shop.placed("ORDER-2").await);
    assert_eq!(shop.notify(&shop.institution.pay(&first)).await.status, 204);
    let before = shop.rows().await;
    let said = view(&shop.institution.held(&first).unwrap());
    let mut amount = said.clone();
    amount.amount.as_mut().unwrap().total = Fen::new(1);
    let mut time = said.clone();
    time.success_time = Some("2026-01-01T00:00:00+08:00".to_owned());
    let mut order = said.clone();
    order.out_trade_no = second;
    for other in [amount, time, order] {
        assert_eq!(shop.notify(&shop.institution.notice_of(&other)).await.status, 400);
    }
    assert_eq!(shop.rows().await, before);
}

#[actix_web::test]
async fn a_query_that_was_faster_than_the_notification_is_the_payment() {
    let shop = Shop::open().await;
    let order_no = shop.placed("ORDER-1").await;
    let notice = shop.institution.pay(&order_no);
    let answer = shop.query("ORDER-1").await;
    assert_eq!((answer.status, answer.json()["trade_state"].as_str().unwrap()), (200, "SUCCESS"));
    let detail = shop.detail("ORDER-1").await;
    assert_eq!(detail.evidence.unwrap().kind, RawKind::QueryAnswer);
    assert_eq!(detail.timeline.last().unwrap().event.kind().as_str(), "QUERIED");
    let before = shop.rows().await;
    assert_eq!(shop.notify(&notice).await.status, 204);
    assert_eq!(shop.rows().await, before);
}
