//! The sandbox institution's Alipay channel, met by the platform's own channel client; nothing of our intake is here.
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use mingfen::channels::http::{Guarded, Limits};
use mingfen::channels::{Answer, Billed, Channel, Notice, Payable, Placing, Queried, Why, wechat};
use mingfen::clock::Clock;
use mingfen::db::columns::{ChannelId, InstitutionId};
use mingfen::institutions::{
    ChannelKeys, ChannelLanguage, ChannelProfile, Documents, Institution, OwnKey, ResultEncoding,
};
use mingfen::kernel::bill::{BillOrder, BillRow};
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::channel::{ChannelName, Product};
use mingfen::kernel::declared::{Parties, Tags};
use mingfen::kernel::file::bil::BilReader;
use mingfen::kernel::money::Fen;
use mingfen::protocol::alipay::answer::{AnswerFault, AnswerKey as AlipayKey, Said, open};
use mingfen::protocol::alipay::bill::Archive;
use mingfen::protocol::alipay::errors::SubCode;
use mingfen::protocol::alipay::request::{self, Signer};
use mingfen::protocol::crypto::{PrivateKey, PublicKey};
use mingfen::protocol::wechat::notification::ApiV3Key;
use mingfen::protocol::wechat::order::{OrderRequest, Prepaid};
use mingfen::protocol::wechat::shapes::OrderOwner;
use mingfen::protocol::wechat::sign::{AnswerKey, Signer as WechatSigner};
use mingfen::sandbox::Registration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::sandbox_process::{SandboxProcess, eventually};

const PID: &str = "2088600000000001";
const APP_ID: &str = "2026000000000001";

/// A notify_url of Alipay's form: keeps what arrives, and answers these words.
struct Ear {
    url: String,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    says: Arc<Mutex<&'static str>>,
}

impl Ear {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, says) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new("success")));
        let (kept, words) = (Arc::clone(&heard), Arc::clone(&says));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
                let whole = |bytes: &[u8]| {
                    let text = String::from_utf8_lossy(bytes).to_lowercase();
                    let (head, body) = text.split_once("\r\n\r\n")?;
                    let length: usize =
                        head.split_once("content-length: ")?.1.split("\r\n").next()?.parse().ok()?;
                    (body.len() >= length).then(|| bytes[head.len() + 4..].to_vec())
                };
                let body = loop {
                    let read = stream.read(&mut part).unwrap();
                    bytes.extend_from_slice(&part[..read]);
                    if let Some(body) = whole(&bytes) {
                        break body;
                    }
                    assert!(read > 0, "the notification was cut short");
                };
                kept.lock().unwrap().push(body);
                let says = *words.lock().unwrap();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{says}",
                    says.len()
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, heard, says }
    }

    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

struct ByHand {
    sandbox: SandboxProcess,
    clock: Clock,
    ear: Ear,
    channel: Channel,
    key: PrivateKey,
    merchant_no: String,
    registration: Registration,
    dir: tempfile::TempDir,
}

impl ByHand {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = SandboxProcess::start(&dir.path().join("own"), &dir.path().join("files")).await;
        let clock = Clock::system();
        clock.set(Instant::parse("2026-12-30T10:00:00+08:00").unwrap());
        sandbox.follow(&clock).await;
        let (ear, key, apiv3_key) =
            (Ear::open(), PrivateKey::generate().unwrap(), ApiV3Key::generate().unwrap());
        let registration = Registration {
            sp_mchid: PID.into(),
            sp_appid: APP_ID.into(),
            serial: "4A".repeat(20),
            public_key: key.public_key().unwrap().to_pem().unwrap(),
            apiv3_key: apiv3_key.expose().to_owned(),
            file_public_key: key.public_key().unwrap().to_pem().unwrap(),
            notify_base_url: Some(ear.url.clone()),
            public_key_mode: false,
        };
        sandbox.register_alipay(&registration).await;
        let issued = sandbox.post("proposals", json!({"merchants": [{"merchant": "M1001"}]})).await;
        let bundle: Value = serde_json::from_str(issued["body"].as_str().unwrap()).unwrap();
        let merchant_no = bundle["merchants"][0]["inst_merchant_no"].as_str().unwrap().to_owned();
        let own = (&key, apiv3_key);
        let channel = channel(&sandbox, &clock, &registration, own, &ear.url, Limits::default());
        Self { sandbox, clock, ear, channel, key, merchant_no, registration, dir }
    }

    /// A channel like that one, to the institution as it is now.
    fn client(&self, limits: Limits) -> Channel {
        let own = (&self.key, ApiV3Key::parse(&self.registration.apiv3_key).unwrap());
        channel(&self.sandbox, &self.clock, &self.registration, own, &self.ear.url, limits)
    }

    async fn place_as(&self, product: &Product, number: &str, total: i64) -> Answer<Placing> {
        let carried = json!({"payer": {"buyer_id": "2088000000000042"}, "carried": {"body": "one, two"}});
        let carried = (*product == Product::JSAPI).then(|| carried.to_string());
        let order = Payable {
            order_no: number,
            merchant_no: &self.merchant_no,
            product,
            amount: Fen::new(total),
            description: "商品 {one}",
            tags: &Tags::parse("food").unwrap(),
            parties: &Parties::parse("agent=agent:A1").unwrap(),
            carried: carried.as_deref(),
            expires: Instant::parse("2026-12-30T12:00:00+08:00"),
        };
        self.channel.place(&order).await
    }

    async fn placed(&self, product: &Product, number: &str, total: i64) -> String {
        match self.place_as(product, number, total).await {
            Answer::Known(Placing::Payable(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn query(&self, number: &str) -> Answer<Queried> {
        self.channel.query(number, &self.merchant_no).await
    }

    async fn paid(&self, number: &str) -> Notice {
        match self.query(number).await {
            Answer::Known(Queried::Paid(notice)) => *notice,
            other => panic!("{other:?}"),
        }
    }

    async fn close(&self, number: &str) -> Answer<mingfen::channels::Closing> {
        self.channel.close(number, &self.merchant_no).await
    }

    fn notice(&self, body: &[u8]) -> Result<Notice, mingfen::channels::NoticeFault> {
        self.channel.notice(|_| None, body)
    }

    async fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.sandbox.follow(&self.clock).await;
    }

    fn signer(&self) -> Signer {
        Signer { app_id: APP_ID.into(), key: self.key.clone(), certificates: None }
    }

    fn bil(&self, day: BusinessDay) -> Vec<BillOrder> {
        let file = self.sandbox.folder("in").join(format!("BIL_SANDBOX_DEMO_{day}_0001.txt"));
        let bytes = std::fs::read(file).unwrap();
        let mut reader = BilReader::new(bytes.as_slice()).unwrap();
        let mut orders = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            match row {
                BillRow::Order(order) => orders.push(order),
                BillRow::Refund(_) => panic!("a refund"),
            }
        }
        orders
    }

    /// A call of `gateway.do` as `who` signs it: HTTP status, and what is said.
    async fn ask(&self, who: &Signer, at: Instant, method: &str, content: &Value) -> (u16, Said<Value>) {
        let signed = request::sign(who, at, method, "", &content.to_string()).unwrap();
        // All of it in the query, as one of the stock clients sends it.
        let url = format!("{}/gateway.do?{}&{}", self.sandbox.base_url(), signed.query, signed.body);
        let answer = reqwest::get(url).await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
        let key = PublicKey::from_pem(&self.sandbox.identity.alipay_public_key).unwrap();
        (status, open(&[AlipayKey { certificate: None, key }], method, &body).unwrap())
    }
}

fn channel(
    sandbox: &SandboxProcess,
    clock: &Clock,
    registration: &Registration,
    (key, apiv3_key): (&PrivateKey, ApiV3Key),
    public_url: &str,
    limits: Limits,
) -> Channel {
    let institution = Institution {
        id: InstitutionId::new(1),
        code: "SANDBOX".into(),
        name: "沙箱".into(),
        platform_code: "DEMO".into(),
        order_prefix: "MF".into(),
        documents: Documents::Bil,
        result_encoding: ResultEncoding::Ascii,
    };
    let profile = ChannelProfile {
        id: ChannelId::new(1),
        institution: institution.id,
        name: ChannelName::Alipay,
        language: ChannelLanguage::AlipayOpenapi,
        base_url: sandbox.base_url().to_owned(),
        sp_mchid: PID.into(),
        sp_appid: APP_ID.into(),
        version: 1,
    };
    let theirs = PublicKey::from_pem(&sandbox.identity.alipay_public_key).unwrap();
    let keys = ChannelKeys {
        own: OwnKey { serial: registration.serial.clone(), private_key: key.clone(), apiv3_key },
        apiv3_keys: Vec::new(),
        answer_keys: vec![AnswerKey { serial: "ALIPAY".into(), key: theirs }],
        until: None,
    };
    let http = Guarded::new(limits, true).unwrap();
    Channel::open(institution, profile, keys, &http, clock, public_url).unwrap()
}

fn refusal<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    match answer {
        Answer::Refused { status: 400, code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn a_scanned_order_is_placed_once_and_its_payment_told_with_every_discount() {
    let platform = ByHand::start().await;
    let qr_code = platform.placed(&Product::NATIVE, "DEMO_0001", 12_345).await;
    assert_eq!(platform.placed(&Product::NATIVE, "DEMO_0001", 12_345).await, qr_code);
    let other = platform.place_as(&Product::NATIVE, "DEMO_0001", 12_346).await;
    assert_eq!(refusal(other), "ACQ.CONTEXT_INCONSISTENT");
    let other = platform.place_as(&Product::JSAPI, "DEMO_0001", 12_345).await;
    assert_eq!(refusal(other), "ACQ.CONTEXT_INCONSISTENT");

    // Nobody has scanned it: the wallet does not know it.
    assert_eq!(platform.query("DEMO_0001").await, Answer::Known(Queried::Absent));
    assert_eq!(refusal(platform.close("DEMO_0001").await), "ACQ.TRADE_NOT_EXIST");
    let front = reqwest::get(platform.sandbox.base_url()).await.unwrap().text().await.unwrap();
    let (_, path) = qr_code.split_once("/sandbox/").unwrap();
    assert!(front.contains(&format!("href=\"/sandbox/{path}\"")) && front.contains("支付宝"), "{front}");
    let page = reqwest::get(&qr_code).await.unwrap().text().await.unwrap();
    assert!(page.contains("支付宝") && page.contains("商品 {one}") && !page.contains("微信"), "{page}");
    assert_eq!(platform.query("DEMO_0001").await, Answer::Known(Queried::NotPaid));

    let pay = json!({"qr_code": qr_code, "discount": 345, "coupon_cash": 1000});
    let paid = platform.sandbox.post("pay", &pay).await;
    assert_eq!(platform.sandbox.post("pay", &pay).await, paid, "an order is paid once");
    assert_eq!((&paid["paid"], &paid["fee"]), (&json!(12_000), &json!(46)));
    let statement = platform.paid("DEMO_0001").await.statement;
    assert_eq!((statement.paid, statement.sums.total), (Fen::new(12_000), Fen::new(12_345)));
    assert_eq!(statement.sums.payer_total, Some(Fen::new(11_000)), "the coupon's funder paid the rest");
    assert_eq!(statement.paid_at, Instant::parse(paid["paid_at"].as_str().unwrap()).unwrap());
    assert_eq!(statement.inst_order_no, paid["transaction_id"].as_str().unwrap());
    let digits = statement.inst_order_no.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits && statement.inst_order_no.len() == 28 && statement.inst_order_no.starts_with("20261230"));

    assert_eq!(refusal(platform.close("DEMO_0001").await), "ACQ.TRADE_STATUS_ERROR");
    let again = platform.place_as(&Product::NATIVE, "DEMO_0001", 12_345).await;
    assert_eq!(refusal(again), "ACQ.TRADE_HAS_SUCCESS");
}

#[actix_web::test]
async fn an_order_of_a_named_payer_has_its_number_at_once_and_can_be_closed() {
    let platform = ByHand::start().await;
    let trade_no = platform.placed(&Product::JSAPI, "DEMO_0001", 500).await;
    assert_eq!(platform.placed(&Product::JSAPI, "DEMO_0001", 500).await, trade_no);
    assert_eq!(platform.query("DEMO_0001").await, Answer::Known(Queried::NotPaid));
    platform.sandbox.post("pay", json!({"trade_no": trade_no})).await;
    let particulars = platform.paid("DEMO_0001").await.statement.particulars;
    assert!(particulars.contains(r#""fund_channel":"ALIPAYACCOUNT""#), "{particulars}");
    let content = json!({"trade_no": trade_no});
    let (_, said) =
        platform.ask(&platform.signer(), platform.clock.instant(), "alipay.trade.query", &content).await;
    let Said::Known(trade) = said else { panic!("{said:?}") };
    assert_eq!(trade["out_trade_no"], "DEMO_0001");
    assert_eq!(trade["buyer_user_id"], "2088000000000042");

    let second = platform.placed(&Product::JSAPI, "DEMO_0002", 500).await;
    assert_ne!(second, trade_no);
    assert!(matches!(platform.close("DEMO_0002").await, Answer::Known(_)));
    assert!(matches!(platform.query("DEMO_0002").await, Answer::Known(Queried::Closed(_))));
    assert_eq!(refusal(platform.close("DEMO_0002").await), "ACQ.TRADE_STATUS_ERROR");
    let again = platform.place_as(&Product::JSAPI, "DEMO_0002", 500).await;
    assert_eq!(refusal(again), "ACQ.TRADE_HAS_CLOSE");
    let refused = json!({"trade_no": second});
    let (status, _) = platform.sandbox.try_control(Method::POST, "pay", Some(&refused)).await;
    assert_eq!(status, 409, "what is closed is not paid");

    // What is not paid in time is closed, too.
    platform.placed(&Product::JSAPI, "DEMO_0003", 500).await;
    platform.advance(2 * 3600).await;
    assert!(matches!(platform.query("DEMO_0003").await, Answer::Known(Queried::Closed(_))));
}

#[actix_web::test]
async fn a_notification_is_verified_and_repeated_until_the_one_word_comes() {
    let platform = ByHand::start().await;
    *platform.ear.says.lock().unwrap() = "SUCCESS";
    platform.placed(&Product::NATIVE, "DEMO_0001", 700).await;
    platform.sandbox.post("pay", json!({"out_trade_no": "DEMO_0001", "discount": 200})).await;
    let asked = platform.paid("DEMO_0001").await.statement;
    let mut ids = Vec::new();
    for (nth, wait) in [0, 240, 600, 600, 3600, 7200, 21_600, 54_000].into_iter().enumerate() {
        if nth > 0 {
            platform.advance(wait - 5).await;
            assert_eq!(platform.sandbox.deliver().await["due"], 0, "not yet after {wait} seconds");
            platform.advance(5).await;
        }
        let run = platform.sandbox.deliver().await;
        assert_eq!(run, json!({"due": 1, "sent": 1, "done": 0}), "another word than success, {nth}");
        let [body] = &platform.ear.take()[..] else { panic!("one notification") };
        let told = platform.notice(body).unwrap().statement;
        assert_eq!(
            (&told.inst_order_no, told.paid, &told.sums),
            (&asked.inst_order_no, asked.paid, &asked.sums)
        );
        assert!(told.names_us && told.paid_at == asked.paid_at);
        let mut pairs = url::form_urlencoded::parse(body);
        ids.push(pairs.find(|(name, _)| name == "notify_id").unwrap().1.into_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "notify_id stays the same");
    assert!(platform.sandbox.get("deliveries").await[0]["given_up_at"].is_i64());

    *platform.ear.says.lock().unwrap() = "success";
    platform.sandbox.post("pay", json!({"out_trade_no": "DEMO_0001"})).await;
    assert_eq!(platform.sandbox.deliver().await["due"], 0, "paid and told once");
}

#[actix_web::test]
async fn notifications_come_twice_in_another_order_or_badly_signed_as_the_faults_say() {
    let platform = ByHand::start().await;
    for number in ["DEMO_0001", "DEMO_0002"] {
        platform.placed(&Product::JSAPI, number, 700).await;
        platform.sandbox.pay(number).await;
    }
    platform.sandbox.fault("reorder_notifications", "notification", 1).await;
    assert_eq!(platform.sandbox.deliver().await, json!({"due": 2, "sent": 2, "done": 2}));
    let told = platform.ear.take();
    let numbers = told.iter().map(|body| platform.notice(body).unwrap().statement.order_no);
    assert_eq!(numbers.collect::<Vec<_>>(), ["DEMO_0002", "DEMO_0001"]);

    platform.placed(&Product::JSAPI, "DEMO_0003", 700).await;
    platform.sandbox.pay("DEMO_0003").await;
    platform.sandbox.fault("duplicate_notifications", "notification", 1).await;
    platform.sandbox.fault("bad_signature", "notification", 1).await;
    assert_eq!(platform.sandbox.deliver().await, json!({"due": 1, "sent": 2, "done": 1}));
    let told = platform.ear.take();
    let believed: Vec<bool> = told.iter().map(|body| platform.notice(body).is_ok()).collect();
    assert_eq!(believed, [false, true]);
}

#[actix_web::test]
async fn every_fault_strikes_in_the_channels_own_shape() {
    let platform = ByHand::start().await;
    let place = async |number: &str| platform.place_as(&Product::JSAPI, number, 700).await;
    let fault = async |fault: &str, on: &str| platform.sandbox.fault(fault, on, 1).await;
    fault("server_error", "place").await;
    assert_eq!(place("DEMO_0001").await, Answer::Unknown(Why::Server(200)));
    fault("too_many_requests", "place").await;
    assert_eq!(place("DEMO_0001").await, Answer::Busy);
    fault("timeout", "query").await;
    let hasty = platform.client(Limits { total: Duration::from_millis(500), ..Limits::default() });
    let unanswered = hasty.query("DEMO_0001", &platform.merchant_no).await;
    assert!(matches!(unanswered, Answer::Unknown(Why::Send(_))), "{unanswered:?}");
    assert_eq!(platform.sandbox.order_numbers().await, Vec::<String>::new(), "nothing was done");
    assert_eq!(platform.sandbox.requests("place", "DEMO_0001").await, 2);

    fault("bad_signature", "place").await;
    assert_eq!(place("DEMO_0001").await, Answer::Unknown(Why::NotSigned(AnswerFault::Signature)));
    fault("lost_answer", "place").await;
    assert!(matches!(place("DEMO_0002").await, Answer::Unknown(Why::Send(_))));
    assert_eq!(platform.sandbox.order_numbers().await, ["DEMO_0001", "DEMO_0002"], "it was done");
    fault("lost_answer", "close").await;
    assert!(matches!(platform.close("DEMO_0002").await, Answer::Unknown(Why::Send(_))));
    assert!(matches!(platform.query("DEMO_0002").await, Answer::Known(Queried::Closed(_))));
    fault("delay", "query").await;
    let before = platform.sandbox.requests("query", "DEMO_0001").await;
    let release = async {
        eventually("the query arrives", async || {
            (platform.sandbox.requests("query", "DEMO_0001").await > before).then_some(())
        })
        .await;
        platform.sandbox.no_faults().await;
    };
    let (answer, ()) = futures_util::join!(platform.query("DEMO_0001"), release);
    assert_eq!(answer, Answer::Known(Queried::NotPaid));

    fault("too_many_requests", "bill").await;
    let day = platform.clock.today();
    assert_eq!(platform.channel.fetch_bill(day, tempfile::tempfile().unwrap()).await, Answer::Busy);
}

#[actix_web::test]
async fn a_call_that_is_not_the_platforms_is_refused_signed_and_counted() {
    let platform = ByHand::start().await;
    platform.placed(&Product::JSAPI, "DEMO_0001", 700).await;
    let (own, now) = (platform.signer(), platform.clock.instant());
    let query = "alipay.trade.query";
    let content = json!({"out_trade_no": "DEMO_0001"});
    assert!(matches!(platform.ask(&own, now, query, &content).await, (200, Said::Known(_))));
    let forged = Signer { key: PrivateKey::generate().unwrap(), ..own.clone() };
    let stranger = Signer { app_id: "2026000000000002".into(), ..own.clone() };
    let nothing = json!({"out_trade_no": "DEMO_0009"});
    for (who, at, method, content, code) in [
        (&forged, now, query, &content, SubCode::InvalidSignature),
        (&stranger, now, query, &content, SubCode::InvalidAppId),
        (&own, now.plus(-301), query, &content, SubCode::InvalidTimestamp),
        (&own, now, "alipay.trade.refund", &content, SubCode::InvalidMethod),
        (&own, now, query, &nothing, SubCode::TradeNotExist),
        (&own, now, query, &json!({}), SubCode::BizParameter),
        (&own, now, "alipay.trade.create", &nothing, SubCode::BizParameter),
    ] {
        let (status, said) = platform.ask(who, at, method, content).await;
        let told = matches!(&said, Said::Refused { code: Some(told), .. } if *told == code);
        assert!(status == 200 && told, "{code}: {said:?}");
    }
    assert_eq!(platform.sandbox.requests("query", "DEMO_0001").await, 4);

    let order = |merchant: &str, seller: &str, payer: &str| {
        json!({
            "out_trade_no": "DEMO_0002", "total_amount": "7.00", "subject": "one", "seller_id": seller,
            "buyer_id": payer, "sub_merchant": {"merchant_id": merchant}, "passback_params": ";;"
        })
    };
    let known = platform.merchant_no.clone();
    for (content, code) in [
        (order("1699999999", PID, "2088"), SubCode::PartnerError),
        (order(&known, "2088600000000009", "2088"), SubCode::PartnerError),
        (order(&known, PID, ""), SubCode::BizParameter),
    ] {
        let (_, said) = platform.ask(&own, now, "alipay.trade.create", &content).await;
        assert!(matches!(&said, Said::Refused { code: Some(told), .. } if *told == code), "{code}: {said:?}");
    }
    // The bundle has a contract for what is paid in the wallet alone.
    platform.advance(60).await;
    let merchant = json!({"merchant": "M1001", "fees": {"alipay/jsapi": 6000, "wechat/native": 3800}});
    platform.sandbox.post("proposals", json!({"merchants": [merchant]})).await;
    let barred = platform.place_as(&Product::NATIVE, "DEMO_0003", 700).await;
    assert_eq!(refusal(barred), "ACQ.ACCESS_FORBIDDEN");
    assert_eq!(platform.sandbox.order_numbers().await, ["DEMO_0001"]);
}

#[actix_web::test]
async fn a_day_of_both_channels_is_one_bil_and_each_channels_own_bill() {
    let platform = ByHand::start().await;
    let wechat = wechat_client(&platform).await;
    for (number, product, discount) in [("DEMO_0001", Product::NATIVE, 100), ("DEMO_0002", Product::JSAPI, 0)]
    {
        platform.placed(&product, number, 10_000).await;
        platform.sandbox.post("pay", json!({"out_trade_no": number, "discount": discount})).await;
    }
    let order: OrderRequest = serde_json::from_value(json!({
        "sp_appid": "wx1", "sp_mchid": "1900000001", "sub_mchid": platform.merchant_no, "description": "one",
        "out_trade_no": "DEMO_0003", "notify_url": "http://127.0.0.1:9/", "attach": ";;",
        "amount": {"total": 500, "currency": "CNY"}
    }))
    .unwrap();
    assert!(matches!(wechat.place(Prepaid::Native, &order).await, Answer::Known(_)));
    platform.sandbox.pay("DEMO_0003").await;
    // One account of orders, and each wallet knows its own alone.
    assert_eq!(platform.query("DEMO_0003").await, Answer::Known(Queried::Absent));
    let owner = OrderOwner { sp_mchid: order.sp_mchid.clone(), sub_mchid: order.sub_mchid.clone() };
    let absent = wechat.query("DEMO_0001", &owner).await;
    assert!(matches!(&absent, Answer::Refused { status: 404, .. }), "{absent:?}");
    let taken = platform.place_as(&Product::NATIVE, "DEMO_0003", 500).await;
    assert_eq!(refusal(taken), "ACQ.CONTEXT_INCONSISTENT");
    let taken = OrderRequest { out_trade_no: "DEMO_0001".into(), ..order };
    let taken = wechat.place(Prepaid::Native, &taken).await;
    assert!(matches!(&taken, Answer::Refused { code, .. } if code == "OUT_TRADE_NO_USED"), "{taken:?}");

    let day = platform.clock.today();
    let file = || tempfile::tempfile().unwrap();
    assert_eq!(refusal(platform.channel.fetch_bill(day, file()).await), "isv.invalid-parameter");
    platform.advance(86_400).await;
    let mut kept = file();
    let fetched = platform.channel.fetch_bill(day, kept.try_clone().unwrap()).await;
    assert!(matches!(&fetched, Answer::Known(Billed::Bill(_))), "{fetched:?}");
    kept.rewind().unwrap();
    let mut archive = Archive::open(kept).unwrap();
    let rows = archive.rows().unwrap();
    assert_eq!(rows.account(), format!("{PID}0156"));
    let rows: Vec<_> = rows.map(|row| row.unwrap()).collect();

    let bil = platform.bil(day);
    let told: Vec<_> = bil
        .iter()
        .map(|order| {
            let facts = &order.facts;
            (
                order.order_no.as_str(),
                facts.channel.as_str(),
                facts.product.as_str(),
                facts.paid.get(),
                facts.fee.get(),
            )
        })
        .collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("DEMO_0001", "alipay", "native", 9_900, 38),
            ("DEMO_0002", "alipay", "jsapi", 10_000, 38),
            ("DEMO_0003", "wechat", "native", 500, 2),
        ]
    );
    let alipay: Vec<&BillOrder> = bil.iter().filter(|order| order.facts.channel == "alipay").collect();
    assert_eq!(
        (&alipay[0].facts.tags, alipay[0].facts.parties["agent"].as_str()),
        (&vec!["food".to_owned()], "agent:A1")
    );
    let numbers = |rows: &[mingfen::protocol::alipay::bill::Row]| {
        let mut all: Vec<_> = rows.iter().map(|row| (row.trade_no.clone(), row.receipt, row.fee)).collect();
        all.sort();
        all
    };
    let mut ours: Vec<_> = alipay
        .iter()
        .map(|order| (order.facts.inst_order_no.clone(), order.facts.paid, order.facts.fee))
        .collect();
    ours.sort();
    assert_eq!(numbers(&rows), ours);
    let first = rows.iter().find(|row| row.out_trade_no == "DEMO_0001").unwrap();
    assert_eq!(
        (first.total, first.discount, first.subject.as_str()),
        (Fen::new(10_000), Fen::new(100), "商品 {one}")
    );

    let mut kept = file();
    assert!(matches!(wechat.trade_bill(day, kept.try_clone().unwrap()).await, Answer::Known(_)));
    let mut text = String::new();
    kept.rewind().unwrap();
    kept.read_to_string(&mut text).unwrap();
    assert!(
        text.contains("DEMO_0003") && !text.contains("DEMO_0001") && !text.contains("DEMO_0002"),
        "{text}"
    );
}

async fn wechat_client(platform: &ByHand) -> wechat::Client {
    let registration = Registration {
        sp_mchid: "1900000001".into(),
        sp_appid: "wx1".into(),
        notify_base_url: None,
        ..platform.registration.clone()
    };
    platform.sandbox.register(&registration).await;
    let identity = &platform.sandbox.identity;
    let key = PublicKey::from_pem(&identity.certificate).unwrap();
    let settings = wechat::Settings {
        base_url: identity.base_url.clone(),
        signer: WechatSigner {
            mchid: registration.sp_mchid,
            serial: registration.serial,
            key: platform.key.clone(),
        },
        answer_keys: vec![AnswerKey { serial: identity.serial.clone(), key }],
    };
    wechat::Client::new(Guarded::new(Limits::default(), true).unwrap(), platform.clock.clone(), settings)
        .unwrap()
}

#[actix_web::test]
async fn a_day_without_payments_has_no_bill_and_an_address_holds_half_a_minute() {
    let platform = ByHand::start().await;
    let day = platform.clock.today();
    platform.advance(86_400).await;
    let empty = platform.channel.fetch_bill(day, tempfile::tempfile().unwrap()).await;
    let Answer::Known(Billed::Nothing(said)) = empty else { panic!("{empty:?}") };
    assert!(String::from_utf8(said).unwrap().contains("isp.bill_not_exist"));
    assert_eq!(platform.bil(day), []);

    let second = platform.clock.today();
    let content = json!({"bill_type": "trade", "bill_date": second.date().to_string()});
    let now = platform.clock.instant();
    let order = json!({
        "out_trade_no": "DEMO_0001", "total_amount": 7, "subject": "one", "buyer_open_id": "o1", "passback_params": ";;",
        "sub_merchant": {"merchant_id": platform.merchant_no}
    });
    let (_, said) = platform.ask(&platform.signer(), now, "alipay.trade.create", &order).await;
    assert!(matches!(said, Said::Known(_)), "{said:?}");
    platform.sandbox.pay("DEMO_0001").await;
    assert_eq!(platform.sandbox.deliver().await["due"], 0, "its order names nobody who is told");
    platform.advance(86_400).await;
    let method = "alipay.data.dataservice.bill.downloadurl.query";
    let signed =
        request::sign(&platform.signer(), platform.clock.instant(), method, "", &content.to_string())
            .unwrap();
    let url = format!("{}/gateway.do?{}&{}", platform.sandbox.base_url(), signed.query, signed.body);
    let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let address = answer["alipay_data_dataservice_bill_downloadurl_query_response"]["bill_download_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let status = async |address: &str| reqwest::get(address).await.unwrap().status().as_u16();
    assert_eq!(status(&address).await, 200);
    let other = address.replace(&format!("day={second}"), &format!("day={day}"));
    assert_eq!((other != address, status(&other).await), (true, 404), "of another day");
    platform.advance(31).await;
    assert_eq!(status(&address).await, 404);
}

#[actix_web::test]
async fn what_was_promised_survives_and_a_file_of_an_older_version_learns_the_second_channel() {
    let mut platform = ByHand::start().await;
    let trade_no = platform.placed(&Product::JSAPI, "DEMO_0001", 700).await;
    let before = platform.sandbox.identity.alipay_public_key.clone();
    platform.sandbox.kill();
    platform.sandbox.restart().await;
    platform.sandbox.follow(&platform.clock).await;
    assert_eq!(platform.sandbox.identity.alipay_public_key, before);
    platform.channel = platform.client(Limits::default());
    assert_eq!(
        platform.placed(&Product::JSAPI, "DEMO_0001", 700).await,
        trade_no,
        "registration and order are kept"
    );

    platform.sandbox.kill();
    let file: PathBuf = platform.dir.path().join("own/sandbox.db");
    let mut older = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    older
        .batch_execute(
            "DELETE FROM trade; DELETE FROM setting WHERE name = 'alipay_key'; DROP INDEX trade_trade_no;
             ALTER TABLE trade DROP COLUMN trade_no; ALTER TABLE trade DROP COLUMN channel;
             ALTER TABLE trade DROP COLUMN product;
             INSERT INTO trade (out_trade_no, code, body, merchant, tags, parties, total, created_at)
             VALUES ('DEMO_0009', 'code', '{}', 'M1001', '', '', 100, 1798000000)",
        )
        .unwrap();
    drop(older);
    platform.sandbox.restart().await;
    platform.sandbox.follow(&platform.clock).await;
    let old = platform.sandbox.order("DEMO_0009").await;
    assert_eq!((&old["channel"], &old["product"]), (&json!("wechat"), &json!("native")));
    let now = platform.sandbox.identity.alipay_public_key.clone();
    assert_ne!(now, before, "it has a key of its own again");
    let kept = std::fs::read_to_string(platform.dir.path().join("own/alipay.pub.pem")).unwrap();
    assert_eq!(kept, now);
    platform.channel = platform.client(Limits::default());
    platform.placed(&Product::JSAPI, "DEMO_0001", 700).await;
}
