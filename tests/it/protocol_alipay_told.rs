//! What Alipay tells besides: notifications, and the REST form's headers and errors.
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::Method;
use mingfen::protocol::alipay::answer::{AnswerKey, AnswerSigner};
use mingfen::protocol::alipay::answers::TradeStatus;
use mingfen::protocol::alipay::errors::SubCode;
use mingfen::protocol::alipay::form::{Form, FormFault};
use mingfen::protocol::alipay::notification::{self, Notification, NotificationFault};
use mingfen::protocol::alipay::rest::{self, Authorization, ErrorBody};
use mingfen::protocol::crypto::{PrivateKey, PublicKey, base64, from_base64};
use mingfen::protocol::wechat::sign::HeaderFault;
use serde_json::{Value, json};
use std::sync::LazyLock;

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pem(include_str!("../vectors/wechat/test_only_key.pem")).unwrap());
static PUBLIC: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_pem(include_str!("../vectors/wechat/public_key.pem")).unwrap());
/// What the code of three stock SDKs has verified.
static VERIFIED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/alipay/told.json")).unwrap());
/// What three stock SDKs sent.
static SENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/alipay/requests.json")).unwrap());

fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

fn signer(certificate: Option<&str>) -> AnswerSigner<'_> {
    AnswerSigner { key: &KEY, certificate }
}

fn keys(certificate: Option<&str>) -> Vec<AnswerKey> {
    vec![AnswerKey { certificate: certificate.map(str::to_owned), key: PUBLIC.clone() }]
}

fn told() -> Notification {
    Notification {
        notify_id: "2026010100222".into(),
        notify_time: moment(),
        app_id: "2021000000000001".into(),
        trade_no: "2026010122001".into(),
        out_trade_no: "T00001".into(),
        trade_status: TradeStatus::Success,
        total_amount: Fen::new(101),
        receipt_amount: Some(Fen::new(100)),
        buyer_pay_amount: Some(Fen::new(101)),
        refund_fee: None,
        seller_id: Some("2088".into()),
        buyer_id: None,
        subject: Some("商品 a+b%&=\"{}\u{1f600}".into()),
        gmt_create: Some(moment()),
        gmt_payment: Some(moment().plus(1)),
        out_biz_no: None,
        passback_params: Some("vip%3Bagent%3Dagent%3AA1%3B".into()),
        fund_bill_list: Some("[{\"amount\":\"1.01\",\"fundChannel\":\"ALIPAYACCOUNT\"}]".into()),
    }
}

/// A notification with one parameter set to another value, or taken away, and signed again.
fn changed(name: &str, value: Option<&str>) -> String {
    let form = Form::parse(notification::sign(signer(None), &told()).unwrap().as_bytes(), b"").unwrap();
    let rest = form.encoded(|known| known != name && known != "sign");
    let form = Form::parse(rest.as_bytes(), b"").unwrap();
    let form = value.map_or(form.clone(), |value| form.with(name, value));
    let signature = base64(&KEY.sign_sha256(&form.to_sign(&["sign", "sign_type"])).unwrap());
    form.with("sign", &signature).encoded(|_| true)
}

#[test]
fn notifications_are_to_the_byte_what_the_stock_sdks_have_verified_and_are_read_back() {
    for (name, certificate) in [("notification", None), ("in_certificate_mode", Some("a1b2"))] {
        let body = notification::sign(signer(certificate), &told()).unwrap();
        assert_eq!(json!(body), VERIFIED[name]);
        assert_eq!(notification::open(&keys(certificate), body.as_bytes()), Ok(told()));
        assert_eq!(
            notification::open(&keys(Some("c3")), body.as_bytes()),
            Err(NotificationFault::Signature),
            "of another certificate"
        );
    }
    let refunded = Notification {
        refund_fee: Some(Fen::new(7)),
        out_biz_no: Some("R1".into()),
        trade_status: TradeStatus::Closed,
        receipt_amount: None,
        ..told()
    };
    let body = notification::sign(signer(None), &refunded).unwrap();
    assert_eq!(notification::open(&keys(None), body.as_bytes()), Ok(refunded));
}

#[test]
fn a_notification_of_which_any_byte_changed_is_refused() {
    let body = notification::sign(signer(None), &told()).unwrap();
    for at in 0..body.len() {
        let mut other = body.clone().into_bytes();
        other[at] ^= 1;
        // The letters of an escape mean the same in either case.
        if other[at].eq_ignore_ascii_case(&body.as_bytes()[at]) {
            continue;
        }
        assert!(notification::open(&keys(None), &other).is_err(), "byte {at}");
    }
    let open = |body: &str| notification::open(&keys(None), body.as_bytes());
    let unsigned = body.split('&').filter(|pair| !pair.starts_with("sign=")).collect::<Vec<_>>().join("&");
    assert_eq!(open(&unsigned), Err(NotificationFault::Signature));
    assert_eq!(open(&body.replace("RSA2", "RSA")), Err(NotificationFault::Signature));
    assert_eq!(open(&body.replace("&sign_type=RSA2", "")), Err(NotificationFault::Signature));
    assert_eq!(open(&format!("{body}&total_amount=1.01")), Err(NotificationFault::Form(FormFault::Twice)));
    assert_eq!(open(&format!("{body}&store_id=S1")), Err(NotificationFault::Signature));
    assert_eq!(open("{}"), Err(NotificationFault::Form(FormFault::Malformed)));
    assert_eq!(notification::open(&[], body.as_bytes()), Err(NotificationFault::Signature));
    // In another order, and with blanks written otherwise, it is the same notification.
    let turned = body.split('&').rev().collect::<Vec<_>>().join("&").replace('+', "%20");
    assert_eq!(open(&turned), Ok(told()));
}

#[test]
fn every_parameter_of_a_notification_that_is_missing_or_malformed_is_named() {
    assert_eq!(notification::open(&keys(None), changed("", None).as_bytes()), Ok(told()));
    for (name, value) in [
        ("notify_type", None),
        ("notify_type", Some("batch_refund_notify")),
        ("notify_id", None),
        ("notify_time", Some("yesterday")),
        ("app_id", Some("a b")),
        ("trade_no", Some("")),
        ("out_trade_no", Some("T/1")),
        ("trade_status", Some("PAID")),
        ("total_amount", None),
        ("total_amount", Some("1.001")),
        ("total_amount", Some("-1.01")),
        ("total_amount", Some("1e2")),
        ("receipt_amount", Some("x")),
        ("gmt_payment", Some("2026-01-01")),
        ("gmt_payment", Some("2026-01-01 08:00:00.")),
        ("charset", Some("big5")),
    ] {
        let body = changed(name, value);
        let fault = NotificationFault::Parameter(name);
        assert_eq!(notification::open(&keys(None), body.as_bytes()), Err(fault), "{value:?}");
    }
    let body = changed("gmt_payment", Some("2026-01-01 08:00:01.317"));
    assert_eq!(notification::open(&keys(None), body.as_bytes()), Ok(told()));
}

#[test]
fn a_notification_in_gbk_is_verified_over_its_bytes_and_read_in_its_charset() {
    let subject = "subject=%C3%F7%B7%D6".as_bytes();
    let rest = changed("charset", Some("GBK"));
    let rest = Form::parse(rest.as_bytes(), b"").unwrap().encoded(|name| name != "subject" && name != "sign");
    let form = Form::parse(subject, rest.as_bytes()).unwrap();
    let signature = base64(&KEY.sign_sha256(&form.to_sign(&["sign", "sign_type"])).unwrap());
    let body = form.with("sign", &signature).encoded(|_| true);
    let read = notification::open(&keys(None), body.as_bytes()).unwrap();
    assert_eq!(read.subject.as_deref(), Some("明分"));
}

fn sent()
-> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>)> {
    SENT["rest"].as_array().unwrap().iter().map(|sent| {
        let text = |name: &str| sent[name].as_str().unwrap();
        (text("authorization"), text("method"), text("target"), text("body"), sent["app_auth_token"].as_str())
    })
}

#[test]
fn the_rest_requests_of_the_stock_sdk_verify_over_their_own_bytes() {
    assert_eq!(sent().count(), 3);
    let paths: Vec<&str> = sent().map(|(_, _, target, ..)| target.split('?').next().unwrap()).collect();
    assert_eq!(paths, [Method::Precreate, Method::Query, Method::BillDownload].map(rest::path_of));
    for (header, method, target, body, token) in sent() {
        let read = Authorization::parse(header).unwrap();
        assert_eq!((read.app_id.as_str(), read.nonce.len()), ("2021000000000001", 36));
        let verify = |method, target: &str, body: &str, token| {
            read.verify(&PUBLIC, method, target, body.as_bytes(), token)
        };
        assert!(verify(method, target, body, token), "{target}");
        let other_token = if token.is_some() { None } else { Some("T") };
        assert!(!verify("PUT", target, body, token) && !verify(method, target, body, other_token));
        assert!(!verify(method, &format!("{target}?"), body, token));
        assert!(!verify(method, target, &format!("{body} "), token));
    }
}

#[test]
fn rest_parameters_stand_in_any_order_and_what_is_unknown_is_signed_with_them() {
    let header = |auth: &str, place: usize| {
        let text = format!("{auth}\nPOST\n/v3/alipay/trade/query\n{{}}\n");
        let sign = format!("sign={}", base64(&KEY.sign_sha256(text.as_bytes()).unwrap()));
        let mut parts: Vec<&str> = auth.split(',').collect();
        parts.insert(place, &sign);
        format!("ALIPAY-SHA256withRSA {}", parts.join(","))
    };
    let auth = "nonce=N1,timestamp=1767225600000,app_id=2021,app_cert_sn=a1,x=1";
    for place in 0..=5 {
        let read = Authorization::parse(&header(auth, place)).unwrap();
        assert!(read.verify(&PUBLIC, "POST", "/v3/alipay/trade/query", b"{}", None), "{place}");
        assert_eq!((read.app_cert_sn.as_deref(), read.timestamp_ms), (Some("a1"), 1_767_225_600_000));
    }
    let changed = header(auth, 5).replace("x=1", "x=2");
    let read = Authorization::parse(&changed).unwrap();
    assert!(!read.verify(&PUBLIC, "POST", "/v3/alipay/trade/query", b"{}", None));

    for (seconds, fresh) in [(-301, false), (-300, true), (300, true), (301, false)] {
        assert_eq!(read.is_fresh(moment().plus(seconds)), fresh, "{seconds}");
    }

    let good = header("app_id=2021,nonce=N1,timestamp=1767225600000", 3);
    let whole = HeaderFault::Malformed("authorization");
    for (header, fault) in [
        (String::new(), whole),
        (good.replace("RSA ", "RSA"), whole),
        (good.replace("SHA256", "SHA1"), whole),
        (good.replace(",nonce=N1", ",nonce"), whole),
        (good.replace("N1", "名"), whole),
        (good.clone() + ",", whole),
        (good.replace(",nonce=N1", ""), HeaderFault::Missing("nonce")),
        (good.replace("N1", ""), HeaderFault::Malformed("nonce")),
        (good.replace("N1", &"N".repeat(65)), HeaderFault::Malformed("nonce")),
        (good.replace("nonce=N1", "nonce=N1,nonce=N2"), HeaderFault::Twice("nonce")),
        (good.replace("app_id=2021", "app_id="), HeaderFault::Malformed("app_id")),
        (good.replace("1767225600000", "1767225600"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600000", "0767225600000"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600000", "+767225600000"), HeaderFault::Malformed("timestamp")),
        (good.split(",sign").next().unwrap().to_owned(), HeaderFault::Missing("sign")),
        (good.split(",sign").next().unwrap().to_owned() + ",sign=AAAA", HeaderFault::Malformed("sign")),
        (good + &" ".repeat(2048), HeaderFault::TooLong("authorization")),
    ] {
        assert_eq!(Authorization::parse(&header), Err(fault), "{header:.120}");
    }
}

#[test]
fn a_rest_answer_is_signed_as_the_stock_sdk_has_verified_it() {
    let body = VERIFIED["rest_answer"]["body"].as_str().unwrap();
    let covers = |get: &dyn Fn(&str) -> String| {
        let text = format!("{}\n{}\n{body}\n", get("alipay-timestamp"), get("alipay-nonce"));
        PUBLIC.verify(text.as_bytes(), &from_base64(&get("alipay-signature")).unwrap())
    };
    assert!(covers(&|name| VERIFIED["rest_answer"]["headers"][name].as_str().unwrap().to_owned()));
    let made = rest::headers(signer(Some("a1")), moment(), body.as_bytes()).unwrap();
    let get = |name: &str| made.iter().find(|header| header.0 == name).unwrap().1.clone();
    assert!(covers(&get));
    assert_eq!((get("alipay-timestamp").as_str(), get("alipay-sn").as_str()), ("1767225600000", "a1"));
    assert_eq!(rest::headers(signer(None), moment(), b"").unwrap().len(), 3);
}

#[test]
fn rest_errors_have_their_own_names_and_status() {
    for (code, name, status) in [
        (SubCode::InvalidSignature, "invalid-signature", 401),
        (SubCode::MissingSignature, "missing-signature", 401),
        (SubCode::InvalidParameter, "invalid-parameter", 400),
        (SubCode::MissingAppId, "missing-app-id", 400),
        (SubCode::NoPermission, "insufficient-isv-permissions", 403),
        (SubCode::CallLimited, "app-call-limited", 429),
        (SubCode::UnknownError, "unknow-error", 500),
        (SubCode::SystemError, "ACQ.SYSTEM_ERROR", 500),
        (SubCode::TradeNotExist, "ACQ.TRADE_NOT_EXIST", 400),
    ] {
        assert_eq!((ErrorBody::new(code, "").code.as_str(), rest::status(code)), (name, status));
    }
    let body = serde_json::to_value(ErrorBody::new(SubCode::BizParameter, "total_amount")).unwrap();
    assert_eq!(body, json!({"code": "ACQ.INVALID_PARAMETER", "message": "参数无效：total_amount"}));
}
