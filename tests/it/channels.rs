//! The way out: which addresses may be called, and what each kind of answer of an institution means.
use mingfen::channels::address::is_public;
use mingfen::channels::http::{Guarded, Limits, Outgoing, SendFault};
use mingfen::channels::wechat::{BadSettings, Client, Settings};
use mingfen::channels::{Answer, Billed, Why};
use mingfen::clock::Clock;
use mingfen::kernel::calendar::BusinessDay;
use mingfen::kernel::digest::Digest;
use mingfen::protocol::crypto::sha1_hex;
use mingfen::protocol::wechat::errors::{ErrorBody, WechatCode};
use mingfen::protocol::wechat::order::{OrderRequest, Prepaid};
use mingfen::protocol::wechat::shapes::OrderOwner;
use mingfen::protocol::wechat::sign::{AnswerKey, Authorization, SERIAL, Signer, Stamp, StampFault};
use serde_json::json;
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use crate::support::played::{Act, Institution, KEY, SERIAL_NO, header, raw, signed, stamp};

fn client(base: &str) -> Client {
    client_within(base, Limits::default())
}

fn client_within(base: &str, limits: Limits) -> Client {
    client_by(base, limits, Clock::system())
}

fn client_by(base: &str, limits: Limits, clock: Clock) -> Client {
    let settings = Settings {
        base_url: base.to_owned(),
        signer: Signer { mchid: "1900000001".into(), serial: "AB12".into(), key: KEY.clone() },
        answer_keys: vec![AnswerKey { serial: SERIAL_NO.into(), key: KEY.public_key().unwrap() }],
    };
    Client::new(Guarded::new(limits, true).unwrap(), clock, settings).unwrap()
}

fn order() -> OrderRequest {
    serde_json::from_value(json!({
        "sp_appid": "wx1", "sp_mchid": "1900000001", "sub_mchid": "191001", "description": "商品",
        "out_trade_no": "DEMO01", "notify_url": "https://platform.example/notify/SANDBOX/wechat",
        "attach": ";;", "amount": {"total": 100, "currency": "CNY"}
    }))
    .unwrap()
}

fn owner() -> OrderOwner {
    OrderOwner { sp_mchid: "1900000001".into(), sub_mchid: "191001".into() }
}

fn view(out_trade_no: &str) -> String {
    json!({
        "sp_appid": "wx1", "sp_mchid": "1900000001", "sub_mchid": "191001", "out_trade_no": out_trade_no,
        "trade_state": "NOTPAY", "trade_state_desc": "", "amount": {"total": 100}
    })
    .to_string()
}

async fn native_answered(act: Act) -> Answer<String> {
    let institution = Institution::playing(|_| vec![act]);
    match client(&institution.base).place(Prepaid::Native, &order()).await {
        Answer::Known(answer) => Answer::Known(answer),
        Answer::Refused { status, code, message } => Answer::Refused { status, code, message },
        Answer::Busy => Answer::Busy,
        Answer::Unknown(why) => Answer::Unknown(why),
    }
}

#[tokio::test]
async fn a_request_is_signed_over_the_bytes_that_go_out() {
    let institution = Institution::playing(|_| {
        vec![
            Act::Signed(200, "{\"code_url\":\"weixin://1\"}".into()),
            Act::Signed(200, view("DEMO01")),
            Act::Signed(204, String::new()),
        ]
    });
    let client = client(&institution.base);
    assert!(
        matches!(client.place(Prepaid::Native, &order()).await, Answer::Known(answer) if answer == "weixin://1")
    );
    let Answer::Known(found) = client.query("DEMO01", &owner()).await else { panic!("no view") };
    assert_eq!(found.body, view("DEMO01").into_bytes());
    assert!(found.stamp.verify(&KEY.public_key().unwrap(), &found.body));
    assert_eq!(client.close("DEMO01", &owner()).await, Answer::Known(()));

    let targets = [
        "POST /v3/pay/partner/transactions/native",
        "GET /v3/pay/partner/transactions/out-trade-no/DEMO01?sp_mchid=1900000001&sub_mchid=191001",
        "POST /v3/pay/partner/transactions/out-trade-no/DEMO01/close",
    ];
    let requests = institution.requests();
    assert_eq!(requests.len(), targets.len());
    for (request, expected) in requests.iter().zip(targets) {
        let (line, _) = request.split_once(" HTTP/1.1\r\n").unwrap();
        assert_eq!(line, expected);
        let (method, target) = line.split_once(' ').unwrap();
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let authorization = Authorization::parse(&header(request, "authorization").unwrap()).unwrap();
        assert_eq!((authorization.mchid.as_str(), authorization.serial.as_str()), ("1900000001", "AB12"));
        assert!(authorization.verify(&KEY.public_key().unwrap(), method, target, body.as_bytes()));
        assert_eq!(header(request, SERIAL).as_deref(), Some(SERIAL_NO));
        assert!(header(request, "user-agent").unwrap().starts_with("Mingfen/"));
    }
}

#[tokio::test]
async fn a_signed_refusal_is_definite_and_everything_unsigned_is_not() {
    let body = serde_json::to_string(&ErrorBody::new(WechatCode::InvalidRequest, "no")).unwrap();
    let refused = Answer::Refused { status: 400, code: "INVALID_REQUEST".into(), message: "no".into() };
    assert_eq!(native_answered(Act::Signed(400, body.clone())).await, refused);
    let unsigned = native_answered(Act::Raw(raw(400, &[], &body))).await;
    assert!(matches!(unsigned, Answer::Unknown(Why::Unsigned(_))), "{unsigned:?}");
    let shapeless = native_answered(Act::Signed(400, "<html>".into())).await;
    assert_eq!(shapeless, Answer::Unknown(Why::Shape));
}

#[tokio::test]
async fn a_server_failure_is_unknown_and_too_many_requests_is_busy() {
    let failed = "{\"code\":\"SYSTEM_ERROR\",\"message\":\"x\"}";
    for status in [500, 502, 503] {
        let answer = native_answered(Act::Signed(status, failed.into())).await;
        assert_eq!(answer, Answer::Unknown(Why::Server(status)));
    }
    let limited = "{\"code\":\"FREQUENCY_LIMITED\",\"message\":\"x\"}";
    assert_eq!(native_answered(Act::Signed(429, limited.into())).await, Answer::Busy);
    assert_eq!(native_answered(Act::Raw(raw(429, &[], ""))).await, Answer::Busy);
}

#[tokio::test]
async fn a_lost_answer_and_a_refused_connection_are_unknown() {
    let lost = Answer::Unknown(Why::Send(SendFault::Connection));
    assert_eq!(native_answered(Act::HangUp).await, lost);
    let whole = signed(200, "{\"code_url\":\"weixin://1\"}");
    assert_eq!(native_answered(Act::Raw(whole[..whole.len() - 1].to_vec())).await, lost, "cut short");
    assert_eq!(native_answered(Act::Raw(b"no http\r\n\r\n".to_vec())).await, lost);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answer = client(&format!("http://{closed}")).place(Prepaid::Native, &order()).await;
    assert_eq!(answer, Answer::Unknown(Why::Send(SendFault::Connection)));
}

#[tokio::test]
async fn an_institution_that_keeps_silent_times_out_once_and_is_not_asked_again() {
    let institution = Institution::playing(|_| vec![Act::Silent, Act::Silent]);
    let limits = Limits { total: Duration::from_millis(200), ..Limits::default() };
    let answer = client_within(&institution.base, limits).place(Prepaid::Native, &order()).await;
    assert_eq!(answer, Answer::Unknown(Why::Send(SendFault::Timeout)));
    assert_eq!(institution.requests().len(), 1);
}

#[tokio::test]
async fn answers_that_are_not_believed_are_unknown() {
    let body = "{\"code_url\":\"weixin://1\"}";
    let with = |change: fn(&mut Stamp)| {
        let mut stamp = stamp(body);
        change(&mut stamp);
        Act::Raw(raw(200, &stamp.headers(), body))
    };
    let unbelieved = |fault| Answer::Unknown(Why::Unbelievable(fault));
    assert_eq!(native_answered(with(|_| {})).await, Answer::Known("weixin://1".into()));
    assert_eq!(native_answered(with(|s| s.signature[0] ^= 1)).await, unbelieved(StampFault::Signature));
    assert_eq!(native_answered(with(|s| s.serial = "AB".into())).await, unbelieved(StampFault::Serial));
    assert_eq!(native_answered(with(|s| s.timestamp -= 3600)).await, unbelieved(StampFault::Stale));
    let other = Act::Raw(raw(200, &stamp(body).headers(), "{\"code_url\":\"weixin://2\"}"));
    assert_eq!(native_answered(other).await, unbelieved(StampFault::Signature));
    let mut twice = stamp(body).headers().to_vec();
    twice.push(twice[1].clone());
    let answer = native_answered(Act::Raw(raw(200, &twice, body))).await;
    assert!(matches!(answer, Answer::Unknown(Why::Unsigned(_))), "{answer:?}");
    assert_eq!(native_answered(Act::Signed(200, "{}".into())).await, Answer::Unknown(Why::Shape));
}

#[tokio::test]
async fn a_view_of_another_order_is_no_answer() {
    let institution = Institution::playing(|_| vec![Act::Signed(200, view("DEMO02"))]);
    let answer = client(&institution.base).query("DEMO01", &owner()).await;
    assert_eq!(answer, Answer::Unknown(Why::Shape));
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_are_not_read() {
    let institution = Institution::playing(|base| {
        let elsewhere = [("Location", format!("{base}/elsewhere"))];
        vec![Act::Raw(raw(302, &elsewhere, "")), Act::Raw(signed(200, &" ".repeat(2000)))]
    });
    let client = client_within(&institution.base, Limits { body: 1999, ..Limits::default() });
    assert_eq!(client.place(Prepaid::Native, &order()).await, Answer::Unknown(Why::Server(302)));
    assert_eq!(
        client.place(Prepaid::Native, &order()).await,
        Answer::Unknown(Why::Send(SendFault::TooLarge))
    );
    assert_eq!(institution.requests().len(), 2);
}

#[tokio::test]
async fn a_bill_is_fetched_unsigned_and_believed_by_its_signed_hash_only() {
    let bill = "\u{feff}bill\r\n";
    let day = BusinessDay::parse("20260101").unwrap();
    let described = |base: &str, hash: &str| {
        json!({"hash_type": "SHA1", "hash_value": hash, "download_url": format!("{base}/v3/billdownload/file?token=t")})
            .to_string()
    };
    let (good, bad) = (sha1_hex(bill.as_bytes()), sha1_hex(b"other"));
    let institution = Institution::playing(|base| {
        vec![
            Act::Signed(200, described(base, &good)),
            Act::Raw(raw(200, &[], bill)),
            Act::Signed(200, described(base, &bad)),
            Act::Raw(raw(200, &[], bill)),
            Act::Signed(200, described(base, &good)),
            Act::Raw(raw(404, &[], "")),
            Act::Signed(200, described("ftp://x", &good)),
        ]
    });
    let client = client(&institution.base);
    let mut kept = tempfile::tempfile().unwrap();
    let fetch = || client.trade_bill(day, kept.try_clone().unwrap());
    let Answer::Known(downloaded) = fetch().await else { panic!("a sound bill") };
    let Billed::Bill(downloaded) = downloaded else { panic!("no bill") };
    assert_eq!(downloaded.sha256, Digest::of(bill.as_bytes()));
    assert_eq!((downloaded.size, downloaded.sha1), (bill.len() as u64, good.clone()));
    assert_eq!(fetch().await, Answer::Unknown(Why::BillHash));
    assert_eq!(fetch().await, Answer::Unknown(Why::Server(404)));
    assert_eq!(fetch().await, Answer::Unknown(Why::Shape));
    std::io::Seek::rewind(&mut kept).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut kept, &mut text).unwrap();
    assert!(text.starts_with(bill), "{text}");
    let requests = institution.requests();
    assert!(
        requests[0].starts_with("GET /v3/bill/tradebill?bill_date=2026-01-01&bill_type=ALL HTTP/1.1\r\n")
    );
    let authorization = Authorization::parse(&header(&requests[1], "authorization").unwrap()).unwrap();
    assert!(authorization.verify(&KEY.public_key().unwrap(), "GET", "/v3/billdownload/file?token=t", b""));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let settings = |base: &str, keys| Settings {
        base_url: base.into(),
        signer: Signer { mchid: "1".into(), serial: "A".into(), key: KEY.clone() },
        answer_keys: keys,
    };
    let key = || vec![AnswerKey { serial: "A".into(), key: KEY.public_key().unwrap() }];
    let http = Guarded::new(Limits::default(), false).unwrap();
    let made = |settings| Client::new(http.clone(), Clock::system(), settings).map(|_| ());
    assert_eq!(made(settings("https://bank.example", key())), Ok(()));
    assert_eq!(made(settings("https://bank.example", vec![])), Err(BadSettings::AnswerKey));
    for base in [
        "",
        "bank.example",
        "ftp://bank.example",
        "https://bank.example/v3",
        "https://a:b@bank.example",
        "https://bank.example/?a",
    ] {
        assert_eq!(made(settings(base, key())), Err(BadSettings::BaseUrl), "{base}");
    }
}

#[test]
fn only_addresses_of_the_public_internet_are_open() {
    let open = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2400:3200::1",
        "2606:4700::1111",
        "3ffe::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ];
    let closed = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ];
    for address in open {
        assert!(is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
    for address in closed {
        assert!(!is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn the_guarded_client_calls_no_closed_address_however_it_is_written() {
    let institution = Institution::playing(|_| vec![Act::Raw(raw(200, &[], "reached"))]);
    let port = institution.base.rsplit_once(':').unwrap().1.to_owned();
    let get = |url: String| Outgoing {
        method: "GET".parse().unwrap(),
        url: url.parse().unwrap(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let guarded = Guarded::new(Limits::default(), false).unwrap();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "LocalHost",
    ];
    for host in hosts {
        let fault = guarded.send(get(format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(matches!(fault, SendFault::Address(_)), "{host}: {fault:?}");
    }
    let fault = guarded.send(get("file:///etc/passwd".into())).await.unwrap_err();
    assert!(matches!(fault, SendFault::Address(_)), "{fault:?}");
    assert!(institution.requests().is_empty());
    let allowed = Guarded::new(Limits::default(), true).unwrap();
    let answer = allowed.send(get(format!("http://localhost:{port}/"))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"reached".as_slice()));
}

#[tokio::test]
async fn freshness_is_judged_by_the_clock_handed_in() {
    let institution =
        Institution::playing(|_| vec![Act::Signed(200, "{\"code_url\":\"weixin://1\"}".into())]);
    let clock = Clock::system();
    clock.advance(3600);
    let late = client_by(&institution.base, Limits::default(), clock);
    assert_eq!(
        late.place(Prepaid::Native, &order()).await,
        Answer::Unknown(Why::Unbelievable(StampFault::Stale))
    );
    let sent = header(&institution.requests()[0], "authorization").unwrap();
    assert!(Authorization::parse(&sent).unwrap().timestamp > Clock::system().instant().get() + 3000);
}
