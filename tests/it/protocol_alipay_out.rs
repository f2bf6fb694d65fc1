//! Alipay OpenAPI as we ask an institution in it: what we send is what is read of it, and certificates by their numbers.
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::answers::Yuan;
use mingfen::protocol::alipay::calls::{AskBill, GiveBack, Named, Place, is_out_trade_no};
use mingfen::protocol::alipay::certificates::{number_of, roots_of};
use mingfen::protocol::alipay::fields::{Carried, MAX_AMOUNT};
use mingfen::protocol::alipay::passback;
use mingfen::protocol::alipay::shapes::{BillAsked, Order, Pay, Payer, Refund, Which};
use mingfen::protocol::wechat::attach::Declared;
use proptest::prelude::*;
use serde_json::{Value, json};

const APP: &str = include_str!("../vectors/alipay/app.crt");
const ROOTS: &str = include_str!("../vectors/alipay/roots.crt");

fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

fn place() -> Place<'static> {
    Place {
        out_trade_no: "DEMO01",
        total: Fen::new(110),
        subject: "商品 {\"大\"}",
        expires_at: Some(moment().plus(600)),
        inst_merchant_no: "191001",
        passback_params: "vip%3B%3B",
        payer: None,
        auth_code: None,
    }
}

#[test]
fn an_order_is_sent_with_what_it_carries_and_nothing_of_ours_can_be_carried_over() {
    let carried: Carried = serde_json::from_str(
        r#"{"goods_detail":[{"price":1.10}],"total_amount":"0.01","passback_params":"x","body":"大"}"#,
    )
    .unwrap();
    let sent: Value = serde_json::from_str(&place().content(&carried).unwrap()).unwrap();
    assert_eq!(
        sent,
        json!({"out_trade_no": "DEMO01", "total_amount": "1.10", "subject": "商品 {\"大\"}",
            "time_expire": "2026-01-01 08:10:00", "sub_merchant": {"merchant_id": "191001"},
            "passback_params": "vip%3B%3B", "goods_detail": [{"price": 1.10}], "body": "大"})
    );
    let payer = Payer { buyer_open_id: Some("o1".into()), op_app_id: Some("2021".into()), buyer_id: None };
    let created = Place { payer: Some(&payer), ..place() }.content(&Carried::default()).unwrap();
    assert_eq!(Order::read(&created, moment()).unwrap().payer, payer);
    let scanned = Place { auth_code: Some("280000000000000001"), ..place() };
    let scene = |carried: &str| {
        let carried: Carried = serde_json::from_str(carried).unwrap();
        let sent = scanned.content(&carried).unwrap();
        assert_eq!(Pay::read(&sent, moment()).unwrap().auth_code, "280000000000000001");
        serde_json::from_str::<Value>(&sent).unwrap()["scene"].clone()
    };
    assert_eq!((scene("{}"), scene(r#"{"scene":"wave_code"}"#)), (json!("bar_code"), json!("wave_code")));
}

#[test]
fn every_other_call_is_read_as_it_is_sent() {
    let text = |value: Value| value.to_string();
    let which = Which::read(&text(json!(Named { out_trade_no: "DEMO_01" }))).unwrap();
    assert_eq!((which.out_trade_no.as_deref(), which.trade_no), (Some("DEMO_01"), None));
    let back = GiveBack {
        out_trade_no: "DEMO01",
        refund_amount: Yuan(Fen::new(7)),
        out_request_no: "DEMOR1",
        refund_reason: None,
    };
    let read = Refund::read(&text(json!(back))).unwrap();
    assert_eq!(
        (read.amount, read.out_request_no.as_deref(), read.reason),
        (Fen::new(7), Some("DEMOR1"), None)
    );
    let day = BusinessDay::parse("20260101").unwrap();
    assert_eq!(BillAsked::read(&text(json!(AskBill::of(day)))).unwrap().day, day);
    assert_eq!(json!(AskBill::of(day)), json!({"bill_type": "trade", "bill_date": "2026-01-01"}));
    for (number, fits) in [("DEMO_01", true), ("DEMO-01", false), ("", false), ("名", false)] {
        assert_eq!(is_out_trade_no(number), fits, "{number}");
    }
    assert!(is_out_trade_no(&"x".repeat(64)) && !is_out_trade_no(&"x".repeat(65)));
}

#[test]
fn certificates_have_the_numbers_that_two_stock_sdks_compute() {
    let app = "780609eb034f7e121784ddf292176e2e";
    let (first, last) = ("126655b0da14c82d1638c5aa2bbdf09b", "18de343fea8d13ad4cad64279a22140b");
    assert_eq!(number_of(APP).unwrap(), app);
    assert_eq!(number_of(ROOTS).unwrap(), first);
    // Of three roots one is of another algorithm.
    assert_eq!(ROOTS.matches("BEGIN").count(), 3);
    assert_eq!(roots_of(ROOTS).unwrap(), format!("{first}_{last}"));
    assert_eq!(roots_of(APP).unwrap(), app);
    let elliptic = ROOTS.split("\n\n").nth(1).unwrap();
    assert!(number_of(elliptic).is_ok() && roots_of(elliptic).is_err());
    for text in ["", "x", &APP[..400], include_str!("../vectors/wechat/public_key.pem")] {
        assert!(number_of(text).is_err() && roots_of(text).is_err(), "{text:.40}");
    }
    assert!(roots_of(&APP.repeat(65)).is_err(), "so many are no list of roots");
}

proptest! {
    #[test]
    fn an_order_that_we_send_says_what_we_meant(
        fen in 1_i64..=MAX_AMOUNT.get(),
        number in "[0-9A-Za-z_]{6,32}",
        subject in "[a-z{}\"\\\\明 &=%+]{1,40}",
        tags in proptest::collection::btree_set("[0-9A-Za-z_-]{1,8}", 0..4),
    ) {
        let declared = Declared { tags: tags.into_iter().collect(), ..Declared::default() };
        let passback_params = passback::written(&declared).unwrap();
        let sent = Place {
            out_trade_no: &number,
            total: Fen::new(fen),
            subject: &subject,
            passback_params: &passback_params,
            ..place()
        };
        let read = Order::read(&sent.content(&Carried::default()).unwrap(), moment()).unwrap();
        prop_assert_eq!((read.out_trade_no, read.total, read.subject), (number, Fen::new(fen), subject));
        prop_assert_eq!((read.merchant.as_deref(), read.expires_at), (Some("191001"), Some(moment().plus(600))));
        prop_assert_eq!(passback::read(&read.passback_params.unwrap()), Ok(declared));
        prop_assert!(read.carried.is_empty());
    }
}
