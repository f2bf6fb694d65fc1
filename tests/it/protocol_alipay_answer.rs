//! Answers of Alipay's `gateway.do`: written as the stock SDKs verify them, read as an institution gives them.
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::Method;
use mingfen::protocol::alipay::answer::{
    self, Answer, AnswerFault, AnswerKey, AnswerSigner, Head, MAX_BYTES, Said, name_of,
};
use mingfen::protocol::alipay::answers::{
    BillAt, CancelAction, Cancelled, Numbers, Precreated, Refunded, Trade, TradeStatus, Yuan,
};
use mingfen::protocol::alipay::charset::Charset;
use mingfen::protocol::alipay::errors::{Code, SubCode};
use mingfen::protocol::crypto::{PrivateKey, PublicKey, from_base64};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pem(include_str!("../vectors/wechat/test_only_key.pem")).unwrap());
static PUBLIC: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_pem(include_str!("../vectors/wechat/public_key.pem")).unwrap());
/// Bodies that the code of three stock SDKs has verified.
static VERIFIED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/alipay/answers.json")).unwrap());

const QUERY: &str = "alipay.trade.query";

fn signer(certificate: Option<&str>) -> AnswerSigner<'_> {
    AnswerSigner { key: &KEY, certificate }
}

fn keys(certificate: Option<&str>) -> Vec<AnswerKey> {
    vec![AnswerKey { certificate: certificate.map(str::to_owned), key: PUBLIC.clone() }]
}

/// With a name that holds everything that could mislead who cuts the answer.
fn trade() -> Trade {
    let rest = json!({
        "store_name": "商品 {\"sign\":\"x\"} \\ } { \u{1f600}€\t", "empty": {},
        "fund_bill_list": [{"amount": "1.01", "fund_channel": "ALIPAYACCOUNT"}]
    });
    Trade {
        out_trade_no: "T00001".into(),
        trade_no: "2026010122001".into(),
        trade_status: Some(TradeStatus::Success),
        total_amount: Yuan(Fen::new(101)),
        receipt_amount: Some(Yuan(Fen::new(101))),
        buyer_pay_amount: None,
        gmt_payment: None,
        send_pay_date: Some("2026-01-01 08:00:00".into()),
        rest: rest.as_object().unwrap().clone(),
    }
}

/// What of a body its signature covers, by counting braces without looking at quotes, as one SDK does.
fn cut(body: &str) -> &str {
    let start = body.find("_response\":").unwrap() + "_response\":".len();
    let mut depth = 0;
    for (at, c) in body[start..].char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return &body[start..=start + at];
        }
    }
    panic!("unbalanced: {body}");
}

#[test]
fn answers_are_to_the_byte_what_the_stock_sdks_have_verified() {
    let known = VERIFIED["answers"].as_array().unwrap();
    assert_eq!(known.len(), 9);
    for (number, one) in known.iter().enumerate() {
        let who = signer(one["certificate"].as_str());
        let charset = Charset::parse(one["charset"].as_str().unwrap()).unwrap();
        let method = one["method"].as_str();
        let body = match number % 3 {
            0 => answer::sign(who, method, charset, &Answer::success(trade())),
            1 => answer::sign(who, method, charset, &Answer::refused(SubCode::TradeNotExist, "{T00001}}")),
            _ => answer::sign(who, method, charset, &Answer::refused(SubCode::MissingMethod, "")),
        };
        assert_eq!(body.unwrap(), from_base64(one["body"].as_str().unwrap()).unwrap(), "{number}");
    }
}

#[test]
fn an_answer_stands_under_the_name_of_its_call_and_errors_of_none_under_another() {
    assert_eq!(name_of(Some(QUERY)), "alipay_trade_query_response");
    for method in [None, Some(""), Some("a\"b"), Some("Alipay"), Some(&*"x".repeat(129))] {
        assert_eq!(name_of(method), "error_response", "{method:?}");
    }
}

#[test]
fn an_answer_is_read_as_it_was_written_and_any_changed_byte_of_it_is_refused() {
    let body = answer::sign(signer(None), Some(QUERY), Charset::Utf8, &Answer::success(trade())).unwrap();
    let read = |body: &[u8]| answer::open::<Trade>(&keys(None), QUERY, body);
    assert_eq!(read(&body), Ok(Said::Known(trade())));
    let end = body.len() - br#","sign":""}"#.len() - 344;
    for at in (0..body.len()).filter(|at| *at < end || at % 17 == 0) {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "byte {at}");
    }
    // An institution may write it with blanks, and with more beside it: the object's own bytes count.
    let text = String::from_utf8(body.clone()).unwrap();
    let loose = text.replacen("_response\":", "_response\" :\n ", 1).replace(",\"sign\"", " , \"sign\"");
    assert_eq!(read(loose.as_bytes()), Ok(Said::Known(trade())));
    assert_eq!(read(text.replacen("{\"code\"", "{ \"code\"", 1).as_bytes()), Err(AnswerFault::Signature));
    assert_eq!(answer::open::<Trade>(&[], QUERY, &body), Err(AnswerFault::Signature));
    assert_eq!(answer::open::<Trade>(&keys(None), "alipay.trade.pay", &body), Err(AnswerFault::Malformed));
}

#[test]
fn what_nobody_signed_or_what_is_no_answer_says_nothing() {
    let read = |body: &str| answer::open::<Trade>(&keys(None), QUERY, body.as_bytes());
    let name = name_of(Some(QUERY));
    let refused = r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id"}"#;
    for (body, fault) in [
        (String::new(), AnswerFault::Malformed),
        ("<html>".into(), AnswerFault::Malformed),
        ("[]".into(), AnswerFault::Malformed),
        ("{}".into(), AnswerFault::Malformed),
        (format!("{{\"{name}\":{refused}}}"), AnswerFault::Unsigned),
        (format!("{{\"error_response\":{refused},\"sign\":\"\"}}"), AnswerFault::Unsigned),
        (format!("{{\"{name}\":{refused},\"sign\":\"AAAA\"}}"), AnswerFault::Signature),
        (format!("{{\"{name}\":{refused},\"{name}\":{refused},\"sign\":\"A\"}}"), AnswerFault::Malformed),
        (" ".repeat(MAX_BYTES + 1), AnswerFault::Malformed),
    ] {
        assert_eq!(read(&body), Err(fault), "{body:.200}");
    }
    // Signed, but not of the shape: paid or not, nobody can say.
    let half = Answer::success(json!({"out_trade_no": "T1", "total_amount": "1.001"}));
    let body = answer::sign(signer(None), Some(QUERY), Charset::Utf8, &half).unwrap();
    assert_eq!(answer::open::<Trade>(&keys(None), QUERY, &body), Err(AnswerFault::Malformed));
}

#[test]
fn in_certificate_mode_the_key_is_that_of_the_certificate_that_the_answer_names() {
    let body =
        answer::sign(signer(Some("a1")), Some(QUERY), Charset::Utf8, &Answer::success(trade())).unwrap();
    let opened = |keys: &[AnswerKey]| answer::open::<Trade>(keys, QUERY, &body).is_ok();
    assert!(opened(&keys(Some("a1"))) && opened(&keys(None)));
    assert!(!opened(&keys(Some("b2"))));
    let other = AnswerKey { certificate: None, key: PrivateKey::generate().unwrap().public_key().unwrap() };
    assert!(!opened(std::slice::from_ref(&other)));
    assert!(opened(&[vec![other], keys(Some("a1"))].concat()), "two keys are held while they change");
}

#[test]
fn every_code_says_whether_something_was_done() {
    let said = |code: &str, sub_code: Option<&str>| {
        let head = Head {
            code: code.into(),
            msg: "m".into(),
            sub_code: sub_code.map(str::to_owned),
            sub_msg: Some("交易".into()),
        };
        let body = answer::sign(
            signer(None),
            Some(QUERY),
            Charset::Utf8,
            &Answer { head: head.clone(), given: None::<Trade> },
        );
        match answer::open::<Trade>(&keys(None), QUERY, &body.unwrap()).unwrap() {
            Said::Known(_) => "known".to_owned(),
            Said::Waiting => "waiting".into(),
            Said::Busy => "busy".into(),
            Said::Unknown => "unknown".into(),
            Said::Refused { code, head: told } => {
                assert_eq!(told, head);
                format!("refused {}", code.map_or("?", SubCode::as_str))
            }
        }
    };
    for (code, sub_code, expected) in [
        ("10003", None, "waiting"),
        ("20000", Some("isp.unknow-error"), "unknown"),
        ("20000", None, "unknown"),
        ("40004", Some("ACQ.SYSTEM_ERROR"), "unknown"),
        ("40004", Some("aop.ACQ.SYSTEM_ERROR"), "unknown"),
        ("40004", None, "unknown"),
        ("50000", Some("ACQ.TRADE_NOT_EXIST"), "unknown"),
        ("40005", Some("isv.app-call-limited"), "busy"),
        ("40004", Some("ACQ.TRADE_NOT_EXIST"), "refused ACQ.TRADE_NOT_EXIST"),
        ("40004", Some("ACQ.SOMETHING_NEW"), "refused ?"),
        ("40002", Some("isv.invalid-signature"), "refused isv.invalid-signature"),
        ("40006", Some("isv.insufficient-isv-permissions"), "refused isv.insufficient-isv-permissions"),
        ("40001", None, "refused ?"),
        ("20001", Some("aop.invalid-auth-token"), "refused ?"),
    ] {
        assert_eq!(said(code, sub_code), expected, "{code} {sub_code:?}");
    }
}

#[test]
fn every_call_gives_its_own() {
    fn both<T>(method: Method, given: &T, written: &Value)
    where
        T: Clone + PartialEq + std::fmt::Debug + serde::Serialize + for<'de> serde::Deserialize<'de>,
    {
        let answer = Answer::success(given.clone());
        let body = answer::sign(signer(None), Some(method.as_str()), Charset::Utf8, &answer).unwrap();
        let text = String::from_utf8(body.clone()).unwrap();
        let mut content: Value = serde_json::from_str(cut(&text)).unwrap();
        let content = content.as_object_mut().unwrap();
        assert_eq!(content.remove("code"), Some(json!(Code::Success.as_str())));
        assert_eq!(content.remove("msg"), Some(json!("Success")));
        assert_eq!(&json!(content), written);
        assert_eq!(answer::open::<T>(&keys(None), method.as_str(), &body), Ok(Said::Known(given.clone())));
    }
    let numbers = Numbers { out_trade_no: Some("T1".into()), trade_no: Some("2026".into()) };
    let precreated = Precreated { out_trade_no: "T1".into(), qr_code: "https://qr.example/1".into() };
    both(Method::Precreate, &precreated, &json!({"out_trade_no": "T1", "qr_code": "https://qr.example/1"}));
    both(Method::Create, &numbers, &json!({"out_trade_no": "T1", "trade_no": "2026"}));
    both(Method::Close, &numbers, &json!({"out_trade_no": "T1", "trade_no": "2026"}));
    let action = Some(CancelAction::Refund.to_string());
    both(
        Method::Cancel,
        &Cancelled { numbers: numbers.clone(), retry_flag: "N".into(), action },
        &json!({"out_trade_no": "T1", "trade_no": "2026", "retry_flag": "N", "action": "refund"}),
    );
    let refunded = json!({"gmt_refund_pay": "2026-01-01 08:00:00"});
    both(
        Method::Refund,
        &Refunded {
            numbers,
            fund_change: "N".into(),
            refund_fee: Yuan(Fen::new(7)),
            rest: refunded.as_object().unwrap().clone(),
        },
        &json!({"out_trade_no": "T1", "trade_no": "2026", "fund_change": "N", "refund_fee": "0.07",
            "gmt_refund_pay": "2026-01-01 08:00:00"}),
    );
    both(
        Method::BillDownload,
        &BillAt { bill_download_url: "https://bill.example/1?a=1".into() },
        &json!({"bill_download_url": "https://bill.example/1?a=1"}),
    );
    let paid: Vec<bool> = TradeStatus::ALL.iter().map(|status| status.is_paid()).collect();
    assert_eq!(paid, [false, false, true, true]);
}

proptest! {
    #[test]
    fn whatever_stands_in_a_text_the_answer_is_cut_where_it_ends(name in "[{}\"\\\\a明:,\u{1f600}]{0,24}") {
        for charset in [Charset::Utf8, Charset::Gbk] {
            let answer = Answer::success(json!({"store_name": name}));
            let body = answer::sign(signer(None), Some(QUERY), charset, &answer).unwrap();
            let text = charset.decode(&body).unwrap();
            let whole: Value = serde_json::from_str(&text).unwrap();
            let signature = from_base64(whole["sign"].as_str().unwrap()).unwrap();
            prop_assert!(PUBLIC.verify(&charset.encode(cut(&text)), &signature));
            prop_assert_eq!(&whole["alipay_trade_query_response"]["store_name"], &json!(name));
        }
    }
}
