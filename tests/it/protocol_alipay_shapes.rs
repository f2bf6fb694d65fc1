//! `biz_content` of Alipay's calls: amounts to the fen, bounds by name, and nothing lost of what is carried.
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::fields::{Carried, FieldFault, Fields, MAX_AMOUNT, MAX_CARRIED, yuan};
use mingfen::protocol::alipay::form::Form;
use mingfen::protocol::alipay::passback;
use mingfen::protocol::alipay::shapes::{BillAsked, Order, Pay, Refund, Which};
use mingfen::protocol::wechat::attach::{AttachFault, Declared};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-01-01 08:00:00 in Beijing.
fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

fn order() -> Value {
    json!({"out_trade_no": "T00001", "total_amount": "1.01", "subject": "商品 {大}`"})
}

fn read(value: &Value) -> Result<Order, FieldFault> {
    Order::read(&value.to_string(), moment())
}

fn with(field: &str, value: Value) -> Value {
    let mut order = order();
    order[field] = value;
    order
}

#[test]
fn amounts_are_exact_as_numbers_and_as_texts_or_refused() {
    let total = |written: &str| {
        let text = format!("{{\"out_trade_no\":\"T00001\",\"subject\":\"x\",\"total_amount\":{written}}}");
        Order::read(&text, moment()).map(|order| order.total.get())
    };
    for (written, fen) in [
        ("1.01", 101),
        ("1", 100),
        ("1.1", 110),
        ("0.01", 1),
        ("1.10", 110),
        ("100000000", 10_000_000_000),
        ("100000000.00", 10_000_000_000),
        ("99999999.99", 9_999_999_999),
    ] {
        assert_eq!(total(written), Ok(fen), "{written}");
        assert_eq!(total(&format!("\"{written}\"")), Ok(fen), "{written}");
    }
    for written in [
        "0.001",
        "1e2",
        "1E2",
        "100000000.01",
        "9007199254740993",
        "-1",
        "-0.01",
        "0",
        "0.00",
        "1.010",
        "0.30000000000000004",
        "true",
        "[1]",
        "{}",
        "null",
        "\"\"",
        "\" 1\"",
        "\"+1\"",
        "\"01\"",
        "\"1.\"",
        "\".5\"",
        "\"1_0\"",
        "\"1,000.00\"",
        "\"¥1\"",
        "\"NaN\"",
        "\"１\"",
    ] {
        let fault = total(written).unwrap_err();
        assert_eq!(fault.field, "total_amount", "{written}");
    }
    for written in ["1e2", "-1", "0.001", "100000000.01"] {
        assert!(total(&format!("\"{written}\"")).is_err(), "{written}");
    }
    // What JSON itself refuses.
    for written in ["01", "+1", ".5", "1.", "0x1", "1e999"] {
        assert_eq!(total(written).unwrap_err().field, "biz_content", "{written}");
    }
}

#[test]
fn what_is_not_ours_is_carried_as_it_was_written_and_what_is_ours_is_not() {
    let text = r#"{"out_trade_no":123456,"total_amount":1.10,"subject":"x","body":null,"seller_id":"2088",
        "sub_merchant":{"merchant_id":"M1001"},"settle_info":{"settle_detail_infos":[]},"buyer_id":"2088102",
        "notify_url":"https://shop.example/n","trans_currency":"CNY","passback_params":"mine=1","timeout_express":"90m","discountable_amount":0.10,
        "goods_detail":[{"price":12345678901234567890.10,"goods_id":"G1"}],
        "extend_params":{"sys_service_provider_id":"2088","royalty_freeze":"true","hb_fq_num":"3"}}"#;
    let order = Order::read(text, moment()).unwrap();
    assert_eq!((order.out_trade_no.as_str(), order.total), ("123456", Fen::new(110)));
    assert_eq!((order.merchant.as_deref(), order.seller_id.as_deref()), (Some("M1001"), Some("2088")));
    assert_eq!(order.passback_params.as_deref(), Some("mine=1"));
    assert_eq!(order.notify_url.as_deref(), Some("https://shop.example/n"));
    assert_eq!((order.declared, order.payer.buyer_id.as_deref()), (None, Some("2088102")));
    assert_eq!(order.expires_at, Some(moment().plus(5400)));
    assert_eq!(order.carried.get("discountable_amount"), Some("0.10"));
    assert_eq!(order.carried.get("extend_params"), Some(r#"{"hb_fq_num":"3"}"#));
    let kept: Carried = serde_json::from_str(&serde_json::to_string(&order.carried).unwrap()).unwrap();
    let sent = kept.content(&json!({"subject": "ours", "discountable_amount": "0.05"})).unwrap();
    assert_eq!(
        sent,
        r#"{"discountable_amount":"0.05","extend_params":{"hb_fq_num":"3"},"goods_detail":[{"price":12345678901234567890.10,"goods_id":"G1"}],"subject":"ours"}"#
    );
    let plain = read(&with("extend_params", json!({"royalty_freeze": "true"}))).unwrap();
    assert!(plain.carried.is_empty() && plain.payer.is_unknown() && plain.expires_at.is_none());
}

#[test]
fn every_field_of_an_order_out_of_bounds_is_named() {
    for (field, value) in [
        ("out_trade_no", json!("")),
        ("out_trade_no", json!(null)),
        ("out_trade_no", json!("T 1")),
        ("out_trade_no", json!("T".repeat(65))),
        ("out_trade_no", json!(["T1"])),
        ("subject", json!("")),
        ("subject", json!("a\u{202e}b")),
        ("subject", json!("分".repeat(257))),
        ("royalty_info", json!({"royalty_detail_infos": []})),
        ("settle_info", json!("x")),
        ("sub_merchant", json!("M1001")),
        ("extend_params", json!([1])),
        ("seller_id", json!("2".repeat(33))),
        ("notify_url", json!("x".repeat(256))),
        ("trans_currency", json!("USD")),
        ("settle_currency", json!("HKD")),
        ("passback_params", json!("x".repeat(513))),
        ("passback_params", json!("mingfen:vip")),
        ("buyer_open_id", json!({})),
        ("time_expire", json!("2026-01-01T09:00:00")),
        ("time_expire", json!("2026-01-01 08:00:00")),
        ("time_expire", json!("2026-01-17 08:00:00")),
        ("timeout_express", json!("0m")),
        ("timeout_express", json!("16d")),
        ("timeout_express", json!("+1d")),
        ("timeout_express", json!("1.5h")),
        ("timeout_express", json!("90")),
    ] {
        assert_eq!(read(&with(field, value.clone())).unwrap_err().field, field, "{value}");
    }
    let deep = json!({"goods_detail": [{"goods_name": "a\u{0}b"}]});
    for value in [with("detail", deep), with("x", json!("y".repeat(MAX_CARRIED)))] {
        assert_eq!(read(&value).unwrap_err().field, "biz_content");
    }
    for text in ["", "{}x", "[]", "\u{feff}{}", r#"{"subject":"a","subject":"b"}"#, r#"{"a":{"b":1,"b":2}}"#]
    {
        assert_eq!(Fields::parse(text).unwrap_err().field, "biz_content", "{text}");
    }
}

#[test]
fn an_order_waits_until_the_moment_that_is_named() {
    let until = |field: &str, value: &str| read(&with(field, json!(value))).unwrap().expires_at.unwrap();
    assert_eq!(until("timeout_express", "1m"), moment().plus(60));
    assert_eq!(until("timeout_express", "2h"), moment().plus(7200));
    assert_eq!(until("timeout_express", "15d"), moment().plus(15 * 86_400));
    assert_eq!(until("timeout_express", "1c"), moment().plus(16 * 3600));
    assert_eq!(until("time_expire", "2026-01-01 08:00:01"), moment().plus(1));
    let mut both = with("timeout_express", json!("1m"));
    both["time_expire"] = json!("2026-01-01 09:00:00");
    assert_eq!(read(&both).unwrap().expires_at, Some(moment().plus(3600)));
}

#[test]
fn a_shown_code_is_needed_and_no_part_of_what_is_carried() {
    let pay = |value: Value| Pay::read(&value.to_string(), moment());
    let read = pay(with("auth_code", json!("280000000000000001"))).unwrap();
    assert_eq!(read.auth_code, "280000000000000001");
    assert_eq!(read.order.total, Fen::new(101));
    assert!(read.order.carried.is_empty());
    for code in ["", "28 0000000000000001", "280000000", &"2".repeat(65)] {
        assert_eq!(pay(with("auth_code", json!(code))).unwrap_err().field, "auth_code", "{code}");
    }
    assert_eq!(pay(order()).unwrap_err().field, "auth_code");
}

#[test]
fn an_order_is_named_by_either_number_and_refunds_by_their_own() {
    let which = |text: &str| Which::read(text);
    let asked =
        which(r#"{"trade_no":"2026","query_options":["trade_settle_info"],"operator_id":"O1"}"#).unwrap();
    assert_eq!((asked.trade_no.as_deref(), asked.out_trade_no.as_deref()), (Some("2026"), None));
    assert_eq!(asked.query_options, ["trade_settle_info"]);
    for text in ["{}", r#"{"out_trade_no":""}"#, r#"{"out_trade_no":"a/b"}"#] {
        assert_eq!(which(text).unwrap_err().field, "out_trade_no", "{text}");
    }
    assert_eq!(which(r#"{"trade_no":"1","query_options":"x"}"#).unwrap_err().field, "query_options");

    let refund = |text: &str| Refund::read(text);
    let asked = refund(
        r#"{"out_trade_no":"T1","refund_amount":0.07,"out_request_no":"R1","refund_reason":"坏","store_id":"S1"}"#,
    );
    let asked = asked.unwrap();
    assert_eq!((asked.amount, asked.out_request_no.as_deref()), (Fen::new(7), Some("R1")));
    assert_eq!((asked.reason.as_deref(), asked.carried.get("store_id")), (Some("坏"), Some("\"S1\"")));
    for (text, field) in [
        (r#"{"out_trade_no":"T1"}"#, "refund_amount"),
        (r#"{"refund_amount":"1"}"#, "out_trade_no"),
        (r#"{"out_trade_no":"T1","refund_amount":"0.001"}"#, "refund_amount"),
        (
            r#"{"out_trade_no":"T1","refund_amount":1,"refund_royalty_parameters":[]}"#,
            "refund_royalty_parameters",
        ),
    ] {
        assert_eq!(refund(text).unwrap_err().field, field, "{text}");
    }
}

#[test]
fn a_bill_is_asked_of_one_day() {
    let asked = |kind: &str, date: &str| {
        BillAsked::read(&json!({"bill_type": kind, "bill_date": date, "smid": "M1001"}).to_string())
    };
    let read = asked("trade", "2026-01-01").unwrap();
    assert_eq!((Some(read.day), read.smid.as_deref()), (BusinessDay::parse("20260101"), Some("M1001")));
    let query = |text: &str| BillAsked::read_query(&Form::parse(text.as_bytes(), b"").unwrap());
    assert_eq!(query("bill_type=trade&bill_date=2026-01-01&smid=M1001"), Ok(read));
    for (text, field) in [
        ("bill_date=2026-01-01", "bill_type"),
        ("bill_type=trade", "bill_date"),
        ("bill_type=trade&bill_date=2026-01", "bill_date"),
        ("bill_type=trade&bill_date=2026-01-01&smid=%FF", "smid"),
    ] {
        assert_eq!(query(text).unwrap_err().field, field, "{text}");
    }
    assert_eq!(asked("signcustomer", "2026-01-01").unwrap_err().field, "bill_type");
    for date in ["", "2026-01", "20260101", "2026-02-30", "2026-1-01"] {
        assert_eq!(asked("trade", date).unwrap_err().field, "bill_date", "{date}");
    }
}

#[test]
fn a_declaration_stands_at_the_head_of_passback_params() {
    let vip = Declared::parse("vip;agent=agent:A1").unwrap();
    let tags = Declared::parse("a,b").unwrap();
    for (text, expected) in [
        ("mine", Ok(None)),
        ("a=1;mingfen:vip;", Ok(None)),
        ("mingfen:vip;agent=agent:A1;", Ok(Some(vip.clone()))),
        ("mingfen:vip;agent=agent:A1;mine; too", Ok(Some(vip.clone()))),
        ("mingfen%3Avip%3Bagent%3Dagent%3AA1%3Bmine", Ok(Some(vip.clone()))),
        ("mingfen:b,a;", Ok(Some(tags.clone()))),
        ("mingfen:b,a;;mine", Ok(Some(tags))),
        ("mingfen:;;", Ok(Some(Declared::default()))),
        ("mingfen:", Err(AttachFault::NoPrefix)),
        ("mingfen:vip", Err(AttachFault::NoPrefix)),
        ("mingfen:vip;mine", Err(AttachFault::NoPrefix)),
        ("mingfen:v p;;", Err(AttachFault::Tag)),
        ("mingfen:;agent;", Err(AttachFault::Party)),
        ("mingfen:a,a;;", Err(AttachFault::Order)),
    ] {
        assert_eq!(passback::declared(text), expected, "{text}");
    }
    let tags = |n: usize| (0..n).map(|i| format!("{i}{}", "x".repeat(15))).collect::<Vec<_>>().join(",");
    assert!(passback::declared(&format!("mingfen:{};;", tags(7))).is_ok());
    assert_eq!(passback::declared(&format!("mingfen:{};;", tags(8))), Err(AttachFault::TooLong));

    let sent = passback::written(&vip).unwrap();
    assert_eq!(sent, "vip%3Bagent%3Dagent%3AA1%3B");
    assert_eq!(passback::read(&sent), Ok(vip.clone()));
    assert_eq!(passback::read("vip;agent=agent:A1;"), Ok(vip));
    assert_eq!(passback::written(&Declared::default()).unwrap(), "%3B%3B");
    assert_eq!(passback::read(";;"), Ok(Declared::default()));
    for text in ["", "vip", "vip;", ";;more", "%3B%3Bmore", "%253B%253B"] {
        assert!(passback::read(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn every_amount_that_alipay_takes_is_read_as_it_is_written(fen in 1_i64..=MAX_AMOUNT.get()) {
        prop_assert_eq!(yuan(&Fen::new(fen).yuan()), Some(Fen::new(fen)));
    }

    #[test]
    fn text_that_is_no_amount_is_none(text in "[0-9.eE+_ -]{0,14}") {
        let is_amount = text.split_once('.').map_or(
            text.len() <= 11 && !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()),
            |(whole, part)| {
                [whole, part].iter().all(|t| !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit()))
                    && part.len() <= 2 && whole.len() <= 11
            },
        ) && !(text.starts_with('0') && text.len() > 1 && !text.starts_with("0."));
        prop_assert_eq!(yuan(&text).is_some(), is_amount, "{}", text);
    }
}
