//! Alipay OpenAPI as merchants' systems speak it: requests, answers, the REST form.
use mingfen::kernel::calendar::Instant;
use mingfen::protocol::alipay::charset::Charset;
use mingfen::protocol::alipay::errors::{Code, SubCode};
use mingfen::protocol::alipay::form::{Form, FormFault, MAX_BYTES};
use mingfen::protocol::alipay::request::{self, Request, Signer};
use mingfen::protocol::alipay::{Method, time, write_time};
use mingfen::protocol::crypto::{PrivateKey, PublicKey, base64};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pem(include_str!("../vectors/wechat/test_only_key.pem")).unwrap());
static PUBLIC: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_pem(include_str!("../vectors/wechat/public_key.pem")).unwrap());
/// What three stock SDKs sent, with that key.
static SENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/alipay/requests.json")).unwrap());

fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

fn read(query: &str, body: &str) -> Request {
    Request::read(Form::parse(query.as_bytes(), body.as_bytes()).unwrap()).unwrap()
}

fn sent() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SENT["gateway"].as_array().unwrap().iter().map(|sent| {
        let text = |name: &str| sent[name].as_str().unwrap();
        (text("call"), text("query"), text("body"))
    })
}

/// A request of ours, whose parameters may be changed before it is signed.
fn signed(change: impl Fn(&mut Vec<(&'static str, &'static str)>)) -> Form {
    let mut pairs = vec![
        ("app_id", "2021000000000001"),
        ("method", "alipay.trade.query"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-01-01 08:00:00"),
        ("version", "1.0"),
        ("biz_content", "{}"),
    ];
    change(&mut pairs);
    let form = Form::of(Charset::Utf8, &pairs).unwrap();
    let signature = base64(&KEY.sign_sha256(&form.to_sign(&["sign"])).unwrap());
    form.with("sign", &signature)
}

#[test]
fn the_requests_of_three_sdks_verify_over_their_own_bytes_in_either_charset() {
    assert_eq!(sent().count(), 10);
    for (call, query, body) in sent() {
        let request = read(query, body);
        assert!(request.verify(&PUBLIC), "{query} {body}");
        assert_eq!((request.method.as_str(), request.app_id.as_str()), (call, "2021000000000001"));
        assert!(Method::parse(call).is_some());
        let content: Value = serde_json::from_str(&request.biz_content).unwrap();
        assert!(content["out_trade_no"].as_str().unwrap().starts_with("T0000"));
        if call.ends_with("precreate") && content["out_trade_no"] != "T00002" {
            assert!(content["subject"].as_str().unwrap().starts_with("商品 大"), "{content}");
        }
        // All in one place, or in the other place: it is the same request.
        let both = format!("{query}&{body}");
        assert!(read(&both, "").verify(&PUBLIC) && read("", &both).verify(&PUBLIC));
        assert!(!read(&format!("{query}&store_id=S1"), body).verify(&PUBLIC), "one parameter more");
    }
    assert_eq!(sent().filter(|(_, query, _)| read(query, "").charset == Charset::Gbk).count(), 2);
}

#[test]
fn blanks_empty_values_and_order_do_not_matter_and_every_other_byte_does() {
    let (_, query, body) = sent().nth(4).unwrap();
    assert!(query.contains("timestamp=2026-11-28+") && body.contains('+'));
    let other: Vec<&str> = query.split('&').rev().collect();
    let blanks = format!("&{}&&empty=&bare", other.join("&")).replace('+', "%20");
    assert!(read(&blanks, &body.replace('+', "%20")).verify(&PUBLIC));
    assert!(!read(query, &body.replace('+', "%2520")).verify(&PUBLIC), "decoded once");
    assert!(!read(query, &body.replace('+', "%2B")).verify(&PUBLIC));
    assert!(!read(&query.replace("format=json", "format=JSON"), body).verify(&PUBLIC));
    let other_key = PrivateKey::generate().unwrap().public_key().unwrap();
    assert!(!read(query, body).verify(&other_key));
}

#[test]
fn a_form_that_could_mean_two_things_or_is_too_long_is_none() {
    let parse = |query: &str, body: &str| Form::parse(query.as_bytes(), body.as_bytes());
    for (query, body, fault) in [
        ("a=1&a=1", "", FormFault::Twice),
        ("a=1", "a=2", FormFault::Twice),
        ("a=1", "%61=2", FormFault::Twice),
        ("a=", "a=2", FormFault::Twice),
        ("a=%", "", FormFault::Malformed),
        ("a=%4", "", FormFault::Malformed),
        ("a=%zz", "", FormFault::Malformed),
        ("=1", "", FormFault::Malformed),
        ("a b=1", "", FormFault::Malformed),
        ("名=1", "", FormFault::Malformed),
        ("\u{feff}a=1", "", FormFault::ByteOrderMark),
        ("a=1", "%EF%BB%BFb=1", FormFault::ByteOrderMark),
        ("b=1&%EF%BB%BFa=1", "", FormFault::ByteOrderMark),
    ] {
        assert_eq!(parse(query, body), Err(fault), "{query} {body}");
    }
    assert!(parse(&"n".repeat(64), "").is_ok());
    assert_eq!(parse(&"n".repeat(65), ""), Err(FormFault::Malformed));
    let many = |n| (0..n).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
    assert!(parse(&many(64), "").is_ok());
    assert_eq!(parse(&many(65), ""), Err(FormFault::TooLong));
    let long = format!("a={}", "x".repeat(MAX_BYTES - 2));
    assert!(parse(&long, "").is_ok());
    assert_eq!(parse(&long, "b"), Err(FormFault::TooLong));
}

#[test]
fn every_fault_of_common_parameters_is_told_by_its_own_code() {
    let without = |name: &'static str| signed(move |pairs| pairs.retain(|pair| pair.0 != name));
    let with = |name: &'static str, value: &'static str| {
        signed(move |pairs| {
            pairs.retain(|pair| pair.0 != name);
            pairs.push((name, value));
        })
    };
    assert!(Request::read(without("")).unwrap().verify(&PUBLIC));
    let unsigned = |sign: &str| {
        let pairs = signed(|_| {}).encoded(|name| name != "sign");
        Form::parse(pairs.as_bytes(), format!("sign={sign}").as_bytes()).unwrap()
    };
    let long = base64(&[7; 1100]).replace('+', "%2B");
    for (form, code) in [
        (without("charset"), SubCode::InvalidCharset),
        (with("charset", "big5"), SubCode::InvalidCharset),
        (without("method"), SubCode::MissingMethod),
        (without("app_id"), SubCode::MissingAppId),
        (with("app_id", "2021-1"), SubCode::InvalidAppId),
        (with("app_id", "202100000000000120210000000000012"), SubCode::InvalidAppId),
        (with("format", "XML"), SubCode::InvalidFormat),
        (without("version"), SubCode::MissingVersion),
        (with("version", "2.0"), SubCode::InvalidParameter),
        (without("timestamp"), SubCode::MissingTimestamp),
        (with("timestamp", "2026-01-01T08:00:00"), SubCode::InvalidTimestamp),
        (with("timestamp", "2026-13-01 08:00:00"), SubCode::InvalidTimestamp),
        (with("timestamp", "1767225600"), SubCode::InvalidTimestamp),
        (without("sign_type"), SubCode::MissingSignatureType),
        (with("sign_type", "RSA"), SubCode::InvalidSignatureType),
        (unsigned(""), SubCode::MissingSignature),
        (unsigned("AAAA"), SubCode::InvalidSignature),
        (unsigned("no%20base64"), SubCode::InvalidSignature),
        (unsigned(&long), SubCode::InvalidSignature),
        (with("notify_url", "https://shop.example/\n"), SubCode::InvalidParameter),
    ] {
        assert_eq!(Request::read(form.clone()).unwrap_err().code, code, "{form:?}");
    }
    // Bytes that are not of the charset that they are said to be of.
    for (query, charset) in [("biz_content=%C3%F7", "utf-8"), ("biz_content=%FF%FF", "gbk")] {
        let pairs = signed(|_| {}).encoded(|name| name != "biz_content" && name != "charset");
        let form = Form::parse(format!("{query}&charset={charset}").as_bytes(), pairs.as_bytes()).unwrap();
        assert_eq!(Request::read(form).unwrap_err().code, SubCode::InvalidCharset, "{query}");
    }
}

#[test]
fn a_request_is_fresh_for_five_minutes_either_way() {
    let request = Request::read(signed(|_| {})).unwrap();
    assert_eq!(request.timestamp, moment());
    for (seconds, fresh) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        assert_eq!(request.is_fresh(moment().plus(seconds)), fresh, "{seconds}");
    }
    assert_eq!(time(&write_time(moment())), Some(moment()));
    for text in ["", "2026-01-01", "2026-01-01  08:00:00", "2026-01-01 08:00:00+08:00"] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn a_request_that_we_sign_is_what_is_read_and_what_the_query_says_more_is_signed_too() {
    let who = Signer {
        app_id: "2021000000000001".into(),
        key: KEY.clone(),
        certificates: Some(("a1".into(), "b2_c3".into())),
    };
    let content = "{\"subject\":\"商品 a+b%&=\"}";
    let sent =
        request::sign(&who, moment(), Method::Pay.as_str(), "https://i.example/n?a=1&b", content).unwrap();
    assert!(sent.body.starts_with("biz_content=%7B%22subject") && !sent.query.contains("biz_content"));
    let back = read(&sent.query, &sent.body);
    assert!(back.verify(&PUBLIC));
    assert_eq!((back.biz_content.as_str(), back.timestamp), (content, moment()));
    assert_eq!(back.notify_url.as_deref(), Some("https://i.example/n?a=1&b"));
    assert_eq!(back.app_cert_sn.as_deref(), Some("a1"));
    assert_eq!(back.parameter("alipay_root_cert_sn").as_deref(), Some("b2_c3"));
    let cashier = Request::read(signed(|pairs| pairs.push(("cashier", "1")))).unwrap();
    assert!(cashier.verify(&PUBLIC));
    assert_eq!(cashier.parameter("cashier").as_deref(), Some("1"));
    assert_eq!(cashier.parameter("notify_url"), None);
}

#[test]
fn every_code_is_read_as_it_is_written_and_has_its_words() {
    for code in SubCode::ALL {
        assert_eq!(SubCode::parse(code.as_str()), Some(*code));
        assert!(!code.message().is_empty());
        let expected = match code.as_str() {
            "isv.insufficient-isv-permissions" => "40006",
            "isv.app-call-limited" => "40005",
            "isp.unknow-error" => "20000",
            name if name.starts_with("isv.missing-") => "40001",
            name if name.starts_with("isv.") => "40002",
            _ => "40004",
        };
        assert_eq!(code.code().as_str(), expected, "{code}");
    }
    assert_eq!(Code::parse("10003").map(Code::message), Some("order success pay inprocess"));
}

proptest! {
    #[test]
    fn whatever_is_sent_is_decoded_to_itself(values in proptest::collection::vec("\\PC{1,12}", 1..6)) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let pairs: Vec<(&str, &str)> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        let form = Form::of(Charset::Utf8, &pairs).unwrap();
        prop_assert_eq!(&Form::parse(form.encoded(|_| true).as_bytes(), b"").unwrap(), &form);
        let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        prop_assert_eq!(form.to_sign(&[]), text.into_bytes());
    }

    #[test]
    fn gbk_gives_back_what_it_can_write(text in "\\PC{0,24}") {
        let written: String = text.chars().map(|c| if Charset::Gbk.writes(c) { c } else { '?' }).collect();
        prop_assert_eq!(Charset::Gbk.decode(&Charset::Gbk.encode(&text)), Some(written));
    }
}
