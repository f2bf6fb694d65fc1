//! JSON shapes, the attach prefix and error codes of WeChat Pay APIv3.
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::channel::Product;
use mingfen::kernel::money::Fen;
use mingfen::protocol::wechat::attach::{self, AttachFault, Declared};
use mingfen::protocol::wechat::errors::{ErrorBody, WechatCode};
use mingfen::protocol::wechat::order::{OrderRequest, Prepaid};
use mingfen::protocol::wechat::shapes::{OrderView, TradeState};
use mingfen::protocol::wechat::{product_of, trade_type_of};
use serde_json::{Value, json};

fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

fn native() -> Value {
    json!({
        "sp_appid": "wx1", "sp_mchid": "1900000001", "sub_mchid": "M1001", "description": "商品",
        "out_trade_no": "T00001", "notify_url": "https://shop.example/notify", "support_fapiao": true,
        "amount": {"total": 100, "currency": "CNY"}, "scene_info": {"payer_client_ip": "1.2.3.4"}
    })
}

#[test]
fn a_native_request_within_bounds_passes_and_what_is_documented_stays() {
    let mut body = native();
    body["undocumented"] = json!("x");
    let request: OrderRequest = serde_json::from_value(body).unwrap();
    assert_eq!(request.check(Prepaid::Native, moment()), Ok(()));
    assert_eq!(request.amount.total, Fen::new(100));
    // Of what we do not know nothing stays; of the rest everything.
    assert_eq!(serde_json::to_value(&request).unwrap(), native());
}

#[test]
fn every_field_of_a_native_request_out_of_bounds_is_named() {
    let cases = [
        ("/amount/total", json!(0), "amount.total"),
        ("/amount/total", json!(-1), "amount.total"),
        ("/amount/total", json!(1_000_000_000_001_i64), "amount.total"),
        ("/amount/currency", json!("USD"), "amount.currency"),
        ("/out_trade_no", json!("T1"), "out_trade_no"),
        ("/out_trade_no", json!("T".repeat(33)), "out_trade_no"),
        ("/out_trade_no", json!("T0000/1"), "out_trade_no"),
        ("/description", json!(""), "description"),
        ("/description", json!("分".repeat(128)), "description"),
        ("/description", json!("a`b"), "description"),
        ("/notify_url", json!("ftp://shop.example/"), "notify_url"),
        ("/notify_url", json!("https://shop.example/?a=1"), "notify_url"),
        ("/notify_url", json!("https://me:pw@shop.example/"), "notify_url"),
        ("/notify_url", json!("notify"), "notify_url"),
        ("/sub_mchid", json!(""), "sub_mchid"),
        ("/sp_mchid", json!("1 9"), "sp_mchid"),
        ("/attach", json!("x".repeat(129)), "attach"),
        ("/attach", json!("a\u{202e}b"), "attach"),
        ("/description", json!("a\u{200b}b"), "description"),
        ("/description", json!("a\0b"), "description"),
        ("/notify_url", json!("https://shop.example/a\tb"), "notify_url"),
        ("/goods_tag", json!("x".repeat(33)), "goods_tag"),
        ("/goods_tag", json!("a\u{feff}"), "goods_tag"),
        ("/sub_appid", json!(""), "sub_appid"),
        ("/limit_pay", json!(["no_credit", ""]), "limit_pay"),
        ("/scene_info", json!("a shop"), "scene_info"),
        ("/scene_info", json!({"device_id": "a\u{2066}b"}), "scene_info"),
        ("/detail", json!([1]), "detail"),
        ("/detail", json!({"goods_detail": [{"goods_name": "\u{7}"}]}), "detail"),
        ("/settle_info", json!({"subsidy_amount": 1}), "settle_info.subsidy_amount"),
        ("/time_expire", json!("tomorrow"), "time_expire"),
        ("/time_expire", json!("2026-01-01T08:00:00+08:00"), "time_expire"),
    ];
    for (pointer, value, field) in cases {
        let mut body = native();
        for optional in
            ["attach", "time_expire", "goods_tag", "sub_appid", "limit_pay", "detail", "settle_info"]
        {
            body[optional] = json!(null);
        }
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let request: OrderRequest = serde_json::from_value(body).unwrap();
        assert_eq!(request.check(Prepaid::Native, moment()).unwrap_err().field, field, "{pointer} = {value}");
    }
}

#[test]
fn amounts_that_are_not_whole_numbers_are_no_requests_at_all() {
    for total in ["1.5", "1.0", "1e2", "\"100\"", "null", "true", "9223372036854775808"] {
        let body = native().to_string().replace("\"total\":100", &format!("\"total\":{total}"));
        assert!(body.contains(total));
        assert!(serde_json::from_str::<OrderRequest>(&body).is_err(), "{total}");
    }
    let twice = native().to_string().replace("\"total\":100", "\"total\":100,\"total\":1");
    assert!(serde_json::from_str::<OrderRequest>(&twice).is_err());
}

#[test]
fn an_order_view_keeps_what_it_says_and_refuses_an_unknown_state() {
    let view = json!({
        "sp_appid": "wx1", "sp_mchid": "19", "sub_mchid": "M1001", "out_trade_no": "D1", "transaction_id": "42",
        "trade_type": "NATIVE", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
        "attach": ";;", "success_time": "2026-01-01T08:00:00+08:00", "payer": {"sp_openid": "o1"},
        "amount": {"total": 100, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY"}
    });
    let read: OrderView = serde_json::from_value(view.clone()).unwrap();
    assert_eq!(read.trade_state, TradeState::Success);
    assert_eq!(serde_json::to_value(&read).unwrap(), view);
    let states = ["SUCCESS", "REFUND", "NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "ACCEPT"];
    for state in states {
        let read: TradeState = serde_json::from_value(json!(state)).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), state);
    }
    let mut unknown = view;
    unknown["trade_state"] = json!("PAID");
    assert!(serde_json::from_value::<OrderView>(unknown).is_err());
    for (trade_type, product) in
        [("NATIVE", Product::NATIVE), ("JSAPI", Product::JSAPI), ("MWEB", Product::H5)]
    {
        assert_eq!(product_of(trade_type).as_ref(), Some(&product));
        assert_eq!(trade_type_of(&product), trade_type);
    }
    assert_eq!(product_of("FACEPAY").unwrap().as_str(), "facepay");
    assert_eq!(product_of("A-B"), None);
}

#[test]
fn every_error_code_has_its_status_and_is_read_back() {
    for code in WechatCode::ALL {
        assert_eq!(WechatCode::parse(code.as_str()), Some(code));
        assert!(matches!(code.status(), 400 | 401 | 403 | 404 | 429 | 500));
    }
    assert_eq!(WechatCode::parse("OK"), None);
    let body = ErrorBody::parameter("amount.total", "whole fen");
    let json = serde_json::to_value(&body).unwrap();
    assert_eq!(json["code"], "PARAM_ERROR");
    assert_eq!(json["detail"]["field"], "/amount/total");
}

#[test]
fn the_attach_prefix_keeps_its_rules() {
    let declared = Declared::parse("vip,Big_1;store=store:G1,agent=agent:A1").unwrap();
    assert_eq!(
        attach::join(&declared, "mine; yours").unwrap(),
        "Big_1,vip;agent=agent:A1,store=store:G1;mine; yours"
    );
    assert_eq!(Declared::parse("").unwrap(), Declared::default());
    assert_eq!(attach::join(&Declared::default(), "").unwrap(), ";;");
    assert_eq!(attach::join(&Declared::default(), &"x".repeat(127)), Err(AttachFault::TooLong));
    assert_eq!(attach::join(&Declared::default(), &"明".repeat(42)).unwrap().len(), 128);
    for (own, fault) in [
        ("a`b", AttachFault::Character),
        ("a\nb", AttachFault::Character),
        ("\u{85}", AttachFault::Character),
    ] {
        assert_eq!(attach::join(&Declared::default(), own), Err(fault), "{own:?}");
    }
    let cases = [
        ("", AttachFault::NoPrefix),
        ("mine", AttachFault::NoPrefix),
        ("a;mine", AttachFault::NoPrefix),
        ("b,a;;", AttachFault::Order),
        ("a,a;;", AttachFault::Order),
        ("a,;;", AttachFault::Tag),
        ("a b;;", AttachFault::Tag),
        ("abcdefghijklmnopq;;", AttachFault::Tag),
        ("a,b,c,d,e,f,g,h,i;;", AttachFault::TooMany),
        (";b=agent:A,a=agent:A;", AttachFault::Order),
        (";a=agent:A,a=agent:B;", AttachFault::Order),
        (";agent;", AttachFault::Party),
        (";agent=;", AttachFault::Party),
        (";agent=merchant;", AttachFault::Party),
        (";Agent=agent:A;", AttachFault::Party),
        (";agent=agent:;", AttachFault::Party),
        (";agent=agent:A=B;", AttachFault::Party),
        (";a=p,b=p,c=p,d=p,e=p,f=p,g=p,h=p,i=p;", AttachFault::TooMany),
    ];
    for (text, fault) in cases {
        assert_eq!(attach::cut(text), Err(fault), "{text}");
    }
    assert_eq!(Declared::parse("a,a"), Err(AttachFault::Order));
    assert_eq!(Declared::parse("a;b=p;c"), Err(AttachFault::Party));
}
